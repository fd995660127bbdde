"""Predictions from text: an einsum equation and the classes of its operands, as the command line gives them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import randtensor as rt
from randtensor.contraction import parse
from randtensor.errors import ExactError, InputError

__all__ = ["CLASSES", "TextPrediction", "dimension", "from_classes", "from_network", "predict"]

_ORTHOGONAL = ("Haar orthogonal matrix", lambda *d: rt.haar(_matrix(d)))

#: What ``--classes`` may name: makers from the dimensions of the operand's indices.
CLASSES: dict[str, tuple[str, Callable[..., Any]]] = {
    "gaussian": ("i.i.d. standard normal entries", lambda *d: rt.gaussian(*d)),
    "complex": ("i.i.d. complex normal entries", lambda *d: rt.complex_gaussian(*d)),
    "rademacher": ("i.i.d. signs", lambda *d: rt.iid("rademacher", *d)),
    "uniform": ("i.i.d. uniform entries of variance 1", lambda *d: rt.iid("uniform", *d)),
    "exponential": ("i.i.d. skewed entries, Exp(1) - 1", lambda *d: rt.iid("exponential", *d)),
    "sphere": ("uniform on the unit sphere", lambda *d: rt.sphere(*d)),
    "symmetric": ("symmetric Gaussian tensor", lambda *d: rt.symmetric_gaussian(_one(d), len(d))),
    "goe": ("symmetric Gaussian matrix", lambda *d: rt.goe(_matrix(d))),
    "gue": ("Hermitian Gaussian matrix", lambda *d: rt.gue(_matrix(d))),
    "haar": _ORTHOGONAL,
    "orthogonal": _ORTHOGONAL,
    "unitary": ("Haar unitary matrix", lambda *d: rt.haar(_matrix(d), group="unitary")),
    "identity": ("identity matrix", lambda *d: rt.identity(_matrix(d))),
    "ones": ("all entries one", lambda *d: rt.constant(1, *d)),
}

#: Standard error of a fitted exponent that "resolves" it.
_TARGET = 0.015


@dataclass(frozen=True)
class TextPrediction:
    """What is predicted of a contraction.

    Attributes
    ----------
    equation : the contraction.
    expectation, variance : exact expansions, None where no rule gives them.
    obstacle : why there is no exact expansion, None if there is one.
    derivation : the predicted order of the root mean square and how it is derived.
    sizes, statistic, samples : sizes of a fit, and the samples at each of them that resolve the exponent of the
        statistic, "mean" or (if the mean vanishes) "rms", to a standard error of 0.015; None where that is not known,
        and for quantities of no scale or of several.
    """

    equation: str
    expectation: Any
    variance: Any
    obstacle: str | None
    derivation: Any
    sizes: tuple[int, ...]
    statistic: str | None
    samples: int | None


def predict(quantity: Any, equation: str, sizes: Sequence[int] = (16, 32, 64, 128)) -> TextPrediction:
    """Exact moments, order, and the sample size that would resolve the exponent.

    Parameters
    ----------
    quantity : what is predicted.
    equation : how it was written.
    sizes : at least two different sizes of the only scale, for a log-log fit.

    Raises
    ------
    InputError : sizes that are not at least two different positive integers.
    ExactError : no rule says anything.

    Examples
    --------
    >>> T = from_classes("abc,ade,fbe,fdc->", "gaussian")
    >>> prediction = predict(T, "abc,ade,fbe,fdc->")
    >>> print(prediction.expectation, prediction.samples)
    3 n^4 4
    """
    if len(set(sizes)) < 2 or min(sizes) < 1:
        raise InputError(f"sizes is {list(sizes)!r}, expected at least two different positive integers")
    expectation = variance = obstacle = samples = None
    try:
        expectation = quantity.expectation()
        variance = quantity.variance()
    except ExactError as error:
        obstacle = str(error)
    statistic = None
    if expectation is not None and variance is not None and len(quantity.scale_names) == 1:
        statistic = "mean" if expectation != 0 else "rms"
        try:
            # The second moment of a centred quantity has the variance kappa_4 + 2 kappa_2^2, its root a quarter of it.
            noise = variance if expectation != 0 else (quantity.cumulant(4) + variance * variance * 2) / 4
            samples = _samples(expectation if expectation != 0 else variance, noise, sorted(set(sizes)))
        except ExactError:
            samples = None
    derivation = quantity.explain()
    grid = tuple(sorted(set(sizes)))
    return TextPrediction(equation, expectation, variance, obstacle, derivation, grid, statistic, samples)


def _samples(expectation: Any, variance: Any, sizes: Sequence[int]) -> int | None:
    """Samples per size so that the slope of log |mean| against log n has the target standard error."""
    names = sorted({*expectation.scale_names, *variance.scale_names})
    x = [math.log(size) for size in sizes]
    centre = sum(x) / len(x)
    spread = sum((value - centre) ** 2 for value in x)
    noise = 0.0
    for value, size in zip(x, sizes, strict=True):
        at = dict.fromkeys(names, size)
        mean = expectation.evaluate({k: at[k] for k in expectation.scale_names})
        square = max(variance.evaluate({k: at[k] for k in variance.scale_names}), 0.0)
        if mean == 0:
            return None
        noise += (value - centre) ** 2 * square / mean**2
    # Where something fluctuates, one sample would not show it.
    return max(math.ceil(noise / (spread * _TARGET) ** 2), 1 if noise == 0 else 2)


def from_classes(equation: str, classes: str, dimensions: Mapping[str, str] | None = None) -> Any:
    """The contraction that a text describes.

    Parameters
    ----------
    equation : einsum equation.
    classes : one item for all operands, or one for each, separated by commas. An item is ``CLASS``, ``NAME=CLASS`` or
        the ``NAME`` of an earlier one, with ``*`` behind it for the complex conjugate. Equal names are one tensor, and
        a class without a name is named by itself.
    dimensions : by index letter; an integer, the name of a scale, or a multiple of one such as ``2*n``. Others are n.

    Raises
    ------
    InputError : a class that is not known, or a number of items that does not fit.
    EquationError, ShapeError : what does not fit together.

    Examples
    --------
    >>> c = from_classes("ab,a,b,cd,c,d->", "W=gaussian,u=gaussian,u,W,u,u")
    >>> print(c.expectation())
    n^2 + 2 n
    """
    terms = _terms(equation)
    items = [item.strip() for item in classes.split(",")]
    if len(items) == 1:
        items *= len(terms)
    if len(items) != len(terms):
        raise InputError(f"classes has {len(items)} items, expected 1 or {len(terms)}, one per operand of {equation!r}")
    sizes = {letter: _dimension(letter, text) for letter, text in (dimensions or {}).items()}
    for letter in sizes:
        if letter not in "".join(terms):
            raise InputError(f"dim names the index {letter!r}, expected one of {equation!r}")
    tensors: dict[str, Any] = {}
    operands = []
    for term, item in zip(terms, items, strict=True):
        conjugate = item.endswith("*")
        name, _, kind = item.removesuffix("*").partition("=")
        if kind and name in tensors and len(set(items)) > 1:
            raise InputError(f"classes defines {name!r} twice, expected its name alone the second time")
        if name not in tensors:
            kind = kind or name
            if kind not in CLASSES:
                raise InputError(f"classes names {kind!r}, expected {', '.join(CLASSES)}, or a name given before")
            tensors[name] = CLASSES[kind][1](*(sizes.get(letter, rt.Scale("n")) for letter in term))
        elif len(term) != tensors[name].ndim:
            raise InputError(
                f"classes uses {name!r} for {term!r}, but it is a tensor of {tensors[name].ndim} indices, "
                f"expected another name for another tensor, as in A={kind or 'gaussian'},B={kind or 'gaussian'}"
            )
        operands.append(tensors[name].conj() if conjugate else tensors[name])
    return rt.einsum(equation, *operands)


def from_network(equation: str, activation: str, hidden_layers: int = 1) -> Any:
    """The contraction of derivative tensors of a fully connected network at one input, in NTK parametrisation.

    Parameters
    ----------
    equation : the number of letters of a term is the order of the derivative.
    activation : its name; "relu" is sqrt(2) max(z, 0) here, which keeps the size of a layer.
    hidden_layers : number of hidden layers.

    Examples
    --------
    >>> print(from_network("ij,i,j,->", "linear", 2).expectation())
    8 n^{-1} + 10 n^{-2}
    """
    terms = _terms(equation)
    function = rt.networks.mlp(1, rt.Scale("n"), hidden_layers, activation)
    contraction = rt.einsum(equation, *(function.derivative([1.0], order=len(term)) for term in terms))
    if activation != "relu":
        return contraction
    # Every operand has one factor sqrt(2) per hidden layer.
    factors = hidden_layers * len(terms)
    return contraction * (2 ** (factors // 2)) * (1 if factors % 2 == 0 else math.sqrt(2.0))


def _terms(equation: str) -> list[str]:
    return parse(equation, equation.partition("->")[0].count(",") + 1)[0]


def dimension(text: str) -> Any:
    """An integer, the name of a scale, or a multiple of one; None if the text is none of these.

    >>> dimension("12"), str(dimension("2*n")), dimension("n^2")
    (12, '2 n', None)
    """
    found = re.fullmatch(r"\s*(?:(\d+)\s*\*?)?\s*([^\W\d]\w*)?\s*", text)
    if found is None or not any(found.groups()):
        return None
    number, scale = found.groups()
    return int(number) if scale is None else int(number or 1) * rt.Scale(scale)


def _dimension(letter: str, text: str) -> Any:
    size = dimension(text)
    if size is None:
        raise InputError(f"dim of {letter!r} is {text!r}, expected an integer, a scale, or a multiple such as 2*n")
    return size


def _one(dimensions: Sequence[Any]) -> Any:
    first = dimensions[0]
    if any(str(d) != str(first) for d in dimensions):
        raise InputError(f"the indices have dimensions {', '.join(map(str, dimensions))}, expected one dimension")
    return first


def _matrix(dimensions: Sequence[Any]) -> Any:
    if len(dimensions) != 2:
        raise InputError(f"a matrix class is given for {len(dimensions)} indices, expected two")
    return _one(dimensions)
