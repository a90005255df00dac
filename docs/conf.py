"""Sphinx configuration; the reference of steps, and what was compared and measured are generated first."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import conformance  # noqa: E402
import speed  # noqa: E402

import steps  # noqa: E402

project = "Offgraph"
author = "the Offgraph authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "SciPy's image transforms for CNNs, beside the graph",
    "fixed_sidebar": True,
}
numpydoc_show_class_members = False
myst_heading_anchors = 3

steps.write(HERE / "generated" / "steps.md")
conformance.write(HERE / "generated" / "conformance.md")
speed.write(HERE / "generated" / "speed.md")
