"""Predicted orders with their derivations."""

from randtensor.prediction.abc_rates import AbcRegime, abc_regime
from randtensor.prediction.cluster_graph import ClusterGraph, cluster_graph, cluster_order
from randtensor.prediction.corrections import correction_power
from randtensor.prediction.derivation import Derivation, Step
from randtensor.prediction.norm_calculus import Normed, norm_bound
from randtensor.prediction.tower import time_derivative_order, tower, tower_order

__all__ = [
    "AbcRegime",
    "ClusterGraph",
    "Derivation",
    "Normed",
    "Step",
    "abc_regime",
    "cluster_graph",
    "cluster_order",
    "correction_power",
    "norm_bound",
    "time_derivative_order",
    "tower",
    "tower_order",
]
