"""colorlab.sources.public: Imagenette, from a server on the loopback that fails in every way that a
network can; checked, unpacked, and opened with its own photos to judge by."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import made_sets
import pytest
import torch
from faults import full_disk
from kaggle_server import KaggleServer, environment_of, serving

from colorlab import sources
from colorlab.__main__ import _parser, main
from colorlab.commands.train import _photos
from colorlab.photos.folder import PhotoFolder
from colorlab.sources import catalog, downloads, public
from colorlab.sources.archives import ArchiveError
from colorlab.sources.catalog import PublicFile
from colorlab.sources.resumable import DownloadError

NAME = "imagenette-160"
DATA = made_sets.imagenette_archive()
FIRST = 2**20
# As fastai/data/checks.txt has them, with the address, the size and the MD5.
CHECKS = json.loads("""{
  "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz": [
    99003388,
    "c475f8f7617a200ba35b9facc48443c3"
  ],
  "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz": [
    341663724,
    "1f1f74f133caff120e575856659b87a2"
  ]
}""")


@pytest.fixture
def server():
    with serving(DATA) as server:
        yield server
        assert server.asked == [] == server.strays  # Kaggle was not asked, nor credentials sent


@pytest.fixture
def file(server) -> PublicFile:
    return file_of(server)


def file_of(server: KaggleServer) -> PublicFile:
    """What the catalog would say of the server's archive."""
    url = f"{server.address}/imagenette2-160.tgz"
    md5 = hashlib.md5(server.data[:FIRST]).hexdigest()
    return PublicFile(url, "https://page.example", len(server.data), md5)


@pytest.fixture
def home(tmp_path, monkeypatch, file) -> Path:
    """A learner's home without an account anywhere, and the catalog with the server's archive."""
    for name in [name for name in os.environ if name.startswith(("KAGGLE", "XDG", "COLORLAB_DOW"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLORLAB_DOWNLOADS", str(tmp_path / "sets"))
    source = dataclasses.replace(catalog.SOURCES[NAME], images=18, bytes=file.bytes, file=file)
    monkeypatch.setattr(catalog, "SOURCES", {**catalog.SOURCES, NAME: source})
    return tmp_path / "sets"


def download(file: PublicFile, folder: Path, **settings) -> Path:
    quick = {"pause": 0.001, "stall": 0.4, "progress": False}
    return public.download_archive(file, folder / "a.tgz", **{**quick, **settings})


def fetch(home: Path, limit=None, **settings) -> Path:
    quick = {"pause": 0.01, "stall": 1, "progress": False}
    return downloads.download_set(catalog.find(NAME), home, limit, 0, **{**quick, **settings})


def photos(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_catalog_says_what_fastai_says():
    files = [source.file for source in catalog.SOURCES.values() if source.file]
    assert {file.url: [file.bytes, file.md5] for file in files} == CHECKS
    assert [catalog.SOURCES[f"imagenette-{side}"].bytes for side in (160, 320)] == [
        size for size, _ in CHECKS.values()
    ]


# --- the download --------------------------------------------------------------------------------


def test_cut_at_ten_random_points_it_goes_on_where_it_stopped(tmp_path, server, file):
    draw = random.Random(1)
    points = [draw.randrange(1, 250_000) for _ in range(10)]
    server.faults = [("cut", point) for point in points]
    asked = []
    path = download(file, tmp_path, room=lambda *sizes: asked.append(sizes))
    assert path.read_bytes() == DATA and asked[0] == (len(DATA), len(DATA))
    assert len(server.starts) == 11 and server.starts == sorted(server.starts)
    lost = [s + c - n for s, c, n in zip(server.starts, points, server.starts[1:], strict=False)]
    assert all(0 <= bytes_lost <= 2**14 for bytes_lost in lost)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tgz"]


@pytest.mark.parametrize(
    "fault",
    [("cut", 300_000), ("end", 300_000), ("stall", 300_000), ("status", 503), ("status", 429)],
)
def test_what_may_pass_is_tried_again(tmp_path, server, file, fault):
    server.faults = [fault, fault]
    assert download(file, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_does_not_pass_is_told_at_once(tmp_path, server, file, status):
    server.faults = [("status", status)] * 2
    with pytest.raises(DownloadError, match=rf"\({status}\)") as caught:
        download(file, tmp_path)
    said = str(caught.value)
    assert all(part in said for part in (file.url, file.page, "sources.folder(PATH)"))
    assert len(server.faults) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [("status", 503), ("stall", 0), ("cut", 0)])
def test_what_goes_on_for_ever_is_given_up(tmp_path, server, file, fault):
    server.faults = [fault] * 3
    with pytest.raises(DownloadError, match="failed, because .* do the same again"):
        download(file, tmp_path, tries=3, stall=0.2)
    assert server.faults == []


@pytest.mark.parametrize("heeds", [True, False], ids=["If-Range", "If-Range overlooked"])
def test_an_archive_that_changes_on_the_way_is_begun_anew(tmp_path, server, file, heeds):
    server.heeds = heeds
    server.faults = [("cut", 700_000), ("status", 503)]
    with pytest.raises(DownloadError, match="503"):
        download(file, tmp_path, tries=1)
    server.data = random.Random(2).randbytes(len(DATA))
    assert download(file, tmp_path).read_bytes() == server.data
    assert server.starts[0] == 0 == server.starts[-1]
    with pytest.raises(ArchiveError, match="begins with other bytes"):
        public.check(file, tmp_path / "a.tgz")


def test_an_archive_of_another_size_is_not_fetched(tmp_path, server, file):
    server.data = DATA + b"x"
    with pytest.raises(DownloadError, match="the archive has been changed.*update colorlab"):
        download(file, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_has_come(tmp_path, server, file, monkeypatch):
    said = "No space .* behind the 507,904 bytes"
    with full_disk(monkeypatch), pytest.raises(DownloadError, match=said):
        download(file, tmp_path)
    assert download(file, tmp_path).read_bytes() == DATA
    assert server.starts == [0, 507_904]


def test_a_process_that_is_killed_goes_on_where_it_was(tmp_path, server, file):
    server.pace = 0.02
    code = (
        "import sys; from pathlib import Path; from colorlab.sources import catalog, public\n"
        "file = catalog.PublicFile(sys.argv[1], '', int(sys.argv[2]), '')\n"
        "public.download_archive(file, Path(sys.argv[3]))\n"
    )
    arguments = [file.url, str(file.bytes), str(tmp_path / "a.tgz")]
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment_of(tmp_path), stderr=-1
    )
    partial = tmp_path / "a.tgz.partial"
    while not (partial.exists() and partial.stat().st_size > 300_000):
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.01)
    child.kill()
    child.communicate()
    assert child.returncode == -9 and not (tmp_path / "a.tgz").exists()
    kept, server.pace = partial.stat().st_size, 0
    assert download(file, tmp_path).read_bytes() == DATA
    assert server.starts[-1] >= kept > 300_000


# --- the check, before anything is unpacked ------------------------------------------------------


@pytest.mark.parametrize("place", [0, 5000, FIRST - 1])
def test_another_byte_in_the_first_megabyte(tmp_path, file, place):
    damaged = bytearray(DATA)
    damaged[place] ^= 1
    (tmp_path / "a.tgz").write_bytes(damaged)
    with pytest.raises(ArchiveError, match=f"fastai's list of checks says {file.md5}"):
        public.check(file, tmp_path / "a.tgz")
    (tmp_path / "a.tgz").write_bytes(DATA)
    public.check(file, tmp_path / "a.tgz")
    (tmp_path / "a.tgz").write_bytes(DATA[:-1])
    with pytest.raises(ArchiveError, match=f"{len(DATA) - 1:,} bytes, and .* {len(DATA):,}"):
        public.check(file, tmp_path / "a.tgz")


@pytest.mark.parametrize(
    ("place", "words"),
    [(700, "begins with other bytes"), (FIRST + 200_000, "not a whole tar"), (-6, "CRC|whole tar")],
)
def test_a_bad_archive_leaves_nothing(home, server, place, words):
    damaged = bytearray(DATA)
    damaged[place] ^= 0xFF
    server.data = bytes(damaged)
    with pytest.raises(ArchiveError, match=words) as caught:
        fetch(home)
    assert "was removed, and nothing of it is used" in str(caught.value)
    assert "https://page.example" in str(caught.value)
    assert [path.name for path in home.iterdir()] == [f".{NAME}.lock"]
    server.data = DATA
    assert photos(fetch(home)) == made_sets.imagenette()


def test_an_archive_that_lies_there_is_checked_too(home, server):
    """A process may have been killed between the download and the check."""
    home.mkdir()
    (home / f"{NAME}.tgz").write_bytes(DATA[:-1] + b"x")
    with pytest.raises(ArchiveError, match="was removed"):
        fetch(home)
    (home / f"{NAME}.tgz").write_bytes(DATA)
    (home / f"{NAME}.unpacking/set").mkdir(parents=True)
    assert photos(fetch(home)) == made_sets.imagenette() and server.starts == []
    assert sorted(path.name for path in home.iterdir()) == [f".{NAME}.lock", NAME]


def test_a_disk_that_is_full_while_it_is_unpacked(home, server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(home / "x"))

    with monkeypatch.context() as patch:
        patch.setattr(downloads.Archive, "unpack", full)
        with pytest.raises(DownloadError, match="No space left on device. Make room .*--to"):
            fetch(home)
    assert photos(fetch(home)) == made_sets.imagenette() and len(server.starts) == 1


KILLED_AT_THE_SEVENTH_FILE = """
import itertools, os, sys
from pathlib import Path
from colorlab.sources import downloads
from colorlab.sources.catalog import PublicFile, Source
unpack, count = downloads.Archive.unpack, itertools.count(1)
downloads.Archive.unpack = lambda archive, names, folder, _: unpack(
    archive, names, folder, lambda _: next(count) == 7 and os.kill(os.getpid(), 9)
)
downloads.download_set({source!r}, Path(sys.argv[1]), None, 0)
"""


def test_a_process_killed_while_it_unpacks(home, server, tmp_path):
    code = KILLED_AT_THE_SEVENTH_FILE.format(source=catalog.find(NAME))
    command = [sys.executable, "-c", code, str(home)]
    done = subprocess.run(command, env=environment_of(tmp_path), capture_output=True, timeout=120)
    assert done.returncode == -9, done.stderr
    assert len(list(home.glob(f"{NAME}.unpacking/set/*/*/*/*"))) == 7
    assert not (home / NAME).exists()
    assert photos(fetch(home)) == made_sets.imagenette()
    assert len(server.starts) == 1
    assert sorted(path.name for path in home.iterdir()) == [f".{NAME}.lock", NAME]


# --- the set -------------------------------------------------------------------------------------


def test_the_set_has_its_own_photos_to_judge_by(home, server):
    training, held_out = sources.get(NAME), sources.get(NAME, part="val")
    assert type(training) is PhotoFolder is type(held_out) and len(server.starts) == 1
    assert (len(training), len(held_out)) == (12, 6)
    known = made_sets.imagenette()
    for part, found in ("train", training), ("val", held_out):
        root = f"imagenette2-160/{part}/"
        assert {root + name for name in found.names} == {n for n in known if n.startswith(root)}
        assert {path.read_bytes() for path in found.paths} <= set(known.values())
    gray = training.names.index("n02979186/ILSVRC2012_val_00000004.JPEG")
    for number, photo in enumerate(training):
        assert photo.dtype == torch.uint8 and photo.shape == (3, 48, 48)
        assert (photo[0] == photo[1]).all() == (number == gray)
    assert training.at(16)[0].shape == (3, 16, 16)
    parts = training.split({"train": 0.5, "val": 0.5})
    assert len(parts["train"]) + len(parts["val"]) == 12


def test_a_subset_is_of_photos_to_train_on(home, server):
    few = sources.get(NAME, limit=4)
    assert len(few) == 4 and few.folders[0].parts[-3] == f"{NAME}-4-seed-0"
    assert len(sources.folder(sources.fetch(NAME, limit=4))) == 4
    fetch(home)
    assert len(sources.get(NAME, limit=3)) == 3 and len(server.starts) == 2
    with pytest.raises(ValueError, match="with a limit holds only photos to train on.*split()"):
        sources.get(NAME, limit=4, part="val")
    with pytest.raises(ValueError, match="landscapes has no parts. Hold some out"):
        sources.get("landscapes", part="val")
    with pytest.raises(ValueError, match="no part 'test'. Choose from train, val"):
        sources.get(NAME, part="test")


def test_missing_files_are_fetched_again(home, server):
    folder = fetch(home)
    next(folder.rglob("val/*/*.JPEG")).unlink()
    with pytest.warns(UserWarning, match="1 of the 18 files"):
        assert photos(fetch(home)) == made_sets.imagenette()


def test_the_commands(home, server, capfd):
    command = ["download", NAME]
    assert main(command) == 0 == main(command)
    assert capfd.readouterr().out == f"{home / NAME}: 18 color photos\n" * 2
    words = ["train", "--recipe", "tiny", "--source", NAME]
    training, held_out = _photos(_parser(words).parse_args(words))
    assert training.folders[0].name == "train" and held_out.folders[0].name == "val"
    words.append("bundled")  # beside other sets its part to judge by stays out, and a tenth is held
    training, held_out = _photos(_parser(words).parse_args(words))
    assert len(training) + len(held_out) == 12 + len(sources.get("bundled"))
    assert len(server.starts) == 1
