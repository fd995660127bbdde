"""Wide two-layer ReLU networks in the mean-field scaling: neurons, symmetries, risks, flows, and what they reduce to.

>>> import numpy as np
>>> from randtensor import mean_field as mf
>>> group = mf.SymmetryGroup.reflection(2)  # f(-x1, x2) = f(x1, x2)
>>> X = group.orbit(np.random.default_rng(0).standard_normal((20, 2)))
>>> risk = mf.EmpiricalRisk(X, abs(X[:, 0]), symmetry=group)
>>> start = mf.Initialization(2, symmetry=group).sample(64, rng=1)
>>> trained = mf.GradientDescent(risk, rate=0.1).after(start, 200)
>>> bool(group.defect(trained, X) < 1e-13), bool(risk.loss(trained) < 0.01)
(True, True)
"""

from randtensor.mean_field.angle import AngleRisk
from randtensor.mean_field.averages import sphere_coordinate, uniform_directions
from randtensor.mean_field.dynamics import GradientDescent, GradientFlow, dissipation
from randtensor.mean_field.fluctuations import influence, limiting_deviation
from randtensor.mean_field.gaussian import GaussianRisk
from randtensor.mean_field.initialization import Initialization
from randtensor.mean_field.linear_predictor import (
    IsotropicPredictor,
    LinearPredictorRisk,
    PredictorPath,
    decay_constant,
)
from randtensor.mean_field.neurons import Neurons, SphericalMeasure
from randtensor.mean_field.risks import EmpiricalRisk, Risk, velocity, wasserstein_fisher_rao
from randtensor.mean_field.symmetry import SymmetryGroup
from randtensor.mean_field.targets import OddTarget, SubspaceNorm, Teacher

__all__ = [
    "AngleRisk",
    "EmpiricalRisk",
    "GaussianRisk",
    "GradientDescent",
    "GradientFlow",
    "Initialization",
    "IsotropicPredictor",
    "LinearPredictorRisk",
    "Neurons",
    "OddTarget",
    "PredictorPath",
    "Risk",
    "SphericalMeasure",
    "SubspaceNorm",
    "SymmetryGroup",
    "Teacher",
    "decay_constant",
    "dissipation",
    "influence",
    "limiting_deviation",
    "sphere_coordinate",
    "uniform_directions",
    "velocity",
    "wasserstein_fisher_rao",
]
