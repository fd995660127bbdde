"""The file to start from."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["template"]


def template() -> str:
    """A commented claim file that runs as it is: ``randtensor new appendix`` writes it.

    >>> from theory_checks.claim_files import read_toml
    >>> [claim.label for claim in read_toml(template(), "appendix.toml").claims]
    ['tetrahedron', 'gHg', 'Hg', 'wrong']
    """
    return files("theory_checks.claim_files").joinpath("appendix.toml").read_text(encoding="utf-8")
