"""Numbers computed from tensors that are drawn whole."""

from __future__ import annotations

from math import prod

import numpy as np

from randtensor.dimensions import evaluate_shape
from randtensor.errors import InputError
from randtensor.quantity import Quantity, Sizes
from randtensor.tensors import DenseTensor

__all__ = ["TensorFunctional"]


class TensorFunctional(Quantity):
    """Base of norms and spectra: one number for each sample of a tensor that is drawn whole.

    Raises
    ------
    InputError : a tensor of which only estimates are drawn.
    """

    def __init__(self, tensor: Quantity, kind: str) -> None:
        self.tensor, self.kind, self.scale_names = tensor, kind, tensor.scale_names
        if tensor.probes > 1:
            raise InputError(
                "tensor is only estimated, with random probes, expected one that is known exactly (probes=0)"
            )

    def describe(self) -> str:
        return f"{self.kind} of {self.tensor.describe()}"

    @property
    def fingerprint(self) -> str:
        return f"{self.kind}({self.tensor.fingerprint})"

    def occurrences(self) -> tuple[object, ...]:
        return self.tensor.occurrences()

    def block_length(self, sizes: Sizes) -> int:
        entries = prod(evaluate_shape(self.tensor.dimensions, sizes)) if isinstance(self.tensor, DenseTensor) else 1
        return min(self.tensor.block_length(sizes), int(np.clip(2**16 // entries, 1, 64)))
