"""Hypothesis strategies for orders and bounds, and the scales they are made of."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from randtensor.orders import Bound, Order, Scale, log, loglog

n, m, eta = Scale("n"), Scale("m"), Scale("eta", to=0)
SCALES = [n, m, eta]
HALF = Fraction(1, 2)

exponents = st.fractions(min_value=-2, max_value=2, max_denominator=3)
small = st.integers(min_value=-2, max_value=2).map(Fraction)
positive = st.fractions(min_value=Fraction(1, 3), max_value=3, max_denominator=3)


@st.composite
def monomials(draw: st.DrawFn, scales: tuple[Scale, ...] = tuple(SCALES), logs: bool = True) -> Order:
    result = Order.one()
    for scale in scales:
        result *= scale ** draw(exponents)
        if logs and draw(st.booleans()):
            result *= log(scale) ** draw(small) * loglog(scale) ** draw(small)
    return result


@st.composite
def orders(draw: st.DrawFn, logs: bool = True) -> Order:
    terms = draw(st.lists(monomials(logs=logs), max_size=3))
    return sum(terms, Order.zero())


bounds = st.builds(Bound, st.sampled_from(["O", "o", "Theta", "Omega"]), orders())


def law(*strategies: st.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property test; without a deadline, since a loaded machine is no failure of a law."""
    return lambda test: settings(deadline=None, max_examples=60)(given(*strategies)(test))
