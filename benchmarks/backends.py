"""The same quantity by NumPy and by PyTorch: on the processor, and on an accelerator where there is one.

One thread for everyone on the processor, since threads are for samples there. What is not installed, or not there, is
left out and named.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks._measure import Timing, in_subprocess, interleaved
from benchmarks._section import Section, Target
from benchmarks._subject import cubic

__all__ = ["WIDTHS", "measure"]

WIDTHS = (2**8, 2**12, 2**16, 2**18)

DTYPES = ("float64", "float32")

#: Samples of which PyTorch is given the normal numbers of NumPy, to compare them one by one.
COMPARED = 16


def available() -> tuple[list[str], str]:
    """Devices that PyTorch has here, and what is left out."""
    if find_spec("torch") is None:
        return [], "PyTorch is not installed: skipped."
    import torch

    if torch.cuda.is_available():
        return ["cpu", "cuda"], f"PyTorch {torch.__version__}; cuda is {torch.cuda.get_device_name()}."
    return ["cpu"], f"PyTorch {torch.__version__}; there is no accelerator here: skipped."


def times(width: int, devices: list[str]) -> dict[str, list[float]]:
    """Seconds per sample by kind, in turns; run in a process of its own."""
    quantity = cubic()
    kinds: dict[str, Any] = {"NumPy": quantity}
    if devices:
        import torch

        from randtensor.interop.torch_sampling import on_torch

        torch.set_num_threads(1)
        for device in devices:
            for dtype in DTYPES:
                kinds[f"{device}, {dtype}"] = on_torch(quantity, device=device, dtype=dtype)
    counts = {name: kind.block_length({"n": width}) for name, kind in kinds.items()}

    # samples arrive as arrays of NumPy, so that a call ends when the device has
    def call(name: str) -> Callable[[int], Any]:
        return lambda seed: kinds[name].sample(width, size=counts[name], rng=seed)

    found = interleaved({name: call(name) for name in kinds}, counts, seconds=4.0, least=3, settle=True)
    return {name: list(timing.seconds) for name, timing in found.items()}


def differences(width: int, device: str) -> dict[str, float]:
    """Largest difference from NumPy at the same normal numbers, relative to the root mean square, by precision."""
    from randtensor.interop.torch_sampling import on_torch

    quantity = cubic()
    here = quantity.sample(width, size=COMPARED, rng=0)
    found = {}
    for dtype in DTYPES:
        kind = on_torch(quantity, device=device, dtype=dtype, normals="host", blocks=1)
        there = kind.sample(width, size=COMPARED, rng=0)
        found[dtype] = float(np.abs(there - here).max() / np.sqrt(np.mean(here**2)))
    return found


def measure(report: Callable[[str], None] = lambda text: None) -> Section:
    """Run everything; ``report`` is told what is being measured."""
    devices, note = available()
    names = ["NumPy", *(f"{device}, {dtype}" for device in devices for dtype in DTYPES)]
    rows, worst = [], dict.fromkeys(DTYPES, 0.0)
    for width in WIDTHS:
        report(f"backends, width {width}")
        found = in_subprocess(times, width=width, devices=devices)
        rows.append((f"2^{width.bit_length() - 1}", *(str(Timing(tuple(found[name]))) for name in names)))
        for device in devices if width <= 2**12 else []:
            for dtype, difference in in_subprocess(differences, width=width, device=device).items():
                worst[dtype] = max(worst[dtype], difference)
    limits = {"float64": 1e-12, "float32": 2e-5}
    return Section(
        name="backends",
        headers=("width n", *names),
        rows=tuple(rows),
        targets=tuple(
            Target(f"largest difference from NumPy over the rms, same normal numbers, {dtype}", worst[dtype], limit)
            for dtype, limit in limits.items()
            if devices
        ),
        notes=(
            note,
            "Time per sample: minimum, and in brackets the median, in blocks of the length that each kind draws. On "
            "the processor one thread each. The columns of PyTorch draw their normal numbers with its own generators.",
        ),
    )
