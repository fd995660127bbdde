"""Generic random tensors with symbolic scaling orders, and contractions of derivative tensors of random functions.

The names below are the whole public surface; see ``docs/`` for the ideas and the README for a first run.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from randtensor import networks, revealed
from randtensor.combination import combine, quantity
from randtensor.contraction import einsum
from randtensor.correlations import correlation
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import (
    ActivationError,
    EquationError,
    ExactError,
    InfiniteMomentError,
    InputError,
    OrderError,
    RandtensorError,
    ShapeError,
    StoreError,
    WorkersError,
)
from randtensor.expansions import Expansion
from randtensor.functions import (
    abs,
    apply,
    arctan,
    cos,
    erf,
    exp,
    gelu,
    leaky_relu,
    log,
    mean,
    relu,
    sigmoid,
    silu,
    sin,
    softplus,
    sqrt,
    square,
    sum,
    tanh,
)
from randtensor.gradient_step import gradient_step
from randtensor.norms import norm
from randtensor.orders import (
    Bound,
    O,
    Omega,
    Order,
    Scale,
    Term,
    Theta,
    compare,
    loglog,
    o,
    parse_bound,
    parse_order,
)
from randtensor.programs.activations import Activation
from randtensor.quantity import Quantity
from randtensor.random_function import RandomFunction, program
from randtensor.spectra import spectrum
from randtensor.tensors import (
    DenseTensor,
    RandomTensor,
    block,
    complex_gaussian,
    constant,
    cp,
    fixed,
    gaussian,
    ginibre,
    goe,
    gue,
    haar,
    identity,
    iid,
    sparse,
    sphere,
    spiked,
    symmetric_gaussian,
    wishart,
)

if _TYPE_CHECKING:
    from randtensor import exact, mean_field, prediction

__all__ = [
    "Activation",
    "ActivationError",
    "Bound",
    "DenseTensor",
    "DerivativeTensor",
    "EquationError",
    "ExactError",
    "Expansion",
    "InfiniteMomentError",
    "InputError",
    "O",
    "Omega",
    "Order",
    "OrderError",
    "Quantity",
    "RandomFunction",
    "RandomTensor",
    "RandtensorError",
    "Scale",
    "ShapeError",
    "StoreError",
    "Term",
    "Theta",
    "WorkersError",
    "abs",
    "apply",
    "arctan",
    "block",
    "combine",
    "compare",
    "complex_gaussian",
    "constant",
    "correlation",
    "cos",
    "cp",
    "einsum",
    "erf",
    "exact",
    "exp",
    "fixed",
    "gaussian",
    "gelu",
    "ginibre",
    "goe",
    "gradient_step",
    "gue",
    "haar",
    "identity",
    "iid",
    "leaky_relu",
    "log",
    "loglog",
    "mean",
    "mean_field",
    "networks",
    "norm",
    "o",
    "parse_bound",
    "parse_order",
    "prediction",
    "program",
    "quantity",
    "relu",
    "revealed",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "sparse",
    "spectrum",
    "sphere",
    "spiked",
    "sqrt",
    "square",
    "sum",
    "symmetric_gaussian",
    "tanh",
    "wishart",
]


def __getattr__(name: str) -> _Any:
    """Exact rules, predictions and mean-field networks are imported when first asked for: most runs only sample."""
    if name in ("exact", "mean_field", "prediction"):
        from importlib import import_module

        return import_module(f"randtensor.{name}")
    raise AttributeError(f"module 'randtensor' has no attribute {name!r}")
