"""Tracing of forward code, evaluation at given arrays, and gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor import strategies

n, m = rt.Scale("n"), rt.Scale("m")
RNG = np.random.default_rng(31)
WIDTH = 5


def value(function: rt.RandomFunction, x) -> np.ndarray:
    return function(x).sample(rng=0)[0]


class Names(dict):
    """Arrays by attribute, so that one forward function runs on symbols and on plain NumPy."""

    __getattr__ = dict.__getitem__


SHAPES = {"U": (WIDTH, 3), "W": (WIDTH, WIDTH), "K": (2, WIDTH, WIDTH), "C": (3, WIDTH), "b": (WIDTH,), "s": ()}


def everything(p, x):
    """Uses every operation; runs on symbols and on arrays."""
    rows = p.U @ x[0] + 0.5 * (p.U @ x[1]) - p.b / 2
    first = rt.softplus(rows) * p.s + 1.5
    second = rt.gelu(p.W @ first / WIDTH**0.5) - rt.sigmoid(first @ p.W / WIDTH)
    third = rt.erf(p.K[0] @ second) + rt.arctan(p.K[-1].T @ (second / 3.0)) ** 2
    ratio = (2.0 - third) / (3.0 + rt.square(first)) + 1 / (2 + rt.cos(third))
    energy = first @ third / WIDTH + rt.sqrt(4.0 + rt.sin(rt.mean(second)))
    picked = sum((p.C[k] @ ratio) * x[k % 2][k] for k in range(3))
    constant = ratio * np.linspace(-1.0, 1.0, WIDTH) + rt.tanh(p.b) @ np.ones(WIDTH)
    total = rt.sum(constant) + rt.mean([energy, picked, p.s]) * energy**-1.0
    leaky = rt.sum(rt.leaky_relu(ratio, 0.2) + rt.relu(third) - rt.abs(second) + rt.silu(-second))
    exponential = rt.log(2.0 + rt.exp(energy / 5.0)) - (-p.s) * rt.sum(x) + p.s**3
    return [total, leaky, exponential, rt.sum([energy, picked])]


ARRAYS = {name: RNG.standard_normal(shape) for name, shape in SHAPES.items()}
X = RNG.standard_normal((2, 3))
EVERYTHING = rt.program(**{name: rt.gaussian(*shape) for name, shape in SHAPES.items()})(everything)


def test_forward_code_on_arrays_is_its_own_reference():
    np.testing.assert_allclose(value(EVERYTHING.at(**ARRAYS), X), np.array(everything(Names(ARRAYS), X)), rtol=1e-12)


def test_gradients_are_finite_differences():
    """Central differences of step 1e-5 of a function of order one are right to about 1e-9."""
    directions = {name: RNG.standard_normal(shape) for name, shape in SHAPES.items()}

    def linear(p, x):
        """Its gradient is the vector of directions."""
        result = p.s * float(directions["s"]) + p.b @ directions["b"]
        result = result + rt.sum([p.C[k] @ directions["C"][k] for k in range(3)])
        for matrix, delta in (
            (p.U, directions["U"]),
            (p.W, directions["W"]),
            (p.K[0], directions["K"][0]),
            (p.K[1], directions["K"][1]),
        ):
            columns = np.eye(delta.shape[1])
            result = result + rt.sum([(matrix @ columns[k]) @ delta[:, k] for k in range(len(columns))])
        return result

    function = EVERYTHING.at(**ARRAYS)
    direction = rt.RandomFunction(linear, function.space).derivative(X)
    step = 1e-5
    moved = [{k: v + sign * step * directions[k] for k, v in ARRAYS.items()} for sign in (1, -1)]
    first, second = (np.array(everything(Names(arrays), X)) for arrays in moved)
    derivative = rt.einsum("pa,a->p", function.derivative(X), direction).sample()[0]
    np.testing.assert_allclose(derivative, (first - second) / (2 * step), rtol=1e-6, atol=1e-8)
    norm_square = sum((d**2).sum() for d in directions.values())
    np.testing.assert_allclose(rt.einsum("a,a->", direction, direction).sample()[0], norm_square, rtol=1e-12)


def test_sizes_are_read_off_the_arrays():
    @rt.program(a=rt.gaussian(2 * n), b=rt.gaussian(n, 2), d=rt.gaussian(m**2))
    def f(p, x):
        return rt.sum(p.a) * n + rt.mean(p.d) * m**0.5 + rt.sum(p.b @ rt.tanh(x))

    arrays = {"a": np.ones(6), "b": np.ones((3, 2)), "d": np.full(4, 2.0)}
    given_arrays = f.at(**arrays)
    assert given_arrays.space.sizes == {"n": 3, "m": 2}
    np.testing.assert_allclose(value(given_arrays, [0.5, 0.5]), 6 * 3 + 2 * 2**0.5 + 6 * np.tanh(0.5))
    for name, wrong in (("a", np.ones(5)), ("a", np.ones(8)), ("d", np.ones(5))):
        with pytest.raises(rt.ShapeError):
            f.at(**{**arrays, name: wrong})


def test_sized_constants_follow_the_scales():
    @rt.program(v=rt.gaussian(n), W=rt.gaussian(2 * n, n))
    def f(p, x):
        return rt.mean(p.W @ p.v) * n**0.5 + rt.sum(p.v) / (2 * n) + n - 1 / n

    v, W = RNG.standard_normal(3), RNG.standard_normal((6, 3))
    expected = (W @ v).mean() * 3**0.5 + v.sum() / 6 + 3 - 1 / 3
    np.testing.assert_allclose(value(f.at(v=v, W=W), 0.0), expected)
    assert f([0.0]).sample(7, size=3, rng=0).shape == (3,)


def test_products_of_scales_are_checked_once_both_are_known():
    @rt.program(c=rt.gaussian(n * m), a=rt.gaussian(n), b=rt.gaussian(m))
    def f(p, x):
        return rt.sum(p.c) + rt.sum(p.a) * rt.sum(p.b)

    arrays = {"c": np.arange(6.0), "a": np.ones(2), "b": np.ones(3)}
    assert value(f.at(**arrays), 0.0) == 21.0
    with pytest.raises(rt.ShapeError, match=r"parameter 'c' has shape \(7,\)"):
        f.at(**{**arrays, "c": np.ones(7)})


def test_weight_sharing_adds_up():
    """A matrix used twice has the sum of both gradients; uses of one slice are told from uses of another."""

    @rt.program(W=rt.gaussian(2, n, n))
    def f(p, x):
        h = rt.tanh(p.W[0] @ x)
        return rt.sum(p.W[0] @ h + p.W[1] @ h)

    W, x = RNG.standard_normal((2, 3, 3)), RNG.standard_normal(3)
    h = np.tanh(W[0] @ x)
    back = (W[0] + W[1]).T @ np.ones(3) * (1 - h**2)
    gradient = np.stack([np.outer(np.ones(3), h) + np.outer(back, x), np.outer(np.ones(3), h)])
    g = f.at(W=W).derivative(x)
    np.testing.assert_allclose(rt.einsum("a,a->", g, g).sample()[0], (gradient**2).sum(), rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-4, 3), min_size=1, max_size=6), strategies.seeds())
def test_take_and_its_gradient(indices, seed):
    rng = np.random.default_rng(seed)
    weights, x = rng.standard_normal(len(indices)), rng.standard_normal(2)

    @rt.program(W=rt.gaussian(4, 2))
    def f(p, x):
        return rt.tanh(p.W @ x)[indices] @ weights

    W = rng.standard_normal((4, 2))
    h = np.tanh(W @ x)
    adjoint = np.zeros(4)
    np.add.at(adjoint, np.array(indices), weights)
    adjoint /= np.cosh(W @ x) ** 2  # 1 - h**2 would lose its digits where tanh saturates
    function = f.at(W=W)
    np.testing.assert_allclose(value(function, x), h[indices] @ weights, rtol=1e-12)
    g = function.derivative(x)
    np.testing.assert_allclose(rt.einsum("a,a->", g, g).sample()[0], (np.outer(adjoint, x) ** 2).sum(), rtol=1e-10)


def test_outputs_are_scalars_vectors_or_lists():
    @rt.program(W=rt.gaussian(3, n), s=rt.gaussian())
    def f(p, x):
        h = p.W[1] @ rt.tanh(p.W[2]) / n
        return {3: p.s, 1: [h, p.s, h], 2: [p.s * 2]}[x.shape[0]]

    assert f(np.ones(3)).sample(8, size=4, rng=0).shape == (4,)
    assert f(np.ones(1)).sample(8, size=4, rng=0).shape == (4, 3)
    assert f(np.ones(2)).sample(8, size=4, rng=0).shape == (4, 1)
    assert f.outputs((1,)) == 3
    samples = f(np.ones(1)).sample(8, size=2, rng=0)
    assert np.array_equal(samples[:, 0], samples[:, 2])


def test_iteration_and_slices_of_inputs_and_parameters():
    @rt.program(W=rt.gaussian(2, 3, n))
    def f(p, x):
        total = 0.0
        for block, row in zip(p.W, x, strict=True):
            for vector, entry in zip(block, row, strict=True):
                total = rt.sum(vector) * entry + total
        return total + rt.sum(x[::-1][0]) + rt.sum(p.W[0, 1])

    W, x = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 3))
    expected = np.einsum("ijk,ij->", W, x) + x[1].sum() + W[0, 1].sum()
    np.testing.assert_allclose(value(f.at(W=W), x), expected, rtol=1e-12)


def test_composition_keeps_the_parameters():
    f = rt.networks.two_layer(inputs=2, width=n, outputs=3)
    squared = f.then(lambda y: rt.sum(rt.square(y)), name="energy")
    assert squared.space is f.space and squared.name == "energy(mlp)"
    x = [0.3, -0.7]
    joint = squared(x).contraction() - rt.einsum("p,p->", f(x), f(x))
    np.testing.assert_allclose(joint.sample(64, size=3, rng=0), 0.0, atol=1e-12)
    assert repr(squared.derivative(x, 2)) == "derivative of order 2 of energy(mlp)"


def test_functions_without_parameters_have_no_gradient():
    @rt.program(v=rt.gaussian(2))
    def f(p, x):
        return [rt.sum(x), p.v @ x]

    g = f.derivative([1.0, 2.0])
    np.testing.assert_allclose(rt.einsum("pa,qa->pq", g, g).sample()[0], [[0.0, 0.0], [0.0, 5.0]])
    assert rt.einsum("pab,pa,qb->", f.derivative([1.0, 2.0], 2), g, g).sample()[0] == 0.0


def test_random_families_as_parameters():
    from scipy.stats import expon

    @rt.program(A=rt.goe(n), Q=rt.haar(n), E=rt.iid(expon(loc=-1), n), F=rt.fixed([[1.0, 2.0]]), I=rt.identity(n))
    def f(p, x):
        h = p.Q @ (p.I @ p.E)
        return [h @ h - p.E @ p.E, h @ (p.A @ p.E) - p.E @ (p.A @ h), p.F @ x @ np.ones(1) - 3.0]

    np.testing.assert_allclose(f([1.0, 1.0]).sample(40, size=3, rng=0), 0.0, atol=1e-10)


# Errors

BAD_PROGRAMS = {
    "matrix as value": (lambda p, x: rt.sum(p.W), "parameter 'W' of shape .* was used as a value: a matrix can only"),
    "matrix plus vector": (lambda p, x: p.W + p.b, "parameter 'W' of shape .* was used as a value"),
    "wrong length": (
        lambda p, x: rt.sum(p.W @ x),
        r"W @ h with shapes \(n, n\) and \(3,\): expected a vector of length n",
    ),
    "matrix times number": (lambda p, x: rt.sum(p.W @ 2.0), r"W @ h with shapes \(n, n\) and \(\)"),
    "vectors": (lambda p, x: p.b @ x, r"values of shapes \(n,\) and \(3,\) do not fit together"),
    "sum of vectors": (lambda p, x: rt.sum(p.b + x), r"values of shapes \(n,\) and \(3,\) do not fit together"),
    "inner product of numbers": (lambda p, x: p.s @ x, r"@ between shapes \(\) and \(3,\): expected two vectors"),
    "index of parameter": (lambda p, x: rt.sum(p.K[2]), "index 2 of parameter 'K': expected an integer below 2"),
    "slice of parameter": (lambda p, x: rt.sum(p.K[0:1]), r"index slice\(0, 1, None\) of parameter 'K'"),
    "index of width": (lambda p, x: p.b[0], r"parameter 'b' of shape \(n,\) was indexed: only a first axis of fixed"),
    "index of value": (lambda p, x: rt.tanh(p.b)[0], r"a value of shape \(n,\) was indexed"),
    "index of input": (lambda p, x: x[3], "index 3 does not fit a first axis of size 3"),
    "transposed vector": (lambda p, x: p.b.T @ p.b, r"parameter 'b' of shape \(n,\) was transposed, expected a matrix"),
    "unknown parameter": (lambda p, x: p.V @ x, "parameter 'V' is not one of this program's: W, K, b, s"),
    "power": (lambda p, x: rt.sum(p.b**n), "the power is .*, expected a number"),
    "vector of the width": (
        lambda p, x: p.b,
        r"the program returned shape \(n,\), expected a scalar or a vector of fixed",
    ),
    "list of vectors": (lambda p, x: [p.b, p.b], "the program returned a list, expected its entries to be scalars"),
    "empty list": (lambda p, x: [], "the program returned a list, expected its entries to be scalars"),
    "number": (lambda p, x: 3.0, "the program returned float, expected a value computed from p and x"),
    "matrix of inputs": (lambda p, x: x * p.K, "parameter 'K' of shape .* and a stack of arrays must be indexed first"),
}


@pytest.mark.parametrize("name", BAD_PROGRAMS)
def test_what_cannot_be_traced_is_named(name):
    function, message = BAD_PROGRAMS[name]
    f = rt.program(W=rt.gaussian(n, n), K=rt.gaussian(2, 3, n), b=rt.gaussian(n), s=rt.gaussian())(function)
    with pytest.raises(rt.ShapeError, match=message):
        f.derivative(np.ones(3))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda p, x: p.v @ x / 0, rt.InputError, "the divisor is 0, expected a number other than zero"),
        (lambda p, x: p.v @ x * np.inf, rt.InputError, "the factor is inf, expected a finite number"),
        (lambda p, x: p.v @ x + float("nan"), rt.InputError, "the factor is nan, expected a finite number"),
        (lambda p, x: p.v @ np.array([1.0, np.nan]), rt.InputError, "a constant has 1 NaN or infinite entries"),
        (lambda p, x: p.v @ x + "two", rt.InputError, "a constant is 'two', expected numbers"),
        (lambda p, x: rt.sum(rt.apply("tanhh", p.v)), rt.ActivationError, "'tanhh' is not known; did you mean 'tanh'"),
        (lambda p, x: p.v[0] + rt.sum(p.v), rt.ShapeError, "'v' is used both whole and by slices"),
    ],
)
def test_numbers_and_activations_are_checked(function, error, message):
    f = rt.program(v=rt.gaussian(2))(function)
    with pytest.raises(error, match=message):
        f.derivative([1.0, 2.0])


@pytest.mark.parametrize("size", ["n", 0, -1, 2.5, None, float("nan"), True, 1 / n, -2 * n])
def test_a_shape_is_made_of_sizes(size):
    with pytest.raises(rt.ShapeError, match=r"gaussian: the size is .*, expected"):
        rt.gaussian(4, size)


def test_inputs_and_orders_are_checked():
    f = rt.networks.two_layer(inputs=2, width=n)
    with pytest.raises(rt.InputError, match="x has 1 NaN or infinite entries, expected finite numbers"):
        f([1.0, np.inf])
    with pytest.raises(rt.InputError, match="x is 'one', expected an array of numbers"):
        f.derivative("one")
    with pytest.raises(rt.InputError, match="order is -1, expected a non-negative integer"):
        f.derivative([1.0, 1.0], order=-1)
    with pytest.raises(rt.InputError, match=r"order is 1\.5"):
        f.derivative([1.0, 1.0], order=1.5)
    with pytest.raises(rt.ShapeError, match=r"W1 @ h with shapes \(n, 2\) and \(3,\)"):
        f([1.0, 1.0, 1.0])
    with pytest.raises(rt.ShapeError, match="parameter 'v' is 3, expected a random tensor such as"):
        rt.program(v=3)(lambda p, x: p.v)
    with pytest.raises(rt.ShapeError, match="expected a family with independent slices"):
        rt.program(Q=rt.haar(3))(lambda p, x: p.Q[0] @ x)([1.0, 1.0, 1.0]).sample()
    with pytest.raises(rt.InputError, match="law is 'unheard', expected a SciPy distribution"):
        rt.iid("unheard", n)
    with pytest.raises(rt.ShapeError, match="std is -1, expected a non-negative number"):
        rt.gaussian(n, std=-1)
    with pytest.raises(rt.InputError, match="entries holds NaN or infinite values"):
        rt.fixed([1.0, np.nan])


def test_given_arrays_are_checked():
    f = rt.networks.mlp(inputs=3, width=n, hidden_layers=2)
    good = {"W1": np.ones((4, 3)), "W2": np.ones((4, 4)), "v": np.ones(4)}
    with pytest.raises(rt.ShapeError, match="'W2' is missing or unknown among the given arrays, expected W1, W2, v"):
        f.at(W1=good["W1"], v=good["v"])
    with pytest.raises(rt.ShapeError, match="'u' is missing or unknown"):
        f.at(**good, u=1.0)
    with pytest.raises(rt.ShapeError, match=r"parameter 'W2' has shape \(4, 5\), expected \(n, n\) at {'n': 4}"):
        f.at(**{**good, "W2": np.ones((4, 5))})
    with pytest.raises(rt.ShapeError, match=r"parameter 'W1' has shape \(4, 2\), expected \(n, 3\)"):
        f.at(**{**good, "W1": np.ones((4, 2))})
    with pytest.raises(rt.ShapeError, match=r"parameter 'v' has shape \(4, 1\), expected \(n,\)"):
        f.at(**{**good, "v": np.ones((4, 1))})
    with pytest.raises(rt.InputError, match="entries is 'ones', expected an array of numbers"):
        f.at(**{**good, "v": "ones"})


def test_sizes_of_a_sample_are_checked():
    f = rt.networks.mlp(inputs=2, width=[n, m], hidden_layers=2)
    with pytest.raises(rt.ShapeError, match=r"several scales \(m, n\): give a size for each as a mapping"):
        f([1.0, 1.0]).sample(8)
    with pytest.raises(rt.ShapeError, match="expected a size for the scale 'm'"):
        f([1.0, 1.0]).sample({n: 8})
    with pytest.raises(rt.ShapeError, match="n is 0 for the scale 'm', expected a positive integer"):
        f([1.0, 1.0]).sample({n: 8, "m": 0})
    assert f([1.0, 1.0]).sample({n: 8, "m": 5}, rng=0).shape == (1,)
    with pytest.raises(rt.InputError, match="size is 0, expected a positive integer number of samples"):
        f([1.0, 1.0]).sample({n: 8, m: 4}, size=0)
    half = rt.einsum("a,a->", *[rt.gaussian(n / 2)] * 2)
    with pytest.raises(rt.ShapeError, match=r"is 3\.5 at n = 7, expected a positive whole number"):
        half.sample(7)
