"""Correlation functions of wide networks: their order in 1/n, at initialisation and in training.

Exact laws of linear, ReLU and shallow tanh networks, the bounds of cluster graphs (Dyer & Gur-Ari, arXiv 1909.11304),
feature learning by parametrisation (Yang & Hu, arXiv 2011.14522), and limits in which depth grows too.
"""

from __future__ import annotations

from theory_checks.claims import Claim
from theory_checks.suites import SuiteOptions
from theory_checks.suites.correlation_functions.convolutional import convolutional
from theory_checks.suites.correlation_functions.depth import fluctuations_by_depth, joint_limit, orthogonal
from theory_checks.suites.correlation_functions.homogeneous import curvature, kernel, output
from theory_checks.suites.correlation_functions.plan import SOURCE, Plan
from theory_checks.suites.correlation_functions.smooth import cluster_graphs, one_hidden_layer, second_layer
from theory_checks.suites.correlation_functions.training import gradient_descent, gradient_flow

__all__ = ["SOURCE", "TITLE", "claims"]

TITLE = "Correlation functions of wide networks, exactly and to leading order"


def claims(options: SuiteOptions) -> list[Claim]:
    """All claims of the suite."""
    plan = Plan(options)
    parts = (
        output,
        kernel,
        curvature,
        one_hidden_layer,
        second_layer,
        cluster_graphs,
        gradient_flow,
        gradient_descent,
        fluctuations_by_depth,
        joint_limit,
        orthogonal,
        convolutional,
    )
    return [claim for part in parts for claim in part(plan)]
