"""Generators that do not end well, run in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np


def slow(count: int) -> Iterator[Any]:
    for k in range(count):
        yield {"k": k}
    time.sleep(60)


def greedy(gigabytes: float) -> Iterator[Any]:
    yield "small"
    held = np.ones(int(gigabytes * 2**27))
    time.sleep(60)
    yield held.size


def broken(message: str) -> Iterator[Any]:
    yield 1
    raise ValueError(message)
