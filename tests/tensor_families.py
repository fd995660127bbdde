"""One random tensor of each family, for tests that hold for all of them."""

from __future__ import annotations

import numpy as np

import randtensor as rt
import randtensor.tensors as tensors

n, m = rt.Scale("n"), rt.Scale("m")
SIZE = 3
A, B = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 1.5]]), np.array([[1.0, 1.0], [1.0, 1.0]])

FAMILIES = {
    "gaussian": tensors.gaussian(n, n, std=0.5),
    "correlated": tensors.gaussian(3, 2, covariance=[A, B]),
    "complex": tensors.complex_gaussian(n, n, std=2),
    "symmetric": tensors.symmetric_gaussian(n, 3),
    "goe": tensors.goe(n, std=n**-0.5),
    "gue": tensors.gue(n),
    "wishart": tensors.wishart(n, 2 * n),
    "complex wishart": tensors.wishart(n, 4, field="complex"),
    "haar": tensors.haar(n),
    "special orthogonal": tensors.haar(n, "special orthogonal"),
    "unitary": tensors.haar(n, "unitary"),
    "special unitary": tensors.haar(n, "special unitary"),
    "sphere": tensors.sphere(n, n, n),
    "cp": tensors.cp(n, n, 2, rank=4),
    "spherical cp": tensors.cp(n, n, n, rank=3, factors="sphere"),
    "symmetric cp": tensors.cp(n, n, rank=2 * n, symmetric=True),
    "iid": tensors.iid("uniform", n, n),
    "sparse": tensors.sparse("laplace", n, n, density=n**-0.5),
    "spiked": tensors.spiked(tensors.gaussian(n, n, n), 2 * n, symmetric=False),
    "block": tensors.block(tensors.gaussian(n, n), tensors.haar(2 * n)),
}


def at(tensor, size=SIZE):
    return dict.fromkeys(tensor.scale_names, size)


def sample(tensor, count=1, size=SIZE, seed=0):
    return tensor.sample(at(tensor, size), count, rng=seed)
