"""Claims behind docs/findings.md: ``randtensor verify examples/findings.py --only definite-bound``.

Each finding is a few rows of the suites: what holds, and beside it, where there is one, the statement that does not and
has to be refuted. A row keeps its claim and takes the name of the finding in front of its id, and with it a random
stream of its own: what comes out is another draw than that of the suite.
"""

from __future__ import annotations

from dataclasses import replace

from theory_checks import Claim, SuiteOptions, load_suite

TITLE = "Where verification contradicts or sharpens a published statement"
SOURCE = "the suites of randtensor"

#: finding -> (suite, ids of its rows)
FINDINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "two-thirds": ("weak-correlations", ("W22", "W22.n")),
    "squared-rate": ("weak-correlations", ("W15.bound.0.5", "W15.0.5", "W15.wrong")),
    "skewed": ("weak-correlations", ("W30.exact", "W30.odd", "W30.wrong")),
    "kinks": ("weak-correlations", ("W21.same", "W21.other", "W21.wrong")),
    "output-map": ("weak-correlations", ("W20", "W20.identity")),
    "output-scale": ("weak-correlations", ("P.mup.2", "P.mup.3")),
    "definite-bound": ("weak-correlations", ("W24", "W24.slopes", "W24.wrong")),
    "upper-and-lower": ("weak-correlations", ("W25",)),
    "families": ("weak-correlations", ("W27", "W27.each")),
    "expectations": ("weak-correlations", ("C1.median", "C1.mean")),
    "shared-indices": ("weak-correlations", ("W26", "W26.norm", "N7")),
    "claws": ("correlation-functions", ("D17.linear", "D17.relu", "D16", "D17.rate", "D17.copied")),
    "triangles": ("correlation-functions", ("D18.linear", "D18")),
    "copied-constants": ("correlation-functions", ("D3", "D3.copied")),
    "modified-flow": ("neural-mechanics", ("M14.rest", "M14.slow")),
    "translations": ("neural-mechanics", ("M11", "M11.constant")),
    "turning": ("neural-mechanics", ("M18.turn", "M18.wrong")),
    "momentum": ("neural-mechanics", ("M23", "M24")),
    "depth": ("wide-gaussianity", ("GP7.symmetric", "GP7.skewed", "GP7.wrong")),
    "drift": ("wide-gaussianity", ("GP10", "GP10.symmetric", "GP10.odd", "GP10.wrong")),
    "positive": ("wide-gaussianity", ("GP18.tanh.1", "GP18.softplus.1", "GP18.power(3).1", "GP18.wrong")),
    "smooth-functions": ("wide-gaussianity", ("GP20", "GP20.skewed", "GP20.wrong")),
    "closed-data": ("two-layer-symmetries", ("S7.paired", "S8", "S8.wrong")),
    "late-rate": ("two-layer-symmetries", ("S12", "S12.wrong", "S13", "S13.wrong")),
    "pairs": ("two-layer-symmetries", ("S16.constant", "S16.constant.wrong", "S17")),
    "frozen-kernel": ("spectrum-alignment", ("A10.standard.1", "A10.standard.2")),
    "kinked-kernel": ("spectrum-alignment", ("A10.relu.trained", "A10.relu.other", "A10.relu.wrong")),
    "edge": ("spectrum-alignment", ("A17.rough", "A17.picture", "A17.wrong")),
    "free-variables": ("random-tensors", ("H6", "H6.wrong")),
}


def claims(options: SuiteOptions) -> list[Claim]:
    """The rows of all findings."""
    found = []
    for suite in dict.fromkeys(suite for suite, _ in FINDINGS.values()):
        loaded = load_suite(suite)
        rows = {claim.id: claim for claim in loaded.claims(options)}
        for finding, (where, ids) in FINDINGS.items():
            if where == suite:
                found += [
                    replace(rows[row], id=f"{finding}.{row}", source=rows[row].source or loaded.source) for row in ids
                ]
    return found
