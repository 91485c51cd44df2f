"""colorlab.course.widgets: the logic without a browser; the same tests hold in ipywidgets 7.7 and
8."""

from __future__ import annotations

import base64
import datetime
import io
import statistics
import time

import numpy as np
import pytest
from PIL import Image

from colorlab.course.widgets import _bundle
from colorlab.course.widgets._bundle import VIEW, draw_label, encode_image, reduce, text_picture
from colorlab.course.widgets.compare import CompareSlider, compose
from colorlab.course.widgets.upload import (
    PhotoUpload,
    read_upload,
    uploaded_files,
)
from colorlab.photos.files import PhotoError

BLACK = np.zeros((6, 20, 3), np.uint8)
WHITE = np.full((6, 20, 3), 255, np.uint8)
LINE = 2  # columns that the line takes on each side of the cut


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def noise(height=120, width=200):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


# --- compose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_before_is_left_of_the_line_and_after_right(position):
    before, after = BLACK + 10, BLACK + 200
    result = compose(before, after, position)
    cut = int(position * 20)
    assert result.dtype == np.uint8 and result.shape == before.shape
    assert (result[:, : max(0, cut - LINE)] == 10).all()
    assert (result[:, min(20, cut + LINE) :] == 200).all()


def test_the_ends_show_one_picture_whole():
    np.testing.assert_array_equal(compose(BLACK, WHITE, 0), WHITE)
    np.testing.assert_array_equal(compose(BLACK, WHITE, 1), BLACK)
    np.testing.assert_array_equal(compose(BLACK, WHITE, -3), WHITE)
    np.testing.assert_array_equal(compose(BLACK, WHITE, 3), BLACK)


def test_the_line_is_seen_on_black_and_on_white():
    for ground in (BLACK, WHITE):
        columns = compose(ground, ground, 0.5)[0, :, 0].astype(int)
        assert np.abs(columns - ground[0, 0, 0]).max() > 150
        assert set(columns[8:12]) == {40, 255}


def test_compose_changes_neither_and_refuses_two_sizes():
    before, after = BLACK.copy(), WHITE.copy()
    compose(before, after, 0.5)
    assert (before == 0).all() and (after == 255).all()
    with pytest.raises(ValueError, match=r"\(6, 20, 3\), after \(6, 19, 3\)"):
        compose(before, after[:, :19], 0.5)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_tiny_pictures(width):
    for position in (0, 0.3, 0.5, 1):
        assert compose(BLACK[:, :width], WHITE[:, :width], position).shape == (6, width, 3)


# --- The bundle ----------------------------------------------------------------------------------


def test_encode():
    pixels = noise()
    np.testing.assert_array_equal(opened(encode_image(pixels, "png")), pixels)
    smooth = np.linspace(0, 255, 64).astype(np.uint8)[None, :, None].repeat(48, 0).repeat(3, 2)
    assert encode_image(smooth)[:2] == b"\xff\xd8"
    assert np.abs(opened(encode_image(smooth)).astype(int) - smooth).max() <= 6
    with pytest.raises(ValueError, match="gif"):
        encode_image(pixels, "gif")


def test_reduce():
    assert reduce(noise(100, 300), 150).shape == (50, 150, 3)
    assert reduce(noise(300, 100), 150).shape == (150, 50, 3)
    assert reduce(noise(1, 3000), 100).shape == (1, 100, 3)
    small = noise(20, 30)
    assert reduce(small, 30) is small


def test_labels_stay_in_their_corner():
    for side, inside in (("left", np.s_[:, :100]), ("right", np.s_[:, 100:])):
        pixels = np.full((120, 200, 3), 100, np.uint8)
        draw_label(pixels, "gray", side)
        changed = pixels != 100
        assert changed[inside].any() and changed.sum() == changed[inside].sum()
        assert pixels.max() > 200  # light letters …
        assert pixels.min() < 50  # … on a dark ground
    narrow = np.full((120, 60, 3), 100, np.uint8)
    draw_label(narrow, "far too long for this")
    assert (narrow == 100).all()


def test_text_picture_holds_the_whole_text():
    picture = text_picture("one\ntwo")
    assert picture.shape[0] > text_picture("one").shape[0]
    assert (picture[:, -3:] == picture[0, 0]).all()  # nothing runs into the edge
    assert (picture != picture[0, 0]).any()


def check_bundle(widget):
    bundle = widget._repr_mimebundle_(include=None, exclude=None)
    assert bundle[VIEW]["model_id"] == widget.box.model_id
    assert bundle["text/plain"] == repr(widget)
    picture = opened(base64.b64decode(bundle["image/png"]))
    expected = reduce(widget.picture(), _bundle.STILL_SIZE)
    np.testing.assert_array_equal(picture, expected)


def test_display_through_ipython():
    """A real formatter hands over all three: widget, picture, text."""
    from IPython.core.formatters import DisplayFormatter

    data, _ = DisplayFormatter().format(CompareSlider(BLACK, WHITE))
    assert {VIEW, "image/png", "text/plain"} <= set(data)


# --- The slider ----------------------------------------------------------------------------------


class TestCompareSlider:
    def test_moving_the_slider_changes_the_picture(self):
        widget = CompareSlider(BLACK, WHITE)
        for percent in (0, 30, 100):
            widget.slider.value = percent
            pixels = opened(widget.image.value).astype(int)
            expected = compose(widget.before, widget.after, percent / 100)
            assert np.abs(pixels - expected).mean() < 4  # JPEG
        assert np.asarray(pixels).max() < 10  # at 100 all is before

    def test_starts_in_the_middle(self):
        widget = CompareSlider(BLACK, WHITE)
        columns = opened(widget.image.value)[:, :, 0].mean(axis=0)
        assert widget.slider.value == 50
        assert columns[:7].max() < 30 and columns[13:].min() > 225

    def test_labels_follow_their_picture(self):
        gray = np.full((120, 200, 3), 128, np.uint8)
        widget = CompareSlider(gray, gray, ("one", "two"))
        left, right = np.s_[:40, :60], np.s_[:40, 140:]
        widget.slider.value = 100
        assert (widget.picture()[left] != 128).any() and (widget.picture()[right] == 128).all()
        widget.slider.value = 0
        assert (widget.picture()[left] == 128).all() and (widget.picture()[right] != 128).any()

    def test_takes_pictures_of_several_kinds_and_leaves_them_alone(self):
        pixels = noise()
        image = Image.fromarray(pixels)
        widget = CompareSlider(image.convert("L"), pixels / 255, largest=100)
        assert widget.before.shape == widget.after.shape == (60, 100, 3)
        CompareSlider(pixels, pixels)
        np.testing.assert_array_equal(pixels, noise())

    def test_refuses_two_sizes(self):
        with pytest.raises(ValueError, match="Both pictures need one size"):
            CompareSlider(BLACK, WHITE[:, :10])

    def test_bundle_shows_the_picture_as_it_stands(self):
        widget = CompareSlider(noise(300, 600), noise(300, 600) // 2, largest=512)
        check_bundle(widget)
        widget.slider.value = 10
        check_bundle(widget)

    def test_words_for_those_who_cannot_see_it(self):
        widget = CompareSlider(BLACK, WHITE, ("<gray>", "ours"))
        caption = widget.box.children[-1].value
        assert "Left of the line: &lt;gray&gt;. Right of it: ours." in caption
        assert "&larr;" in caption
        assert (
            CompareSlider(BLACK, WHITE, alt="A castle.").box.children[-1].value.count("A castle.")
        )

    def test_the_image_has_no_tooltip(self):
        """With one, the image view of ipywidgets 8 fails in the browser and shows no picture."""
        assert getattr(CompareSlider(BLACK, WHITE).image, "tooltip", None) is None

    def test_is_fast_enough_to_be_dragged(self):
        widget = CompareSlider(noise(512, 512), noise(512, 512) // 2)
        times = []
        for percent in range(20):
            start = time.thread_time()  # not the clock: tests share the processor
            widget.slider.value = percent
            times.append(time.thread_time() - start)
        assert statistics.median(times) < 0.05


# --- Upload --------------------------------------------------------------------------------------


def file_bytes(kind="PNG", pixels=None, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(30, 40) if pixels is None else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def value_7(files: dict[str, bytes]) -> dict:
    return {
        name: {
            "metadata": {"name": name, "type": "image/png", "size": len(content)},
            "content": content,
        }
        for name, content in files.items()
    }


def value_8(files: dict[str, bytes]) -> tuple:
    return tuple(
        {
            "name": name,
            "type": "image/png",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime.datetime(2026, 8, 1, tzinfo=datetime.UTC),
        }
        for name, content in files.items()
    )


both_shapes = pytest.mark.parametrize("shape", [value_7, value_8])


def photos_in(value):
    return [(name, read_upload(name, content)) for name, content in uploaded_files(value)]


@both_shapes
def test_uploaded_photos(shape):
    files = {"b.png": file_bytes(), "C:\\fakepath\\a b.jpg": file_bytes("JPEG")}
    photos = photos_in(shape(files))
    assert [name for name, _ in photos] == ["b.png", "a b.jpg"]
    assert all(image.mode == "RGB" and image.size == (40, 30) for _, image in photos)
    np.testing.assert_array_equal(np.asarray(photos[0][1]), noise(30, 40))


@both_shapes
def test_nothing_uploaded(shape):
    assert uploaded_files(shape({})) == []


def test_uploaded_files_refuses_other_things():
    with pytest.raises(TypeError, match="FileUpload"):
        uploaded_files(None)


def test_a_phone_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    content = file_bytes("JPEG", exif=exif)
    assert read_upload("phone.jpg", content).size == (30, 40)


@both_shapes
@pytest.mark.parametrize("content", [b"", b"not a photo", file_bytes()[:200]])
def test_a_bad_file_is_named(shape, content):
    with pytest.raises(PhotoError) as caught:
        photos_in(shape({"holiday.png": content}))
    assert str(caught.value).startswith("holiday.png: ")
    assert "tmp" not in str(caught.value)


def redden(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image).copy()
    pixels[..., 0] = 255
    return Image.fromarray(pixels)


def send(widget: PhotoUpload, files: dict[str, bytes]) -> None:
    """What the browser does, in the protocol of the installed ipywidgets."""
    if hasattr(widget.button, "_counter"):  # 7
        widget.button.metadata = [{"name": name} for name in files]
        widget.button.data = list(files.values())
        widget.button._counter += 1
    else:
        widget.button.value = value_8(files)


class TestPhotoUpload:
    def test_colors_what_is_uploaded(self):
        widget = PhotoUpload(redden)
        check_bundle(widget)
        send(widget, {"a.png": file_bytes(), "b.png": file_bytes(pixels=noise(50, 60))})
        assert [name for name, _ in widget.results] == ["a.png", "b.png"]
        assert (np.asarray(widget.results[0][1])[..., 0] == 255).all()
        assert widget.previews.children == tuple(slider.box for slider in widget.sliders)
        assert "a.png: 40 × 30 pixels" in widget.message.value
        check_bundle(widget)

    def test_the_slider_shows_gray_and_ours(self):
        widget = PhotoUpload(redden)
        send(widget, {"a.png": file_bytes(pixels=noise(100, 800))})
        slider = widget.sliders[0]
        before, after = slider.before[40:], slider.after[40:]  # below the labels
        assert before.shape == (24, 512, 3) and after.shape == (24, 512, 3)
        assert (np.ptp(before, axis=-1) == 0).all()
        assert (after[..., 0] == 255).all()
        assert widget.results[0][1].size == (800, 100)  # the result is at full size

    def test_a_bad_file_is_said_and_the_others_go_on(self):
        widget = PhotoUpload(redden)
        send(widget, {"<b>.png": b"no photo", "good.png": file_bytes(), "empty.jpg": b""})
        text = widget.message.value
        assert "&lt;b&gt;.png: " in text and "empty.jpg: " in text and "good.png: 40" in text
        assert [name for name, _ in widget.results] == ["good.png"]

    def test_what_the_colorizer_raises_is_said(self):
        def fails(image):
            raise MemoryError

        widget = PhotoUpload(fails)
        send(widget, {"a.png": file_bytes()})
        assert ">a.png: MemoryError<" in widget.message.value
        assert widget.results == [] and widget.previews.children == ()

    def test_the_next_upload_replaces_the_last(self):
        widget = PhotoUpload(redden)
        send(widget, {"a.png": file_bytes()})
        send(widget, {"b.png": file_bytes()})
        assert [name for name, _ in widget.results] == ["b.png"]
        assert len(widget.previews.children) == 1
