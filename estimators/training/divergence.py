"""Which networks of a block have left every bound, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from estimators.training.specification import Training

__all__ = ["Divergence", "divergence_message"]

Array = np.ndarray

#: Outputs beyond this multiple of what they and the targets were at the start count as diverged.
FACTOR = 1e6

#: What can diverge: the network, or one of the references that it is compared with.
SUBJECTS = {"network": "training", "linear": "the linearisation", "limit": "the limit of infinite width"}


class Divergence:
    """The networks of one block that have diverged so far: they stay where they are, and the others go on.

    Attributes
    ----------
    steps : the step at which each network diverged, or -1.
    subjects : number of what diverged, in the order of ``SUBJECTS``.

    >>> divergence = Divergence(2)
    >>> divergence.start(np.array([[1.0], [2.0]]), np.array([0.5]))
    >>> divergence.check(np.array([[3.0], [1e9]]), step=7).tolist(), divergence.steps.tolist()
    ([False, True], [-1, 7])
    >>> divergence.start(np.array([[np.inf], [2.0]]), np.array([0.5]))
    >>> divergence.steps.tolist()
    [0, 7]
    """

    def __init__(self, samples: int) -> None:
        self.steps, self.subjects = np.full(samples, -1), np.zeros(samples, dtype=int)
        self._bound: Array = np.full(samples, np.inf)

    @property
    def dead(self) -> Array:
        """Mask of the networks that have diverged."""
        return self.steps >= 0

    def start(self, outputs: Array, targets: Array) -> None:
        """Measure by these outputs; those that are not finite have diverged before the first step."""
        self._bound = FACTOR * (1 + abs(targets).max() + _largest(outputs))
        self.check(outputs, 0)

    def check(self, outputs: Array, step: int, subject: str = "network") -> Array:
        """Note which networks are out of bounds, and return the mask of all that ever were."""
        largest = _largest(outputs)
        # comparisons with NaN are false, and the bound of outputs that start at infinity is no bound
        self.stop(~((largest <= self._bound) & (largest < np.inf)), step, subject)
        return self.dead

    def ignore(self, outputs: Array) -> Array:
        """Return the mask of those that diverged before."""
        return self.dead

    def stop(self, networks: Array, step: int, subject: str = "network") -> None:
        """Note that some networks have diverged, unless they had before."""
        new = networks & ~self.dead
        self.steps[new], self.subjects[new] = step, list(SUBJECTS).index(subject)


def divergence_message(training: Training, sizes: Any, steps: Array, subjects: Array) -> str:
    """One sentence about the first of several networks, of which some have diverged."""
    listed = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    at = f" at {listed}" if listed else ""
    count, first = int((steps >= 0).sum()), int(steps[steps >= 0].min())
    if first == 0:
        return f"the outputs at the initial parameters are not finite{at}, expected a function that does not overflow"
    what = list(SUBJECTS.values())[int(subjects[steps == first][0])]
    share = "" if count == len(steps) else f" ({count} of {len(steps)} networks)"
    start = f"{what} diverged at step {first}{at}{share}: learning_rate is {training.learning_rate}"
    if training.flow:
        return f"{start} in time per step, expected a loss whose gradient flow stays bounded"
    return (
        f"{start}, expected one below the stability threshold, which for squared loss is "
        f"{f'2 * {len(training.inputs)} inputs' if training.reduction == 'mean' else '2'} divided by the largest "
        f"eigenvalue of the tangent kernel"
    )


def _largest(values: Array) -> Array:
    return np.asarray(abs(values).reshape(len(values), -1).max(axis=1))
