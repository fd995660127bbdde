"""How the packages hang together: imports, the public surface, and the size of modules."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import randtensor as rt

ROOT = Path(__file__).parents[1]
PACKAGES = ("randtensor", "estimators", "theory_checks")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level packages imported anywhere in a file, also within functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names.add(str(node.module).partition(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    later = PACKAGES[PACKAGES.index(package) + 1 :]
    assert not imported(path) & {*later, "tests", "benchmarks"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_short_and_say_what_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"


def test_heavy_libraries_are_imported_where_they_are_used():
    heavy = ["scipy.stats", "sympy", "matplotlib", "jax", "torch", "dask", "sklearn", "opt_einsum"]
    code = f"import sys; import {', '.join(PACKAGES)}; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_libraries_of_models_are_imported_by_their_adapters_alone():
    for library in ("torch", "jax"):
        users = [path.relative_to(ROOT).as_posix() for path in MODULES if library in imported(path)]
        assert users and all(user.startswith(f"randtensor/interop/{library}") for user in users)


def test_public_names_exist_and_are_documented():
    assert list(rt.__all__) == sorted(set(rt.__all__))
    for name in rt.__all__:
        public = getattr(rt, name)
        assert inspect.getdoc(public), f"randtensor.{name} has no docstring"


@pytest.mark.parametrize("module", [rt.networks, rt.exact, rt.mean_field, rt.revealed], ids=lambda m: m.__name__)
def test_public_modules_are_documented(module):
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name)), f"{module.__name__}.{name} has no docstring"


def test_errors_are_one_family():
    for error in (rt.ActivationError, rt.EquationError, rt.InputError, rt.OrderError, rt.ShapeError):
        assert issubclass(error, rt.RandtensorError) and issubclass(error, ValueError)
