r"""Cumulants of deep networks at one input, to the first orders in n^{-1/2}, layer by layer.

Given the layers before, the pre-activations of a layer are sums of independent terms, with conditional cumulants of
order 2, 3 and 4 and no conditional mean. By the law of total cumulance, with E_n the mean over the law at width n and
V_l = lim n Var(conditional variance of z^{l+1}),

    kappa_2 = E_n[phi^2],   kappa_3 = n^{-1/2} m_3 E_n[phi^3],
    n kappa_4 -> kappa_4(W) E[phi^4] + 3 V_l,   V_l = Var(phi^2) + (1/2 E[(phi^2)''])^2 V_{l-1},

where E_n[phi^p] is the Edgeworth series of the layer before with these cumulants, to the order n^{-1}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from randtensor.errors import ExactError
from randtensor.exact.gaussianity.layers import Layer
from randtensor.exact.gaussianity.operators import derivative_means, edgeworth_operators
from randtensor.exact.gaussianity.units import pre_activations
from randtensor.exact.rationals import Number, exact
from randtensor.expansions import Expansion
from randtensor.orders import Bound, Order
from randtensor.programs.activations import Activation
from randtensor.random_function import Array, FullyConnected

__all__ = ["DeepLaw", "deep_law"]

_ZERO = Fraction(0)


@dataclass(frozen=True)
class DeepLaw:
    """Cumulants of a pre-activation at one input, as coefficients of powers of n^{-1/2}.

    Attributes
    ----------
    variance : coefficients of n^0, n^{-1/2}, n^{-1}.
    third : of n^{-1/2} and n^{-1}.
    fourth : of n^{-1}.
    spread : V, the limit of n times the variance of the conditional variance.
    is_symmetric : whether odd powers vanish in cumulants of even order.
    """

    variance: tuple[Number, Number, Number]
    third: tuple[Number, Number] = (_ZERO, _ZERO)
    fourth: Number = _ZERO
    spread: Number = _ZERO
    is_symmetric: bool = True

    def means(self, activation: Activation, power: int) -> tuple[Number, Number, Number]:
        """E_n[phi(z)^power], as coefficients of n^0, n^{-1/2}, n^{-1}."""
        derivatives = derivative_means(activation, power, self.variance[0], 6)
        levels: list[dict[tuple[int, ...], Number]] = [
            {(2,): self.variance[1], (3,): self.third[0]},
            {(2,): self.variance[2], (3,): self.third[1], (4,): self.fourth},
        ]
        found = [
            sum((value * derivatives[k[0]] for k, value in operator.items() if derivatives[k[0]]), _ZERO)
            for operator in edgeworth_operators(levels, 1)
        ]
        return found[0], found[1], found[2]

    def after(self, layer: Layer, activation: Activation) -> DeepLaw:
        """The law of the next layer."""
        second, third, fourth = (self.means(activation, power) for power in (2, 3, 4))
        gain = layer.scale(2) * layer.moment(2)
        offset = exact(layer.biases) ** 2
        slope = derivative_means(activation, 2, self.variance[0], 2)[2] / 2
        own = (fourth[0] - second[0] ** 2) / layer.width
        spread = gain**2 * (own + slope**2 * self.spread)
        skewness = layer.scale(3) * layer.moment(3) if layer.moment(3) else _ZERO
        return DeepLaw(
            (gain * second[0] + offset, gain * second[1], gain * second[2]),
            (skewness * third[0], skewness * third[1]) if skewness else (_ZERO, _ZERO),
            layer.scale(4) * layer.excess * fourth[0] + 3 * spread,
            spread,
            # The law of a read-out changes its sign, but no cumulant of even order.
            self.is_symmetric and (layer.is_last or layer.hands_on_symmetry),
        )

    def cumulant(self, order: int, step: Order) -> Expansion:
        """The cumulant of an order up to 4, with what is left out.

        Raises
        ------
        ExactError : a larger order.
        """
        terms: Sequence[tuple[int, Number]]
        match order:
            case 2:
                terms = list(enumerate(self.variance))
            case 3:
                terms = list(enumerate(self.third, start=1))
            case 4:
                terms = [(2, self.fourth)]
            case _:
                raise ExactError(f"the cumulant is of order {order}, expected at most 4 with several hidden layers")
        result = Expansion.of(0)
        for power, value in terms:
            result = result + Expansion.of(value) * step**power
        following = terms[-1][0] + (2 if self.is_symmetric and order != 3 else 1)
        return result + Bound("O", step**following)


def deep_law(network: FullyConnected, x: Array) -> tuple[DeepLaw, Order]:
    """The law of the output at an input, and what it is expanded in.

    Raises
    ------
    ExactError : layers whose sizes grow differently or not at all, weights with a mean, integrals that are not found.
    """
    layers = [Layer(network, number + 1) for number in range(len(network.widths))]
    steps = {layer.step for layer in layers}
    if len(steps) > 1:
        listed = ", ".join(map(str, network.widths))
        raise ExactError(f"the widths are {listed}, expected multiples of one of them")
    points = pre_activations(network, [x])
    law = DeepLaw((points.covariance(0, 0), _ZERO, _ZERO))
    for layer in layers:
        layer.require_centred()
        law = law.after(layer, network.activation)
    return law, steps.pop()
