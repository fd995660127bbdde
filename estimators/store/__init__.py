"""Samples that survive the process that drew them."""

from estimators.store.environment import environment
from estimators.store.identity import identity
from estimators.store.runs import RunStore, Stored, Stream, Traffic

__all__ = ["RunStore", "Stored", "Stream", "Traffic", "environment", "identity"]
