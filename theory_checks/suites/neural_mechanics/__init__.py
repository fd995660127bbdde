"""Neural mechanics: symmetries of the loss, the identities they force, and broken conservation laws in descent.

Identities of gradients, Hessians and third derivatives, exact recursions of charges under stochastic gradient descent,
the continuous models of descent with their errors, equilibria of normalised weights, and the number of conserved
quantities: Kunin, Sagastuy-Brena, Ganguli, Yamins & Tanaka 2020, arXiv 2012.04728, and what followed it.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.neural_mechanics.conservation import broken, continuous, exact, initial
from theory_checks.suites.neural_mechanics.counting import attention, counts, rotation
from theory_checks.suites.neural_mechanics.equilibrium import balance, growth
from theory_checks.suites.neural_mechanics.flows import models, momentum, solvable
from theory_checks.suites.neural_mechanics.identities import derivative_identities, noise, wide
from theory_checks.suites.neural_mechanics.plan import SOURCE, Plan

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Neural mechanics: symmetries and broken conservation laws in descent"


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    parts = (
        derivative_identities,
        wide,
        noise,
        exact,
        broken,
        continuous,
        initial,
        models,
        momentum,
        solvable,
        balance,
        growth,
        counts,
        attention,
        rotation,
    )
    return [claim for part in parts for claim in part(plan)]
