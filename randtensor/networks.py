"""Ready-made random functions: the architectures of the literature, each a few lines of plain forward code.

Parametrisations are triples of exponents (a, b, c), one per layer: the layer's weights are n^-a w with w of standard
deviation n^-b at initialisation, and w is trained with learning rate eta n^-c (Yang & Hu, arXiv 2011.14522). All
derivatives are taken with respect to w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from randtensor.dimensions import check_count
from randtensor.errors import InputError, ShapeError
from randtensor.functions import apply
from randtensor.functions import sum as total
from randtensor.orders import Order, Scale, Term
from randtensor.programs.activations import Activation, get_activation
from randtensor.random_function import Convolutional, FullyConnected, ParameterSpace, RandomFunction, Residual
from randtensor.tensors import RandomTensor, gaussian, iid

__all__ = ["Parametrization", "cnn", "deep_linear", "mlp", "parametrization", "resnet", "two_layer"]

Exponent = int | float | Fraction


@dataclass(frozen=True)
class Parametrization:
    """Exponents (a, b) of the input, hidden and read-out layers, and c of the learning rate.

    ``fan_in`` says whether the input layer is divided by the square root of the input dimension.
    """

    input: tuple[Exponent, Exponent]
    hidden: tuple[Exponent, Exponent]
    output: tuple[Exponent, Exponent]
    learning_rate: Exponent

    def rate(self, width: Any) -> Any:
        """The learning rate's order, n^-c."""
        return width ** -Fraction(self.learning_rate)


_HALF = Fraction(1, 2)
_NAMED = {
    "ntk": Parametrization((0, 0), (_HALF, 0), (_HALF, 0), 0),
    "mean-field": Parametrization((0, 0), (_HALF, 0), (1, 0), -1),
    "standard": Parametrization((0, 0), (0, _HALF), (0, _HALF), 1),
    "mup": Parametrization((-_HALF, _HALF), (0, _HALF), (_HALF, _HALF), 0),
}


def parametrization(choice: str | Parametrization | Sequence[Any]) -> Parametrization:
    """A parametrisation by name, or from explicit exponents.

    Parameters
    ----------
    choice : "ntk", "mean-field", "standard", "mup", or ``[(a_1, b_1), (a_l, b_l), (a_out, b_out), c]``.

    Raises
    ------
    InputError : anything else.

    >>> parametrization("mean-field").output
    (1, 0)
    """
    if isinstance(choice, Parametrization):
        return choice
    if isinstance(choice, str):
        if choice in _NAMED:
            return _NAMED[choice]
    else:
        try:
            first, hidden, last, rate = list(choice)
            pairs = [(Fraction(a), Fraction(b)) for a, b in (first, hidden, last)]
            return Parametrization(pairs[0], pairs[1], pairs[2], Fraction(rate))
        except (TypeError, ValueError, OverflowError):
            pass
    raise InputError(
        f"parametrization is {choice!r}, expected one of {', '.join(map(repr, _NAMED))} "
        f"or exponents [(a_1, b_1), (a_l, b_l), (a_out, b_out), c]"
    )


def mlp(
    inputs: int,
    width: Any,
    hidden_layers: int,
    activation: str | Activation = "tanh",
    parametrization: str | Parametrization | Sequence[Any] = "ntk",
    *,
    outputs: int | None = None,
    biases: float = 0.0,
    readout: Any = None,
    hidden: Any = None,
    dense: bool | None = None,
) -> RandomFunction:
    """A fully connected network.

    Parameters
    ----------
    inputs : dimension of the input; it is divided by ``sqrt(inputs)``.
    width : a scale, a multiple of one, an integer, or a list of these, one per hidden layer.
    hidden_layers : number of hidden layers.
    activation : name or ``Activation``.
    parametrization : "ntk", "mean-field", "standard", "mup" or exponents; see ``randtensor.networks``.
    outputs : length of the output vector; None for a scalar.
    biases : standard deviation of the biases of the hidden layers; 0 leaves them out.
    readout : law of the read-out weights in place of the normal one, as for ``rt.iid``: a name or a SciPy distribution.
    hidden : law of the weights between hidden layers, in the same way; all entries of these matrices are drawn.
    dense : draw all entries of hidden matrices (True), reveal them (False), or choose by size (None).

    Raises
    ------
    InputError, ShapeError, ActivationError : an argument outside its range.

    Examples
    --------
    >>> import randtensor as rt
    >>> f = rt.networks.mlp(inputs=3, width=rt.Scale("n"), hidden_layers=2, activation="erf", outputs=2)
    >>> f([1.0, 0.0, -1.0]).sample(512, size=4, rng=0).shape
    (4, 2)
    """
    scheme = _parametrization(parametrization)
    if isinstance(biases, bool) or not isinstance(biases, int | float) or not 0 <= biases < float("inf"):
        raise InputError(f"biases is {biases!r}, expected a non-negative standard deviation")
    phi = get_activation(activation)
    widths = _widths(width, hidden_layers)
    fan_in: list[Any] = [check_count("inputs", inputs), *widths]
    stds = [_power(widths[0], scheme.input[1])] + [_power(w, scheme.hidden[1]) for w in widths[:-1]]
    _check_hidden(hidden, len(widths), scheme, dense)
    parameters: dict[str, RandomTensor] = {
        f"W{layer + 1}": iid(hidden, n, fan_in[layer])
        if layer and hidden is not None
        else gaussian(n, fan_in[layer], std=stds[layer], dense=dense)
        for layer, n in enumerate(widths)
    }
    if biases:
        parameters |= {f"b{layer + 1}": gaussian(n) for layer, n in enumerate(widths)}
    parameters["v"] = _readout(readout, widths[-1], outputs, scheme.output[1])

    factors = [fan_in[0] ** -0.5 * _power(widths[0], scheme.input[0])]
    factors += [_power(size, scheme.hidden[0]) for size in fan_in[1:-1]]
    factors.append(_power(widths[-1], scheme.output[0]))

    def forward(p: Any, x: Any) -> Any:
        h = x
        for layer in range(len(widths)):
            z = p[f"W{layer + 1}"] @ h * factors[layer]
            h = apply(phi, z + p[f"b{layer + 1}"] * biases if biases else z)
        return p.v @ h * factors[-1]

    function = RandomFunction(forward, ParameterSpace(parameters), "mlp")
    stds.append(_power(widths[-1], scheme.output[1]))
    function.architecture = FullyConnected(
        fan_in[0], tuple(widths), phi, tuple(factors), tuple(stds), readout, biases, outputs, hidden
    )
    return function


def two_layer(
    inputs: int,
    width: Any,
    activation: str | Activation = "tanh",
    parametrization: Any = "ntk",
    **options: Any,
) -> RandomFunction:
    """A network with one hidden layer; options as for ``mlp``.

    >>> import randtensor as rt
    >>> rt.networks.two_layer(inputs=2, width=rt.Scale("n"))([1.0, 1.0]).sample(64, size=2, rng=0).shape
    (2,)
    """
    return mlp(inputs, width, 1, activation, parametrization, **options)


def deep_linear(
    inputs: int, width: Any, hidden_layers: int, parametrization: Any = "ntk", **options: Any
) -> RandomFunction:
    """A product of matrices as a network; options as for ``mlp``.

    >>> import randtensor as rt
    >>> rt.networks.deep_linear(inputs=2, width=rt.Scale("n"), hidden_layers=3)([1.0, 1.0]).sample(64, rng=0).shape
    (1,)
    """
    return mlp(inputs, width, hidden_layers, "linear", parametrization, **options)


def resnet(
    inputs: int,
    width: Any,
    blocks: int,
    activation: str | Activation = "tanh",
    *,
    residual_scale: float = 1.0,
    outputs: int | None = None,
    readout: Any = None,
) -> RandomFunction:
    """A residual network in NTK parametrisation: ``h <- h + residual_scale W phi(h) / sqrt(n)``.

    Parameters
    ----------
    blocks : number of residual blocks. Others as for ``mlp``.

    >>> import randtensor as rt
    >>> rt.networks.resnet(inputs=2, width=rt.Scale("n"), blocks=3)([1.0, 1.0]).sample(64, size=2, rng=0).shape
    (2,)
    """
    phi = get_activation(activation)
    (n,) = _widths(width, 1)
    parameters: dict[str, RandomTensor] = {"U": gaussian(n, check_count("inputs", inputs))}
    parameters |= {f"W{block + 1}": gaussian(n, n) for block in range(check_count("blocks", blocks))}
    parameters["v"] = _readout(readout, n, outputs, 0)

    def forward(p: Any, x: Any) -> Any:
        h = p.U @ x / inputs**0.5
        for block in range(blocks):
            h = h + p[f"W{block + 1}"] @ apply(phi, h) * _power(n, _HALF) * residual_scale
        return p.v @ apply(phi, h) * _power(n, _HALF)

    function = RandomFunction(forward, ParameterSpace(parameters), "resnet")
    function.structure = Residual(inputs, n, blocks, phi, residual_scale, readout, outputs)
    return function


def cnn(
    channels_in: int,
    channels: Any,
    layers: int,
    activation: str | Activation = "tanh",
    *,
    kernel_size: int = 3,
    axes: int = 1,
    positions: int | None = None,
    outputs: int | None = None,
    readout: Any = None,
) -> RandomFunction:
    """A circular convolutional network in NTK parametrisation, with the number of channels as its width.

    Parameters
    ----------
    channels_in : channels of the input, whose shape is (size of each axis, ..., channels_in).
    channels : the width.
    layers : number of convolutional layers.
    kernel_size : along each axis.
    axes : number of spatial axes, 1 or 2.
    positions : number of input positions, for a read-out that has weights of its own at each; None averages over
        positions before the read-out.

    >>> import numpy as np, randtensor as rt
    >>> f = rt.networks.cnn(channels_in=1, channels=rt.Scale("n"), layers=2)
    >>> f(np.ones((5, 1))).sample(64, size=2, rng=0).shape
    (2,)
    """
    phi = get_activation(activation)
    (n,) = _widths(channels, 1)
    taps = list(product(range(check_count("kernel_size", kernel_size)), repeat=check_count("axes", axes)))
    parameters: dict[str, RandomTensor] = {"W1": gaussian(len(taps), n, check_count("channels_in", channels_in))}
    parameters |= {f"W{layer + 1}": gaussian(len(taps), n, n) for layer in range(1, check_count("layers", layers))}
    if positions is None:
        parameters["v"] = _readout(readout, n, outputs, 0)
    elif readout is not None or outputs is not None:
        raise InputError(
            "positions is given together with readout or outputs, expected a Gaussian scalar read-out there"
        )
    else:
        parameters["v"] = gaussian(check_count("positions", positions), n)

    def forward(p: Any, x: Any) -> Any:
        sizes = x.shape[:axes]
        places = list(product(*map(range, sizes)))
        h = {place: _entry(x, place) for place in places}
        for layer in range(layers):
            kernel = p[f"W{layer + 1}"]
            factor = (len(taps) * channels_in) ** -0.5 if layer == 0 else _power(n, _HALF) * len(taps) ** -0.5
            convolved = {}
            for place in places:
                shifted = [tuple((i + k) % s for i, k, s in zip(place, tap, sizes, strict=True)) for tap in taps]
                convolved[place] = total([kernel[k] @ h[other] for k, other in enumerate(shifted)])
            h = {place: apply(phi, z * factor) for place, z in convolved.items()}
        if positions is None:
            return p.v @ (total(list(h.values())) / len(places)) * _power(n, _HALF)
        if len(places) != positions:
            raise ShapeError(f"the input has {len(places)} positions, expected positions = {positions}")
        return total([p.v[i] @ h[place] for i, place in enumerate(places)]) * _power(n, _HALF) / positions**0.5

    function = RandomFunction(forward, ParameterSpace(parameters), "cnn")
    function.structure = Convolutional(channels_in, n, layers, phi, kernel_size, axes, positions, readout, outputs)
    return function


_parametrization = parametrization


def _entry(x: Any, place: tuple[int, ...]) -> Any:
    for index in place:
        x = x[index]
    return x


def _power(width: Any, exponent: Exponent) -> Any:
    """n^-exponent."""
    return 1.0 if exponent == 0 else (float(width) if isinstance(width, int) else width) ** -Fraction(exponent)


def _widths(width: Any, layers: int) -> list[Any]:
    check_count("hidden_layers", layers)
    widths = list(width) if isinstance(width, list | tuple) else [width] * layers
    if len(widths) != layers:
        raise ShapeError(f"width lists {len(widths)} sizes, expected {layers}, one per hidden layer")
    alternatives = ", a Scale such as rt.Scale('n'), or a list"
    return [w if isinstance(w, Order | Scale | Term) else check_count("width", w, alternatives) for w in widths]


def _check_hidden(law: Any, layers: int, scheme: Parametrization, dense: bool | None) -> None:
    if law is None:
        return
    if layers < 2:
        raise InputError(f"hidden is {law!r} with {layers} hidden layer, expected at least two: no weights lie between")
    if scheme.hidden[1] != 0:
        raise InputError("hidden is given, expected a parametrization whose hidden weights have standard deviation 1")
    if dense is False:
        raise InputError(
            f"hidden is {law!r} and dense is False, expected None or True: only normal matrices are revealed"
        )


def _readout(law: Any, width: Any, outputs: int | None, exponent: Exponent) -> RandomTensor:
    shape = (width,) if outputs is None else (check_count("outputs", outputs), width)
    if law is None:
        return gaussian(*shape, std=_power(width, exponent))
    if exponent != 0:
        raise InputError(
            "readout is given, expected a parametrization whose read-out weights have standard deviation 1"
        )
    return iid(law, *shape)
