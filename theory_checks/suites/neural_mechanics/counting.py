"""How many quantities are conserved, and those of matrices: linear layers, attention, momentum (M20 to M24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from estimators.mechanics import FunctionObjective, descend, runge_kutta
from theory_checks.claims import Claim
from theory_checks.suites.neural_mechanics.plan import Plan, sampled, scaled
from theory_checks.symmetries.conserved import conserved_quantities, two_layer_fields

__all__ = ["attention", "counts", "rotation"]

Array = np.ndarray

MARCOTTE = "Marcotte et al. 2023 and 2025, arXiv 2307.00144 and 2506.06194"

_SHAPES = ((1, 1), (2, 1), (2, 2), (3, 2))  # outputs and inputs


def counts(plan: Plan) -> Iterator[Claim]:
    """Two-layer networks with n hidden units, at random parameters."""

    def linear_laws(outputs: int, inputs: int, hidden: int) -> int:
        rows = outputs + inputs
        return hidden * (hidden + 1) // 2 if hidden <= rows else rows * (2 * hidden - rows + 1) // 2

    def excess(relu: bool, predicted: Callable[[int, int, int], int]) -> Callable[[int, np.random.Generator], Any]:
        def difference(hidden: int, rng: np.random.Generator) -> list[float]:
            found = []
            for outputs, inputs in _SHAPES:
                point = rng.standard_normal((outputs + inputs) * hidden)
                laws = conserved_quantities(two_layer_fields(outputs, inputs, hidden, relu=relu), point)
                found.append(float(laws - predicted(outputs, inputs, hidden)))
            return found

        return difference

    shape, sizes = (len(_SHAPES),), [1, 2, 3, 4]
    yield plan.identity(
        "M20", "conserved quantities of a linear network with n hidden units, by Lie rank, less the formula",
        sampled(excess(False, linear_laws), "laws, linear", shape), 1e-9, sizes, 2, source=MARCOTTE,
    )  # fmt: skip
    yield plan.identity(
        "M20.relu", "conserved quantities of a ReLU network with n hidden units, less n",
        sampled(excess(True, lambda outputs, inputs, hidden: hidden), "laws, ReLU", shape), 1e-9, sizes, 2,
        source=MARCOTTE,
    )  # fmt: skip
    yield plan.identity(
        "M20.wrong", "conserved quantities of a linear network, less n (n + 1) / 2 at any n",
        sampled(excess(False, lambda outputs, inputs, hidden: hidden * (hidden + 1) // 2), "laws, wrongly", shape),
        1e-9, sizes, 2, source="negative control", expect="refuted",
    )  # fmt: skip

    def independent(hidden: int, rng: np.random.Generator) -> list[float]:
        found = []
        for outputs, inputs in _SHAPES:
            u, v = rng.standard_normal((outputs, hidden)), rng.standard_normal((inputs, hidden))
            gradients = []
            for k in range(hidden):
                for other in range(k, hidden):
                    gradient = np.zeros((outputs + inputs, hidden))
                    gradient[:, k] += np.concatenate([u[:, other], -v[:, other]])
                    gradient[:, other] += np.concatenate([u[:, k], -v[:, k]])
                    gradients.append(gradient.ravel())
            rank = np.linalg.matrix_rank(np.array(gradients), tol=1e-9)
            found.append(float(rank - linear_laws(outputs, inputs, hidden)))
        return found

    yield plan.identity(
        "M21", "independent entries of U^T U - V^T V, n hidden units, less the formula",
        sampled(independent, "independent entries", shape), 1e-9, sizes, 4,
    )  # fmt: skip


def attention(plan: Plan) -> Iterator[Claim]:
    """One attention head under descent: its balances are conserved by gradient flow only."""

    def problem(rng: np.random.Generator) -> Callable[[int], float]:
        objective = _attention_head(rng.standard_normal((6, 4, 3)), rng.standard_normal((6, 4, 3)))
        start = rng.standard_normal(objective.layout.size) * 0.4

        def change(steps: int) -> float:
            end = descend(objective, start, learning_rate=1.0 / steps, steps=steps).parameters
            before, after = (_balances(objective.layout.split(point)) for point in (start, end))
            return float(np.linalg.norm(after - before))

        return change

    yield plan.rate(
        "M22", "change of Q Q^T - K K^T and V V^T - O O^T of an attention head to time 1, n steps",
        scaled(problem, 64, "balances of attention"), -1, [96, 192, 384, 768], 24, source=MARCOTTE,
    )  # fmt: skip


def _balances(p: Any) -> Array:
    squares = {name: p[name] @ p[name].T for name in p}
    return np.stack([squares["Q"] - squares["K"], squares["V"] - squares["O"]])


def _attention_head(tokens: Array, targets: Array) -> FunctionObjective:
    """Least squares with softmax(X Q^T K X^T) X V^T O; tokens of shape (samples, tokens, d), matrices (d1, d)."""
    inner, width = 2, tokens.shape[2]

    def attend(p: Any) -> tuple[Array, Array, Array]:
        scores = tokens @ (p["Q"].T @ p["K"]) @ tokens.swapaxes(1, 2)
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        mixed = weights @ tokens
        return weights, mixed, mixed @ (p["V"].T @ p["O"]) - targets

    def value(p: Any, batch: Any) -> float:
        return float((attend(p)[2] ** 2).sum()) / (2 * len(tokens))

    def slope(p: Any, batch: Any) -> dict[str, Array]:
        weights, mixed, error = attend(p)
        error = error / len(tokens)
        by_value = np.einsum("sti,sto->io", mixed, error)  # by V^T O
        by_weights = (error @ (p["V"].T @ p["O"]).T) @ tokens.swapaxes(1, 2)
        by_scores = weights * (by_weights - (by_weights * weights).sum(axis=2, keepdims=True))
        by_product = np.einsum("sti,stu,suo->io", tokens, by_scores, tokens)  # by Q^T K
        return {
            "Q": p["K"] @ by_product.T,
            "K": p["Q"] @ by_product,
            "V": p["O"] @ by_value.T,
            "O": p["V"] @ by_value,
        }

    return FunctionObjective(dict.fromkeys("QKVO", (inner, width)), value, slope)


def rotation(plan: Plan) -> Iterator[Claim]:
    """Flow with momentum of a linear network: another charge is conserved, and the balance is not."""
    friction, time = 1.0, 2.0
    shape = (2, 4, 3)  # positions and velocities of the stacked layers, 2 outputs, 2 inputs, 3 hidden units

    def run(steps: int, rng: np.random.Generator) -> Callable[[int], tuple[Array, Array]]:
        target, start = rng.standard_normal((2, 2)) * 0.5, rng.standard_normal(shape) * 0.5

        def field(t: float, flat: Array) -> Array:
            position, velocity = flat.reshape(shape)
            u, v = position[:2], position[2:]
            error = u @ v.T - target
            force = -np.concatenate([error @ v, error.T @ u])
            return np.stack([velocity, force - friction * velocity]).ravel()

        return lambda count: (start, runge_kutta(field, start.ravel(), time, count).reshape(shape))

    def rotation_charge(state: Array, at: float) -> Array:
        position, velocity = state
        product = position.T @ velocity
        return np.asarray(np.exp(friction * at) * (product - product.T))

    def problem(rng: np.random.Generator) -> Callable[[int], float]:
        flow = run(0, rng)

        def change(steps: int) -> float:
            start, end = flow(steps)
            return float(np.linalg.norm(rotation_charge(end, time) - rotation_charge(start, 0.0)))

        return change

    yield plan.rate(
        "M23", "change of e^(tau t) times the antisymmetric part of U^T U' + V^T V', flow with momentum, n steps",
        scaled(problem, 48, "rotation charge"), -4, [64, 128, 256], 40,
    )  # fmt: skip

    def balance(steps: int, rng: np.random.Generator) -> float:
        start, end = run(steps, rng)(steps)
        before, after = (s[0][:2].T @ s[0][:2] - s[0][2:].T @ s[0][2:] for s in (start, end))
        return float(np.linalg.norm(after - before) / np.linalg.norm(before))

    yield plan.identity(
        "M24", "relative change of U^T U - V^T V in flow with momentum", sampled(balance, "balance with momentum"),
        1e-3, [128, 256, 512], 4, source="negative control", expect="refuted",
    )  # fmt: skip
