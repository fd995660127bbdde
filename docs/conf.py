"""Sphinx: ``pip install 'randtensor[docs]' && sphinx-build -W -j 2 docs build/docs``.

Pages with code cells are run when the pages are built, and a cell that fails fails the build. A notebook that is kept
with its outputs is not run here but where PyTorch is (``tests/test_pages.py``).
"""

import re
from html import unescape
from importlib.util import find_spec

from docutils import nodes

from theory_checks.rendering.formulas import formula_html

project = "randtensor"
author = "the authors of randtensor"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["*.py", "__pycache__", "_templates"]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "randtensor"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"index": [], "quickstart": []}

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "dollarmath"]

html_math_renderer = "mathml"

nb_execution_mode = "force"  # but for notebooks, which are kept with their outputs
nb_execution_excludepatterns = ["tutorials/*.ipynb"]
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_merge_streams = True

autosummary_generate = True
# on file systems that do not tell capitals from small letters
autosummary_filename_map = {
    "estimators.cumulant": "estimators.cumulant-function",
    "estimators.estimate": "estimators.estimate-function",
    "estimators.scaling": "estimators.scaling-function",
    "estimators.spectrum.spectrum": "estimators.spectrum.spectrum-function",
    "randtensor.exact.weingarten": "randtensor.exact.weingarten-function",
    "randtensor.networks.parametrization": "randtensor.networks.parametrization-function",
    "randtensor.o": "randtensor.o-function",
    "randtensor.quantity": "randtensor.quantity-function",
    "randtensor.strategies.activations": "randtensor.strategies.activations-function",
}
autodoc_member_order = "bysource"
autodoc_mock_imports = [library for library in ("torch", "jax") if find_spec(library) is None]
default_role = "py:obj"
python_maximum_signature_line_length = 96
maximum_signature_line_length = 96
numpydoc_show_class_members = False
add_module_names = False
toc_object_entries = False

# Docstrings write formulas as text, so that they read the same in a terminal: |x| is an absolute value there and w* a
# point, not the markup that these characters are elsewhere.
_KEPT = re.compile(
    r"""(?P<kept>
      ``.+?``            # code,
    | `[^`]+`            # names,
    | \*\*[^\s*][^*\n]*\*\*  # what is set in bold,
    | \\.                # what is escaped already,
    | ^[ ]*>>>.*?(?:\n[ ]*\n|\Z)  # and examples with their output
    )|(?P<markup>[|*])""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def describe_parameters(_app, _what, _name, _obj, _options, lines):
    """Put what follows the colon, which numpydoc takes for a type, below the name: signatures have the types."""
    section, found = "", []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if after and set(after) == {"-"}:
            section = line
        entry = re.fullmatch(r"(\S.*?) : (.+)", line) if section in ("Parameters", "Attributes", "Raises") else None
        found += [line] if entry is None else [entry[1], f"    {entry[2]}"]
    lines[:] = found


def escape_formulas(_app, _what, _name, _obj, _options, lines):
    """Escape what would be markup in the text of a docstring, after numpydoc has read its sections."""
    lines[:] = _KEPT.sub(lambda m: m["kept"] or "\\" + m["markup"], "\n".join(lines)).split("\n")


def show_formulas(_app, doctree, _name):
    """Set the formulas in tables that objects show in notebooks, where MathJax would do it."""
    for table in doctree.findall(lambda node: isinstance(node, nodes.raw) and "<table>" in node.astext()):
        table.children = [nodes.Text(re.sub(r"\$([^$<>]+)\$", lambda m: formula_html(unescape(m[1])), table.astext()))]


def write_formula(writer, node):
    """MathML, which browsers show without a program from elsewhere."""
    writer.body.append(f"<span class='formula'>{formula_html(node.astext())}</span>")
    raise nodes.SkipNode


def write_display(writer, node):
    """The same, on a line of its own."""
    formula = formula_html(node.astext()).replace('display="inline"', 'display="block"', 1)
    writer.body.append(f"<div class='formula' tabindex='0'>{formula}</div>")
    raise nodes.SkipNode


def setup(app):
    app.connect("autodoc-process-docstring", describe_parameters, priority=100)
    app.connect("autodoc-process-docstring", escape_formulas, priority=900)
    app.connect("doctree-resolved", show_formulas)
    app.add_html_math_renderer("mathml", (write_formula, None), (write_display, None))
