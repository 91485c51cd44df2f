"""``colorlab download``: the named sets of photos, listed or fetched."""

from __future__ import annotations

import argparse

from colorlab.commands.options import positive


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab download``."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="left out: list the sets")
    parser.add_argument("--list", action="store_true", help="list the sets, download nothing")
    parser.add_argument("--to", metavar="DIR", help="default: $COLORLAB_DOWNLOADS, or a cache")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="keep N photos, drawn at random"
    )
    parser.add_argument("--seed", type=int, default=0, help="that draws them (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Download a set of photos and print its folder; returns 0."""
    from colorlab import sources

    if options.list or options.name is None:
        print(sources.table())
        return 0
    folder = sources.fetch(options.name, limit=options.limit, into=options.to, seed=options.seed)
    sources.folder(folder)  # says how many photos are there
    return 0
