"""Taylor coefficients of activations: against mpmath, tails included, and against one another."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from randtensor.programs.activations import get_activation

ORDER = 12
CENTRE = (0.0, 1e-9, 1e-3, 0.1, 0.5, 0.7517916243, 1.0, 1.3, 1.8, 2.65, 3.3, 4.1, 4.2, 5.0, 6.5)
TAIL = (8.3, 20.0, 25.5, 40.0)
FAR = (1000.0,)
WHOLE_LINE = tuple(sign * x for x in CENTRE + TAIL + FAR for sign in (1, -1))
POSITIVE = tuple(x for x in CENTRE + TAIL + FAR if x > 1e-6)
NONZERO = POSITIVE + tuple(-x for x in POSITIVE)
MODEST = tuple(x for x in WHOLE_LINE if abs(x) <= 40)


def normal_density(z: mpmath.mpf) -> mpmath.mpf:
    return mpmath.exp(-(z**2) / 2) / mpmath.sqrt(2 * mpmath.pi)


def normal_distribution(z: mpmath.mpf) -> mpmath.mpf:
    return mpmath.erfc(-z / mpmath.sqrt(2)) / 2


# The function, or the function and its first derivatives where mpmath is slow to difference it.
REFERENCES = {
    "tanh": (mpmath.tanh, WHOLE_LINE),
    "sigmoid": (lambda z: 1 / (1 + mpmath.exp(-z)), WHOLE_LINE),
    "softplus": ((lambda z: mpmath.log(1 + mpmath.exp(z)), lambda z: 1 / (1 + mpmath.exp(-z))), WHOLE_LINE),
    "silu": (lambda z: z / (1 + mpmath.exp(-z)), WHOLE_LINE),
    "erf": ((mpmath.erf, lambda z: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(z**2))), WHOLE_LINE),
    "gelu": (
        (
            lambda z: z * normal_distribution(z),
            lambda z: normal_distribution(z) + z * normal_density(z),
            lambda z: (2 - z**2) * normal_density(z),
        ),
        WHOLE_LINE,
    ),
    "sin": (mpmath.sin, WHOLE_LINE),
    "cos": (mpmath.cos, WHOLE_LINE),
    "arctan": ((mpmath.atan, lambda z: 1 / (1 + z**2)), WHOLE_LINE),
    "exp": (mpmath.exp, MODEST),
    "log": ((mpmath.log, lambda z: 1 / z), POSITIVE),
    "sqrt": (mpmath.sqrt, POSITIVE),
    "reciprocal": (lambda z: 1 / z, NONZERO),
    "square": (lambda z: z**2, WHOLE_LINE),
    "linear": (lambda z: z, WHOLE_LINE),
    "power(0)": (lambda z: mpmath.mpf(1), WHOLE_LINE),
    "power(5)": (lambda z: z**5, WHOLE_LINE),
    "power(20)": (lambda z: z**20, tuple(x for x in WHOLE_LINE if abs(x) >= 0.1)),
    "power(2.5)": (lambda z: z ** mpmath.mpf("2.5"), POSITIVE),
    "power(-0.7)": (lambda z: z ** mpmath.mpf(-0.7), (0.1, 1.3, 4.1, 40.0, 1000.0)),
    "power(-3)": (lambda z: z**-3, NONZERO),
}
SMOOTH = sorted(REFERENCES)


def exact_coefficients(name: str, points: tuple[float, ...], order: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (order + 1, points) by mpmath, and their scale.

    A coefficient that passes through zero is measured by the geometric mean of its neighbours.
    """
    reference = REFERENCES[name][0]
    *known, function = reference if isinstance(reference, tuple) else (reference,)
    values = np.empty((order + 2, len(points)))
    scale = np.empty_like(values)
    with mpmath.workdps(60):
        for i, point in enumerate(points):
            # The differences must resolve the tails: e^-80 beside 1 at 40; farther out and for the normal
            # tails, all that double precision can hold.
            hard = abs(point) > 40 or (abs(point) > 8 and name in ("erf", "gelu"))
            with mpmath.workdps(340 if hard else 60):
                point = mpmath.mpf(point)
                series = [f(point) / mpmath.factorial(k) for k, f in enumerate(known)]
                rest = mpmath.taylor(function, point, order + 1 - len(known))
                series += [c / mpmath.rf(j + 1, len(known)) for j, c in enumerate(rest)]
            size = [abs(c) for c in series]
            for k, c in enumerate(series):
                values[k, i] = float(c)
                around = mpmath.sqrt(size[k - 1] * size[k + 1]) if 0 < k <= order else mpmath.mpf(0)
                scale[k, i] = float(size[k] + around)
    return values[:-1], scale[:-1]


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(("far", "order"), [(False, ORDER), (True, 3)])
def test_coefficients_agree_with_mpmath(name, far, order):
    points = tuple(x for x in REFERENCES[name][1] if (abs(x) > 40) == far)
    exact, scale = exact_coefficients(name, points, order)
    with np.errstate(all="raise", under="ignore"):
        found = np.array(get_activation(name).taylor(np.array(points), ORDER))
    assert np.all(np.isfinite(found))
    error = np.abs(found[: order + 1] - exact)
    # 1e-290: below it numbers are subnormal and carry fewer digits.
    assert np.all(error <= 1e-12 * scale + 1e-290), (error / (scale + 1e-280)).max(axis=1)


@pytest.mark.parametrize("name", SMOOTH)
def test_single_precision(name):
    points = tuple(x for x in REFERENCES[name][1] if abs(x) <= 40 and float(np.float32(x)) == x)
    exact, scale = exact_coefficients(name, points, 4)
    found = get_activation(name).taylor(np.array(points, dtype=np.float32), 4)
    assert all(c.dtype == np.float32 for c in found)
    with np.errstate(over="ignore"):
        assert np.all(np.abs(np.array(found, dtype=float) - exact) <= 2e-4 * scale + 1e-36)


panels = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-60, 60))

# --- identities between functions -------------------------------------------------------------------------


def coefficients(name: str, z: np.ndarray, order: int = 8) -> np.ndarray:
    return np.array(get_activation(name).taylor(z, order))


def rescaled(series: np.ndarray, factor: float) -> np.ndarray:
    """Coefficients of z -> phi(factor * z) from those of phi at factor * z."""
    return series * factor ** np.arange(len(series))[:, None]


def times_z(series: np.ndarray, z: np.ndarray) -> np.ndarray:
    product = series * z
    product[1:] += series[:-1]
    return product


def cauchy_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))])


def derivative(series: np.ndarray) -> np.ndarray:
    return series[1:] * np.arange(1, len(series))[:, None]


def close(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_tanh_is_a_shifted_sigmoid(z):
    expected = 2 * rescaled(coefficients("sigmoid", 2 * z), 2.0)
    expected[0] -= 1
    close(coefficients("tanh", z), expected)


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_softplus_integrates_sigmoid(z):
    close(derivative(coefficients("softplus", z)), coefficients("sigmoid", z, 7))


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_softplus_minus_its_mirror_is_linear(z):
    mirror = rescaled(coefficients("softplus", -z), -1.0)
    close(coefficients("softplus", z) - mirror, coefficients("linear", z))


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_silu_is_z_sigmoid(z):
    close(coefficients("silu", z), times_z(coefficients("sigmoid", z), z))


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_gelu_is_z_times_the_normal_distribution(z):
    probability = rescaled(coefficients("erf", z / np.sqrt(2)), 1 / np.sqrt(2)) / 2
    probability[0] += 0.5
    close(coefficients("gelu", z), times_z(probability, z))


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_sin_and_cos(z):
    sine, cosine = coefficients("sin", z), coefficients("cos", z)
    close(derivative(sine), cosine[:-1])
    close(derivative(cosine), -sine[:-1])


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_tanh_solves_its_equation(z):
    series = coefficients("tanh", z)
    expected = -cauchy_product(series, series)
    expected[0] += 1
    close(derivative(series), expected[:-1])


@settings(deadline=None, max_examples=50)  # the first call may import SciPy
@given(panels)
def test_inverse_functions_of_positive_arguments(z):
    z = 0.3 + np.abs(z)
    close(cauchy_product(coefficients("sqrt", z), coefficients("sqrt", z)), coefficients("linear", z))
    unit = cauchy_product(coefficients("reciprocal", z), coefficients("linear", z))
    np.testing.assert_allclose(unit, coefficients("power(0)", z), atol=1e-15 * 0.3**-8)
    np.testing.assert_allclose(derivative(coefficients("log", z)), coefficients("reciprocal", z, 7), rtol=1e-13)
