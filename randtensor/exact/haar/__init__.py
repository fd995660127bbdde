"""Averages over the orthogonal and unitary groups."""
