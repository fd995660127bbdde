"""Random tensors: families, the algebra of tensors, and their exact structure."""

from randtensor.tensors.base import DenseTensor, RandomTensor
from randtensor.tensors.deterministic import Constant, Fixed, Identity, constant, fixed, identity
from randtensor.tensors.elementwise import Elementwise
from randtensor.tensors.ensembles import (
    GOE,
    GUE,
    SymmetricGaussian,
    Wishart,
    goe,
    gue,
    symmetric_gaussian,
    wishart,
)
from randtensor.tensors.gaussian import Gaussian, complex_gaussian, gaussian, ginibre
from randtensor.tensors.haar import Haar, Sphere, haar, sphere
from randtensor.tensors.independent import IID, Sparse, iid, sparse
from randtensor.tensors.structured import CP, Block, block, cp, spiked

__all__ = [
    "CP",
    "GOE",
    "GUE",
    "IID",
    "Block",
    "Constant",
    "DenseTensor",
    "Elementwise",
    "Fixed",
    "Gaussian",
    "Haar",
    "Identity",
    "RandomTensor",
    "Sparse",
    "Sphere",
    "SymmetricGaussian",
    "Wishart",
    "block",
    "complex_gaussian",
    "constant",
    "cp",
    "fixed",
    "gaussian",
    "ginibre",
    "goe",
    "gue",
    "haar",
    "identity",
    "iid",
    "sparse",
    "sphere",
    "spiked",
    "symmetric_gaussian",
    "wishart",
]
