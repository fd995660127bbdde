"""Benchmarks: what the library costs, against what else one could do.

``python -m benchmarks`` runs them all and rewrites the tables of ``docs/benchmarks.md``. No timing is asserted.
"""
