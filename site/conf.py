"""Sphinx's settings for the course's site. `build.py` gives it the source folder and the rest."""

from pathlib import Path
from typing import Any

import lessons

import colorlab

ROOT = Path(__file__).resolve().parent.parent

project = "colorlab"
author = "The colorlab authors"
copyright = f"{author}, MIT License"
release = colorlab.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
nb_execution_mode = "off"  # the notebooks hold their outputs
nb_ipywidgets_js = {}  # widgets are still pictures here
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a lesson's quiz begins at any depth
default_role = "literal"
napoleon_use_ivar = True  # an attribute is described once
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": False}
add_module_names = False
mathjax_path = "mathjax.js"  # build.py puts it there
mathjax_options = {"async": "async"}  # the theme's own script does not wait for it
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "sphinx_book_theme"
html_title = "colorlab"
html_logo = html_favicon = str(ROOT / "colorlab/page/icon.svg")
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_last_updated_fmt = None
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "colorlab", "alt_text": ""},
    "repository_url": lessons.address(ROOT),
    "navbar_persistent": [],  # the search stands in the sidebar
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
}


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", keep_drawings)


def keep_drawings(_app: Any, what: str, *found: Any) -> None:
    """What a module's docstring indents is a drawing or code: it keeps its lines."""
    lines = found[-1]
    if what != "module":
        return
    before = ""  # the last line that is not empty
    for number, line in enumerate(list(lines)):
        if line.startswith("    ") and not before.startswith("    "):
            lines[number - 1] = "\0"  # an empty line, to become the mark of a literal block
        before = line or before
    lines[:] = [part for line in lines for part in (["", "::", ""] if line == "\0" else [line])]
