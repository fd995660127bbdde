"""Parts of a page that a program writes, between two comments."""

from __future__ import annotations

import re

__all__ = ["rewrite"]


def rewrite(page: str, name: str, content: str) -> str:
    """The page with ``content`` between the markers of ``name``.

    Raises
    ------
    ValueError : the page lacks the markers.

    >>> rewrite("a <!-- begin: x --> stale <!-- end: x --> b", "x", "new")
    'a <!-- begin: x -->\\n\\nnew\\n\\n<!-- end: x --> b'
    """
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no part between {begin} and {end}")
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", page)
