"""The examples in the documentation are run."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
#: the tutorials are run when the pages are built
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("concepts/*.md"), *DOCS.glob("extending/*.md")])

#: libraries that pages need beside those of the tests
NEEDED = {"adapters": ("torch", "jax")}

#: words of programs that need PyTorch, a cluster, pytest, or data of one's own
ELSEWHERE = ("torch", "dask_jobqueue", "rate_check")


def name(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()


def programs(page):
    """Blocks of a page that are not in the form of a session, and need neither PyTorch nor what only a reader has."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if not any(word in block for word in (">>>", *ELSEWHERE))]


@pytest.mark.parametrize(
    "page", [page for page in (ROOT / "README.md", *PAGES) if programs(page)], ids=lambda p: p.stem
)
def test_programs(page, capsys):
    names = {}
    for number, block in enumerate(programs(page)):
        exec(compile(block, f"{page.name}, program {number}", "exec"), names)
    shown = capsys.readouterr().out
    assert "refuted" not in shown and "inconclusive" not in shown  # verdicts: 1e-4 each; seeds are fixed
    assert ("consistent" in shown) == (page.stem in ("README", "index", "claims"))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples(page):
    for library in NEEDED.get(name(page), ()):
        pytest.importorskip(library)
    failures, _ = doctest.testfile(str(page), module_relative=False)
    assert failures == 0


def test_a_module_of_pytorch_gets_a_verdict(capsys):
    """The example of the README that starts from a module."""
    pytest.importorskip("torch")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "import torch" in block]
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.split() == ["consistent"]
