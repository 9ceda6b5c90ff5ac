"""The site's configuration, read by sphinx-build (make docs). Warnings are errors: a broken link or anchor, a page outside
the navigation, an unknown language of a code block. Nothing is fetched by a reader's browser from anywhere else."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "Cổng thư / Mail gateway"
html_title = "Cổng thư / Mail gateway"
language = "en"
extensions = ["myst_parser", "_site.states", "_site.folding", "_site.offline"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_site", "generator"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3  # links as #words-of-the-heading, as code hosts write them
smartquotes = False  # two hyphens are an option's, and quotation marks are ASCII
suppress_warnings = ["myst.xref_ambiguous"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
pygments_style = "default"
