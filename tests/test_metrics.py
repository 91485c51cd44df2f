"""colorlab.metrics: scores of colorizers whose right score is known."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorlab import encoders
from colorlab.metrics import Scores, diversity, evaluate, gray_of, psnr


class Judge(torch.nn.Module):
    """In EfficientNet-Lite0's place: the label is 1 for a picture with color, 0 for a gray one."""

    def classify(self, rgb: torch.Tensor) -> torch.Tensor:
        assert rgb.shape == (1, 3, 224, 224)
        assert rgb.min() >= 0 and rgb.max() <= 1
        spread = (rgb.amax(1) - rgb.amin(1)).mean()
        return torch.tensor([[0.05, spread]])


@pytest.fixture
def judged(monkeypatch):
    monkeypatch.setattr(encoders, "EfficientNetLite0", Judge)


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


def test_a_colorizer_that_does_nothing_scores_as_gray(judged, photos):
    scores = evaluate(lambda gray: gray, photos)
    truths = [pixels(path) for path in photos]
    expected = np.mean([psnr_by_hand(gray_by_hand(truth), truth) for truth in truths])
    assert scores.photos == 3
    assert scores.psnr == scores.gray_psnr == pytest.approx(expected, abs=1e-3)
    assert scores.chroma_ratio == pytest.approx(0, abs=1e-4)
    assert scores.recognized == scores.gray_recognized == 0


def test_a_colorizer_that_knows_the_truth_scores_best(judged, photos):
    shown = {Image.open(path).size: Image.open(path) for path in photos}
    scores = evaluate(lambda gray: shown[gray.size], photos)
    assert scores.psnr == math.inf
    assert scores.chroma_ratio == pytest.approx(1, abs=1e-6)
    assert (scores.recognized, scores.gray_recognized) == (1, 0)


def test_a_colorizer_with_known_errors(judged, photos):
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
    assert scores.recognized == pytest.approx(1 / 3)


def test_a_gray_photo_is_refused_by_name(judged, photos, tmp_path):
    """One would make the mean PSNR of gray infinite, and its chroma can't be divided by."""
    Image.new("L", (8, 8), 100).save(tmp_path / "g.png")
    with pytest.raises(ValueError, match=r"g\.png is a gray photo"):
        evaluate(lambda gray: gray, [*photos, tmp_path / "g.png"])


def test_no_photos_are_refused(judged):
    with pytest.raises(ValueError, match="no photos"):
        evaluate(lambda gray: gray, [])


def test_a_result_of_another_size_is_refused(judged, photos):
    with pytest.raises(ValueError, match=r"0\.png.*24 x 16.*8 x 8"):
        evaluate(lambda gray: gray.resize((8, 8)), photos)


def test_the_scores_as_printed():
    assert str(Scores(62, 24.061, 22.74, 0.966, 0.8387, 0.766)).splitlines() == [
        "photos                62",
        "PSNR                  24.06 dB (gray 22.74 dB, +1.32 dB)",
        "mean chroma / truth   0.97",
        "recognized as truth   83.9% (gray 76.6%)",
    ]


class Answers:
    """A colorizer whose coloring with seed k has a = k · 11, b = 0 in Lab units."""

    def predict(self, photo, seed=0):
        ab = torch.zeros(1, 2, 4, 4)
        ab[:, 0] = seed / 10
        return torch.zeros(1, 1, 4, 4), ab


def test_diversity_is_the_mean_distance_of_pairs(photos):
    # distances of 0, 11, 22: 11, 22 and 11
    assert diversity(Answers(), photos, 3) == pytest.approx(44 / 3, rel=1e-5)


def test_diversity_of_one_answer_is_zero(photos):
    class Deaf(Answers):
        def predict(self, photo, seed=0):
            return super().predict(photo, 4)

    assert diversity(Deaf(), photos) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_diversity_needs_two_colorings(photos, count):
    with pytest.raises(ValueError, match="at least 2 colorings"):
        diversity(Answers(), photos, count)
    with pytest.raises(ValueError, match="needs photos"):
        diversity(Answers(), [], 5)
