"""The suites of claims that come with the library, loaded by name when they are asked for.

A suite is a module with ``TITLE``, ``SOURCE`` and ``claims(options)``, a list of claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from randtensor.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from theory_checks.claims import Claim

__all__ = ["SUITES", "Suite", "SuiteOptions", "load_suite"]

#: modules by the name of their suite
SUITES: dict[str, str] = {
    "random-tensors": "theory_checks.suites.random_tensors",
    "weak-correlations": "theory_checks.suites.weak_correlations",
    "correlation-functions": "theory_checks.suites.correlation_functions",
    "neural-mechanics": "theory_checks.suites.neural_mechanics",
    "wide-gaussianity": "theory_checks.suites.wide_gaussianity",
    "two-layer-symmetries": "theory_checks.suites.two_layer_symmetries",
    "spectrum-alignment": "theory_checks.suites.spectrum_alignment",
}


@dataclass(frozen=True, eq=False)
class SuiteOptions:
    """What a run asks of a suite.

    Parameters
    ----------
    quick : smaller sizes and fewer samples; verdicts may then be inconclusive.
    inputs : input vectors as rows, to replace those of the suite.
    """

    quick: bool = False
    inputs: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Suite:
    """A suite that was loaded: its name, title, source, and the function that makes its claims."""

    name: str
    title: str
    source: str
    make: Callable[[SuiteOptions], Iterable[Claim]]

    def claims(self, options: SuiteOptions | None = None) -> list[Claim]:
        """The claims at these options."""
        return list(self.make(options or SuiteOptions()))


def load_suite(name: str) -> Suite:
    """The suite of this name.

    Raises
    ------
    InputError : no suite has this name.

    >>> load_suite("weak-correlation")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    randtensor.errors.InputError: suite ... did you mean 'weak-correlations'?
    """
    if name not in SUITES:
        from difflib import get_close_matches

        close = get_close_matches(name, SUITES, n=1)
        hint = f": did you mean {close[0]!r}?" if close else " or the path of a file of claims, .toml or .py"
        raise InputError(f"suite {name!r} is not known, expected {', '.join(sorted(SUITES))}{hint}")
    module: Any = import_module(SUITES[name])
    return Suite(name, module.TITLE, module.SOURCE, module.claims)
