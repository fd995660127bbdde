"""Generic random tensors with symbolic scaling orders, and contractions of derivative tensors of random functions.

The names below are the whole public surface; see ``docs/`` for the ideas and the README for a first run.
"""

from randtensor import exact, networks, revealed
from randtensor.combination import combine, quantity
from randtensor.contraction import einsum
from randtensor.correlations import correlation
from randtensor.derivatives import DerivativeTensor
from randtensor.errors import (
    ActivationError,
    EquationError,
    InputError,
    OrderError,
    RandtensorError,
    ShapeError,
)
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
from randtensor.tensors import RandomTensor, fixed, gaussian, goe, haar, identity, iid

__all__ = [
    "Activation",
    "ActivationError",
    "Bound",
    "DerivativeTensor",
    "EquationError",
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
    "Term",
    "Theta",
    "abs",
    "apply",
    "arctan",
    "combine",
    "compare",
    "correlation",
    "cos",
    "einsum",
    "erf",
    "exact",
    "exp",
    "fixed",
    "gaussian",
    "gelu",
    "goe",
    "gradient_step",
    "haar",
    "identity",
    "iid",
    "leaky_relu",
    "log",
    "loglog",
    "mean",
    "networks",
    "norm",
    "o",
    "parse_bound",
    "parse_order",
    "program",
    "quantity",
    "relu",
    "revealed",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "sum",
    "tanh",
]
