"""colorlab.commands.clip: animations, folders of frames and videos, with ffmpeg and a stand-in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from torch import nn

from colorlab.__main__ import main
from colorlab.colorize import Colorizer
from colorlab.commands.colorize import Outcome, colorize_album
from colorlab.photos.errors import PhotoError
from colorlab.photos.xmp import MADE
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage

SMALL = Recipe(
    name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
)
needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="ffmpeg is not installed"
)


class Red(nn.Module):
    """Answers every picture with one color, and a little more of it each time."""

    stride = 8

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, lightness):
        self.calls += 1
        return (lightness * 0 + 0.2 + 0.02 * self.calls).expand(-1, 2, -1, -1)


def colorizer() -> Colorizer:
    return Colorizer(Red(), SMALL, "cpu")


def run(source: Path, target: Path, **options) -> list[Outcome]:
    return list(colorize_album(colorizer(), [source], target, **options))


def grays(count: int = 4, size: tuple[int, int] = (40, 32)) -> list[Image.Image]:
    """Slopes of gray with a bright bar that wanders."""
    found = []
    for number in range(count):
        pixels = np.tile(np.linspace(60, 120, size[0]), (size[1], 1))
        pixels[:, 6 * number : 6 * number + 4] = 220
        found.append(Image.fromarray(pixels.astype(np.uint8)))
    return found


def animate(path: Path, frames: list[Image.Image], **how) -> Path:
    how = {"duration": [40, 80, 120, 160][: len(frames)], "loop": 0, **how}
    exact = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **how, **exact)
    return path


def read(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with Image.open(path) as image:
        pairs = [
            (np.asarray(frame.convert("RGB")).astype(int), frame.info["duration"])
            for frame in ImageSequence.Iterator(image)
        ]
    return [pixels for pixels, _ in pairs], [time for _, time in pairs]


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# --- animations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("into", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("kind", [".gif", ".webp", ".png"])
def test_an_animation_becomes_a_colored_one(tmp_path: Path, kind: str, into: str) -> None:
    frames = grays()
    source = animate(tmp_path / f"a{kind}", frames)
    (outcome,) = run(source, tmp_path / f"b{into}")
    assert outcome.problem is None
    found, times = read(tmp_path / f"b{into}")
    assert times == [40, 80, 120, 160]
    for pixels, frame in zip(found, frames, strict=True):
        luma = pixels @ [0.299, 0.587, 0.114]
        assert np.corrcoef(luma.flatten(), np.asarray(frame).flatten())[0, 1] > 0.98
        assert (pixels[..., 0] - pixels[..., 2]).mean() > 40  # gray no more
    content = (tmp_path / f"b{into}").read_bytes()
    assert content.count(MADE.encode()) == 1
    assert [("256 colors" in note) for note in outcome.notes] == [True] * (into == ".gif")
    assert names(tmp_path) == sorted({f"a{kind}", f"b{into}"})


def test_transparency_stays(tmp_path: Path) -> None:
    frames = [frame.convert("LA") for frame in grays()]
    for number, frame in enumerate(frames[1:]):  # the first is opaque
        frame.paste((0, 0), (0, 0, 10, 5 + number))
    source = animate(tmp_path / "a.png", frames)
    for target in (tmp_path / "b.png", tmp_path / "b.webp", tmp_path / "b.gif"):
        (outcome,) = run(source, target)
        assert outcome.problem is None
        with Image.open(target) as image:
            clear = [
                int((np.asarray(frame.convert("RGBA"))[..., 3] == 0).sum())
                for frame in ImageSequence.Iterator(image)
            ]
        assert clear == [0, 50, 60, 70]


def test_strip_and_no_mark(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "at the beach"
    source = animate(tmp_path / "a.webp", grays(), exif=exif)
    run(source, tmp_path / "b.webp")
    run(source, tmp_path / "c.webp", strip=True, mark=False)
    for name, found in (("b.webp", "at the beach"), ("c.webp", None)):
        with Image.open(tmp_path / name) as image:
            assert image.getexif().get(270) == found
    assert MADE.encode() not in (tmp_path / "c.webp").read_bytes()


def test_steady_is_the_default(tmp_path: Path) -> None:
    still = [grays(1)[0]] * 4
    frames = [frame.copy() for frame in still]
    for number, frame in enumerate(frames):  # Pillow leaves out a frame that is like the last
        frame.putpixel((0, 0), number)
    source = animate(tmp_path / "a.webp", frames)
    jumps = []
    for steady in (True, False):
        run(source, tmp_path / "b.png", steady=steady, overwrite=True)
        found, _ = read(tmp_path / "b.png")
        jumps.append(np.abs(found[3] - found[0]).mean())
    assert jumps[0] < jumps[1] / 2


def test_in_an_album_animations_move_and_photos_stand(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    animate(tmp_path / "in/a.gif", grays())
    grays()[0].save(tmp_path / "in/b.gif")
    outcomes = run(tmp_path / "in", tmp_path / "out")
    assert [outcome.problem for outcome in outcomes] == [None, None]
    counts = {}
    for name in names(tmp_path / "out"):
        with Image.open(tmp_path / "out" / name) as image:
            counts[name] = image.n_frames
    assert counts == {"a.png": 4, "b.png": 1}


def test_a_broken_animation_leaves_nothing(tmp_path: Path) -> None:
    source = animate(tmp_path / "a.png", grays())
    content = source.read_bytes()
    source.write_bytes(content[: content.rindex(b"fdAT") + 20])
    (outcome,) = run(source, tmp_path / "out/b.webp")
    assert "a.png: frame 4 of 4 can't be read" in outcome.problem and outcome.kind == "not"
    assert names(tmp_path) == ["a.png"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    random = np.random.default_rng(0)
    frames = [Image.fromarray(random.integers(0, 256, (64, 64), dtype=np.uint8)) for _ in range(4)]
    source = animate(tmp_path / "a.png", frames)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, before[1]))
    try:
        (outcome,) = run(source, tmp_path / "out/b.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome.problem == f"{tmp_path / 'out/b.png'}: File too large"
    assert names(tmp_path) == ["a.png"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    source, target = animate(tmp_path / "a.webp", grays()), tmp_path / "b.webp"
    target.write_bytes(b"mine")
    (outcome,) = run(source, target)
    assert outcome.kind == "there already" and target.read_bytes() == b"mine"
    (outcome,) = run(source, source, overwrite=True)
    assert "is the photo itself" in outcome.problem


def test_targets_that_can_not_hold_it(tmp_path: Path) -> None:
    still, moving = tmp_path / "a.png", animate(tmp_path / "b.gif", grays())
    grays()[0].save(still)
    video = tmp_path / "c.mp4"
    video.touch()
    for source, target, words in (
        (still, "x.gif", "can't write one picture as .gif"),
        (still, "x.mp4", "a.png is no video"),
        (moving, "x.mkv", "b.gif is no video"),
        (video, "x.gif", "c.mp4 is a video; name an output that ends in one of .avi"),
    ):
        with pytest.raises(ValueError, match=words):
            run(source, tmp_path / target)


# --- folders of frames ----------------------------------------------------------------------------


def folder_of(path: Path, frames: list[Image.Image]) -> Path:
    path.mkdir()
    for number, frame in enumerate(frames, 8):  # 8, 9, 10, 11: by letters, 10 would come first
        frame.save(path / f"f{number}.png")
    return path


def test_frames_are_colored_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", grays())
    outcomes = run(source, tmp_path / "out", clip=True, steady=False)
    expected = ["f8.png", "f9.png", "f10.png", "f11.png"]
    assert [outcome.target.name for outcome in outcomes] == expected
    assert all(outcome.problem is None for outcome in outcomes)
    red = [np.asarray(Image.open(tmp_path / "out" / name)).astype(int) for name in expected]
    chroma = [(pixels[..., 0] - pixels[..., 2]).mean() for pixels in red]
    assert chroma == sorted(chroma)  # each call gave more of it


def test_a_broken_frame_in_the_middle_stops_nothing(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", grays())
    (source / "f9.png").write_bytes(b"no picture")
    outcomes = run(source, tmp_path / "out", clip=True)
    assert [outcome.problem is None for outcome in outcomes] == [True, False, True, True]
    assert "f9.png" in outcomes[1].problem
    assert names(tmp_path / "out") == ["f10.png", "f11.png", "f8.png"]


def test_hints_reach_a_clip(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", grays())
    with pytest.raises(ValueError, match="these weights take no hints"):
        run(source, tmp_path / "out", clip=True, hints=[(1, 1, "red")])


def test_clips_that_can_not_be(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", grays())
    Image.new("L", (40, 30)).save(source / "f12.png")
    with pytest.raises(ValueError, match=r"f12.png is 40 x 30, and .*f8.png is 40 x 32"):
        run(source, tmp_path / "out", clip=True)
    (source / "f12.png").unlink()
    with pytest.raises(ValueError, match="--clip takes one folder of frames"):
        run(source / "f8.png", tmp_path / "out", clip=True)
    run(source, tmp_path / "out", clip=True)
    with pytest.raises(ValueError, match="f8.png is there already, and a clip is colored as a"):
        run(source, tmp_path / "out", clip=True)
    (tmp_path / "none").mkdir()
    with pytest.raises(PhotoError, match="none"):
        run(tmp_path / "none", tmp_path / "out2", clip=True)


# --- videos ---------------------------------------------------------------------------------------


def test_without_ffmpeg_the_way_on_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.mp4").touch()
    (outcome,) = run(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert "needs ffmpeg: install it" in outcome.problem and "--clip" in outcome.problem


STAND_IN = """#!{python}
import json, os, sys
calls = os.path.join({folder!r}, "calls.jsonl")
open(calls, "a").write(json.dumps(sys.argv) + "\\n")
if sys.argv[0].endswith("ffprobe"):
    print(json.dumps({{"streams": [{{"avg_frame_rate": "30000/1001", "start_time": "0.5"}}],
                      "format": {{"start_time": "0.0", "duration": "0.1001"}}}}))
elif sys.argv[-1] == "pipe:1":
    source = next(a for a in sys.argv if a.startswith("file:"))[5:]
    sys.stdout.buffer.write(open(source, "rb").read())
    {reader}
else:
    {writer}
    data = sys.stdin.buffer.read()
    open(sys.argv[-1][5:], "wb").write(data)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch) -> Callable[..., list[list[str]]]:
    """Puts a program in the place of ffmpeg whose videos are PPMs one after the other; gives a
    function that tells how it was called."""
    if os.name == "nt":
        pytest.skip("a script is no program there")

    def make(reader: str = "pass", writer: str = "pass") -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        text = STAND_IN.format(
            python=sys.executable, folder=str(tmp_path), reader=reader, writer=writer
        )
        for name in ("ffmpeg", "ffprobe"):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    make()

    def calls(**how: str) -> list[list[str]]:
        if how:
            make(**how)
            return []
        lines = (tmp_path / "calls.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    return calls


def ppms(frames: list[Image.Image]) -> bytes:
    return b"".join(b"P6\n%d %d\n255\n" % f.size + f.convert("RGB").tobytes() for f in frames)


def test_how_ffmpeg_is_called(tmp_path: Path, stand_in) -> None:
    source, target = tmp_path / "-a b;c.mp4", tmp_path / "out.mp4"
    source.write_bytes(ppms(grays()))
    (outcome,) = run(source, target)
    assert outcome.problem is None
    colored = target.read_bytes()
    assert len(colored) == len(source.read_bytes())
    head = len(b"P6\n40 32\n255\n")
    first = np.frombuffer(colored, np.uint8, 40 * 32 * 3, head).reshape(32, 40, 3).astype(int)
    assert (first[..., 0] - first[..., 2]).mean() > 40
    probe, decode, encode = sorted(stand_in(), key=lambda call: "pipe:0" in call)
    assert probe[-1] == f"file:{source}"
    assert "fps=30000/1001" in decode and f"file:{source}" in decode
    pairs = list(zip(encode, encode[1:], strict=False))
    for pair in (
        ("-framerate", "30000/1001"),
        ("-itsoffset", "0.5"),  # the picture begins after the sound
        ("-c:a", "copy"),
        ("-map", "1:a?"),
        ("-map_metadata", "1"),
        ("-f", "mp4"),
        ("-c:v", "libx264"),
    ):
        assert pair in pairs, pair
    assert any(MADE in word for word in encode)
    assert encode[-1].startswith(f"file:{target}.") and encode[-1].endswith(".partial")


def test_strip_takes_what_tells_of_the_video(tmp_path: Path, stand_in) -> None:
    source = tmp_path / "a.webm"
    source.write_bytes(ppms(grays()))
    run(source, tmp_path / "b.webm", strip=True, mark=False)
    encode = next(call for call in stand_in() if "pipe:0" in call)
    pairs = list(zip(encode, encode[1:], strict=False))
    assert ("-map_metadata", "-1") in pairs and ("-c:v", "libvpx-vp9") in pairs
    assert not any(MADE in word for word in encode)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"reader": "sys.exit('moov atom not found')"}, "a.mp4: ffmpeg failed: moov atom not"),
        ({"writer": "sys.exit('No space left on device')"}, "b.mp4: ffmpeg failed: No space left"),
        ({"writer": "sys.exit(3)"}, "b.mp4: ffmpeg failed: exit status 3"),
    ],
)
def test_what_ffmpeg_says_is_told_and_nothing_left(tmp_path, stand_in, how, words) -> None:
    stand_in(**how)
    (tmp_path / "a.mp4").write_bytes(ppms(grays(40, (200, 160))))  # more than a pipe holds
    (outcome,) = run(tmp_path / "a.mp4", tmp_path / "out/b.mp4")
    assert words in outcome.problem
    assert names(tmp_path / "out") == []


def test_a_video_without_pictures(tmp_path: Path, stand_in) -> None:
    (tmp_path / "a.mp4").touch()
    (outcome,) = run(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert "a.mp4 holds no picture" in outcome.problem
    assert not (tmp_path / "b.mp4").exists()


def test_no_program_outlives_an_error(tmp_path: Path, stand_in) -> None:
    """One that waits for ever is ended when coloring fails."""
    stand_in(reader="import time; sys.stdout.flush(); time.sleep(600)")
    frames = [*grays(2), *grays(1, (48, 40))]
    (tmp_path / "a.mp4").write_bytes(ppms(frames))
    with pytest.raises(ValueError, match="a frame is 48 x 40"):
        run(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def made_video(path: Path, *more: str) -> Path:
    """Two thirds of a second with a tone, by ffmpeg's own test pictures."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=96x64:rate=24000/1001"]
    command += ["-f", "lavfi", "-i", "sine=frequency=440", "-t", "0.66", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, *more, str(path)], check=True)
    return path


def facts(path: Path) -> dict:
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_entries"]
    command += ["stream=codec_type,codec_name,avg_frame_rate,nb_read_frames,width,height"]
    found = json.loads(subprocess.run([*command, path], capture_output=True, check=True).stdout)
    return {stream["codec_type"]: stream for stream in found["streams"]}


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"])
def test_a_video_keeps_its_rate_its_length_and_its_sound(tmp_path: Path, suffix: str) -> None:
    sound = {".webm": "libvorbis", ".avi": "mp3"}.get(suffix, "aac")
    source = made_video(tmp_path / f"a{suffix}", "-c:a", sound)
    (outcome,) = run(source, tmp_path / f"b{suffix}")
    assert outcome.problem is None
    before, after = facts(source), facts(tmp_path / f"b{suffix}")
    for name in ("avg_frame_rate", "width", "height"):
        assert after["video"][name] == before["video"][name]
    counts = [int(one["video"]["nb_read_frames"]) for one in (before, after)]
    assert abs(counts[1] - counts[0]) <= 1  # some containers round the times of their frames
    assert after["audio"]["codec_name"] == before["audio"]["codec_name"]
    frames = []
    for path in (source, tmp_path / f"b{suffix}"):
        command = ["ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", "-f", "rawvideo"]
        done = subprocess.run([*command, "-pix_fmt", "gray", "-"], capture_output=True, check=True)
        frames.append(np.frombuffer(done.stdout, np.uint8).astype(float))
    assert np.corrcoef(*frames)[0, 1] > 0.9


@needs_ffmpeg
def test_a_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (outcome,) = run(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert "a.mp4 can't be read" in outcome.problem


@needs_ffmpeg
def test_sound_that_the_container_can_not_hold(tmp_path: Path) -> None:
    source = made_video(tmp_path / "a.mkv", "-c:a", "flac")
    (outcome,) = run(source, tmp_path / "b.webm")
    assert "b.webm: ffmpeg failed" in outcome.problem
    assert names(tmp_path) == ["a.mkv"]


# --- the command ----------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, monkeypatch, capsys) -> None:
    made = colorizer()
    monkeypatch.setattr(Colorizer, "load", lambda *_, **__: made)
    monkeypatch.chdir(tmp_path)
    animate(Path("a.gif"), grays())
    folder_of(Path("in"), grays())
    assert main(["colorize", "a.gif", "-o", "b.webp"]) == 0
    assert main(["colorize", "in", "--clip", "--no-steady", "-o", "out"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["a.gif -> b.webp", "1 colored, 0 not"]
    assert len(read(Path("b.webp"))[0]) == len(names(Path("out"))) == 4
    assert main(["colorize", "in", "--clip", "-o", "out"]) == 2
    assert "--overwrite" in capsys.readouterr().err
