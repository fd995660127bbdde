"""Activations: the form of the result, conventions, names and error texts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from randtensor.errors import ActivationError, InputError
from randtensor.programs.activations import ACTIVATION_NAMES, Activation, get_activation, leaky_relu, power

POSITIVE_DOMAIN = ["log", "sqrt", "reciprocal", "power(2.5)", "power(-0.7)", "power(-3)"]
SMOOTH = [
    *(
        "tanh",
        "sigmoid",
        "softplus",
        "silu",
        "erf",
        "gelu",
        "sin",
        "cos",
        "arctan",
        "exp",
        "square",
        "linear",
    ),
    *("power(0)", "power(5)", "power(20)"),
    *POSITIVE_DOMAIN,
]
EVERYTHING = [*SMOOTH, "relu", "leaky_relu", "leaky_relu(-0.5)", "leaky_relu(3)", "abs"]

panels = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-60, 60))


def domain(name: str, z: np.ndarray) -> np.ndarray:
    return 0.1 + np.abs(z) if name in POSITIVE_DOMAIN else z


@pytest.mark.parametrize("name", EVERYTHING)
@settings(deadline=None, max_examples=30)  # the first call may import SciPy
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
@settings(deadline=None, max_examples=30)  # the first call may import SciPy
@given(z=panels)
def test_lower_orders_are_prefixes(name, z):
    z = domain(name, z)
    full = get_activation(name).taylor(z, 7)
    for order in range(7):
        np.testing.assert_array_equal(get_activation(name).taylor(z, order), full[: order + 1])


@pytest.mark.parametrize("name", EVERYTHING)
@settings(deadline=None, max_examples=30)  # the first call may import SciPy
@given(z=panels)
def test_declared_parity(name, z):
    activation = get_activation(name)
    z = domain(name, z)
    if activation.odd or activation.even:
        sign = -1.0 if activation.odd else 1.0
        for k, (c, mirrored) in enumerate(zip(activation.taylor(z, 5), activation.taylor(-z, 5), strict=True)):
            off_kink = slice(None) if activation.smoothness != "piecewise-linear" else z != 0
            np.testing.assert_allclose(mirrored[off_kink], (sign * (-1.0) ** k * c)[off_kink], rtol=1e-12, atol=1e-300)


def test_which_functions_have_a_parity():
    odd = {name for name in EVERYTHING if get_activation(name).odd}
    even = {name for name in EVERYTHING if get_activation(name).even}
    assert odd == {"tanh", "erf", "sin", "arctan", "reciprocal", "linear", "power(5)", "power(-3)"}
    assert even == {"cos", "square", "abs", "power(0)", "power(20)"}


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "power(20)"])
@settings(deadline=None, max_examples=30)  # the first call may import SciPy
@given(z=hnp.arrays(np.float64, 8, elements=st.floats(-8, 8)), h=st.floats(-0.05, 0.05))
def test_coefficients_predict_the_value_nearby(name, z, h):
    # Off the poles and cuts, all farther than 1 away, and with |h z| <= 0.4 for the normal tails, the
    # remainder after order 12 is below the tolerance.
    z = domain(name, z) + (1.0 if name in POSITIVE_DOMAIN else 0.0)
    activation = get_activation(name)
    predicted = sum(c * h**k for k, c in enumerate(activation.taylor(z, 12)))
    np.testing.assert_allclose(predicted, activation(z + h), rtol=1e-11, atol=1e-12 * np.abs(activation(z)).max())


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
        for c, clean in zip(get_activation(name).taylor(z, 4), get_activation(name).taylor(z[1:], 4), strict=True):
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
    with pytest.raises(InputError, match=r"order of the Taylor expansion of tanh must be a non-negative integer, got "):
        get_activation("tanh").taylor(np.zeros(2), order)


@pytest.mark.parametrize("z", [np.zeros(2, complex), np.array(["a"]), np.array([None])])
def test_arguments_must_be_real(z):
    with pytest.raises(InputError, match=r"z of gelu must hold real numbers, got an array of dtype "):
        get_activation("gelu").taylor(z, 1)
