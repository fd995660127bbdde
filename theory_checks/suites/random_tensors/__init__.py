"""Random tensors and matrices: exact invariants, limits of norms and spectra, Haar averages.

Polynomials of Gaussian tensors, quotients of polynomials for Haar matrices, and limit laws of norms, each against
samples of the families of the library. Rows G are Gaussian invariants, N norms and spectra, H Haar averages, C1 a rate
of convergence that is computed, not sampled.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.random_tensors.gaussian import gaussian
from theory_checks.suites.random_tensors.haar import haar
from theory_checks.suites.random_tensors.limits import limits
from theory_checks.suites.random_tensors.norms import norms
from theory_checks.suites.random_tensors.plan import Plan
from theory_checks.suites.random_tensors.spectra import spectra

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Random tensors and matrices: invariants, norms, spectra and Haar averages"

SOURCE = "Wick and Weingarten calculus; the sources of limits stand beside them"


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    parts = (gaussian, norms, spectra, haar, limits)
    return [claim for part in parts for claim in part(plan)]
