"""colorlab.lazy, and the folders that hand names on: each is there, and none is imported before."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from colorlab.lazy import hand_on

FOLDERS = ("photos", "sources", "audit", "recipes", "training", "course.widgets.board")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_name_is_there(folder: str) -> None:
    package = import_module(f"colorlab.{folder}")
    assert package.__all__ and dir(package) == package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None, name


def test_another_name_is_no_attribute() -> None:
    _, _, get = hand_on("colorlab.photos", {"open_photo": "files"})
    assert get("open_photo") is import_module("colorlab.photos.files").open_photo
    with pytest.raises(AttributeError, match="'colorlab.photos' has no attribute 'shut_photo'"):
        get("shut_photo")


def test_a_file_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys\n"
        "from colorlab import audit, photos, recipes, sources, training\n"
        "sources.table()\n"
        "print(*{'torch', 'numpy', 'PIL'} & set(sys.modules))\n"
        "photos.PhotoFolder\n"
        "print(*[name for name in sys.modules if name.startswith('colorlab.training.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n\n"
