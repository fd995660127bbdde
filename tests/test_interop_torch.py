"""Modules of PyTorch: whose parameters the samples are, and what is refused, in one sentence each."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from interop_cases import CASES

import estimators
import randtensor as rt
import theory_checks
from estimators.spectrum import FunctionModel

torch = pytest.importorskip("torch")
nn = torch.nn
random_function = pytest.importorskip("randtensor.interop.torch").random_function

X = [[1.0, 0.0], [0.6, 0.8]]


def mlp(n):
    return nn.Sequential(nn.Linear(2, n), nn.Tanh(), nn.Linear(n, 1))


class Model(nn.Module):
    """A two-layer network whose forward pass is given."""

    def __init__(self, n, forward):
        super().__init__()
        self.first, self.last, self._forward = nn.Linear(2, n), nn.Linear(n, 1), forward

    def forward(self, x):
        return self._forward(self, x)


def with_forward(forward):
    return lambda n: Model(n, forward)


def test_samples_are_the_modules_own_initialisation():
    f = random_function(mlp)
    samples = f(X[1]).sample(8, size=3, rng=0)

    class Spy(rt.Quantity):
        scale_names, shape, fingerprint = ("n",), (3,), f(X[1]).fingerprint

        def block_length(self, sizes):
            return f.block_length(sizes)

        def evaluate(self, draw):
            seeds = draw.generator.integers(2**32, size=(draw.batch, 2), dtype=np.uint32)
            modules = [f.module(8, seed=tuple(map(int, seed))).double() for seed in seeds]
            with torch.no_grad():
                return np.stack([[m(torch.tensor([X[1]], dtype=torch.float64)).item()] * 3 for m in modules])

    np.testing.assert_allclose(Spy().sample(8, size=3, rng=0)[:, 0], samples, rtol=1e-14)


def test_the_generator_of_the_user_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    random_function(mlp)(X[0]).sample(8, size=3, rng=0)
    assert (torch.rand(3) == expected).all()


def test_tied_weights_are_one_parameter():
    def tied(n):
        module = nn.Sequential(
            nn.Linear(2, n, bias=False), nn.Linear(n, n), nn.Tanh(), nn.Linear(n, n), nn.Linear(n, 1)
        )
        module[3].weight = module[1].weight
        return module

    f = random_function(tied)
    assert "3.weight" not in f.space.names
    module = f.module(5).double()
    at = f.at((5, module))
    module(torch.tensor([X[1]], dtype=torch.float64)).sum().backward()
    expected = sum(float((p.grad**2).sum()) for p in module.parameters())
    g = at.derivative(X[1])
    np.testing.assert_allclose(rt.einsum("a,a->", g, g).sample(), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # PyTorch loops over weight norms
def test_parametrised_buffered_and_frozen_parts():
    class Features(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.register_buffer("directions", torch.randn(n, 2))
            self.mix = nn.utils.parametrizations.weight_norm(nn.Linear(n, n))
            self.norm, self.last = nn.LayerNorm(n), nn.Linear(n, 1, bias=False)
            self.mix.bias.requires_grad_(False)

        def forward(self, x):
            return self.last(self.norm(self.mix(torch.cos(x @ self.directions.T))))

    f = random_function(Features)
    assert "mix.bias" not in f.space.names and "directions" not in f.space.names
    assert "mix.parametrizations.weight.original0" in f.space.names
    module = f.module(6).double()
    module(torch.tensor([X[1]], dtype=torch.float64)).sum().backward()
    expected = sum(float((p.grad**2).sum()) for p in module.parameters() if p.grad is not None)
    g = f.at((6, module)).derivative(X[1])
    np.testing.assert_allclose(rt.einsum("a,a->", g, g).sample(), expected, rtol=1e-12)
    assert len(set(f(X[1]).sample(6, size=4, rng=0))) == 4  # buffers are drawn anew with every sample


def test_tokens_and_attention():
    class Transformer(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.embed, self.query, self.read = nn.Embedding(7, n), nn.Linear(n, 2 * n), nn.Linear(n, 3)

        def forward(self, tokens):
            h = self.embed(tokens)
            query, key = self.query(h).chunk(2, -1)
            h = torch.softmax(query @ key.transpose(-1, -2) / h.shape[-1] ** 0.5, -1) @ h
            return self.read(h)

    f = random_function(Transformer, tokens=True, output=(-1, 2))
    g = f.derivative([1, 4, 4, 2])
    H = f.derivative([1, 4, 4, 2], order=2)
    assert (rt.einsum("a,a->", g, g).sample(16, size=2, rng=0) > 0).all()
    assert np.isfinite(rt.einsum("ab,a,b->", H, g, g).sample(16, size=2, rng=0)).all()
    with pytest.raises(rt.InputError, match="expected integers since tokens=True"):
        f([0.5, 1.0]).sample(16, rng=0)
    whole = random_function(Transformer, tokens=True)
    with pytest.raises(rt.ShapeError, match=r"outputs of shape \(4, 3\), expected a scalar or a vector: choose"):
        whole([1, 4, 4, 2])


class Encoder(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.embed, self.read = nn.Linear(4, n), nn.Linear(n, 1)
        self.layer = nn.TransformerEncoderLayer(n, 2, 2 * n, dropout=0.0, activation="gelu", batch_first=True)

    def forward(self, x):
        return self.read(self.layer(self.embed(x)).mean(1))


def convolutional(n):
    first = nn.Conv2d(1, n, 2), nn.GELU(), nn.Conv2d(n, n, 2), nn.Softplus()
    return nn.Sequential(*first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 1))


@pytest.mark.parametrize(
    ("factory", "shape"),
    [(Encoder, (3, 4)), (lambda n: Encoder(n).eval(), (3, 4)), (convolutional, (1, 4, 4))],
    ids=["attention", "attention, eval", "convolution"],
)
def test_layers_of_torch_against_double_backward(factory, shape):
    f = random_function(factory)
    x0, x1 = np.random.default_rng(1).standard_normal((2, *shape))
    module = f.module(4).double()
    at = f.at((4, module))
    H, g = at.derivative(x0, order=2), at.derivative(x1)
    parameters = list(module.parameters())
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        direction = torch.autograd.grad(module(torch.tensor(x1)[None]).sum(), parameters)
        slopes = torch.autograd.grad(module(torch.tensor(x0)[None]).sum(), parameters, create_graph=True)
        along = sum((a * b).sum() for a, b in zip(slopes, direction, strict=True))
        curved = torch.autograd.grad(along, parameters, materialize_grads=True)
    expected = sum(float((a * b).sum()) for a, b in zip(curved, direction, strict=True))
    np.testing.assert_allclose(rt.einsum("ab,a,b->", H, g, g).sample()[0], expected, rtol=1e-9)


def test_fused_normalisations_would_be_found_wrong(monkeypatch):
    """PyTorch's forward derivative of a layer norm is wrong when it is differentiated again: it is not passed on."""
    from randtensor.interop import torch as adapter

    def normed(n):
        return nn.Sequential(nn.Linear(2, n), nn.LayerNorm(n), nn.GroupNorm(2, n), nn.Tanh(), nn.Linear(n, 1))

    def curvature():
        f = random_function(normed)
        H, g = f.derivative(X[0], order=2), f.derivative(X[1])
        return rt.einsum("ab,a,b->", H, g, g).sample(8, size=2, rng=0)

    assert np.isfinite(curvature()).all()
    monkeypatch.setattr(adapter, "elementary_normalization", nullcontext)
    with pytest.raises(
        rt.InputError, match=r"the derivative of order 2 of normed that PyTorch finds is .* values give"
    ):
        curvature()


@pytest.mark.parametrize(("batch", "decay"), [("full", 0.0), ("cyclic", 0.3)])
def test_adam_is_that_of_torch(batch, decay):
    f = random_function(mlp)
    module = f.module(6).double()
    options = {"optimizer": "adam", "learning_rate": 0.05, "steps": 5, "batch": batch, "weight_decay": decay}
    observed = ["outputs", "largest_motion"]
    run = estimators.train(f.at((6, module)), X, [1.0, -1.0], observe=observed, rates={}, **options)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05, weight_decay=decay)
    inputs, targets = torch.tensor(X, dtype=torch.float64), torch.tensor([1.0, -1.0], dtype=torch.float64)
    start = [p.detach().clone() for p in module.parameters()]
    for step in range(5):
        chosen = slice(None) if batch == "full" else [step % 2]
        optimizer.zero_grad()
        ((module(inputs)[chosen, 0] - targets[chosen]) ** 2 / 2).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(run.outputs[0, -1], module(inputs)[:, 0].detach(), rtol=1e-10)
    moved = max(float((p.detach() - s).abs().max()) for p, s in zip(module.parameters(), start, strict=True))
    np.testing.assert_allclose(run.largest_motion[0, -1], moved, rtol=1e-10)


def test_adam_rates_and_refusals():
    f = random_function(mlp)
    frozen = dict.fromkeys(f.space.names, 0.0)
    options = {"optimizer": "adam", "learning_rate": 0.1, "steps": 2, "n": 8, "rng": 0}
    assert (estimators.train(f, X, [1.0, -1.0], rates=frozen, **options).parameter_motion == 0).all()
    with pytest.raises(rt.InputError, match="optimizer is 'adam', which does not train the linearisation"):
        estimators.train(f, X, [1.0, -1.0], observe=["linearization_error"], **options)
    with pytest.raises(rt.InputError, match="whose matrices are not held entry by entry"):
        estimators.train(CASES["mlp"].program, np.eye(3)[:2], [1.0, -1.0], **options)
    with pytest.raises(rt.InputError, match="optimizer is 'lion', expected 'sgd' or 'adam'"):
        estimators.Training(f, X, [1.0, -1.0], optimizer="lion")
    with pytest.raises(rt.InputError, match=r"betas is \(1.5, 0.9\), expected a pair of numbers in \[0, 1\)"):
        estimators.Training(f, X, [1.0, -1.0], optimizer="adam", betas=(1.5, 0.9))


def test_features_are_outputs_of_submodules():
    f = random_function(mlp)
    module = f.module(6).double()
    run = estimators.train(f.at((6, module)), X, [1.0, -1.0], learning_rate=0.0, steps=0, observe=["feature_scale"])
    with torch.no_grad():
        inputs = torch.tensor(X, dtype=torch.float64)
        expected = [module[: k + 1](inputs).pow(2).mean(1).sqrt().numpy() for k in range(3)]
    np.testing.assert_allclose(run.feature_scale[0, 0], expected, rtol=1e-12)
    one = random_function(mlp, layers=["1"])
    run = estimators.train(one.at((6, module)), X, [1.0, -1.0], steps=0, observe=["feature_scale"])
    np.testing.assert_allclose(run.feature_scale[0, 0], expected[1:2], rtol=1e-12)
    with pytest.raises(rt.InputError, match="layers has 'relu', expected names of submodules among"):
        estimators.train(random_function(mlp, layers=["relu"]), X, [1.0, -1.0], n=8, observe=["feature_scale"])


def test_one_learning_rate_for_all_is_refuted_at_large_width():
    """What Adam adds to a second hidden layer grows like the width: 1 is refuted, which is not so for maximal updates.

    The rates of those are the learning rate of the hidden matrix and of the read-out divided by the width. Seeds are
    fixed; a true claim is refuted once in 10^4 seeds.
    """
    n = rt.Scale("n")

    def deep(width):
        parts = nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        nn.init.zeros_(parts[-1].weight)
        return nn.Sequential(*parts)

    f = random_function(deep, scales=n, layers=["3"])
    maximal = {"2.weight": 32 / n, "4.weight": 32 / n}
    verdicts = []
    for rates, rate in (({}, 1e-3), (maximal, 1e-2)):
        training = estimators.Training(f, X, [1.0, -1.0], optimizer="adam", learning_rate=rate, rates=rates, steps=3)
        common = {"n": [32, 64, 128, 256], "samples": 60, "correction": 1.0}
        (claim,) = theory_checks.coordinate_claims(training, change={"3": rt.Theta(1)}, **common)
        verdicts.append(theory_checks.check(claim, rng=0).verdict)
    assert verdicts == ["refuted", "consistent"]


def in_place(self, x):
    h = torch.tanh(self.first(x))
    total = torch.zeros(len(x), 1, dtype=h.dtype)
    total += self.last(h)
    return total


class Hidden(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.first, self.last, self.hidden = nn.Linear(2, n), nn.Linear(n, 1), [torch.randn(n)]

    def forward(self, x):
        return self.last(self.hidden[0] * self.first(x))


def shared_memory(n):
    module = nn.Sequential(nn.Linear(2, n), nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, 1))
    module[2].weight.data = module[1].weight.data
    return module


REFUSED = {
    "no width": (lambda n: mlp(5), "the same shapes at {'n': 32} and {'n': 64}, expected a factory whose argument is"),
    "width not accepted": (lambda n: 1 / 0, "the factory failed at n = 32 (ZeroDivisionError: division by zero)"),
    "no argument": (lambda: mlp(5), "the factory failed at n = 32 (TypeError"),
    "not a module": (lambda n: [n], "the factory gave list at {'n': 32}, expected a torch.nn.Module"),
    "no parameters": (lambda n: nn.Tanh(), "has no parameters that require gradients"),
    "lazy": (lambda n: nn.Sequential(nn.LazyLinear(n), nn.Linear(n, 1)), "expected a module that is not lazy"),
    "complex": (
        lambda n: nn.ParameterList([torch.ones(n, dtype=torch.complex64)]),
        "parameter '0' of lambda is complex, expected real parameters",
    ),
    "dropout": (
        lambda n: nn.Sequential(nn.Linear(2, n), nn.Dropout(0.1), nn.Linear(n, 1)),
        "'1' is Dropout in training mode, which is random, expected a factory that returns module.eval()",
    ),
    "batch norm": (
        lambda n: nn.Sequential(nn.Linear(2, n), nn.BatchNorm1d(n), nn.Linear(n, 1)),
        "'1' is BatchNorm1d in training mode, which mixes inputs or keeps running statistics",
    ),
    "shared memory": (shared_memory, "parameters '1.weight' and '2.weight' of shared_memory share memory without"),
    "shared, frozen": (lambda n: (m := shared_memory(n))[2].requires_grad_(False) and m, "which is not trained, share"),
    "in place": (with_forward(in_place), "it changes a tensor in place"),
    "random": (
        with_forward(lambda self, x: self.last(self.first(x) + torch.randn(1))),
        "it draws random numbers as it is evaluated",
    ),
    "branches": (
        with_forward(
            lambda self, x: self.last(self.first(x)) if self.first(x).sum() > 0 else self.last(-self.first(x))
        ),
        "it depends on the values of tensors in Python",
    ),
    "no rule": (
        lambda n: nn.Sequential(nn.LSTM(2, n), nn.Linear(n, 1)),
        "cannot be evaluated sample by sample: it fails (RuntimeError: Batching rule not implemented for aten::lstm",
    ),
    "unregistered": (Hidden, "expected every tensor that it uses to be registered as a parameter or buffer"),
    "not a tensor": (with_forward(lambda self, x: [self.first(x)]), "gives list, expected a tensor"),
    "not batched": (with_forward(lambda self, x: self.last(self.first(x)).sum()), "expected one row per input"),
    "matrix": (
        with_forward(lambda self, x: self.last(self.first(x))[:, :, None] * torch.ones(2, 2)),
        "gives outputs of shape (2, 2), expected a scalar or a vector: choose a component with output=",
    ),
    "growing": (lambda n: nn.Linear(2, n), "expected a number of outputs that does not"),
    "mixing": (with_forward(lambda self, x: self.last(self.first(x - x.mean(0)))), "that stands beside others"),
    "other generators": (
        lambda n: nn.ParameterList([torch.tensor(np.random.rand(n))]),  # noqa: NPY002
        "differs between two modules of one seed, expected parameters that are drawn by PyTorch's own generator",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    factory, message = REFUSED[what]
    with pytest.raises(rt.RandtensorError) as caught:
        random_function(factory)(X[0])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_eval_mode_is_accepted():
    def model(n):
        return nn.Sequential(
            nn.Linear(2, n), nn.BatchNorm1d(n), nn.Dropout(0.1), nn.ReLU(inplace=True), nn.Linear(n, 1)
        ).eval()

    f = random_function(model)
    H, g = f.derivative(X[0], order=2), f.derivative(X[0])
    assert (rt.einsum("a,a->", g, g).sample(8, size=2, rng=0) > 0).all()
    assert np.isfinite(rt.einsum("ab,a,b->", H, g, g).sample(8, size=2, rng=0)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": "1n"}, "scales is '1n', expected a scale"),
        ({"dtype": "float16"}, "dtype is 'float16', expected 'float64' or 'float32'"),
        ({"device": "abacus"}, "device is 'abacus'"),
        ({"threads": 0}, "threads is 0, expected a positive number"),
        ({"probe": 0}, "probe is 0, expected a width"),
        ({"output": "first"}, "output is 'first', expected None, or an index"),
        ({"output": 1}, "output is (1,), expected an index into the outputs of mlp, which have shape (1,)"),
        ({"layers": "1"}, "layers is '1', expected a list of names"),
    ],
)
def test_options_refused(options, message):
    with pytest.raises(rt.InputError) as caught:
        random_function(mlp, **options)(X[0])
    assert message in str(caught.value)


def test_mappings_and_parameters_refused():
    for factory, message in (
        ({8: mlp}, "expected at least two widths"),
        ({8: mlp, 16.5: mlp}, "expected at least two widths"),
        (3, "factory is 3, expected a function of the width"),
    ):
        with pytest.raises(rt.InputError, match=message):
            random_function(factory)
    f = random_function(mlp)
    with pytest.raises(rt.InputError, match="expected a pair of the width"):
        f.at(mlp(5))
    with pytest.raises(rt.InputError, match="parameters has list beside the width, expected a module or a mapping"):
        f.at((5, [1.0]))
    with pytest.raises(rt.ShapeError, match="n is 'wide'"):
        f.at(("wide", mlp(5)))
    with pytest.raises(rt.ShapeError, match=r"'0.bias' is missing or unknown"):
        f.at((5, {"0.weight": np.ones((5, 2)), "2.weight": np.ones((1, 5)), "2.bias": [0.0]}))
    with pytest.raises(rt.ShapeError, match=r"parameter '0.weight' has shape \(4, 2\), expected \(5, 2\)"):
        f.at((5, {name: np.ones((4, 2)) for name in f.space.names}))
    with pytest.raises(rt.InputError, match="expected a program"):
        rt.gradient_step(f, X[0], 0.1)


def test_the_spectrum_of_a_module():
    f, points = random_function(mlp), np.random.default_rng(0).standard_normal((5, 2))
    model = FunctionModel(f, n=16, rng=3)
    gramian = model.gramian(points)
    np.testing.assert_allclose(gramian, gramian.T, rtol=1e-12)
    np.testing.assert_allclose(model.gramian(points[:2], points[2:]), gramian[:2, 2:], rtol=1e-12)
    assert (np.linalg.eigvalsh(gramian) > 0).all()
