"""colorlab.show: pictures of every kind, and grids in which nothing is clipped."""

from __future__ import annotations

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from colorlab.show import INK, photo_grid, present, tiled, to_gray, to_uint8


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


# --- to_uint8 ------------------------------------------------------------------------------------


def test_color_pictures_of_every_kind_are_one(photo):
    first = np.moveaxis(photo, -1, 0)
    kinds = {
        "array": photo,
        "channels first": first,
        "float": photo / 255,
        "float32 tensor": torch.from_numpy(first / 255).float().requires_grad_(),
        "uint8 tensor": torch.from_numpy(first.copy()),
        "Pillow": Image.fromarray(photo),
    }
    for kind, picture in kinds.items():
        result = to_uint8(picture)
        assert result.dtype == np.uint8, kind
        np.testing.assert_array_equal(result, photo, err_msg=kind)


def test_half_precision(photo):
    halves = torch.from_numpy(np.moveaxis(photo, -1, 0) / 255)
    assert np.abs(to_uint8(halves.bfloat16()).astype(int) - photo).max() <= 1  # 8 bits, rounded
    np.testing.assert_array_equal(to_uint8(halves.half()), photo)


def test_gray_pictures_get_three_equal_channels(photo):
    gray = photo[..., 0]
    expected = np.stack([gray] * 3, axis=-1)
    for picture in (gray, gray[None], gray[..., None], Image.fromarray(gray), torch.tensor(gray)):
        np.testing.assert_array_equal(to_uint8(picture), expected)
    np.testing.assert_array_equal(to_uint8(gray > 100), np.where(expected > 100, 255, 0))


def test_alpha_is_laid_over_white():
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], dtype=np.uint8)
    # 51 / 255 is a fifth: 0.2 * color + 0.8 * 255
    expected = [[[10, 20, 30], [255, 255, 255], [204, 224, 244]]]
    np.testing.assert_array_equal(to_uint8(pixels), expected)
    np.testing.assert_array_equal(to_uint8(Image.fromarray(pixels)), expected)


def test_rounds_and_forgives_a_little_overshoot():
    values = np.array([[-0.01, 0.0, 0.5 / 255 + 1e-6, 1.0, 1.01]])
    np.testing.assert_array_equal(to_uint8(values)[..., 0], [[0, 0, 1, 255, 255]])


def test_the_result_is_a_copy(photo):
    before = photo.copy()
    to_uint8(photo)[:] = 0
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((2, 3, 4, 5)), "(2, 3, 4, 5)"),
        (np.zeros((2, 3, 8, 8)), "batch[0]"),
        (np.zeros(5), "(H, W)"),
        (np.zeros((0, 3)), "(0, 3)"),
        (np.zeros((2, 8, 8)), "only ab"),
        (np.zeros((8, 8), int), "astype"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), np.inf), "NaN or infinite"),
        (np.array([[-1.0, 1.0]]), "denormalize_lab"),
        (np.array([[0.0, 255.0]]), "divide by 255"),
        (np.array([[-80.0, 90.0]]), "Is it Lab?"),
    ],
)
def test_refuses_with_the_cause(picture, words):
    with pytest.raises(ValueError) as caught:
        to_uint8(picture)
    assert words in str(caught.value)


@pytest.mark.parametrize("picture", [None, "photo.jpg", [[1, 2]], 3])
def test_refuses_what_is_no_picture(picture):
    with pytest.raises(TypeError, match="Pillow image, a NumPy array or a torch tensor"):
        to_uint8(picture)


# --- to_gray -------------------------------------------------------------------------------------


def test_gray_has_the_lightness_of_the_photo(photo):
    skimage_color = pytest.importorskip("skimage.color")
    gray = to_gray(photo)
    assert gray.dtype == np.uint8 and gray.shape == photo.shape
    lab = skimage_color.rgb2lab(gray)
    # Half a step of 1/255 is at most 0.25 in L; the white points differ in the last digits.
    assert np.abs(lab[..., 0] - skimage_color.rgb2lab(photo)[..., 0]).max() < 0.3
    assert np.abs(lab[..., 1:]).max() < 0.02


def test_gray_of_gray_is_itself():
    ramp = np.stack([np.arange(256, dtype=np.uint8)[None]] * 3, axis=-1)
    np.testing.assert_array_equal(to_gray(ramp), ramp)


# --- photo_grid ----------------------------------------------------------------------------------


def boxes(figure):
    """Outlines of all texts and axes of a figure, in parts of its width and height."""
    figure.canvas.draw()
    size = figure.bbox
    outlines = [(t.get_text(), t.get_window_extent()) for t in figure.texts]
    outlines += [("axes", axes.get_window_extent()) for axes in figure.axes]
    return [
        (name, box.x0 / size.width, box.x1 / size.width, box.y0 / size.height, box.y1 / size.height)
        for name, box in outlines
    ]


def sized(height, width):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(("across", "width"), [(1, 3.0), (2, 5.0), (4, 9.0), (4, 16.0)])
@pytest.mark.parametrize(
    "names", [None, ["a", "a very long name of a photo.jpg" * 9, "", "Ägypten"]]
)
def test_nothing_is_clipped_and_nothing_overlaps(across, width, names):
    rows = [[sized(*size)] * 3 for size in ((40, 60), (60, 40), (20, 90), (90, 20))]
    titles = ["gray input", "mmm", "ours\n25.2 dB"]
    figure = photo_grid(rows, titles, names=names, across=across, width=width)
    outlines = [box for box in boxes(figure) if box[0]]
    for name, x0, x1, y0, y1 in outlines:
        assert x0 >= -1e-6 and x1 <= 1 + 1e-6, name
        assert y0 >= -1e-6 and y1 <= 1 + 1e-6, name
    for index, (name, x0, x1, y0, y1) in enumerate(outlines):
        for other, u0, u1, v0, v1 in outlines[:index]:
            apart = x1 <= u0 + 1e-6 or u1 <= x0 + 1e-6 or y1 <= v0 + 1e-6 or v1 <= y0 + 1e-6
            assert apart, f"{name!r} and {other!r} overlap"


def test_order_of_columns_and_their_titles(photo):
    gray, truth = to_gray(photo), photo
    ours = (photo // 2).astype(np.uint8)
    figure = photo_grid([(gray, ours, truth), (truth, gray, ours)])
    assert [text.get_text() for text in figure.texts] == ["gray input", "ours", "truth"]
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    for picture, expected in zip(pictures, [gray, ours, truth, truth, gray, ours], strict=True):
        np.testing.assert_array_equal(picture, expected)
    # Titles stand above their own columns, from left to right.
    for axes, text in zip(figure.axes, figure.texts, strict=False):
        box = axes.get_position()
        assert box.x0 < text.get_position()[0] < box.x1
    assert figure.axes[0].get_position().y0 > figure.axes[3].get_position().y0


def test_a_line_of_several_photos_repeats_the_titles():
    figure = photo_grid([[sized(4, 6)] * 2] * 5, titles=["a", "b"], across=2)
    assert [text.get_text() for text in figure.texts] == ["a", "b", "a", "b"]
    assert len(figure.axes) == 10


def test_a_notebook_shows_it_once(photo):
    import matplotlib.pyplot as plt

    figure = photo_grid([[photo]])
    assert figure.number not in plt.get_fignums()


@pytest.mark.parametrize(
    ("rows", "changes", "words"),
    [
        ([], {}, "rows is empty"),
        ([[]], {}, "rows is empty"),
        ([[sized(2, 2)] * 3, [sized(2, 2)] * 2], {}, "Row 1 has 2 pictures for 3 titles"),
        ([[sized(2, 2)] * 4], {}, "Give 4 titles"),
        ([[sized(2, 2)]], {"names": ["a", "b"]}, "2 names came for 1 photos"),
        ([[sized(2, 2)]], {"across": 0}, "across"),
        ([[sized(2, 2)] * 3] * 4, {"across": 4, "width": 4.0}, "too narrow"),
    ],
)
def test_grid_refuses(rows, changes, words):
    with pytest.raises(ValueError) as caught:
        photo_grid(rows, **changes)
    assert words in str(caught.value)


# --- tiled ----------------------------------------------------------------------------------------


def test_rows_of_batches_become_one_picture():
    first, second = torch.zeros(2, 3, 4, 5), torch.ones(2, 3, 4, 5) * 0.2
    first[1] = 2.0  # overshoot is cut off
    picture = tiled([first, second])
    assert picture.shape == (8, 10, 3) and picture.dtype == np.uint8
    assert (picture[:4, :5] == 0).all() and (picture[:4, 5:] == 255).all()
    assert (picture[4:] == 51).all()


# --- present -------------------------------------------------------------------------------------


@pytest.fixture
def displayed(monkeypatch) -> list[tuple[dict, dict]]:
    """What `present` gave to the notebook: data and metadata."""
    found = []
    monkeypatch.setattr(
        "IPython.display.display", lambda output: found.append(output._repr_mimebundle_())
    )
    return found


def decoded(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data)))


ALT = "Line chart of a loss over steps: it falls from 1 to 0."


def test_a_chart_is_transparent_and_its_ink_is_read_on_white_and_on_dark(displayed):
    figure, axes = plt.subplots()
    axes.plot([1, 0], label="loss")
    axes.set(title="A loss", xlabel="step")
    axes.text(0.5, 0.5, "here")
    axes.legend()
    present(figure, ALT)
    [(data, metadata)] = displayed
    assert metadata["image/png"]["alt"] == ALT
    pixels = np.asarray(decoded(data["image/png"]).convert("RGBA")).astype(int)
    assert (pixels[0, 0, 3], pixels[-1, -1, 3]) == (0, 0)
    opaque = pixels[pixels[..., 3] == 255][:, :3]
    assert len(opaque) and (opaque.max(-1) > 100).all()  # nothing is black
    assert not plt.fignum_exists(figure.number)
    for text in figure.findobj(plt.Text):
        assert not text.get_text() or text.get_color() == INK, text
    for page in ("#ffffff", "#111111"):
        assert contrast(INK, page) > 4


def contrast(*colors: str) -> float:
    """WCAG 2.1's ratio of two colors."""
    values = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colors])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (light + 0.05) / (dark + 0.05)


def test_photos_are_a_jpeg_with_their_colors(displayed):
    present(photo_grid([[np.full((40, 40, 3), (200, 30, 60), np.uint8)]]), "A red square, alone.")
    [(data, metadata)] = displayed
    assert metadata["image/jpeg"]["alt"] == "A red square, alone."
    picture = np.asarray(decoded(data["image/jpeg"]))
    assert np.abs(picture[picture.shape[0] // 2, picture.shape[1] // 2] - (200.0, 30, 60)).max() < 6


def test_a_description_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match="too short"):
        present(plt.figure(), "a figure")
