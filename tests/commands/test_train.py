"""colorlab.commands.train: what a training on one's own photos asks of them."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlab.commands import train
from colorlab.commands.train import (
    audit_named,
    check_output,
    check_splits,
    folders_of,
    lab_arrays,
    pairs,
)
from colorlab.photos.arrays import LabArrays, write_lab_arrays
from colorlab.photos.files import PhotoError
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.packed import PackedPhotos, pack
from colorlab.photos.pairs import PairedFolder
from colorlab.recipes.presets import RECIPES, get


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_tenth_of_a_few_arrays_is_held_out(tmp_path, monkeypatch) -> None:
    write_lab_arrays(tmp_path, (Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(25)), side=8)
    assert lab_arrays(tmp_path, "train").names == LabArrays(tmp_path, part="all").names[:22]
    assert lab_arrays(tmp_path, "test").names == ["000022", "000023", "000024"]
    monkeypatch.setattr(train, "_TRAIN", 20)  # as of a set of 25,000
    assert [len(lab_arrays(tmp_path, part)) for part in ("train", "test")] == [20, 5]


def test_folders_of_every_kind_of_set(tmp_path, photos) -> None:
    save(tmp_path / "gray/0.png", np.zeros((64, 64), np.uint8))
    with pytest.warns(UserWarning, match="without a partner"):
        paired = PairedFolder(tmp_path / "gray", photos)
    packed = PackedPhotos(pack(photos, tmp_path / "packed"))
    assert folders_of(PhotoFolder([photos]), paired, packed) == [photos, tmp_path / "gray", photos]


def test_the_audit_is_named_for_a_file_that_can_not_be_read(tmp_path) -> None:
    (tmp_path / "my photos").mkdir()
    (tmp_path / "my photos/a.jpg").write_bytes(b"junk")
    photos = PhotoFolder(tmp_path / "my photos")
    with (
        pytest.raises(PhotoError, match=f"colorlab audit '{tmp_path}/my photos' --exclude`"),
        audit_named(folders_of(photos)),
    ):
        photos[0]
    # A pack has no folder to audit; and pairs that don't fit are no files that can't be read.
    with pytest.raises(PhotoError) as error, audit_named([]):
        photos[0]
    assert "colorlab audit" not in str(error.value)
    with pytest.raises(PhotoError, match=r"differ$"), audit_named([tmp_path]):
        raise PhotoError(f"{tmp_path}/a.png and b.png differ")


def test_swapped_pairs_are_refused(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        color = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        save(tmp_path / f"color/{number}.png", color)
        save(tmp_path / f"gray/{number}.jpg", np.repeat(color[..., :1], 3, -1))
    gray, color = tmp_path / "gray", tmp_path / "color"
    with pytest.raises(ValueError, match=f"swapped. Try --pairs {gray} {color}$"):
        pairs(color, gray)
    assert len(pairs(gray, color)) == 20
    # A black-and-white picture among the color photos is no reason, nor one that can't be read.
    save(color / "0.png", np.zeros((9, 9, 3), np.uint8))
    (gray / "1.jpg").write_bytes(b"junk")
    assert len(pairs(gray, color)) == 20
    # Gray photos on both sides are no swap either.
    for number in range(20):
        save(color / f"{number}.png", np.full((9, 9), number, np.uint8))
    assert len(pairs(gray, color)) == 20


def test_an_output_among_the_photos_is_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "q").mkdir()
    monkeypatch.chdir(tmp_path / "q")
    for output in ("runs/tiny", ".", tmp_path / "q/a", "../q/x/../run"):
        for folder in (Path(), tmp_path / "q", Path("../q")):
            with pytest.raises(ValueError, match=r"lies in the folder of photos .*-o"):
                check_output(output, [tmp_path / "other", folder])
    check_output("../q2", [Path()])
    check_output("../runs/tiny", [Path(), tmp_path / "q"])


def test_splits_given_as_one_folder_are_reported(tmp_path, capsys) -> None:
    for name in ("my splits/train", "my splits/val", "my splits/test", "one/train", "two/val"):
        (tmp_path / name).mkdir(parents=True)
    check_splits([str(tmp_path / name) for name in ("one", "two", "my splits/train")])
    assert capsys.readouterr().err == ""
    check_splits([str(tmp_path / "my splits")])
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "holds train beside val and test" in err
    there = f"{tmp_path}/my splits"
    assert f"--data '{there}/train' --validation '{there}/val'" in err


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_options(parser)
    return parser.parse_args(["--device", "cpu", *words])


def test_the_options_change_the_recipe() -> None:
    words = ["--image-size", "32", "--batch-size", "4", "--steps", "10", "--seed", "9"]
    recipe = train.chosen_recipe(options("--recipe", "tiny", *words))
    assert [(s.image_size, s.batch_size, s.steps) for s in recipe.stages] == [(32, 4, 5)] * 2
    assert recipe == dataclasses.replace(
        get("tiny").with_size(32).with_batch(4).with_steps(10), seed=9
    )


def test_a_later_stage_that_can_not_be_trained_is_told_with_the_options() -> None:
    with pytest.raises(ValueError) as error:
        train.chosen_recipe(options("--recipe", "starter-adversarial", "--image-size", "32"))
    assert str(error.value).startswith(
        "--recipe starter-adversarial --image-size 32: stages[4].image_size 32: the discriminator "
        "needs at least 24 pixels a side"
    )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "starter-adversarial"])
def test_other_presets_take_crops_of_64_pixels(recipe: str) -> None:
    assert train.chosen_recipe(options("--recipe", recipe, "--image-size", "64")).steps
