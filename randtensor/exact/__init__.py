"""Exact expectations at finite size: the ground truth that estimators are held to."""

from randtensor.exact.one_hidden_layer import OneHiddenLayer

__all__ = ["OneHiddenLayer"]
