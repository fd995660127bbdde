"""Training in the abc-parametrisations, in law, against the dense networks of the suite on correlation functions.

Statistical tests run on drawn, fixed seeds; eight comparisons at ``FALSE_FAILURE`` each stay below 1e-6 in total.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import randtensor as rt
from estimators import Training, TrainingQuantity, scaling
from estimators.training import Observable
from theory_checks.suites.correlation_functions.trained import GradientDescent
from theory_checks.suites.correlation_functions.training import SCHEMES

FALSE_FAILURE = 1e-7
n = rt.Scale("n")
LAST_LAYER = Observable("change of the last layer", lambda s: s.feature_change[:, -1], input_axes=(1,))


def engine(name, dense):
    """Feature and kernel change of the same training in the library."""
    scheme = rt.networks.parametrization(SCHEMES[name])
    reference = GradientDescent(scheme)
    f = rt.networks.mlp(2, n, 2, "tanh", SCHEMES[name], dense=dense)
    training = Training(
        f, reference.inputs, reference.targets, learning_rate=reference.learning_rate * scheme.rate(n),
        steps=reference.steps,
    )  # fmt: skip
    kernel = TrainingQuantity(training, "kernel_change", at=[0], reduce="mean") * n**-scheme.learning_rate
    return reference, TrainingQuantity(training, LAST_LAYER), kernel


@pytest.mark.parametrize("name", SCHEMES)
def test_features_and_kernel_change_as_in_dense_networks(name):
    reference, features, kernel = engine(name, dense=name in ("ntk", "mup"))
    for mine, other in ((features, reference.feature_change()), (kernel, reference.kernel_change())):
        a, b = mine.sample(24, size=600, rng=1), other.sample(24, size=3000, rng=2)
        assert stats.ks_2samp(a, b).pvalue > FALSE_FAILURE


def test_only_the_richest_parametrisation_learns_features():
    """At widths where no matrix is drawn whole: order n^(-1/2) in the kernel regime, order 1 in mup."""
    exponents = {}
    for name in ("ntk", "mup"):
        _, features, _ = engine(name, dense=None)
        exponents[name] = scaling(features, n=[256, 1024], samples=[16, 8], rng=0).exponent
    np.testing.assert_allclose([exponents["ntk"], exponents["mup"]], [-0.5, 0.0], atol=0.2)
