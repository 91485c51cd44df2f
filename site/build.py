"""Build the course as a web site: `make site`, or `python site/build.py -o FOLDER`.

    notebooks/*.ipynb ──► lessons.py ──┐
    site/*.md ───────────► pages.py ───┼──► Sphinx (conf.py) ──► FOLDER
    color/, the page that colors ──────┘    and then lighten.py

The result is a folder of files that can lie anywhere on the web and asks no other host for
anything. It needs the packages of the extra `site`; what npm fetches is left out where npm is
missing, and a line says so.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import lessons
import pages
from lighten import lighten

from colorlab import page
from colorlab.atomic import write_whole
from colorlab.colorize import Colorizer
from colorlab.page.runtime import node_modules

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COLOR = "color"  # the folder of the page that colors
VENDOR = HERE / "vendor"
VENDORED = {  # one file that holds all of MathJax, fonts included; the last is for tests alone
    "mathjax.js": "mathjax/es5/tex-svg-full.js",
    "mathjax-LICENSE.txt": "mathjax/LICENSE",
    "axe.js": "axe-core/axe.min.js",
}


def build(folder: Path, colorizer: Colorizer | None = None) -> list[str]:
    """Write the site into a folder, in place of an earlier site.

    Args:
        folder: a new one, an empty one, or one that holds an earlier site.
        colorizer: what colors; that of the starter weights when it is left out.

    Returns:
        A line for each thing that had to be left out.

    Raises:
        ValueError: the folder holds something else than a site.
        RuntimeError: Sphinx found something wrong; its own lines say what.
    """
    _check_folder(folder)
    colorizer = colorizer or Colorizer.load(device="cpu")
    with tempfile.TemporaryDirectory() as made:
        source, static, extra, out = (Path(made) / n for n in ("source", "static", "extra", "out"))
        for one in (source, static, extra):
            one.mkdir()
        missing = [_add_mathjax(static), _add_coloring(extra / COLOR, colorizer)]
        has_coloring = (extra / COLOR).exists()
        lessons.write(ROOT, source / "notebooks", has_coloring)
        shutil.copytree(ROOT / "notebooks", extra / "download", ignore=lessons.ONLY_NOTEBOOKS)
        pages.write(ROOT, source, static / "pictures", colorizer, has_coloring)
        _run_sphinx(source, out, Path(made) / "doctrees", static, extra)
        for template in (out / "_static").glob("*.html"):  # the theme's own, no pages
            template.unlink()
        lighten(out)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(out, folder)
    return [line for line in missing if line]


def _run_sphinx(source: Path, out: Path, doctrees: Path, static: Path, extra: Path) -> None:
    from sphinx.application import Sphinx

    settings = {
        "html_static_path": [str(HERE / "static"), str(static)],
        "html_extra_path": [str(extra)],
    }
    app = Sphinx(source, HERE, out, doctrees, "html", settings, status=None, warning=sys.stderr)
    app.build()
    if app.statuscode or app._warncount:
        raise RuntimeError("Sphinx warned, see above; the site is not written.")


def _add_mathjax(static: Path) -> str:
    """MathJax as `mathjax.js`; without npm an empty file, so equations stay in LaTeX."""
    try:
        fetch_vendored()
    except page.PageError as error:
        (static / "mathjax.js").touch()
        return f"Left out: MathJax, so equations stay in LaTeX's notation. {error}"
    for name in ("mathjax.js", "mathjax-LICENSE.txt"):
        shutil.copy(VENDOR / name, static)
    return ""


def fetch_vendored() -> None:
    """Fetch MathJax, and what tests the site's accessibility, unless they are here.

    Raises:
        PageError: npm is missing, or failed.
    """
    if all((VENDOR / name).is_file() for name in VENDORED):
        return
    with node_modules(HERE, "MathJax") as modules:
        VENDOR.mkdir(exist_ok=True)
        for name, source in VENDORED.items():
            write_whole(VENDOR / name, [(modules / source).read_bytes()])


def _add_coloring(folder: Path, colorizer: Colorizer) -> str:
    try:
        page.build(folder, colorizer)
    except page.PageError as error:
        return f"Left out: the page that colors. {error}"
    return ""


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        raise ValueError(f"{folder} is a file; name a folder for the site")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "objects.inv").is_file():
        raise ValueError(f"{folder} holds something else than a site; name a new folder")


def main() -> int:
    """Build, and print what was written."""
    parser = argparse.ArgumentParser(description="Build the course as a web site.")
    parser.add_argument("-o", "--output", default="site-html", type=Path, metavar="FOLDER")
    folder: Path = parser.parse_args().output
    start = time.monotonic()
    try:
        missing = build(folder)
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        print(f"make site: {error}", file=sys.stderr)
        return 2
    for line in missing:
        print(line)
    files = [file for file in folder.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    count = sum(file.suffix == ".html" for file in files)
    print(f"{count} pages, {len(files)} files, {size:.0f} MB in {time.monotonic() - start:.0f} s")
    python = Path(sys.executable)
    python = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    print(f"See it: {python} -m http.server -d {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
