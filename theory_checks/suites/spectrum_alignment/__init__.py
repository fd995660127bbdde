"""The spectrum of the tangent kernel in training, and how targets and outputs align with it.

The claims around Kopitkov & Indelman 2019 (arXiv 1910.08720): the identities and orders behind its observations, how
they depend on the width under explicit parametrisations, and the observed trends, as statements about every network of
a small experiment.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.spectrum_alignment.exact import identities, linear_models
from theory_checks.suites.spectrum_alignment.glorot import glorot
from theory_checks.suites.spectrum_alignment.plan import SOURCE, Plan
from theory_checks.suites.spectrum_alignment.steps import one_step
from theory_checks.suites.spectrum_alignment.trends import depth, edge, output
from theory_checks.suites.spectrum_alignment.widths import at_start, in_training, kinks

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Spectrum of the tangent kernel in training, and the alignment of targets and outputs with it"


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    parts = (identities, linear_models, one_step, at_start, in_training, kinks, glorot, edge, output, depth)
    return [claim for part in parts for claim in part(plan)]
