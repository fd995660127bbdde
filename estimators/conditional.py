"""Gaussian mixtures: quantities that are Gaussian given some of the randomness, whose conditional law is known exactly.

The output of a network with Gaussian read-out weights is N(0, q) given its hidden layers. Its cumulants are those of q,
so averaging over the read-out can be done in closed form (Rao-Blackwell), which removes most of the noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators._k_statistics import HIGHEST_ORDER, centred, jackknife, pairings
from estimators.cumulants import Cumulant, cumulant, entropy, from_draws
from estimators.joint import Joint
from estimators.power_sums import check_samples
from estimators.sampling import Progress, draw_samples
from estimators.sources import identify
from estimators.statistics import summarize
from estimators.workers import Jobs
from randtensor.arguments import positive_integer
from randtensor.errors import InputError, ShapeError
from randtensor.programs.trace import Expression
from randtensor.quantity import Quantity, resolve_sizes
from randtensor.random_function import RandomFunction, check_input
from randtensor.seeding import Seed, root_sequence
from randtensor.tensors.gaussian import Gaussian

__all__ = ["conditional_covariance", "conditional_cumulant", "conditional_joint_cumulant"]

Array = NDArray[np.float64]


def conditional_covariance(function: RandomFunction, x: Any, y: Any = None, *, readout: str = "v") -> Quantity:
    """The covariance of a network's outputs at two inputs, given everything but its Gaussian read-out weights.

    The output is linear in the read-out v, f(x) = sum_i v_i h_i(x), so that given h it is Gaussian with the covariance
    q(x, y) = std^2 sum_i h_i(x) h_i(y): a random quantity on the hidden layers, which share the draw with f itself.

    Parameters
    ----------
    function : random function with a scalar output, or with independent outputs that all have this covariance.
    x, y : inputs of one shape; ``y`` None is the variance at ``x``.
    readout : name of the parameter that holds the read-out weights.

    Raises
    ------
    InputError : a read-out that is not Gaussian with independent entries, or that the function is not linear in.
    ShapeError : inputs of different shapes.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.mlp(inputs=2, width=rt.Scale("n"), hidden_layers=1, activation="linear")
    >>> q = conditional_covariance(f, [1.0, 1.0])
    >>> q.sample(10**4, rng=0).round(1).tolist()
    [1.0]
    """
    if not isinstance(function, RandomFunction):
        raise InputError(f"function is {function!r}, expected a random function such as rt.networks.mlp(...)")
    tensor = function.space.tensors.get(readout)
    if tensor is None:
        raise InputError(f"readout is {readout!r}, expected a parameter: {', '.join(function.space.tensors)}")
    if not isinstance(tensor, Gaussian) or tensor.is_complex or tensor.covariance is not None:
        raise InputError(f"readout {readout!r} is {tensor!r}, expected independent real Gaussian entries")
    first = check_input(x)
    second = first if y is None else check_input(y)
    if first.shape != second.shape:
        raise ShapeError(f"y has shape {second.shape}, expected {first.shape} as x")
    forms: Callable[[Any, Any], _LinearForm] = _forms(function, readout, tuple(tensor.dimensions))

    def covariance(p: Any, points: Any) -> Any:
        return forms(p, points[0]).inner(forms(p, points[len(points) - 1])) * (tensor.std * tensor.std)

    points = first[None] if y is None else np.stack([first, second])
    name = f"covariance of {function.name} given all but {readout}"
    return RandomFunction(covariance, function.space, name)(points)


def conditional_cumulant(
    variance: Any,
    order: int = 4,
    n: int | Mapping[Any, int] | None = None,
    *,
    samples: int = 1000,
    rng: Seed = None,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> Cumulant:
    """Unbiased estimate of an even cumulant of a Gaussian mixture N(0, q), from samples of q.

    E exp(i t f) = E exp(-t^2 q / 2), so kappa_2j(f) = (2j)! / (2^j j!) kappa_j(q) and odd cumulants are zero:
    kappa_4 = 3 Var q, kappa_6 = 15 kappa_3(q). The k-statistic of q has a relative error that does not grow with the
    width, whereas that of f itself grows like n^(order / 2 - 1).

    Parameters
    ----------
    variance : the conditional variance q, as a scalar quantity (`conditional_covariance`) or samples of shape (N,).
    order : of the cumulant of f: 2, 4, 6, ..., 12.
    n, samples, rng, jobs, block_size, progress : see `cumulant`.

    Raises
    ------
    ShapeError, InputError : as for `cumulant`; an odd order, or a variance that is negative.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=2, width=rt.Scale("n"), activation="relu")
    >>> q = conditional_covariance(f, [1.0, 1.0])
    >>> found = conditional_cumulant(q, order=4, n=64, samples=2000, rng=0)
    >>> abs(found.value - 15 / 4 / 64) < 4 * found.error  # 3 Var(relu(z)^2) / n
    True
    """
    half = _half(order)
    if isinstance(variance, Quantity):
        drawn = cumulant(
            variance, half, n, samples=samples, rng=rng, jobs=jobs, block_size=block_size, progress=progress
        )
        sums, factor = drawn.sums, _gaussian_moment(half)
        return Cumulant(
            value=factor * drawn.value,
            error=factor * drawn.error,
            order=2 * half,
            samples=drawn.samples,
            dof=drawn.dof,
            sizes=drawn.sizes,
            seed=drawn.seed,
            sums=sums,
            factor=factor,
            quantity=drawn.quantity,
        )
    draws = check_variances(check_samples(variance, "variance"))
    return from_draws(draws, half, factor=_gaussian_moment(half), reported=2 * half)


def conditional_joint_cumulant(
    function: RandomFunction,
    inputs: Sequence[Any],
    n: int | Mapping[Any, int] | None = None,
    *,
    readout: str = "v",
    samples: int = 1000,
    rng: Seed = None,
    jobs: Jobs = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> Cumulant:
    """Unbiased estimate of the joint cumulant of a network's outputs at several inputs, from conditional covariances.

    kappa(f(x_1), ..., f(x_2j)) is the sum over pairings of the inputs of kappa(q_1, ..., q_j), q being the conditional
    covariances of the pairs; for four inputs Cov(q_12, q_34) + Cov(q_13, q_24) + Cov(q_14, q_23).

    Parameters
    ----------
    function, readout : see `conditional_covariance`.
    inputs : an even number of inputs, at most 8; they may repeat.
    n, samples, rng, jobs, block_size, progress : see `cumulant`.

    Raises
    ------
    ShapeError, InputError : as for `conditional_covariance` and `cumulant`; an odd number of inputs, or too many.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.two_layer(inputs=1, width=rt.Scale("n"), activation="linear")
    >>> found = conditional_joint_cumulant(f, [[1.0], [1.0], [1.0], [-1.0]], n=16, samples=2000, rng=0)
    >>> abs(found.value + 6 / 16) < 4 * found.error  # f(x) = x v.w / sqrt(n), whose kappa_4 is 6 / n
    True
    """
    points = [check_input(x) for x in inputs]
    if len(points) % 2 or not 2 <= len(points) <= 8:
        raise InputError(f"inputs has {len(points)} entries, expected an even number from 2 to 8")
    kinds = [next(i for i, other in enumerate(points) if np.array_equal(other, x)) for x in points]
    pairs = {(a, b) for i, a in enumerate(kinds) for b in kinds[i + 1 :]}
    known = {
        pair: conditional_covariance(function, points[pair[0]], points[pair[1]], readout=readout)
        for pair in sorted({tuple(sorted(pair)) for pair in pairs})
    }
    joint = Joint(list(known.values()))
    count, half = positive_integer("samples", samples), len(points) // 2
    if count <= half:
        raise InputError(f"samples is {count}, expected at least {half + 1} for {len(points)} inputs")
    sizes, root = resolve_sizes(joint.scale_names, n), root_sequence(rng)
    (draws,) = draw_samples(joint, [sizes], [count], root, jobs=jobs, block_size=block_size, progress=progress)
    columns = {pair: centred(draws[:, i]) for i, pair in enumerate(known)}
    value, pseudo = 0.0, np.zeros(count)
    for pairing in pairings(kinds):
        labels = [tuple(sorted(pair)) for pair in pairing]
        part, parts = jackknife([columns[label] for label in labels])
        # a cumulant of order one is the only one that the centring changes
        shift = float(draws[:, list(known).index(labels[0])].mean()) if half == 1 else 0.0
        value, pseudo = value + part + shift, pseudo + parts + shift
    found = summarize(pseudo, "mean")
    law = identify(f"{kinds} of {joint.fingerprint}")
    return Cumulant(value, found.error, len(points), count, found.dof, sizes, entropy(root), quantity=law)


def check_variances(draws: Array) -> Array:
    """Conditional variances, or one sentence about them."""
    smallest = float(draws.min())
    if smallest < 0:
        raise InputError(f"variance has the negative value {smallest:g}, expected conditional variances")
    return draws


def _half(order: Any) -> int:
    highest = 2 * HIGHEST_ORDER
    whole = isinstance(order, int | np.integer) and not isinstance(order, bool)
    if not whole or order % 2 or not 2 <= order <= highest:
        raise InputError(f"order is {order!r}, expected an even integer from 2 to {highest}: odd cumulants are zero")
    return int(order) // 2


def _gaussian_moment(half: int) -> int:
    """(2j)! / (2^j j!), the moment of order 2j of a standard normal variable."""
    return math.prod(range(1, 2 * half, 2))


class _LinearForm(Expression):
    """sum_s v_s . h_s for slices v_s of the read-out weights: what a program is, once they are left symbolic."""

    def __init__(self, name: str, vectors: Mapping[tuple[int, ...], Any]) -> None:
        self.name, self.vectors = name, dict(vectors)

    def _refuse(self, *_: Any) -> Any:
        raise InputError(f"readout is {self.name!r}, expected a parameter that the function is linear in")

    def _value(self) -> Any:
        return self._refuse()

    def _coerce(self, other: Any) -> Any:
        return self._refuse()

    def elementwise(self, activation: Any) -> Any:
        """Not linear."""
        return self._refuse()

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, _LinearForm) or isinstance(other, _Readout):
            return self if isinstance(other, int) and other == 0 else self._refuse()  # sum() starts from 0
        joined = dict(self.vectors)
        for key, vector in other.vectors.items():
            joined[key] = joined[key] + vector if key in joined else vector
        return _LinearForm(self.name, joined)

    __radd__ = __add__

    def _map(self, change: Callable[[Any], Any], factor: Any) -> Any:
        if isinstance(factor, _LinearForm) or getattr(factor, "shape", ()) != ():
            self._refuse()
        return _LinearForm(self.name, {key: change(vector) for key, vector in self.vectors.items()})

    def __mul__(self, factor: Any) -> Any:
        return self._map(lambda vector: vector * factor, factor)

    __rmul__ = __mul__

    def __truediv__(self, factor: Any) -> Any:
        return self._map(lambda vector: vector / factor, factor)

    def __neg__(self) -> Any:
        return self * -1.0

    def __sub__(self, other: Any) -> Any:
        return self + (-other if isinstance(other, _LinearForm) else self._refuse())

    __rsub__ = __rtruediv__ = __pow__ = __matmul__ = __rmatmul__ = __getitem__ = sum = mean = _refuse

    def inner(self, other: _LinearForm) -> Any:
        """The covariance of two forms, for weights of variance one."""
        products = [vector @ other.vectors[key] for key, vector in self.vectors.items() if key in other.vectors]
        total = products[0]
        for product in products[1:]:
            total = total + product
        return total


class _Readout(_LinearForm):
    """The read-out weights themselves, or a slice of them."""

    def __init__(self, name: str, shape: tuple[Any, ...], index: tuple[int, ...] = ()) -> None:
        super().__init__(name, {})
        self.shape, self.index = shape, index

    def __len__(self) -> int:
        if not self.shape or not isinstance(self.shape[0], int):
            self._refuse()
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):
            return self[index[0]][index[1:]] if index else self
        place = range(len(self))[index]
        return _Readout(self.name, self.shape[1:], (*self.index, place))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __matmul__(self, vector: Any) -> Any:
        # a matrix of read-out weights gives several outputs, which are independent and have one covariance
        if len(self.shape) not in (1, 2) or not isinstance(vector, Expression) or isinstance(vector, _LinearForm):
            self._refuse()
        return _LinearForm(self.name, {self.index: vector})

    def __rmatmul__(self, vector: Any) -> Any:
        return self @ vector if len(self.shape) == 1 else self._refuse()

    __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = __neg__ = __sub__ = _LinearForm._refuse
    T = property(_LinearForm._refuse)


class _WithoutReadout:
    """The parameters of a program, with the read-out weights left symbolic."""

    def __init__(self, parameters: Any, name: str, shape: tuple[Any, ...]) -> None:
        self._parameters, self._name, self._shape = parameters, name, shape

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, name: str) -> Any:
        return _Readout(self._name, self._shape) if name == self._name else self._parameters[name]


def _forms(function: RandomFunction, readout: str, shape: tuple[Any, ...]) -> Callable[[Any, Any], _LinearForm]:
    def forms(p: Any, x: Any) -> _LinearForm:
        form = function.forward(_WithoutReadout(p, readout, shape), x)
        if not isinstance(form, _LinearForm) or isinstance(form, _Readout):
            raise InputError(f"readout is {readout!r}, expected a parameter that the function is linear in")
        return form

    return forms
