"""Claims about the activations of every layer in training: the coordinate check with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from estimators import Training, layer_scale
from randtensor.errors import InputError
from theory_checks.claims import Claim

__all__ = ["coordinate_claims"]


def coordinate_claims(
    training: Training,
    *,
    activations: Mapping[str, Any] | None = None,
    change: Mapping[str, Any] | None = None,
    step: int | None = None,
    n: Sequence[Any],
    samples: int | Sequence[int] = 100,
    **options: Any,
) -> list[Claim]:
    """One claim for every layer whose growth with width is predicted.

    Parameters
    ----------
    training : the run, see `estimators.Training`.
    activations : predictions by layer, such as ``{"0": rt.Theta(n**0)}``, for the root mean square of its coordinates;
        layers have the names that `estimators.coordinate_check` gives them, and "output" is the function itself.
    change : the same for what training has added to them.
    step : None for the last.
    n, samples, options : see `Claim`.

    Raises
    ------
    InputError : no predictions, or anything that a `Claim` refuses.

    Examples
    --------
    >>> import estimators, randtensor as rt, theory_checks
    >>> n = rt.Scale("n")
    >>> f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, parametrization="ntk")
    >>> run = estimators.Training(f, [[1.0, 0.0], [0.6, 0.8]], [1.0, -1.0], learning_rate=0.5, steps=2)
    >>> predicted = {"activation 2": rt.Theta(n**-0.5)}
    >>> (claim,) = coordinate_claims(run, change=predicted, n=[64, 256, 1024], samples=800, correction=1.0)
    >>> theory_checks.check(claim, rng=0).verdict
    'consistent'
    """
    if not isinstance(training, Training):
        raise InputError(f"training is {training!r}, expected an estimators.Training")
    if not activations and not change:
        raise InputError("activations and change are empty, expected predictions for at least one layer")
    at = training.steps if step is None else step
    return [
        Claim(
            f"{kind} of {layer} at step {at}",
            layer_scale(training, layer, step, "activations" if kind == "activations" else "change"),
            predicted=bound,
            n=n,
            samples=samples,
            **options,
        )
        for kind, predictions in (("activations", activations), ("change", change))
        for layer, bound in (predictions or {}).items()
    ]
