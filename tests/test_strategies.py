"""Hypothesis strategies: what they draw is valid, reaches everything, shrinks to the simplest, and finds real laws."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from math import prod

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st

import randtensor as rt
from randtensor import strategies, tensors
from randtensor.dimensions import evaluate_shape
from randtensor.strategies import FAMILIES
from randtensor.tensors.haar import GROUPS

n, m = rt.Scale("n"), rt.Scale("m")
#: classes of random tensors
KINDS = [
    *(tensors.Gaussian, tensors.IID, tensors.Sparse, tensors.Constant, tensors.Sphere, tensors.Fixed, tensors.Block),
    *(tensors.SymmetricGaussian, tensors.CP, tensors.Identity, tensors.GOE, tensors.GUE, tensors.Wishart, tensors.Haar),
]
# to find an example without making it simpler
reached = settings(max_examples=2000, derandomize=True, phases=[Phase.generate])
# without looking for what else explains an example, which takes longest
shrunk = settings(max_examples=2000, derandomize=True, phases=[Phase.generate, Phase.shrink])
few = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def sizes_of(quantity, size=3):
    return dict.fromkeys(quantity.scale_names, size)


def mean(contraction):
    """The exact mean; contractions that no rule covers, or that are too large, are no example of a law about it."""
    try:
        return contraction.expectation()
    except rt.ExactError:
        assume(False)


# --- what is drawn ------------------------------------------------------------------------------------------------


def known(find_it):
    """What is known exactly, or None with an error that says what is not."""
    try:
        return find_it()
    except rt.ExactError as error:
        assert re.search("no known|expected|no exact|infinite", str(error))
        return None


@pytest.mark.parametrize("family", FAMILIES)
def test_tensors_of_every_family_have_samples_norms_and_moments(family):
    @settings(few, max_examples=5)
    @given(strategies.random_tensors(families=[family]), strategies.seeds())
    def check(tensor, seed):
        sizes = sizes_of(tensor)
        sample = tensor.sample(sizes, size=2, rng=seed)
        assert sample.shape == (2, *evaluate_shape(tensor.dimensions, sizes))
        assert np.isfinite(sample).all() and tensor.is_complex == np.iscomplexobj(sample)
        for norm in ("injective_order", "nuclear_order", "entry_order"):
            assert isinstance(known(lambda norm=norm: getattr(tensor, norm)), rt.Order | None)
        letters = "abc"[: tensor.ndim]
        square = known(rt.einsum(f"{letters},{letters}->", tensor, tensor.conj()).expectation)
        length = known(lambda: tensor.frobenius_order)
        # Frobenius norms concentrate: their growth is that of the mean square
        assert square is None or length is None or square.order == length**2

    check()


@few
@given(strategies.equations(max_outputs=2), strategies.seeds())
def test_samples_of_contractions_have_the_shape_of_the_output(found, seed):
    equation, operands = found
    contraction = rt.einsum(equation, *operands)
    sizes = sizes_of(contraction)
    shape = evaluate_shape(contraction.dimensions, sizes)
    assert contraction.ndim == len(equation.partition("->")[2])
    assert contraction.sample(sizes, size=2, rng=seed).shape == (2, *shape)


@few
@given(st.data())
def test_networks_take_the_inputs_of_their_shape(data):
    shape = data.draw(st.sampled_from([(3,), (4, 2), (3, 3, 1)]))
    network, x = data.draw(strategies.networks(shape)), data.draw(strategies.inputs(shape, max_magnitude=2))
    assert np.isfinite(network(x).sample(4, size=2, rng=data.draw(strategies.seeds()))).all()


@pytest.mark.parametrize(
    ("strategy", "condition"),
    [
        (strategies.orders(), lambda order: rt.log(n) in order.terms),
        (strategies.bounds(), lambda bound: bound.kind == "Omega" and bound.order == 0),
        (strategies.expansions(remainders=True), lambda expansion: expansion.remainder is not None),
        (strategies.equations(), lambda found: found[0].count(",") == 3),
        (strategies.equations(), lambda found: "aa" in found[0]),
        (strategies.equations(), lambda found: len(found[1]) == 2 and len(set(found[1])) == 1),
        (strategies.equations(max_operands=2), lambda found: any(operand.is_complex for operand in found[1])),
        (strategies.networks(), lambda network: network.name == "resnet"),
        (strategies.derivative_tensors(), lambda derivative: derivative.derivative_order == 2),
        *((strategies.random_tensors((2, 2)), lambda t, kind=kind: isinstance(t, kind)) for kind in KINDS),
        *((strategies.random_tensors((2, 2)), lambda t, group=group: repr(group) in str(t)) for group in GROUPS[1:]),
    ],
    ids=[
        *("log", "bound", "remainder", "four operands", "trace", "equal operands", "complex", "resnet", "curvature"),
        *(kind.__name__ for kind in KINDS),
        *GROUPS[1:],
    ],
)
def test_everything_specified_is_reached(strategy, condition):
    assert condition(find(strategy, condition, settings=reached))


# --- what failing examples look like ------------------------------------------------------------------------------

SHRUNK = [
    ("scale", strategies.scales(), lambda _: True, "n"),
    ("order", strategies.orders(), lambda order: order > rt.Order(1), "n"),
    ("bound", strategies.bounds(), lambda bound: bound.order != 0, "O(1)"),
    ("expansion", strategies.expansions(), lambda expansion: expansion != 0, "1"),
    *(
        (name, strategies.random_tensors(), condition, simplest)
        for name, condition, simplest in [
            ("tensor", lambda _: True, "gaussian(n,)"),
            ("matrix", lambda tensor: tensor.ndim == 2, "gaussian(n, n)"),
            ("rectangle", lambda tensor: len(set(map(str, tensor.dimensions))) > 1, "gaussian(n, m)"),
            ("third order", lambda tensor: tensor.ndim == 3, "gaussian(n, n, n)"),
            ("number", lambda tensor: not tensor.scale_names, "gaussian(2,)"),
            ("std", lambda tensor: "std=n" in str(tensor), "gaussian(n, std=n^{-1/2})"),
            ("complex", lambda tensor: tensor.is_complex, "complex_gaussian(n,)"),
            ("unitary", lambda tensor: "unitary" in str(tensor), "haar(n, 'unitary')"),
            ("low rank", lambda tensor: isinstance(tensor, tensors.CP), "cp(n, n, rank=1)"),
            ("spike", lambda tensor: "outer" in str(tensor), "(gaussian(n,) + 1*outer(sphere(n,)))"),
            ("block", lambda tensor: "block" in str(tensor), "block(gaussian(1,), iid(rademacher, 1))"),
        ]
    ),
    ("shape", strategies.random_tensors((n, n)), lambda tensor: tensor.is_complex, "complex_gaussian(n, n)"),
    ("scalar", strategies.random_tensors(()), lambda _: True, "gaussian()"),
    ("activation", strategies.activations(), lambda phi: not phi.odd, "Activation('relu')"),
    ("network", strategies.networks(), lambda _: True, "<RandomFunction mlp over W1, v>"),
    ("derivative", strategies.derivative_tensors(), lambda d: d.derivative_order > 0, "derivative of order 1 of mlp"),
    ("equation", strategies.equations(), lambda _: True, "('aa->', (gaussian(n, n),))"),
    ("operands", strategies.equations(), lambda found: len(found[1]) > 1, "('a,a->', (gaussian(n,), gaussian(n,)))"),
    ("input", strategies.inputs((2,), zero=False), lambda _: True, "[0.    0.125]"),
    ("seed", strategies.seeds(), lambda _: True, "0"),
]


@pytest.mark.parametrize(("strategy", "condition", "simplest"), [r[1:] for r in SHRUNK], ids=[r[0] for r in SHRUNK])
def test_examples_shrink_to_the_simplest(strategy, condition, simplest):
    assert str(find(strategy, condition, settings=shrunk)) == simplest


def test_given_arrays_shrink_to_zeros_and_covariances_to_the_identity():
    arrays = strategies.random_tensors((2, 2), families=["fixed"])
    assert find(arrays, lambda tensor: tensor.entries.sum() > 1, settings=shrunk).entries.tolist() == [[0, 0], [0, 1.5]]
    correlated = strategies.random_tensors(families=["correlated"])
    assert find(correlated, lambda _: True, settings=shrunk).covariance[0].tolist() == [[1, 0], [0, 1]]


# --- laws -----------------------------------------------------------------------------------------------------------


@few
@given(strategies.equations(), st.randoms(use_true_random=False))
def test_exact_expectations_do_not_depend_on_names_of_indices_or_the_order_of_operands(found, random):
    equation, operands = found
    value = mean(rt.einsum(equation, *operands))
    letters = sorted(set(re.findall("[a-z]", equation)))
    renamed = dict(zip(letters, random.sample("abcdefghijklmnopqrstuvwxyz", len(letters)), strict=True))
    terms = ["".join(renamed[letter] for letter in term) for term in equation.removesuffix("->").split(",")]
    order = random.sample(range(len(operands)), len(operands))
    other = rt.einsum(",".join(terms[i] for i in order) + "->", *(operands[i] for i in order))
    assert mean(other) == value


@few
@given(strategies.equations(max_operands=3))
def test_independent_factors_multiply(found):
    equation, operands = found
    fresh = rt.gaussian(n)
    both = rt.einsum(f"{equation.removesuffix('->')},Z,Z->", *operands, fresh, fresh)
    assert mean(both) == mean(rt.einsum(equation, *operands)) * rt.Expansion.of(n)


@few
@given(strategies.equations(dimensions=[2], families=["rademacher", "constant", "identity"], max_operands=3))
def test_exact_expectations_are_means_over_all_sign_patterns(found):
    equation, operands = found
    random = [tensor for tensor in dict.fromkeys(operands) if tensor.ndim and str(tensor).startswith("iid")]
    entries = sum(prod(tensor.shape) for tensor in random)
    assume(entries <= 10)
    total = 0.0
    for pattern in np.ndindex(*[2] * entries):
        signs, arrays = 1.0 - 2.0 * np.array(pattern), {}
        for tensor in random:
            arrays[tensor], signs = signs[: prod(tensor.shape)].reshape(tensor.shape), signs[prod(tensor.shape) :]
        total += np.einsum(equation, *[arrays[t] if t in arrays else t.sample(rng=0)[0] for t in operands])
    assert mean(rt.einsum(equation, *operands)).exact({}) == total / 2**entries


@few
@given(strategies.networks((3,), activations=["linear", "relu", "leaky_relu(0.2)"]), strategies.inputs((3,)), st.data())
def test_networks_with_homogeneous_activations_are_homogeneous(network, x, data):
    seed, factor = data.draw(strategies.seeds()), data.draw(st.sampled_from([0.5, 2.0, 8.0]))
    # one function at one draw: the graph does not depend on the input's values, only its shape
    stretched, plain = network(factor * x), network(x)
    difference = (stretched - factor * plain).sample(8, size=4, rng=seed)
    assert np.abs(difference).max() <= 1e-9 * (1 + np.abs(plain.sample(8, size=4, rng=seed)).max())


# --- types and errors -----------------------------------------------------------------------------------------------


TYPES = [rt.Scale, rt.Order, rt.Term, rt.Bound, rt.Expansion, rt.RandomTensor, rt.DenseTensor, rt.Quantity]
TYPES += [rt.Activation, rt.RandomFunction, rt.DerivativeTensor]


@pytest.mark.parametrize("kind", [*TYPES, *KINDS], ids=lambda kind: kind.__name__)
def test_hypothesis_knows_the_types(kind):
    assert isinstance(find(st.from_type(kind), lambda _: True, settings=reached), kind)


def test_every_public_type_is_known():
    public = {getattr(rt, name) for name in rt.__all__}
    assert {kind for kind in public if isinstance(kind, type) and not issubclass(kind, Exception)} == set(TYPES)
    families = {kind for kind in vars(tensors).values() if isinstance(kind, type)} - set(TYPES)
    assert families == {*KINDS, tensors.Elementwise}


@given(...)
def test_strategies_are_found_by_annotations(order: rt.Order, tensor: rt.RandomTensor):
    assert isinstance(order, rt.Order) and isinstance(tensor, rt.RandomTensor)


def test_every_constructor_has_a_family():
    constructors = set(tensors.__all__) - {kind.__name__ for kind in vars(tensors).values() if isinstance(kind, type)}
    made = {str(find(strategies.random_tensors(families=[f]), lambda _: True, settings=reached)) for f in FAMILIES}
    names = {re.match(r"\(?(\w+)", text)[1] for text in made}
    shown = {"sparse": "sparse", "ginibre": "gaussian", "spiked": "gaussian"}
    assert {shown.get(name, name) for name in constructors} <= names


def test_types_are_known_without_importing_the_strategies():
    """The entry point at work, also when Hypothesis is first imported by the strategies themselves."""
    code = (
        "import sys; {}; from hypothesis import find, strategies as st; import randtensor as rt; "
        "print(find(st.from_type(rt.Order), lambda order: order > rt.Order(1)))"
    )
    for first in ("import hypothesis", "import randtensor.strategies"):
        run = subprocess.run([sys.executable, "-c", code.format(first)], capture_output=True, text=True, check=True)
        assert run.stdout == "n\n"


def loaded(code, **environment):
    """Names of the modules that a fresh interpreter has loaded after some code, but for those within Hypothesis."""
    code = f"import sys; {code}; print(*sys.modules)"
    environment = {**os.environ, **environment}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return {name for name in run.stdout.split() if not name.startswith("hypothesis.")}


def test_neither_package_waits_for_the_other():
    """With the types at hand, importing Hypothesis loads one small module, and the package never loads Hypothesis."""
    assert "hypothesis" not in loaded("import randtensor")
    both = "import randtensor, hypothesis"
    assert loaded(both) - loaded(both, HYPOTHESIS_NO_PLUGINS="1") == {"randtensor.hypothesis_entry"}


def test_the_package_works_without_hypothesis():
    code = "import sys; sys.modules['hypothesis'] = None; import randtensor, estimators, theory_checks"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: strategies.orders(n), r"over is .*, expected a list of at least one scale"),
        (lambda: strategies.orders(["n"]), r"over is \['n'\], expected a list of at least one scale"),
        (lambda: strategies.orders(max_terms=0), "max_terms is 0, expected a positive integer"),
        (lambda: strategies.bounds(kinds=["Big"]), "kinds names 'Big', expected names out of O, o, Theta, Omega"),
        (lambda: strategies.random_tensors(families="goe"), "families is 'goe', expected a list of names"),
        (lambda: strategies.random_tensors(families=["cauchy"]), "families names 'cauchy', expected names out of gau"),
        (lambda: strategies.random_tensors((2, 3), families=["goe"]), r"expected one that allows the shape \(2, 3\)"),
        (lambda: strategies.random_tensors(families=["goe"], max_ndim=1), "expected one that allows 1 to 1 indices of"),
        (
            lambda: strategies.random_tensors(families=["gue"], complex_entries=False),
            "expected a real one, since compl",
        ),
        (lambda: strategies.random_tensors(min_ndim=3, max_ndim=2), "min_ndim is 3, expected at most max_ndim, which"),
        (lambda: strategies.random_tensors(3), "shape is 3, expected a list of sizes"),
        (lambda: strategies.random_tensors(dimensions=[]), r"dimensions is \[\], expected a list of sizes"),
        (lambda: strategies.random_tensors((n,), families=["fixed", "goe"]), "expected one that allows the shape"),
        (lambda: strategies.equations(dimensions="nm"), "dimensions is 'nm', expected a list of sizes"),
        (lambda: strategies.equations(families=["fixed"]), "expected one among them that allows any shape"),
        (lambda: strategies.equations(max_operands=99), "max_operands is 99 with up to 3 indices each, expected at mo"),
        (lambda: strategies.activations(["swoosh"]), "activation 'swoosh' is not known"),
        (lambda: strategies.derivative_tensors(max_order=-1), "max_order is -1, expected a positive integer"),
        (lambda: strategies.random_tensors((0,)), "the size is 0, expected a positive integer"),
        (lambda: strategies.equations(families=["goe"]), "expected one among them that allows any shape"),
        (lambda: strategies.inputs(3), "shape is 3, expected the sizes of one to three axes"),
        (lambda: strategies.networks((2, 2, 2, 2)), r"shape is \(2, 2, 2, 2\), expected the sizes of one to three"),
        (lambda: strategies.networks(activations=[]), r"activations is \[\], expected a list of names"),
        (lambda: strategies.networks(parametrizations=["lazy"]), "parametrizations names 'lazy', expected names out"),
    ],
)
def test_errors(make, message):
    with pytest.raises(rt.RandtensorError, match=message):
        make()
