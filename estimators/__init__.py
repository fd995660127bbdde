"""Monte-Carlo estimates of random quantities, with standard errors, and the exponents they scale with.

>>> import estimators
>>> fit = estimators.fit_rate([64, 256, 1024], [1.0, 0.25, 0.0625], [0.01, 0.0025, 0.0006])
>>> round(fit.exponent, 3)
-1.0
"""

from estimators.conditional import conditional_covariance, conditional_cumulant, conditional_joint_cumulant
from estimators.coordinate_check import CoordinateCheck, coordinate_check, layer_scale
from estimators.cumulants import Cumulant, cumulant, joint_cumulant
from estimators.estimation import Estimate, estimate
from estimators.gaussian_process import GaussianProcessLaw, trained_law
from estimators.gaussianity import GaussianDistance, distance_to_gaussian
from estimators.identification import CandidateOrder, OrderIdentification, identify_order, identify_order_of
from estimators.kernels import nngp_kernel, tangent_kernel
from estimators.limit import LinearDynamics, LinearRun
from estimators.neurons import NeuronQuantity
from estimators.power_sums import PowerSums
from estimators.rates import RateFit, SingleFit, fit_rate
from estimators.sampling import draw_samples
from estimators.scalings import Scaling, scaling
from estimators.statistics import Statistic, Summary, summarize
from estimators.store import RunStore
from estimators.training import Loss, Training, TrainingQuantity, TrainingRun, train
from estimators.workers import Workers

__all__ = [
    "CandidateOrder",
    "CoordinateCheck",
    "Cumulant",
    "Estimate",
    "GaussianDistance",
    "GaussianProcessLaw",
    "LinearDynamics",
    "LinearRun",
    "Loss",
    "NeuronQuantity",
    "OrderIdentification",
    "PowerSums",
    "RateFit",
    "RunStore",
    "Scaling",
    "SingleFit",
    "Statistic",
    "Summary",
    "Training",
    "TrainingQuantity",
    "TrainingRun",
    "Workers",
    "conditional_covariance",
    "conditional_cumulant",
    "conditional_joint_cumulant",
    "coordinate_check",
    "cumulant",
    "distance_to_gaussian",
    "draw_samples",
    "estimate",
    "fit_rate",
    "identify_order",
    "identify_order_of",
    "joint_cumulant",
    "layer_scale",
    "nngp_kernel",
    "scaling",
    "summarize",
    "tangent_kernel",
    "train",
    "trained_law",
]
