"""Hostile archives at full size, and what refusing them costs; a large set that is found in place.

    python tests/benchmarks/hostile.py [--folder DIR] [--tar]

Each archive is opened and unpacked in a process of its own. Printed: how it ended, the seconds of
CPU, the process's peak memory, and how much of it was there before the archive was touched. Needs
3 GB on the disk of DIR (default: the system's folder for temporary files), and Linux.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

CHILD = """
import json, sys, time
from colorlab.sources.archives import ArchiveError, ZipArchive
from colorlab.sources.tars import TarArchive
before, began, end = peak(), time.process_time(), "unpacked"
try:
    with (ZipArchive if sys.argv[1].endswith("zip") else TarArchive)(sys.argv[1]) as archive:
        archive.unpack(archive.files, sys.argv[2])
except ArchiveError as error:
    end = str(error)
print(json.dumps([end, time.process_time() - began, before, peak()]))
"""
LISTS = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]); print(peak())"
# Not getrusage: what it gives begins with the memory of the process that started this one.
PEAK = """
import re
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
"""


def many(path: Path, count: int) -> None:
    """An archive of so many empty files, written by hand: zipfile would take minutes."""
    with path.open("wb") as file:
        for number in range(count):
            name = b"%d.jpg" % number
            head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0)
            file.write(head + name)
        begin = at = file.tell()
        place = 0
        for number in range(count):
            name = b"%d.jpg" % number
            fields = (20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, place)
            file.write(struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name)
            place += 30 + len(name)
        at = file.tell()
        size = at - begin
        file.write(
            struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin)
        )
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, at, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, size, begin, 0))


def bomb(path: Path, size: int) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("zeros.npy", "w", force_zip64=True) as entry,
    ):
        for _ in range(size // 2**24):
            entry.write(bytes(2**24))


def honest(path: Path, size: int) -> None:
    block = random.Random(0).randbytes(2**20)
    with zipfile.ZipFile(path, "w") as archive, archive.open("big.npy", "w") as entry:
        for _ in range(size // 2**20):
            entry.write(block)


ZEROS = bytes(2**20)


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


Pieces = Iterable[tuple[bytes, int]]  # what is written, and how many times


def packed(path: Path, pieces: Pieces) -> None:
    """Each piece is a gzip member, compressed once: the members make one stream together."""
    with path.open("wb") as file:
        for piece, times in [*pieces, (bytes(1024), 1)]:
            member = gzip.compress(piece)
            for _ in range(times):
                file.write(member)


def tars() -> dict[str, Pieces]:
    """Hostile archives, piece by piece, and two good ones."""
    rng = random.Random(0)
    block = rng.randbytes(2**20)
    slow = b"9" * 15_360  # Python 3.11.7's TarFile takes 0.7 s for each (CVE-2024-6232)
    pax = header("x", len(slow), tarfile.XHDTYPE) + slow
    photos = (
        header(f"train/n0/{number}.JPEG", 7_168) + rng.randbytes(7_168) for number in range(13_394)
    )
    return {
        "2 million entries": [(b"".join(header(f"{i}.jpg") for i in range(200_001)), 10)],
        "2 million folders of one name": [(header("./", 0, tarfile.DIRTYPE) * 1000, 2000)],
        "10 GiB of zeros": [(header("a.npy", 10 * 2**30), 1), (ZEROS, 10 * 2**10)],
        "2 GiB of zeros, as one of many": [(header("a.npy", 2**26), 1), (ZEROS, 2 * 2**10)],
        "2 GiB of zeros behind the end": [(header("a.npy") + bytes(1024), 1), (ZEROS, 2 * 2**10)],
        "a header of 2 GiB": [(header("x", 2**31, tarfile.XHDTYPE), 1), (ZEROS, 2**11)],
        "a name of 2 GiB": [(header("x", 2**31, tarfile.GNUTYPE_LONGNAME), 1), (ZEROS, 2**11)],
        "100,000 headers that are slow to read": [(pax, 100_000)],
        "1 GiB of noise": [(header("big.npy", 2**30), 1), (block, 2**10)],
        "13,394 photos of 7 kB": [(b"".join(photos), 1)],
    }


def changed_headers(folder: Path, count: int) -> None:
    """So many archives with headers changed at random: none writes outside its folder."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sources.test_tars import changed, content, survives

    rng, taken, began = random.Random(1), 0, time.perf_counter()
    _, plain = content()
    for number in range(count):
        inside = folder / "changed" / str(number)
        taken += survives(inside, gzip.compress(changed(plain, rng), 1), {})
        shutil.rmtree(inside)
    assert not list((folder / "changed").iterdir())
    seconds = time.perf_counter() - began
    print(f"{count:,} tars with changed headers: {taken:,} taken, none harmful, {seconds:.0f} s")


def report(what: str, path: Path, folder: Path) -> None:
    out = folder / "out"
    run = [sys.executable, "-c", PEAK + CHILD, str(path), str(out)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    end, seconds, before, peak = json.loads(done.stdout)
    written = sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) if out.exists() else 0
    end = end.replace(str(path), path.name)
    print(f"{what} ({path.stat().st_size / 1e6:,.0f} MB): {end}", flush=True)
    print(f"  {seconds:.1f} s of CPU, peak {peak:.0f} MB ({before:.0f} before), ", end="")
    print(f"{written:,} bytes written", flush=True)


def in_place(folder: Path, count: int) -> None:
    from colorlab.sources.set_folders import complete, write_manifest

    root = folder / "set"
    root.mkdir()
    for number in range(count):
        (root / f"{number:05d}.png").write_bytes(b"x")
    write_manifest(root, {f"{number:05d}.png": 1 for number in range(count)})
    began = time.perf_counter()
    assert complete(root)
    print(f"a set of {count:,} photos is found in place in {time.perf_counter() - began:.2f} s")


def zips(folder: Path) -> None:
    many(folder / "many.zip", 2_000_000)
    report("2 million entries", folder / "many.zip", folder)
    run = [sys.executable, "-c", PEAK + LISTS, str(folder / "many.zip")]
    plain = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    print(f"  zipfile alone, only to list them: peak {float(plain):,.0f} MB")
    bomb(folder / "bomb.zip", 10 * 2**30)
    report("10 GiB of zeros", folder / "bomb.zip", folder)
    honest(folder / "honest.zip", 2**30)
    report("1 GiB of noise", folder / "honest.zip", folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--tar", action="store_true", help="only what is tar")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if not options.tar:
            zips(folder)
        for what, pieces in tars().items():
            path = folder / "a.tgz"
            packed(path, pieces)
            report(what, path, folder)
            shutil.rmtree(folder / "out", ignore_errors=True)
        changed_headers(folder, 5_000)
        in_place(folder, 20_000)


if __name__ == "__main__":
    main()
