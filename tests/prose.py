"""What the lessons' texts are made of, counted.

    python tests/prose.py [NOTEBOOK …]

prints a line a lesson: words, the longest paragraph, paragraphs above 90 words, text cells above
200, opening parentheses per 1,000 words, display equations, links, figures and how many of them
have a description. Code, equations and links' addresses count as no words.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PARAGRAPH, CELL = 90, 200  # words at most
EQUATION = re.compile(r"\$\$.+?\$\$", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((https?://[^)\s]+(?:\([^)]*\))?[^)\s]*)\)")
PICTURES = ("image/png", "image/jpeg")


def cells_of(notebook: Path, kind: str) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == kind]


def texts_of(notebook: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in cells_of(notebook, "markdown")]


def words_of(text: str) -> list[str]:
    """Words that are read: what a fence, an equation, a tag or an address holds is not."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|<[^>]+>", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)\s]*\)", "] ", text)
    return [word for word in text.split() if re.search(r"\w", word)]


def paragraphs_of(text: str) -> list[str]:
    """Paragraphs, and each item of a list and each row of a table by itself."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$", "\n\n", text, flags=re.DOTALL)
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*|>#]|\d+\.)\s?)", text)
    return [part for part in parts if part.strip()]


def figures_of(notebook: Path) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Each picture among the outputs, with its cell and its description."""
    for cell in cells_of(notebook, "code"):
        for output in cell["outputs"]:
            for kind in PICTURES:
                if kind in output.get("data", {}):
                    yield cell, output.get("metadata", {}).get(kind, {}).get("alt")


def count(notebook: Path) -> dict[str, Any]:
    texts = texts_of(notebook)
    whole = "\n\n".join(texts)
    words = len(words_of(whole))
    lengths = [len(words_of(part)) for text in texts for part in paragraphs_of(text)]
    figures = [alt for _, alt in figures_of(notebook)]
    bare = re.sub(r"\]\([^)\s]*\)|```.*?```|\$\$.*?\$\$|`[^`]*`", "", whole, flags=re.DOTALL)
    return {
        "words": words,
        "longest": max(lengths),
        f"> {PARAGRAPH}": sum(n > PARAGRAPH for n in lengths),
        f"cells > {CELL}": sum(len(words_of(text)) > CELL for text in texts),
        "( per 1,000": round(1000 * bare.count("(") / words),
        "equations": len(EQUATION.findall(whole)),
        "links": len(LINK.findall(whole)),
        "figures": len(figures),
        "described": sum(bool(alt) for alt in figures),
        "cells": len(texts) + len(cells_of(notebook, "code")),
    }


def main() -> None:
    notebooks = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    rows = {notebook.stem: count(notebook) for notebook in notebooks}
    names = list(next(iter(rows.values())))
    print(f"{'':22}" + "".join(f"{name:>13}" for name in names))
    for stem, row in rows.items():
        print(f"{stem[:22]:22}" + "".join(f"{row[name]:13,}" for name in names))


if __name__ == "__main__":
    main()
