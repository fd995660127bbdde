"""The network of the suite: one batch-normalised layer, one hidden layer and a softmax, in NumPy.

All three families of symmetries act on it: scale on the normalised units, rescale on the hidden units, translation on
the columns of the read-out and on its bias. The gradient is written out in analytic operations, so that it can be
differentiated along imaginary directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from estimators.mechanics import FunctionObjective, Part, ProgramObjective, Symmetry
from randtensor.errors import InputError

__all__ = ["Data", "Network", "digits"]

Array = np.ndarray


@cache
def digits() -> tuple[Array, Array]:
    """Handwritten digits of 4 x 4 averaged pixels, between 0 and 1, and their classes.

    Raises
    ------
    InputError : scikit-learn, which brings them, is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(
            "scikit-learn is not installed, expected it for its handwritten digits: pip install 'randtensor[digits]'"
        ) from error
    images, classes = load_digits(return_X_y=True)
    pooled = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 16
    return pooled, classes.astype(int)


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs as rows, and a class for each.

    Attributes
    ----------
    rows : given instead of the digits, with classes that are drawn at random: the laws hold for any.
    """

    rows: Array | None = None

    @property
    def dimension(self) -> int:
        """Of the inputs."""
        return 16 if self.rows is None else int(self.rows.shape[1])

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Examples drawn without replacement while there are enough, and with it else."""
        if self.rows is None:
            inputs, classes = digits()
        else:
            inputs, classes = self.rows, rng.integers(10, size=len(self.rows))
        chosen = rng.choice(len(inputs), size=count, replace=count > len(inputs))
        return inputs[chosen], classes[chosen]


@dataclass(frozen=True, eq=False)
class Network:
    """The network with the examples that it is trained on.

    Attributes
    ----------
    inputs, classes : shape (examples, dimension) and (examples,).
    units, hidden, outputs : sizes of its layers.
    smooth : with tanh after the normalisation and linear hidden units, without kinks.
    eps : added to the variances of the normalised units.
    """

    inputs: Array
    classes: Array
    units: int = 8
    hidden: int = 6
    outputs: int = 10
    smooth: bool = False
    eps: float = 0.0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters."""
        return {
            "W1": (self.units, self.inputs.shape[1]),
            "b1": (self.units,),
            "W2": (self.hidden, self.units),
            "b2": (self.hidden,),
            "W3": (self.outputs, self.hidden),
            "b3": (self.outputs,),
        }

    @property
    def symmetries(self) -> list[Symmetry]:
        """Translation of read-out columns and of their bias, scale of normalised units, rescale of hidden units."""
        return [
            Symmetry("translation", (Part("W3", 1),), "columns"),
            Symmetry("translation", (Part("b3", None),), "bias"),
            Symmetry("scale", (Part("W1"), Part("b1")), "normalised"),
            Symmetry("rescale", (Part("W2"), Part("b2"), Part("W3", 1, -1)), "hidden"),
        ]

    def start(self, rng: np.random.Generator) -> Array:
        """Normal parameters of variance 1 / fan-in, and biases of standard deviation 0.3."""
        parts = [rng.standard_normal(s) * (s[1] ** -0.5 if len(s) == 2 else 0.3) for s in self.shapes.values()]
        return np.concatenate([part.ravel() for part in parts])

    @property
    def objective(self) -> FunctionObjective:
        """Its loss on batches of positions."""
        return FunctionObjective(self.shapes, self.loss, self.gradient)

    def loss(self, p: Any, batch: Any = None) -> Any:
        """Mean cross-entropy."""
        logits, classes = self._forward(p, batch)[-1], self._classes(batch)
        highest = logits.max(axis=1)
        total = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
        return (total - logits[np.arange(len(classes)), classes]).mean()

    def gradient(self, p: Any, batch: Any = None) -> dict[str, Array]:
        """Of the loss, by reverse differentiation."""
        x, deviation, u, first, second, logits = self._forward(p, batch)
        classes, count = self._classes(batch), len(x)
        weights = np.exp(logits - logits.real.max(axis=1, keepdims=True))
        error = weights / weights.sum(axis=1, keepdims=True)
        error[np.arange(count), classes] -= 1.0
        error /= count
        back = error @ p["W3"]
        if not self.smooth:
            back = back * (second.real > 0)
        through = back @ p["W2"]
        through = through * (1 - first**2 if self.smooth else u.real > 0)
        centred = through - through.mean(axis=0) - u * (through * u).mean(axis=0)
        lowest = centred / deviation
        return {
            "W1": lowest.T @ x,
            "b1": lowest.sum(axis=0),
            "W2": back.T @ first,
            "b2": back.sum(axis=0),
            "W3": error.T @ second,
            "b3": error.sum(axis=0),
        }

    def _classes(self, batch: Any) -> Array:
        return self.classes if batch is None else self.classes[batch]

    def _forward(self, p: Any, batch: Any) -> tuple[Array, ...]:
        x = self.inputs if batch is None else self.inputs[batch]
        z = x @ p["W1"].T + p["b1"]
        z = z - z.mean(axis=0)
        deviation = np.sqrt((z * z).mean(axis=0) + self.eps)
        u = z / deviation
        first = np.tanh(u) if self.smooth else u * (u.real > 0)
        second = first @ p["W2"].T + p["b2"]
        if not self.smooth:
            second = second * (second.real > 0)
        return x, deviation, u, first, second, second @ p["W3"].T + p["b3"]

    @property
    def program(self) -> ProgramObjective:
        """The same loss written as a program of the library, whose higher derivatives are exact."""
        import randtensor as rt

        columns, outputs, smooth, eps = self.inputs.shape[1], self.outputs, self.smooth, self.eps

        @rt.program(**{name: rt.gaussian(*shape) for name, shape in self.shapes.items()})
        def loss(p: Any, rows: Any) -> Any:
            z = [p.W1 @ row[:columns] + p.b1 for row in rows]
            mean = rt.mean(z)
            z = [value - mean for value in z]
            deviation = rt.sqrt(rt.mean([value * value for value in z]) + eps)
            first = [rt.tanh(value / deviation) if smooth else rt.relu(value / deviation) for value in z]
            second = [p.W2 @ value + p.b2 for value in first]
            logits = [p.W3 @ (value if smooth else rt.relu(value)) + p.b3 for value in second]
            losses = [
                rt.log(rt.sum(rt.exp(value))) - value @ row[columns:] for value, row in zip(logits, rows, strict=True)
            ]
            return rt.mean(losses)

        return ProgramObjective(loss, np.hstack([self.inputs, np.eye(outputs)[self.classes]]))
