"""Third derivatives through PyTorch's normalisation layers, against differences and in elementary operations.

Run it with ``python examples/third_derivatives.py`` (a second). A loss that does not depend on the scale of the weights
before a normalisation tells by itself whether they are right: D[xi] w + H M w + M H w = 0.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from estimators.mechanics import ModuleObjective
from theory_checks.symmetries import check_identities, scale_group


def automatic(objective: ModuleObjective, point: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The third derivative times two vectors, by three passes of automatic differentiation through the layers."""
    leaf = torch.tensor(point, requires_grad=True)
    named, start = {}, 0
    for name, shape in objective.layout.shapes.items():
        size = int(np.prod(shape))
        named[name] = leaf[start : start + size].reshape(shape)
        start += size
    outputs = torch.func.functional_call(objective.module, named, (objective.inputs,))
    scalar = nn.functional.cross_entropy(outputs, objective.targets)
    for vector in (u, v):
        scalar = torch.autograd.grad(scalar, leaf, create_graph=True)[0] @ torch.tensor(vector)
    return torch.autograd.grad(scalar, leaf)[0].numpy()


def main() -> None:
    """Print relative errors for each kind of normalisation."""
    torch.set_default_dtype(torch.float64)
    print(f"PyTorch {torch.__version__}; relative errors of D[u] v, and residual of the identity of third order")
    for layer in (nn.BatchNorm1d(4, 1e-3), nn.LayerNorm(4, 1e-30), nn.GroupNorm(1, 4, 1e-30)):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(3, 4), layer, nn.Tanh(), nn.Linear(4, 3))
        objective = ModuleObjective(module, torch.randn(12, 3), torch.randint(3, (12,)))
        point, h = objective.parameters, 1e-4
        u, v = np.random.default_rng(0).standard_normal((2, len(point)))
        differences = [objective.hessian_product(point + s * h * u, v) for s in (2, 1, -1, -2)]
        expected = np.tensordot([-1.0, 8.0, -8.0, 1.0], differences, 1) / (12 * h)
        found = {"automatic": automatic(objective, point, u, v), "written out": objective.third_product(point, u, v)}
        errors = {name: np.linalg.norm(d - expected) / np.linalg.norm(expected) for name, d in found.items()}
        text = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
        if layer.eps < 1e-20:
            residual = check_identities(objective, point, [scale_group(module, "0")]).rows[0].orders[2]
            text += f", identity {residual:.1e}"
        print(f"{type(layer).__name__:>12}: {text}")


if __name__ == "__main__":
    main()
