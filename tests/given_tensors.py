"""Norms of arrays that are given: a quantity whose samples they are."""

from __future__ import annotations

import numpy as np

import randtensor as rt
from randtensor.quantity import Quantity


class Given(Quantity):
    """Arrays as a quantity, one sample for each entry of the first axis."""

    def __init__(self, arrays):
        self.arrays = np.asarray(arrays)

    fingerprint = "given"

    def block_length(self, sizes):
        return len(self.arrays)

    def evaluate(self, draw):
        return self.arrays


def values(arrays, kind="injective", **options):
    return rt.norm(Given(arrays), kind, **options).sample(size=len(arrays), rng=0)


def bracket(arrays, kind="injective", **options):
    return rt.norm(Given(arrays), kind, **options).bracket(size=len(arrays), rng=0)


def gaussian(shape, seed, complex_valued=False):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if complex_valued else 0)


def product_of(vectors):
    result = np.array(1.0)
    for vector in vectors:
        result = np.multiply.outer(result, vector)
    return result
