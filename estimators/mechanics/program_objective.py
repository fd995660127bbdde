"""Programs of the library as objectives: the loss is itself a program, of the parameters and of the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from estimators.mechanics.objectives import ParameterLayout, as_batch
from randtensor.dimensions import evaluate_shape
from randtensor.errors import InputError, ShapeError
from randtensor.programs.forward import forward
from randtensor.programs.graph import Graph
from randtensor.programs.parameters import LowRank, ParameterVector
from randtensor.programs.polynomials import ring
from randtensor.programs.reverse import reverse
from randtensor.quantity import Draw
from randtensor.random_function import RandomFunction

__all__ = ["ProgramObjective"]

Array = np.ndarray


class ProgramObjective:
    """A scalar program ``loss(p, rows)`` on dense parameters, differentiated by the library.

    Higher derivatives come from truncated polynomials and the reverse pass, so that they are exact to rounding.

    Parameters
    ----------
    function : a program with a scalar value, whose input is a stack of rows: one per example, with its target.
    data : all rows.
    sizes : of the scales of the parameters, by name; not needed if there are none.

    Raises
    ------
    InputError : anything but a program.
    ShapeError : a program whose value is a vector.

    Examples
    --------
    >>> import randtensor as rt
    >>> @rt.program(w=rt.gaussian(2))
    ... def loss(p, rows):
    ...     return rt.mean([(p.w @ row[:2] - row[2]) ** 2 for row in rows]) / 2
    >>> objective = ProgramObjective(loss, [[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
    >>> objective.gradient(np.array([0.0, 0.0])).tolist()
    [-0.5, 0.5]
    """

    def __init__(self, function: RandomFunction, data: Any, sizes: dict[str, int] | None = None) -> None:
        if not isinstance(function, RandomFunction):
            raise InputError(f"function is {function!r}, expected a program of rt.program or rt.networks")
        self.function, self.data = function, np.array(data, dtype=float)
        if function.outputs(self.data.shape) is not None:
            raise ShapeError(f"the program {function.name} has a vector as value, expected a scalar loss")
        given = {**function.space.sizes, **(sizes or {})}
        shapes = {name: evaluate_shape(t.dimensions, given) for name, t in function.space.tensors.items()}
        self.layout = ParameterLayout(shapes)

    def loss(self, parameters: Array, batch: Any = None) -> float:
        """The loss on a batch."""
        return float(self._tape(parameters, batch, [], False).output[()][0])

    def gradient(self, parameters: Array, batch: Any = None) -> Array:
        """Its gradient, shape (P,)."""
        return self._derivative(parameters, batch, [])

    def hessian_product(self, parameters: Array, vector: Array, batch: Any = None) -> Array:
        """The Hessian times a vector, shape (P,)."""
        return self._derivative(parameters, batch, [vector])

    def third_product(self, parameters: Array, first: Array, second: Array, batch: Any = None) -> Array:
        """The third derivative times two vectors, shape (P,)."""
        return self._derivative(parameters, batch, [first, second])

    def _derivative(self, parameters: Array, batch: Any, vectors: Sequence[Array]) -> Array:
        gradient = reverse(self._tape(parameters, batch, vectors, True))
        found = gradient.coefficient((1,) * len(vectors))
        arrays = {name: np.zeros(shape) for name, shape in self.layout.shapes.items()}
        for (name, indices), array in found.arrays.items():
            arrays[name][indices] = array[0]
        for (name, indices), block in found.matrices.items():
            assert isinstance(block, LowRank)
            arrays[name][indices] = (block.left[0] * block.weights[0][:, None]).T @ block.right[0]
        return self.layout.join(arrays)

    def _tape(self, parameters: Array, batch: Any, vectors: Sequence[Array], slopes: bool) -> Any:
        rows = as_batch(self.data, batch)
        given = self.function.at(**self.layout.split(parameters))
        graph = self.function.graph(rows.shape)
        directions = [_direction(graph, self.layout.split(vector)) for vector in vectors]
        draw = Draw({}, 1, np.random.default_rng(0))  # nothing is random: all parameters are given
        source = given.space.sample(draw)
        return forward(graph, source, rows, ring((1,) * len(vectors)), directions, slopes=slopes)


def _direction(graph: Graph, arrays: dict[str, Array]) -> ParameterVector:
    """A vector in parameter space, slot by slot: those of matrices as sums of outer products."""
    found = ParameterVector()
    for slot in graph.slots:
        array = arrays[slot[0]][slot[1]]
        if slot in graph.matrices:
            width = array.shape[1]
            found.matrices[slot] = LowRank(array.T[None], np.eye(width)[None], np.ones((1, width)))
        if slot in graph.arrays:
            found.arrays[slot] = array[None]
    return found
