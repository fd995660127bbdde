"""Symmetries of networks: found in the graph of a PyTorch module or given by hand, and held against their identities.

Needs PyTorch where modules are concerned, and imports it only there.
"""

from theory_checks.symmetries.conserved import conserved_quantities, lie_closure, two_layer_fields
from theory_checks.symmetries.detection import FoundSymmetry, find_symmetries, rescale_group, scale_group
from theory_checks.symmetries.identities import IdentityReport, Residuals, check_identities, eps_slope
from theory_checks.symmetries.programs import charge_function, identity_residual

__all__ = [
    "FoundSymmetry",
    "IdentityReport",
    "Residuals",
    "charge_function",
    "check_identities",
    "conserved_quantities",
    "eps_slope",
    "find_symmetries",
    "identity_residual",
    "lie_closure",
    "rescale_group",
    "scale_group",
    "two_layer_fields",
]
