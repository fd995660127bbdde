"""Which kind of network a kind of random function makes."""

from __future__ import annotations

from typing import Any

from estimators.training.dense import DenseNetwork
from estimators.training.programs import ProgramNetwork
from estimators.training.systems import Network, Task
from randtensor.errors import InputError
from randtensor.interop.dense import DenseFunction
from randtensor.parametric import ParametricFunction
from randtensor.quantity import Draw
from randtensor.random_function import RandomFunction

__all__ = ["network_of"]

_KINDS: dict[type[ParametricFunction], Any] = {RandomFunction: ProgramNetwork, DenseFunction: DenseNetwork}


def network_of(function: ParametricFunction, task: Task, draw: Draw) -> Network:
    """The networks of one block of samples of a random function.

    Raises
    ------
    InputError : a function of another kind.
    """
    for kind, network in _KINDS.items():
        if isinstance(function, kind):
            found: Network = network(function, task, draw)
            return found
    names = " or ".join(kind.__name__ for kind in _KINDS)
    raise InputError(f"function is {function!r}, expected a {names}")
