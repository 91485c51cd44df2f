"""colorlab.sources.downloads and colorlab.sources.set_folders: fetched once, repaired, and never
used as whole if they are not."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import threading
import time
import warnings
import zipfile
from pathlib import Path

import made_sets
import platformdirs
import pytest
from kaggle_server import environment_of, process, serving
from leak_guard import FAKE_TOKEN, leaks, leaks_in_files
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from colorlab import locks
from colorlab.photos.folder import PhotoFolder
from colorlab.sources import downloads, set_folders
from colorlab.sources.archives import ArchiveError
from colorlab.sources.catalog import SOURCES, Source
from colorlab.sources.resumable import DownloadError

SMALL = {  # the sets as the catalog would have them if they were so small
    name: dataclasses.replace(SOURCES[name], images=15 if name == "everyday-pairs" else 12)
    for name in made_sets.SETS
}
LANDSCAPES = SMALL["landscapes"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, capfd) -> Path:
    for name in [name for name in os.environ if name.startswith(("KAGGLE", "XDG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_TOKEN", FAKE_TOKEN)
    monkeypatch.setenv("VERBOSE", "1")
    yield tmp_path / "sets"
    printed = capfd.readouterr()
    assert leaks(printed.out + printed.err) == [] == leaks_in_files([tmp_path])


@pytest.fixture
def server():
    with serving(made_sets.archive("landscapes")) as server:
        yield server


def fetch(home: Path, source: Source = LANDSCAPES, limit=None, seed=0, **settings) -> Path:
    return downloads.download_set(
        source, home, limit, seed, **{"pause": 0.01, "stall": 1, **settings}
    )


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def photos(folder: Path) -> dict[str, bytes]:
    found = files(folder)
    found.pop(set_folders.MANIFEST)
    return found


@pytest.mark.parametrize("name", made_sets.SETS)
def test_each_set_comes_as_it_is_and_the_second_time_at_once(home, server, name):
    server.data = made_sets.archive(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = fetch(home, SMALL[name])
    assert folder == home / name and photos(folder) == made_sets.SETS[name]()
    manifest = json.loads((folder / set_folders.MANIFEST).read_text())
    assert manifest["bytes"] == sum(map(len, photos(folder).values()))
    assert manifest["source"] == name and manifest["slug"] == SOURCES[name].slug
    assert sorted(path.name for path in home.iterdir()) == sorted([f".{name}.lock", name])
    before = server.asked[:]
    began = time.perf_counter()
    assert fetch(home, SMALL[name]) == folder
    assert time.perf_counter() - began < 0.2 and server.asked == before


@pytest.mark.parametrize("name", made_sets.SETS)
def test_a_subset_of_each(home, server, name):
    server.data = made_sets.archive(name)
    folder = fetch(home, SMALL[name], 4, 3)
    assert folder == home / f"{name}-4-seed-3"
    found = photos(folder)
    if name == "lab-arrays":
        assert set(found) == {"l/gray_scale.npy", "ab/ab1.npy"}
    else:
        everything = made_sets.SETS[name]()
        assert len(found) == (8 if name == "everyday-pairs" else 4)
        assert all(everything[key] == content for key, content in found.items())
    assert fetch(home, SMALL[name], 4, 3) == folder and len(server.asked) == 1
    assert not any(path.suffix in (".zip", ".unpacking") for path in home.iterdir())


def test_what_is_in_a_larger_set_is_not_fetched_again(home, server):
    eight = photos(fetch(home, limit=8, seed=1))
    three = photos(fetch(home, limit=3, seed=1))
    assert len(server.asked) == 1 and three.items() < eight.items()
    assert len(photos(fetch(home, limit=3, seed=2))) == 3
    assert len(server.asked) == 2  # another seed draws from all of them
    fetch(home)
    one = photos(fetch(home, limit=1, seed=9))
    assert len(server.asked) == 3 and len(one) == 1
    with pytest.raises(ValueError, match="limit=0"):
        fetch(home, limit=0)


def test_a_set_that_is_here_already_needs_no_network(home):
    whole = Path(__file__).resolve().parents[2] / "data/photos/val"
    source = SOURCES["bundled"]
    assert fetch(home, source, whole=whole) == whole and not home.exists()
    folder = fetch(home, source, 5, 0, whole=whole)
    assert len(photos(folder)) == 5 == len(PhotoFolder(folder))
    assert all((whole / name).read_bytes() == content for name, content in photos(folder).items())


def test_missing_files_are_reported_and_fetched_again_and_others_left(home, server):
    folder = fetch(home)
    whole = photos(folder)
    (folder / "00000000.jpg").unlink()
    (folder / "00000001_(3).jpg").write_bytes(b"cut")
    (folder / "mine.jpg").write_bytes(b"mine")
    kept = folder / "00000002.jpg"
    os.utime(kept, (1, 1))
    with pytest.warns(UserWarning, match="2 of the 12 files in .*landscapes are missing or have"):
        assert fetch(home) == folder
    assert photos(folder) == {**whole, "mine.jpg": b"mine"}
    assert kept.stat().st_mtime == 1 and len(server.asked) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"files": 3}', '{"files": {"a.jpg": "x"}}'])
def test_a_folder_without_a_whole_manifest_is_not_whole(home, server, damage):
    folder = fetch(home)
    whole = photos(folder)
    (folder / set_folders.MANIFEST).write_text(damage)
    (folder / "00000000.jpg").unlink()
    assert not set_folders.complete(folder)
    assert photos(fetch(home)) == whole


def test_a_process_killed_while_it_unpacks(home, server):
    """The archive is there, a part of the photos too: neither is taken for the set."""
    home.mkdir()
    (home / "landscapes.zip").write_bytes(server.data)
    (home / "landscapes.unpacking/set").mkdir(parents=True)
    (home / "landscapes.unpacking/set/00000000.jpg").write_bytes(b"half")
    (home / "landscapes").mkdir()
    (home / "landscapes/00000001.jpg").write_bytes(b"other")
    assert photos(fetch(home)) == made_sets.landscapes()
    assert server.asked == []  # what had come is not fetched again
    assert sorted(path.name for path in home.iterdir()) == [".landscapes.lock", "landscapes"]


def damaged(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:
        made.writestr("a.jpg", b"photo" * 100)
        made.writestr("../b.jpg" if name == "escape" else "b.jpg", b"photo" * 100)
        if name == "bomb":
            made.writestr("c.jpg", bytes(70 * 2**20), zipfile.ZIP_DEFLATED)
    content = file.getvalue()
    if name == "truncated":
        return content[:-40]
    return content.replace(b"photophoto", b"photoPHOTO", 1) if name == "checksum" else content


@pytest.mark.filterwarnings("ignore:landscapes has 2 photos")
@pytest.mark.parametrize("name", ["escape", "bomb", "truncated", "checksum"])
def test_a_bad_archive_leaves_nothing(home, server, name):
    server.data = damaged(name)
    with pytest.raises(ArchiveError, match="was removed, and nothing of it is used") as caught:
        fetch(home)
    assert "landscape-pictures" in str(caught.value)
    assert {path.name for path in home.iterdir()} <= {".landscapes.lock"}
    server.data = made_sets.archive("landscapes")
    assert photos(fetch(home)) == made_sets.landscapes()


def test_an_archive_of_something_else_is_kept_and_reported(home, server):
    server.data = made_sets.archive("faces")
    with pytest.raises(ValueError, match=r"no pairs in the form .*00000.png.*sources.folder"):
        fetch(home, SMALL["everyday-pairs"])
    assert (home / "everyday-pairs.zip").exists() and not (home / "everyday-pairs").exists()


def test_another_number_of_photos_is_reported(home, server):
    server.data = made_sets.archive("landscapes", 9)
    with pytest.warns(UserWarning, match="9 photos, and 12 were expected: the set has changed"):
        fetch(home)
    server.data = made_sets.archive("faces", 9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch(home, dataclasses.replace(SMALL["faces"], counted=False))


def test_a_disk_without_room(home, server, monkeypatch):
    usage = type("Usage", (), {"free": 150_000_000})
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        DownloadError, match=r"landscapes needs 0 MB more.* has 150 MB left.*--to.*--limit"
    ):
        fetch(home)
    assert server.starts == [0] and [path.name for path in home.iterdir()] == [".landscapes.lock"]


def test_a_disk_that_is_full_on_the_way(home, server, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", str(home / "x"))

    with monkeypatch.context() as patch:
        patch.setattr(downloads.Archive, "unpack", full)
        with pytest.raises(DownloadError, match="No space left on device. Make room .*--to"):
            fetch(home)
    assert (home / "landscapes.zip").exists() and not (home / "landscapes").exists()
    assert photos(fetch(home)) == made_sets.landscapes() and len(server.asked) == 1


def test_a_folder_that_can_not_be_written(home, server):
    home.write_text("a file")
    with pytest.raises(DownloadError, match="File exists. Check the folder, or name another"):
        fetch(home)
    with pytest.raises(DownloadError, match="Not a directory. Check the folder"):
        fetch(home / "below")


def test_two_that_want_the_same_set_share_one_download(home, server, capfd):
    server.pace = 0.05
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(home))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [home / "landscapes"] * 3 and len(server.asked) == 1
    assert "another process is fetching landscapes; waiting" in capfd.readouterr().err


def test_a_file_system_that_knows_no_locks(home, server, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    number = errno.EACCES
    with pytest.raises(DownloadError, match="Permission denied. Check the folder"):
        fetch(home)
    number = errno.ENOLCK
    assert photos(fetch(home)) == made_sets.landscapes()


@pytest.mark.skipif(os.name == "nt", reason="Windows itself is asked there, not its variables")
@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        (Unix, {}, "~/.cache/colorlab"),
        (Unix, {"XDG_CACHE_HOME": "/x"}, "/x/colorlab"),
        (MacOS, {}, "~/Library/Caches/colorlab"),
        (Windows, {"WIN_PD_OVERRIDE_LOCAL_APPDATA": "C:/local"}, "C:/local/colorlab/Cache"),
        (Windows, {"COLORLAB_DOWNLOADS": "/mine"}, "/mine"),
    ],
)
def test_where_sets_are_kept(tmp_path, monkeypatch, system, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platformdirs, "PlatformDirs", system)
    assert downloads.downloads_dir() == Path(expected.replace("~", str(tmp_path)))


def test_the_command_killed_twice_and_called_again(home, server, tmp_path):
    """In the middle of the download, and anywhere after: in the end the set is whole."""
    server.data, server.pace = made_sets.archive("landscapes", 1200), 0.01
    code = "import sys; from colorlab.__main__ import main; sys.exit(main(sys.argv[1:]))"
    environment = environment_of(tmp_path, KAGGLE_API_TOKEN=FAKE_TOKEN, VERBOSE="1")
    partial, folder = home / "landscapes.zip.partial", home / "landscapes"

    def command() -> tuple[int, str, str]:
        out, err = child.communicate(timeout=120)
        assert leaks(out + err) == []
        return child.returncode, out, err

    child = process(server, code, environment, ["download", "landscapes"])
    while not (partial.exists() and partial.stat().st_size > len(server.data) / 3):
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.005)
    child.kill()
    assert command()[0] == -9 and not folder.exists()
    server.pace = 0
    child = process(server, code, environment, ["download", "landscapes"])
    while not (home / "landscapes.unpacking").exists() and child.poll() is None:
        time.sleep(0.001)
    child.kill()
    command()
    assert len(server.starts) == 2 and server.starts[1] > len(server.data) / 4
    child = process(server, code, environment, ["download", "landscapes"])
    status, out, _ = command()
    assert status == 0 and out == f"{folder}: 1,200 color photos\n"
    assert len(server.starts) == 2 and photos(folder) == made_sets.landscapes(1200)
