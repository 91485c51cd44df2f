"""colorlab.sources.archives: good archives come out byte for byte, hostile ones are refused
untouched."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from colorlab.sources import archives
from colorlab.sources.archives import ArchiveError, ZipArchive


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def refused(path: Path, words: str, kind: type = ZipArchive, **limits: float) -> None:
    """The archive is refused with these words, and neither it nor anything else was written."""
    before = everything(path.parent)
    with pytest.raises(ArchiveError, match=words) as caught, kind(path, **limits) as archive:
        archive.unpack(archive.files, path.parent / "out")
    assert str(path) in str(caught.value)
    assert everything(path.parent) == before


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_come_out_as_they_went_in(tmp_path, method):
    rng = random.Random(0)
    entries = {"a.jpg": rng.randbytes(3_000_000), "x/y/ü (2).png": b"b" * 70_000, "x/empty": b""}
    written = []
    with ZipArchive(zipped(tmp_path / "a.zip", {**entries, "folder/": b""}, method)) as archive:
        assert archive.files == {name: len(content) for name, content in entries.items()}
        archive.unpack(entries, tmp_path / "out", written.append)
    assert {n: (tmp_path / "out" / n).read_bytes() for n in entries} == entries
    assert sum(written) == 3_070_000 and max(written) <= 2**20


def test_only_what_is_asked_for_is_written_and_nothing_is_replaced(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": b"new", "b.jpg": b"b"})
    (tmp_path / "a.jpg").write_bytes(b"mine")
    with ZipArchive(path) as archive:
        archive.unpack(["b.jpg"], tmp_path)
        assert everything(tmp_path) == {"a.zip", "a.jpg", "b.jpg"}
        with pytest.raises(ArchiveError, match="'a.jpg' where another"):
            archive.unpack(["a.jpg"], tmp_path)
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"


def test_a_zip64_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(70_000):  # more than the 65,535 of the older form
            archive.writestr(zipfile.ZipInfo(f"{number}.jpg"), b"")
    with ZipArchive(tmp_path / "a.zip") as archive:
        assert len(archive.files) == 70_000
    refused(tmp_path / "a.zip", "lists more than 69,999 entries", most_files=69_999)
    content = (tmp_path / "a.zip").read_bytes()
    at = content.rindex(b"PK\x06\x07") + 8
    (tmp_path / "a.zip").write_bytes(content[:at] + bytes(8) + content[at + 8 :])
    refused(tmp_path / "a.zip", "its two ends contradict each other")


ELSEWHERE = [
    "../evil.jpg",
    "photos/../../evil.jpg",
    "/tmp/evil.jpg",
    "//server/evil.jpg",
    "C:/evil.jpg",
    "c:evil.jpg",
    "..\\evil.jpg",
    "\\evil.jpg",
    "a/./b.jpg",
    "a//b.jpg",
    "..",
    "../",
    "a/..",
    "good.jpg\0/../../evil.jpg",
    "good.jpg\0evil",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_that_lead_elsewhere(tmp_path, name):
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    info = zipfile.ZipInfo("x" * len(name))
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("good.jpg", b"good")
        archive.writestr(info, b"evil")
    # zipfile would not write some of these names as they are.
    content = (folder / "a.zip").read_bytes().replace(b"x" * len(name), name.encode())
    (folder / "a.zip").write_bytes(content)
    before = everything(tmp_path)
    refused(folder / "a.zip", "leads out|no plain relative path")
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (stat.S_IFLNK, "is a link"),
        (stat.S_IFIFO, "is neither a file nor a folder"),
        (stat.S_IFCHR, "is neither a file nor a folder"),
        (stat.S_IFBLK, "is neither a file nor a folder"),
    ],
)
def test_links_and_devices(tmp_path, kind, words):
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("link.jpg/x", b"through it")
    refused(tmp_path / "a.zip", f"'link.jpg' {words}")


def test_two_entries_for_one_place(tmp_path):
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(tmp_path / "a.zip", "w") as z,
    ):
        z.writestr("a.jpg", b"1")
        z.writestr("a.jpg", b"2")
    refused(tmp_path / "a.zip", "holds 'a.jpg' twice")
    zipped(tmp_path / "b.zip", {"a": b"a file", "a/b.jpg": b"in it"})
    with (
        ZipArchive(tmp_path / "b.zip") as archive,
        pytest.raises(ArchiveError, match="where another"),
    ):
        archive.unpack(archive.files, tmp_path / "out")


def test_a_bomb_is_recognized_by_its_growth_and_by_its_size(tmp_path):
    path = zipped(tmp_path / "a.zip", {"zeros.npy": bytes(70_000_000)})
    assert path.stat().st_size < 100_000
    refused(path, "70,000,000, and no more than 67,108,864 are expected: a bomb")
    with ZipArchive(zipped(tmp_path / "b.zip", {"zeros.npy": bytes(60_000_000)})) as archive:
        assert archive.files == {"zeros.npy": 60_000_000}  # what is small may grow as it likes
    refused(tmp_path / "b.zip", "no more than 50,000,000", most_bytes=50_000_000)
    honest = zipped(tmp_path / "c.zip", {"a": random.Random(0).randbytes(100)}, zipfile.ZIP_STORED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "SMALL", 0)
        with ZipArchive(honest) as archive:
            assert archive.files == {"a": 100}
        refused(honest, "a bomb", most_growth=0.1)


def test_a_bomb_that_lies_about_its_size_writes_no_more_than_it_promised(tmp_path):
    content = zipped(tmp_path / "a.zip", {"zeros.npy": bytes(5_000_000)}).read_bytes()
    lie = content.replace(struct.pack("<L", 5_000_000), struct.pack("<L", 1_000))
    assert lie != content
    (tmp_path / "a.zip").write_bytes(lie)
    with ZipArchive(tmp_path / "a.zip") as archive, pytest.raises(ArchiveError, match="is damaged"):
        archive.unpack(archive.files, tmp_path / "out")
    assert (tmp_path / "out/zeros.npy").stat().st_size <= 1_000
    more = content.replace(struct.pack("<L", 5_000_000), struct.pack("<L", 6_000_000))
    (tmp_path / "a.zip").write_bytes(more)
    with (
        ZipArchive(tmp_path / "a.zip") as archive,
        pytest.raises(ArchiveError, match="5,000,000 byt"),
    ):
        archive.unpack(archive.files, tmp_path / "other")


def test_a_list_of_entries_that_lies_about_its_length(tmp_path):
    """The end says one entry; zipfile and the count here both read the list itself."""
    path = zipped(tmp_path / "a.zip", {f"{i}.jpg": b"" for i in range(50)})
    content = bytearray(path.read_bytes())
    content[-14:-10] = struct.pack("<HH", 1, 1)
    path.write_bytes(content)
    refused(path, "lists more than 20 entries", most_files=20)


def test_a_list_of_entries_with_endless_names(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", {f"{i}" * 500: b"" for i in range(10, 40)})
    with ZipArchive(path) as archive:
        assert len(archive.files) == 30
    monkeypatch.setattr(archives, "_MOST_LIST", 10_000)
    refused(path, r"its list of entries by itself takes 31,\d\d\d bytes")


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.9, -30, -10, -1])
def test_a_truncated_archive(tmp_path, keep):
    path = zipped(tmp_path / "a.zip", {f"{i}.jpg": os.urandom(2000) for i in range(20)})
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    refused(path, "not a whole zip archive")


def test_any_flipped_byte_is_noticed_or_harmless(tmp_path):
    """Wrong checksums, headers, sizes: what comes out is what went in, or an ArchiveError."""
    entries = {"a.jpg": random.Random(0).randbytes(400), "b/c.png": b"flat" * 200}
    content = zipped(tmp_path / "a.zip", entries).read_bytes()
    noticed = 0
    for place in range(0, len(content), 2):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        folder = tmp_path / "deep" / str(place)
        folder.mkdir(parents=True)
        (folder / "a.zip").write_bytes(damaged)
        try:
            with ZipArchive(folder / "a.zip") as archive:
                archive.unpack(archive.files, folder / "out")
        except ArchiveError:
            noticed += 1
            continue
        written = [path for path in (folder / "out").rglob("*") if path.is_file()]
        assert all(path.read_bytes() in entries.values() for path in written), place
    assert noticed > 0.45 * len(content) - 75  # times, versions and the like may change unseen
    assert everything(tmp_path) - {"a.zip", "deep"} == {
        name for name in everything(tmp_path) if name.startswith("deep/")
    }


def test_a_wrong_checksum(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": b"photo" * 100}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"photophoto", b"photoPHOTO", 1))
    with ZipArchive(path) as archive, pytest.raises(ArchiveError, match="damaged: 'a.jpg'.*CRC"):
        archive.unpack(archive.files, tmp_path / "out")


def test_encrypted_entries_and_unknown_methods(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": b"secret"}, zipfile.ZIP_STORED)
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    path.write_bytes(content[: at + 8] + b"\x01" + content[at + 9 :])
    refused(path, "'a.jpg' is encrypted")
    zipped(path, {"a.jpg": b"a" * 100}, zipfile.ZIP_LZMA)
    refused(path, "method 14")


def test_what_is_no_archive_at_all(tmp_path):
    (tmp_path / "a.zip").write_text("<html>Sign in</html>")
    refused(tmp_path / "a.zip", "not a whole zip archive")
    with pytest.raises(FileNotFoundError):
        ZipArchive(tmp_path / "absent.zip")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_an_archive_is_never_held_in_memory(tmp_path):
    """A big entry, and a list of 40,000 that is refused, take no more memory than a small one."""
    zipped(tmp_path / "small.zip", {"a.npy": b"a"})
    with zipfile.ZipFile(tmp_path / "big.zip", "w") as archive, archive.open("a.npy", "w") as big:
        for _ in range(150):
            big.write(bytes(2**20))
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(40_000):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
    code = """
import re, sys
from colorlab.sources.archives import ArchiveError, ZipArchive
try:
    with ZipArchive(sys.argv[1], most_files=1000) as archive:
        archive.unpack(archive.files, sys.argv[1] + ".out")
except ArchiveError:
    pass
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""
    peaks = {}
    for name in ("small", "big", "many"):
        run = [sys.executable, "-c", code, str(tmp_path / f"{name}.zip")]
        peaks[name] = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert (tmp_path / "big.zip.out/a.npy").stat().st_size == 150 * 2**20
    assert max(peaks.values()) - peaks["small"] < 8, peaks  # MiB; the list alone would take 20


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    zipped(tmp_path / "a.zip", {"a.jpg": b"a"})

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    with ZipArchive(tmp_path / "a.zip") as archive:
        monkeypatch.setattr(Path, "open", lambda *_: Full())
        with pytest.raises(OSError, match="No space") as caught:
            archive.unpack(archive.files, tmp_path / "out")
    assert caught.value.errno == 28
