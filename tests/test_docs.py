"""The examples in the documentation are run."""

import doctest
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples(page):
    failures, _ = doctest.testfile(str(page), module_relative=False)
    assert failures == 0
