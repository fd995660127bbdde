"""Diagrams of elementary random tensors, and their exact averages."""
