"""``colorlab page``: a page that colors photos in the browser, as a folder of files."""

from __future__ import annotations

import argparse
from pathlib import Path

from colorlab.commands.options import add_weights, device


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab page``."""
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder")
    parser.add_argument("--overwrite", action="store_true", help="renew the page that is there")
    parser.add_argument("--serve", action="store_true", help="then serve it until Ctrl-C")
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="of --serve (default: 8000)"
    )
    add_weights(parser)


def run(options: argparse.Namespace) -> int:
    """Build the page; returns 0."""
    from colorlab import page
    from colorlab.colorize import Colorizer

    folder = Path(options.output)
    page.check_folder(folder, options.overwrite)  # before the weights are loaded
    colorizer = Colorizer.load(options.weights, device(options.device))
    page.build(folder, colorizer, overwrite=options.overwrite)
    files = [file for file in folder.rglob("*") if file.is_file()]
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB: {folder}")
    if not options.serve:
        print(f"See it: python -m http.server -d {folder}, or put the folder on the web as it is.")
        return 0
    with page.serve(folder, options.port) as server:
        print(f"Open {server.url} in a browser. Ctrl-C stops.", flush=True)
        server.wait()
    return 0
