"""colorlab.commands.colorize: where colored copies go, and that nothing of the user's is ever
lost."""

import errno
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from faults import close_folder
from PIL import Image

from colorlab.commands import colorize
from colorlab.commands.colorize import Outcome, colorize_album, plan, write_photo
from colorlab.hints import Hint
from colorlab.photos.files import PhotoError, open_photo

RED = Hint(1, 1, (200, 20, 20))


class Inverter:
    """In a colorizer's place: opens the file, and gives the negative of its pixels."""

    def __init__(self):
        self.asked: list[tuple[Path, float]] = []

    def colorize(self, photo, saturation=1.0, seed=0, **how):
        self.asked.append((photo, saturation))
        try:
            image = Image.open(photo)
            image.load()
        except OSError as error:
            raise PhotoError(f"{photo}: {error}") from error
        return Image.fromarray(255 - np.asarray(image.convert("RGB")))


def make(path: Path, value: int = 40, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (6, 4), value).save(path)
    return path


def color(path: Path) -> tuple[int, ...]:
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((0, 0))


def run(inputs, output, **options) -> list[Outcome]:
    return list(colorize_album(Inverter(), inputs, output, **options))


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# --- the plan -------------------------------------------------------------------------------------


def test_one_file_goes_to_a_file_or_into_a_folder(tmp_path):
    photo = make(tmp_path / "a.jpg")
    assert plan([photo], tmp_path / "b.png").pairs == [(photo, tmp_path / "b.png")]
    assert plan([photo], tmp_path / "out").pairs == [(photo, tmp_path / "out/a.jpg")]
    (tmp_path / "odd.png").mkdir()  # a folder, whatever its name looks like
    assert plan([photo], tmp_path / "odd.png").pairs == [(photo, tmp_path / "odd.png/a.jpg")]


def test_a_folder_keeps_its_structure(tmp_path):
    for name in ("b.jpg", "x/a.PNG", "x/y/c.webp", "x/notes.txt", ".hidden.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    targets = [target for _, target in plan([tmp_path / "in"], tmp_path / "out").pairs]
    assert targets == [tmp_path / "out" / name for name in ("b.jpg", "x/a.PNG", "x/y/c.webp")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.gif", "a.png"), ("a.jfif", "a.png"), ("a.tif", "a.tif"), ("A.JPEG", "A.JPEG")],
)
def test_formats_are_kept_or_become_png(tmp_path, name, expected):
    (tmp_path / name).touch()
    assert plan([tmp_path / name], tmp_path / "out").pairs[0][1].name == expected


def test_copies_inside_the_input_folder_are_left_out(tmp_path, monkeypatch):
    for name in ("a.jpg", "out/a.jpg", "out/x/b.jpg", "outer/c.jpg"):
        make(tmp_path / name)
    expected = [tmp_path / "a.jpg", tmp_path / "outer/c.jpg"]
    assert [source for source, _ in plan([tmp_path], tmp_path / "out").pairs] == expected
    monkeypatch.chdir(tmp_path)
    assert [str(source) for source, _ in plan(["."], "out").pairs] == ["a.jpg", "outer/c.jpg"]


def test_photos_below_the_output_folder_are_not_forgotten(tmp_path, monkeypatch):
    make(tmp_path / "in/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert plan(["in"], ".").pairs == [(Path("in/a.jpg"), Path("a.jpg"))]
    assert plan(["in"], "in").pairs == [(Path("in/a.jpg"), Path("in/a.jpg"))]


def test_a_folder_of_copies_alone_is_reported(tmp_path):
    make(tmp_path / "out/a.jpg")
    with pytest.raises(PhotoError, match="no photo .* besides .*out"):
        plan([tmp_path], tmp_path / "out")


def test_plans_that_can_not_be_are_refused(tmp_path):
    a, b = make(tmp_path / "x/a.jpg"), make(tmp_path / "y/a.jpg")
    png = make(tmp_path / "z/a.png")
    (tmp_path / "void").mkdir()
    (tmp_path / "notes").touch()
    for inputs, output, error, words in (
        ([tmp_path / "absent.jpg"], "out", FileNotFoundError, ["absent.jpg"]),
        ([tmp_path / "void"], "out", PhotoError, ["void", "nothing"]),
        ([a, b], "out", ValueError, [str(a), str(b), "separate"]),
        ([a, a], "out", ValueError, [str(a)]),
        ([a, png], "out.jpg", ValueError, ["2 photos", "out.jpg", "folder"]),
        ([tmp_path / "x"], "out.jpg", ValueError, ["out.jpg", "folder"]),
        ([a], "out.gif", ValueError, [".gif", ".png"]),
        ([a], "out.avif", ValueError, [".avif", ".png"]),
        ([a], "out.jp2", ValueError, [".jp2", ".png"]),
        ([a], "notes/x.png", ValueError, ["notes is a file"]),
        ([a], "notes", ValueError, ["notes", "file", "folder"]),
        ([tmp_path / "x"], "y/a.jpg", ValueError, ["a.jpg", "folder"]),
    ):
        with pytest.raises(error) as caught:
            plan(inputs, tmp_path / output)
        assert all(word in str(caught.value) for word in words), str(caught.value)


def test_targets_of_one_stem_are_distinct(tmp_path):
    for name in ("anim.gif", "anim.jfif", "anim.png", "anim.jpg", "b.gif"):
        (tmp_path / name).touch()
    pairs = plan([tmp_path], tmp_path / "out").pairs
    assert {source.name: target.name for source, target in pairs} == {
        "anim.gif": "anim.gif.png",
        "anim.jfif": "anim.jfif.png",
        "anim.jpg": "anim.jpg",
        "anim.png": "anim.png",
        "b.gif": "b.png",
    }


def test_pictures_of_other_kinds_are_named(tmp_path):
    make(tmp_path / "a.png")
    for name in ("b.HEIC", "c/d.jp2", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    outcomes = run([tmp_path], tmp_path / "out")
    assert [outcome.kind for outcome in outcomes] == ["left out", "left out", "colored"]
    assert [outcome.source.name for outcome in outcomes] == ["b.HEIC", "d.jp2", "a.png"]
    assert "not read here; save it as JPEG or PNG" in outcomes[0].problem


def test_a_folder_that_can_not_be_read_stops_nothing(tmp_path, monkeypatch):
    make(tmp_path / "in/a.png"), make(tmp_path / "in/closed/b.png"), make(tmp_path / "in/z/c.png")
    close_folder(monkeypatch, "closed")
    first, *others = run([tmp_path / "in"], tmp_path / "out")
    assert (first.kind, first.source) == ("not", tmp_path / "in/closed")
    assert "closed can't be read (Permission denied)" in first.problem
    assert [outcome.source.name for outcome in others] == ["a.png", "c.png"]
    assert files(tmp_path / "out") == ["a.png", "z/c.png"]


# --- the run --------------------------------------------------------------------------------------


def test_photos_are_colored_and_the_originals_left_alone(tmp_path):
    make(tmp_path / "in/a.png"), make(tmp_path / "in/x/b.png", 90)
    out = tmp_path / "not/yet/there"
    assert run([tmp_path / "in"], out) == [
        Outcome(tmp_path / "in/a.png", out / "a.png"),
        Outcome(tmp_path / "in/x/b.png", out / "x/b.png"),
    ]
    assert files(out) == ["a.png", "x/b.png"]
    assert color(out / "a.png")[0] == 255 - 40
    assert color(tmp_path / "in/a.png")[0] == 40


def test_saturation_reaches_the_colorizer(tmp_path):
    made = Inverter()
    list(colorize_album(made, [make(tmp_path / "a.png")], tmp_path / "out", saturation=0.25))
    assert made.asked == [(tmp_path / "a.png", 0.25)]


def test_nothing_is_overwritten_unless_asked(tmp_path):
    photo, there = make(tmp_path / "a.png"), make(tmp_path / "out/a.png", 7)
    made = Inverter()
    (outcome,) = colorize_album(made, [photo], tmp_path / "out")
    assert outcome.problem == f"{there} exists and was left alone (--overwrite replaces it)"
    assert made.asked == []  # no minutes spent on what is then thrown away
    assert color(there)[0] == 7
    (outcome,) = run([photo], tmp_path / "out", overwrite=True)
    assert outcome.problem is None
    assert color(there)[0] == 255 - 40


def test_a_photo_never_replaces_itself(tmp_path):
    photo = make(tmp_path / "a.png")
    (tmp_path / "link").symlink_to(tmp_path)
    for output in (tmp_path, photo, tmp_path / "link"):
        (outcome,) = run([photo], output, overwrite=True)
        assert "is the photo itself" in outcome.problem
        assert color(photo)[0] == 40


def test_a_second_run_does_not_color_its_own_copies(tmp_path):
    make(tmp_path / "a.png")
    for _ in range(2):
        outcomes = run([tmp_path], tmp_path / "out", overwrite=True)
        assert [outcome.problem for outcome in outcomes] == [None]
    assert files(tmp_path) == ["a.png", "out/a.png"]
    assert color(tmp_path / "out/a.png")[0] == 255 - 40


def test_a_bad_file_is_reported_and_the_rest_go_on(tmp_path):
    for name in ("a.png", "c.png"):
        make(tmp_path / "in" / name)
    (tmp_path / "in/b.png").write_bytes(b"not a picture")
    outcomes = run([tmp_path / "in"], tmp_path / "out")
    assert [outcome.problem is None for outcome in outcomes] == [True, False, True]
    assert "b.png" in outcomes[1].problem
    assert files(tmp_path / "out") == ["a.png", "c.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp", ".tif", ".tiff", ".bmp"])
def test_every_format_is_written_well(tmp_path, suffix):
    even = (np.indices((32, 48))[1] % 2 == 0)[..., None]
    pixels = np.where(even, [200, 80, 60], [60, 90, 200]).astype(np.uint8)
    if suffix == ".webp":  # it holds color at half the size, always
        pixels[:] = 200, 80, 60
    target = tmp_path / f"a{suffix}"
    write_photo(Image.fromarray(pixels), target)
    with Image.open(target) as image:
        assert image.format.lower().startswith(suffix.lower()[1:3])
        found = np.asarray(image.convert("RGB")).astype(int)
    # JPEG with color at full size, quality 95: 0.8. At half the size: 51; with quality 75: 3.4.
    assert np.abs(found - pixels).mean() < (2 if suffix in (".jpg", ".JPEG", ".webp") else 1e-9)
    assert files(tmp_path) == [target.name]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_is_written_where_the_format_has_it(tmp_path, suffix):
    image = Image.new("RGBA", (5, 4), (10, 200, 30, 77))
    write_photo(image, tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as found:
        assert found.getchannel("A").tobytes() == image.getchannel("A").tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".bmp"])
def test_alpha_is_never_dropped_in_silence(tmp_path, suffix):
    with pytest.raises(PhotoError, match=r"can't hold transparency.*\.png"):
        write_photo(Image.new("RGBA", (5, 4)), tmp_path / f"a{suffix}")
    assert files(tmp_path) == []


# --- disks and folders that will not have it ------------------------------------------------------


@contextmanager
def room_for(size: int):
    """No file can grow beyond so many bytes: like a full disk, the rest of a write is not done."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
def test_a_full_disk_leaves_no_partial_file_and_no_loss(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    photo, there = tmp_path / f"a{suffix}", make(tmp_path / f"out/a{suffix}", 7)
    Image.fromarray(noise).save(photo, quality=100)
    before = there.read_bytes()
    with room_for(10_000):
        (outcome,) = run([photo], tmp_path / "out", overwrite=True)
    assert outcome.problem == f"{there}: File too large"  # what this stand-in says
    assert files(tmp_path / "out") == [there.name]
    assert there.read_bytes() == before


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_what_ends_a_write_leaves_no_partial_file(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    photo = make(tmp_path / "a.png")
    monkeypatch.setattr(colorize.os, "replace", fail)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            run([photo], tmp_path / "out")
    else:
        (outcome,) = run([photo], tmp_path / "out")
        assert outcome.problem == f"{tmp_path / 'out/a.png'}: No space left"
    assert files(tmp_path / "out") == []


def test_a_folder_that_can_not_be_written(tmp_path, monkeypatch):
    def refuse(self, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    photos = [make(tmp_path / "a.png"), make(tmp_path / "b.png")]
    monkeypatch.setattr(Path, "mkdir", refuse)
    outcomes = run(photos, tmp_path / "out")
    assert [str(tmp_path / "out") in outcome.problem for outcome in outcomes] == [True, True]
    assert all("Permission denied" in outcome.problem for outcome in outcomes)


def test_a_picture_too_large_for_its_format_is_one_bad_file(tmp_path):
    make(tmp_path / "in/b.webp")
    Image.new("L", (20_000, 1)).save(tmp_path / "in/a.png")
    (outcome,) = run([tmp_path / "in/a.png"], tmp_path / "a.webp")
    assert "a.webp" in outcome.problem and "16383" in outcome.problem
    assert files(tmp_path) == ["in/a.png", "in/b.webp"]


def test_memory_that_runs_out_names_the_photo(tmp_path):
    class Greedy:
        def colorize(self, photo, saturation, seed=0, **how):
            raise MemoryError

    photo = make(tmp_path / "a.png")
    (outcome,) = colorize_album(Greedy(), [photo], tmp_path / "out")
    assert "a.png" in outcome.problem and "memory" in outcome.problem.lower()


def test_the_writable_formats_are_among_the_readable():
    assert colorize.KEPT_SUFFIXES < colorize.SUFFIXES
    assert colorize.NO_ALPHA < colorize.KEPT_SUFFIXES


def test_hints_belong_to_one_photo(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8), 128).save(tmp_path / name)
    outcomes = colorize_album(
        Inverter(), [tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out", hints=[RED]
    )
    with pytest.raises(ValueError, match="hints are places in one photo, and 2 photos are named"):
        list(outcomes)
    assert not (tmp_path / "out").exists()


def test_hints_and_temperature_reach_the_colorizer(tmp_path: Path) -> None:
    class Listener(Inverter):
        def colorize(self, photo, saturation=1.0, seed=0, **how):
            heard.update(how)
            return super().colorize(photo, saturation, seed)

    heard: dict = {}
    Image.new("L", (8, 8), 128).save(tmp_path / "a.png")
    (outcome,) = colorize_album(
        Listener(), [tmp_path / "a.png"], tmp_path / "out", hints=[RED], temperature=0.5
    )
    assert outcome.problem is None and heard == {"hints": [RED], "temperature": 0.5}


class Clear(Inverter):
    """Gives every photo a hole."""

    def colorize(self, photo, *words, **how):
        image = super().colorize(photo, *words, **how)
        image.putalpha(77)
        return image


def test_transparency_in_a_folder_goes_to_png(tmp_path: Path) -> None:
    make(tmp_path / "in/a.jpg"), make(tmp_path / "in/b.bmp"), make(tmp_path / "in/b.png")
    outcomes = list(colorize_album(Clear(), [tmp_path / "in"], tmp_path / "out"))
    assert [outcome.target.name for outcome in outcomes] == ["a.png", "b.bmp.png", "b.png"]
    assert files(tmp_path / "out") == ["a.png", "b.bmp.png", "b.png"]
    (outcome,) = colorize_album(Clear(), [tmp_path / "in/a.jpg"], tmp_path / "b.jpg")
    assert "can't hold transparency" in outcome.problem


def test_warnings_become_notes_of_their_photo(tmp_path: Path) -> None:
    cut = make(tmp_path / "a.jpg")
    cut.write_bytes(cut.read_bytes()[:-1])

    class Reader(Inverter):
        def colorize(self, photo, *words, **how):
            return open_photo(photo)

    (outcome,) = colorize_album(Reader(), [cut], tmp_path / "out")
    assert outcome.problem is None
    assert outcome.notes == (f"{cut}: its last bytes are missing, but no pixel is",)


def test_of_several_pages_the_first_is_colored_and_that_is_said(tmp_path: Path) -> None:
    pages = [Image.new("L", (6, 4), value) for value in (10, 20, 30)]
    for name, output in (("a.tif", "out"), ("b.gif", "b.jpg")):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        (outcome,) = run([tmp_path / name], tmp_path / output)
        assert outcome.notes[-1].endswith(
            "it holds 3 pages or frames, of which the first was colored"
        )
