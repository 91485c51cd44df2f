"""colorlab.sources.bundled: the course's own data, where it is and where it is not."""

import importlib.metadata
import shutil
import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest

from colorlab.sources import bundled

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(bundled.VARIABLE, raising=False)


def test_data_dir_is_that_of_the_checkout():
    assert bundled.data_dir() == CHECKOUT / "data"


@pytest.mark.parametrize(("split", "count"), [("train", 241), ("val", 46), ("test", 62)])
def test_bundled_photos_are_all_there_and_sorted(split, count):
    photos = bundled.bundled_photos(split)
    assert len(photos) >= count
    assert photos == sorted((CHECKOUT / "data" / "photos" / split).glob("*.jpg"))


def test_unknown_split_lists_the_valid_ones():
    with pytest.raises(ValueError, match="'validation'.*train, val, test"):
        bundled.bundled_photos("validation")


def test_the_variable_moves_the_data_dir(tmp_path, monkeypatch):
    (tmp_path / "photos" / "val").mkdir(parents=True)
    (tmp_path / "photos" / "val" / "b.jpg").touch()
    (tmp_path / "photos" / "val" / "a.jpg").touch()
    monkeypatch.setenv(bundled.VARIABLE, str(tmp_path))
    assert bundled.data_dir() == tmp_path
    assert [path.name for path in bundled.bundled_photos("val")] == ["a.jpg", "b.jpg"]
    with pytest.raises(bundled.DataMissing, match="train photos are not in .*git checkout"):
        bundled.bundled_photos("train")


def test_a_variable_that_names_no_data_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv(bundled.VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(bundled.DataMissing, match="COLORLAB_DATA is set to .*gone"):
        bundled.data_dir()


def test_starter_weights(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv(bundled.VARIABLE, str(tmp_path))
    with pytest.raises(bundled.DataMissing, match="colorlab train --recipe starter"):
        bundled.starter_weights()
    weights = tmp_path / "weights" / "starter.safetensors"
    weights.parent.mkdir()
    weights.touch()
    assert bundled.starter_weights() == weights


def test_installed_outside_a_checkout_it_says_how_to_get_the_data(tmp_path):
    package = tmp_path / "site" / "colorlab"
    shutil.copytree(CHECKOUT / "colorlab", package, ignore=shutil.ignore_patterns("__pycache__"))
    code = "from colorlab import sources\nsources.bundled_photos('test')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=package.parent,
        env={"PATH": "", "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "DataMissing" in last
    assert str(package.parent / "data") in last
    assert "git clone" in last


def test_the_address_is_the_one_in_the_metadata(monkeypatch):
    metadata = Message()
    metadata["Project-URL"] = "Issues, https://example.org/issues"
    metadata["Project-URL"] = "Repository, https://example.org/course"
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: metadata)
    assert bundled.repository_address() == "https://example.org/course"


def test_without_metadata_there_is_no_address_but_still_advice(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    assert bundled.repository_address() is None
    assert "git clone ADDRESS-OF-THE-COURSE" in bundled._how_to_get()
