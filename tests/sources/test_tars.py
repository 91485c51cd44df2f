"""colorlab.sources.tars: what `tarfile` and GNU tar write comes out byte for byte, hostile archives
are refused untouched, as hostile zip archives are."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from colorlab.sources import archives
from colorlab.sources.archives import ArchiveError
from colorlab.sources.tars import TarArchive

from . import test_archives
from .test_archives import ELSEWHERE, everything

END = bytes(1024)
LONG = "/".join(["long" * 30] * 5) + "/photo.jpg"


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields) -> bytes:
    """A header and what follows it; `fields` may lie."""
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + padded(content)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def record(key: str, value: bytes) -> bytes:
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def pax(kind: bytes = tarfile.XHDTYPE, **records: bytes) -> bytes:
    text = b"".join(record(key.replace("__", "."), value) for key, value in records.items())
    return entry("x", text, kind)


def tgz(path: Path, *parts: bytes, end: bytes = END) -> Path:
    path.write_bytes(gzip.compress(b"".join(parts) + end, 1))
    return path


def refused(path: Path, words: str, **limits: float) -> None:
    test_archives.refused(path, words, TarArchive, **limits)


def unpacked(path: Path) -> dict[str, bytes]:
    out = path.parent / "out"
    with TarArchive(path) as archive:
        archive.unpack(archive.files, out)
        found = {name: (out / name).read_bytes() for name in archive.files}
    assert {p for p in out.rglob("*") if p.is_file()} == {out / name for name in found}
    return found


# --- good archives -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_come_out_as_they_went_in(tmp_path, form):
    rng = random.Random(0)
    entries = {"a.jpg": rng.randbytes(3_000_000), "x/y/ü (2).png": b"b" * 70_000, "x/empty": b""}
    entries |= {"x/A.jpg": b"1", "x/a.jpg": b"2", "x/name:*?.jpg": b"3", "block": b"4" * 512}
    if form != tarfile.USTAR_FORMAT:
        entries[LONG] = b"long"
    with tarfile.open(tmp_path / "a.tgz", "w:gz", format=form) as made:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5 if form == tarfile.PAX_FORMAT else 1
            made.addfile(info, io.BytesIO(content))
        folder = tarfile.TarInfo("x/y")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
    written = []
    with TarArchive(tmp_path / "a.tgz") as archive:
        assert archive.files == {name: len(content) for name, content in entries.items()}
        archive.unpack(entries, tmp_path / "out", written.append)
    assert {n: (tmp_path / "out" / n).read_bytes() for n in entries} == entries
    assert sum(written) == sum(map(len, entries.values())) and max(written) <= 2**20


@pytest.mark.skipif(shutil.which("tar") is None, reason="the system has no tar")
@pytest.mark.parametrize("form", ["ustar", "gnu", "posix"])
def test_what_the_systems_tar_writes(tmp_path, form):
    entries = {"train/n01/a.JPEG": b"a" * 1000, "val/n02/ü b.JPEG": b"b", "train/n01/empty": b""}
    if form != "ustar":
        entries[f"train/{LONG}"] = b"long"
    for name, content in entries.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(content)
    command = ["tar", f"--format={form}", "-czf", tmp_path / "a.tgz", "-C", tmp_path / "set", "."]
    subprocess.run(command, check=True)
    assert unpacked(tmp_path / "a.tgz") == entries  # tar writes "./train/n01/a.JPEG"


def test_only_what_is_asked_for_is_written_and_nothing_is_replaced(tmp_path):
    path = tgz(tmp_path / "a.tgz", entry("a.jpg", b"new"), entry("b.jpg", b"b"))
    (tmp_path / "a.jpg").write_bytes(b"mine")
    with TarArchive(path) as archive:
        archive.unpack(["b.jpg"], tmp_path)
        assert everything(tmp_path) == {"a.tgz", "a.jpg", "b.jpg"}
        with pytest.raises(ArchiveError, match="'a.jpg' where another"):
            archive.unpack(["a.jpg"], tmp_path)
        with pytest.raises(KeyError):
            archive.unpack(["absent.jpg"], tmp_path)
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"


def test_gzip_in_several_members_is_one_stream(tmp_path):
    content = entry("a.jpg", b"a" * 5000) + entry("b.jpg", b"b") + END
    pieces = [content[at : at + 700] for at in range(0, len(content), 700)]
    (tmp_path / "a.tgz").write_bytes(b"".join(map(gzip.compress, pieces)))
    assert unpacked(tmp_path / "a.tgz") == {"a.jpg": b"a" * 5000, "b.jpg": b"b"}


def test_what_pax_and_gnu_say_of_the_next_entry_alone(tmp_path):
    parts = [
        pax(tarfile.XGLTYPE, comment=b"0123"),
        pax(path=b"caf\xe9.jpg", size=b"3", SCHILY__xattr__user=b"\0\xff" * 50),
        entry("short", b"abc", size=0),
        entry("b.jpg", b"b"),
        entry("././@LongLink", b"other.jpg\0", tarfile.GNUTYPE_LONGNAME),
        entry("short", b"c"),
        entry("d.jpg", b"d"),
    ]
    found = unpacked(tgz(tmp_path / "a.tgz", *parts))
    assert found == {"caf\udce9.jpg": b"abc", "b.jpg": b"b", "other.jpg": b"c", "d.jpg": b"d"}


# --- hostile ones --------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", ["header", "pax", "GNU"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_that_lead_elsewhere(tmp_path, name, carrier):
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    if carrier == "header" and "\0" in name:
        pytest.skip("there a NUL ends the name")
    evil = {
        "header": entry(name, b"evil"),
        "pax": pax(path=name.encode()) + entry("x", b"evil"),
        "GNU": entry("x", name.encode() + b"\0", tarfile.GNUTYPE_LONGNAME) + entry("x", b"evil"),
    }
    before = everything(tmp_path) | {"deep/down/a.tgz"}
    tgz(folder / "a.tgz", entry("good.jpg", b"good"), evil[carrier])
    refused(folder / "a.tgz", "leads out|no plain relative path")
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.FIFOTYPE, "is neither a file nor a folder"),
        (tarfile.CHRTYPE, "is neither a file nor a folder"),
        (tarfile.BLKTYPE, "is neither a file nor a folder"),
        (b"D", "is neither a file nor a folder"),
        (tarfile.GNUTYPE_SPARSE, "is sparse"),
    ],
)
def test_links_devices_and_sparse_files(tmp_path, kind, words):
    link = entry("link.jpg", b"", kind, linkname="/etc/passwd", size=0)
    tgz(tmp_path / "a.tgz", entry("a.jpg", b"a"), link, entry("link.jpg/x", b"through it"))
    refused(tmp_path / "a.tgz", f"'link.jpg' {words}")


def test_a_link_in_the_place_of_the_folder_itself(tmp_path):
    tgz(tmp_path / "a.tgz", entry(".", b"", tarfile.SYMTYPE, linkname="/tmp"))
    refused(tmp_path / "a.tgz", "leads out")
    tgz(tmp_path / "a.tgz", entry("./", b"", tarfile.DIRTYPE), entry("./a.jpg", b"a"))
    assert unpacked(tmp_path / "a.tgz") == {"a.jpg": b"a"}


def test_sparse_files_as_pax_has_them(tmp_path):
    sparse = pax(GNU__sparse__major=b"1", GNU__sparse__realsize=b"9" * 15) + entry("a.jpg", b"a")
    refused(tgz(tmp_path / "a.tgz", sparse), "'a.jpg' is sparse")


def test_two_entries_for_one_place(tmp_path):
    tgz(tmp_path / "a.tgz", entry("a.jpg", b"1"), entry("./a.jpg", b"2"))
    refused(tmp_path / "a.tgz", "holds 'a.jpg' twice")
    tgz(tmp_path / "b.tgz", entry("a/", b"", tarfile.DIRTYPE, size=9), entry("a", b"a file"))
    assert unpacked(tmp_path / "b.tgz") == {"a": b"a file"}
    shutil.rmtree(tmp_path / "out")
    tgz(tmp_path / "b.tgz", entry("a", b"a file"), entry("a/b.jpg", b"in it"))
    with TarArchive(tmp_path / "b.tgz") as archive, pytest.raises(ArchiveError, match="where anot"):
        archive.unpack(archive.files, tmp_path / "out")


@pytest.mark.parametrize("size", [70_000_000, 2**33, 2**62])
def test_more_than_is_expected_is_refused_by_its_header(tmp_path, size):
    tgz(tmp_path / "a.tgz", entry("a.npy", b"", size=size))
    refused(tmp_path / "a.tgz", f"{size:,}, and no more than 67,108,864 are expected: a bomb")
    tgz(tmp_path / "a.tgz", pax(size=b"%d" % size), entry("a.npy"))
    refused(tmp_path / "a.tgz", f"{size:,}, and no more than")


def test_many_files_are_a_bomb_together(tmp_path):
    tgz(tmp_path / "a.tgz", *(entry(f"{i}.jpg", bytes(10_000)) for i in range(30)))
    assert len(unpacked(tmp_path / "a.tgz")) == 30
    shutil.rmtree(tmp_path / "out")
    refused(tmp_path / "a.tgz", "at least 110,000, and no more than 100,000", most_bytes=100_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "SMALL", 0)
        refused(tmp_path / "a.tgz", "a bomb")


@pytest.mark.parametrize("size", [b"-512", b"1e3", b"", b"9" * 30, "٣".encode()])
def test_lengths_that_are_none(tmp_path, size):
    tgz(tmp_path / "a.tgz", pax(size=size), entry("a.jpg", b"a"))
    refused(tmp_path / "a.tgz", "'a.jpg' has a length that is no number of bytes")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_length_below_zero(tmp_path, kind):
    """tarfile goes round in a circle there (CVE-2025-8194)."""
    tgz(tmp_path / "a.tgz", entry("b.jpg", b"b"), entry("a.jpg", b"", kind, size=-1024))
    refused(tmp_path / "a.tgz", "'a.jpg' has a length|header takes more than|not a whole tar")


def test_too_many_entries(tmp_path):
    tgz(tmp_path / "a.tgz", *(entry(f"{i}.jpg") for i in range(30)))
    refused(tmp_path / "a.tgz", "lists more than 29 entries", most_files=29)
    with TarArchive(tmp_path / "a.tgz", most_files=30) as archive:
        assert len(archive.files) == 30
    tgz(tmp_path / "a.tgz", *[entry("./", b"", tarfile.DIRTYPE)] * 30)
    refused(tmp_path / "a.tgz", "lists more than 29 entries", most_files=29)


def test_endless_names(tmp_path, monkeypatch):
    parts = [pax(path=b"%d" % i * 500) + entry("x") for i in range(10, 40)]
    with TarArchive(tgz(tmp_path / "a.tgz", *parts)) as archive:
        assert len(archive.files) == 30
    monkeypatch.setattr(archives, "_MOST_LIST", 10_000)
    refused(tmp_path / "a.tgz", r"the names of its entries alone take 1\d,\d\d\d bytes")


@pytest.mark.parametrize(
    "part",
    [
        pax(comment=b"x" * 20_000),
        entry("x", b"x" * 20_000, tarfile.GNUTYPE_LONGNAME),
        entry("x", b"x" * 20_000, tarfile.GNUTYPE_LONGLINK),
        entry("x", b"", tarfile.XHDTYPE, size=2**40),
        pax(comment=b"x") * 5000,
        pax(tarfile.XGLTYPE, comment=b"x") * 5000,
        pax(**{f"key{i}": b"x" * 1000 for i in range(20)}),
    ],
    ids=["pax", "long name", "long link", "a lie", "5000 of pax", "5000 global", "many records"],
)
def test_headers_that_are_too_long(tmp_path, part):
    refused(tgz(tmp_path / "a.tgz", part, entry("a.jpg", b"a")), "header takes more than 16,384")


def test_one_name_for_all(tmp_path):
    tgz(tmp_path / "a.tgz", pax(tarfile.XGLTYPE, path=b"../a"), entry("a.jpg", b"a"))
    refused(tmp_path / "a.tgz", "one name or length to all of its entries")


@pytest.mark.parametrize(
    "text",
    [
        b"9" * 600,
        b"0 a=b\n",
        b"99 a=b\n",
        b"6 a=b",
        b"5 ab\n\n",
        b"-6 a=b\n",
        b" =\n",
        b"7 path=\n",
    ],
)
def test_pax_headers_that_are_damaged(tmp_path, text):
    tgz(tmp_path / "a.tgz", entry("x", text, tarfile.XHDTYPE), entry("a.jpg", b"a"))
    refused(tmp_path / "a.tgz", "an extended header is damaged")


# --- damaged ones --------------------------------------------------------------------------------


def content() -> tuple[dict[str, bytes], bytes]:
    entries = {"a.jpg": random.Random(0).randbytes(400), "b/c.png": b"flat" * 200, LONG: b"l" * 600}
    file = io.BytesIO()
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(fileobj=file, mode="w", format=form) as made:
            for name, text in entries.items():
                info = tarfile.TarInfo(f"{form}/{name}")
                info.size, info.mtime = len(text), 0.5 if form == tarfile.PAX_FORMAT else 1
                made.addfile(info, io.BytesIO(text))
            if form == tarfile.PAX_FORMAT:
                place = made.offset
        file.seek(place)
    known = {
        f"{f}/{n}": text
        for f in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
        for n, text in entries.items()
    }
    return known, file.getvalue()[: made.offset]


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.9, -30, -8, -1])
def test_a_truncated_archive(tmp_path, keep):
    path = tgz(
        tmp_path / "a.tgz", *(entry(f"{i}", random.Random(i).randbytes(999)) for i in range(9))
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    refused(path, "not a whole tar archive")


@pytest.mark.parametrize("end", [b"", bytes(100), b"x" * 512, entry("b.jpg", b"b" * 600)[:-512]])
def test_an_archive_without_its_end(tmp_path, end):
    refused(tgz(tmp_path / "a.tgz", entry("a.jpg", b"a"), end=end), "not a whole tar archive")


@pytest.mark.parametrize("behind", [bytes(2_000_000), bytes(2000) + entry("b.jpg", b"b") + END])
def test_something_behind_the_end(tmp_path, behind):
    path = tgz(tmp_path / "a.tgz", entry("a.jpg", b"a"), end=END + bytes(10_000))
    assert unpacked(path) == {"a.jpg": b"a"}
    shutil.rmtree(tmp_path / "out")
    path.write_bytes(path.read_bytes() + gzip.compress(behind))
    refused(path, "something stands behind its end")


def test_what_is_no_archive_at_all(tmp_path):
    for text in (b"", b"<html>Sign in</html>", gzip.compress(b"<html>Sign in</html>" * 100)):
        (tmp_path / "a.tgz").write_bytes(text)
        refused(tmp_path / "a.tgz", "not a whole tar archive")
    with pytest.raises(FileNotFoundError):
        TarArchive(tmp_path / "absent.tgz")


def survives(folder: Path, packed: bytes, known: dict[str, bytes]) -> bool:
    """Whether the archive is taken; then all that it wrote lies in its folder."""
    folder.mkdir(parents=True)
    (folder / "a.tgz").write_bytes(packed)
    try:
        with TarArchive(folder / "a.tgz") as archive:
            archive.unpack(archive.files, folder / "out")
    except ArchiveError:
        return False
    finally:
        assert {path.name for path in folder.iterdir()} <= {"a.tgz", "out"}
    if known:
        written = [path for path in (folder / "out").rglob("*") if path.is_file()]
        assert all(path.read_bytes() in known.values() for path in written)
    return True


def test_any_flipped_byte_is_noticed_or_harmless(tmp_path):
    known, plain = content()
    packed = gzip.compress(plain)
    assert survives(tmp_path / "whole", packed, known)
    taken = []
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 0xFF
        if survives(tmp_path / str(place), bytes(damaged), known):
            taken.append(place)
    assert set(taken) <= set(range(3, 10))  # gzip's flags, time and system


def test_headers_changed_at_random_with_good_checksums(tmp_path):
    _, plain = content()
    rng = random.Random(0)
    taken = 0
    for number in range(300):
        taken += survives(tmp_path / str(number), gzip.compress(changed(plain, rng), 1), {})
    assert 30 < taken < 270
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(300)}


def changed(plain: bytes, rng: random.Random) -> bytes:
    """Some bytes of some blocks changed, and each such block's checksum made right again."""
    damaged = bytearray(plain)
    for _ in range(rng.randrange(1, 4)):
        block = 512 * rng.randrange(len(plain) // 512)
        for _ in range(rng.randrange(1, 5)):
            place = rng.choice([rng.randrange(512), rng.randrange(124, 157)])
            damaged[block + place] = rng.choice([rng.randrange(256), *b"./\\0gxLKS125"])
        if damaged[block + 257 : block + 262] == b"ustar":
            damaged[block + 148 : block + 156] = b" " * 8
            damaged[block + 148 : block + 156] = b"%06o\0 " % sum(damaged[block : block + 512])
    return bytes(damaged)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_an_archive_is_never_held_in_memory(tmp_path):
    zeros = bytes(2**20)

    def stream(name: str, *parts: bytes) -> None:
        with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
            for part in parts:
                file.write(part)

    stream("small", entry("a.npy", b"a"), END)
    stream("big", entry("a.npy", size=40 * 2**20), *[zeros] * 40, END)
    stream("header", entry("x", b"", tarfile.XHDTYPE, size=40 * 2**20), *[zeros] * 40, END)
    stream("many", *(entry(f"{number}") for number in range(20_000)), END)
    stream("tail", entry("a.npy", b"a"), END, *[zeros] * 40)
    code = """
import re, sys
from colorlab.sources.archives import ArchiveError
from colorlab.sources.tars import TarArchive
try:
    with TarArchive(sys.argv[1], most_files=1000, most_bytes=2**28) as archive:
        archive.unpack(archive.files, sys.argv[1] + ".out")
except ArchiveError:
    pass
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""
    code = code.replace("most_bytes", "most_growth=1e9, most_bytes")
    peaks = {}
    for name in ("small", "big", "header", "many", "tail"):
        run = [sys.executable, "-c", code, str(tmp_path / name)]
        peaks[name] = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert (tmp_path / "big.out/a.npy").stat().st_size == 40 * 2**20
    assert max(peaks.values()) - peaks["small"] < 8, peaks  # MiB
