"""``colorlab pack``: very many photos into a few large files."""

from __future__ import annotations

import argparse

from colorlab.commands.options import positive, report_left_out


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab pack``."""
    parser.add_argument("folders", nargs="+", metavar="DIR", help="folders of photos")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder")
    parser.add_argument(
        "--size",
        type=positive,
        metavar="N",
        help="reduce photos to a short side of N pixels, as JPEG of quality 95 or as PNG",
    )
    parser.add_argument(
        "--shard-mb", type=positive, default=256, metavar="MB", help="of one file (default: 256)"
    )


def run(options: argparse.Namespace) -> int:
    """Pack the photos of folders; returns 0."""
    from colorlab.photos.packed import PackedPhotos, pack

    pack(
        options.folders,
        options.output,
        size=options.size,
        shard_bytes=options.shard_mb * 2**20,
        progress=True,
    )
    report_left_out(options.folders)
    photos = PackedPhotos(options.output)
    files = f"{len(photos.shards)} tar file(s)"
    size = sum(path.stat().st_size for path in photos.shards) / 1e6
    reduced = f", reduced to {options.size} pixels" if options.size else ""
    print(f"{len(photos)} photos in {files}, {size:.1f} MB{reduced}: {options.output}")
    return 1 if photos.skipped else 0
