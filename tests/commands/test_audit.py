"""colorlab.commands.audit: a wrong target is told before the audit and never touched."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from colorlab.__main__ import main
from colorlab.audit import search


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    Image.radial_gradient("L").save(folder / "a.png")
    return folder


@pytest.fixture
def refused(monkeypatch, capsys):
    """A function: the command's message, where it stops with status 2 and before the audit."""

    def begun(*_: object, **__: object) -> None:
        raise AssertionError("the audit was begun")

    def run(*words: object) -> str:
        with monkeypatch.context() as context:
            context.setattr(search, "audit", begun)
            assert main(["audit", *map(str, words)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return run


@pytest.mark.parametrize("name", ["x.txt", "x", ".png", "x.gif"])
def test_a_sheet_is_a_picture(folder, tmp_path, refused, name) -> None:
    assert "name a file that ends in .png, .jpg" in refused(folder, "--sheet", tmp_path / name)
    assert "an empty name" in refused(folder, "--sheet", "")


def test_a_sheet_is_none_of_the_photos_and_not_beside_them(folder, tmp_path, refused) -> None:
    before = (folder / "a.png").read_bytes()
    for inside in (folder / "a.png", folder / "new.png", folder / "sub" / "new.png"):
        assert "name a file outside" in refused(folder, "--sheet", inside)
    assert (folder / "a.png").read_bytes() == before
    Image.new("RGB", (70, 70)).save(tmp_path / "elsewhere.png")
    (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
    assert "is one of the photos" in refused(folder, "--sheet", tmp_path / "elsewhere.png")
    (tmp_path / "way").symlink_to(folder)
    assert "name a file outside" in refused(folder, "--sheet", tmp_path / "way" / "new.png")


def test_a_target_can_be_written(folder, tmp_path, refused, monkeypatch) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    assert "is a folder" in refused(folder, "--sheet", tmp_path / "folder.png")
    assert "is not a folder" in refused(folder, "--sheet", tmp_path / "file" / "x.png")
    assert "is a folder" in refused(folder, f"--exclude={folder}")
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe.png")
        assert "a pipe or a device" in refused(folder, "--sheet", tmp_path / "pipe.png")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "may not write into" in refused(folder, "--sheet", tmp_path / "x.png")
    assert "may not write into" in refused(folder, "--exclude")


def test_a_list_is_one_and_of_one_folder(folder, tmp_path, refused) -> None:
    other = tmp_path / "other"
    other.mkdir()
    message = refused(folder, other, "--exclude", tmp_path / "x.txt")
    assert "one list for 2 folders" in message and "each folder gets its own" in message
    notes = tmp_path / "notes.txt"
    for content in (b"# Shopping\nmilk\n", b"\x00\xff", b'"broken\n'):
        notes.write_bytes(content)
        assert str(notes) in refused(folder, "--exclude", notes)
        assert notes.read_bytes() == content
    assert "a list is no photo" in refused(folder, "--exclude", folder / "a.png")
    (folder / "exclude.txt").write_bytes(b"\xff")
    assert "exclude.txt is not a list" in refused(folder, "--all", "--exclude")


def test_right_targets_are_written_the_list_first(folder, tmp_path, capsys) -> None:
    sheet, listed = tmp_path / "new" / "x.png", tmp_path / "newer" / "x.txt"
    words = ["audit", str(folder), "--processes=0", f"--sheet={sheet}", f"--exclude={listed}"]
    for _ in range(2):  # what the first wrote is replaced
        assert main(words) == 1
        first, second = capsys.readouterr().out.splitlines()[-2:]
        assert first.endswith(str(listed)) and second.endswith(str(sheet))
    assert listed.read_text().endswith("a.png\taudit: gray, mean chroma 0.0\n")
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(("option", "name"), [("--sheet", "x.png"), ("--exclude", "x.txt")])
def test_a_full_disk_is_reported_in_one_line(folder, tmp_path, capsys, monkeypatch, option, name):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["audit", str(folder), "--processes=0", f"{option}={tmp_path / name}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{name} could not be written (No space left on device); make room" in line
