"""Makes the built pages fetch less than the theme does: a phone on a train shall show them soon."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

# The theme brings its icons twice, as 1.6 MB of script and as the font that its style sheet names.
ICONS = ("fontawesome",)
# Every page may search in the theme's design. Here the field leads to the page that does.
SEARCH = ("searchtools", "language_data", "searchindex")


def lighten(folder: Path) -> None:
    """Take scripts that nothing needs out of Sphinx's pages, and let pictures come when seen.

    Args:
        folder: what Sphinx wrote. Pages that it did not write stay as they are.
    """
    for file in folder.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        if "_static/pygments.css" not in text:
            continue
        unneeded = "|".join(ICONS if file.name == "search.html" else ICONS + SEARCH)
        text = re.sub(rf'<script[^>]* src="[^"]*\b({unneeded})\.js[^>]*></script>', "", text)
        for picture in set(re.findall(r'<img [^>]*src="([^"]*_images/[^"]+)"', text)):
            text = text.replace(
                f'src="{picture}"', f'src="{picture}" {_size(file.parent / picture)}'
            )
        file.write_text(text, encoding="utf-8")
    for unneeded in (folder / "_static/scripts").glob("fontawesome.js*"):
        unneeded.unlink()


def _size(picture: Path) -> str:
    """The place that a picture takes, known before it comes: the text below does not jump."""
    with Image.open(picture) as opened:
        width, height = opened.size
    return f'width="{width}" height="{height}" loading="lazy"'
