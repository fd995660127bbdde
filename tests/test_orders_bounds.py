"""Landau bounds: implication, arithmetic."""

from __future__ import annotations

import pytest
from order_strategies import bounds, law, m, n, orders

from randtensor.errors import OrderError
from randtensor.orders import (
    Bound,
    O,
    Omega,
    Order,
    Theta,
    log,
    o,
)


class TestBounds:
    def test_implications(self) -> None:
        exact = Theta(n**-1)
        for weaker in (O(n**-1), O(n**-0.5), o(n**-0.5), Omega(n**-2), Omega(n**-1), exact):
            assert exact.implies(weaker)
        for other in (o(n**-1), O(n**-2), Omega(1), Theta(1), Theta(n**-1 * log(n))):
            assert not exact.implies(other)
        assert o(n).implies(O(n)) and not O(n).implies(o(n)) and not O(n).implies(Omega(n))

    @law(bounds, bounds, bounds)
    def test_implication_is_a_preorder(self, a: Bound, b: Bound, c: Bound) -> None:
        assert a.implies(a)
        assert a.implies(c) or not (a.implies(b) and b.implies(c))

    @law(orders(), orders(), orders())
    def test_implication_chains(self, a: Order, b: Order, c: Order) -> None:
        chain = [o(a), O(a + b), O(a + b + c)]
        assert chain[0].implies(chain[1]) and chain[1].implies(chain[2]) and chain[0].implies(chain[2])

    def test_products(self) -> None:
        assert Theta(n) * Theta(m) == Theta(n * m) and O(n) * Theta(m) == O(n * m) == O(n) * O(m)
        assert o(n) * O(m) == o(n * m) == Theta(m) * o(n) and Omega(n) * Omega(m) == Omega(n * m)
        assert 2 * O(n) == O(n) and n * O(m) == O(n * m) and O(n) / n**2 == O(n**-1)
        for upper in (O(m), o(m)):
            with pytest.raises(OrderError, match="bounded neither from above nor from below"):
                Omega(n) * upper

    def test_quotients_and_powers(self) -> None:
        assert O(n) / Theta(m) == O(n / m) == O(n) / Omega(m) and 1 / Omega(n) == O(1 / n)
        assert O(n) ** 2 == O(n**2) and Omega(n) ** -1 == O(n**-1) and Theta(n) ** -0.5 == Theta(n**-0.5)
        assert o(n) ** 0 == Theta(1)
        with pytest.raises(OrderError, match=r"the divisor is O\(n\), which may vanish"):
            Theta(1) / O(n)

    def test_sums_of_magnitudes(self) -> None:
        assert Theta(n) + O(n**0.5) == Theta(n) and Theta(n) + O(n**2) == O(n**2)
        assert o(n) + o(m) == o(n + m) and o(n) + O(n**0.5) == o(n) and O(n) + O(m) == O(n + m)
        assert Omega(n) + O(n**2) == Omega(n) and Theta(n) + Theta(m) == Theta(n + m)
        assert n + O(m) == O(n + m) and 1 + o(1) == Theta(1)

    @law(bounds, bounds)
    def test_sums_commute_and_only_weaken(self, a: Bound, b: Bound) -> None:
        assert a + b == b + a
        for summand in (a, b):
            if summand.kind in ("Theta", "Omega") and (a + b).kind in ("Theta", "Omega"):
                assert (a + b).implies(Bound("Omega", summand.order))
        if "Omega" not in (a.kind, b.kind):
            assert (a + b).implies(O(a.order + b.order))

    @law(bounds, orders(), bounds)
    def test_products_are_monotone(self, a: Bound, extra: Order, c: Bound) -> None:
        """What follows from a bound follows from it within a product too."""
        weaker = O(a.order + extra) if a.kind != "Omega" else a
        assert a.implies(weaker)
        if ("Omega" in (a.kind, c.kind)) <= (a.kind == c.kind):
            assert (a * c).implies(weaker * c)

    def test_zero(self) -> None:
        assert O(0).implies(o(n)) and O(0).implies(Theta(0)) and o(0).implies(O(0))
        assert not O(0).implies(Theta(n)) and O(n).implies(Omega(0)) and Theta(n) + O(0) == Theta(n)

    def test_substitution_text_and_latex(self) -> None:
        assert O(m).substitute(m=n**0.5) == O(n**0.5)
        assert str(O(n**-0.5)) == "O(n^{-1/2})" and repr(Theta(n)) == "Theta('n')"
        assert Omega(n)._repr_latex_() == r"$\Omega\left(n\right)$"

    def test_arguments(self) -> None:
        assert O(2 * n) == O("n") == O(n) and type(O(n).order) is Order and O(5) == O(1)
        with pytest.raises(OrderError, match="kind is 'Q', expected one of O, o, Theta, Omega"):
            Bound("Q", n)  # type: ignore[arg-type]
        with pytest.raises(OrderError, match="order is None, expected an Order"):
            O(None)  # type: ignore[arg-type]
        with pytest.raises(OrderError, match="other is 3, expected a Bound"):
            O(n).implies(3)  # type: ignore[arg-type]
