"""What the browser tests leave behind: screenshots, and how quickly each widget answered."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from browser.lesson import Place
from browser.moves import Moved


def artifacts(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder for them: what COLORLAB_ARTIFACTS names, else one that git ignores."""
    chosen = environment.get("COLORLAB_ARTIFACTS")
    return Path(chosen) if chosen else Path(__file__).resolve().parent / "artifacts"


class Report:
    """The screenshots' names, and a summary as JSON that is written anew with each entry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lessons: dict[str, float] = {}
        self.widgets: list[dict[str, Any]] = []

    def begin(self, lesson: str) -> None:
        """Remove the lesson's screenshots of another time: of fewer widgets, some would stay."""
        for path in self.folder.glob(f"{lesson}-*.png"):
            path.unlink()

    def picture(self, lesson: str, name: str | int) -> Path:
        return self.folder / f"{lesson}-{name}.png"

    def add_lesson(self, lesson: str, seconds: float) -> None:
        self.lessons[lesson] = round(seconds, 1)
        self._write()

    def add_widget(self, lesson: str, number: int, place: Place, moved: Moved) -> None:
        times = [round(took, 1) for took in moved.milliseconds]
        self.widgets.append(
            {
                "lesson": lesson,
                "number": number,
                "source": place.source,
                "median_ms": median(times),
                "max_ms": max(times),
                "all_ms": times,
                "silent": moved.silent,
            }
        )
        self._write()

    def lines(self) -> list[str]:
        """The summary for the end of the run, a line a widget."""
        said = [f"{lesson}: Run All took {took:.1f} s" for lesson, took in self.lessons.items()]
        for one in self.widgets:
            line = f"{one['lesson']}, widget {one['number']}: median {one['median_ms']:.0f} ms, "
            line += f"max {one['max_ms']:.0f} ms  {one['source']}"
            line += f"  NO CHANGE BY {'; '.join(one['silent'])}" if one["silent"] else ""
            said.append(line)
        return said

    def _write(self) -> None:
        summary = {"run_all_seconds": self.lessons, "widgets": self.widgets}
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        (self.folder / "timings.json").write_text(text + "\n", encoding="utf-8")
