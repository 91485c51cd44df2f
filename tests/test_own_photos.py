"""colorlab.own_photos: what a training on one's own photos asks of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlab import own_photos
from colorlab.arrays import LabArrays, write_lab_arrays
from colorlab.own_photos import audit_named, folders_of, lab_arrays
from colorlab.packed import PackedPhotos, pack
from colorlab.pairs import PairedFolder
from colorlab.photos import PhotoError, PhotoFolder


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_tenth_of_a_few_arrays_is_held_out(tmp_path, monkeypatch) -> None:
    write_lab_arrays(tmp_path, (Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(25)), side=8)
    assert lab_arrays(tmp_path, "train").names == LabArrays(tmp_path, part="all").names[:22]
    assert lab_arrays(tmp_path, "test").names == ["000022", "000023", "000024"]
    monkeypatch.setattr(own_photos, "_TRAIN", 20)  # as of a set of 25,000
    assert [len(lab_arrays(tmp_path, part)) for part in ("train", "test")] == [20, 5]


def test_folders_of_every_kind_of_set(tmp_path, photos) -> None:
    save(tmp_path / "gray/0.png", np.zeros((64, 64), np.uint8))
    with pytest.warns(UserWarning, match="without a partner"):
        pairs = PairedFolder(tmp_path / "gray", photos)
    packed = PackedPhotos(pack(photos, tmp_path / "packed"))
    assert folders_of(PhotoFolder([photos]), pairs, packed) == [photos, tmp_path / "gray", photos]


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
