"""Sphinx configuration; the reference of steps, and what was compared and measured are generated first."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import conformance  # noqa: E402
import gallery  # noqa: E402
import migration_tables  # noqa: E402
import speed  # noqa: E402

import references  # noqa: E402
import steps  # noqa: E402

project = "Offgraph"
author = "the Offgraph authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "furo"  # light and dark, wide and narrow
html_title = "Offgraph"
html_static_path = ["static"]
html_css_files = ["tables.css"]
numpydoc_show_class_members = False
myst_heading_anchors = 3

steps.write(HERE / "generated" / "steps.md")
references.write(HERE / "generated" / "references.md")
gallery.write(HERE / "generated" / "gallery.md")
migration_tables.write(HERE / "generated" / "migration.md")
conformance.write(HERE / "generated" / "conformance.md")
speed.write(HERE / "generated" / "speed.md")
