"""Fully connected networks at given parameters, with all inputs of a data set at once: the dense engine."""

from estimators.layered.checks import check_inputs, check_targets
from estimators.layered.descent import FullBatchDescent, StepSchedule
from estimators.layered.network import LayeredNetwork
from estimators.layered.tangents import Tangents

__all__ = ["FullBatchDescent", "LayeredNetwork", "StepSchedule", "Tangents", "check_inputs", "check_targets"]
