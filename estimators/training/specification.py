"""What a training run consists of, and its trajectory on one block of samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np

from estimators.training.batches import Batches, check_batch
from estimators.training.divergence import Divergence
from estimators.training.kinds import network_of
from estimators.training.losses import Loss, loss_function
from estimators.training.observables import Observable
from estimators.training.rules import Adam, Descent, Flow, FlowError, Rule
from estimators.training.snapshots import Snapshot
from estimators.training.systems import LinearSystem, Network, Task
from randtensor.dimensions import check_factor, evaluate_factor, scale_names
from randtensor.errors import InputError, ShapeError
from randtensor.interop.dense import DenseFunction
from randtensor.parametric import ParametricFunction, check_input
from randtensor.quantity import Draw, Sizes

__all__ = ["Training"]

Array = np.ndarray

#: Directions of a matrix that a trajectory reveals before it stays in their span: smaller matrices are drawn whole.
TYPICAL_DIRECTIONS = 160

#: Parameters of the networks that are trained side by side: more would leave the cache.
BLOCK_ENTRIES = 2**18

#: At these sizes a learning rate that depends on them is tried out.
TYPICAL_SIZE = 1024


@dataclass(frozen=True, eq=False, repr=False)
class Training:
    """Training of a random function by gradient descent or gradient flow, at any size of its scales.

    Parameters
    ----------
    function : the network, scalar or vector valued.
    inputs : training inputs, shape (N, *input shape).
    targets : shape (N,) for scalar outputs, (N, outputs) for vectors; class numbers for cross-entropy.
    learning_rate : a number, or an order such as ``0.2 * n**-0.5``. For gradient flow: time per step.
    steps : number of steps.
    loss : "squared", "cross-entropy" or an ``estimators.Loss``.
    batch : "full", "cyclic" (one input after the other) or the size of random mini-batches.
    reduction : "mean" or "sum" over the inputs of a batch.
    flow : gradient flow, integrated to ``tolerance``, in place of descent. Networks of one block share their steps,
        which become many and small where gradients jump, as those of ReLU networks do.
    momentum, dampening, nesterov, weight_decay : as in PyTorch's SGD.
    optimizer : "sgd", or "adam" for models of PyTorch and JAX, whose parameters are held entry by entry.
    betas, epsilon : of Adam.
    rates : multiples of the learning rate by parameter name, numbers or orders.
    test : further inputs at which the run is observed.
    limit : tangent kernel of infinite width between all inputs and the training inputs, for comparison with infinite
        width: shape (inputs, N), the same for every output, as ``estimators.tangent_kernel`` gives it, or
        (inputs * outputs, N * outputs).

    Raises
    ------
    InputError, ShapeError : an argument outside its range, or shapes that do not fit.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=2, width=n)
    >>> run = Training(f, [[1.0, 0.0], [0.6, 0.8]], [1.0, -1.0], learning_rate=0.2 * n**-0.5, steps=10, momentum=0.9)
    >>> run.scale_names, run.output_shape
    (('n',), ())
    >>> run
    <Training: training of mlp on 2 inputs, 10 steps>
    """

    function: ParametricFunction
    inputs: Any
    targets: Any
    learning_rate: Any = 0.1
    steps: int = 1
    loss: Any = "squared"
    batch: Any = "full"
    reduction: str = "mean"
    flow: bool = False
    tolerance: float = 1e-9
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    rates: Mapping[str, Any] | None = None
    optimizer: str = "sgd"
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    test: Any = None
    limit: Any = None

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        if not isinstance(self.function, ParametricFunction):
            raise InputError(f"function is {self.function!r}, expected a random function such as rt.networks.mlp(...)")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int | np.integer) or self.steps < 0:
            raise InputError(f"steps is {self.steps!r}, expected a non-negative integer")
        if self.reduction not in ("mean", "sum"):
            raise InputError(f"reduction is {self.reduction!r}, expected 'mean' or 'sum'")
        decay = self.weight_decay
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay < np.inf:
            raise InputError(f"weight_decay is {decay!r}, expected a non-negative number")
        inputs = _stack("X", self.inputs)
        if len(inputs) == 0:
            raise ShapeError(f"X has shape {inputs.shape}, expected at least one input")
        test = inputs[:0] if self.test is None else _stack("test", self.test)
        if test.shape[1:] != inputs.shape[1:]:
            raise ShapeError(f"test has inputs of shape {test.shape[1:]}, expected {inputs.shape[1:]} as X has")
        put("inputs", inputs)
        put("test", test)
        put("learning_rate", _factor("learning_rate", self.learning_rate))
        if not isinstance(self.rates, Mapping | None):
            raise InputError(f"rates is {self.rates!r}, expected a mapping from names of parameters to numbers")
        put("rates", {name: _factor(f"rates[{name!r}]", rate) for name, rate in (self.rates or {}).items()})
        for name, rate in self.rates.items():  # type: ignore[union-attr]
            if isinstance(rate, int | float | Fraction) and rate < 0:
                raise InputError(f"rates[{name!r}] is {rate}, expected a non-negative number or an order")
        unknown = sorted(self.rates.keys() - set(self.function.space.names))  # type: ignore[union-attr]
        if unknown:
            names = ", ".join(self.function.space.names)
            raise InputError(f"rates has the parameter {unknown[0]!r}, expected names among {names}")
        if self.rates and self.weight_decay:
            raise InputError("weight_decay is given together with rates, expected one of them")
        outputs = self.function.outputs(inputs.shape[1:])
        loss, targets = loss_function(self.loss, self.targets, outputs, len(inputs))
        put("loss", loss)
        put("targets", targets)
        put("batch", check_batch(self.batch, len(inputs)))
        if self.flow and (self.batch != "full" or self.momentum or self.dampening or self.nesterov):
            raise InputError("flow is True, expected the full batch and no momentum, dampening or nesterov with it")
        self._check_optimizer()
        if self.limit is not None:
            if self.rates:
                raise InputError("limit is given together with rates, expected one of them: it weighs parameters alike")
            limit = check_input(self.limit, "limit")
            width = outputs or 1
            expected = (len(self.points), len(inputs))
            if limit.shape == expected:
                limit = np.kron(limit, np.eye(width))
            if limit.shape != (len(self.points) * width, len(inputs) * width):
                raise ShapeError(f"limit has shape {limit.shape}, expected {expected}: all inputs by training inputs")
            put("limit", limit)
        self.rule(dict.fromkeys(self.scale_names, TYPICAL_SIZE))

    def _check_optimizer(self) -> None:
        if self.optimizer not in ("sgd", "adam"):
            raise InputError(f"optimizer is {self.optimizer!r}, expected 'sgd' or 'adam'")
        if self.optimizer == "sgd":
            return
        if self.flow or self.momentum or self.dampening or self.nesterov or self.limit is not None:
            raise InputError("optimizer is 'adam', expected no flow, momentum, dampening, nesterov or limit with it")
        if not isinstance(self.function, DenseFunction):
            raise InputError(
                f"optimizer is 'adam' for {self.function!r}, whose matrices are not held entry by entry, expected a "
                f"model of randtensor.interop"
            )

    @cached_property
    def points(self) -> Array:
        """All inputs, those of training first."""
        return np.concatenate([self.inputs, self.test])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the outputs at one input."""
        outputs = self.function.outputs(self.inputs.shape[1:])
        return () if outputs is None else (outputs,)

    @cached_property
    def scale_names(self) -> tuple[str, ...]:
        """Scales that the run depends on."""
        own = {*scale_names([self.learning_rate, *self.rates.values()])}  # type: ignore[union-attr]
        return tuple(
            sorted({*self.function.scale_names(self.inputs.shape[1:]), *own} - self.function.space.sizes.keys())
        )

    @property
    def name(self) -> str:
        """The training in a few words."""
        return f"{'gradient flow' if self.flow else 'training'} of {self.function.name}"

    def __repr__(self) -> str:
        return f"<Training: {self.name} on {len(self.inputs)} inputs, {self.steps} steps>"

    @cached_property
    def fingerprint(self) -> str:
        """Text that identifies the law of the run."""
        loss: Loss = self.loss
        arrays = hashlib.sha256()
        for array in (self.inputs, self.targets, self.test, self.limit):
            arrays.update(
                b"none" if array is None else repr(array.shape).encode() + np.ascontiguousarray(array).tobytes()
            )
        options = (
            f"{self.learning_rate},{self.steps},{loss.name},{self.batch},{self.reduction},{self.flow},{self.tolerance!r},"
            f"{self.momentum!r},{self.dampening!r},{self.nesterov},{self.weight_decay!r},"
            + (f"{self.optimizer},{self.betas},{self.epsilon!r}," if self.optimizer != "sgd" else "")
            + ",".join(f"{name}:{rate}" for name, rate in sorted(self.rates.items()))  # type: ignore[union-attr]
        )
        return f"training:{self.function.fingerprint(self.inputs.shape[1:])}:{arrays.hexdigest()[:16]}:{options}"

    def rule(self, sizes: Sizes) -> Rule:
        """How points move, at these sizes."""
        rate = evaluate_factor(self.learning_rate, {**sizes, **self.function.space.sizes})
        if self.flow:
            return Flow(rate, self.tolerance)
        if self.optimizer == "adam":
            return Adam(rate, self.betas, self.epsilon, self._rates(sizes))
        return Descent(rate, self.momentum, self.dampening, self.nesterov)

    def _rates(self, sizes: Sizes) -> dict[str, float]:
        everything = {**sizes, **self.function.space.sizes}
        return {name: evaluate_factor(rate, everything) for name, rate in self.rates.items()}  # type: ignore[union-attr]

    def block_length(self, sizes: Sizes) -> int:
        """Networks trained side by side."""
        entries = self.function.space.entries(sizes, self._vectors)
        return int(np.clip(BLOCK_ENTRIES // max(entries, 1), 1, 2048))

    @property
    def _vectors(self) -> int:
        per_step = 1 if self.batch == "cyclic" else len(self.inputs)
        return min(len(self.points) + per_step * (12 * self.steps if self.flow else self.steps), TYPICAL_DIRECTIONS)

    def snapshots(
        self, draw: Draw, steps: Sequence[int], observed: Sequence[Observable], divergence: Divergence
    ) -> Iterator[Snapshot]:
        """The networks of one block at increasing steps, as long as one of them is within bounds.

        ``divergence`` takes note of those that are not; what snapshots say of them means nothing.
        """
        sizes = {**draw.sizes, **self.function.space.sizes}
        # Adam does not see multiples of the gradient
        rates = {} if self.optimizer == "adam" else self._rates(sizes)
        # remembered, so that two observables of one training see the same mini-batches
        seed = draw.remember(
            (self.function.space, "mini-batches", self.batch, len(self.inputs)),
            lambda: draw.generator.integers(2**63, size=4),
        )
        orders = np.random.Generator(np.random.SFC64(seed))
        task = Task(self.points, self.targets, self.loss.gradient, rates, self.weight_decay, self._vectors)
        network = network_of(self.function, task, draw)
        trained = len(self.inputs)
        batches = Batches(self.batch, trained, self.reduction, draw.batch, orders)
        rule = self.rule(sizes)
        point, memory = network.start, None
        initial = Snapshot(network, point, 0, rule.learning_rate, trained, self.loss.value)
        divergence.start(initial.outputs, self.targets)
        systems = self._references(network, initial, {o.needs for o in observed})
        states: dict[str, tuple[Array, Any]] = {name: (system.start, None) for name, system in systems.items()}
        wanted = set(steps)
        for step in range(max(wanted) + 1):
            snapshot = initial
            if step:
                snapshot = Snapshot(network, point, step, rule.learning_rate, trained, self.loss.value)
                snapshot.initial = initial
            if step in wanted or self.flow:
                divergence.check(snapshot.outputs, step)
            for name, (values, _) in states.items():
                divergence.check(values, step, name)
                setattr(snapshot, name, values)
            if divergence.dead.all():
                return
            if step in wanted:
                yield snapshot
            if step == max(wanted):
                return
            batch = batches(step)
            # within a step a flow is tried out at points that it does not come to
            watch = divergence.ignore if self.flow else partial(divergence.check, step=step)
            try:
                point, memory = rule.advance(point, memory, partial(network.gradient, batch=batch, watch=watch))
                for name, system in systems.items():
                    field = partial(system.gradient, batch=batch, resting=divergence.dead)
                    states[name] = rule.advance(*states[name], field)
            except FlowError:
                divergence.stop(np.ones(draw.batch, dtype=bool), step + 1)
                return

    def _references(self, network: Network, initial: Snapshot, needed: set[str]) -> dict[str, LinearSystem]:
        found = {}
        if needed - {""} and self.optimizer == "adam":
            raise InputError(
                "optimizer is 'adam', which does not train the linearisation in function space, expected observables "
                "that do not compare with it"
            )
        if "linear" in needed:
            found["linear"] = self._linearization(network, initial)
        if "limit" in needed:
            found["limit"] = self._limit(initial)
        return found

    def _linearization(self, network: Network, initial: Snapshot) -> LinearSystem:
        width = prod(self.output_shape)
        gradients = initial.gradients
        theta = network.kernel(gradients, gradients[: len(self.inputs) * width])
        linear_start = None
        if self.weight_decay:
            images = [network.start_product(gradient) for gradient in gradients]
            linear_start = np.stack(images, axis=1).reshape(initial.outputs.shape)
        return LinearSystem(initial.outputs, theta, self.targets, self.loss.gradient, self.weight_decay, linear_start)

    def _limit(self, initial: Snapshot) -> LinearSystem:
        if self.limit is None:
            raise InputError("limit is None, expected the tangent kernel of infinite width to compare with")
        if self.weight_decay:
            raise InputError(f"weight_decay is {self.weight_decay!r}, expected 0 for a comparison with infinite width")
        return LinearSystem(initial.outputs, self.limit[None], self.targets, self.loss.gradient)


def _stack(name: str, value: Any) -> Array:
    array = check_input(value, name)
    if array.ndim == 0:
        raise ShapeError(f"{name} has shape {array.shape}, expected a stack of inputs")
    return array


def _factor(name: str, value: Any) -> Any:
    try:
        return check_factor(value)
    except InputError as error:
        raise InputError(name + str(error).removeprefix("the factor")) from None
