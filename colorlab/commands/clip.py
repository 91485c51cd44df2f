"""Clips for ``colorlab colorize``: animated pictures, videos, and folders of frames.

Each is read, colored and written a frame at a time, so that a long one needs no more memory than a
short one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from PIL import Image

from colorlab.atomic import whole_file
from colorlab.photos.animation import ANIMATED, is_animation, open_animation, write_animation
from colorlab.photos.carried import Carried, carried
from colorlab.photos.errors import PhotoError
from colorlab.photos.files import photo_size
from colorlab.photos.xmp import MADE
from colorlab.progress import progress_bar

if TYPE_CHECKING:
    from colorlab.colorize import Colorizer

# What ffmpeg calls the container, and how pictures are stored in it.
_H264 = ("-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p")
_VP9 = ("-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-row-mt", "1", "-pix_fmt", "yuv420p")
_CONTAINERS = {
    ".mp4": ("mp4", *_H264, "-movflags", "+faststart"),
    ".m4v": ("mp4", *_H264, "-movflags", "+faststart"),
    ".mov": ("mov", *_H264, "-movflags", "+faststart"),
    ".mkv": ("matroska", *_H264),
    ".webm": ("webm", *_VP9),
    ".avi": ("avi", *_H264),
}
VIDEOS = frozenset(_CONTAINERS)


def is_video(path: Path) -> bool:
    """Whether the name is that of a video."""
    return path.suffix.lower() in VIDEOS


def is_clip(source: Path, target: Path) -> bool:
    """Whether the file is to be colored frame by frame, and not its first picture alone.

    Raises:
        PhotoError: it can't be read.
    """
    if is_video(source):
        return True
    return target.suffix.lower() in ANIMATED and is_animation(source)


def check_target(source: Path, target: Path) -> None:
    """Refuse a target that can't hold the frames of its source.

    Raises:
        ValueError: a video that would become something else, or what is no clip in a clip's format.
        PhotoError: the source can't be read.
    """
    kinds = ", ".join(sorted(VIDEOS))
    if is_video(source) and not is_video(target):
        raise ValueError(f"{source} is a video; name an output that ends in one of {kinds}")
    if is_video(target) and not is_video(source):
        raise ValueError(f"{source} is no video, so {target} can't be written; name a picture")
    if target.suffix.lower() == ".gif" and not is_animation(source):
        raise ValueError(
            f"{target}: can't write one picture as .gif, which holds 256 colors; use .png"
        )


def color_clip_file(
    colorizer: Colorizer,
    source: Path,
    target: Path,
    *,
    strip: bool = False,
    mark: bool = True,
    **how: Any,
) -> list[str]:
    """Color a video or an animated picture.

    Args:
        how: as ``colorlab.clip.color_clip`` takes it.

    Returns:
        What is lost in the copy, in words.

    Raises:
        PhotoError: the clip can't be read, or ffmpeg is missing or fails.
        OSError: the disk is full, the folder can't be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    color = _color_video if is_video(source) else _color_animation
    return color(colorizer, source, target, strip, mark, how)


def _color_animation(
    colorizer: Colorizer,
    source: Path,
    target: Path,
    strip: bool,
    mark: bool,
    how: dict[str, Any],
) -> list[str]:
    suffix = target.suffix.lower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's; what is broken is told by name
        what = carried(source)
    what = replace(what, lossless=what.lossless and source.suffix.lower() == suffix == ".webp")
    if strip:
        what = Carried(lossless=what.lossless)
    with (
        open_animation(source) as clip,
        whole_file(target) as aside,
        open(aside, "wb") as file,
        _bar(clip.count, source) as bar,
    ):
        durations: list[float] = []

        def pictures() -> Iterator[Image.Image]:
            for picture, duration in clip.frames:
                durations.append(duration)
                yield picture

        def colored() -> Iterator[tuple[Image.Image, float]]:
            for picture in _colored(colorizer, pictures(), how):
                yield picture, durations.pop()
                bar.update()

        lost = write_animation(file, colored(), suffix, plays=clip.plays, what=what, mark=mark)
    if what.depth > 8:
        lost.append(f"its {what.depth} bits became 8, as animations hold no more here")
    if suffix == ".gif":
        lost.append("as GIF it has 256 colors, so even areas show bands; .webp and .png hold more")
    return lost


def _colored(
    colorizer: Colorizer, frames: Iterator[Image.Image], how: dict[str, Any]
) -> Iterator[Image.Image]:
    from colorlab.clip import color_clip

    return color_clip(colorizer, frames, **how)


def _bar(total: int | None, source: Path) -> Any:
    return progress_bar(total, "frame", name=source.name, visible=sys.stderr.isatty(), delay=2)


# --- folders of frames ----------------------------------------------------------------------------


def frames_in_order(
    pairs: Sequence[tuple[Path, Path]], inputs: Sequence[Any], *, overwrite: bool = False
) -> list[tuple[Path, Path]]:
    """The frames of a folder with their targets, sorted by the numbers in their names.

    Raises:
        ValueError: not exactly one folder, frames of different sizes, or frames of an earlier run.
    """
    if len(inputs) != 1 or not Path(inputs[0]).is_dir():
        raise ValueError(
            "--clip takes one folder of frames; animated pictures and videos need none"
        )
    ordered = sorted(pairs, key=lambda pair: _natural(pair[0]))
    first: tuple[Path, tuple[int, int]] | None = None
    for source, target in ordered:
        if target.exists() and not overwrite:
            raise ValueError(
                f"{target} is there already, and a clip is colored as a whole; name another "
                f"folder, or replace it with --overwrite"
            )
        try:
            size = photo_size(source)
        except PhotoError:
            continue  # it is reported when its turn comes
        first = first or (source, size)
        if size != first[1]:
            raise ValueError(
                f"{source} is {size[0]} x {size[1]}, and {first[0]} is {first[1][0]} x "
                f"{first[1][1]}; frames of a clip have one size"
            )
    return ordered


def _natural(path: Path) -> list[tuple[int, str]]:
    """So that frame 10 comes after frame 9."""
    parts = re.split(r"([0-9]+)", path.as_posix())
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


# --- videos ---------------------------------------------------------------------------------------

_NO_FFMPEG = (
    "coloring a video needs ffmpeg: install it (Debian, Ubuntu: apt install ffmpeg; macOS: brew "
    "install ffmpeg; Windows: winget install ffmpeg), or save the video's frames as a folder of "
    "pictures and color that with --clip"
)


class _Video(NamedTuple):
    rate: str  # frames a second, as a fraction
    late: float  # seconds that the picture begins after the sound
    frames: int | None


def _color_video(
    colorizer: Colorizer,
    source: Path,
    target: Path,
    strip: bool,
    mark: bool,
    how: dict[str, Any],
) -> list[str]:
    """One ffmpeg decodes into a pipe, a second one encodes from another, with the first's sound."""
    ffmpeg, ffprobe = shutil.which("ffmpeg"), shutil.which("ffprobe")
    if ffmpeg is None or ffprobe is None:
        raise PhotoError(f"{source}: {_NO_FFMPEG}")
    video = _probe(ffprobe, source)
    inside = ["-protocol_whitelist", "file", "-i", f"file:{source}"]  # nothing from the network
    start = [ffmpeg, "-v", "error", "-y"]
    decode = [*start, "-nostdin", *inside, "-map", "0:v:0", "-vf", f"fps={video.rate}"]
    decode += ["-pix_fmt", "rgb24", "-f", "image2pipe", "-c:v", "ppm", "pipe:1"]
    container, *codec = _CONTAINERS[target.suffix.lower()]
    encode = [*start, "-itsoffset", f"{video.late}", "-f", "image2pipe", "-framerate", video.rate]
    encode += ["-c:v", "ppm", "-i", "pipe:0", *inside, "-map", "0:v:0", "-map", "1:a?"]
    encode += ["-c:a", "copy", "-map_metadata", "-1" if strip else "1"]
    encode += ["-map_chapters", "-1" if strip else "1"]
    encode += ["-metadata", f"comment={_MARK}"] if mark else []
    encode += ["-vf", _EVEN, *_BT709, *codec, "-f", container]
    with whole_file(target) as aside, ExitStack() as stack:
        reader = stack.enter_context(_program(decode, stdout=subprocess.PIPE))
        frames = _frames(reader.stdout)
        first = next(frames, None)
        if first is None:
            _require_success(reader, source)
            raise PhotoError(f"{source} holds no picture; is it a recording of sound alone?")
        writer = stack.enter_context(_program([*encode, f"file:{aside}"], stdin=subprocess.PIPE))
        bar = stack.enter_context(_bar(video.frames, source))
        for picture in _colored(colorizer, chain([first], frames), how):
            try:
                writer.stdin.write(b"P6\n%d %d\n255\n" % picture.size)
                writer.stdin.write(picture.convert("RGB").tobytes())
            except OSError as error:  # it has ended, and its words say why
                _require_success(writer, target)
                raise PhotoError(f"{target}: ffmpeg ended before the last frame") from error
            bar.update()
        words = _require_success(reader, source)
        _close(writer)
        _require_success(writer, target)
    lost = ["a video holds no XMP here; its comment says instead that the colors are made"]
    return (lost if mark else []) + ([f"ffmpeg says: {words}"] if words else [])


_MARK = f"The colors were made by a trained network, {MADE}"
_BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
# Half as many colors as pixels, each way, need an even number of rows and columns.
_EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv"


def _probe(ffprobe: str, source: Path) -> _Video:
    command = [ffprobe, "-v", "error", "-protocol_whitelist", "file", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=avg_frame_rate,r_frame_rate,start_time,nb_frames"]
    command += ["-show_entries", "format=start_time,duration", "-of", "json", f"file:{source}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise PhotoError(f"{source} can't be read: {_last_line(done.stderr)}")
    found = json.loads(done.stdout)
    stream, whole = (found.get("streams") or [{}])[0], found.get("format", {})
    rates = (stream.get("avg_frame_rate"), stream.get("r_frame_rate"), "25/1")
    rate = next(rate for rate in rates if rate and not rate.startswith("0/") and rate != "0")
    late = _number(stream.get("start_time")) - _number(whole.get("start_time"))
    frames = round(_number(whole.get("duration")) * Fraction(rate)) or None
    return _Video(rate, max(late, 0.0), frames)


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:  # "N/A"
        return 0.0


def _frames(stream: BinaryIO) -> Iterator[Image.Image]:
    """The pictures in a stream of binary PPMs."""
    while stream.readline() == b"P6\n":
        size = tuple(map(int, stream.readline().split()))
        stream.readline()
        pixels = stream.read(3 * size[0] * size[1])
        if len(pixels) < 3 * size[0] * size[1]:
            return
        yield Image.frombytes("RGB", size, pixels)


@contextmanager
def _program(command: list[str], **pipes: Any) -> Iterator[Any]:
    """A program that ends with the block, whatever happens; ``said`` holds what it complains of."""
    with TemporaryFile() as said, subprocess.Popen(command, stderr=said, **pipes) as program:
        program.said = said
        try:
            yield program
        finally:
            if program.poll() is None:
                program.kill()
            _close(program)


def _close(program: Any) -> None:
    for pipe in filter(None, (program.stdin, program.stdout)):
        with suppress(OSError):  # what was still to be written to a program that has ended
            pipe.close()


def _require_success(program: Any, path: Path) -> str:
    """Wait for its end; what it complained of, on one line."""
    status = program.wait()
    program.said.seek(0)
    words = _last_line(program.said.read())
    if status:
        raise PhotoError(f"{path}: ffmpeg failed: {words or f'exit status {status}'}")
    return words


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
