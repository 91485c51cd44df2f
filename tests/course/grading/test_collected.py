"""Whose a notebook is, in the layouts that mail and learning platforms give."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from colorlab.course.grading import collected
from colorlab.course.grading.collected import find_submissions, without_notebook

NAMES = [
    ("class/ada/03_unet.ipynb", "ada"),
    ("class/ada/lesson/03_unet.ipynb", "ada"),
    ("class/ada.ipynb", "ada"),
    ("mail/Ada Lovelace - 03_unet.ipynb", "Ada Lovelace"),
    ("mail/03_unet_ada (2).ipynb", "ada"),
    ("mail/ada-Copy1.ipynb", "ada"),
    ("ada/03_unet (1).ipynb", "ada"),
    ("moodle/Ada Ö_1201_assignsubmission_file/03_unet.ipynb", "Ada Ö"),
    ("flat/Ada Ö_1201_assignsubmission_file_03_unet.ipynb", "Ada Ö"),
]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", encoding="utf-8")
    return path


def learners(*paths: Path, unpacked: Path | None = None) -> list[str]:
    return [one.learner for one in find_submissions(paths, unpacked or Path("nowhere"))]


@pytest.mark.parametrize(("name", "learner"), NAMES)
def test_the_learner_is_in_the_folders_name_or_the_files(tmp_path, name: str, learner: str) -> None:
    path = touch(tmp_path / name)
    assert learners(path.parents[len(Path(name).parts) - 2]) == [learner]
    if "class/ada/" not in name:
        assert learners(path) == [learner]


def test_a_notebook_counts_once_and_an_editors_copy_does_not(tmp_path: Path) -> None:
    path = touch(tmp_path / "class/ada/03_unet.ipynb")
    touch(tmp_path / "class/ada/.ipynb_checkpoints/03_unet-checkpoint.ipynb")
    assert learners(tmp_path / "class", path, tmp_path / "class") == ["ada"]


@pytest.mark.parametrize("moodle", [True, False])
def test_a_folder_of_lessons_holds_the_learners_a_folder_lower(tmp_path, moodle: bool) -> None:
    for lesson, stem in (("Lesson 01", "01_color_and_lab"), ("Lesson 03", "03_unet")):
        for number, name in enumerate(("Ada", "Ben")):
            folder = f"{name}_{lesson[-1]}{number}_assignsubmission_file" if moodle else name
            touch(tmp_path / lesson / folder / f"{stem}.ipynb")
    assert learners(tmp_path) == ["Ada", "Ada", "Ben", "Ben"]


def test_a_learners_own_folders_are_no_learners(tmp_path: Path) -> None:
    for name in ("ada/draft", "ada/final", "ben", "cho"):
        touch(tmp_path / name / "03_unet.ipynb")
    assert learners(tmp_path) == ["ada", "ada", "ben", "cho"]


def test_an_archive_is_read_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    archive = tmp_path / "GAN26-Lesson 03-100.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("Ada_1_assignsubmission_file", "Ben_2_assignsubmission_file", "../../out"):
            file.writestr(f"{name}/03_unet.ipynb", "{}")
        file.writestr("Ada_1_assignsubmission_file/large.bin", "x")
    found = find_submissions([archive], tmp_path / "unpacked")
    assert [one.learner for one in found] == ["Ada", "Ben", "out"]
    assert all(one.path.is_relative_to(tmp_path / "unpacked") for one in found)
    assert [p.suffix for p in (tmp_path / "unpacked").rglob("*.*") if p.is_file()] == [".ipynb"] * 3


def test_a_notebook_that_is_an_archive_too_stops_nobody(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ada.ipynb", "w") as file:
        file.writestr("eve.ipynb", "{}")
    assert learners(tmp_path / "ada.ipynb") == ["ada"]


def test_an_archive_that_is_damaged_or_too_large_says_so(tmp_path, monkeypatch) -> None:
    (tmp_path / "unpacked").mkdir()
    archive = tmp_path / "class.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("ada.ipynb", "{ }" * 100)
    whole = archive.read_bytes()
    archive.write_bytes(whole.replace(b"{ }", b"{x}", 1))
    with pytest.raises(ValueError, match="class.zip: .*CRC.*; unpack it and name the folder"):
        find_submissions([archive], tmp_path / "unpacked")
    archive.write_bytes(whole)
    monkeypatch.setattr(collected, "LARGEST", 100)
    with pytest.raises(ValueError, match="ada.ipynb in it is larger than"):
        find_submissions([archive], tmp_path / "unpacked")


@pytest.mark.parametrize(("name", "words"), [("none", "does not exist"), ("", "no notebook")])
def test_nothing_to_grade_is_named(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=words):
        learners(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="makes links and names that Windows refuses")
def test_nobody_is_left_out(tmp_path: Path) -> None:
    ada = touch(tmp_path / "ada" / "03_unet.ipynb")
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "answers.zip").touch()
    (tmp_path / "carl.zip").touch()
    (tmp_path / "dora").mkdir()
    (tmp_path / "dora" / "03_unet.ipynb").symlink_to(ada)
    touch(tmp_path / os.fsdecode(b"m\xfcller") / "03_unet.ipynb")
    found = find_submissions([tmp_path], tmp_path)
    assert [one.learner for one in found] == ["ada", "dora", r"m\udcfcller"]
    assert [path.name for path in without_notebook([tmp_path], found)] == ["bert", "carl.zip"]
