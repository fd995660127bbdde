"""Training runs as sampled quantities: gradient descent and gradient flow at any width."""

from estimators.training.losses import Loss
from estimators.training.observables import OBSERVABLES, Observable
from estimators.training.quantities import TrainingQuantity
from estimators.training.results import TrainingRun
from estimators.training.runs import train
from estimators.training.snapshots import Snapshot
from estimators.training.specification import Training

__all__ = ["OBSERVABLES", "Loss", "Observable", "Snapshot", "Training", "TrainingQuantity", "TrainingRun", "train"]
