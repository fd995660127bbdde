"""Models of PyTorch and JAX agree with programs on the same parameters, and have the same law."""

from __future__ import annotations

import numpy as np
import pytest
from interop_cases import CASES, LIBRARIES, n
from scipy.stats import ks_2samp

import estimators
import randtensor as rt
import theory_checks

INPUTS = np.random.default_rng(20210101).standard_normal((3, 3))

#: equation, orders of the derivatives, numbers of their inputs
CONTRACTIONS = {
    "mlp": [
        ("->", (0,), (0,)),
        ("a,a->", (1, 1), (0, 1)),
        ("ab,a,b->", (2, 1, 1), (0, 1, 2)),
        ("ab,a,b->", (2, 1, 1), (0, 0, 0)),
        ("abc,a,b,c->", (3, 1, 1, 1), (0, 1, 1, 2)),
        ("ab,a,bc,c->", (2, 1, 2, 1), (0, 1, 2, 0)),
        ("abc,a,bd,c,d->", (3, 1, 2, 1, 1), (0, 1, 2, 0, 1)),
        ("ab,ab->", (2, 2), (0, 1)),
        ("aa,b,b->", (2, 1, 1), (0, 1, 1)),
    ],
    "shared": [
        ("p->p", (0,), (0,)),
        ("pa,qa->pq", (1, 1), (0, 1)),
        ("pab,pa,qb->pq", (2, 1, 1), (0, 1, 2)),
        ("pabc,pa,qb,qc->p", (3, 1, 1, 1), (0, 1, 1, 2)),
        ("pab,pab->", (2, 2), (0, 1)),
    ],
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("case", CASES)
def test_contractions(library, case):
    program, model = CASES[case].pair(library)
    for equation, orders, points in CONTRACTIONS[case]:
        mine, expected = (
            rt.einsum(
                equation, *(f.derivative(INPUTS[i], order=k) for k, i in zip(orders, points, strict=True)), probes=0
            ).sample(rng=0)
            for f in (model, program)
        )
        np.testing.assert_allclose(mine, expected, rtol=1e-10, atol=1e-12, err_msg=equation)


@pytest.mark.parametrize("library", LIBRARIES)
def test_norms_and_correlations(library):
    program, model = CASES["mlp"].pair(library)
    for measure in (
        lambda f: rt.norm(f.derivative(INPUTS[0])),
        lambda f: rt.norm(rt.einsum("ab,b->a", f.derivative(INPUTS[0], order=2), f.derivative(INPUTS[1]))),
        lambda f: rt.norm(f.derivative(INPUTS[0], order=2), steps=30),  # a full basis: exact
        lambda f: rt.norm(f.derivative(INPUTS[0], order=2), "frobenius", probes=0),
        lambda f: rt.correlation(f, 0, 3, INPUTS[0], [INPUTS[1], INPUTS[2], INPUTS[1]], learning_rate=0.3),
    ):
        np.testing.assert_allclose(measure(model).sample(rng=0), measure(program).sample(rng=0), rtol=1e-10)


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_output_of_several(library):
    case = CASES["shared"]
    whole, part = (case.adapted(library, output=output).at((5, case.arrays())) for output in (None, 1))
    assert whole.outputs((3,)) == 2 and part.outputs((3,)) is None
    assert part(INPUTS[0]).sample()[0] == whole(INPUTS[0]).sample()[0, 1]
    gradients = whole.derivative(INPUTS[0])
    kernel = rt.einsum("pa,qa->pq", gradients, gradients).sample()[0]
    g = part.derivative(INPUTS[0])
    np.testing.assert_allclose(rt.einsum("a,a->", g, g).sample()[0], kernel[1, 1], rtol=1e-12)


TRAININGS = {
    "momentum": {"momentum": 0.9, "nesterov": True, "batch": "cyclic"},
    "decay": {"weight_decay": 0.1, "momentum": 0.5, "dampening": 0.1},
    "flow": {"flow": True, "learning_rate": 0.2},
}
OBSERVED = [
    "outputs",
    "loss",
    "linear_outputs",
    "linearization_error",
    "kernel",
    "kernel_change",
    "gradient_change",
    "parameter_motion",
    "largest_motion",
    "second_correlation",
    "third_correlation",
]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("options", TRAININGS)
def test_trajectories(library, options):
    chosen = {"learning_rate": 0.4, "steps": 4, "test": INPUTS[2:], **TRAININGS[options]}
    program, model = CASES["mlp"].pair(library)
    runs = [estimators.train(f, INPUTS[:2], [1.0, -0.5], observe=OBSERVED, rng=0, **chosen) for f in (model, program)]
    tolerance = 1e-7 if options == "flow" else 1e-10
    for name in OBSERVED:
        np.testing.assert_allclose(runs[0][name], runs[1][name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_rates_and_classes(library):
    program, model = CASES["shared"].pair(library)
    runs = [
        estimators.train(
            f, INPUTS, [0, 1, 1], loss="cross-entropy", learning_rate=0.3, steps=4, rates={"U": 0.3, "v": 2.0}, rng=0
        )
        for f in (model, program)
    ]
    for name in runs[0].values:
        np.testing.assert_allclose(runs[0][name], runs[1][name], rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_equal_in_law(library):
    """Two samples of 400 of C^(0,2) at width 12: a true equality fails once in 10^5 seeds."""
    case = CASES["mlp"]
    samples = []
    for f in (case.adapted(library), case.program):
        H, g = f.derivative(INPUTS[0], order=2), f.derivative(INPUTS[1])
        samples.append(rt.einsum("ab,a,b->", H, g, g).sample(12, size=400, rng=3))
    assert ks_2samp(*samples).pvalue > 1e-5
    # the test can tell: at twice the width the law is narrower
    H, g = case.program.derivative(INPUTS[0], order=2), case.program.derivative(INPUTS[1])
    assert ks_2samp(samples[0], rt.einsum("ab,a,b->", H, g, g).sample(48, size=400, rng=3)).pvalue < 1e-5


@pytest.mark.parametrize("library", LIBRARIES)
def test_same_bits(library):
    f = CASES["mlp"].adapted(library)
    H, g = f.derivative(INPUTS[0], order=2), f.derivative(INPUTS[1])
    c = rt.einsum("ab,a,b->", H, g, g)
    found = [
        estimators.estimate(c, n=24, samples=300, rng=5, jobs=jobs, block_size=size, keep_samples=True).draws
        for jobs, size in ((1, None), (2, 1), (2, 300))
    ]
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()
    assert (c.sample(24, size=7, rng=5) == found[0][:7]).all()
    assert len(set(found[0])) == 300
    run = [estimators.train(f, INPUTS, [1.0, 0.0, 1.0], steps=2, n=8, samples=5, rng=1, jobs=jobs) for jobs in (1, 2)]
    assert (run[0].outputs == run[1].outputs).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_single_precision(library):
    case = CASES["mlp"]
    pair = [case.adapted(library, dtype=dtype).at((5, case.arrays())) for dtype in ("float32", np.float64)]
    for equation, orders in (("a,a->", (1, 1)), ("abc,a,b,c->", (3, 1, 1, 1))):
        mine, expected = (
            rt.einsum(equation, *(f.derivative(INPUTS[i % 2], order=k) for i, k in enumerate(orders))).sample()[0]
            for f in pair
        )
        assert mine != expected
        np.testing.assert_allclose(mine, expected, rtol=1e-4)


@pytest.mark.parametrize("library", LIBRARIES)
def test_widths_in_other_forms(library):
    case = CASES["mlp"]
    pytest.importorskip(library)
    make = case.factory(library)
    from randtensor.interop import random_function

    by_width = random_function({16: lambda: make(16), 8: lambda: make(8), 32: lambda: make(32)}, name="mlp", probe=None)
    g = by_width.derivative(INPUTS[0])
    kernel = rt.einsum("a,a->", g, g)
    assert kernel.scale_names == ("n",)
    assert kernel.sample(32, size=2, rng=0).shape == (2,)
    with pytest.raises(rt.InputError, match=r"no model at n = 12, expected one of its widths 8, 16, 32"):
        kernel.sample(12, rng=0)
    named = random_function(lambda width, heads: make(width * heads), scales=("width", rt.Scale("heads")))
    g = named.derivative(INPUTS[0])
    found = rt.einsum("a,a->", g, g).sample({"width": 4, "heads": 2}, size=2, rng=0)
    assert found.shape == (2,)


@pytest.mark.parametrize("library", LIBRARIES)
def test_claims(library):
    """The length of the Hessian along a gradient is of order n^(-1/2); a true claim fails once in 10^4 seeds."""
    f = CASES["mlp"].adapted(library)
    length = rt.norm(rt.einsum("ab,b->a", f.derivative(INPUTS[0], order=2), f.derivative(INPUTS[1])))
    with pytest.raises(rt.ExactError, match="not a program"):
        length.order()
    common = {"n": [16, 48, 144], "samples": 200, "correction": 1.0}
    verdicts = [
        theory_checks.check(theory_checks.Claim("C11", length, predicted=rt.Theta(n**power), **common), rng=0).verdict
        for power in (-0.5, -1)
    ]
    assert verdicts == ["consistent", "refuted"]
