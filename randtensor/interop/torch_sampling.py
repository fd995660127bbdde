"""Quantities of this library sampled with PyTorch, on a graphics processor for example, in double or single precision.

>>> import numpy as np, randtensor as rt
>>> n = rt.Scale("n")
>>> f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="tanh")
>>> g = f.derivative([1.0, -1.0])
>>> kernel = rt.einsum("a,a->", g, g)
>>> on_torch(kernel, dtype="float32").sample(1000, size=3, rng=0).shape
(3,)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from randtensor.arguments import positive_integer
from randtensor.errors import InputError
from randtensor.interop.library import check_dtype, first_line
from randtensor.interop.torch_arrays import TorchArray, TorchGenerator
from randtensor.quantity import Draw, Quantity, Sizes
from randtensor.seeding import block_generator

__all__ = ["OnTorch", "on_torch"]

#: Blocks of the processor that make one on another device, which wants far more numbers in one call.
BLOCKS_ON_DEVICE = 32


def on_torch(
    quantity: Quantity,
    *,
    device: Any = "cpu",
    dtype: Any = "float64",
    normals: str = "device",
    blocks: int | None = None,
) -> OnTorch:
    """The same quantity, whose samples PyTorch draws and works out: the law is the same, the bits are others.

    Parameters
    ----------
    quantity : contractions of derivative tensors of programs and ``rt.networks`` with Gaussian weights, and what is
        computed from them entry by entry. Weights of other laws are drawn by NumPy and moved.
    device : as PyTorch names it, such as "cuda" or "cuda:1".
    dtype : "float64" or "float32". Single precision leaves about five digits of a third derivative.
    normals : "device" draws normal numbers with the generator of the device; "host" takes those of NumPy, so that
        samples equal those of ``quantity`` to rounding (with ``blocks=1``), at the cost of moving them.
    blocks : how many of the quantity's blocks are drawn side by side; default: 1 on the processor, 32 elsewhere. It is
        part of the random streams. Memory grows with it.

    Raises
    ------
    InputError : something that is no quantity, or options that PyTorch or this function does not know; when samples are
        drawn, a step that does not run on tensors of PyTorch.

    Same seed, same bits holds on one device with one version of PyTorch. With an accelerator take ``jobs=1``: its work
    is handed out by one thread.

    Examples
    --------
    >>> import estimators, randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=2, width=n)
    >>> size = f([1.0, 1.0])
    >>> here = estimators.estimate(size, 64, samples=200, rng=0)
    >>> there = estimators.estimate(on_torch(size, normals="host"), 64, samples=200, rng=0)
    >>> abs(here.value - there.value) < 1e-12
    True
    """
    return OnTorch(quantity, device, dtype, normals, blocks)


class OnTorch(Quantity):
    """A quantity that is sampled with PyTorch; made by `on_torch`."""

    def __init__(self, quantity: Quantity, device: Any, dtype: Any, normals: str, blocks: int | None) -> None:
        if not isinstance(quantity, Quantity) or isinstance(quantity, OnTorch):
            raise InputError(f"quantity is {quantity!r}, expected a quantity that NumPy samples")
        if quantity.is_complex:
            raise InputError(f"quantity is {quantity!r}, expected a real one")
        if normals not in ("device", "host"):
            raise InputError(f"normals is {normals!r}, expected 'device' or 'host'")
        self.dtype = check_dtype(dtype)
        try:
            self.device = str(torch.empty(1, device=device).device)
        except (RuntimeError, TypeError, AssertionError) as error:
            raise InputError(
                f"device is {device!r}, expected one that PyTorch has here ({first_line(error)})"
            ) from error
        self.quantity, self.normals = quantity, normals
        usual = 1 if self.device == "cpu" else BLOCKS_ON_DEVICE
        self.blocks = usual if blocks is None else positive_integer("blocks", blocks)
        self.version = str(torch.__version__)
        self.scale_names, self.shape, self.shape_known = quantity.scale_names, quantity.shape, quantity.shape_known
        self.probes, self.only_squares = quantity.probes, quantity.only_squares

    @property
    def fingerprint(self) -> str:
        how = f"{self.device},{self.dtype},{self.normals},{self.blocks}"
        return f"torch({self.quantity.fingerprint};{how})"

    def describe(self) -> str:
        return f"{self.quantity.describe()} on {self.device} in {self.dtype}"

    def occurrences(self) -> tuple[object, ...]:
        return self.quantity.occurrences()

    def block_length(self, sizes: Sizes) -> int:
        return self.blocks * self.quantity.block_length(sizes)

    def sample_block(self, sizes: Sizes, block: int, root: np.random.SeedSequence) -> np.ndarray:
        # the streams are those of the quantity itself, which host normals turn into the same samples
        bits = block_generator(root, self.quantity.fingerprint, sizes, block).bit_generator
        like = torch.empty(0, dtype=getattr(torch, self.dtype), device=self.device)
        generator = TorchGenerator(bits, like, self.normals == "host")
        with torch.inference_mode(), Draw(sizes, self.block_length(sizes), generator) as draw:
            values: Any = self.quantity.evaluate(draw)
        if not isinstance(values, TorchArray):
            raise InputError(f"{self.quantity.describe()} gave {type(values).__name__}, expected a tensor of PyTorch")
        return values.numpy().astype(float)

    def evaluate(self, draw: Draw) -> np.ndarray:
        raise InputError(
            f"{self.describe()} was combined with another quantity, expected on_torch of the whole combination: what "
            "they have in common is drawn once"
        )

    def expectation(self, n: int | Mapping[Any, int] | None = None) -> Any:
        return self.quantity.expectation(n)

    def variance(self, n: int | Mapping[Any, int] | None = None) -> Any:
        return self.quantity.variance(n)

    def cumulant(self, k: int, n: int | Mapping[Any, int] | None = None) -> Any:
        return self.quantity.cumulant(k, n)

    def explain(self, statistic: str = "rms") -> Any:
        return self.quantity.explain(statistic)
