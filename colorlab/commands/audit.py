"""``colorlab audit``: the files that it is to write, checked before the photos are looked at.

An audit of a large set takes an hour, and nobody wants to learn after it that the name was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from colorlab.commands.options import check_writable, report_left_out
from colorlab.photos.exclusions import FILE_NAME, quoted, read_list
from colorlab.photos.files import SUFFIXES, look_into

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab audit``."""
    parser.description = (
        "Looks for photos that are corrupt, truncated, tiny, gray, toned, or "
        "near-duplicates within and across splits. Nothing is written unless asked for. Exit "
        "status: 0 nothing found, 1 something found, 2 could not start."
    )
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="DIR",
        help="folders of photos; of a single one, train, val and test in it are splits",
    )
    parser.add_argument(
        "--sheet", metavar="FILE", help="also draw a contact sheet of what was found"
    )
    parser.add_argument(
        "--exclude",
        nargs="?",
        const=True,
        metavar="FILE",
        help="write the list of photos to leave out, which training honors (default: exclude.txt "
        "in each folder)",
    )
    parser.add_argument(
        "--all", action="store_true", help="look at photos too that you left out by hand"
    )
    parser.add_argument("--processes", type=int, metavar="N", help="default: one a core")
    parser.add_argument("--tiny", type=int, metavar="PIXELS", help="shortest side (default: 64)")
    parser.add_argument("--gray", type=float, metavar="CHROMA", help="lowest mean (default: 4)")
    parser.add_argument("--sepia", type=float, metavar="SHARE", help="0 to 1 (default: 0.13)")
    parser.add_argument(
        "--distance", type=int, metavar="BITS", help="of copies (default: 10 of 64)"
    )


def run(options: argparse.Namespace) -> int:
    """Look for what is wrong with the photos; returns 1 if something was found, else 0."""
    from colorlab.audit.search import audit, split_folders

    listed = None if options.exclude is True else options.exclude
    folders = [folder for _, folder, _ in split_folders(options.folders)]
    if options.sheet is not None:
        check_sheet(options.sheet, folders)
    if options.exclude is not None:
        check_list(listed, folders)
    names = ("processes", "tiny", "gray", "sepia", "distance")
    chosen = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    progress = sys.stderr.isatty()
    report = audit(options.folders, progress=progress, exclude=not options.all, **chosen)
    print(report)
    closed = report_left_out(options.folders)
    if options.exclude is not None:
        with clear_write_errors(listed or "a list of photos to leave out"):
            written = report.exclude(listed)
        for path in written if isinstance(written, list) else [written]:
            print(f"list of photos to leave out: {path}")
    if options.sheet is not None:
        from colorlab.commands.colorize import write_photo

        sheet = report.sheet()
        with clear_write_errors(options.sheet):
            write_photo(sheet, Path(options.sheet))
        print(f"contact sheet: {options.sheet}")
    return 1 if report.findings or closed else 0


def check_sheet(path: str | os.PathLike[str], folders: Sequence[Path]) -> None:
    """Refuse a contact sheet that may not be written where it should.

    A sheet inside of one of the folders would be one of its photos from then on.

    Raises:
        ValueError: it is no picture by its name, lies in one of the folders, or is one of the
            photos.
    """
    path = Path(path)
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise ValueError(
            f"{path}: a contact sheet is a picture; name a file that ends in "
            f"{', '.join(SHEET_SUFFIXES)}"
        )
    check_writable(path)
    for folder in folders:
        if folder.resolve() in path.resolve().parents:
            raise ValueError(
                f"{path} lies in {folder}, and the sheet would count as one of its photos; name a "
                "file outside"
            )
        # A photo may be a link to a file outside.
        if path.exists() and folder.is_dir():
            links = (folder / n for n in look_into(folder).photos if (folder / n).is_symlink())
            if any(link.exists() and link.samefile(path) for link in links):
                raise ValueError(f"{path} is one of the photos in {folder}; name another file")


def check_list(path: str | os.PathLike[str] | None, folders: Sequence[Path]) -> None:
    """Refuse a list of photos to leave out that may not be written where it should.

    Args:
        path: None: to the list of its own in each folder.

    Raises:
        ValueError: one list for several folders, a photo, or a file that is no such list.
    """
    if path is None:
        for own in (folder / FILE_NAME for folder in folders if folder.is_dir()):
            check_writable(own)
            if os.path.lexists(own):
                read_list(own)
        return
    path = Path(path)
    if len(folders) > 1:
        raise ValueError(
            f"{path} would be one list for {len(folders)} folders, and names stand relative to "
            "one; name no file, and each folder gets its own list"
        )
    if path.suffix.lower() in SUFFIXES:
        raise ValueError(f"{path}: a list is no photo; name a text file, such as {FILE_NAME}")
    check_writable(path)
    if os.path.lexists(path):
        for name in read_list(path).entries:
            if os.path.splitext(name)[1].lower() not in SUFFIXES:
                raise ValueError(
                    f"{path} is not a list of photos to leave out: {quoted(name[:40])} is no name "
                    "of a photo; name another file"
                )


@contextlib.contextmanager
def clear_write_errors(what: str) -> Iterator[None]:
    """An OSError of the block becomes one line: what could not be written, why, and what to do.

    Raises:
        OSError: what the block raised, in these words.
    """
    try:
        yield
    except OSError as error:
        raise OSError(
            f"{what} could not be written ({error.strerror or error}); make room or name another "
            "place"
        ) from error
