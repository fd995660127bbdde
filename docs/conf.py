"""Sphinx: ``pip install 'randtensor[docs]' && sphinx-build -W docs build/docs``."""

project = "randtensor"
author = "the authors of randtensor"
extensions = ["myst_parser"]
exclude_patterns = ["*.py", "__pycache__"]
html_theme = "pydata_sphinx_theme"
html_title = "randtensor"
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2, "header_links_before_dropdown": 4}
html_sidebars = {"**": []}
myst_heading_anchors = 3
# formulas in these pages are written as text, so that they read the same in a terminal
myst_enable_extensions: list[str] = []
