"""Parameters that move: a point ``scale * theta_0 + displacement`` of parameter space, for every sample of a block.

What is held entry by entry moves entry by entry. A revealed matrix moves by a core in the bases of the vectors that it
has met (``randtensor.revealed.moved``). Either way a displacement is a handful of arrays that can be added and scaled,
which is all that the rules of optimisers and of integrators ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from randtensor.dimensions import evaluate_shape
from randtensor.programs.forward import product_factor
from randtensor.programs.graph import Graph, Slot
from randtensor.programs.parameters import LowRank, ParameterVector
from randtensor.programs.reverse import Gradient
from randtensor.quantity import Draw
from randtensor.random_function import ParameterSpace
from randtensor.revealed import DenseMatrix, RandomMatrix, RevealedGaussian
from randtensor.revealed.moved import MovedGaussian

__all__ = ["Displacement", "MovingParameters"]

Array = np.ndarray


@dataclass(frozen=True)
class Displacement:
    """A vector over all parameters in the coordinates in which they move; absent slots are zero.

    Two blocks of one slot may differ in their last two axes where the bases have grown in between: the new coordinates
    of the older one are zero.

    >>> import numpy as np
    >>> step = Displacement({("v", ()): np.ones((1, 3))})
    >>> (step + step * -0.5).blocks["v", ()].tolist()
    [[0.5, 0.5, 0.5]]
    """

    blocks: Mapping[Slot, Array] = field(default_factory=dict)

    def __add__(self, other: Displacement) -> Displacement:
        blocks = dict(self.blocks)
        for slot, block in other.blocks.items():
            blocks[slot] = _padded_sum(blocks[slot], block) if slot in blocks else block
        return Displacement(blocks)

    def __mul__(self, factor: float) -> Displacement:
        return Displacement({slot: factor * block for slot, block in self.blocks.items()})

    __rmul__ = __mul__

    def scaled(self, factors: Mapping[str, float]) -> Displacement:
        """Every parameter times a number of its own, by name."""
        return Displacement({slot: factors.get(slot[0], 1.0) * block for slot, block in self.blocks.items()})

    def without(self, samples: Array) -> Displacement:
        """Zero for the samples of a mask, whatever it was."""
        blocks = {slot: np.array(block) for slot, block in self.blocks.items()}
        for block in blocks.values():
            block[samples] = 0.0
        return Displacement(blocks)


def _stacked(rows: list[Array]) -> Array:
    """Rows of coordinates, shape (batch, k) with growing k, as one block."""
    block = np.zeros((len(rows[0]), len(rows), max(row.shape[1] for row in rows)))
    for i, row in enumerate(rows):
        block[:, i, : row.shape[1]] = row
    return block


def _padded_sum(a: Array, b: Array) -> Array:
    if a.shape == b.shape:
        return np.asarray(a + b)
    shape = tuple(np.maximum(a.shape, b.shape))
    total = np.zeros(shape)
    for part in (a, b):
        total[tuple(map(slice, part.shape))] += part
    return total


class MovingParameters:
    """The parameters of one block of samples, on their way: a source of parameters for evaluations of a program.

    Parameters
    ----------
    space : the random parameters.
    graph : the program that is going to be evaluated.
    draw : randomness of the block.
    vectors : number of vectors that each matrix is expected to meet; smaller matrices are drawn whole.
    """

    def __init__(self, space: ParameterSpace, graph: Graph, draw: Draw, vectors: int) -> None:
        self.batch, self.like = draw.batch, draw.like
        self.sizes: Mapping[str, int] = {**draw.sizes, **space.sizes}
        self.scale, self.displacement = 1.0, Displacement()
        self._start: dict[Slot, Array | RandomMatrix] = {}
        for slot in graph.slots:
            value = draw.remember(
                (space, slot), lambda slot=slot: _start(space, slot, graph, self.sizes, draw, vectors)
            )
            self._start[slot] = _movable(value)
        self._now: dict[Slot, Array | RandomMatrix] = {}
        self.move(self.scale, self.displacement)

    @property
    def revealed(self) -> dict[Slot, tuple[int, int]]:
        """Directions met so far by each matrix that is not drawn whole, on the right and on the left."""
        return {slot: m.revealed for slot, m in self._start.items() if isinstance(m, RandomMatrix)}

    @property
    def held(self) -> frozenset[Slot]:
        """The parameters that are held entry by entry."""
        return frozenset(slot for slot, start in self._start.items() if not isinstance(start, RandomMatrix))

    def move(self, scale: float, displacement: Displacement) -> None:
        """Go to ``scale * theta_0 + displacement``."""
        self.scale, self.displacement = scale, displacement
        for slot, start in self._start.items():
            block = displacement.blocks.get(slot)
            if isinstance(start, RandomMatrix):
                assert isinstance(start, RevealedGaussian)
                core = np.zeros((self.batch, 0, 0)) if block is None else block
                self._now[slot] = MovedGaussian(start, scale, core)
            else:
                moved = start if scale == 1.0 else scale * start
                self._now[slot] = moved if block is None else moved + block

    def array(self, slot: Slot) -> Array:
        """A vector or scalar parameter, shape (batch, *shape)."""
        value = self._now[slot]
        assert isinstance(value, np.ndarray)
        return value

    def matrix(self, slot: Slot) -> RandomMatrix:
        """A matrix parameter."""
        value = self._now[slot]
        return value if isinstance(value, RandomMatrix) else DenseMatrix(value)

    def start(self, slot: Slot) -> Array:
        """The initial value of a parameter that is held entry by entry."""
        value = self._start[slot]
        assert isinstance(value, np.ndarray)
        return value

    def start_product(self, vector: ParameterVector) -> Array:
        """Inner product of a gradient with the initial parameters, shape (batch,)."""
        total = np.zeros(self.batch)
        for slot, array in vector.arrays.items():
            start = self._start[slot]
            assert isinstance(start, np.ndarray)
            total += np.vecdot(array.reshape(len(array), -1), start.reshape(len(start), -1))
        for slot, block in vector.matrices.items():
            assert isinstance(block, LowRank)
            start = self._start[slot]
            matrix = start if isinstance(start, RandomMatrix) else DenseMatrix(start)
            total += (np.vecdot(matrix.answer(block.right.copy()), block.left) * block.weights).sum(axis=1)
        return total

    def coordinates(self, gradient: Gradient) -> Displacement:
        """A gradient in the coordinates in which parameters move.

        A revealed matrix was asked about every vector that its gradient is made of, and told their coordinates then;
        only where nothing was pulled back through it are they worked out anew.
        """
        tape, vector = gradient.tape, gradient.coefficient(gradient.tape.ring.one)
        blocks: dict[Slot, Array] = dict(vector.arrays)
        for slot, block in vector.matrices.items():
            assert isinstance(block, LowRank)
            left, right, weights = block.left, block.right, block.weights
            start = self._start[slot]
            if isinstance(start, RevealedGaussian):
                products = gradient.products[slot]
                factors = np.array([[product_factor(tape, position) for position in products]])
                keys = [(position, side) for position in products for side in (True, False)]
                if factors.all() and all(key in tape.located for key in keys):
                    left, right = (_stacked([tape.located[i, side] for i in products]) for side in (True, False))
                    # both questions were about vectors times the factor of the product, the gradient has it once
                    weights = 1.0 / factors
                else:
                    left, right = start.left_coordinates(left.copy()), start.right_coordinates(right.copy())
            blocks[slot] = np.matmul((left * weights[:, :, None]).swapaxes(1, 2), right)
        return Displacement(blocks)


def _movable(value: Array | RandomMatrix) -> Array | RevealedGaussian:
    """A parameter as something that can move: only Gaussian matrices can without their entries."""
    if isinstance(value, np.ndarray | RevealedGaussian):
        return value
    if isinstance(value, DenseMatrix):
        return value.entries
    columns = value.shape[1]
    unit_vectors = np.broadcast_to(np.eye(columns), (value.batch, columns, columns)).copy()
    return value.answer(unit_vectors).swapaxes(1, 2)


def _start(
    space: ParameterSpace, slot: Slot, graph: Graph, sizes: Mapping[str, int], draw: Draw, vectors: int
) -> Array | RandomMatrix:
    """A parameter as training meets it: a matrix is revealed only if it is larger than what would be revealed of it."""
    name, indices = slot
    tensor = space.tensors[name].slice(indices)
    shape = evaluate_shape(space.tensors[name].dimensions[len(indices) :], sizes)
    if slot not in graph.matrices:
        return np.asarray(tensor.draw(shape, draw.batch, sizes, draw.generator))
    choice = getattr(tensor, "dense", None)
    if choice is False or (choice is None and min(shape) > vectors):
        matrix = tensor.matrix(shape, draw.batch, sizes, draw.generator)
        if isinstance(matrix, DenseMatrix | RevealedGaussian):
            return matrix
    return DenseMatrix(tensor.draw(shape, draw.batch, sizes, draw.generator))
