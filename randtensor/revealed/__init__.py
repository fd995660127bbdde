"""Random matrices that are sampled by their action on the vectors they meet: exact at finite size, at linear cost."""

from randtensor.revealed._matrix import DenseMatrix, RandomMatrix
from randtensor.revealed.gaussian import RevealedGaussian
from randtensor.revealed.goe import RevealedGOE
from randtensor.revealed.haar import RevealedHaar

__all__ = ["DenseMatrix", "RandomMatrix", "RevealedGOE", "RevealedGaussian", "RevealedHaar"]
