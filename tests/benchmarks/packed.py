"""What packing and reading cost an image, and how much memory, from 1,000 to 100,000 photos.

    python tests/benchmarks/packed.py [--counts 1000 10000 100000] [--threads 1]

The photos are the bundled ones (short side at most 256 pixels), each again and again with another
comment in its file, 1,000 in a folder. An epoch of augmented 128-pixel squares in random order is
read from the plain folders (`PhotoFolder`, keep=0) and from their pack, each in a process of its
own, as is the packing. The requirement: the time an image does not grow with their number, nor
does the memory but for the names. Processor time tells more than images a second does where other
programs run. The files lie in the system's file cache as far as it goes, and packing syncs to the
disk. 100,000 photos take 5.2 GB in a temporary folder (TMPDIR) while it runs.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUNDLED = Path(__file__).resolve().parents[2] / "data/photos"
SIZE, BATCH, PER_FOLDER = 128, 16, 1000


def write_photos(folder: Path, first: int, end: int) -> None:
    """Photos number `first` to `end`: every file is another, and decodes as its source does."""
    sources = [path.read_bytes() for path in sorted(BUNDLED.rglob("*.jpg"))]
    for number in range(first, end):
        data, text = sources[number % len(sources)], b"photo %d" % number
        comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text  # ITU-T T.81, B.2.4.5
        path = folder / f"{number // PER_FOLDER:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[:2] + comment + data[2:])


def memory(name: str) -> float:
    """MB of this process: VmRSS now, VmHWM at most (Linux alone)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1000


def work(what: str, folder: str, target: str, threads: int) -> dict[str, float]:
    """One of the processes: pack, or read an epoch of the folder or of the pack."""
    import torch
    import webdataset  # noqa: F401 - what is imported counts as the memory before

    from colorlab.photos.batches import photo_loader
    from colorlab.photos.folder import PhotoFolder
    from colorlab.photos.packed import PackedPhotos, pack

    torch.set_num_threads(1)
    before, start, used = memory("VmRSS"), time.perf_counter(), time.process_time()
    if what == "pack":
        pack(folder, target)
        opened, count = start, sum(1 for _ in Path(folder).rglob("*.jpg"))
    else:
        settings = {"size": SIZE, "augment": True, "scale": (1.0, 1.1), "threads": threads}
        kind, path = (PhotoFolder, folder) if what == "folder" else (PackedPhotos, target)
        photos = kind(path, keep=0, **settings)
        opened, used = time.perf_counter(), time.process_time()
        generator = torch.Generator().manual_seed(0)
        loader = photo_loader(photos, BATCH, generator=generator, drop_last=False)
        count = sum(len(batch) for batch in loader)
    seconds = time.perf_counter() - opened
    return {
        "open": opened - start,
        "rate": count / seconds,
        "each": (time.process_time() - used) / count * 1000,
        "before": before,
        "peak": memory("VmHWM"),
    }


def main() -> None:
    """Print a line for each number of photos and each thing done with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--threads", type=int, default=1, help="that read")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(*options.work, options.threads)))
        return

    print("photos   what             open   images/s  CPU ms each  memory before, at most")
    with tempfile.TemporaryDirectory() as name:
        folder, target, made = Path(name, "photos"), Path(name, "packed"), 0
        for count in sorted(options.counts):
            write_photos(folder, made, count)
            made = count
            for what in ("pack", "folder", "packed"):
                command = [sys.executable, __file__, "--threads", str(options.threads), "--work"]
                child = subprocess.run(
                    [*command, what, folder, target], capture_output=True, text=True, check=True
                )
                got = json.loads(child.stdout)
                label = {"pack": "packing", "folder": "PhotoFolder", "packed": "PackedPhotos"}[what]
                print(
                    f"{count:<8d} {label:13s} {got['open']:6.2f} s {got['rate']:10.0f} "
                    f"{got['each']:12.3f} {got['before']:8.0f} MB, {got['peak']:.0f} MB",
                    flush=True,
                )
            shutil.rmtree(target)


if __name__ == "__main__":
    main()
