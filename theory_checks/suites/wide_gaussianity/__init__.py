"""Wide networks that are not quite Gaussian: their laws at initialisation and in training, in powers of n^-1/2.

The claims of Carvalho, Lopes Costa, Mourao & Oliveira 2023 (arXiv 2304.03385) on the asymptotic series of the output
law, whose coefficients the library computes from the activation and the moments of the initialisation, and on the
distance of training from its limit, with the derived laws of deeper networks and of the tangent kernel, and negative
controls. Rows of one group stand in one module.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.wide_gaussianity.depth import fourth_cumulant, variance_shift
from theory_checks.suites.wide_gaussianity.outputs import cross_output, fourth, second, third
from theory_checks.suites.wide_gaussianity.plan import SOURCE, Plan
from theory_checks.suites.wide_gaussianity.positivity import positivity
from theory_checks.suites.wide_gaussianity.series import series
from theory_checks.suites.wide_gaussianity.tangent_kernel import fluctuation, kernel_motion
from theory_checks.suites.wide_gaussianity.training import (
    kernel_drift,
    late_training,
    law_of_outputs,
    outputs_in_training,
)

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Non-Gaussianity of wide networks at initialisation and in training, order by order in n^-1/2"

#: groups of rows, in the order in which they are reported
PARTS = (
    second,
    third,
    fourth,
    cross_output,
    series,
    variance_shift,
    fourth_cumulant,
    fluctuation,
    kernel_motion,
    positivity,
    kernel_drift,
    outputs_in_training,
    late_training,
    law_of_outputs,
)


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    return [claim for part in PARTS for claim in part(plan)]
