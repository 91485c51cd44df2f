"""How the notebooks read: short paragraphs, described figures, linked papers, one set-up cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prose import (
    CELL,
    LINK,
    NOTEBOOKS,
    PARAGRAPH,
    cells_of,
    count,
    figures_of,
    paragraphs_of,
    texts_of,
    words_of,
)

LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
each_lesson = pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize(
    "notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem
)

SET_UP = """\
REPOSITORY = "https://github.com/OWNER/colorlab"

import os
import sys

KAGGLE = "KAGGLE_KERNEL_RUN_TYPE" in os.environ
COLAB = "google.colab" in sys.modules and not KAGGLE
if COLAB or KAGGLE:
    from subprocess import run

    folder = "/content/colorlab" if COLAB else "/tmp/colorlab"
    if not os.path.exists(folder):
        run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, folder], check=True)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--editable", folder], check=True)
    sys.path.insert(0, folder)"""


@each_notebook
def test_no_paragraph_and_no_text_cell_is_long(notebook: Path) -> None:
    texts = texts_of(notebook)
    paragraphs = [part for text in texts for part in paragraphs_of(text)]
    assert [part[:60] for part in paragraphs if len(words_of(part)) > PARAGRAPH] == []
    assert [text[:60] for text in texts if len(words_of(text)) > CELL] == []


@each_notebook
def test_few_parentheses(notebook: Path) -> None:
    assert count(notebook)["( per 1,000"] <= 8


@each_notebook
def test_every_figure_is_described(notebook: Path) -> None:
    for cell, alt in figures_of(notebook):
        assert alt and len(alt) >= 20, "".join(cell["source"])[:200]


@each_notebook
def test_every_paper_has_a_link(notebook: Path) -> None:
    for text in texts_of(notebook):
        if "**Papers" in text:
            items = re.findall(r"^- .*(?:\n  .*)*", text.split("**Papers")[1], re.MULTILINE)
            assert items and [item for item in items if not LINK.search(item)] == []


@each_notebook
def test_the_set_up_cell_knows_colab_and_kaggle(notebook: Path) -> None:
    cells = ["".join(cell["source"]) for cell in cells_of(notebook, "code")]
    assert [cell for cell in cells if cell.startswith("REPOSITORY")] == [SET_UP]


@each_lesson
def test_solutions_are_folded_in_jupyter_and_on_colab(notebook: Path) -> None:
    cells = cells_of(notebook, "code")
    folded = [cell for cell in cells if "".join(cell["source"]).startswith("# SOLUTION")]
    for cell in folded:
        assert cell["metadata"]["jupyter"] == {"source_hidden": True}
        assert cell["metadata"]["cellView"] == "form"


@each_lesson
def test_mathematics_is_set(notebook: Path) -> None:
    assert count(notebook)["equations"] >= (0 if notebook.stem.startswith("00") else 2)


# --- the counting itself --------------------------------------------------------------------------


def test_code_equations_and_addresses_are_no_words() -> None:
    assert words_of("one `two` [three](https://x.y/z)\n$$ a + b $$\n```py\nfour\n```") == [
        "one",
        "`two`",
        "[three]",
    ]


def test_items_and_rows_are_paragraphs_of_their_own() -> None:
    text = "First line\nstill it.\n\n- one\n- two\n  more\n\n| a | b |\n| c | d |"
    assert [len(words_of(part)) for part in paragraphs_of(text)] == [4, 1, 2, 2, 2]
