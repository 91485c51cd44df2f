"""A recipe with any value in any field either trains or is refused in one line that names it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from any_recipe import changes, outcome
from hypothesis import given, settings


@settings(max_examples=60)
@given(changes())
def test_any_value_of_any_field_trains_or_is_refused_by_name(
    photos: Path, change: tuple[tuple, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert outcome(*change, photos, Path(folder)) in ("trained", "refused by name")
