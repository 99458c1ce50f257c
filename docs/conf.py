"""
How Sphinx builds the documentation: C{nox -s docs}, or by hand C{sphinx-build -W docs docs/_build}.

A page that is in no table of contents, a link to a page that is not there and whatever else Sphinx
warns of is an error there.  A page loads nothing from elsewhere: no font, no script, no picture.
"""

from __future__ import annotations

from uotp import __version__

project = "uotp"
author = "the uotp authors"
project_copyright = "the uotp authors"
version = release = __version__

nitpicky = True
exclude_patterns = ["_build"]
highlight_language = "text"
smartquotes = False  # quotes and dashes of commands stay as they are typed

html_theme = "furo"
html_title = "uotp"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": False}
