"""The pages: every public name is in the reference, tutorials are run, and what is kept with outputs is still true."""

import ast
import importlib
import json
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("randtensor", "estimators", "theory_checks")
#: suites are reached by their names, and have one page each
INTERNAL = re.compile(r"theory_checks\.suites\.|\._")
#: pages whose cells are run when the pages are built
EXECUTED = sorted(
    page for page in DOCS.rglob("*.md") if "file_format: mystnb" in page.read_text(encoding="utf-8")[:200]
)
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))


def documented():
    """module.name of every entry of an autosummary."""
    found = set()
    for page in (DOCS / "reference").glob("*.rst"):
        module = None
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith(".. currentmodule:: "):
                module = line.removeprefix(".. currentmodule:: ").strip()
            elif re.fullmatch(r"   [A-Za-z]\w*", line):
                found.add(f"{module}.{line.strip()}")
    return found


def public_modules():
    """Packages with ``__all__``, and the modules of adapters, which are chosen by name."""
    for top in PACKAGES:
        package = importlib.import_module(top)
        yield top
        for module in pkgutil.walk_packages(package.__path__, f"{top}."):
            if module.ispkg and not INTERNAL.search(module.name):
                yield module.name
    yield "randtensor.networks"


def names_of(module):
    """``__all__`` as it is written, so that nothing that a name needs has to be installed."""
    path = Path(importlib.import_module(module).__file__)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            return ast.literal_eval(node.value)
    return []


@pytest.mark.parametrize("module", sorted(set(public_modules())))
def test_every_public_name_is_in_the_reference(module):
    pages = documented()
    there = importlib.import_module(module)
    for name in names_of(module):
        if f"{module}.{name}" in pages:
            continue
        if f"{module}.{name}" in set(public_modules()) | {"randtensor.interop.random_function"}:
            continue  # a package, which has its own pages
        found = getattr(there, name)
        aliases = [f"{top}.{name}" for top in set(public_modules()) if f"{top}.{name}" in pages]
        assert any(resolved(alias) is found for alias in aliases), f"{module}.{name} is on no page of docs/reference"


def resolved(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_the_reference_has_no_name_that_is_not_public():
    for path in documented():
        module, _, name = path.rpartition(".")
        if not module.startswith("randtensor.interop."):
            assert name in names_of(module), f"{path} is in the reference and not in __all__"


def test_files_of_the_reference_differ_where_capitals_do_not_count():
    configuration = {"__file__": str(DOCS / "conf.py")}
    text = (DOCS / "conf.py").read_text(encoding="utf-8")
    start = text.index("autosummary_filename_map = ")
    exec(text[start : text.index("}", start) + 1], configuration)
    files = [configuration["autosummary_filename_map"].get(path, path).lower() for path in documented()]
    assert sorted(set(files)) == sorted(files)


def test_tutorials_are_run():
    pages = [page for page in (DOCS / "tutorials").iterdir() if page.suffix in (".md", ".ipynb")]
    assert {page.stem for page in pages} == {"index", "rate", "ci", "appendix", "pytorch"}
    assert {page.stem for page in EXECUTED} >= {"quickstart", "rate", "ci", "appendix", "gallery", "command_line"}
    listed = (DOCS / "tutorials" / "index.md").read_text(encoding="utf-8").split()
    assert {page.stem for page in pages} - {"index"} <= set(listed)


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_cells_are_code_and_none_may_fail(page):
    """Cells that may fail would let a page rot; commands of a shell fail silently, and have their status tested."""
    text = page.read_text(encoding="utf-8")
    assert "raises-exception" not in text and "skip-execution" not in text
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)\n```", text, re.DOTALL)
    assert cells
    for number, cell in enumerate(cells):
        code = re.sub(r"^(?::tags:.*|[!%].*)$", "", cell, flags=re.MULTILINE)
        if not cell.startswith("%%"):
            compile(code, f"{page.name}, cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if re.search(r"^!(?:randtensor|python)", cell, re.MULTILINE):
            assert "_exit_code ==" in cells[number + 1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_with_their_outputs(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    shown = [cell for cell in cells if not re.match(r"(?:class|def|import) ", "".join(cell["source"]))]
    assert cells and all(cell["execution_count"] for cell in cells) and sum(bool(cell["outputs"]) for cell in shown) > 5
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]


def verdicts(notebook):
    texts = ["".join(output.get("text", "")) for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return re.findall(r"^(.*): (consistent|refuted|inconclusive):", "\n".join(texts), re.MULTILINE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_still_give_the_verdicts_that_they_show(path):
    """Half a minute; seeds are fixed, and numbers may differ with the release of PyTorch."""
    pytest.importorskip("torch")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    from docs.execute import run_notebook

    kept = verdicts(json.loads(path.read_text(encoding="utf-8")))
    assert {verdict for _, verdict in kept} == {"consistent", "refuted", "inconclusive"}
    assert verdicts(run_notebook(path)) == kept
