"""Regimes of abc-parametrisations: which move their features, which stay at their kernel, which blow up."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from randtensor.dimensions import check_count
from randtensor.networks import Parametrization
from randtensor.networks import parametrization as named
from randtensor.orders import O, Scale, Theta
from randtensor.prediction.derivation import Derivation, DerivationKind, Step

__all__ = ["AbcRegime", "abc_regime"]

SOURCE = "Yang & Hu, arXiv 2011.14522"

Regime = Literal["kernel", "feature", "unstable", "trivial"]


@dataclass(frozen=True)
class AbcRegime:
    """What a parametrisation of a fully connected network does in the limit of infinite width.

    Attributes
    ----------
    r : exponent of the change of the last hidden activations in training: n^-r after a number of steps of order 1.
    stable : activations at initialisation stay of order 1, and nothing blows up in training.
    nontrivial : the function moves away from its initialisation.
    regime : "feature" (stable, nontrivial, r = 0), "kernel" (stable, nontrivial, r > 0), "trivial" or "unstable".
    readout : a + b of the read-out layer.
    steps : the conditions, each with its value, as text.
    """

    r: Fraction
    stable: bool
    nontrivial: bool
    regime: Regime
    readout: Fraction
    steps: tuple[str, ...]

    def feature_change(self, width: Scale) -> Derivation | None:
        """Order of the change of the last hidden activations: n^-r; None if the parametrisation is unstable.

        >>> import randtensor as rt
        >>> print(abc_regime("ntk", 2).feature_change(rt.Scale("n")).bound)
        Theta(n^{-1/2})
        """
        return self._derived(width, -self.r, "change of the last hidden activations, n^-r", SOURCE, self.stable)

    def initial_output(self, width: Scale) -> Derivation | None:
        """Order of the output at initialisation; None if activations are not of order 1 there.

        >>> import randtensor as rt
        >>> print(abc_regime("mup", 2).initial_output(rt.Scale("n")).bound)
        Theta(n^{-1/2})
        """
        rule = "output at initialisation, a sum of n centred terms: 1/2 - (a + b) of the read-out"
        return self._derived(width, Fraction(1, 2) - self.readout, rule, SOURCE, self.stable)

    def initial_kernel_deviation(self, width: Scale) -> Derivation | None:
        """Order of the standard deviation of learning rate times tangent kernel at initialisation; None unless that
        kernel is of order 1.

        >>> import randtensor as rt
        >>> print(abc_regime("mup", 2).initial_kernel_deviation(rt.Scale("n")).bound)
        Theta(n^{-1/2})
        """
        rule = "mean over n units that fluctuate independently to leading order"
        return self._derived(width, Fraction(-1, 2), rule, "central limit", self.stable and self.nontrivial)

    def kernel_change(self, width: Scale) -> Derivation | None:
        """Order of the change in training of learning rate times tangent kernel; None unless that kernel is of order 1.

        The kernel is quadratic in the features. Their change is odd in the read-out weights to first order, so that
        its first power only contributes a fluctuation, n^(-r-1/2), and its square a mean, n^(-2r).

        >>> import randtensor as rt
        >>> print(abc_regime("ntk", 2).kernel_change(rt.Scale("n")).bound)
        O(n^{-1})
        """
        exponent = max(-2 * self.r, -self.r - Fraction(1, 2))
        rule = "larger of the squared change of the features and the fluctuation of its first power"
        valid = self.stable and self.nontrivial
        return self._derived(width, exponent, rule, "docs/predicted_orders.md", valid, "conjecture")

    def _derived(
        self, width: Scale, exponent: Fraction, rule: str, source: str, valid: bool, kind: DerivationKind = "tight"
    ) -> Derivation | None:
        if not valid:
            return None
        order = width**exponent
        bound = O(order) if kind == "conjecture" else Theta(order)
        return Derivation(bound, kind, (Step(str(width), rule, order, source),))


def abc_regime(parametrization: str | Parametrization | Any, hidden_layers: int) -> AbcRegime:
    """The regime of an abc-parametrisation, by the classification of Yang & Hu (arXiv 2011.14522), exactly.

    Layer l = 1..L+1 has weights n^-a_l w^l, entries of w^l have standard deviation n^-b_l at initialisation and are
    trained with learning rate eta n^-c; L is the number of hidden layers. With

        r = min(a_{L+1} + b_{L+1}, 2 a_{L+1} + c) + c - 1 + min_{l <= L} (2 a_l + [l = 1])

    the parametrisation is stable iff a_1 + b_1 = 0, a_l + b_l = 1/2 for 2 <= l <= L, a_{L+1} + b_{L+1} >= 1/2, r >= 0,
    2 a_{L+1} + c >= 1 and a_{L+1} + b_{L+1} + r >= 1; it is nontrivial iff one of the last two is an equality.

    Parameters
    ----------
    parametrization : a name, exponents or a ``Parametrization``, as for ``rt.networks.mlp``.
    hidden_layers : L; the exponents of the hidden layers do not matter where it is 1.

    Raises
    ------
    InputError, ShapeError : an argument outside its range.

    Examples
    --------
    >>> regime = abc_regime("ntk", hidden_layers=2)
    >>> regime.regime, regime.r
    ('kernel', Fraction(1, 2))
    >>> abc_regime([(-0.25, 0.25), (0.25, 0.25), (0.5, 0.25), 0], hidden_layers=2).r
    Fraction(1, 4)
    """
    scheme, depth = named(parametrization), check_count("hidden_layers", hidden_layers)
    (a1, b1), (ah, bh), (a, b) = ((Fraction(p), Fraction(q)) for p, q in (scheme.input, scheme.hidden, scheme.output))
    c, half = Fraction(scheme.learning_rate), Fraction(1, 2)
    moves = min([2 * a1 + 1] + [2 * ah] * (depth > 1))
    r = min(a + b, 2 * a + c) + c - 1 + moves
    conditions = [("a_1 + b_1 = 0", a1 + b1, a1 + b1 == 0)]
    if depth > 1:
        conditions.append(("a_l + b_l = 1/2", ah + bh, ah + bh == half))
    conditions += [
        ("a_out + b_out >= 1/2", a + b, a + b >= half),
        ("r >= 0", r, r >= 0),
        ("2 a_out + c >= 1", 2 * a + c, 2 * a + c >= 1),
        ("a_out + b_out + r >= 1", a + b + r, a + b + r >= 1),
    ]
    stable = all(holds for _, _, holds in conditions)
    nontrivial = a + b + r == 1 or 2 * a + c == 1
    steps = [f"stable: {text}, which is {value}: {'yes' if holds else 'no'}" for text, value, holds in conditions]
    steps.append(f"nontrivial: a_out + b_out + r = 1 or 2 a_out + c = 1: {'yes' if nontrivial else 'no'}")
    regime: Regime
    if not stable:
        regime = "unstable"
    elif not nontrivial:
        regime = "trivial"
    else:
        regime = "feature" if r == 0 else "kernel"
    return AbcRegime(r, stable, nontrivial, regime, a + b, tuple(steps))
