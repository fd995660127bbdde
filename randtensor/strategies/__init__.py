"""Hypothesis strategies: scales, orders, expansions, random tensors, contractions, networks, their inputs, and seeds.

They specify what is allowed and leave the distribution to Hypothesis. Examples shrink to few terms and operands,
exponents 0, Gaussian tensors of one scale n, linear networks, inputs 0 and the seed 0; the examples below show to what.
Hypothesis has to be installed (``pip install hypothesis``); with it, ``st.from_type`` knows the types of this package.

>>> import randtensor as rt
>>> from hypothesis import given
>>> @given(orders(), bounds())
... def test_product(order, bound):
...     assert (bound * order).order == bound.order * order
>>> test_product()
"""

from randtensor.strategies.contractions import contractions, equations
from randtensor.strategies.families import FAMILIES
from randtensor.strategies.functions import ACTIVATIONS, activations, derivative_tensors, inputs, networks, seeds
from randtensor.strategies.growth import bounds, expansions, monomials, orders, scales, terms
from randtensor.strategies.tensors import random_tensors

__all__ = [
    "ACTIVATIONS",
    "FAMILIES",
    "activations",
    "bounds",
    "contractions",
    "derivative_tensors",
    "equations",
    "expansions",
    "inputs",
    "monomials",
    "networks",
    "orders",
    "random_tensors",
    "scales",
    "seeds",
    "terms",
]
