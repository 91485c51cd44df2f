"""colorlab.metrics: scores of colorizers whose right score is known."""

import math
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab
from skimage.metrics import structural_similarity
from torchmetrics.image import StructuralSimilarityIndexMeasure

from colorlab import encoders
from colorlab.metrics import colorfulness, diversity, evaluate, gray_of, psnr, ssim


class Classifier(torch.nn.Module):
    """In EfficientNet-Lite0's place: the label is 1 for a picture with color, 0 for a gray one.

    Its two features are the spread of the channels and the red.
    """

    def forward(self, rgb: torch.Tensor) -> list[torch.Tensor]:
        assert rgb.shape == (3, 3, 224, 224)
        assert rgb.min() >= 0 and rgb.max() <= 1
        return [rgb[:, :1], rgb]

    def head(self, rgb: torch.Tensor) -> torch.Tensor:
        return torch.stack([rgb.amax(1) - rgb.amin(1), rgb[:, 0]], 1)

    def classifier(self, features: torch.Tensor) -> torch.Tensor:
        assert features.shape == (3, 2)
        return torch.stack([torch.full((3,), 0.05), features[:, 0]], 1)


@pytest.fixture
def classifier(monkeypatch):
    monkeypatch.setattr(encoders, "EfficientNetLite0", Classifier)


@pytest.fixture
def photos(tmp_path):
    """Three photos of flat colorful stripes, as large as their number tells them apart."""
    paths = []
    for number in range(3):
        colors = np.random.default_rng(number).integers(30, 220, (1, 4, 3), dtype=np.uint8)
        pixels = colors.repeat(16, 0).repeat(6 + number, 1)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(float) / 255


def psnr_by_hand(image: np.ndarray, truth: np.ndarray) -> float:
    return -10 * math.log10(((image - truth) ** 2).mean())


def chroma_by_hand(image: np.ndarray) -> float:
    return np.hypot(*np.moveaxis(rgb2lab(image)[..., 1:], -1, 0)).mean()


def colorfulness_by_hand(image: np.ndarray) -> float:
    red, green, blue = np.moveaxis(image * 255, -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    return math.sqrt(rg.var() + yb.var()) + 0.3 * math.hypot(rg.mean(), yb.mean())


def ssim_by_skimage(image: np.ndarray, truth: np.ndarray) -> float:
    """With the settings that its own documentation names for the paper's."""
    return structural_similarity(
        image,
        truth,
        channel_axis=-1,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


def gray_by_hand(image: np.ndarray) -> np.ndarray:
    """The gray of the same L, 8-bit, found by looking at all 256 of them."""
    grays = rgb2lab(np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, -1))[0, :, 0]
    nearest = np.abs(rgb2lab(image)[..., :1] - grays).argmin(-1)
    return (nearest / 255)[..., None].repeat(3, -1)


def test_psnr_is_minus_ten_log_mse():
    generator = torch.Generator().manual_seed(0)
    image, truth = torch.rand(2, 3, 9, 7, generator=generator)
    expected = psnr_by_hand(image.double().numpy(), truth.double().numpy())
    assert psnr(image, truth) == pytest.approx(expected, abs=1e-4)
    # An error of 1/10 everywhere is 20 dB, whatever the range of the values.
    assert psnr(torch.full((3, 4, 4), 0.3), torch.full((3, 4, 4), 0.2)) == pytest.approx(20, 1e-5)
    assert psnr(truth, truth) == math.inf


def test_ssim_is_that_of_scikit_image():
    draw = np.random.default_rng(0)
    truth = draw.random((30, 24, 3)).cumsum(0) / 30  # smooth downward, so that windows differ
    image = (truth + draw.normal(0, 0.05, truth.shape)).clip(0, 1)
    found = ssim(*(torch.from_numpy(x).movedim(-1, 0).float() for x in (image, truth)))
    assert found == pytest.approx(ssim_by_skimage(image, truth), abs=1e-4)
    assert 0.3 < found < 0.95
    same = torch.from_numpy(truth).movedim(-1, 0).float()
    assert ssim(same, same) == pytest.approx(1, abs=1e-6)


def test_ssim_is_that_of_torchmetrics():
    """It may count the windows at the border too, so the border here is like the rest."""
    draw = np.random.default_rng(1)
    noise = draw.random((3, 1, 1)) + draw.normal(0, 0.1, (3, 200, 200))
    truth = torch.from_numpy(noise).float().clamp(0, 1)
    image = (truth + 0.05 * torch.from_numpy(draw.normal(size=noise.shape)).float()).clamp(0, 1)
    theirs = StructuralSimilarityIndexMeasure(data_range=1.0)(image[None], truth[None]).item()
    assert ssim(image, truth) == pytest.approx(theirs, rel=1e-3)


def test_ssim_needs_its_window():
    assert ssim(torch.zeros(3, 11, 11), torch.zeros(3, 11, 11)) == pytest.approx(1)
    with pytest.raises(ValueError, match="is 10 x 40: too small for SSIM"):
        ssim(torch.zeros(3, 40, 10), torch.zeros(3, 40, 10))


def test_colorfulness_of_pictures_worked_out_by_hand():
    gray = torch.full((3, 2, 2), 0.4)
    red = torch.zeros(3, 2, 2)
    red[0] = 1  # rg = 255 and yb = 127.5 everywhere: no variance, two means
    halves = torch.zeros(3, 1, 2)
    halves[0, 0, 0] = halves[1, 0, 1] = 1  # rg = ±255; yb = 127.5: one variance, one mean
    found = colorfulness(torch.stack([red, gray.expand(3, 2, 2)]))
    assert found.tolist() == pytest.approx([0.3 * math.hypot(255, 127.5), 0], abs=1e-4)
    assert colorfulness(halves).item() == pytest.approx(255 + 0.3 * 127.5, abs=1e-3)


def test_colorfulness_of_noise():
    noise = np.random.default_rng(0).random((2, 4, 9, 7, 3))
    found = colorfulness(torch.from_numpy(noise).movedim(-1, -3))
    assert found.shape == (2, 4)
    expected = [colorfulness_by_hand(image) for image in noise.reshape(8, 9, 7, 3)]
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("rgb", "words"),
    [
        (torch.rand(9, 7, 3), "shape"),
        (torch.rand(3, 7), "shape"),
        (torch.rand(3, 0, 7), "shape"),
        (torch.full((3, 9, 7), 255.0), "rgb / 255"),
        (torch.zeros(3, 9, 7, dtype=torch.uint8), "rgb / 255"),
    ],
)
def test_colorfulness_refuses_what_is_no_picture(rgb, words):
    with pytest.raises(ValueError, match=words):
        colorfulness(rgb)


def test_gray_has_the_lightness_of_the_photo():
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    gray = gray_of(Image.fromarray(noise))
    found = np.asarray(gray)
    assert (gray.mode, gray.size) == ("RGB", (30, 20))
    assert (found == found[..., :1]).all()
    difference = np.abs(rgb2lab(found)[..., 0] - rgb2lab(noise)[..., 0])
    assert difference.max() < 0.3  # half a step of 8-bit gray
    np.testing.assert_allclose(found / 255, gray_by_hand(noise), atol=1e-9)
    assert gray_of(gray).tobytes() == gray.tobytes()


def test_a_colorizer_that_does_nothing_scores_as_gray(classifier, photos):
    scores = evaluate(lambda gray: gray, photos)
    truths = [pixels(path) for path in photos]
    expected = np.mean([psnr_by_hand(gray_by_hand(truth), truth) for truth in truths])
    assert scores.photos == 3
    assert scores.psnr == scores.gray_psnr == pytest.approx(expected, abs=1e-3)
    assert scores.chroma_ratio == pytest.approx(0, abs=1e-4)
    assert scores.recognized == scores.gray_recognized == scores.recovered == 0
    assert scores.psnr_gain == 0
    assert scores.intervals["psnr_gain"] == (0, 0)
    low, high = scores.intervals["psnr"]
    assert low < scores.psnr < high
    assert scores.intervals["gray_psnr"] == (low, high)
    similar = np.mean([ssim_by_skimage(gray_by_hand(truth), truth) for truth in truths])
    assert scores.ssim == scores.gray_ssim == pytest.approx(similar, abs=1e-4)
    colorful = np.mean([colorfulness_by_hand(truth) for truth in truths])
    assert scores.true_colorfulness == pytest.approx(colorful, abs=1e-3)
    assert scores.colorfulness == pytest.approx(0, abs=1e-3)
    assert scores.colorfulness_gap == pytest.approx(-colorful, abs=1e-3)
    assert scores.frechet == scores.gray_frechet > 0.01
    low, high = scores.intervals["frechet"]
    assert 0 <= low < scores.frechet < high


def test_a_colorizer_that_knows_the_truth_scores_best(classifier, photos):
    truths = {Image.open(path).size: Image.open(path) for path in photos}
    scores = evaluate(lambda gray: truths[gray.size], photos)
    assert scores.psnr == math.inf
    assert scores.chroma_ratio == pytest.approx(1, abs=1e-6)
    assert (scores.recognized, scores.gray_recognized, scores.recovered) == (1, 0, 1)
    assert scores.ssim == pytest.approx(1, abs=1e-6)
    assert scores.colorfulness_gap == 0
    assert scores.intervals["psnr"] == scores.intervals["psnr_gain"] == (math.inf, math.inf)
    assert scores.frechet == pytest.approx(0, abs=1e-9)
    assert scores.gray_frechet > 0.01


def test_a_colorizer_with_known_errors(classifier, photos):
    """One color for all: each figure worked out by hand, and one of three photos recognized."""
    color = np.full((16, 40, 3), (180, 60, 90), np.uint8)

    def colorize(gray: Image.Image) -> Image.Image:
        assert gray.mode == "RGB"
        return Image.fromarray(color[:, : gray.width]) if gray.width == 28 else gray

    scores = evaluate(colorize, photos)
    truths = [pixels(path) for path in photos]
    painted = [gray_by_hand(truth) for truth in truths]
    painted[1] = color[:, :28] / 255
    expected = np.mean([psnr_by_hand(a, b) for a, b in zip(painted, truths, strict=True)])
    ratio = sum(map(chroma_by_hand, painted)) / sum(map(chroma_by_hand, truths))
    assert scores.psnr == pytest.approx(expected, abs=1e-3)
    assert scores.chroma_ratio == pytest.approx(ratio, abs=1e-3)
    assert scores.recognized == scores.recovered == pytest.approx(1 / 3)
    assert scores.intervals["recognized"] == (0, 1)
    gain = [
        psnr_by_hand(a, b) - psnr_by_hand(gray_by_hand(b), b)
        for a, b in zip(painted, truths, strict=True)
    ]
    assert scores.psnr_gain == pytest.approx(np.mean(gain), abs=1e-3)
    similar = np.mean([ssim_by_skimage(a, b) for a, b in zip(painted, truths, strict=True)])
    assert scores.ssim == pytest.approx(similar, abs=1e-4)
    of_gray = np.mean([ssim_by_skimage(gray_by_hand(truth), truth) for truth in truths])
    assert scores.gray_ssim == pytest.approx(of_gray, abs=1e-4)
    colorful = np.mean([colorfulness_by_hand(image) for image in painted])
    assert scores.colorfulness == pytest.approx(colorful, abs=1e-3)
    assert scores.colorfulness_gap == pytest.approx(colorful - scores.true_colorfulness, abs=1e-3)
    assert 0 < scores.frechet != scores.gray_frechet


def test_the_figures_of_each_photo_have_the_means_that_are_reported(classifier, photos):
    scores = evaluate(lambda gray: gray.point(lambda value: value // 2), photos)
    assert [row["name"] for row in scores.by_photo] == [str(path) for path in photos]
    for name in ("psnr", "gray_psnr", "ssim", "gray_ssim", "colorfulness", "recognized"):
        assert np.mean([row[name] for row in scores.by_photo]) == pytest.approx(
            getattr(scores, name), abs=1e-9
        )
    truths = [pixels(path) for path in photos]
    assert [row["true_chroma"] for row in scores.by_photo] == pytest.approx(
        [chroma_by_hand(truth) for truth in truths], abs=1e-2
    )


def test_nothing_lost_is_nothing_to_recover(classifier, photos, monkeypatch):
    """0 / 0 is no figure, and 0 would read as a failure."""
    monkeypatch.setattr(Classifier, "classifier", lambda self, features: torch.tensor([[1.0]] * 3))
    scores = evaluate(lambda gray: gray, photos)
    assert (scores.recognized, scores.gray_recognized) == (1, 1)
    assert math.isnan(scores.recovered)
    assert "recovered" not in scores.intervals


def test_one_photo_is_scored_without_intervals(classifier, photos):
    scores = evaluate(lambda gray: gray, photos[:1])
    assert scores.photos == 1
    assert scores.intervals == {}
    assert math.isnan(scores.frechet)
    assert scores.psnr == pytest.approx(
        psnr_by_hand(gray_by_hand(pixels(photos[0])), pixels(photos[0])), abs=1e-3
    )


def paint(gray: Image.Image, hints: tuple = ()) -> Image.Image:
    """Each hint's color on its pixel."""
    result = gray.copy()
    for x, y, color in hints:
        result.putpixel((x, y), color)
    return result


def make_hints(photo: Image.Image, count: int, seed: int) -> list[tuple]:
    """The true colors of pixels from the left, one row down for each seed."""
    places = [(i % photo.width, seed + i // photo.width) for i in range(count)]
    return [(x, y, photo.getpixel((x, y))) for x, y in places]


def test_psnr_with_hints_is_of_the_picture_that_they_gave(classifier, photos):
    scores = evaluate(paint, photos, hints=(1, 50), make_hints=make_hints)
    for count in (1, 50):
        expected = []
        for index, path in enumerate(photos):
            truth = pixels(path)
            image = gray_by_hand(truth)
            for x, y, color in make_hints(Image.open(path), count, index):
                image[y, x] = np.array(color) / 255
            expected.append(psnr_by_hand(image, truth))
        assert scores.hinted_psnr[count] == pytest.approx(np.mean(expected), abs=1e-3)
        found = [row[f"psnr_{count}_hints"] for row in scores.by_photo]
        assert found == pytest.approx(expected, abs=1e-3)
        low, high = scores.intervals[f"psnr_{count}_hints"]
        assert low < scores.hinted_psnr[count] < high
    assert scores.psnr == scores.gray_psnr < scores.hinted_psnr[1] < scores.hinted_psnr[50]


def test_hints_come_from_the_library_unless_others_are_given(classifier, photos, monkeypatch):
    module = ModuleType("colorlab.hints")
    asked = []
    module.hints_from = lambda *args: asked.append(args[1:]) or make_hints(*args)
    monkeypatch.setitem(sys.modules, "colorlab.hints", module)
    evaluate(paint, photos, hints=(1, 5))
    assert asked == [(count, index) for index in range(3) for count in (1, 5)]


def test_without_hints_a_colorizer_is_given_none(classifier, photos):
    assert evaluate(lambda gray: gray, photos).hinted_psnr == {}


def test_a_number_of_hints_below_one_is_refused(classifier, photos):
    with pytest.raises(ValueError, match=r"at least 1, got \(5, 0\)"):
        evaluate(paint, photos, hints=(5, 0), make_hints=make_hints)


def test_a_gray_photo_is_refused_by_name(classifier, photos, tmp_path):
    """One would make the mean PSNR of gray infinite, and its chroma can't be divided by."""
    Image.new("L", (8, 8), 100).save(tmp_path / "g.png")
    with pytest.raises(ValueError, match=r"g\.png is a gray photo"):
        evaluate(lambda gray: gray, [*photos, tmp_path / "g.png"])


def test_a_photo_that_can_not_be_scored_is_named_and_others_scored(classifier, photos, tmp_path):
    Image.new("L", (8, 8), 100).save(tmp_path / "g.png")
    (tmp_path / "empty.jpg").touch()
    left_out = []
    some = [photos[0], tmp_path / "g.png", tmp_path / "empty.jpg", *photos[1:]]
    scores = evaluate(lambda gray: gray, some, left_out=left_out)
    assert scores.psnr == evaluate(lambda gray: gray, photos).psnr
    assert ["g.png is a gray photo" in left_out[0], "file is empty" in left_out[1]] == [True, True]
    with pytest.raises(ValueError, match=r"no photos to evaluate on: .*g\.png is a gray photo"):
        evaluate(lambda gray: gray, [tmp_path / "g.png"], left_out=[])


def test_no_photos_are_refused(classifier):
    with pytest.raises(ValueError, match="no photos"):
        evaluate(lambda gray: gray, [])


def test_a_result_of_another_size_is_refused(classifier, photos):
    with pytest.raises(ValueError, match=r"0\.png.*24 x 16.*8 x 8"):
        evaluate(lambda gray: gray.resize((8, 8)), photos)


def test_a_hinted_result_of_another_size_is_refused(classifier, photos):
    def colorize(gray, hints=()):
        return gray.resize((8, 8)) if hints else gray

    with pytest.raises(ValueError, match=r"0\.png.*24 x 16.*8 x 8"):
        evaluate(colorize, photos, hints=(1,), make_hints=make_hints)


def test_a_photo_too_small_for_ssim_is_refused_by_name(classifier, tmp_path):
    Image.new("RGB", (40, 10), (200, 30, 30)).save(tmp_path / "s.png")
    with pytest.raises(ValueError, match=r"s\.png is 40 x 10: too small"):
        evaluate(lambda gray: gray, [tmp_path / "s.png"])


class Predictions:
    """A colorizer whose coloring with seed k has a = k · 11, b = 0 in Lab units."""

    def predict(self, photo, seed=0):
        ab = torch.zeros(1, 2, 4, 4)
        ab[:, 0] = seed / 10
        return torch.zeros(1, 1, 4, 4), ab


def test_diversity_is_the_mean_distance_of_pairs(photos):
    # distances of 0, 11, 22: 11, 22 and 11
    assert diversity(Predictions(), photos, 3) == pytest.approx(44 / 3, rel=1e-5)


def test_diversity_of_one_prediction_is_zero(photos):
    class Deaf(Predictions):
        def predict(self, photo, seed=0):
            return super().predict(photo, 4)

    assert diversity(Deaf(), photos) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_diversity_needs_two_colorings(photos, count):
    with pytest.raises(ValueError, match="at least 2 colorings"):
        diversity(Predictions(), photos, count)
    with pytest.raises(ValueError, match="needs photos"):
        diversity(Predictions(), [], 5)
