"""Dual activations: covariances of phi(u), phi(v) and of phi'(u), phi'(v) for jointly Gaussian u, v."""
