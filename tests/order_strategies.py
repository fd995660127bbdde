"""The scales that the tests of orders are about, and the strategies over them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from randtensor import strategies
from randtensor.orders import Scale

n, m, eta = Scale("n"), Scale("m"), Scale("eta", to=0)
SCALES = [n, m, eta]
HALF = Fraction(1, 2)

positive = st.fractions(min_value=Fraction(1, 3), max_value=3, max_denominator=3)
monomials = partial(strategies.monomials, SCALES)
orders = partial(strategies.orders, SCALES)
bounds = strategies.bounds(SCALES)


def law(*strategies: st.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property test; without a deadline, since a loaded machine is no failure of a law."""
    return lambda test: settings(deadline=None, max_examples=60)(given(*strategies)(test))
