"""Activations: Taylor coefficients against mpmath, identities, conventions and error texts."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from randtensor.errors import ActivationError, InputError
from randtensor.programs.activations import ACTIVATION_NAMES, Activation, get_activation, leaky_relu, power

ORDER = 12
CENTRE = (0.0, 1e-9, 1e-3, 0.1, 0.5, 0.7517916243, 1.0, 1.3, 1.8, 2.65, 3.3, 4.1, 4.2, 5.0, 6.5)
TAIL = (8.3, 12.0, 20.0, 25.5, 37.0, 40.0)
FAR = (120.0, 1000.0)
WHOLE_LINE = tuple(sign * x for x in CENTRE + TAIL + FAR for sign in (1, -1))
POSITIVE = tuple(x for x in CENTRE + TAIL + FAR if x > 1e-6)
NONZERO = POSITIVE + tuple(-x for x in POSITIVE)
MODEST = tuple(x for x in WHOLE_LINE if abs(x) <= 40)


def normal_density(z: mpmath.mpf) -> mpmath.mpf:
    return mpmath.exp(-(z**2) / 2) / mpmath.sqrt(2 * mpmath.pi)


def normal_distribution(z: mpmath.mpf) -> mpmath.mpf:
    return mpmath.erfc(-z / mpmath.sqrt(2)) / 2


# The function, or the function and its first derivatives where mpmath is slow to difference the function itself.
REFERENCES = {
    "tanh": (mpmath.tanh, WHOLE_LINE),
    "sigmoid": (lambda z: 1 / (1 + mpmath.exp(-z)), WHOLE_LINE),
    "softplus": (lambda z: mpmath.log(1 + mpmath.exp(z)), WHOLE_LINE),
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
    "arctan": (mpmath.atan, WHOLE_LINE),
    "exp": (mpmath.exp, MODEST),
    "log": (mpmath.log, POSITIVE),
    "sqrt": (mpmath.sqrt, POSITIVE),
    "reciprocal": (lambda z: 1 / z, NONZERO),
    "square": (lambda z: z**2, WHOLE_LINE),
    "linear": (lambda z: z, WHOLE_LINE),
    "power(0)": (lambda z: mpmath.mpf(1), WHOLE_LINE),
    "power(5)": (lambda z: z**5, WHOLE_LINE),
    "power(20)": (lambda z: z**20, WHOLE_LINE),
    "power(2.5)": (lambda z: z ** mpmath.mpf("2.5"), POSITIVE),
    "power(-0.7)": (lambda z: z ** mpmath.mpf(-0.7), POSITIVE),
    "power(-3)": (lambda z: z**-3, NONZERO),
}
SMOOTH = sorted(REFERENCES)
EVERYTHING = [*SMOOTH, "relu", "leaky_relu", "leaky_relu(-0.5)", "leaky_relu(3)", "abs"]

panels = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-60, 60))


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
            # mpmath's differences must resolve what double precision can hold: e^-700 beside 1.
            with mpmath.workdps(60 if abs(point) < 20 else 340):
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
def test_coefficients_agree_with_mpmath(name):
    points = REFERENCES[name][1]
    exact, scale = exact_coefficients(name, points, ORDER)
    with np.errstate(all="raise", under="ignore"):
        found = np.array(get_activation(name).taylor(np.array(points), ORDER))
    error = np.abs(found - exact)
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


def domain(name: str, z: np.ndarray) -> np.ndarray:
    return z if name not in REFERENCES or REFERENCES[name][1] in (WHOLE_LINE, MODEST) else 0.1 + np.abs(z)


@pytest.mark.parametrize("name", EVERYTHING)
@given(z=panels, order=st.integers(0, 6))
def test_form_of_the_result(name, z, order):
    activation = get_activation(name)
    z = domain(name, z)
    before = z.copy()
    z.flags.writeable = False
    coefficients = activation.taylor(z, order)
    np.testing.assert_array_equal(z, before)
    assert len(coefficients) == order + 1
    assert all(c.shape == z.shape and c.dtype == z.dtype for c in coefficients)
    np.testing.assert_array_equal(coefficients[0], activation(z))
    # The coefficients are fresh arrays: the caller may overwrite any of them.
    arrays = [z, *coefficients]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


@pytest.mark.parametrize("name", EVERYTHING)
@given(z=panels)
def test_lower_orders_are_prefixes(name, z):
    z = domain(name, z)
    full = get_activation(name).taylor(z, 7)
    for order in range(7):
        np.testing.assert_array_equal(get_activation(name).taylor(z, order), full[: order + 1])


@pytest.mark.parametrize("name", EVERYTHING)
@given(z=panels)
def test_declared_parity(name, z):
    activation = get_activation(name)
    z = domain(name, z)
    if activation.odd or activation.even:
        sign = -1.0 if activation.odd else 1.0
        for k, (c, mirrored) in enumerate(
            zip(activation.taylor(z, 5), activation.taylor(-z, 5), strict=True)
        ):
            off_kink = slice(None) if activation.smoothness != "piecewise-linear" else z != 0
            np.testing.assert_allclose(
                mirrored[off_kink], (sign * (-1.0) ** k * c)[off_kink], rtol=1e-12, atol=1e-300
            )


def test_which_functions_have_a_parity():
    odd = {name for name in EVERYTHING if get_activation(name).odd}
    even = {name for name in EVERYTHING if get_activation(name).even}
    assert odd == {"tanh", "erf", "sin", "arctan", "reciprocal", "linear", "power(5)", "power(-3)"}
    assert even == {"cos", "square", "abs", "power(0)", "power(20)"}


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "power(20)"])
@given(z=hnp.arrays(np.float64, 8, elements=st.floats(-30, 30)), h=st.floats(-0.08, 0.08))
def test_coefficients_predict_the_value_nearby(name, z, h):
    # The radius of convergence is at least 1 on these domains: the remainder is of the size of 0.08^13 phi.
    z = domain(name, z) + (1.0 if 0.0 not in REFERENCES[name][1] else 0.0)
    activation = get_activation(name)
    predicted = sum(c * h**k for k, c in enumerate(activation.taylor(z, ORDER)))
    np.testing.assert_allclose(
        predicted, activation(z + h), rtol=1e-11, atol=1e-12 * np.abs(activation(z)).max()
    )


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


@given(panels)
def test_tanh_is_a_shifted_sigmoid(z):
    expected = 2 * rescaled(coefficients("sigmoid", 2 * z), 2.0)
    expected[0] -= 1
    close(coefficients("tanh", z), expected)


@given(panels)
def test_softplus_integrates_sigmoid(z):
    close(derivative(coefficients("softplus", z)), coefficients("sigmoid", z, 7))


@given(panels)
def test_softplus_minus_its_mirror_is_linear(z):
    mirror = rescaled(coefficients("softplus", -z), -1.0)
    close(coefficients("softplus", z) - mirror, coefficients("linear", z))


@given(panels)
def test_silu_is_z_sigmoid(z):
    close(coefficients("silu", z), times_z(coefficients("sigmoid", z), z))


@given(panels)
def test_gelu_is_z_times_the_normal_distribution(z):
    probability = rescaled(coefficients("erf", z / np.sqrt(2)), 1 / np.sqrt(2)) / 2
    probability[0] += 0.5
    close(coefficients("gelu", z), times_z(probability, z))


@given(panels)
def test_sin_and_cos(z):
    sine, cosine = coefficients("sin", z), coefficients("cos", z)
    close(derivative(sine), cosine[:-1])
    close(derivative(cosine), -sine[:-1])


@given(panels)
def test_tanh_solves_its_equation(z):
    series = coefficients("tanh", z)
    expected = -cauchy_product(series, series)
    expected[0] += 1
    close(derivative(series), expected[:-1])


@given(panels)
def test_inverse_functions_of_positive_arguments(z):
    z = 0.3 + np.abs(z)
    close(cauchy_product(coefficients("sqrt", z), coefficients("sqrt", z)), coefficients("linear", z))
    unit = cauchy_product(coefficients("reciprocal", z), coefficients("linear", z))
    np.testing.assert_allclose(unit, coefficients("power(0)", z), atol=1e-15 * 0.3**-8)
    np.testing.assert_allclose(
        derivative(coefficients("log", z)), coefficients("reciprocal", z, 7), rtol=1e-13
    )


# --- conventions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "slopes"),
    [
        ("relu", [0, 0, 3], [0, 0, 1]),
        ("leaky_relu(0.25)", [-0.5, 0, 3], [0.25, 0.25, 1]),
        ("leaky_relu(4)", [-8, 0, 3], [4, 4, 1]),
        ("leaky_relu(-1)", [2, 0, 3], [-1, -1, 1]),
        ("abs", [2, 0, 3], [-1, 0, 1]),
    ],
)
def test_kinks(name, values, slopes):
    value, slope, *higher = get_activation(name).taylor(np.array([-2.0, 0.0, 3.0]), 4)
    np.testing.assert_array_equal(value, values)
    np.testing.assert_array_equal(slope, slopes)
    assert len(higher) == 3 and not np.any(higher)


def test_relu_follows_jax():
    jax = pytest.importorskip("jax")
    z = np.array([-1.0, 0.0, 2.0], dtype=np.float32)
    np.testing.assert_array_equal(jax.vmap(jax.grad(jax.nn.relu))(z), get_activation("relu").taylor(z, 1)[1])
    np.testing.assert_array_equal(
        jax.vmap(jax.grad(abs))(z)[[0, 2]], get_activation("abs").taylor(z, 1)[1][[0, 2]]
    )


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 7, 16, 17, 25])
def test_polynomials_end(exponent):
    series = power(exponent).taylor(np.array([-1.5, 0.0, 2.0]), 30)
    assert not np.any(series[exponent + 1 :])
    np.testing.assert_array_equal(series[exponent], 1.0)
    np.testing.assert_allclose(series[0], np.array([-1.5, 0.0, 2.0]) ** exponent, rtol=1e-14)


def test_fractional_power_at_zero_vanishes_until_it_is_singular():
    with np.errstate(divide="ignore"):
        series = power(2.5).taylor(np.zeros(1), 5)
    assert [float(c[0]) for c in series] == [0, 0, 0, np.inf, -np.inf, np.inf]


def test_shapes_layouts_and_dtypes():
    tanh = get_activation("tanh")
    z = np.linspace(-6, 6, 24).reshape(2, 3, 4)
    reference = np.array(tanh.taylor(z, 3))
    for view in (np.asfortranarray(z), np.repeat(z, 2, axis=1)[:, ::2], z.astype(">f8")):
        np.testing.assert_array_equal(tanh.taylor(view, 3), reference)
    assert [c.shape for c in tanh.taylor(np.array(0.5), 2)] == [(), (), ()]
    assert [c.shape for c in tanh.taylor(np.empty((0, 3)), 4)] == [(0, 3)] * 5
    assert tanh.taylor(np.array([1, 2]), 1)[1].dtype == np.float64


def test_not_a_number_stays_one_and_harms_no_other_entry():
    for name in ("tanh", "sigmoid", "softplus", "gelu", "erf"):
        z = np.array([np.nan, 20.0, 0.5])
        for c, clean in zip(
            get_activation(name).taylor(z, 4), get_activation(name).taylor(z[1:], 4), strict=True
        ):
            assert np.isnan(c[0])
            np.testing.assert_array_equal(c[1:], clean)


def test_calls_with_numbers_give_numbers():
    for argument in (2, 2.0, np.float32(2)):
        assert type(get_activation("square")(argument)) is float
        assert get_activation("square")(argument) == 4.0


# --- names and errors -------------------------------------------------------------------------------------


def test_every_listed_name_is_understood_and_canonical():
    for name in ACTIVATION_NAMES:
        activation = get_activation(name.replace("slope", "0.2").replace("exponent", "3"))
        assert get_activation(activation.name) is activation
        assert get_activation(activation) is activation
        assert repr(activation) == f"Activation({activation.name!r})"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("identity", "linear"),
        ("swish", "silu"),
        ("logistic", "sigmoid"),
        ("atan", "arctan"),
        (" tanh ", "tanh"),
        ("leaky_relu", "leaky_relu(0.01)"),
        ("leaky_relu( 0.20 )", "leaky_relu(0.2)"),
        ("leaky_relu(-0)", "leaky_relu(0)"),
        ("power(1/2)", "power(0.5)"),
        ("power(3.0)", "power(3)"),
        ("power(-1e0)", "power(-1)"),
    ],
)
def test_spellings(spelling, name):
    assert get_activation(spelling).name == name


def test_factories_agree_with_names():
    assert leaky_relu(0.2) is get_activation("leaky_relu(0.2)")
    assert power(3) is get_activation("power(3)")
    assert [power(p).smoothness for p in (0, 1, 2, 0.5, -1)] == [
        "polynomial",
        "linear",
        "polynomial",
        "smooth",
        "smooth",
    ]


def test_activations_survive_pickling():
    for name in ("tanh", "leaky_relu(0.2)", "power(2.5)"):
        copy = pickle.loads(pickle.dumps(get_activation(name)))
        assert copy.name == name and copy(1.5) == get_activation(name)(1.5)


def test_an_activation_of_ones_own():
    doubled = Activation(
        "2z",
        lambda z, order: ([2 * z, np.full_like(z, 2.0)] + [np.zeros_like(z)] * order)[: order + 1],
        "linear",
    )
    assert doubled(1.5) == 3.0
    np.testing.assert_array_equal(doubled(np.array([1.0, 2.0])), [2.0, 4.0])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "tahn",
            r"activation 'tahn' is not known; did you mean 'tanh'\? Known are abs, .*power\(exponent\)\.$",
        ),
        ("Sigmoid", r"did you mean 'sigmoid'\?"),
        ("leakyrelu", r"did you mean 'leaky_relu'\?"),
        ("qqqq", r"activation 'qqqq' is not known; known are abs"),
        ("tanh(", r"activation 'tanh\(' is not known; did you mean 'tanh'\?"),
        ("", r"activation '' is not known; known are"),
        ("relu(0.1)", r"activation 'relu' takes no parameter, got 'relu\(0\.1\)'\."),
        ("power", r"activation 'power' needs its exponent in parentheses, such as power\(3\)\."),
        (
            "power(x)",
            r"activation 'power\(x\)' needs a finite number in its parentheses, such as power\(0.*got 'x'\.",
        ),
        ("leaky_relu()", r"needs a finite number in its parentheses.*got ''\."),
        ("leaky_relu(1/0)", r"needs a finite number"),
        ("power(inf)", r"needs a finite number"),
        ("power(1e999)", r"needs a finite number"),
        (None, r"activation must be a name or an Activation, got None; known are abs, "),
        (np.tanh, r"activation must be a name or an Activation, got <ufunc 'tanh'>"),
    ],
)
def test_unknown_names(value, message):
    with pytest.raises(ActivationError, match=message):
        get_activation(value)


def test_parameters_must_be_finite_numbers():
    with pytest.raises(ActivationError, match=r"slope of leaky_relu must be a finite real number, got nan\."):
        leaky_relu(float("nan"))
    with pytest.raises(ActivationError, match=r"exponent of power must be a finite real number, got '3'\."):
        power("3")


@pytest.mark.parametrize("order", [-1, 1.5, "2", None])
def test_orders_must_be_counts(order):
    with pytest.raises(
        InputError, match=r"order of the Taylor expansion of tanh must be a non-negative integer, got "
    ):
        get_activation("tanh").taylor(np.zeros(2), order)


@pytest.mark.parametrize("z", [np.zeros(2, complex), np.array(["a"]), np.array([None])])
def test_arguments_must_be_real(z):
    with pytest.raises(InputError, match=r"z of gelu must hold real numbers, got an array of dtype "):
        get_activation("gelu").taylor(z, 1)
