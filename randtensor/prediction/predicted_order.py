"""The predicted order of a quantity: from exact moments where there are any, else from a bound."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from string import ascii_letters
from typing import Any

from randtensor.contraction import DenseContraction, einsum
from randtensor.derivative_contraction import DerivativeContraction
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import ExactError, InfiniteMomentError, InputError
from randtensor.exact.diagrams.elements import Gaussian, Haar, Independent, Spherical
from randtensor.exact.moments import second_moment
from randtensor.exact.structure import Summand, summands
from randtensor.expansions import Expansion
from randtensor.norms import norm
from randtensor.norms.dense_norms import DenseNorm
from randtensor.norms.derivative_norms import DerivativeNorm, FrobeniusNorm
from randtensor.orders import Bound, Order
from randtensor.prediction.cluster_graph import cluster_order
from randtensor.prediction.derivation import Derivation, DerivationKind, Step
from randtensor.prediction.norm_calculus import norm_bound
from randtensor.quantity import Quantity
from randtensor.tensors import DenseTensor, RandomTensor
from randtensor.tensors.algebra import Conjugate, Scaled, Transposed
from randtensor.tensors.growth import entries_order

__all__ = ["derive"]

_STATISTICS = ("rms", "mean", "std", "variance")

#: What an average over an element rests on.
_RULES: dict[type, tuple[str, str]] = {
    Gaussian: ("pairings of equal tensors", "Wick's theorem (Isserlis 1918)"),
    Independent: ("set partitions with joint cumulants", "moments by cumulants (Leonov & Shiryaev 1959)"),
    Spherical: ("Gaussian pairings over the moments of the length", "polar coordinates"),
    Haar: ("pairs of matchings with Weingarten functions", "Collins & Sniady, math-ph/0402073"),
}

_EXACT = "exact at every size"


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
      gaussian(n, n), 2 times  pairings of equal tensors           1  Wick's theorem (Isserlis 1918)
      std                      square root of the variance, 2 n^2  n  exact at every size
    """
    if statistic not in _STATISTICS:
        raise InputError(f"statistic is {statistic!r}, expected one of {', '.join(map(repr, _STATISTICS))}")
    if isinstance(quantity, DerivativeTensor):
        quantity = quantity.contraction()
    if isinstance(quantity, DenseTensor) and quantity.ndim:
        return _of_tensor(quantity, statistic)
    if isinstance(quantity, DenseNorm | DerivativeNorm | FrobeniusNorm):
        return _of_norm(quantity, statistic)
    try:
        return _from_moments(quantity, statistic)
    except InfiniteMomentError:
        raise
    except ExactError as error:
        reason = error
    if isinstance(quantity, DenseContraction):
        return _typical(norm_bound(quantity.terms, quantity.output, quantity.operands), statistic)
    if isinstance(quantity, DerivativeContraction):
        return cluster_order(quantity, statistic)
    return _of_sum(quantity, statistic, reason)


def _from_moments(quantity: Quantity, statistic: str) -> Derivation:
    if statistic == "mean":
        value, name = quantity.expectation(), "mean"
    elif statistic == "rms":
        value, name = second_moment(quantity), "second moment"
    else:
        value, name = quantity.variance(), "variance"
    bound: Bound = value.bound
    rule = f"the {name}, {_brief(value)}"
    if statistic in ("rms", "std"):
        rule = f"square root of {rule}"
        bound = bound if bound.order == Order.zero() else bound ** Fraction(1, 2)
    kind: DerivationKind = "exact" if bound.kind == "Theta" else "upper bound"
    return Derivation(bound, kind, (*_factors(summands(quantity)), Step(statistic, rule, bound.order, _EXACT)))


def _brief(value: Expansion) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"of order {value.bound.order}"


def _factors(parts: tuple[Summand, ...]) -> list[Step]:
    """What the average runs over."""
    counts: dict[Any, int] = {}
    steps: dict[str, Step] = {}
    for part in parts:
        for element, count in Counter(node.element for node in part.network.nodes).items():
            counts[element] = max(counts.get(element, 0), count)
        for tensor in part.derivatives.tensors if part.derivatives is not None else ():
            architecture = tensor.function.architecture
            assert architecture is not None
            deep = len(architecture.widths) > 1
            rule = "transfer matrices over matchings" if deep else "sums over hidden units"
            source = "Dyer & Gur-Ari, arXiv 1909.11304" if deep else "one-hidden-layer law"
            steps[f"{tensor!r}"] = Step(repr(tensor), rule, Order(1), source)
    found = list(steps.values())
    for element, count in counts.items():
        rule, source = next((r for kind, r in _RULES.items() if isinstance(element, kind)), ("kept", "fixed tensor"))
        name = f"{element!r}, {count} times" if count > 1 else repr(element)
        found.append(Step(name, rule, Order(1), source))
    return found


def _typical(bound: Derivation, statistic: str) -> Derivation:
    """A bound on the typical size, as one on a statistic."""
    if statistic != "variance":
        return bound
    steps = (*bound.steps, Step("variance", "square of the typical size", bound.order, "definition"))
    return Derivation(Bound("O", bound.order**2), bound.kind, steps)


def _of_tensor(tensor: DenseTensor, statistic: str) -> Derivation:
    """The root mean square of the entries, over samples and indices."""
    if statistic != "rms":
        raise ExactError(
            f"statistic is {statistic!r} for a tensor with free indices, expected 'rms', that of its entries"
        )
    length = _of_norm(norm(tensor, "frobenius"), "rms")
    share = entries_order(tensor.dimensions) ** Fraction(-1, 2)
    step = Step("entries", "over the square root of their number", share, "definition")
    return Derivation(length.bound * share, length.kind, (*length.steps, step))


def _of_norm(quantity: DenseNorm | DerivativeNorm | FrobeniusNorm, statistic: str) -> Derivation:
    """A Euclidean length by its mean square, other norms by what is known of the tensor, or by the Frobenius norm."""
    if statistic not in ("rms", "mean"):
        raise ExactError(f"statistic is {statistic!r} for a norm, expected 'rms' or 'mean'")
    tensor: Any = quantity.tensor
    name, rows = quantity.kind, getattr(quantity, "rows", None)
    is_dense = isinstance(tensor, DenseTensor)
    letters = ascii_letters[: tensor.ndim if is_dense else len(tensor.output)]
    is_length = name == "frobenius" or (name == "injective" and len(letters) <= 1)
    if is_dense and not is_length and (rows is not None or name in ("injective", "nuclear")):
        try:
            return _known_norm(tensor, name, rows)
        except ExactError:
            if name == "nuclear":
                raise
    if not is_length and rows is None and name not in ("injective", "symmetric injective"):
        raise ExactError(f"no rule predicts the {name} norm of {tensor!r}, expected another norm, or samples")
    square = derive(einsum(f"{letters},{letters}->", tensor, tensor.conj() if is_dense else tensor), "mean")
    order = square.order ** Fraction(1, 2)
    steps = square.steps[:-1] if square.kind == "exact" else ()
    if is_length:
        step = Step(f"{name} norm", "square root of the mean square", order, square.steps[-1].source)
        return Derivation(Bound(square.bound.kind, order), square.kind, (*steps, step))
    step = Step(f"{name} norm", "at most the Frobenius norm", order, "Cauchy-Schwarz")
    return Derivation(Bound("O", order), "upper bound", (*steps, step))


def _known_norm(tensor: DenseTensor, name: str, rows: tuple[int, ...] | None) -> Derivation:
    """What the tensor says of its norms: attained for families, at most that for what is made of them."""
    if rows is not None:
        order = tensor.flattening_order(rows)
    else:
        order = tensor.injective_order if name == "injective" else tensor.nuclear_order
    base: Any = tensor
    while isinstance(base, Scaled | Transposed | Conjugate):
        (base,) = base.operands
    attained = isinstance(base, RandomTensor)
    source = "random matrices and tensors: see the family" if attained else "triangle inequality and norm calculus"
    step = Step(repr(tensor), f"{name} norm, with high probability", order, source)
    return Derivation(Bound("Theta" if attained else "O", order), "tight" if attained else "upper bound", (step,))


def _of_sum(quantity: Quantity, statistic: str, reason: ExactError) -> Derivation:
    """Sums and products of derivative contractions: the largest of the orders of their products."""
    order, kinds = Order.zero(), set()
    for part in summands(quantity):
        if part.derivatives is None:
            own = Derivation(Bound("O", Order(1)), "upper bound")
        elif part.network.nodes or part.network.labels:
            raise reason
        else:
            own = cluster_order(part.derivatives, "std" if statistic == "variance" else statistic)
        kinds.add(own.kind)
        order = order + part.network.coefficient.order * own.order
    kind: DerivationKind = "conjecture" if "conjecture" in kinds else "upper bound"
    step = Step(quantity.describe(), "largest of the orders of its summands", order, "triangle inequality")
    return _typical(Derivation(Bound("O", order), kind, (step,)), statistic)
