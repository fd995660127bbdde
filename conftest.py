"""What needs a library that is not installed is not collected."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["estimators/mechanics/torch_objective.py", "theory_checks/symmetries"]
