"""The predicted order of a quantity: from exact moments where there are any, else from a bound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from string import ascii_letters
from typing import Any

from randtensor.contraction import DenseContraction, einsum
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import ExactError, InputError, RandtensorError
from randtensor.exact.diagrams.elements import Gaussian, Haar, Independent, Spherical
from randtensor.exact.structure import Summand, summands
from randtensor.expansions import Expansion
from randtensor.norms.dense_norms import DenseNorm, ExactNorm
from randtensor.norms.derivative_norms import DerivativeNorm, FrobeniusNorm
from randtensor.orders import Bound, Order
from randtensor.prediction.cluster_graph import cluster_order
from randtensor.prediction.derivation import Derivation, Step
from randtensor.prediction.norm_calculus import norm_bound
from randtensor.quantity import Quantity
from randtensor.tensors import DenseTensor, RandomTensor

__all__ = ["derive"]

_STATISTICS = ("rms", "mean", "std", "variance")

#: What an average over an element rests on.
_RULES: dict[type, tuple[str, str]] = {
    Gaussian: ("pairings of equal tensors, no cancellation in means", "Wick's theorem (Isserlis 1918)"),
    Independent: ("set partitions with joint cumulants", "moments by cumulants (Leonov & Shiryaev 1959)"),
    Spherical: ("Gaussian pairings over the moments of the length", "polar coordinates"),
    Haar: ("pairs of matchings with Weingarten functions", "Collins & Sniady, math-ph/0402073"),
}


def derive(quantity: Quantity, statistic: str = "rms") -> Derivation:
    """The predicted order of a statistic and how it is derived; see `Quantity.order`.

    Raises
    ------
    InputError : an unknown statistic.
    ExactError : no rule predicts the order.

    >>> import randtensor as rt
    >>> n = rt.Scale("n")
    >>> G = rt.gaussian(n, n)
    >>> print(derive(rt.einsum("ab,ab->", G, G), "std"))
    Theta(n), exact
      gaussian(n, n), 2 times  pairings of equal tensors, no cancellation in means  1    Wick's theorem (Isserlis 1918)
      variance                 leading term of 2 n^2                                n^2  exact at every size
      std                      square root of the variance                          n    definition
    """
    if statistic not in _STATISTICS:
        raise InputError(f"statistic is {statistic!r}, expected one of {', '.join(map(repr, _STATISTICS))}")
    try:
        return _from_moments(quantity, statistic)
    except ExactError as error:
        reason = error
    if isinstance(quantity, DerivativeTensor):
        quantity = quantity.contraction()
    if isinstance(quantity, DerivativeContraction):
        return cluster_order(quantity, statistic)
    if isinstance(quantity, DenseContraction):
        bound = norm_bound(quantity.terms, quantity.output, quantity.operands)
        return bound if statistic != "variance" else _squared(bound)
    if isinstance(quantity, DenseTensor) and quantity.ndim:
        step = Step(repr(quantity), "Frobenius norm", quantity.frobenius_order, "second moments")
        return Derivation(Bound("O", quantity.frobenius_order), "upper bound", (step,))
    if isinstance(quantity, DenseNorm | DerivativeNorm | FrobeniusNorm) and statistic in ("rms", "mean"):
        return _of_norm(quantity)
    raise reason


def _of_norm(quantity: DenseNorm | DerivativeNorm | FrobeniusNorm) -> Derivation:
    """By what is known of the family; a Euclidean length by its mean square, and other norms as bounded by it."""
    tensor: Any = quantity.tensor
    name = quantity.kind
    rows = quantity.rows if isinstance(quantity, ExactNorm) else None
    if isinstance(tensor, RandomTensor) and (rows is not None or name in _FAMILY_NORMS):
        order = tensor.flattening_order(rows) if rows is not None else _FAMILY_NORMS[name](tensor)
        step = Step(repr(tensor), f"{name} norm of the family, with high probability", order, "random matrix theory")
        return Derivation(Bound("Theta", order), "tight", (step,))
    if rows is None and name not in ("frobenius", "injective", "symmetric injective"):
        raise ExactError(f"no rule predicts the {name} norm of {tensor!r}, expected another norm, or samples")
    if isinstance(tensor, DenseContraction) and name == "injective" and tensor.ndim > 1:
        try:
            return norm_bound(tensor.terms, tensor.output, tensor.operands, norm="injective")
        except RandtensorError:
            pass  # the contraction is no tree: only the Frobenius norm bounds it
    is_dense = isinstance(tensor, DenseTensor)
    letters = ascii_letters[: tensor.ndim if is_dense else len(tensor.output)]
    square = derive(einsum(f"{letters},{letters}->", tensor, tensor.conj() if is_dense else tensor), "mean")
    order = square.order ** Fraction(1, 2)
    if name == "frobenius" or len(letters) <= 1:
        step = Step(f"{name} norm", "root of the mean square", order, "definition")
        return Derivation(Bound(square.bound.kind, order), square.kind, (*square.steps, step))
    step = Step(f"{name} norm", "at most the Frobenius norm", order, "Cauchy-Schwarz")
    return Derivation(Bound("O", order), "upper bound", (*square.steps, step))


_FAMILY_NORMS: dict[str, Callable[[DenseTensor], Order]] = {
    "injective": lambda tensor: tensor.injective_order,
    "nuclear": lambda tensor: tensor.nuclear_order,
}


def _from_moments(quantity: Quantity, statistic: str) -> Derivation:
    if statistic == "mean":
        value, name = quantity.expectation(), "mean"
    elif statistic == "rms":
        other = quantity.conj() if isinstance(quantity, DenseTensor) and quantity.is_complex else quantity
        value, name = (quantity * other).expectation(), "second moment"
    else:
        value, name = quantity.variance(), "variance"
    steps = [*_factors(summands(quantity)), Step(name, f"leading term of {_brief(value)}", value.order, _EXACT)]
    order = value.order
    if statistic in ("rms", "std") and order != Order.zero():
        order = order ** Fraction(1, 2)
        steps.append(Step(statistic, f"square root of the {name}", order, "definition"))
    return Derivation(Bound("Theta", order), "exact", tuple(steps))


_EXACT = "exact at every size"


def _brief(value: Expansion) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{value.leading} + ..." if len(value.order.terms) == 1 else f"{value.order}"


def _factors(parts: tuple[Summand, ...]) -> list[Step]:
    """What the average runs over."""
    counts: dict[Any, int] = {}
    steps = []
    for part in parts:
        own: dict[Any, int] = {}
        for node in part.network.nodes:
            own[node.element] = own.get(node.element, 0) + 1
        for element, count in own.items():
            counts[element] = max(counts.get(element, 0), count)
        if part.derivatives is not None:
            architecture = part.derivatives.tensors[0].function.architecture
            assert architecture is not None
            deep = len(architecture.widths) > 1
            rule = "transfer matrices over matchings" if deep else "sums over hidden units"
            source = "Dyer & Gur-Ari, arXiv 1909.11304" if deep else "one-hidden-layer law"
            steps.append(Step(part.derivatives.describe(), rule, Order(1), source))
    one = Order(1)
    for element, count in counts.items():
        rule, source = next((r for kind, r in _RULES.items() if isinstance(element, kind)), ("kept", "fixed tensor"))
        steps.append(Step(f"{element!r}, {count} times" if count > 1 else repr(element), rule, one, source))
    return steps


def _squared(derivation: Derivation) -> Derivation:
    order = derivation.order**2
    return Derivation(Bound("O", order), derivation.kind, (*derivation.steps, Step("square", "variance", order, "")))
