"""Which inputs a step of training sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from estimators.training.systems import Batch
from randtensor.errors import InputError

__all__ = ["Batches", "check_batch"]


def check_batch(choice: Any, count: int) -> str | int:
    """A batch choice that can be used with ``count`` inputs.

    Raises
    ------
    InputError : anything but "full", "cyclic" or a size from 1 to ``count``.
    """
    if isinstance(choice, str) and choice in ("full", "cyclic"):
        return choice
    if isinstance(choice, int | np.integer) and not isinstance(choice, bool) and 1 <= choice <= count:
        return int(choice)
    raise InputError(f"batch is {choice!r}, expected 'full', 'cyclic' or a number of inputs from 1 to {count}")


class Batches:
    """The batches of one block of samples, step by step.

    Parameters
    ----------
    choice : "full": all inputs. "cyclic": one input after the other. A number: that many, from an order that is drawn
        anew for each epoch and each sample; the last ones of an epoch that fill no batch are left out.
    count : number of training inputs.
    reduction : "mean" or "sum" over the inputs of a batch.
    samples : number of samples in the block.
    generator : of the orders.

    >>> batches = Batches("cyclic", 3, "mean", 1, np.random.default_rng(0))
    >>> [batches(step).inputs for step in range(4)]
    [(0,), (1,), (2,), (0,)]
    """

    def __init__(
        self, choice: str | int, count: int, reduction: str, samples: int, generator: np.random.Generator
    ) -> None:
        self.choice, self.count, self.samples, self._generator = choice, count, samples, generator
        size = {"full": count, "cyclic": 1}.get(str(choice), choice)
        self._weight = 1.0 / int(size) if reduction == "mean" else 1.0

    def __call__(self, step: int) -> Batch:
        """The batch of a step; steps are asked for in turn."""
        if self.choice == "cyclic":
            return Batch((step % self.count,), np.array([self._weight]))
        everything = tuple(range(self.count))
        if isinstance(self.choice, str):
            return Batch(everything, np.full(self.count, self._weight))
        place = step % (self.count // self.choice)
        if place == 0:
            scores = self._generator.random((self.samples, self.count))
            self._ranks = scores.argsort(axis=1).argsort(axis=1)
        chosen = self._ranks // self.choice == place
        return Batch(everything, np.where(chosen, self._weight, 0.0))
