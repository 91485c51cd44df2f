"""``colorlab export``: weights as an ONNX file, which browsers, phones and other languages run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from colorlab.commands.options import check_writable


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab export``."""
    parser.add_argument(
        "weights", nargs="?", metavar="WEIGHTS", help="default: the starter weights"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.onnx")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--full", action="store_true", help="weights as float32, twice the size")


def run(options: argparse.Namespace) -> int:
    """Write the file, and say how far its colors are from torch's.

    Raises:
        ValueError: the file exists, or can't be written there.
    """
    output = Path(options.output)
    check_writable(output)
    if output.exists() and not options.overwrite:
        raise ValueError(f"{output} exists and was left alone (--overwrite replaces it)")
    from colorlab.colorize import Colorizer
    from colorlab.export import OPSET, to_onnx

    colorizer = Colorizer.load(options.weights, "cpu")
    print("Exporting, up to a minute.", file=sys.stderr)
    name = Path(options.weights).stem if options.weights else "starter"
    done = to_onnx(colorizer, output, half=not options.full, name=name)
    print(
        f"{done.path}: {done.bytes / 1e6:.1f} MB, ONNX opset {OPSET}, "
        f"{', '.join(done.inputs)} -> {', '.join(done.outputs)}; largest difference of a or b from "
        f"torch {done.difference:.2g} CIE units"
    )
    return 0
