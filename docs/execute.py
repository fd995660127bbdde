"""Run a notebook and keep its outputs in it.

    python -m docs.execute docs/tutorials/pytorch.ipynb

Pages that need a library which is not there when the pages are built are kept in this form; a test runs them where it
is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

__all__ = ["run_notebook"]


def run_notebook(path: Path) -> Any:
    """The notebook with the outputs of its cells, each of which has to succeed."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    return notebook


if __name__ == "__main__":
    import nbformat

    for name in sys.argv[1:]:
        nbformat.write(run_notebook(Path(name)), name)
