"""What exact expectations of networks with one hidden layer do not cover, and how that is said."""

from __future__ import annotations

import numpy as np
import pytest
from neuron_correlators import X, Y, Z, contraction, n
from scipy.stats import t

import randtensor as rt
from randtensor.exact.derivatives.neurons import neuron_expectation
from randtensor.networks import mlp, two_layer

LETTERS = "abcdefghijklmnopq"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: contraction(mlp(3, n, 2), "Theta", X), "the network has 2 hidden layers, expected a fully connected"),
        (lambda: contraction(two_layer(3, n, biases=0.5), "Theta", X), "biases of standard deviation 0.5, expected"),
        (lambda: contraction(two_layer(3, n).then(rt.square), "Theta", X), r"derivative of 'g\(mlp\)', expected"),
        (
            lambda: rt.einsum("oa,oa->", *[two_layer(3, n, outputs=2).derivative(X)] * 2),
            "output vector of length 2, expected a fully connected network with one hidden layer, scalar output",
        ),
        (lambda: rt.einsum("ab->ab", two_layer(3, n).derivative(X, 2)), "has 2 free indices, expected 0"),
        (
            lambda: contraction(two_layer(3, n, "log"), "f f", X),
            "integrals of 'log' and its derivatives are not finite",
        ),
        (lambda: contraction(two_layer(3, n, "sin"), "f f", [1e4, 0, 0]), "do not converge: expected shorter inputs"),
        (lambda: contraction(two_layer(3, n, "relu"), "f^4", X, Y, Z), "over 3 linearly independent inputs, expected"),
        (
            lambda: contraction(two_layer(4, n), "f^4", *np.eye(4)),
            "integrals of 'tanh' run over 4 linearly independent inputs, expected at most 3",
        ),
        (
            lambda: contraction(two_layer(3, n, readout=t(3)), "f^4", X),
            "the moment of order 3 of t.* is infinite",
        ),
        (
            lambda: rt.einsum(f"{LETTERS},{LETTERS}->", *[two_layer(3, n).derivative(X, 17)] * 2),
            "contracts 17 indices, expected at most 16",
        ),
    ],
)
def test_what_no_rule_covers_is_refused(make, message):
    with pytest.raises(rt.ExactError, match=message):
        neuron_expectation(make())
