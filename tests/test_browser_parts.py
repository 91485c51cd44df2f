"""What the browser tests read from notebooks and write into their report, without a browser."""

from __future__ import annotations

import json
from pathlib import Path

from browser import server
from browser.lesson import VIEW, Place, errors, places, unexecuted
from browser.moves import Moved
from browser.report import Report, artifacts


def cell(source: str, *outputs: dict, count: int | None = 1, kind: str = "code") -> dict:
    return {"cell_type": kind, "source": source, "outputs": outputs, "execution_count": count}


def displayed(*kinds: str) -> dict:
    return {"output_type": "display_data", "data": dict.fromkeys(kinds, "")}


def test_widgets_are_those_with_a_picture_counted_among_all_in_their_cell():
    notebook = {
        "cells": [
            cell("plot()", displayed("image/png")),
            cell(
                "a = 1\nmany()",
                displayed(VIEW),
                displayed(VIEW, "image/png"),
                displayed(VIEW, "image/png"),
            ),
            cell("One()", {"output_type": "stream"}, displayed(VIEW, "image/png")),
        ]
    }
    assert places(notebook) == [Place(1, 1, "many()"), Place(1, 2, "many()"), Place(2, 0, "One()")]


def test_errors_and_cells_that_did_not_run():
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no"}
    notebook = {"cells": [cell("f()", error), cell("g()", count=None), cell("", count=None)]}
    (said,) = errors(notebook)
    assert "ValueError: no" in said and "f()" in said
    assert unexecuted(notebook) == ["g()"]


def test_the_copies_of_the_lessons_have_not_run(tmp_path: Path):
    server.copy_lessons(tmp_path / "copies")
    copies = sorted((tmp_path / "copies").glob("*.ipynb"))
    assert [copy.name for copy in copies] == [path.name for path in server.NOTEBOOKS]
    for copy, path in zip(copies, server.NOTEBOOKS, strict=True):
        notebook, before = (json.loads(p.read_text(encoding="utf-8")) for p in (copy, path))
        assert [c["source"] for c in notebook["cells"]] == [c["source"] for c in before["cells"]]
        assert unexecuted(notebook) != []
        assert unexecuted(before) == [], "if you ran it yourself: git checkout notebooks"
        assert not [c for c in notebook["cells"] if c.get("outputs")]


def test_nothing_of_the_user_s_own_jupyter_takes_part(tmp_path: Path, monkeypatch):
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_PATH", "IPYTHONDIR", "COLORLAB_STATE"):
        monkeypatch.setenv(name, "/home/ada/mine")
    monkeypatch.setenv("PYTHONPATH", "/home/ada/more")
    made = server.environment(tmp_path)
    theirs = {name: value for name, value in made.items() if "/home/ada/mine" in value}
    assert theirs == {}
    assert made["PYTHONPATH"].split(":") == [str(server.ROOT), "/home/ada/more"]


def test_the_report_names_what_changed_nothing_and_removes_what_is_old(tmp_path: Path):
    report = Report(tmp_path / "new")
    old, other = report.picture("00_first", 7), report.picture("01_next", 1)
    old.touch(), other.touch()
    report.begin("00_first")
    assert not old.exists() and other.exists()
    report.add_lesson("00_first", 3.14)
    report.add_widget("00_first", 1, Place(4, 0, "Panel()"), Moved([10, 30, 20], ["slider"]))
    run, widget = report.lines()
    assert "3.1 s" in run
    assert "median 20 ms, max 30 ms" in widget and "NO CHANGE BY slider" in widget
    written = json.loads((tmp_path / "new" / "timings.json").read_text(encoding="utf-8"))
    assert written["run_all_seconds"] == {"00_first": 3.1}
    assert written["widgets"][0]["median_ms"] == 20


def test_where_the_artifacts_go():
    assert artifacts({"COLORLAB_ARTIFACTS": "/elsewhere"}) == Path("/elsewhere")
    assert artifacts({}) == server.ROOT / "tests" / "browser" / "artifacts"
