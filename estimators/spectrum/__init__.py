"""The spectrum of the tangent kernel on a data set, and how targets, outputs and residuals lie in it.

Terms as in Kopitkov & Indelman 2019 (arXiv 1910.08720).
"""

from estimators.spectrum.alignment import (
    active_modes,
    kernel_target_alignment,
    mode_factors,
    relative_energy,
    tail_bound,
)
from estimators.spectrum.eigenpairs import Spectrum, spectrum
from estimators.spectrum.models import FunctionModel, LayeredModel, TangentModel
from estimators.spectrum.motion import alignment_velocity, eigenvalue_velocities, kernel_velocity
from estimators.spectrum.tracking import SpectralHistory, follow

__all__ = [
    "FunctionModel",
    "LayeredModel",
    "SpectralHistory",
    "Spectrum",
    "TangentModel",
    "active_modes",
    "alignment_velocity",
    "eigenvalue_velocities",
    "follow",
    "kernel_target_alignment",
    "kernel_velocity",
    "mode_factors",
    "relative_energy",
    "spectrum",
    "tail_bound",
]
