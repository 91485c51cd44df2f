"""Looks at a built site: does every link inside it lead somewhere, and does a page load what is not
its own?

    python site/links.py site-html
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "next", "prev", "search", "index", "author", "copyright"}  # of <link>


class Page(HTMLParser):
    """What a page's HTML says: its anchors, where its links lead, what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if said.get(name)}
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        elif tag in LOADED and said.get(LOADED[tag]):
            loads = tag != "link" or not NOT_LOADED & set(said.get("rel", "").split())
            (self.loaded if loads else self.links).append(said[LOADED[tag]])


@cache
def read(file: Path) -> Page:
    """The page in a file."""
    return Page(file.read_text(encoding="utf-8"))


def problems(folder: Path) -> list[str]:
    """A line for each link that leads nowhere, and for each thing that another host would send."""
    found = []
    for file in sorted(folder.rglob("*.html")):
        page, name = read(file), file.relative_to(folder)
        found += [f"{name} loads {url}" for url in page.loaded if not is_inside(url, data=True)]
        inside = [url for url in page.links + page.loaded if is_inside(url)]
        found += [f"{name} links to {url}" for url in inside if not _leads(folder, file, url)]
    return found


def is_inside(url: str, data: bool = False) -> bool:
    """Whether it is an address of the site's own; with `data` one that holds its content counts."""
    parts = urlsplit(url)
    return not (parts.scheme or parts.netloc) or (data and parts.scheme == "data")


def _leads(folder: Path, file: Path, url: str) -> bool:
    parts = urlsplit(url)
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(folder.resolve()):
        return False
    anchor = unquote(parts.fragment)
    return not anchor or target.suffix != ".html" or anchor in read(target).anchors


def main() -> int:
    """Print what is wrong; 1 where something is."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "site-html")
    pages = list(folder.rglob("*.html"))
    found = problems(folder)
    print("\n".join([*found, f"{len(pages)} pages, {len(found)} problems"]))
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
