"""Finite groups of orthogonal symmetries, acting on inputs and on neurons."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.arguments import finite_array, positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.checks import check_inputs
from randtensor.mean_field.neurons import Neurons

__all__ = ["SymmetryGroup"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-9  # of matrix entries and of points that are taken for equal
_SAME = 1e-6  # distance of elements that are one; different ones of a group this small are more than 1e-3 apart
_LARGEST = 4096  # elements of a group that generators are allowed to make


class SymmetryGroup:
    """A finite group of pairs (T, s) of an orthogonal matrix and a sign, for functions with f(T x) = s f(x).

    It acts on neurons by (a, b) -> (s a, T b). When target and input law have the symmetry, gradient flow preserves it,
    at infinite width from an invariant law and at any width from neurons that are closed under the group (Hajjar &
    Chizat 2022, arXiv 2211.08771, symmetries of the dynamics); gradient descent with the whole of a closed sample does
    so with any step size, because it is equivariant too.

    Parameters
    ----------
    matrices : orthogonal matrices, shape (order, d, d).
    signs : one sign per matrix; None for an invariant function. The pair (1, -1), "the same input, the other sign", is
        an element like any other, although only the zero function has this symmetry: its orbits are neurons of either
        sign at one place, with f = 0 at the start.

    Raises
    ------
    ShapeError : arrays of another shape.
    InputError : a matrix that is not orthogonal, a sign that is none, elements that repeat or are not closed under
        products.

    Examples
    --------
    >>> mirror = SymmetryGroup.generated([np.diag([-1.0, 1.0])])
    >>> mirror.order, mirror.orbit([[2.0, 3.0]]).tolist()
    (2, [[2.0, 3.0], [-2.0, 3.0]])
    >>> odd = SymmetryGroup.generated([-np.eye(2)], signs=[-1])
    >>> f = odd.closure(Neurons([1.0], [[2.0, 1.0]]))
    >>> f.a.tolist(), f([[1.0, 0.0], [-1.0, 0.0]]).tolist()
    ([1.0, -1.0], [1.0, -1.0])
    """

    def __init__(self, matrices: Any, signs: Any = None) -> None:
        self.matrices, self.signs = _elements(matrices, signs)
        count, known = len(self.signs), _Elements()
        for matrix, sign in zip(self.matrices, self.signs, strict=True):
            known.add(matrix, sign)
        if len(known) < count:
            raise InputError(f"matrices has {count} elements of which {len(known)} differ, expected each once")
        for i, (matrix, sign) in enumerate(zip(self.matrices, self.signs, strict=True)):
            products = matrix @ self.matrices
            for j, (product, other) in enumerate(zip(products, self.signs, strict=True)):
                if (product, sign * other) not in known:
                    raise InputError(
                        f"matrices is not closed: the product of elements {i} and {j} is not among its {count} "
                        "elements, expected a group: SymmetryGroup.generated(...) makes one"
                    )

    @classmethod
    def generated(cls, matrices: Any, signs: Any = None) -> SymmetryGroup:
        """The group of all products of the given elements; the identity comes first.

        Raises
        ------
        InputError : as for the class; generators of more than 4096 elements.

        >>> quarter_turn = [[0.0, -1.0], [1.0, 0.0]]
        >>> SymmetryGroup.generated([quarter_turn]).order
        4
        """
        generators, generator_signs = _elements(matrices, signs)
        found = _Elements()
        found.add(np.eye(generators.shape[1]), 1.0)
        fresh = list(found)
        while fresh:
            grown = []
            for matrix, sign in fresh:
                for generator, other in zip(generators, generator_signs, strict=True):
                    product = (_polished(generator @ matrix), float(other * sign))
                    if found.add(*product):
                        grown.append(product)
            fresh = grown
            if len(found) > _LARGEST:
                raise InputError(f"matrices generate more than {_LARGEST} elements, expected a small finite group")
        # what products of generators cannot leave is closed: there is nothing to check
        group = object.__new__(cls)
        group.matrices, group.signs = map(np.array, zip(*found, strict=True))
        return group

    @classmethod
    def trivial(cls, dimension: int) -> SymmetryGroup:
        """The identity alone."""
        positive_integer("dimension", dimension)
        return cls(np.eye(dimension)[None])

    @classmethod
    def odd(cls, dimension: int) -> SymmetryGroup:
        """f(-x) = -f(x): neurons in pairs (a, b), (-a, -b)."""
        positive_integer("dimension", dimension)
        return cls.generated(-np.eye(dimension)[None], [-1])

    @classmethod
    def balanced(cls, dimension: int) -> SymmetryGroup:
        """Neurons in pairs (a, b), (-a, b), so that f = 0: a start, and no symmetry of training."""
        positive_integer("dimension", dimension)
        return cls.generated(np.eye(dimension)[None], [-1])

    @classmethod
    def reflection(cls, dimension: int, axis: int = 0, sign: int = 1) -> SymmetryGroup:
        """f(T x) = sign f(x) for the mirror T that changes the sign of one coordinate."""
        positive_integer("dimension", dimension)
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not 0 <= axis < dimension:
            raise InputError(f"axis is {axis!r}, expected a coordinate from 0 to {dimension - 1}")
        return cls.generated((np.eye(dimension) - 2 * np.outer(*[np.eye(dimension)[axis]] * 2))[None], [sign])

    @classmethod
    def signed_permutations(cls, dimension: int) -> SymmetryGroup:
        """All 2^d d! permutations of the coordinates with signs; at most dimension 5.

        >>> SymmetryGroup.signed_permutations(3).order
        48
        """
        positive_integer("dimension", dimension)
        swaps = [np.eye(dimension)[[*range(i), i + 1, i, *range(i + 2, dimension)]] for i in range(dimension - 1)]
        return cls.generated([np.diag([-1.0, *[1.0] * (dimension - 1)]), *swaps])

    @property
    def order(self) -> int:
        """The number of elements."""
        return len(self.signs)

    @property
    def dimension(self) -> int:
        """The dimension of the inputs."""
        return int(self.matrices.shape[1])

    def orbit(self, X: Any) -> Array:
        """The rows of ``X`` and all their images, shape (order * S, d), element by element."""
        inputs = self._inputs(X)
        return np.asarray((inputs @ self.matrices.swapaxes(1, 2)).reshape(-1, self.dimension))

    def orbit_targets(self, y: Any) -> Array:
        """The targets at `orbit`, from those at the rows it is made of."""
        return np.asarray(np.outer(self.signs, finite_array("y", y)).ravel())

    def closure(self, neurons: Neurons) -> Neurons:
        """Networks of ``order`` times the width, made of the orbits of the given neurons."""
        if neurons.dimension != self.dimension:
            raise ShapeError(
                f"neurons have dimension {neurons.dimension}, expected {self.dimension}, that of the matrices"
            )
        a = self.signs * neurons.a[..., None]
        b = (self.matrices @ neurons.b[..., None, :, None])[..., 0]
        return Neurons(a.reshape(*a.shape[:-2], -1), b.reshape(*b.shape[:-3], -1, self.dimension))

    def defect(self, neurons: Neurons, X: Any) -> Array:
        """max over inputs and elements of |f(T x) - s f(x)|, shape (...)."""
        inputs = self._inputs(X)
        outputs = neurons(self.orbit(inputs))
        images = outputs.reshape(*outputs.shape[:-1], self.order, -1)
        return np.asarray(np.abs(images - self.signs[:, None] * neurons(inputs)[..., None, :]).max(axis=(-2, -1)))

    def first_unmatched(self, X: Any, y: Any) -> tuple[int, int, str] | None:
        """The first element and row whose image is not in the data, and what is wrong with it; None if closed."""
        from scipy.spatial import cKDTree

        inputs, targets = self._inputs(X), finite_array("y", y)
        if targets.shape != inputs.shape[:1]:
            raise ShapeError(f"y has shape {targets.shape}, expected {inputs.shape[:1]}: one target per input")
        near = _TOLERANCE * max(1.0, float(np.abs(inputs).max()))
        tree = cKDTree(inputs)
        multiplicity = tree.query_ball_point(inputs, near, return_length=True)
        for element, (matrix, sign) in enumerate(zip(self.matrices, self.signs, strict=True)):
            images = inputs @ matrix.T
            _, partners = tree.query(images)
            wrong_target = np.abs(targets[partners] - sign * targets) > _TOLERANCE * max(1.0, np.abs(targets).max())
            found = tree.query_ball_point(images, near, return_length=True)
            for wrong, text in (
                (found == 0, "is no row"),
                (found != multiplicity, "occurs another number of times"),
                (wrong_target, "has another target"),
            ):
                if wrong.any():
                    return element, int(np.argmax(wrong)), text
        return None

    def _inputs(self, X: Any) -> Array:
        inputs = check_inputs(X, self.dimension)
        if not len(inputs):
            raise ShapeError(f"X has shape {inputs.shape}, expected at least one row")
        return inputs


def _elements(matrices: Any, signs: Any) -> tuple[Array, Array]:
    array = finite_array("matrices", matrices)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not array.size:
        raise ShapeError(f"matrices has shape {array.shape}, expected (order, d, d)")
    gaps = np.abs(array @ array.swapaxes(1, 2) - np.eye(array.shape[1])).max(axis=(1, 2))
    if (gaps > _TOLERANCE).any():
        worst = int(gaps.argmax())
        raise InputError(
            f"matrices[{worst}] is not orthogonal: an entry of T T^t differs from the identity by {gaps[worst]:.3g}, "
            "expected orthogonal matrices"
        )
    given = np.ones(len(array)) if signs is None else finite_array("signs", signs)
    if given.shape != (len(array),) or not np.isin(given, (-1.0, 1.0)).all():
        raise InputError(f"signs is {given.tolist()!r}, expected {len(array)} entries 1 or -1, one per matrix")
    return _polished(array), given


def _polished(matrices: Array) -> Array:
    """Nearly orthogonal matrices made orthogonal to rounding: one step of Newton and Schulz, exact for permutations."""
    return np.asarray(matrices @ (1.5 * np.eye(matrices.shape[-1]) - 0.5 * matrices.swapaxes(-1, -2) @ matrices))


class _Elements:
    """Pairs (T, s), each once up to rounding, in the order in which they came."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Array, float]] = []
        self._cells: dict[tuple[int, int], list[int]] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[Array, float]]:
        return iter(self._pairs)

    def __contains__(self, pair: tuple[Array, float]) -> bool:
        matrix, sign = pair
        near = {index for cell in self._around(matrix) for index in self._cells.get(cell, ())}
        return any(sign == self._pairs[i][1] and np.abs(matrix - self._pairs[i][0]).max() < _SAME for i in near)

    def add(self, matrix: Array, sign: float) -> bool:
        """Whether the pair is new."""
        if (matrix, sign) in self:
            return False
        for cell in self._around(matrix):
            self._cells.setdefault(cell, []).append(len(self._pairs))
        self._pairs.append((matrix, float(sign)))
        return True

    @staticmethod
    def _around(matrix: Array) -> tuple[tuple[int, int], tuple[int, int]]:
        """Cells of a mean of the entries on two grids, half a cell apart: what is close shares one of them."""
        weights = np.cos(np.arange(1.0, matrix.size + 1)) / matrix.size
        place = float(matrix.ravel() @ weights) / (4 * _SAME)
        return (0, math.floor(place)), (1, math.floor(place + 0.5))
