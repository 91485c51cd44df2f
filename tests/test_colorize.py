"""colorlab.colorize: local lines against plain loops, and photos of every kind that keep their L.

All but the last class use a made generator; that class needs data/weights/starter.safetensors, and
fails without it: the course can't open without those weights.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor, nn

from colorlab import colorize, palette
from colorlab.colorize import Colorizer, guided_coefficients, network_size
from colorlab.hints import Hint, HintError
from colorlab.photos.files import PhotoError
from colorlab.recipes.build import build_generator
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.sources.bundled import bundled_photos, starter_weights
from colorlab.unet import UNet
from colorlab.weights import WeightsError, load_weights, save_weights

DATA = Path(__file__).resolve().parent.parent / "data"
PHOTO = DATA / "photos/val/alpaca.jpg"
SMALL = Recipe(
    name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
)
# 8-bit rounding moves L by 0.2 on average, and by less than 1.5 where RGB channels are dark.
MEAN_L_TOLERANCE = 0.5


class Constant(nn.Module):
    """Answers every picture with the same normalized a and b, or with what ``answer`` makes."""

    def __init__(self, a: float = 0.3, b: float = -0.2, stride: int = 8):
        super().__init__()
        self.ab = torch.tensor([a, b]).reshape(1, 2, 1, 1)
        self.stride = stride
        self.seen: list[Tensor] = []

    def forward(self, lightness: Tensor) -> Tensor:
        self.seen.append(lightness)
        return self.ab.expand(len(lightness), 2, *lightness.shape[2:])


class Noise(Constant):
    """Colors that change from pixel to pixel, most of which no screen can show."""

    def forward(self, lightness: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(len(lightness), 2, *lightness.shape[2:], generator=generator) * 2 - 1


def colorizer(generator: nn.Module | None = None) -> Colorizer:
    return Colorizer(Constant() if generator is None else generator, SMALL, "cpu")


def random_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random colors in random blocks, uint8 (height, width, 3)."""
    blocks = np.random.default_rng(seed).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC))


def lightness_of(image: Image.Image | np.ndarray) -> np.ndarray:
    """scikit-image's L of an RGB picture, (H, W) in 0..100."""
    return rgb2lab(np.asarray(image)[..., :3])[..., 0]


class Obedient(nn.Module):
    """Takes the mean color of all hints for the whole photo. Its distribution has two hills: 3 : 1
    for the first bin against the last, in the left half alone; all of the first in the right."""

    takes_hints = True
    stride = 32
    planes: Tensor | None = None

    def forward(
        self,
        lightness: Tensor,
        planes: Tensor | None = None,
        both: bool = False,
        temperature: float | None = None,
    ):
        self.planes = planes
        logits = torch.full((1, palette.COUNT, *(n // 4 for n in lightness.shape[2:])), -30.0)
        logits[:, 0] = 0
        logits[:, -1, :, : logits.shape[3] // 2] = -float(np.log(3))
        ab = torch.zeros(1, 2, *lightness.shape[2:])
        if temperature is not None:
            ab = F.interpolate(palette.annealed_mean(logits, temperature), scale_factor=4)
        if planes is not None:
            ab = ab + (planes[:, :2].sum((2, 3)) / planes[:, 2].sum())[..., None, None]
        return (ab, logits) if both else ab


# --- the guided filter ----------------------------------------------------------------------------


def regressions(x: np.ndarray, y: np.ndarray, radius: int, epsilon: float):
    """Least squares y ≈ slope · x + offset in the window around each pixel, then window means.

    The ridge ``epsilon`` on the slope alone; windows end at the border. (He and Sun, eq. 3 to 5.)
    """
    height, width = x.shape

    def window(values: np.ndarray, i: int, j: int) -> np.ndarray:
        rows = slice(max(i - radius, 0), i + radius + 1)
        return values[rows, max(j - radius, 0) : j + radius + 1].ravel()

    slope, offset = np.empty_like(x), np.empty_like(x)
    for i in range(height):
        for j in range(width):
            xs, ys = window(x, i, j), window(y, i, j)
            # The normal equations of sum (slope x + offset - y)^2 + n epsilon slope^2.
            left = np.array(
                [[xs @ xs + len(xs) * epsilon, xs.sum()], [xs.sum(), len(xs)]], dtype=np.float64
            )
            slope[i, j], offset[i, j] = np.linalg.solve(left, np.array([xs @ ys, ys.sum()]))
    means = [np.empty_like(x), np.empty_like(x)]
    for i in range(height):
        for j in range(width):
            means[0][i, j] = window(slope, i, j).mean()
            means[1][i, j] = window(offset, i, j).mean()
    return means


@pytest.mark.parametrize(("radius", "epsilon"), [(2, 1e-3), (1, 0.1)])
def test_guided_coefficients_are_local_regressions(radius, epsilon):
    generator = torch.Generator().manual_seed(3)
    lightness = torch.rand(1, 1, 12, 12, generator=generator, dtype=torch.float64) * 2 - 1
    ab = torch.rand(1, 2, 12, 12, generator=generator, dtype=torch.float64) * 2 - 1
    slope, offset = guided_coefficients(lightness, ab, radius, epsilon)
    for channel in range(2):
        expected = regressions(lightness[0, 0].numpy(), ab[0, channel].numpy(), radius, epsilon)
        np.testing.assert_allclose(slope[0, channel], expected[0], atol=1e-9)
        np.testing.assert_allclose(offset[0, channel], expected[1], atol=1e-9)


def test_color_stops_at_an_edge_of_lightness_and_runs_on_without_one():
    columns = torch.arange(32).expand(1, 1, 32, 32)
    ab = torch.where(columns < 16, -0.4, 0.4).repeat(1, 2, 1, 1).float()
    for dark, middle_step in ((-0.5, 0.7), (0.5, 0.2)):  # with an edge in L, and without
        lightness = torch.where(columns < 16, dark, 0.5).float()
        slope, offset = guided_coefficients(lightness, ab)
        out = (slope * lightness + offset)[0, 0, 16]
        step = (out[16] - out[15]).item()
        assert step > middle_step if dark < 0 else step < middle_step


# --- sizes ----------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    height=st.integers(1, 20_000),
    width=st.integers(1, 20_000),
    size=st.integers(16, 512),
    stride=st.sampled_from([1, 8, 32, 256]),
)
@example(1, 5000, 192, 32)
@example(65_500, 1, 192, 32)
@example(1, 1, 192, 32)
@example(152, 153, 68, 8)  # halves, rounded to either side
def test_network_size(height, width, size, stride):
    found = network_size(height, width, size, stride)
    assert all(side > 0 and side % stride == 0 for side in found)
    assert network_size(width, height, size, stride) == found[::-1]
    # Twice the area of a square, and what rounding two sides to the stride can add.
    longest = max(found)
    assert found[0] * found[1] <= 2 * size**2 + stride * (longest + size + stride)
    assert longest <= max(2 * size**2 / stride, size) + stride
    if max(height, width) <= 2 * min(height, width) and size >= 4 * stride:
        exact = [side * size / min(height, width) for side in (height, width)]
        assert all(abs(a - b) <= stride / 2 + 1e-6 for a, b in zip(found, exact, strict=True))


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ((3000, 4000), (192, 256)),
        ((256, 256), (192, 192)),
        ((50, 100), (192, 384)),
        ((1000, 4000), (128, 544)),  # 135.8 x 543.1: the area of 2 : 1
    ],
)
def test_network_size_of_usual_photos(photo, expected):
    assert network_size(*photo, 192, 32) == expected


@pytest.mark.parametrize(("height", "width"), [(37, 53), (3, 100), (11, 9), (1, 7), (64, 1)])
def test_enlarged_strips_are_the_rows_of_the_whole(height, width):
    small = torch.rand(1, 2, 9, 11, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    for top in range(0, height, 10):
        rows = (top, min(top + 10, height))
        strip = colorize._enlarge(small, rows, height, width)
        torch.testing.assert_close(strip, whole[:, :, rows[0] : rows[1]], rtol=0, atol=1e-5)


def test_strips_leave_no_seam(monkeypatch):
    photo = random_photo(75, 40)
    whole = np.asarray(colorizer(Noise()).colorize(photo)).astype(int)
    monkeypatch.setattr(colorize, "STRIP", 16)
    strips = np.asarray(colorizer(Noise()).colorize(photo)).astype(int)
    # float32 may round another way where a value falls between two 8-bit steps.
    assert np.abs(whole - strips).max() <= 1
    assert (whole != strips).mean() < 0.01


# --- what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "generator",
    [Constant(), Noise(), Constant(1, -1), Constant(-5, 8)],
    ids=["mild", "noise", "violet", "absurd"],
)
@pytest.mark.parametrize("seed", range(3))
def test_lightness_is_kept_whatever_the_generator_says(generator, seed):
    photo = random_photo(40 + seed, 60, seed)
    result = colorizer(generator).colorize(photo)
    difference = np.abs(lightness_of(result) - lightness_of(photo))
    assert difference.mean() <= MEAN_L_TOLERANCE
    assert difference.max() < 1.5


def test_the_color_is_the_one_predicted():
    gray = np.full((20, 30), 119, np.uint8)  # L = 50.03: sRGB holds (50, 11, -22) there
    result = colorizer(Constant(0.1, -0.2)).colorize(gray)
    expected = [lightness_of(gray[..., None].repeat(3, -1))[0, 0], 11, -22]
    np.testing.assert_allclose(rgb2lab(np.asarray(result))[7, 7], expected, atol=0.6)


class Rgb(nn.Module):
    """Answers every picture with one color, and keeps what it was given."""

    stride = 8

    def __init__(self, rgb: tuple[float, float, float]):
        super().__init__()
        self.rgb = torch.tensor(rgb).view(1, 3, 1, 1)

    def forward(self, gray: Tensor) -> Tensor:
        self.inputs = gray
        return (self.rgb * 2 - 1).expand(len(gray), 3, *gray.shape[2:])


def test_a_network_that_answers_in_rgb_gives_the_color_and_the_photo_its_lightness():
    recipe = dataclasses.replace(
        SMALL, generator=dataclasses.replace(SMALL.generator, predicts="rgb")
    )
    color = np.array([0.6, 0.45, 0.4])
    made = Colorizer(Rgb(tuple(color)), recipe, "cpu")
    gray = np.full((20, 30), 119, np.uint8)
    result = rgb2lab(np.asarray(made.colorize(gray)))[7, 7]
    np.testing.assert_allclose(
        result[0], lightness_of(gray[..., None].repeat(3, -1))[0, 0], atol=0.5
    )
    np.testing.assert_allclose(result[1:], rgb2lab(color)[1:], atol=0.6)
    # It was given gray as files have it, in [-1, 1], and not L.
    np.testing.assert_allclose(made.generator.inputs.numpy(), 119 / 127.5 - 1, atol=1e-3)


def test_each_seed_is_another_coloring_of_a_network_with_noise():
    recipe = dataclasses.replace(
        SMALL, generator=dataclasses.replace(SMALL.generator, noise_channels=2, dropout=0.0)
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Colorizer(build_generator(recipe), recipe, "cpu")
    photo = random_photo(40, 60)
    first, again, other = (np.asarray(made.colorize(photo, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    made.predict(photo, 3)
    assert torch.equal(state, torch.get_rng_state())  # the learner's random numbers stay


def test_saturation_scales_chroma():
    gray = np.full((8, 8), 119, np.uint8)
    made = colorizer(Constant(0.1, -0.1))
    ab = [rgb2lab(np.asarray(made.colorize(gray, s)))[4, 4, 1:] for s in (0, 0.5, 1, 2)]
    for factor, found in zip((0, 0.5, 1, 2), ab, strict=True):
        np.testing.assert_allclose(found, [11 * factor, -11 * factor], atol=0.7)
    assert (np.asarray(made.colorize(gray, 0)) == 119).all()


@pytest.mark.parametrize("saturation", [-0.5, float("nan"), float("inf")])
def test_a_saturation_that_means_nothing_is_refused(saturation):
    with pytest.raises(ValueError, match="saturation .* 0 .* 1"):
        colorizer().colorize(PHOTO, saturation)


def test_only_the_lightness_is_looked_at():
    color = np.asarray(Image.open(PHOTO).convert("RGB"))
    made = Constant()
    colorizer(made).colorize(PHOTO)
    colorizer(made).colorize(color)
    # The gray of the same L: what is shown may differ by the gray's own 8-bit rounding.
    y = np.interp(
        lightness_of(color),
        lightness_of(np.arange(256)[None, :, None].repeat(3, -1).astype(np.uint8))[0],
        np.arange(256),
    )
    colorizer(made).colorize(y.round().astype(np.uint8))
    assert torch.equal(made.seen[0], made.seen[1])
    assert (made.seen[0] - made.seen[2]).abs().mean() < 0.01
    assert made.seen[0].shape[1] == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3), (31, 257)])
def test_any_size(shape):
    photo = random_photo(*shape)
    made = Constant()
    result = colorizer(made).colorize(photo)
    assert (result.height, result.width) == shape
    assert result.mode == "RGB"
    assert np.abs(lightness_of(result) - lightness_of(photo)).mean() <= MEAN_L_TOLERANCE
    assert made.seen[0].shape[2] * made.seen[0].shape[3] < 20 * 40**2


def test_alpha_is_kept_bit_for_bit(tmp_path):
    rgb = Image.fromarray(random_photo(30, 45))
    alpha = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 45), dtype=np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    rgba.save(tmp_path / "x.png")
    gray_alpha = Image.merge("LA", (rgb.convert("L"), alpha))
    for photo in (rgba, tmp_path / "x.png", np.asarray(rgba), gray_alpha):
        result = colorizer().colorize(photo)
        assert result.mode == "RGBA"
        assert result.size == (45, 30)
        assert result.getchannel("A").tobytes() == alpha.tobytes()
        expected = rgb.convert("L").convert("RGB") if photo is gray_alpha else rgb
        assert np.abs(lightness_of(result) - lightness_of(expected)).mean() <= MEAN_L_TOLERANCE


def test_a_transparent_palette_entry_becomes_alpha(tmp_path):
    image = Image.new("P", (6, 4), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((2, 3), 0)
    image.save(tmp_path / "x.gif", transparency=0)
    result = colorizer().colorize(tmp_path / "x.gif")
    expected = np.full((4, 6), 255)
    expected[3, 2] = 0
    assert result.mode == "RGBA"
    assert (np.asarray(result)[..., 3] == expected).all()


def test_a_photo_that_lies_on_its_side_comes_out_upright(tmp_path):
    lying = Image.fromarray(random_photo(30, 50))
    exif = Image.Exif()
    exif[0x0112] = 6  # row 0 is the right side: turn a quarter clockwise
    lying.save(tmp_path / "x.png", exif=exif)
    upright = lying.transpose(Image.Transpose.ROTATE_270)
    for photo in (tmp_path / "x.png", Image.open(tmp_path / "x.png")):
        result = colorizer().colorize(photo)
        assert result.size == (30, 50)
        assert np.abs(lightness_of(result) - lightness_of(upright)).mean() <= MEAN_L_TOLERANCE
        assert 0x0112 not in result.getexif()  # or a viewer would turn it again


def test_modes_of_every_kind_keep_their_lightness(tmp_path):
    rgb = Image.fromarray(random_photo(24, 36))
    sixteen = np.asarray(rgb.convert("L")).astype(np.uint16) * 257
    photos = {
        "gray.png": (rgb.convert("L"), rgb.convert("L").convert("RGB")),
        "press.tif": (rgb.convert("CMYK"), rgb.convert("CMYK").convert("RGB")),
        "palette.png": (rgb.quantize(16), rgb.quantize(16).convert("RGB")),
        "deep.png": (Image.fromarray(sixteen), rgb.convert("L").convert("RGB")),
        "two.png": (rgb.convert("1"), rgb.convert("1").convert("RGB")),
    }
    for name, (image, expected) in photos.items():
        image.save(tmp_path / name)
        for photo in (tmp_path / name, image):
            result = colorizer().colorize(photo)
            assert (result.mode, result.size) == ("RGB", (36, 24)), name
            difference = np.abs(lightness_of(result) - lightness_of(expected)).mean()
            assert difference <= MEAN_L_TOLERANCE, name


# --- what can't be colored ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "words"),
    [
        (None, ["NoneType", "path"]),
        (7, ["int"]),
        (torch.zeros(3, 4, 4), ["Tensor"]),
        (np.zeros((4, 4, 3)), ["float64", "255"]),
        (np.zeros((4, 4), np.uint16), ["uint16"]),
    ],
)
def test_what_is_no_photo_is_refused(photo, words):
    with pytest.raises(TypeError) as caught:
        colorizer().colorize(photo)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "shape", [(3, 8, 8), (8, 8, 1), (1, 8, 8, 3), (8,), (0, 8, 3), (8, 0), (0,)]
)
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(H, W\).*got \("):
        colorizer().colorize(np.zeros(shape, np.uint8))


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match="0 x 5"):
        colorizer().colorize(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_pictures_are_refused(mode):
    with pytest.raises(PhotoError, match="32-bit"):
        colorizer().colorize(Image.new(mode, (4, 4)))


def test_bad_files_are_named(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "cut.jpg").write_bytes(PHOTO.read_bytes()[:4000])
    (tmp_path / "text.png").write_text("hello")
    for name, words in (
        ("empty.jpg", "empty"),
        ("cut.jpg", "truncated"),
        ("text.png", "not a picture"),
        ("absent.jpg", "no such file"),
        (".", "a folder"),
    ):
        with pytest.raises(PhotoError) as caught:
            colorizer().colorize(tmp_path / name)
        assert words in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


# --- weights --------------------------------------------------------------------------------------


def test_load_gives_the_generator_that_was_saved(tmp_path):
    torch.manual_seed(0)
    generator = UNet(levels=3, base=4).eval()
    path = save_weights(tmp_path / "w.safetensors", generator, SMALL)
    made = Colorizer.load(path, "cpu")
    assert made.recipe == SMALL
    assert made.size == 36  # 32-pixel crops of photos 1 to 1.25 times as large
    assert not made.generator.training
    lightness, ab = made.predict(PHOTO)
    assert (
        lightness.shape[0:2] == (1, 1) and min(lightness.shape[2:]) == 32
    )  # 36 is no multiple of 8
    assert lightness.min() >= -1 and lightness.max() <= 1 and lightness.std() > 0.1
    with torch.no_grad():
        torch.testing.assert_close(ab, generator(lightness))
    before = Colorizer(generator, SMALL, "cpu").colorize(PHOTO)
    assert made.colorize(PHOTO).tobytes() == before.tobytes()


def test_a_generator_in_training_is_set_to_color():
    generator = UNet(levels=3, base=4, dropout=0.5).train()
    made = Colorizer(generator, SMALL, "cpu")
    assert torch.equal(made.predict(PHOTO)[1], made.predict(PHOTO)[1])


def test_wrong_weights(tmp_path):
    with pytest.raises(WeightsError, match=r"alpaca\.jpg is not a whole safetensors file"):
        Colorizer.load(PHOTO)
    with pytest.raises(FileNotFoundError, match=r"no weights file .*absent"):
        Colorizer.load(tmp_path / "absent.safetensors")


def test_missing_starter_weights_say_how_to_get_them(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("COLORLAB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="git checkout"):
        Colorizer.load()


class TestStarterWeights:
    """These need data/weights/starter.safetensors, and fail where it is missing."""

    def test_the_file_is_small_and_says_what_it_is(self):
        path = starter_weights()
        _, recipe, _ = load_weights(path)
        assert path.stat().st_size <= 16e6
        assert recipe.name == "starter"

    def test_photos_get_colors_that_are_nearer_to_the_truth_than_gray(self):
        made = Colorizer.load(device="cpu")
        errors, grays, chroma, true_chroma = [], [], [], []
        for path in bundled_photos("test")[::10]:
            truth = np.asarray(Image.open(path).convert("RGB"))
            result = np.asarray(made.colorize(path))
            assert np.abs(lightness_of(result) - lightness_of(truth)).mean() <= MEAN_L_TOLERANCE
            ab, true = rgb2lab(result)[..., 1:], rgb2lab(truth)[..., 1:]
            errors.append(np.abs(ab - true).mean())
            grays.append(np.abs(true).mean())
            chroma.append(np.hypot(*np.moveaxis(ab, -1, 0)).mean())
            true_chroma.append(np.hypot(*np.moveaxis(true, -1, 0)).mean())
        assert np.mean(errors) < np.mean(grays)
        assert 0.5 < np.mean(chroma) / np.mean(true_chroma) < 1.5

    def test_a_hint_recolors_its_place_and_leaves_what_looks_different(self):
        made = Colorizer.load(device="cpu")
        photo = next(path for path in bundled_photos("test") if path.stem == "fish25")
        gray = Image.open(photo).convert("L")
        x, y = int(0.62 * gray.width), int(0.52 * gray.height)  # a goldfish on black
        before, after = (
            rgb2lab(np.asarray(made.colorize(gray, hints=hints)))[..., 1:]
            for hints in ([], [(x, y, "#e09030")])
        )
        wanted = rgb2lab(np.uint8([[[0xE0, 0x90, 0x30]]]))[0, 0, 1:]
        body = (slice(y - 4, y + 5), slice(x - 4, x + 5))
        missing = [np.linalg.norm(ab[body].mean((0, 1)) - wanted) for ab in (before, after)]
        assert missing[1] < missing[0] / 2
        corner = (slice(-gray.height // 6, None), slice(0, gray.width // 8))  # black
        assert np.linalg.norm(after[corner] - before[corner], axis=-1).mean() < 2


# --- hints, temperature, suggestions --------------------------------------------------------------

GRAY = Image.new("RGB", (120, 60), (119, 119, 119))  # L 50


def test_a_hint_reaches_the_network_at_its_place_with_its_color() -> None:
    made = colorizer(Obedient())
    brick = (160, 92, 80)
    colored = made.colorize(GRAY, hints=[Hint(90, 15, brick)])
    wanted = rgb2lab(np.uint8([[brick]]))[0, 0, 1:]
    np.testing.assert_allclose(rgb2lab(np.asarray(colored))[30, 60, 1:], wanted, atol=1)
    planes = made.generator.planes
    _, _, height, width = planes.shape
    rows, columns = np.nonzero(planes[0, 2].numpy())
    assert abs(columns.mean() / width - 90.5 / 120) < 1 / width
    assert abs(rows.mean() / height - 15.5 / 60) < 1 / height


def test_a_hint_outside_the_photo_is_refused() -> None:
    with pytest.raises(HintError, match="x 120, y 15 lies outside the photo, which is 120 x 60"):
        colorizer(Obedient()).colorize(GRAY, hints=[(120, 15, "red")])
    with pytest.raises(HintError, match="x 5, y -1 lies outside"):
        colorizer(Obedient()).suggest(GRAY, 5, -1)


def test_a_color_that_no_screen_shows_there_gives_a_warning() -> None:
    with pytest.warns(UserWarning, match="no screen shows #0000ff at lightness 50"):
        colorizer(Obedient()).colorize(GRAY, hints=[(5, 5, "blue")])


def test_temperature_sharpens_the_distribution() -> None:
    first, last = palette.bins()[0], palette.bins()[-1]
    for temperature, share in ((1.0, 3 / 4), (0.5, 9 / 10), (0.0, 1.0)):
        _, ab = colorizer(Obedient()).predict(GRAY, temperature=temperature)
        wanted = share * first + (1 - share) * last
        torch.testing.assert_close(ab[0, :, 0, 0] * 110, wanted, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="from 0 .the mode. to 1 .the mean., got 2"):
        colorizer(Obedient()).predict(GRAY, temperature=2)


def test_suggestions_are_those_of_the_place() -> None:
    made = colorizer(Obedient())
    left, right = made.suggest(GRAY, 10, 30), made.suggest(GRAY, 110, 30)
    assert [round(one.share, 3) for one in left] == [0.75, 0.25]
    assert [round(one.share, 3) for one in right] == [1.0]
    for one in left:  # at the photo's own lightness
        assert rgb2lab(np.uint8([[one.color]]))[0, 0, 0] == pytest.approx(50, abs=0.7)


@pytest.mark.parametrize("how", [{"hints": [(1, 1, "red")]}, {"temperature": 0.4}])
def test_weights_that_know_no_hints_say_so(how: dict) -> None:
    with pytest.raises(ValueError, match="these weights take no hints and know no distribution"):
        colorizer().colorize(GRAY, **how)
    with pytest.raises(ValueError, match="these weights take no hints"):
        colorizer().suggest(GRAY, 1, 1)
