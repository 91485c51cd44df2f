"""Files whole or not at all: full disks, interrupts, and what killed processes leave."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorlab import atomic
from colorlab.atomic import remove_leftovers, whole_folder, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    return child.pid


def test_chunks_of_every_kind_are_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    chunks = [b"one", memoryview(b"two"), bytearray(b""), bytes(100_000)]
    assert write_whole(str(path), iter(chunks)) == path
    assert path.read_bytes() == b"onetwo" + bytes(100_000)
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    "crash", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), MemoryError(), ValueError()]
)
@pytest.mark.parametrize("first", [True, False])
def test_what_fails_on_the_way_leaves_what_was_there(
    tmp_path: Path, crash: BaseException, first: bool
) -> None:
    path = tmp_path / "a"
    if not first:
        path.write_bytes(b"before")

    def chunks() -> Iterator[bytes]:
        yield b"x" * 100_000
        assert len(list(tmp_path.glob("a.*.partial"))) == 1  # written aside
        raise crash

    with pytest.raises(type(crash)):
        write_whole(path, chunks())
    assert names(tmp_path) == ([] if first else ["a"])
    assert first or path.read_bytes() == b"before"


def test_what_a_block_writes_replaces_or_is_gone(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic.whole_file(target) as aside:
        aside.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.bin"]
    with atomic.whole_file(target) as aside:
        aside.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new" and os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="folders can't be synced there")
def test_file_then_name_then_folder_reach_the_disk(tmp_path: Path, monkeypatch) -> None:
    calls = []
    sync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        calls.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        sync(handle)

    monkeypatch.setattr(atomic.os, "fsync", synced)
    monkeypatch.setattr(atomic.os, "replace", lambda *a: (calls.append("rename"), replace(*a)))
    write_whole(tmp_path / "a", [b"x"])
    assert calls[1] == "rename" and len(calls) == 3
    assert calls == ["file", "rename", "folder"] or not os.path.isdir("/proc/self/fd")


def test_a_folder_that_can_not_be_synced_is_no_failure(tmp_path: Path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(atomic.os, "open", refused)
    assert write_whole(tmp_path / "a", [b"x"]).read_bytes() == b"x"


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "a", [b"x"])


@pytest.mark.skipif(os.name == "nt", reason="there, only the age of a file tells")
def test_leftovers_go_and_what_is_being_written_stays(tmp_path: Path) -> None:
    def left(name: str, age: float = 0) -> str:
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
        return name

    dead, alive = dead_pid(), os.getppid()
    left(f"a.{dead}-0123abcd.partial")
    left(f"a.{os.getpid()}-0123abcd.partial")  # of a process that had our number before us
    left(f"a.{alive}-0123abcd.partial", age=2 * atomic.ABANDONED)
    left(f"a.{10**30}-0123abcd.partial")
    stay = [
        left("a"),
        left(f"a.{alive}-89abcdef.partial"),
        left(f"b.{dead}-0123abcd.partial"),
        left("a.partial", age=2 * atomic.ABANDONED),
        left("a.12-xyz.partial", age=2 * atomic.ABANDONED),
    ]
    remove_leftovers(tmp_path, lambda name: name == "a")
    assert names(tmp_path) == sorted(stay)
    remove_leftovers(tmp_path / "none", lambda name: True)  # nothing there: nothing to do
    left(f"a.{dead}-0123abcd.partial")
    write_whole(tmp_path / "a", [b"x"])
    assert names(tmp_path) == sorted(stay)


@pytest.mark.parametrize(
    "name", ["a" * 255, "é" * 127, "日" * 85, "b.jpg"], ids=["one", "two", "three", "short"]
)
def test_the_longest_names_are_written_and_their_leftovers_go(tmp_path: Path, name: str) -> None:
    def killed() -> Iterator[bytes]:
        yield b"half"
        (left,) = names(tmp_path)  # as a process that died would leave it
        (tmp_path / left).rename(tmp_path / left.replace(f".{os.getpid()}-", f".{dead_pid()}-"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / name, killed())
    assert len(names(tmp_path)) == 1 and names(tmp_path)[0] != name
    write_whole(tmp_path / name, [b"whole"])
    assert names(tmp_path) == [name] and (tmp_path / name).read_bytes() == b"whole"


def test_a_write_under_way_in_another_thread_is_not_a_leftover(tmp_path: Path) -> None:
    def outer() -> Iterator[bytes]:
        yield b"outer"
        write_whole(tmp_path / "a", [b"inner"])  # as a second thread would, in the midst of it
        yield b" whole"

    write_whole(tmp_path / "a", outer())
    assert (tmp_path / "a").read_bytes() == b"outer whole"
    assert names(tmp_path) == ["a"]


# --- folders --------------------------------------------------------------------------------------


def test_a_folder_appears_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "b"
    with whole_folder(target) as folder:
        (folder / "one").write_bytes(b"1")
        assert not target.exists() and folder.parent == target.parent
    assert names(target.parent) == ["b"] and names(target) == ["one"]
    assert (target / "one").read_bytes() == b"1"


@pytest.mark.parametrize("crash", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_no_folder(tmp_path: Path, crash: BaseException) -> None:
    with pytest.raises(type(crash)), whole_folder(tmp_path / "b") as folder:
        (folder / "one").write_bytes(b"1")
        raise crash
    assert names(tmp_path) == []


@pytest.mark.parametrize("late", [False, True])
def test_what_stands_at_the_name_of_a_folder_stays(tmp_path: Path, late: bool) -> None:
    def there() -> None:
        (tmp_path / "b").mkdir()

    if not late:
        there()
    with pytest.raises(FileExistsError, match="b exists"), whole_folder(tmp_path / "b") as folder:
        (folder / "one").write_bytes(b"1")
        there()
    assert names(tmp_path) == ["b"] and names(tmp_path / "b") == []


@pytest.mark.skipif(os.name == "nt", reason="folders can't be synced there")
def test_files_then_folder_then_name_reach_the_disk(tmp_path: Path, monkeypatch) -> None:
    calls = []
    sync, rename = os.fsync, os.rename

    def synced(handle: int) -> None:
        calls.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}")).split(".")[0])
        sync(handle)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("what a handle is of can't be told here")
    monkeypatch.setattr(atomic.os, "fsync", synced)
    monkeypatch.setattr(atomic.os, "rename", lambda *a: (calls.append("rename"), rename(*a)))
    with whole_folder(tmp_path / "b") as folder:
        (folder / "one").write_bytes(b"1")
    assert calls == ["one", "b", "rename", tmp_path.name.split(".")[0]]


@pytest.mark.skipif(os.name == "nt", reason="there, only the age of what is left tells")
def test_left_folders_go_and_one_that_grows_stays(tmp_path: Path) -> None:
    def left(name: str, age: float, file_age: float) -> str:
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_bytes(b"half")
        os.utime(tmp_path / name / "half", (time.time() - file_age,) * 2)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
        return name

    dead, alive, old = dead_pid(), os.getppid(), 2 * atomic.ABANDONED
    left(f"a.{dead}-0123abcd.partial", 0, 0)
    left(f"a.{alive}-0123abcd.partial", old, old)
    stay = [left(f"a.{alive}-89abcdef.partial", old, 0), left(f"b.{dead}-0123abcd.partial", 0, 0)]
    outer, inner = whole_folder(tmp_path / "a"), whole_folder(tmp_path / "a")
    with outer, pytest.raises(KeyboardInterrupt), inner:  # as a second thread would
        raise KeyboardInterrupt
    assert names(tmp_path) == sorted(["a", *stay])
