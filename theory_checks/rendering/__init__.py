"""What is made of the record of a run: tables, pages, the appendix of a paper, comparisons.

Everything is rendered from ``results.json`` alone, so that a record says all there is to say: see ``docs/reports.md``.
"""

from theory_checks.rendering.comparing import Comparison, compare_records
from theory_checks.rendering.documents import render, write_files
from theory_checks.rendering.records import SCHEMA, read_record

__all__ = ["SCHEMA", "Comparison", "compare_records", "read_record", "render", "write_files"]
