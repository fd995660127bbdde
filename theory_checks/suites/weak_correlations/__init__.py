"""Weak derivative correlations of wide networks, the linear training that follows, and random-tensor asymptotics.

The claims of Shem-Ur & Oz 2024 (arXiv 2401.04013) on the correlations C^{D,d} of derivative tensors with gradients,
with the sharp orders where they are known, the exact one-hidden-layer laws, negative controls, and the rules of the
calculus with their counterexamples; and on how far networks in training depart from their linearisation. Inputs: ``x0``
for the derivative of highest order, ``x1`` for all gradients.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.weak_correlations.calculus import calculus
from theory_checks.suites.weak_correlations.correlations import closed, opened, variations
from theory_checks.suites.weak_correlations.higher import higher_derivatives
from theory_checks.suites.weak_correlations.identities import identities, one_step
from theory_checks.suites.weak_correlations.norm_facts import norm_facts, toys
from theory_checks.suites.weak_correlations.plan import SOURCE, Plan
from theory_checks.suites.weak_correlations.stochastic import arithmetic
from theory_checks.suites.weak_correlations.training import learning_rates, long_training, trained

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Weak derivative correlations, the linear training that follows, and the calculus of random-tensor asymptotics"


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    at_start = (closed, opened, variations, identities, one_step)
    in_training = (trained, higher_derivatives, learning_rates, long_training)
    parts = (*at_start, *in_training, toys, norm_facts, calculus, arithmetic)
    return [claim for part in parts for claim in part(plan)]
