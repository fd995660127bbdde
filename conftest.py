"""Modules whose library is not installed hold no examples to run."""

from importlib.util import find_spec

collect_ignore_glob = [f"randtensor/interop/{name}*.py" for name in ("torch", "jax") if find_spec(name) is None]
