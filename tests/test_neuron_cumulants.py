"""Exact cumulants of networks with one hidden layer: leading terms of the moments cancel."""

from __future__ import annotations

from fractions import Fraction

import pytest
from neuron_correlators import X, Y, constant, contraction, n, squared
from scipy.stats import expon

import randtensor as rt
from randtensor.exact.derivatives.neurons import neuron_cumulant, neuron_expectation
from randtensor.expansions import Expansion
from randtensor.networks import deep_linear, two_layer


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "leaky_relu(0.3)"])
@pytest.mark.parametrize(("name", "power"), [("Theta", -1), ("gHHg", -3), ("trH^4", -3), ("gHg f", -2), ("f f", 0)])
def test_leading_terms_of_variances_cancel_exactly(activation, name, power):
    """Odd components pair up between the copies and keep the order of the square (Dyer & Gur-Ari, 1909.11304)."""
    f = two_layer(3, n, activation)
    c = contraction(f, name, X, Y)
    variance, mean, square = neuron_cumulant(c, c), neuron_expectation(c), neuron_expectation(squared(f, name, X, Y))
    assert variance.order == n**power
    for width in (1, 3, 20):
        assert variance(width) == pytest.approx(square(width) - mean(width) ** 2, rel=1e-9, abs=1e-12 * square(width))


def test_cumulants_of_the_output():
    """The fourth is 6/n for linear networks; that of order k is of order n^{1 - k/2}, as for sums of n variables."""
    linear, tanh, skewed = (
        rt.einsum("->", f(X))
        for f in (deep_linear(3, n, 1), two_layer(3, n), two_layer(3, 2 * n, "softplus", readout=expon(loc=-1)))
    )
    q = Fraction(21, 12)
    assert neuron_cumulant(*[linear] * 4) == q**2 * 6 / Expansion.of(n)
    assert neuron_cumulant(*[tanh] * 6).order == n**-2 and neuron_cumulant(*[tanh] * 3) == Expansion.of(0)
    assert [neuron_cumulant(*[skewed] * k).order for k in (2, 3, 4)] == [rt.Order.one(), n**-0.5, n**-1]


def test_joint_cumulants():
    f, g = two_layer(3, n), two_layer(3, n, "softplus")
    kernel, other, independent = contraction(f, "Theta", X), contraction(f, "Theta", Y), contraction(g, "Theta", X)
    covariance = neuron_cumulant(kernel, other)
    assert constant(covariance) == pytest.approx(constant(neuron_cumulant(other, kernel)), rel=1e-13)
    assert neuron_cumulant(kernel, independent) == Expansion.of(0)
    product_of_both = rt.einsum("i,i,j,j->", *[f.derivative(X)] * 2, *[f.derivative(Y)] * 2)
    difference = neuron_expectation(product_of_both)(4) - neuron_expectation(kernel)(4) * neuron_expectation(other)(4)
    assert covariance(4) == pytest.approx(difference, rel=1e-9)
    assert constant(neuron_cumulant(3 * kernel, n * other)) == pytest.approx(3 * constant(covariance), rel=1e-13)
