"""What needs a library that is not installed is not collected."""

from importlib.util import find_spec

_WITH_TORCH = ["estimators/mechanics/torch_objective.py", "theory_checks/symmetries/detection.py"]

collect_ignore = [] if find_spec("torch") else _WITH_TORCH
