"""Exact expectations of contractions of derivative tensors of networks."""
