"""Full-batch gradient descent of layered networks, with a schedule of learning rates and checkpoints."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimators.layered.checks import check_inputs, check_targets
from estimators.layered.network import LayeredNetwork
from estimators.training.losses import Loss, loss_function
from randtensor.errors import InputError

__all__ = ["FullBatchDescent", "StepSchedule"]

Array = np.ndarray


@dataclass(frozen=True)
class StepSchedule:
    """A learning rate that is multiplied by ``factor`` after every ``every`` steps; None keeps it.

    Raises
    ------
    InputError : a rate or factor that is not positive, or a number of steps that is not a positive integer.

    Examples
    --------
    >>> schedule = StepSchedule(0.25, every=100)
    >>> [schedule(step) for step in (0, 99, 100, 250)], schedule.drops(300)
    ([0.25, 0.25, 0.125, 0.0625], [100, 200])
    """

    rate: float
    every: int | None = None
    factor: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("learning_rate", self.rate), ("factor", self.factor)):
            if isinstance(value, bool) or not isinstance(value, int | float | np.floating) or not 0 < value < np.inf:
                raise InputError(f"{name} is {value!r}, expected a positive number")
        if self.every is not None and (isinstance(self.every, bool) or self.every != int(self.every) or self.every < 1):
            raise InputError(f"every is {self.every!r}, expected a positive number of steps or None")

    def __call__(self, step: int) -> float:
        return self.rate * self.factor ** (step // self.every if self.every else 0)

    def drops(self, steps: int) -> list[int]:
        """Steps below ``steps`` at which the rate changes."""
        return list(range(self.every, steps, self.every)) if self.every else []


class FullBatchDescent:
    """Full-batch gradient descent on the mean loss over N inputs: theta <- theta - rate J^T C'(f) / N.

    Parameters
    ----------
    network : the network.
    X, y : inputs, shape (N, inputs), and targets, shape (N,).
    learning_rate : a positive number or a `StepSchedule`.
    theta : initial parameters, shape (P,) or (networks, P) for several networks side by side; None draws them.
    loss : "squared" (half the square) or another, see ``estimators.Loss``.
    dtype : float32 or float64.
    check : refuse a learning rate at which squared loss is unstable at the start, above 2 N / lambda_1.
    rng : seed of the initial parameters.

    Attributes
    ----------
    theta, step : where the run stands.
    trace : the forward pass at theta.

    Raises
    ------
    InputError, ShapeError : arguments that do not fit, or a learning rate beyond the threshold.

    Notes
    -----
    Matrix products run on the threads that BLAS is given; results are the same bits for the same number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> run = FullBatchDescent(LayeredNetwork((1, 32, 32)), X, np.sin(3 * X[:, 0]), 0.1, rng=0)
    >>> before = run.loss
    >>> run.advance(500)
    >>> run.step, bool(run.loss < before / 5)
    (500, True)
    """

    def __init__(
        self,
        network: LayeredNetwork,
        X: Any,
        y: Any,
        learning_rate: float | StepSchedule,
        theta: Any = None,
        *,
        loss: str | Loss = "squared",
        dtype: Any = np.float64,
        check: bool = True,
        rng: Any = None,
    ) -> None:
        self.network, self.dtype = network, np.dtype(dtype)
        if self.dtype.char not in "fd":
            raise InputError(f"dtype is {dtype!r}, expected float32 or float64")
        self.X = check_inputs(X, network.widths[0]).astype(self.dtype)
        y = check_targets(y, len(self.X))
        self.loss_function, _ = loss_function(loss, y, None, len(self.X))
        self.y = y.astype(self.dtype)
        self.schedule = learning_rate if isinstance(learning_rate, StepSchedule) else StepSchedule(learning_rate)
        drawn = network.initial(rng=rng) if theta is None else network.check_parameters(theta)
        self.theta: Array = np.array(drawn, dtype=self.dtype)
        self.step = 0
        self.trace = network.forward(self.theta, self.X)
        if check and self.loss_function.name == "squared":
            self._check_rate()

    @property
    def outputs(self) -> Array:
        """f at all inputs, shape (..., N)."""
        return self.trace.outputs

    @property
    def residual(self) -> Array:
        """f - y, shape (..., N)."""
        return np.asarray(self.outputs - self.y)

    @property
    def loss(self) -> Any:
        """The mean loss, a number per network."""
        return self.loss_function.value(self.outputs, self.y).mean(axis=-1)

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return self.schedule(self.step)

    def gradient(self) -> Array:
        """Of the mean loss, shape (..., P)."""
        slopes = self.loss_function.gradient(self.outputs, self.y) / self.dtype.type(len(self.X))
        return self.network.pull_back(self.theta, self.trace, slopes)

    def advance(self, steps: int = 1) -> None:
        """So many steps.

        Raises
        ------
        InputError : the run has diverged; the sentence says at which step.
        """
        # what overflows on the way to a divergence is reported as such
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(steps):
                gradient = self.gradient()
                gradient *= self.dtype.type(self.learning_rate)
                self.theta -= gradient
                self.step += 1
                self.trace = self.network.forward(self.theta, self.X)
                if not np.isfinite(self.outputs.sum()):
                    raise InputError(
                        f"training diverged at step {self.step}: learning_rate is {self.schedule(self.step - 1):g}, "
                        f"expected one at which outputs stay bounded"
                    )

    def save(self, path: str | Path) -> None:
        """Write where the run stands; the file is complete or not there."""
        target = Path(path)
        part = target.with_name(target.name + ".part")
        with part.open("wb") as file:
            np.savez(file, theta=self.theta, step=self.step, key=self._key())
        os.replace(part, target)

    def resume(self, path: str | Path) -> None:
        """Go on from a file that `save` wrote; the run then ends as if it had not been interrupted, bit for bit.

        Raises
        ------
        InputError : the file is of another network, other data or another schedule.
        """
        with np.load(path) as stored:
            if str(stored["key"]) != self._key() or stored["theta"].shape != self.theta.shape:
                raise InputError(f"path is {str(path)!r}, a checkpoint of another run, expected one of this run")
            self.theta, self.step = stored["theta"], int(stored["step"])
        self.trace = self.network.forward(self.theta, self.X)

    def _key(self) -> str:
        """Identifies network, data and schedule."""
        phi, net = self.network.phi.name, self.network
        text = f"{net.widths}{phi}{net.parametrization}{net.biases}{self.schedule}{self.loss_function.name}{self.dtype}"
        return hashlib.sha256(text.encode() + self.X.tobytes() + self.y.tobytes()).hexdigest()

    def _check_rate(self) -> None:
        for theta in self.theta.reshape(-1, self.network.count):
            threshold = 2 * len(self.X) / self.network.largest_eigenvalue(theta, self.X)
            if self.learning_rate > threshold:
                raise InputError(
                    f"learning_rate is {self.learning_rate:g}, expected at most 2 N / lambda_1 = {threshold:.4g}, "
                    f"beyond which descent is unstable at the start (check=False lets it run)"
                )
