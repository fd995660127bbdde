"""Monte-Carlo estimates of random quantities, with standard errors, and the exponents they scale with.

>>> import estimators
>>> fit = estimators.fit_rate([64, 256, 1024], [1.0, 0.25, 0.0625], [0.01, 0.0025, 0.0006])
>>> round(fit.exponent, 3)
-1.0
"""

from estimators.estimation import Estimate, estimate
from estimators.rates import RateFit, SingleFit, fit_rate
from estimators.sampling import draw_samples
from estimators.scalings import Scaling, scaling
from estimators.statistics import Statistic, Summary, summarize

__all__ = [
    "Estimate",
    "RateFit",
    "Scaling",
    "SingleFit",
    "Statistic",
    "Summary",
    "draw_samples",
    "estimate",
    "fit_rate",
    "scaling",
    "summarize",
]
