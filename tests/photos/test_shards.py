"""colorlab.photos.packed: shards against tarfile, tar and webdataset; damage of all kinds."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from colorlab.photos.files import INDEX
from colorlab.photos.packed import Index, ShardError, ShardWriter, read_bytes

NAMES = [
    "a.jpg",
    "pets/cat.png",
    "b.c/dog.old.JPG",
    "x._y.png",
    "ä/日本.webp",
    "-r.gif",
    "a b\n.png",
]
NAMES += ["d/" * 60 + "n" * 120 + ".jpg", "z" * 250 + ".jpg"]  # a tar's header has 100 bytes


@pytest.fixture
def files() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    return {name: rng.bytes(700 * number) for number, name in enumerate(NAMES)}


def write(folder: Path, files: dict[str, bytes], limit: int = 5000) -> Path:
    folder.mkdir()
    with ShardWriter(folder, limit) as shards:
        for name, data in files.items():
            shards.add(name, data)
    shards.index.facts = {"made by": "a test"}
    shards.index.write(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    index = Index.read(folder)
    shards = [folder / name for name in index.shards]
    return {
        name: read_bytes(shards[place["shard"]], name, place)
        for name, place in zip(index.members, index.places, strict=True)
    }


def test_what_was_written_is_read(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = write(tmp_path / "a", files)
    assert contents(folder) == files
    assert list(Index.read(folder).members) == NAMES
    assert Index.read(folder).facts == {"made by": "a test"}


def test_python_and_tar_read_the_shards(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = write(tmp_path / "a", files)
    found = {}
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as tar:
            found |= {member.name: tar.extractfile(member).read() for member in tar}
    assert found == files
    if shutil.which("tar"):
        (tmp_path / "out").mkdir()
        for shard in folder.glob("*.tar"):
            subprocess.run(["tar", "-xf", shard, "-C", tmp_path / "out"], check=True)
        assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == files


def test_webdataset_reads_the_shards(tmp_path: Path, files: dict[str, bytes]) -> None:
    from webdataset import WebDataset

    folder = write(tmp_path / "a", files)
    paths = [str(path) for path in sorted(folder.glob("*.tar"))]
    found = {}
    for sample in WebDataset(paths, shardshuffle=False, empty_check=False):
        for ending, data in sample.items():
            if not ending.startswith("__"):
                found[f"{sample['__key__']}.{ending}"] = data
    lower = {name.replace(".JPG", ".jpg"): data for name, data in files.items()}  # as it does
    assert found == lower


def test_a_shard_is_as_long_as_it_may_be(tmp_path: Path) -> None:
    sizes = [400, 600, 1, 999, 1, 5000, 300, 300, 300, 300]
    files = {f"{number}.jpg": bytes(size) for number, size in enumerate(sizes)}
    index = Index.read(write(tmp_path / "a", files, limit=1000))
    assert index.places["shard"].tolist() == [0, 0, 1, 1, 2, 3, 4, 4, 4, 5]
    assert list(index.shards) == [f"photos-{number:05d}.tar" for number in range(6)]


def test_the_same_files_make_the_same_shards(tmp_path: Path, files: dict[str, bytes]) -> None:
    a, b = (write(tmp_path / name, files) for name in "ab")
    for path in a.glob("*.tar"):
        assert path.read_bytes() == (b / path.name).read_bytes()


def test_every_byte_of_a_file_is_watched_over(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = write(tmp_path / "a", files)
    index = Index.read(folder)
    number = NAMES.index("pets/cat.png")
    place = index.places[number]
    shard = folder / "photos-00000.tar"
    whole = shard.read_bytes()
    first = int(place["offset"])
    for at in (first, first + 350, first + 699):
        shard.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ShardError, match=r"photos-00000.tar/pets/cat.png: .* pack anew"):
            read_bytes(shard, NAMES[number], place)
        assert read_bytes(shard, NAMES[2], index.places[2]) == files[NAMES[2]]
    shard.write_bytes(whole[: first + 5])  # cut short after it was opened
    with pytest.raises(ShardError, match="pets/cat.png"):
        read_bytes(shard, NAMES[number], place)


def test_missing_and_cut_shards_are_reported_when_the_index_is_read(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    folder = write(tmp_path / "a", files)
    shard = folder / "photos-00001.tar"
    size = shard.stat().st_size
    for other in (size - 1, size + 1, 0):
        with shard.open("r+b") as file:
            file.truncate(other)
        with pytest.raises(ShardError, match=f"photos-00001.tar has {other} bytes, and {size}"):
            Index.read(folder)
    shard.unlink()
    with pytest.raises(FileNotFoundError, match="photos-00001.tar is missing"):
        Index.read(folder)


def test_a_damaged_index_is_reported(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = write(tmp_path / "a", files)
    path = folder / INDEX
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for at in rng.integers(0, len(whole), 200).tolist():
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            assert contents(folder) == files  # some bytes are of no matter, such as a date
        except ShardError:
            refused += 1
    assert refused > 150
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ShardError, match=f"{INDEX} is damaged .* pack anew"):
            Index.read(folder)


def test_an_index_of_another_version_is_reported(tmp_path: Path, files, monkeypatch) -> None:
    monkeypatch.setattr("colorlab.photos.packed._VERSION", 2)
    folder = write(tmp_path / "a", files)
    monkeypatch.undo()
    with pytest.raises(ShardError, match="is of version 2, and version 1 is read here"):
        Index.read(folder)


def test_a_folder_without_an_index_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no packed photos .*colorlab pack"):
        Index.read(tmp_path)
    with pytest.raises(FileNotFoundError, match="none is no folder"):
        Index.read(tmp_path / "none")


def test_a_writer_that_drops_a_file_does_not_pass(tmp_path: Path, monkeypatch) -> None:
    from webdataset import TarWriter

    write_ = TarWriter.write
    monkeypatch.setattr(
        TarWriter, "write", lambda self, o: "lost" in o["__key__"] or write_(self, o)
    )
    with (
        pytest.raises(OSError, match="does not hold what was written"),
        ShardWriter(tmp_path, 10**6) as shards,
    ):
        for name in ("a.jpg", "lost.jpg", "b.jpg"):
            shards.add(name, b"x")


def test_an_error_in_between_comes_up_as_it_is(tmp_path: Path, monkeypatch) -> None:
    later: list[object] = []  # what would be said when the collector comes to a file left open
    monkeypatch.setattr(sys, "unraisablehook", later.append)
    shards = ShardWriter(tmp_path, 10**6)
    with pytest.raises(KeyboardInterrupt), shards:
        shards.add("a.jpg", b"x" * 10**5)
        raise KeyboardInterrupt
    file = shards._file
    assert file.closed and not shards.index.shards
    del shards
    gc.collect()
    assert later == []
