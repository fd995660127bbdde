"""Spectrum and alignment along a training run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimators.layered import FullBatchDescent
from estimators.spectrum.alignment import active_modes, relative_energies
from estimators.spectrum.eigenpairs import DENSE_LIMIT, Spectrum, check_cut, spectrum
from estimators.spectrum.models import LayeredModel
from randtensor.errors import InputError

__all__ = ["SpectralHistory", "follow"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SpectralHistory:
    """What `follow` recorded at T steps.

    Attributes
    ----------
    steps, learning_rates, losses : shape (T,); the rate is that of the step that comes next.
    eigenvalues : the leading ones, shape (T, modes).
    target, output, residual, increment : relative energies in the first ``cuts`` modes, shape (T, len(cuts)); the
        increment is what the next step changes in the outputs to first order, -(rate / N) G m.
    active : number of modes that hold 99 % of the increment, shape (T,).
    cuts : numbers of modes.
    count : number N of inputs.
    """

    steps: Array
    learning_rates: Array
    losses: Array
    eigenvalues: Array
    target: Array
    output: Array
    residual: Array
    increment: Array
    active: Array
    cuts: tuple[int, ...]
    count: int

    @property
    def edge(self) -> Array:
        """rate lambda_1 / N, which is 2 at the edge of stability: shape (T,)."""
        return np.asarray(self.learning_rates * self.eigenvalues[:, 0] / self.count)

    def window(self, values: Array, first: int, last: int) -> Any:
        """The mean of recorded values over the steps from ``first`` to ``last``.

        Raises
        ------
        InputError : nothing was recorded there.
        """
        inside = (self.steps >= first) & (self.steps <= last)
        if not inside.any():
            raise InputError(f"first and last are {first} and {last}, expected a window with recorded steps")
        return np.asarray(values)[inside].mean(axis=0)


def follow(
    run: FullBatchDescent,
    record: Iterable[int],
    *,
    cuts: Sequence[int] = (1, 10, 30),
    modes: int | None = None,
    seen: Callable[[FullBatchDescent, Spectrum], None] | None = None,
) -> SpectralHistory:
    """Train, and look at the spectrum of the tangent kernel at some steps.

    Parameters
    ----------
    run : descent of one network, from where it stands.
    record : steps at which the spectrum is found, from the present one on.
    cuts : numbers of modes whose relative energy is recorded.
    modes : leading eigenpairs found; None for all up to 4000 inputs, else twice the largest cut.
    seen : called at each recorded step.

    Raises
    ------
    InputError : steps that have passed, cuts out of range, targets that are zero, or a run that diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from estimators.layered import LayeredNetwork
    >>> X = np.linspace(-1, 1, 30)[:, None]
    >>> run = FullBatchDescent(LayeredNetwork((1, 16, 16)), X, np.sin(3 * X[:, 0]), 0.1, rng=0)
    >>> history = follow(run, range(0, 201, 100), cuts=(1, 5))
    >>> history.target.shape, bool(history.losses[-1] < history.losses[0])
    ((3, 2), True)
    """
    steps = sorted({int(step) for step in record})
    count = len(run.X)
    if not steps or steps[0] < run.step:
        raise InputError(f"record is {steps[:3]!r}..., expected steps from {run.step} on")
    if run.theta.ndim != 1:
        raise InputError(f"run has {len(run.theta)} networks, expected one")
    if not np.any(run.y):
        raise InputError("y is zero everywhere, expected targets that have an energy")
    for cut in cuts:
        check_cut(cut, count if modes is None else modes)
    if modes is None and count > DENSE_LIMIT:
        modes = 2 * max(cuts)
    rows: list[dict[str, Any]] = []
    for step in steps:
        run.advance(step - run.step)
        # in double precision whatever the run has: small eigenvalues would be lost
        found = spectrum(LayeredModel(run.network, run.theta.astype(float)), run.X, modes)
        V, residual = found.eigenvectors, run.residual.astype(float)
        pull = V @ (found.eigenvalues * (V.T @ residual))
        vectors = {"target": run.y, "output": run.outputs, "residual": residual, "increment": pull}
        chosen = [cut - 1 for cut in cuts]
        rows.append(
            {
                "steps": step,
                "learning_rates": run.learning_rate,
                "losses": float(run.loss),
                "eigenvalues": found.eigenvalues,
                "active": active_modes(found, residual),
                **{name: relative_energies(vector, V)[chosen] for name, vector in vectors.items()},
            }
        )
        if seen is not None:
            seen(run, found)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return SpectralHistory(**columns, cuts=tuple(cuts), count=count)
