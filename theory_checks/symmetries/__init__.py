"""Symmetries of networks: found in the graph of a PyTorch module or given by hand, and held against their identities.

Needs PyTorch where modules are concerned, and imports it only there.
"""

from theory_checks.symmetries.detection import FoundSymmetry, find_symmetries, rescale_group, scale_group
from theory_checks.symmetries.identities import IdentityReport, Residuals, check_identities, eps_slope

__all__ = [
    "FoundSymmetry",
    "IdentityReport",
    "Residuals",
    "check_identities",
    "eps_slope",
    "find_symmetries",
    "rescale_group",
    "scale_group",
]
