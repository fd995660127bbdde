"""Claims as data: TOML files, of which nothing is ever evaluated.

`read_toml` reads one, `template` is one to start from. The grammar is in ``docs/claim_files.md``.
"""

from theory_checks.claim_files.loading import ClaimFile, read_toml
from theory_checks.claim_files.problems import ClaimFileError, Problem
from theory_checks.claim_files.template import template

__all__ = ["ClaimFile", "ClaimFileError", "Problem", "read_toml", "template"]
