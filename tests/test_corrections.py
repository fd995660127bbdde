"""Corrections to scaling derived from exact moments and from parity."""

from fractions import Fraction

import pytest

import estimators
import randtensor as rt
from randtensor.prediction import correction_power
from theory_checks import Claim

n = rt.Scale("n")
G = rt.gaussian(n, n)
X0, X1 = [1.0, 1.0], [1.0, -0.5]


@pytest.mark.parametrize(
    ("equation", "matrices", "statistic", "power"),
    [
        ("ab,ab->", (G, G), "mean", None),  # n^2
        ("ab,ab->", (G, G), "rms", Fraction(2)),  # n^4 + 2 n^2
        ("ab,cb,cd,ad->", (G, G, G, G), "mean", Fraction(1)),  # 2 n^3 + n^2
    ],
)
def test_from_exact_moments(equation, matrices, statistic, power):
    assert correction_power(rt.einsum(equation, *matrices), statistic) == power


@pytest.mark.parametrize(("readout", "power"), [(None, 1), ("exponential", Fraction(1, 2))])
def test_from_parity(readout, power):
    f = rt.networks.two_layer(inputs=2, width=n, activation="softplus", readout=readout)
    assert correction_power(rt.correlation(f, 0, 2, X0, X1), "L1") == power
    assert correction_power(rt.norm(rt.correlation(f, 1, 1, X0, X1))) == power


def test_refusals():
    with pytest.raises(rt.ExactError, match="expected one with exact moments"):
        correction_power(rt.quantity(n, name="x")(lambda size, batch, rng: rng.random(batch)))


def test_claims_and_scalings_take_it():
    f = rt.networks.two_layer(inputs=2, width=n, activation="softplus", readout="exponential")
    c = rt.correlation(f, 0, 2, X0, X1)
    claim = Claim(
        "skewed", c, statistic="L1", predicted=rt.Theta(n**-0.5), correction="derived", n=[16, 64, 256], samples=100
    )
    assert claim.correction == 0.5
    found = estimators.scaling(c, statistic="L1", n=[16, 64, 256], samples=100, correction="derived", rng=0)
    assert found.fit.correction == 0.5
