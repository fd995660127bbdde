"""The sum over layers of the transfer matrix: where its sets of contractions are placed along the depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod

from randtensor.errors import ExactError
from randtensor.exact.derivatives._placements import Key

__all__ = ["Layers", "sum_over_layers"]

#: Monomials of the answer, at most.
LARGEST_ANSWER = 10**6

#: Exponents of the variables, and the coefficient.
Monomials = dict[tuple[int, ...], Fraction]

#: A sum of coefficients times powers of two.
Multiplier = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layers:
    """The chain along which contractions are placed, with d hidden layers and d + 1 places.

    Attributes
    ----------
    eigenvalues : by eigenspace, integer polynomials in the width (constant term first) that vanish at width 0.
    widths : per hidden layer an integer, or ``None`` with the number of its variable in ``width_variables``.
    width_variables : per hidden layer the number of the variable that stands for its width, None for integers.
    place_variables : per place the number of the variable that counts contractions there, None where it is 1.
    variables : how many variables there are.
    """

    eigenvalues: tuple[tuple[int, ...], ...]
    widths: tuple[int | None, ...]
    width_variables: tuple[int | None, ...]
    place_variables: tuple[int | None, ...]
    variables: int


def sum_over_layers(layers: Layers, constants: dict[Key, Fraction]) -> Monomials:
    """Sum of constants times eigenvalues over all layers in which the sets can be placed in order.

    Returns
    -------
    The answer without its factor ``prod width``, as coefficients by exponents of the variables.

    Raises
    ------
    ExactError : the answer has too many monomials.
    """
    if not constants:
        return {}
    denominator = lcm(*(constant.denominator for constant in constants.values()))
    numerators = {key: int(constant * denominator) for key, constant in constants.items()}
    degrees = _degrees(layers, constants)
    strides = [prod(degree + 1 for degree in degrees[:variable]) for variable in range(layers.variables + 1)]
    if strides[-1] > LARGEST_ANSWER:
        raise ExactError(
            f"the answer has up to {strides[-1]} monomials in the different widths, expected at most {LARGEST_ANSWER}: "
            f"make more of the widths equal, or give them as integers"
        )
    # Every polynomial is one integer, its value at large powers of two; the sum of absolute values says how large.
    count = len(layers.place_variables)
    bound = _sweep(_absolute(layers), [0] * count, {key: abs(value) for key, value in numerators.items()})
    bits = 8 * (bound.bit_length() // 8 + 1)
    shifts = [bits * stride for stride in strides[:-1]]
    places = [0 if variable is None else shifts[variable] for variable in layers.place_variables]
    packed = _sweep(_multipliers(layers, shifts), places, numerators)
    coefficients = _unpacked(packed, bits, strides[-1])
    return {
        tuple(slot // stride % (degree + 1) for stride, degree in zip(strides, degrees, strict=False)): Fraction(
            coefficient, denominator
        )
        for slot, coefficient in enumerate(coefficients)
        if coefficient
    }


def _degrees(layers: Layers, constants: dict[Key, Fraction]) -> list[int]:
    degrees = [0] * layers.variables
    reduced = max(map(len, layers.eigenvalues)) - 2
    for variable in layers.width_variables:
        if variable is not None:
            degrees[variable] += reduced
    most = max(sum(sizes) for _, sizes, _ in constants)
    for variable in layers.place_variables:
        if variable is not None:
            degrees[variable] = most
    return degrees


def _multipliers(layers: Layers, shifts: Sequence[int]) -> list[list[Multiplier]]:
    """Eigenvalues over width, per layer and eigenspace."""
    found: list[list[Multiplier]] = []
    for width, variable in zip(layers.widths, layers.width_variables, strict=True):
        row: list[Multiplier] = []
        for polynomial in layers.eigenvalues:
            if variable is not None:
                row.append(tuple((c, shifts[variable] * power) for power, c in enumerate(polynomial[1:]) if c))
            else:
                row.append(((sum(c * (width or 0) ** power for power, c in enumerate(polynomial[1:])), 0),))
        found.append(row)
    return found


def _absolute(layers: Layers) -> list[list[Multiplier]]:
    """Upper bounds of the sums of the absolute values of the coefficients."""
    return [
        [((sum(abs(c) * (width or 1) ** power for power, c in enumerate(p[1:])), 0),) for p in layers.eigenvalues]
        for width in layers.widths
    ]


def _times(value: int, multiplier: Multiplier) -> int:
    # Linear in the length of the value, where one product of two long integers is not.
    return sum(value * coefficient << shift for coefficient, shift in multiplier)


def _sweep(eigenvalues: list[list[Multiplier]], places: list[int], constants: dict[Key, int]) -> int:
    """One pass from the input to the output, over the tree of prefixes of the keys."""
    nodes: dict[Key, int] = {}
    children: list[tuple[Key, Key, int]] = []
    endings: dict[Key, list[tuple[int, int]]] = defaultdict(list)
    total = constants.get((0, (), ()), 0)
    for (root, sizes, between), constant in constants.items():
        if not sizes:
            continue
        nodes[root, (), ()] = 1
        for depth in range(1, len(sizes)):
            node = (root, sizes[:depth], between[:depth])
            if node not in nodes:
                nodes[node] = 0
                children.append((node, (root, sizes[: depth - 1], between[: depth - 1]), sizes[depth - 1]))
        endings[root, sizes[:-1], between].append((sizes[-1], constant))
    # Deeper nodes first, so that a place holds one set at most.
    children.sort(key=lambda child: -len(child[0][1]))
    for place, shift in enumerate(places):
        for node, weights in endings.items():
            if nodes[node]:
                total += sum(nodes[node] * constant << shift * size for size, constant in weights)
        for node, parent, size in children:
            if nodes[parent]:
                nodes[node] += nodes[parent] << shift * size
        if place < len(eigenvalues):
            row = eigenvalues[place]
            total = _times(total, row[0])
            for node, value in nodes.items():
                if value:
                    nodes[node] = _times(value, row[node[2][-1] if node[2] else node[0]])
    return total


def _unpacked(packed: int, bits: int, slots: int) -> list[int]:
    """Signed digits of an integer in base 2^bits."""
    half = 1 << bits - 1
    shift = int.from_bytes((bytes(bits // 8 - 1) + b"\x80") * slots, "little")
    digits = (packed + shift).to_bytes(slots * bits // 8 + 1, "little")
    width = bits // 8
    return [int.from_bytes(digits[i * width : (i + 1) * width], "little") - half for i in range(slots)]
