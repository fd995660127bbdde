"""Neural mechanics: symmetries of a loss, and what descent does to the charges that gradient flow conserves.

Kunin, Sagastuy-Brena, Ganguli, Yamins and Tanaka 2020, arXiv 2012.04728.
"""

from estimators.mechanics.descent import ChargeRecorder, MechanicsRun, descend
from estimators.mechanics.flows import (
    gradient_field,
    integrate,
    modified_loss_field,
    modified_velocity,
    runge_kutta,
    second_order_field,
)
from estimators.mechanics.laws import ContinuousLaw, ExactLaw, Hyperparameters
from estimators.mechanics.objectives import FunctionObjective, Objective, ParameterLayout
from estimators.mechanics.program_objective import ProgramObjective
from estimators.mechanics.symmetries import Part, Symmetry
from estimators.mechanics.torch_objective import ModuleObjective

__all__ = [
    "ChargeRecorder",
    "ContinuousLaw",
    "ExactLaw",
    "FunctionObjective",
    "Hyperparameters",
    "MechanicsRun",
    "ModuleObjective",
    "Objective",
    "ParameterLayout",
    "Part",
    "ProgramObjective",
    "Symmetry",
    "descend",
    "gradient_field",
    "integrate",
    "modified_loss_field",
    "modified_velocity",
    "runge_kutta",
    "second_order_field",
]
