"""Training of models that are linear in their parameters, seen from their outputs: in closed form and step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._linear_arguments import check_steps, check_times, masks_by_step
from estimators.training.losses import Loss, loss_function
from estimators.training.rules import Descent
from randtensor.arguments import finite_array
from randtensor.errors import ExactError, InputError, ShapeError

__all__ = ["LinearDynamics", "LinearRun"]

Array = NDArray[np.float64]

#: Training has diverged when the gradient of the loss by the outputs is longer than this times one plus its length at
#: the start.
DIVERGENCE = 1e6

#: Eigenvalues below this, relative to the largest and per training input, are rounding errors.
ROUNDING = 8 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class LinearRun:
    """Outputs along training: the result of the methods of `LinearDynamics`.

    Attributes
    ----------
    times : times or numbers of steps, in the order asked for, shape (T,).
    outputs : shape (T, ..., P) or (T, ..., P, outputs): at the training inputs first.
    diverged_at : first step with a gradient of the loss by the outputs that is, for some sample, more than 10^6 times
        as long as one plus its length at the start; None if there is none among the steps asked for. Steps from there
        on are left out.
    """

    times: Array
    outputs: Array
    diverged_at: int | None = None


@dataclass(frozen=True, eq=False)
class LinearDynamics:
    """Training of a linear model on N inputs: outputs f at P inputs change by -kernel @ C'(f), C' from training inputs.

    With the limiting tangent kernel these are the dynamics of infinitely wide networks, with that of a network at
    initialisation those of its linearisation (Jacot, Gabriel & Hongler, arXiv 1806.07572; Lee et al., arXiv
    1902.06720).

    Parameters
    ----------
    kernel : tangent kernel between P inputs, the N training inputs first, and the training inputs: shape (P, N) if all
        samples share it, or (samples, P, N).
    targets : shape (N,), or (N, outputs) for several outputs that the kernel does not mix.
    learning_rate : eta. One step is f <- f - eta kernel @ C'(f), with C' the gradient by the training outputs of the
        sum of the losses: divide eta by N if the loss is a mean.
    loss : "squared" (half the square of f - y), "cross-entropy" or an ``estimators.Loss``.

    Raises
    ------
    ShapeError : a kernel or targets of another shape.
    InputError : entries that are not finite, a block of training inputs that is not symmetric or has a negative
        eigenvalue, a learning rate that is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> dynamics = LinearDynamics(np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 0.0]]), [1.0, -1.0])
    >>> dynamics.flow([0.0, 0.0, 0.0], [1.0, np.inf]).outputs.round(6)
    array([[ 0.632121, -0.632121,  0.632121],
           [ 1.      , -1.      ,  1.      ]])
    >>> round(dynamics.stability_threshold, 6)
    0.666667
    """

    kernel: Any
    targets: Any
    learning_rate: float = 1.0
    loss: str | Loss = "squared"

    def __post_init__(self) -> None:
        kernel = np.array(finite_array("kernel", self.kernel))
        if kernel.ndim not in (2, 3) or kernel.shape[-2] < kernel.shape[-1] or not kernel.size:
            raise ShapeError(f"kernel has shape {kernel.shape}, expected (P, N) or (samples, P, N) with N at most P")
        trained = kernel.shape[-1]
        shape = np.shape(self.targets)
        loss, targets = loss_function(self.loss, self.targets, shape[1] if len(shape) == 2 else None, trained)
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float | np.floating) or not 0 < rate < np.inf:
            raise InputError(f"learning_rate is {rate!r}, expected a positive number")
        for name, value in (("kernel", kernel), ("targets", targets), ("loss", loss), ("learning_rate", float(rate))):
            object.__setattr__(self, name, value)
        block = kernel[..., :trained, :]
        if np.abs(block - np.swapaxes(block, -1, -2)).max() > 1e-8 * np.abs(block).max():
            raise InputError("kernel is not symmetric between the training inputs, expected its first N rows to be so")

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        block = self.kernel[..., : self.kernel.shape[-1], :]
        values, vectors = np.linalg.eigh((block + np.swapaxes(block, -1, -2)) / 2)
        # Kernels from quadrature or from long sums have errors above those of the eigenvalue solver.
        if (values[..., 0] < -1e-9 * np.abs(values).max(axis=-1)).any():
            raise InputError(f"kernel has the eigenvalue {values.min():g}, expected none below zero")
        return np.maximum(values, 0.0), vectors

    @property
    def eigenvalues(self) -> Array:
        """Eigenvalues of the kernel between training inputs, ascending: shape (N,) or (samples, N)."""
        return self._spectrum[0]

    @property
    def rank(self) -> int:
        """Rank of the kernel between training inputs up to rounding; the smallest one over samples."""
        values = self.eigenvalues
        floor = ROUNDING * values.shape[-1] * values[..., -1:]
        return int((values > floor).sum(axis=-1).min())

    @property
    def stability_threshold(self) -> float:
        """Gradient descent on the squared loss diverges at larger learning rates: 2 / largest eigenvalue.

        With momentum m the threshold is 1 + m times that.
        """
        largest = float(self.eigenvalues.max())
        return 2 / largest if largest > 0 else float("inf")

    def check_rank(self) -> None:
        """Check that training can fit any targets.

        Raises
        ------
        ExactError : the kernel between training inputs is singular; the sentence tells its rank.
        """
        count = self.kernel.shape[-1]
        if self.rank < count:
            raise ExactError(
                f"the kernel between the {count} training inputs has rank {self.rank}, expected {count}: it is "
                f"singular for coinciding inputs, polynomial activations of low degree, and networks too narrow"
            )

    def flow(self, start: Any, times: Any) -> LinearRun:
        """Gradient flow on the squared loss, df/dt = -kernel @ (f - y), in closed form.

        Parameters
        ----------
        start : outputs at time 0, shape (P,) or (samples, P), with a last axis if there are several outputs.
        times : non-negative times; infinity for the end of training.

        Raises
        ------
        ShapeError, InputError : a start or times of another kind.
        ExactError : another loss; a singular kernel with an infinite time.

        Notes
        -----
        On training inputs f_t = y + exp(-t K) (f_0 - y). Elsewhere f_t = f_0 - k K^{-1} (1 - exp(-t K)) (f_0 - y),
        where the function of K is t where an eigenvalue is zero, so that singular kernels are no exception.
        """
        found = check_times(times)
        if np.isinf(found).any():
            self.check_rank()
        return LinearRun(found, self._closed(start, [self._flow_factors(t) for t in found]))

    def descent(self, start: Any, steps: Any) -> LinearRun:
        """Full-batch gradient descent on the squared loss in closed form, at a cost that does not depend on the steps.

        Parameters
        ----------
        start : as for `flow`.
        steps : numbers of steps, in any order.

        Raises
        ------
        ShapeError, InputError : a start or steps of another kind.
        ExactError : another loss.

        Examples
        --------
        >>> run = LinearDynamics([[4.0]], [1.0], learning_rate=0.6).descent([0.0], [0, 1, 2, 10**6])
        >>> run.outputs[:, 0].round(6).tolist(), run.diverged_at
        ([0.0, 2.4, -0.96], 44)
        """
        wanted = check_steps(steps)
        limit = self._divergence(self._residual(start), int(wanted.max()))
        if limit is not None:
            wanted = wanted[wanted < limit]
        outputs = self._closed(start, [self._descent_factors(int(s)) for s in wanted])
        return LinearRun(wanted.astype(float), outputs, limit)

    def recursion(
        self,
        start: Any,
        steps: Any,
        *,
        masks: Callable[[int], Any] | Any = None,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> LinearRun:
        """Any loss, mini-batches and momentum, step by step.

        Parameters
        ----------
        start, steps : as for `descent`.
        masks : which training inputs each step uses, as an array of shape (steps, N) or a function of the step's
            number, from 0, that returns one of shape (N,) or (samples, N). Entries multiply the gradients: 0 and 1, or
            weights. None uses all inputs.
        momentum : m in v <- m v + gradient, f <- f - eta v.
        nesterov : look ahead: f <- f - eta (gradient + m v).

        Raises
        ------
        ShapeError, InputError : arguments of another kind, or a loss that returns something else.

        Examples
        --------
        Single inputs in turn, under the logistic loss:

        >>> import numpy as np
        >>> dynamics = LinearDynamics(np.eye(2), [1.0, 0.0], learning_rate=0.5, loss="cross-entropy")
        >>> dynamics.recursion([0.0, 0.0], [1, 2], masks=lambda step: np.arange(2) == step % 2).outputs.tolist()
        [[0.25, 0.0], [0.25, -0.25]]
        """
        wanted = check_steps(steps)
        point: Array = self._start(start)
        rule, memory = Descent(self.learning_rate, momentum, nesterov=nesterov), None
        weights = masks_by_step(masks, self.kernel.shape[-1], int(wanted.max()))
        outputs: dict[int, Array] = {}
        bound = DIVERGENCE * (1 + _length(self._slopes(point)))
        diverged = None
        asked = set(wanted.tolist())
        with np.errstate(all="ignore"):
            for step in range(int(wanted.max()) + 1):
                # Neither infinity nor NaN is below the bound.
                if not (_length(self._slopes(point)) <= bound).all():
                    diverged = step
                    break
                if step in asked:
                    outputs[step] = point
                if step < wanted.max():
                    mask = weights(step)

                    def gradient(at: Array, mask: Array | None = mask) -> Array:
                        slopes = self._slopes(at)
                        return np.asarray(self.kernel @ (slopes if mask is None else slopes * mask))

                    point, memory = rule.advance(point, memory, gradient)
        kept = np.array([s for s in wanted if s in outputs], dtype=float)
        stacked = np.array([outputs[int(s)] for s in kept]).reshape(len(kept), *point.shape)
        return LinearRun(kept, self._shaped(stacked), diverged)

    def transition(self, *, time: float | None = None, steps: int | None = None) -> tuple[Array, Array]:
        """The affine map f_0 -> A f_0 + b that trains on the squared loss for a time, or for some steps.

        Returns
        -------
        A of shape (..., P, P) and b of shape (..., P) or (..., P, outputs).

        Raises
        ------
        InputError : not exactly one of time and steps; so many steps above the stability threshold that they overflow.
        ExactError : as for `flow`.

        Examples
        --------
        >>> matrix, shift = LinearDynamics([[1.0]], [3.0]).transition(time=np.log(2.0))
        >>> matrix.round(12).tolist(), shift.round(12).tolist()
        ([[0.5]], [1.5])
        """
        if (time is None) == (steps is None):
            raise InputError(f"time is {time!r} and steps is {steps!r}, expected exactly one of them")
        self._check_squared()
        if time is not None:
            if isinstance(time, bool) or not isinstance(time, int | float | np.number) or not time >= 0:
                raise InputError(f"time is {time!r}, expected a non-negative number")
            if time == np.inf:
                self.check_rank()
            decay, motion = self._flow_factors(time)
        else:
            if not isinstance(steps, int | np.integer):
                raise InputError(f"steps is {steps!r}, expected one non-negative integer")
            with np.errstate(over="ignore"):
                decay, motion = self._descent_factors(int(check_steps(steps)[0]))
            if not (np.isfinite(decay).all() and np.isfinite(motion).all()):
                raise InputError(
                    f"learning_rate is {self.learning_rate:g}, at which {steps} steps exceed the range of "
                    f"floating-point numbers, expected at most the stability threshold {self.stability_threshold:g}"
                )
        _, vectors = self._spectrum
        trained, total = self.kernel.shape[-1], self.kernel.shape[-2]
        transposed = np.swapaxes(vectors, -1, -2)
        matrix = np.zeros((*self.kernel.shape[:-2], total, total))
        matrix[..., :trained, :trained] = (vectors * decay[..., None, :]) @ transposed
        rest = self.kernel[..., trained:, :] @ ((vectors * motion[..., None, :]) @ transposed)
        matrix[..., trained:, :trained] = -rest
        matrix[..., trained:, trained:] = np.eye(total - trained)
        gain = np.concatenate([(vectors * (1 - decay)[..., None, :]) @ transposed, rest], axis=-2)
        return matrix, np.asarray(gain @ self.targets)

    # Axes inside: (samples..., inputs, outputs), with one output where the caller has none.

    @property
    def _y(self) -> Array:
        return np.asarray(self.targets if self.targets.ndim == 2 else self.targets[:, None])

    def _start(self, start: Any) -> Array:
        array = finite_array("start", start)
        own, samples = (self.kernel.shape[-2], *self.targets.shape[1:]), self.kernel.shape[:-2]
        batch = array.shape[: -len(own)] if array.ndim >= len(own) else ()
        if array.shape[len(batch) :] != own or len(batch) > 1 or (samples and batch not in ((), samples)):
            raise ShapeError(
                f"start has shape {array.shape}, expected {own} or {(*(samples or ('samples',)), *own)}: "
                f"outputs at all inputs of the kernel"
            )
        array = array if self.targets.ndim == 2 else array[..., None]
        return np.broadcast_to(array, (*(batch or samples), *array.shape[len(batch) :]))

    def _shaped(self, outputs: Array) -> Array:
        return outputs if self.targets.ndim == 2 else outputs[..., 0]

    def _slopes(self, outputs: Array) -> Array:
        """Gradient of the loss by the training outputs."""
        trained = self._shaped(outputs[..., : self.kernel.shape[-1], :])
        assert isinstance(self.loss, Loss)
        slopes = np.asarray(self.loss.gradient(trained, self.targets), dtype=float)
        if slopes.shape != trained.shape:
            raise ShapeError(
                f"the gradient of the loss {self.loss.name!r} has shape {slopes.shape}, expected that of the outputs, "
                f"{trained.shape}"
            )
        return slopes if self.targets.ndim == 2 else slopes[..., None]

    def _residual(self, start: Any) -> Array:
        return np.asarray(self._start(start)[..., : self.kernel.shape[-1], :] - self._y)

    def _closed(self, start: Any, factors: Sequence[tuple[Array, Array]]) -> Array:
        """Outputs for each pair of what is left of a mode, and how far elsewhere it moves per kernel and residual."""
        self._check_squared()
        first, trained, vectors = self._start(start), self.kernel.shape[-1], self._spectrum[1]
        modes = np.swapaxes(vectors, -1, -2) @ (first[..., :trained, :] - self._y)
        images = self.kernel[..., trained:, :] @ vectors
        outputs = np.empty((len(factors), *first.shape))
        for row, (decay, motion) in zip(outputs, factors, strict=True):
            row[..., :trained, :] = self._y + vectors @ (decay[..., None] * modes)
            row[..., trained:, :] = first[..., trained:, :] - images @ (motion[..., None] * modes)
        return self._shaped(outputs)

    def _check_squared(self) -> None:
        assert isinstance(self.loss, Loss)
        if self.loss.name != "squared":
            raise ExactError(f"loss is {self.loss.name!r}, expected 'squared' for a closed form: use recursion")

    def _flow_factors(self, time: float) -> tuple[Array, Array]:
        values, _ = self._spectrum
        if time == np.inf:
            return np.zeros_like(values), 1 / values
        motion = np.full_like(values, time)
        np.divide(-np.expm1(-time * values), values, out=motion, where=values > 0)
        return np.exp(-time * values), motion

    def _descent_factors(self, steps: int) -> tuple[Array, Array]:
        values, _ = self._spectrum
        move = self.learning_rate * values
        # 1 - (1 - move)^steps loses digits for small moves, and the logarithm does not exist for large ones.
        small = move < 0.5
        lost = np.where(small, -np.expm1(steps * np.log1p(-np.where(small, move, 0.0))), 1 - (1 - move) ** steps)
        motion = np.full_like(values, steps * self.learning_rate)
        np.divide(lost, values, out=motion, where=values > 0)
        return (1 - move) ** steps, motion

    def _divergence(self, residual: Array, last: int) -> int | None:
        """The first step up to the last with a residual beyond the bound for some sample."""
        self._check_squared()
        values, vectors = self._spectrum
        modes = np.swapaxes(vectors, -1, -2) @ residual
        bound = DIVERGENCE * (1 + _length(residual))
        base = np.abs(1 - self.learning_rate * values)[..., None]

        def beyond(step: int) -> bool:
            with np.errstate(over="ignore", invalid="ignore"):
                return not (_length(base**step * modes) <= bound).all()

        # The squared length is a sum of exponentials of the step, hence convex: it crosses the bound at most once.
        if not beyond(last):
            return None
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if beyond(middle) else (middle, high)
        return high


def _length(vectors: Array) -> Array:
    return np.asarray(np.sqrt((vectors**2).sum(axis=(-2, -1))))
