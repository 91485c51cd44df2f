"""The notebooks as the site shows them: executed, solutions folded, widgets as still pictures.

The notebooks themselves stay as they are; what is changed here goes into Sphinx's source folder.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from pathlib import Path
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"
EQUATION = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
SEVERAL = re.compile(r",?\s*(?:\\qquad\s*)+")  # between equations that stand in one row
COLOR_HERE = (
    '\n\n<p class="still"><a href="../color/index.html">Color a photo of yours here</a>, in this '
    "browser.</p>"
)
NEED = "Colab and Kaggle want an account with them. The notebook opens in JupyterLab."
TABLE = re.compile(r"\S {2,}\S")
PICTURES = ("image/png", "image/jpeg")
SOLUTION = re.compile(r"# SOLUTION (\d+\.\d+)")


def ONLY_NOTEBOOKS(folder: str, names: list[str]) -> set[str]:
    """For `shutil.copytree`: what is not a notebook."""
    return {name for name in names if not name.endswith(".ipynb")}


def address(root: Path) -> str:
    """The repository's address, from its one place."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"]


def write(root: Path, folder: Path, has_coloring: bool) -> None:
    """Write every notebook into a folder, as Sphinx shall read it.

    Args:
        root: the checkout.
        folder: a new one.
        has_coloring: whether the site holds the page that colors.
    """
    folder.mkdir()
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        shown = as_shown(notebook, run_links(address(root), path.name), has_coloring)
        (folder / path.name).write_text(json.dumps(shown), encoding="utf-8")


def run_links(repository: str, name: str) -> dict[str, str]:
    """Where a notebook can be run: what the link says -> its address, seen from the page."""
    file = f"{repository}/blob/main/notebooks/{name}"
    colab = file.replace("https://github.com/", "https://colab.research.google.com/github/")
    return {
        "Colab": colab,
        "Kaggle": f"https://kaggle.com/kernels/welcome?src={file}",
        "Download": f"../download/{name}",
    }


def as_shown(
    notebook: dict[str, Any], links: dict[str, str], has_coloring: bool = True
) -> dict[str, Any]:
    """A notebook as the site shows it; the one that is given stays as it is.

    Args:
        notebook: as JSON.
        links: as `run_links` gives them.
        has_coloring: whether the site holds the page that colors.
    """
    first, *rest = notebook["cells"]
    cells = [_with_links(first, links)]
    for cell in rest:
        if cell["cell_type"] != "code":
            cells.append(_stacked(cell))
            continue
        outputs = [_still(output, has_coloring) for output in cell["outputs"]]
        outputs = [output for output in outputs if output]
        cells.append(cell | {"outputs": outputs, "metadata": _metadata(cell, outputs)})
        if any(WIDGET in output.get("data", {}) for output in cell["outputs"]) and any(
            picture in output.get("data", {}) for output in outputs for picture in PICTURES
        ):
            is_upload = has_coloring and "PhotoUpload(" in "".join(cell["source"])
            cells.append(_markdown(_run_it(links) + (COLOR_HERE if is_upload else "")))
    cells = [cell | {"id": f"cell-{number}"} for number, cell in enumerate(cells)]
    metadata = {k: v for k, v in notebook["metadata"].items() if k != "widgets"}
    return notebook | {"cells": cells, "metadata": metadata, "nbformat_minor": 5}


def _still(output: dict[str, Any], has_coloring: bool) -> dict[str, Any] | None:
    """An output of one kind: text where there is any to unfold, else its picture, else its text."""
    data = output.get("data")
    if data is None:
        return output
    if "<iframe" in "".join(data.get("text/html", "")):  # the learner's own page, served there
        return _link_to_coloring(output) if has_coloring else None
    for kind in ("text/html", *PICTURES):
        if kind in data:
            return output | {"data": {kind: data[kind]}}
    if "image/webp" in data:  # which MyST-NB does not know
        alt = html.escape(output["metadata"]["image/webp"]["alt"])
        source = f"data:image/webp;base64,{data['image/webp'].strip()}"
        return output | {"data": {"text/html": f'<img src="{source}" alt="{alt}">'}}
    return (
        None if WIDGET in data else output
    )  # a bar of progress, as it stood before the first step


def _link_to_coloring(output: dict[str, Any]) -> dict[str, Any]:
    text = '<p>The page stands here: <a href="../coloring.html">color a photo with it</a>.</p>'
    return output | {"data": {"text/html": text}}


def _metadata(cell: dict[str, Any], outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Folds a solution and what the notebook folds, and gives the picture its description."""
    source, shown = "".join(cell["source"]), {}
    tags = []
    solution = SOLUTION.match(source)
    if solution or cell["metadata"].get("jupyter", {}).get("source_hidden"):
        tags, prompt = ["hide-input"], f"Solution {solution[1]}" if solution else "Show the code"
        shown |= {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    elif source.startswith("REPOSITORY = "):
        tags, prompt = ["hide-input"], "The set-up for Colab and Kaggle"
        shown |= {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    if not any(TABLE.search("".join(output.get("text", []))) for output in outputs):
        tags.append("prose")  # what is printed may go on in the next line
    for output in outputs:
        for described in output.get("metadata", {}).values():
            shown["image"] = {"alt": described["alt"]}
    return {"tags": tags, "mystnb": shown}


def _stacked(cell: dict[str, Any]) -> dict[str, Any]:
    """Equations in one row of a text become rows of their own: a phone has no place beside."""

    def rows(found: re.Match[str]) -> str:
        parts = SEVERAL.split(found[1].strip())
        text = " \\\\[.6em] ".join(parts)
        return f"$$\\begin{{gathered}} {text} \\end{{gathered}}$$" if len(parts) > 1 else found[0]

    return cell | {"source": EQUATION.sub(rows, "".join(cell["source"]))}


def _with_links(cell: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
    """The first cell, with the links below its title."""
    title, _, rest = "".join(cell["source"]).partition("\n")
    run = "".join(f'<a href="{url}">{_said(name)}</a>' for name, url in links.items())
    links_and_need = f'<p class="run-links">{run}</p>\n<p class="still">{NEED}</p>'
    return cell | {"source": f"{title}\n\n{links_and_need}\n\n{rest}"}


def _run_it(links: dict[str, str]) -> str:
    return (
        '<p class="still">A still picture of a widget. To move it, run the lesson: '
        f'<a href="{links["Colab"]}">on Colab</a>, <a href="{links["Kaggle"]}">on Kaggle</a> or '
        f'<a href="{links["Download"]}">on your own machine</a>.</p>'
    )


def _said(name: str) -> str:
    return "Download the notebook" if name == "Download" else f"Run on {name}"


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}
