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

#: finding -> what is true, for reports: LaTeX
STATEMENTS: dict[str, str] = {
    "two-thirds": r"$C^{0,3} = \Theta(n^{-1})$, so that $C^{D,d} = O(M^{-d/2})$ for all $D, d$ needs $M = O(n^{2/3})$",
    "squared-rate": r"$F - F_{\text{lin}} = \Theta(r^2/n)$ at the learning rate $r$, below the bound $r/n$",
    "skewed": r"with $E v^3 \neq 0$ and $\phi$ not odd, $C^{0,2} = \Theta(n^{-1/2})$",
    "kinks": r"for ReLU $F - F_{\text{lin}}$ is $n^{-1/2}$ at the trained input and $n^{-3/4}$ elsewhere",
    "output-map": r"$C^{0,2}$ of $\tanh F$ does not decay",
    "output-scale": r"in maximal-update parametrisation $C^{0,2} = \Theta(n^{-1/2})$ and $C^{0,3} = \Theta(1)$",
    "definite-bound": r"$n^{|Z|}$ has another exponent at every quantile",
    "upper-and-lower": r"$X \in \{1, n\}$ has the upper order $n$ and the lower order $1$",
    "families": r"$\max_k X_k$ may be $n$ though each $X_k$ is zero with probability $1 - 1/n$",
    "expectations": r"$X = n^2$ with probability $1/n$ has median zero and mean $n$",
    "shared-indices": r"contraction over two indices is not submultiplicative in the injective norm",
    "claws": r"the mean of a claw is $n^{-2}$ for linear and ReLU networks, $n^{-1}$ for $\tanh$",
    "triangles": r"$E\, f\, \mathrm{tr} H^3$ is $n^{-2}$ for linear networks, $n^{-1}$ for $\tanh$",
    "copied-constants": r"$E f^4 - 3 (E f^2)^2 = 15/n$ for ReLU, $6/n$ for linear networks",
    "modified-flow": r"modified flow of second order is $O(\eta)$ off from rest, $O(\eta^2)$ from the slow manifold",
    "translations": r"the charge is $e^{-\lambda t} (1 - \eta \lambda^2 t/2 + O(\eta^2))$",
    "turning": r"$1 - E\langle\theta, \theta'\rangle / E\langle\theta, \theta\rangle = \eta\lambda/(1 + \beta)$",
    "momentum": r"$e^{\tau t}$ times the antisymmetric part of $U^T U' + V^T V'$ is constant; $U^T U - V^T V$ is not",
    "depth": r"skewed hidden weights shift the variance of the output by $n^{-1/2}$, symmetric ones by $n^{-1}$",
    "drift": r"the tangent kernel drifts by $n^{-1/2}$ for skewed read-outs, not for symmetric ones",
    "positive": r"the limiting tangent kernel has full rank unless the activation is a polynomial",
    "smooth-functions": r"$E h(f) - E h(f^\infty)$ is $n^{-1}$ for symmetric read-outs, $n^{-1/2}$ for skewed ones",
    "closed-data": r"symmetric neurons keep a symmetry to rounding on closed data, and not at all on others",
    "late-rate": r"the late rate is $v (K^2/16 + |w^*|^2)^{1/2}$, above the bound $v K/4$",
    "pairs": r"the variance of the positive mass is $1.0327/m$ for independent neurons, smaller for pairs",
    "frozen-kernel": r"in standard parametrisation the kernel moves by $n^{-2}$ at one hidden layer, $n^{-1}$ at two",
    "kinked-kernel": r"for ReLU the kernel moves by $n^{-1/2}$ where it is trained, $n^{-3/4}$ elsewhere",
    "edge": r"learning rate times the largest eigenvalue comes to $2N$",
    "free-variables": r"$E\, \mathrm{tr} A U B U^* A U B U^* = -n/(n^2 - 1)$ in dimension $n$",
}


def claims(options: SuiteOptions) -> list[Claim]:
    """The rows of all findings."""
    found = []
    for suite in dict.fromkeys(suite for suite, _ in FINDINGS.values()):
        loaded = load_suite(suite)
        rows = {claim.id: claim for claim in loaded.claims(options)}
        for finding, (where, ids) in FINDINGS.items():
            if where == suite:
                for row in ids:
                    claim = rows[row]
                    statement = STATEMENTS[finding] if claim.expect == "consistent" else ""
                    source = claim.source or loaded.source
                    found.append(replace(claim, id=f"{finding}.{row}", source=source, statement=statement))
    return found
