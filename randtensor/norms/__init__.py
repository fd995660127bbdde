"""Norms of tensors and of contractions with free indices.

Injective (subordinate, spectral) norms: absolute value of a number, Euclidean length of a vector, largest singular
value of a matrix, largest value of the multilinear form at unit vectors; they multiply over tensor products.
Contractions of derivative tensors are measured without forming them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import EquationError, InputError
from randtensor.norms.bracket import Bracket, BracketedNorm
from randtensor.norms.dense_norms import ExactNorm, InjectiveNorm, NuclearNorm, SymmetricInjectiveNorm, operator_norm
from randtensor.norms.derivative_norms import DerivativeNorm, FrobeniusNorm
from randtensor.norms.linear_algebra import frobenius
from randtensor.quantity import Quantity

__all__ = ["Bracket", "BracketedNorm", "norm"]

#: Krylov steps of an operator norm, each one product with the matrix and one with its transpose.
STEPS = 20

#: What ``norm`` offers for tensors that are drawn whole.
KINDS = ("injective", "symmetric injective", "nuclear", "frobenius", "operator", "max")


def norm(
    tensor: Any,
    kind: str = "injective",
    *,
    rows: Any = None,
    starts: int | None = None,
    tolerance: float = 1e-6,
    steps: int = STEPS,
    probes: int | None = None,
) -> Any:
    """The norm of a random tensor, a derivative tensor or a contraction, as a random quantity.

    Parameters
    ----------
    tensor : with any number of free indices. Output indices of vector-valued functions are not part of the norm: there
        is one norm for each of their values.
    kind : for derivatives "injective" or "frobenius". With one free parameter index both are the Euclidean length and
        exact. With two, the injective norm is the largest singular value: its sample is the Ritz value over a Krylov
        space of dimension ``steps`` from a random start, a lower bound. The Frobenius norm is found from its square,
        which is exact in small parameter spaces and estimated without bias by random probes in large ones: use the
        statistic "rms".

        For tensors that are drawn whole, real or complex (a complex form is met with complex vectors):

        - "injective": the largest absolute value of T(x_1, .., x_p) at unit vectors; exact up to order 2, from
          order 3 on the best local maximum from ``starts`` random starts, a lower bound.
        - "symmetric injective": the largest absolute value of T(x, .., x), of the symmetric part of T, likewise.
        - "nuclear": sum of singular values; from order 3 on bounds only.
        - "frobenius", and "max", the largest absolute value of an entry.
        - "operator": the largest singular value of the unfolding whose rows are the axes ``rows``.

        All of these and the injective norms of derivatives have ``.bracket()``, ``.lower()`` and ``.upper()``.
    rows : axes, as integers or letters: ``(0, 1)`` or ``"ab"``.
    starts, tolerance : effort of injective norms from order 3 on; starts are chosen by size if not given, and stop when
        they have less than this relative gain to expect.
    steps : Krylov steps of derivative norms and of upper bounds.
    probes : random probes of Frobenius norms of derivatives.

    Raises
    ------
    InputError : an unknown kind, effort or unfolding.
    EquationError : an injective norm over three or more parameter indices of derivatives.
    ShapeError : when sampled, a symmetric norm of a tensor with unequal sizes.

    Examples
    --------
    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> f = rt.networks.two_layer(inputs=2, width=n)
    >>> H = f.derivative([1.0, 1.0], order=2)
    >>> rt.norm(H, "injective").sample(4096, size=2, rng=0).shape
    (2,)

    The state (|001> + |010> + |100>)/sqrt(3) has overlap 2/3 with the nearest product state:

    >>> w = rt.fixed([[[0, 3**-0.5], [3**-0.5, 0]], [[3**-0.5, 0], [0, 0]]])
    >>> rt.norm(w).sample(rng=0).round(6).tolist()
    [0.666667]
    """
    derivatives = isinstance(tensor, DerivativeTensor | DerivativeContraction)
    if kind not in (("injective", "frobenius") if derivatives else KINDS):
        others = "'frobenius' for tensors of derivatives" if derivatives else ", ".join(map(repr, KINDS[1:]))
        raise InputError(f"kind is {kind!r}, expected 'injective' (for a matrix, its spectral norm), {others}")
    for name, count in (("steps", steps), ("starts", 1 if starts is None else starts)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{name} is {count!r}, expected a positive integer")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance!r}, expected a relative accuracy between 0 and 1")
    if rows is not None and kind != "operator":
        raise InputError(f"rows is {rows!r}, expected None: unfoldings are for kind='operator', not for {kind!r}")
    if isinstance(tensor, DerivativeTensor):
        tensor = tensor.contraction()
    if isinstance(tensor, DerivativeContraction):
        return _derivative_norm(tensor, kind, steps, probes)
    if not isinstance(tensor, Quantity):
        raise InputError(f"tensor is {tensor!r}, expected a random tensor, a derivative tensor or a contraction")
    if kind == "injective":
        return InjectiveNorm(tensor, kind, starts, tolerance, steps)
    if kind == "symmetric injective":
        return SymmetricInjectiveNorm(tensor, kind, starts, tolerance, steps)
    if kind == "nuclear":
        return NuclearNorm(tensor, kind, steps)
    if kind == "operator":
        return operator_norm(tensor, rows)
    return ExactNorm(tensor, kind, frobenius if kind == "frobenius" else _largest_entry)


def _derivative_norm(tensor: DerivativeContraction, kind: str, steps: int, probes: int | None) -> Quantity:
    largest = max((len(component.free) for component in tensor.open_components), default=0)
    if kind == "frobenius" and largest > 1:
        return FrobeniusNorm(tensor, probes)
    if largest > 2:
        raise EquationError(
            f"the tensor has {largest} connected free parameter indices, expected at most 2 for the injective "
            f"norm: take the Frobenius norm, or contract it further"
        )
    return DerivativeNorm(tensor, steps)


def _largest_entry(arrays: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(arrays).reshape(len(arrays), -1).max(axis=1))
