"""Claims about random quantities, and verdicts on them.

>>> import randtensor as rt, theory_checks
>>> n = rt.Scale("n")
>>> length = rt.norm(rt.gaussian(n))
>>> claim = theory_checks.Claim("length of a vector", length, predicted=rt.Theta(n**0.5), n=[16, 64, 256, 1024])
>>> theory_checks.check(claim, rng=0).verdict
'consistent'
"""

from theory_checks.checks import check
from theory_checks.claims import Claim
from theory_checks.coordinates import coordinate_claims
from theory_checks.detection import minimum_detectable, samples_required
from theory_checks.predictions import Exact, Identity, NoDefiniteBound, QuantileSlopes, Tight, Zero
from theory_checks.pytest_support import ClaimFailure, assert_claim
from theory_checks.results import Measurement, Result
from theory_checks.suites import Suite, SuiteOptions, load_suite
from theory_checks.verification import Interrupted, Report, verify

__all__ = [
    "Claim",
    "ClaimFailure",
    "Exact",
    "Identity",
    "Interrupted",
    "Measurement",
    "NoDefiniteBound",
    "QuantileSlopes",
    "Report",
    "Result",
    "Suite",
    "SuiteOptions",
    "Tight",
    "Zero",
    "assert_claim",
    "check",
    "coordinate_claims",
    "load_suite",
    "minimum_detectable",
    "samples_required",
    "verify",
]
