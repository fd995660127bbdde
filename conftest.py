"""What needs a library that is not installed is not collected."""

from importlib.util import find_spec

_NEEDS = {
    "torch": [
        "randtensor/interop/torch*.py",
        "estimators/mechanics/torch_*.py",
        "theory_checks/symmetries/detection.py",
    ],
    "jax": ["randtensor/interop/jax*.py"],
}

collect_ignore_glob = [path for library, paths in _NEEDS.items() if find_spec(library) is None for path in paths]
