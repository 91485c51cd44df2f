"""colorlab.audit.measures: against scikit-image at full size, and photos damaged and toned here."""

from __future__ import annotations

import errno
import io
import os
import socket
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage.color import rgb2lab

from colorlab.audit import measures
from colorlab.audit.measures import AB_EDGES, filled, hashes, measure, toning

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "data/photos").rglob("*.jpg"))
ALPACA = next(path for path in PHOTOS if path.name == "alpaca.jpg")


def one(path: Path):
    """(record, problem) of one file."""
    measured = measure([(7, str(path))])
    (record,) = measured.records
    assert all(problem.index == 7 for problem in measured.problems)
    return record, (measured.problems[0][1:] if measured.problems else None)


def full_lab(path: Path) -> np.ndarray:
    return rgb2lab(np.asarray(Image.open(path).convert("RGB")))


@pytest.fixture(scope="module")
def bundled() -> np.ndarray:
    """The records of all bundled photos."""
    measured = measure([(i, str(path)) for i, path in enumerate(PHOTOS)])
    assert measured.problems == []
    return measured.records


def test_chroma_and_size_are_those_of_the_whole_photo(bundled) -> None:
    for record, path in zip(bundled[::6], PHOTOS[::6], strict=True):
        lab = full_lab(path)
        assert (record["height"], record["width"]) == lab.shape[:2]
        chroma = np.hypot(lab[..., 1], lab[..., 2]).mean()
        assert abs(record["chroma"] - chroma) <= 0.5 + 0.02 * chroma, path.name


def test_a_turned_photo_is_measured_upright(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(ALPACA).save(tmp_path / "x.jpg", exif=exif, quality=95)
    width, height = Image.open(ALPACA).size
    record, problem = one(tmp_path / "x.jpg")
    assert (record["width"], record["height"], problem) == (height, width, None)


def test_the_histogram_is_numpys_of_all_pixels(tmp_path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 70, 3), dtype=np.uint8)  # small: measured as it is
    Image.fromarray(pixels).save(tmp_path / "x.png")
    counted = measure([(0, str(tmp_path / "x.png"))] * 2).histogram
    lab = rgb2lab(pixels)
    expected = np.histogram2d(lab[..., 1].ravel(), lab[..., 2].ravel(), (AB_EDGES, AB_EDGES))[0]
    assert counted.sum() == 2 * 60 * 70
    assert np.abs(counted - 2 * expected).sum() <= 8  # some lie within rounding of an edge


@pytest.mark.parametrize("mode", ["L", "RGB", "jpeg"])
def test_gray_is_found_by_chroma_not_by_mode(tmp_path, mode) -> None:
    gray = Image.open(ALPACA).convert("L")
    if mode == "jpeg":
        gray.convert("RGB").save(tmp_path / "x.jpg", quality=30)
    else:
        gray.convert(mode).save(tmp_path / "x.png")
    (path,) = tmp_path.iterdir()
    record, problem = one(path)
    assert record["chroma"] < 0.1 and problem is None
    assert one(ALPACA)[0]["chroma"] > 8


def toned(photo: Image.Image, how: str) -> Image.Image:
    gray = photo.convert("L")
    if how == "filter":  # the matrix that photo programs call sepia
        rows = (0.393, 0.769, 0.189, 0, 0.349, 0.686, 0.168, 0, 0.272, 0.534, 0.131, 0)
        return photo.convert("RGB").convert("RGB", rows)
    colors = {
        "brown": ("#2b1a0c", "#fff4dc", "#a07850"),
        "cyanotype": ("#06203f", "#f4f8f4", "#3f7fae"),
        "green": ("#001505", "#eafff0", "#608068"),
        "faint": ("#0c0804", "#fffaf0", "#888074"),
    }
    black, white, mid = colors[how]
    return ImageOps.colorize(gray, black, white, mid=mid)


@pytest.mark.parametrize(
    ("how", "share"),
    [("filter", 0.75), ("brown", 0.95), ("cyanotype", 0.9), ("green", 0.95), ("faint", 0.9)],
)
def test_toned_photos_are_reported(tmp_path, how, share) -> None:
    found = []
    for path in PHOTOS[::9]:
        toned(Image.open(path), how).save(tmp_path / "x.jpg", quality=90)
        found.append(one(tmp_path / "x.jpg")[0]["toning"] < 0.13)
    # High-key photos, of which little is neither black nor white, are not judged: 5 % of ours.
    assert np.mean(found) >= share


def test_photos_of_one_hue_are_not_toned(bundled) -> None:
    """Deserts, seas, forests, night: of all bundled photos one passes for toned, a cave's blue."""
    toned = [PHOTOS[i].name for i in np.flatnonzero(bundled["toning"] < 0.13)]
    assert toned == ["sea5.jpg"]


def test_toning_of_worked_examples() -> None:
    rng = np.random.default_rng(0)
    L = rng.uniform(10, 90, (40, 50))
    assert toning(np.stack([L, 0 * L + 3, 0 * L + 4])) == pytest.approx(0, abs=1e-6)
    # a is 5 or -5 whatever L is: the mean color of each lightness is gray, all is spread.
    either = np.where(rng.random(L.shape) < 0.5, 5.0, -5.0)
    assert toning(np.stack([L, either, 0 * L])) == pytest.approx(1, abs=0.02)
    # Half of the squared chroma is common to all, half is not.
    assert toning(np.stack([L, either, 0 * L + 5])) == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert toning(np.stack([0 * L + 99, L, L])) == 1.0  # white: nothing to judge


# --- damage ---------------------------------------------------------------------------------------

FORMATS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("GIF", {}),
    ("TIFF", {}),
    ("BMP", {}),
]


@pytest.mark.parametrize(("kind", "options"), FORMATS)
@pytest.mark.parametrize("part", [0.4, 0.95])
def test_a_file_without_its_end_is_truncated(tmp_path, kind, options, part) -> None:
    stream = io.BytesIO()
    Image.open(ALPACA).save(stream, kind, **options)
    data = stream.getvalue()
    (tmp_path / "x.jpg").write_bytes(data)
    assert one(tmp_path / "x.jpg")[1] is None
    (tmp_path / "x.jpg").write_bytes(data[: int(part * len(data))])
    record, (problem, reason) = one(tmp_path / "x.jpg")
    assert problem == "truncated" and reason
    assert np.isnan(record["chroma"]) and record["width"] == 0 and not record["hashed"]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_jpeg_that_was_cut_and_repaired_is_truncated_too(tmp_path, orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.open(ALPACA).save(stream, "JPEG", exif=exif)
    data = stream.getvalue()
    (tmp_path / "x.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    record, (problem, reason) = one(tmp_path / "x.jpg")
    assert problem == "truncated" and "gray that stands for missing data" in reason
    assert record["width"] > 0 and record["hashed"]


def test_gray_frames_and_gray_photos_are_no_filling() -> None:
    frame = np.full((160, 200, 3), 128, np.uint8)
    assert filled(frame) == 0.0
    frame[20:-20, 20:-20] = np.random.default_rng(0).integers(0, 256, (120, 160, 3))
    assert filled(frame) == 0.0
    frame[:-20] = 90
    assert filled(frame) == pytest.approx(20 / 160)
    frame[:-9] = 90
    assert filled(frame) == 0.0  # thinner than a sixteenth
    assert not any(filled(np.asarray(Image.open(path).convert("RGB"))) for path in PHOTOS[::4])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"<html>no</html>", "web page"), (b"junk", "not a picture")],
)
def test_what_is_no_picture_is_corrupt(tmp_path, content, reason) -> None:
    path = tmp_path / "a: b. c.jpg"  # what the message is cut at
    path.write_bytes(content)
    assert one(path)[1][0] == "corrupt"
    assert reason in one(path)[1][1] and "a: b" not in one(path)[1][1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_what_is_no_file_is_corrupt_and_never_waited_for(tmp_path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    for name in ("socket.jpg", "pipe.jpg", "device.jpg"):
        assert one(tmp_path / name)[1] == (
            "corrupt",
            "not a regular file, but a pipe, socket or device",
        )


def test_links_into_nothing_and_in_a_circle_may_be_whole_another_time(tmp_path) -> None:
    (tmp_path / "x.jpg").symlink_to(tmp_path / "gone.jpg")
    assert one(tmp_path / "x.jpg")[1] == ("unread", "there is no such file")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    kind, reason = one(tmp_path / "loop.jpg")[1]
    assert kind == "unread" and os.strerror(errno.ELOOP) in reason


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOENT]
)
def test_what_the_system_refuses_says_nothing_of_the_photo(tmp_path, monkeypatch, number) -> None:
    (tmp_path / "x.jpg").write_bytes(ALPACA.read_bytes())

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Image, "open", refuse)
    kind, reason = one(tmp_path / "x.jpg")[1]
    assert kind == "unread" and reason


def test_too_large_for_memory_is_reported_for_the_one_photo(tmp_path, monkeypatch) -> None:
    read = measures.read_photo

    def greedy(path: Path, *rest):
        if path.name == "big.jpg":
            raise MemoryError
        return read(path, *rest)

    monkeypatch.setattr(measures, "read_photo", greedy)
    (tmp_path / "big.jpg").write_bytes(ALPACA.read_bytes())
    measured = measure([(0, str(tmp_path / "big.jpg")), (1, str(ALPACA))])
    assert [(p.index, p.kind) for p in measured.problems] == [(0, "unread")]
    assert "memory" in measured.problems[0].reason and measured.records["hashed"].tolist() == [0, 1]


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 700), (64, 64)])
def test_any_size_is_measured(tmp_path, size) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    record, problem = one(tmp_path / "x.png")
    assert (record["width"], record["height"]) == size and problem is None
    assert record["chroma"] > 0


# --- hashes ---------------------------------------------------------------------------------------


def test_hashes_differ_in_as_many_bits_as_imagehash_says() -> None:
    grays = [Image.open(path).convert("L") for path in PHOTOS[:4]]
    made = [hashes(gray) for gray in grays]
    for size, number in ((8, 0), (16, 1)):
        for i in range(4):
            theirs = [imagehash.phash(grays[k], hash_size=size) for k in (0, i)]
            ours = np.bitwise_count(np.atleast_1d(made[0][number] ^ made[i][number])).sum()
            assert ours == theirs[0] - theirs[1]
    assert made[0][0] != made[1][0]


def test_a_plain_picture_has_no_hash(tmp_path) -> None:
    Image.new("RGB", (90, 80), "teal").save(tmp_path / "x.png")
    record, problem = one(tmp_path / "x.png")
    assert not record["hashed"] and problem is None and record["chroma"] > 20
