"""colorlab.photos.animation: what Pillow writes is read, what is written Pillow reads."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from colorlab.photos.animation import is_animation, open_animation, write_animation
from colorlab.photos.carried import Carried, carried
from colorlab.photos.errors import PhotoError
from colorlab.photos.xmp import MADE

SUFFIXES = (".gif", ".webp", ".png")
TIMES = [40, 120, 70_000, 250]


def pictures(count: int = 4, mode: str = "RGB", side: int = 24) -> list[Image.Image]:
    """Slopes of color, one more red than the other; with holes that wander, in mode RGBA."""
    found = []
    for number in range(count):
        y, x = np.mgrid[:side, : side + 8]
        pixels = np.stack([0 * x + 40 * number, 3 * x, 4 * y, 0 * x + 255], -1)
        pixels[2 : 2 + 4 * number, 4:9, 3] = 0
        found.append(Image.fromarray(pixels.astype(np.uint8)).convert(mode))
    return found


def write(path: Path, frames: list[Image.Image], times: list[float] | None = None, **how) -> list:
    times = times or [40] * len(frames)
    with path.open("wb") as file:
        return write_animation(file, zip(frames, times, strict=True), path.suffix, **how)


def read(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with Image.open(path) as image:
        found, times = [], []
        for frame in ImageSequence.Iterator(image):
            found.append(np.asarray(frame.convert("RGBA")).astype(int))
            times.append(frame.info.get("duration", 0))
    return found, times


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_what_is_written_pillow_reads(tmp_path: Path, suffix: str, mode: str) -> None:
    frames, path = pictures(mode=mode), tmp_path / f"a{suffix}"
    assert write(path, frames, TIMES) == []
    found, times = read(path)
    assert len(found) == 4
    assert times == TIMES
    for one, frame in zip(found, frames, strict=True):
        true = np.asarray(frame.convert("RGBA")).astype(int)
        assert np.array_equal(one[..., 3], true[..., 3])
        seen = true[..., 3] == 255
        error = np.abs(one - true)[seen].mean()
        assert error < {".png": 1e-9, ".webp": 4, ".gif": 4}[suffix]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_how_often_it_plays(tmp_path: Path, suffix: str, plays: int) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, pictures(), plays=plays)
    with open_animation(path) as clip:
        assert clip.plays == plays
    with Image.open(path) as image:
        loop = image.info.get("loop")
    # A GIF counts how often it is shown again, and says nothing when it is shown once.
    assert loop == ({0: 0, 1: None, 3: 2}[plays] if suffix == ".gif" else plays)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_pillow_writes_is_read(tmp_path: Path, suffix: str) -> None:
    frames, path = pictures(), tmp_path / f"a{suffix}"
    exact = {"lossless": True} if suffix == ".webp" else {}
    rest = {"append_images": frames[1:], "duration": [30, 60, 90, 120], "loop": 0, **exact}
    frames[0].save(path, save_all=True, **rest)
    with open_animation(path) as clip:
        assert (clip.count, clip.plays) == (4, 0)
        found = list(clip.frames)
    assert [time for _, time in found] == [30, 60, 90, 120]
    for (one, _), frame in zip(found, frames, strict=True):
        apart = np.abs(np.asarray(one.convert("RGB")).astype(int) - np.asarray(frame))
        assert apart.max() <= (12 if suffix == ".gif" else 0)  # Pillow's choice of 256 colors


def test_the_picture_for_old_readers_is_no_frame(tmp_path: Path) -> None:
    frames, path = pictures(3), tmp_path / "a.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], default_image=True)
    with open_animation(path) as clip:
        found = [frame.tobytes() for frame, _ in clip.frames]
    assert found == [frame.tobytes() for frame in frames[1:]]


def test_what_an_animation_is(tmp_path: Path) -> None:
    frames = pictures(2)
    for name, more in (("a.gif", frames[1:]), ("b.gif", []), ("c.tif", frames[1:])):
        frames[0].save(tmp_path / name, save_all=True, append_images=more)
    frames[0].save(tmp_path / "d.jpg")
    found = [is_animation(path) for path in sorted(tmp_path.iterdir())]
    assert found == [True, False, False, False]
    (tmp_path / "e.gif").write_bytes(b"GIF89a")
    with pytest.raises(PhotoError, match="e.gif"):
        is_animation(tmp_path / "e.gif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_mark_and_what_was_carried_go_along(tmp_path: Path, suffix: str) -> None:
    path, exif = tmp_path / f"a{suffix}", Image.Exif()
    exif[270] = "a dog"
    lost = write(path, pictures(2), what=Carried(exif=exif), mark=True)
    content = path.read_bytes()
    assert content.count(MADE.encode()) == 1
    assert lost == (["GIF holds no EXIF"] if suffix == ".gif" else [])
    assert len(read(path)[0]) == 2
    if suffix != ".gif":
        again = carried(path)
        assert MADE.encode() in again.xmp and again.exif[270] == "a dog"
        with Image.open(path) as image:
            assert image.info["icc_profile"]
    write(path, pictures(2), what=Carried())
    assert MADE.encode() not in path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_broken_frame_is_named(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(0)
    frames = [
        Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for _ in range(4)
    ]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 5 // 8])
    # libwebp reads no file that is cut short, and a GIF doesn't say how many frames it has.
    words = {".webp": "a.webp: ", ".gif": "a.gif: frame 3 of 3 can't be read"}
    expected = words.get(suffix, "a.png: frame 3 of 4 can't be read")
    with pytest.raises(PhotoError, match=expected), open_animation(path) as clip:
        list(clip.frames)


def test_a_gif_keeps_its_colors_while_they_fit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def scene(low: int) -> list[Image.Image]:
        still = random.integers(low, low + 90, (48, 48, 3))
        return [
            Image.fromarray((still + random.integers(-2, 3, still.shape)).astype(np.uint8))
            for _ in range(3)
        ]

    path = tmp_path / "a.gif"
    write(path, scene(10) + scene(150))
    tables = []
    content = path.read_bytes()
    start = content.index(b"\x2c\0\0\0\0")
    while start > 0:
        tables.append(content[start + 10 : start + 778])
        start = content.find(b"\x2c\0\0\0\0\x30\0\x30\0\x87", start + 778)
    assert [tables.index(table) for table in tables] == [0, 0, 0, 3, 3, 3]
    found, _ = read(path)
    assert np.abs(found[3] - found[0]).mean() > 50  # the second scene has colors of its own


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_long_clip_takes_no_more_memory(suffix: str) -> None:
    def peak(count: int) -> int:
        frame = pictures(1, side=128)[0]
        tracemalloc.start()
        write_animation(_Sink(), ((frame.copy(), 40) for _ in range(count)), suffix)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)
    assert peak(60) < 1.5 * peak(6)


class _Sink(io.RawIOBase):
    """Takes what is written, and keeps nothing."""

    place = 0

    def write(self, data: bytes) -> int:
        self.place += len(data)
        return len(data)

    def seek(self, place: int, whence: int = 0) -> int:
        self.place = place
        return place

    def tell(self) -> int:
        return self.place


def test_too_many_rows_for_the_format(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="can't be written as .webp.*16383"):
        write(tmp_path / "a.webp", [Image.new("RGB", (17_000, 1))] * 2)
    with pytest.raises(PhotoError, match="at most 65535"):
        write(tmp_path / "a.gif", [Image.new("RGB", (66_000, 1))] * 2)
