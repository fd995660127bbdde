"""How the tangent kernel depends on the width, with the parametrisation as an explicit hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import randtensor as rt
from estimators import Training, TrainingQuantity, tangent_kernel
from estimators.training import Observable, Snapshot
from theory_checks.claims import Claim
from theory_checks.suites.spectrum_alignment.plan import DERIVED, LEAKY, Plan, n

__all__ = ["at_start", "in_training", "kinks"]

Array = np.ndarray

#: four steps to the time one
RATE, STEPS = 0.25, 4


def at_start(plan: Plan) -> Iterator[Claim]:
    """Fluctuation of the kernel, and its velocity along the residual, at initialisation."""
    options: dict[str, Any] = {"source": f"{DERIVED}; NTK parametrisation"}
    for activation in ("tanh", LEAKY):
        f = rt.networks.two_layer(plan.inputs.shape[1], n, activation)
        start = Training(f, plan.inputs, plan.targets, learning_rate=RATE, steps=0)
        yield Claim(
            f"|G_0 - E G_0| / |E G_0|, one hidden layer, {activation}",
            TrainingQuantity(start, _fluctuation(tangent_kernel(f, plan.inputs)), reduce=None),
            id=f"A9.{activation.partition('_')[0]}",
            predicted=rt.Theta(n**-0.5),
            correction=None,
            note="G_0 is a mean over independent neurons: the law has no corrections",
            **plan.grid(64, 8, [900, 600, 300, 150]),
            **options,
        )
    first, second = plan.inputs[:2]
    tanh, softplus = (rt.networks.two_layer(plan.inputs.shape[1], n, activation) for activation in ("tanh", "softplus"))
    residuals = (tanh(first) - float(plan.targets[0]), tanh(second) - float(plan.targets[1]))
    for ident, name, quantity, statistic, sizes in (
        (
            "A15.residual",
            "velocity O3 m of the kernel at two inputs, tanh, one hidden layer",
            _velocity(tanh, (first, second), (first, second), residuals),
            "L1",
            plan.grid(32, 8, [5000, 2500, 1000, 400]),
        ),
        (
            "A15.outputs",
            "velocity O3 f along the outputs at one input, softplus, one hidden layer",
            _velocity(softplus, (first, first), (first,), (softplus(first),)),
            "mean",
            plan.grid(16, 4, [12000, 8000, 5000, 4000]),
        ),
    ):
        yield Claim(
            name,
            quantity,
            id=ident,
            statistic=statistic,
            predicted=rt.Theta(n**-1),
            correction=1.0,
            **sizes,
            **options,
        )


def _fluctuation(mean: Array) -> Observable:
    """The distance of the kernel from its mean, which for one hidden layer is the limiting kernel at every width."""

    def relative(snapshot: Snapshot) -> Array:
        return np.asarray(np.linalg.norm(snapshot.kernel - mean, axis=(1, 2)) / np.linalg.norm(mean))

    return Observable(f"distance from {np.linalg.norm(mean):.17g}", relative)


def _velocity(f: rt.RandomFunction, pair: Any, inputs: Any, along: Any) -> rt.Quantity:
    """sum_c O3[a, b, c] r_c at a pair of inputs a, b, with c over ``inputs`` and r_c in ``along``."""
    total: Any = 0.0
    for x, r in zip(inputs, along, strict=True):
        for a, b in (pair, pair[::-1]):
            total = total + rt.einsum("ab,a,b->", f.derivative(a, order=2), f.derivative(b), f.derivative(x)) * r
    quantity: rt.Quantity = total
    return quantity


def in_training(plan: Plan) -> Iterator[Claim]:
    """Smooth activations at a fixed time of training."""
    hypotheses: tuple[tuple[str, str, dict[str, Any], Any, float], ...] = (
        ("1", "NTK parametrisation, one hidden layer", {"hidden_layers": 1}, RATE, -1),
        ("2", "NTK parametrisation, two hidden layers", {"hidden_layers": 2}, RATE, -1),
        (
            "standard.1",
            "standard parametrisation, learning rate 1 / (4 n), one hidden layer",
            {"hidden_layers": 1, "parametrization": "standard"},
            RATE * n**-1,
            -2,
        ),
        (
            "standard.2",
            "standard parametrisation, learning rate 1 / (4 n), two hidden layers",
            {"hidden_layers": 2, "parametrization": "standard"},
            RATE * n**-1,
            -1,
        ),
    )
    wide = plan.grid(64, 8, [2400, 1200, 400, 120])
    narrow = plan.grid(16, 4, [3000, 1500, 700, 300])  # matrices of up to 1024 x 1024 between the hidden layers
    for ident, words, options, rate, power in hypotheses:
        run = _descent(plan, "tanh", learning_rate=rate, **options)
        yield Claim(
            f"|G_t - G_0| / |G_0| after {STEPS} steps, tanh, {words}",
            TrainingQuantity(run, RELATIVE_CHANGE, reduce=None),
            id=f"A10.{ident}",
            statistic="L1",
            predicted=rt.Theta(n**power),
            source=DERIVED,
            correction=1.0,
            **(wide if options["hidden_layers"] == 1 else narrow),
        )
    run = _descent(plan, "tanh", hidden_layers=1)
    yield Claim(
        f"|m_t - m_t of the frozen kernel| / |m_0| after {STEPS} steps, tanh",
        TrainingQuantity(run, _departure(plan.targets), reduce="mean"),
        id="A8",
        statistic="L1",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        **plan.grid(64, 4, [6000, 3000, 1400, 600]),
    )
    yield Claim(
        "mean over networks of the change of the kernel's trace, softplus",
        TrainingQuantity(_descent(plan, "softplus", hidden_layers=1), TRACE_CHANGE, reduce=None),
        id="A11",
        statistic="mean",
        predicted=rt.Theta(n**-1),
        source=DERIVED,
        correction=1.0,
        **plan.grid(32, 4, [8000, 5000, 3000, 2000]),
    )
    yield Claim(
        "|G_t - G_0| / |G_0|, tanh, mean-field parametrisation claimed to freeze too",
        TrainingQuantity(
            _descent(plan, "tanh", hidden_layers=1, parametrization="mean-field", learning_rate=RATE * n),
            RELATIVE_CHANGE,
            reduce=None,
        ),
        id="A10.wrong",
        predicted=rt.O(n**-1),
        source="negative control",
        expect="refuted",
        **plan.grid(64, 4, [120, 80, 60]),
    )


def kinks(plan: Plan) -> Iterator[Claim]:
    """Kinked activations: n^-1/2 where one trains, n^-3/4 elsewhere.

    About n^1/2 neurons cross their kink at a given input, and each changes the kernel there by 1/n. Elsewhere they
    cross either way, which leaves n^1/4 / n. At an input of the training set a step moves every neuron that is active
    there against its own contribution to the residual, so that more leave than enter, or the other way round, for each
    sign of the residual: a change of n^1/2 / n that does not average out.
    """
    one = plan.inputs[:1]
    for activation in ("relu", LEAKY):
        name = activation.partition("_")[0]
        f = rt.networks.two_layer(one.shape[1], n, activation)
        single = Training(f, one, [1.0], learning_rate=0.75, steps=1, test=plan.inputs[1:2])
        options: dict[str, Any] = {"statistic": "L1", "source": DERIVED, "correction": 0.5}
        trained = TrainingQuantity(single, "kernel_change", at="train", reduce="frobenius")
        other = TrainingQuantity(single, "kernel_change", at="test", reduce="frobenius")
        sizes = plan.grid(64, 8, [6000, 5000, 2500, 900])
        yield Claim(
            f"change of the kernel at the input trained on, in one step, {activation}",
            trained,
            id=f"A10.{name}.trained",
            predicted=rt.Theta(n**-0.5),
            **sizes,
            **options,
        )
        yield Claim(
            f"change of the kernel at another input, {activation}",
            other,
            id=f"A10.{name}.other",
            predicted=rt.Theta(n**-0.75),
            **plan.grid(64, 8, [7000, 5000, 2200, 700]),
            **options,
        )
        if activation == "relu":
            yield Claim(
                f"change of the kernel at the input trained on, {activation}, claimed n^-3/4",
                trained,
                id=f"A10.{name}.wrong",
                predicted=rt.Theta(n**-0.75),
                expect="refuted",
                **plan.grid(64, 8, [3000, 2000, 900, 300]),
                **{**options, "source": "negative control"},
            )
    run = Training(
        rt.networks.two_layer(one.shape[1], n, LEAKY), one, plan.targets[:1], learning_rate=2 * RATE, steps=STEPS // 2
    )
    yield Claim(
        "|m_t - m_t of the frozen kernel| / |m_0| after two steps on one input, leaky ReLU",
        TrainingQuantity(run, _departure(plan.targets[:1]), reduce="mean"),
        id="A8.leaky",
        statistic="L1",
        predicted=rt.Theta(n**-0.5),
        source=DERIVED,
        correction=0.5,
        **plan.grid(64, 8, [8000, 6000, 3000, 1000]),
    )


def _departure(targets: Array) -> Observable:
    """The distance of the residual from that of the frozen kernel, relative to the residual at the start."""

    def relative(snapshot: Snapshot) -> Array:
        assert snapshot.linear is not None
        trained = slice(len(targets))
        start = np.linalg.norm(snapshot.initial.outputs[:, trained] - targets, axis=1)
        apart = np.linalg.norm((snapshot.outputs - snapshot.linear)[:, trained], axis=1)
        return np.asarray(apart / start)

    return Observable(f"departure of the residual from {targets.tolist()}", relative, needs="linear")


def _descent(plan: Plan, activation: str, learning_rate: Any = RATE, **options: Any) -> Training:
    f = rt.networks.mlp(plan.inputs.shape[1], n, activation=activation, **options)
    return Training(f, plan.inputs, plan.targets, learning_rate=learning_rate, steps=STEPS)


def _relative_change(snapshot: Snapshot) -> Array:
    start = snapshot.initial.kernel
    change = np.linalg.norm(snapshot.kernel - start, axis=(1, 2))
    return np.asarray(change / np.linalg.norm(start, axis=(1, 2)))


def _trace_change(snapshot: Snapshot) -> Array:
    return np.asarray(np.trace(snapshot.kernel - snapshot.initial.kernel, axis1=1, axis2=2))


RELATIVE_CHANGE = Observable("relative change of the kernel", _relative_change)
TRACE_CHANGE = Observable("change of the kernel's trace", _trace_change)
