"""Symmetries of wide two-layer ReLU networks in training: what is exact at finite width, and what the limit reduces to.

The claims of Hajjar & Chizat 2022 (arXiv 2211.08771), in the form of what can be computed: symmetries that descent
keeps to rounding, odd targets and their linear predictor, targets of the projection on a subspace and their reduction
to angles, with rates in the width and negative controls. Rows of one group stand in one module.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.two_layer_symmetries.conserved import conserved
from theory_checks.suites.two_layer_symmetries.equivariance import equivariance
from theory_checks.suites.two_layer_symmetries.fluctuations import fluctuations
from theory_checks.suites.two_layer_symmetries.odd import odd
from theory_checks.suites.two_layer_symmetries.plan import SOURCE, Plan
from theory_checks.suites.two_layer_symmetries.start import start
from theory_checks.suites.two_layer_symmetries.subspace import subspace

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Symmetries in the dynamics of wide two-layer networks, and what they reduce to"

#: groups of rows, in the order in which they are reported
PARTS = (start, equivariance, conserved, odd, fluctuations, subspace)


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    return [claim for part in PARTS for claim in part(plan)]
