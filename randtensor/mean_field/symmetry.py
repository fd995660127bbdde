"""Finite groups of orthogonal symmetries, acting on inputs and on neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from randtensor.errors import InputError, ShapeError
from randtensor.mean_field.checks import check_numbers
from randtensor.mean_field.neurons import Neurons

__all__ = ["SymmetryGroup"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-9  # of matrix entries and of points that are taken for equal
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
        keys = [_key(matrix, sign) for matrix, sign in zip(self.matrices, self.signs, strict=True)]
        known = set(keys)
        if len(known) < len(keys):
            raise InputError(f"matrices has {len(keys)} elements of which {len(known)} differ, expected each once")
        for i, (matrix, sign) in enumerate(zip(self.matrices, self.signs, strict=True)):
            products = matrix @ self.matrices
            for j, (product, other) in enumerate(zip(products, self.signs, strict=True)):
                if _key(product, sign * other) not in known:
                    raise InputError(
                        f"matrices is not closed: the product of elements {i} and {j} is not among its {len(keys)} "
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
        found = {_key(np.eye(generators.shape[1]), 1.0): (np.eye(generators.shape[1]), 1.0)}
        fresh = list(found.values())
        while fresh:
            grown = []
            for matrix, sign in fresh:
                for generator, other in zip(generators, generator_signs, strict=True):
                    product = (generator @ matrix, float(other * sign))
                    if found.setdefault(_key(*product), product) is product:
                        grown.append(product)
            fresh = grown
            if len(found) > _LARGEST:
                raise InputError(f"matrices generate more than {_LARGEST} elements, expected a small finite group")
        return cls(*map(np.array, zip(*found.values(), strict=True)))

    @classmethod
    def trivial(cls, dimension: int) -> SymmetryGroup:
        """The identity alone."""
        return cls(np.eye(dimension)[None])

    @classmethod
    def odd(cls, dimension: int) -> SymmetryGroup:
        """f(-x) = -f(x): neurons in pairs (a, b), (-a, -b)."""
        return cls.generated(-np.eye(dimension)[None], [-1])

    @classmethod
    def balanced(cls, dimension: int) -> SymmetryGroup:
        """Neurons in pairs (a, b), (-a, b), so that f = 0: a start, and no symmetry of training."""
        return cls.generated(np.eye(dimension)[None], [-1])

    @classmethod
    def reflection(cls, dimension: int, axis: int = 0, sign: int = 1) -> SymmetryGroup:
        """f(T x) = sign f(x) for the mirror T that changes the sign of one coordinate."""
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not 0 <= axis < dimension:
            raise InputError(f"axis is {axis!r}, expected a coordinate from 0 to {dimension - 1}")
        return cls.generated((np.eye(dimension) - 2 * np.outer(*[np.eye(dimension)[axis]] * 2))[None], [sign])

    @classmethod
    def signed_permutations(cls, dimension: int) -> SymmetryGroup:
        """All 2^d d! permutations of the coordinates with signs; at most dimension 4.

        >>> SymmetryGroup.signed_permutations(3).order
        48
        """
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
        return np.asarray(np.outer(self.signs, check_numbers("y", y)).ravel())

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

        inputs, targets = self._inputs(X), check_numbers("y", y)
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
        inputs = check_numbers("X", X)
        if inputs.ndim != 2 or inputs.shape[1] != self.dimension or not len(inputs):
            raise ShapeError(
                f"X has shape {inputs.shape}, expected (inputs, {self.dimension}), as the group acts there"
            )
        return inputs


def _elements(matrices: Any, signs: Any) -> tuple[Array, Array]:
    array = check_numbers("matrices", matrices)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not array.size:
        raise ShapeError(f"matrices has shape {array.shape}, expected (order, d, d)")
    gaps = np.abs(array @ array.swapaxes(1, 2) - np.eye(array.shape[1])).max(axis=(1, 2))
    if (gaps > _TOLERANCE).any():
        worst = int(gaps.argmax())
        raise InputError(
            f"matrices[{worst}] is not orthogonal: an entry of T T^t differs from the identity by {gaps[worst]:.3g}, "
            "expected orthogonal matrices"
        )
    given = np.ones(len(array)) if signs is None else check_numbers("signs", signs)
    if given.shape != (len(array),) or not np.isin(given, (-1.0, 1.0)).all():
        raise InputError(f"signs is {signs!r}, expected {len(array)} entries 1 or -1, one per matrix")
    return array, given


def _key(matrix: Array, sign: float) -> tuple[Any, ...]:
    # adding zero turns -0.0 into 0.0
    return (float(sign), *(np.round(matrix, 7) + 0.0).ravel().tolist())
