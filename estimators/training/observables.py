"""What is recorded of a training run, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimators.training.snapshots import Snapshot
from randtensor.errors import InputError

__all__ = ["OBSERVABLES", "Observable", "observables"]

Array = np.ndarray


@dataclass(frozen=True)
class Observable:
    """A function of a snapshot.

    Attributes
    ----------
    name : in results, and what stands for the function where runs are told apart: two functions want two names.
    compute : gives an array whose first axis runs over the samples of the block.
    needs : "linear" or "limit" where the observable compares with such a reference.
    text : one line about it.
    input_axes : axes of the result that run over the inputs (or over inputs times outputs).

    Examples
    --------
    The features of the last layer alone:

    >>> import estimators, randtensor as rt
    >>> last = Observable("last layer", lambda snapshot: snapshot.feature_change[:, -1], input_axes=(1,))
    >>> f = rt.networks.mlp(inputs=1, width=rt.Scale("n"), hidden_layers=2)
    >>> run = estimators.train(f, [[1.0], [-1.0]], [0.5, 1.0], steps=3, n=32, observe=[last], rng=0)
    >>> run["last layer"].shape
    (1, 4, 2)
    """

    name: str
    compute: Callable[[Snapshot], Array]
    needs: str = ""
    text: str = ""
    input_axes: tuple[int, ...] = ()


def _linear(snapshot: Snapshot) -> Array:
    assert snapshot.linear is not None
    return snapshot.linear


def _limit(snapshot: Snapshot) -> Array:
    assert snapshot.limit is not None
    return snapshot.limit


OBSERVABLES: dict[str, Observable] = {
    o.name: o
    for o in (
        Observable(
            "outputs", lambda s: s.outputs, text="outputs at all inputs, those of training first", input_axes=(1,)
        ),
        Observable("loss", lambda s: s.loss, text="mean loss over the training inputs"),
        Observable(
            "linear_outputs",
            _linear,
            "linear",
            "outputs of the linearisation at the initial parameters",
            input_axes=(1,),
        ),
        Observable(
            "linearization_error",
            lambda s: s.outputs - _linear(s),
            "linear",
            "outputs minus those of the linearisation",
            input_axes=(1,),
        ),
        Observable(
            "limit_outputs",
            _limit,
            "limit",
            "outputs of infinite width, started from the same outputs",
            input_axes=(1,),
        ),
        Observable(
            "limit_error",
            lambda s: s.outputs - _limit(s),
            "limit",
            "outputs minus those of infinite width",
            input_axes=(1,),
        ),
        Observable("kernel", lambda s: s.kernel, text="tangent kernel, without the learning rate", input_axes=(1, 2)),
        Observable(
            "kernel_change",
            lambda s: s.kernel - s.initial.kernel,
            text="tangent kernel minus the initial one",
            input_axes=(1, 2),
        ),
        Observable(
            "gradient_change",
            lambda s: s.gradient_change,
            text="length of the change of each output's gradient",
            input_axes=(1,),
        ),
        Observable("parameter_motion", lambda s: s.motion, text="length of the way of the parameters"),
        Observable(
            "largest_motion", lambda s: s.largest_motion, text="largest change of one parameter held by entries"
        ),
        Observable(
            "feature_scale",
            lambda s: s.feature_scale,
            text="rms of the activations by layer and input",
            input_axes=(2,),
        ),
        Observable(
            "feature_change",
            lambda s: s.feature_change,
            text="rms change of the activations by layer and input",
            input_axes=(2,),
        ),
        Observable(
            "second_correlation",
            lambda s: s.correlation(2),
            text="C^(0,2) without learning rate, at each input",
            input_axes=(1,),
        ),
        Observable(
            "third_correlation",
            lambda s: s.correlation(3),
            text="C^(0,3) without learning rate, at each input",
            input_axes=(1,),
        ),
    )
}


def observables(choice: Any, argument: str = "observe") -> tuple[Observable, ...]:
    """Observables from names, or from a mapping of names to functions of a `Snapshot`; errors name the argument.

    Raises
    ------
    InputError : an unknown name, none at all, or something that is not a function.

    >>> [o.name for o in observables(["loss", "outputs"])]
    ['loss', 'outputs']
    """
    if isinstance(choice, str):
        choice = [choice]
    if not isinstance(choice, Collection) or not choice:
        raise InputError(f"{argument} is {choice!r}, expected names among {', '.join(OBSERVABLES)}")
    if isinstance(choice, Mapping):
        for name, function in choice.items():
            if not callable(function):
                raise InputError(f"{argument}[{name!r}] is {function!r}, expected a function of a snapshot")
        return tuple(Observable(str(name), function) for name, function in choice.items())
    found = []
    for item in choice:
        if isinstance(item, Observable):
            found.append(item)
        elif item in OBSERVABLES:
            found.append(OBSERVABLES[item])
        else:
            raise InputError(f"{argument} has {item!r}, expected names among {', '.join(OBSERVABLES)}")
    return tuple(found)
