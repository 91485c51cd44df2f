"""Recipes with any value in any field, trained for three steps or refused.

    python tests/benchmarks/recipes.py [--values N]

Printed: how many values were tried, how many were refused in one line that names the file and the
field before a folder was made, how many trained, how many ended in a traceback, and how many in
anything else; then each of these last ones.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from any_recipe import changes, outcome  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=3000)
    options = parser.parse_args()
    found: Counter[str] = Counter()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        photos.mkdir()
        rng = np.random.default_rng(0)
        for i in range(6):
            pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(photos / f"{i}.png")

        @settings(
            max_examples=options.values,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(changes())
        def attempt(change: tuple[tuple, Any]) -> None:
            with tempfile.TemporaryDirectory(dir=name) as folder:
                end = outcome(*change, photos, Path(folder))
            found[end.partition(":")[0]] += 1
            if end not in ("trained", "refused by name"):
                print(change, end, flush=True)

        attempt()
    tracebacks = found.pop("a traceback", 0)
    refused, trained = found.pop("refused by name", 0), found.pop("trained", 0)
    print(f"values tried     {refused + trained + tracebacks + found.total():6,}")
    print(f"refused by name  {refused:6,}")
    print(f"trained          {trained:6,}")
    print(f"tracebacks       {tracebacks:6,}")
    print(f"anything else    {found.total():6,}")
    print(f"in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
