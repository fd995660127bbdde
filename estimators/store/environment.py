"""What the bits of a sample depend on besides quantity, sizes and seed: the software, and the kind of processor."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["environment"]


@lru_cache(maxsize=1)
def environment() -> str:
    """One line per thing that may change bits.

    The sources of the library count, not its version; NumPy and the BLAS library choose their kernels by the processor,
    and round differently in different ones.

    >>> environment().splitlines()[0].startswith("randtensor ")
    True
    """
    lines = [
        f"randtensor {_sources()}",
        f"python {'.'.join(platform.python_version_tuple()[:2])}",
        *(f"{name} {version(name)}" for name in ("numpy", "scipy", "opt_einsum")),
        f"machine {platform.system()} {platform.machine()}",
        f"simd {_simd()}",
        *(f"blas {text}" for text in _blas()),
    ]
    return "\n".join(lines)


def _sources() -> str:
    top = Path(__file__).resolve().parents[2]
    found = hashlib.sha256()
    for package in ("randtensor", "estimators"):
        for path in sorted((top / package).rglob("*.py")):
            found.update(path.relative_to(top).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def _simd() -> str:
    """Instruction sets that NumPy dispatches to on this processor."""
    config: dict[str, Any] = np.show_config(mode="dicts") or {}  # type: ignore[assignment]
    return " ".join(sorted(config.get("SIMD Extensions", {}).get("found", ())))


def _blas() -> list[str]:
    """BLAS libraries by name, version and kernels, but for those of frameworks, which may be loaded or not."""
    import scipy.linalg  # noqa: F401  (loads its own)
    from threadpoolctl import threadpool_info

    return sorted(
        {
            f"{info['internal_api']} {info['version']} {info.get('architecture', '')}"
            for info in threadpool_info()
            if info["user_api"] == "blas" and not {"torch", "jaxlib"} & set(Path(info["filepath"]).parts)
        }
    )
