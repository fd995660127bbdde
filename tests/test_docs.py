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


def name(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()


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
