"""colorlab.training.inputs: against scikit-image's Lab and Pillow's gray."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorlab.training.inputs import gray_prediction, inputs_and_target, picture

PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
GRAYS = np.stack([np.asarray(Image.fromarray(photo).convert("L")) for photo in PHOTOS])


def batch(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 1)


RGB = batch(PHOTOS)
WITH_GRAY = torch.cat([batch(GRAYS[..., None]), RGB], 1)


def test_photos_to_lightness_and_ab():
    inputs, truth = inputs_and_target(RGB, "rgb", "ab")
    wanted = np.stack([rgb2lab(photo) for photo in PHOTOS])
    np.testing.assert_allclose((inputs[:, 0] + 1) * 50, wanted[..., 0], atol=2e-3)
    np.testing.assert_allclose(truth.movedim(1, -1) * 110, wanted[..., 1:], atol=6e-3)


def test_a_gray_file_gives_the_lightness_it_has_and_the_photo_the_colors():
    inputs, truth = inputs_and_target(WITH_GRAY, "gray+rgb", "ab")
    gray = np.repeat(GRAYS[..., None], 3, axis=-1)
    wanted = np.stack([rgb2lab(photo)[..., 0] for photo in gray])
    np.testing.assert_allclose((inputs[:, 0] + 1) * 50, wanted, atol=2e-3)
    torch.testing.assert_close(truth, inputs_and_target(RGB, "rgb", "ab")[1])


def test_photos_to_pillows_gray_and_rgb():
    inputs, truth = inputs_and_target(RGB, "rgb", "rgb")
    assert np.abs((inputs[:, 0].numpy() + 1) * 127.5 - GRAYS).max() <= 0.51  # Pillow rounds
    np.testing.assert_allclose((truth.movedim(1, -1) + 1) * 127.5, PHOTOS, atol=1e-4)


def test_a_gray_file_is_taken_as_it_is():
    inputs, truth = inputs_and_target(WITH_GRAY, "gray+rgb", "rgb")
    np.testing.assert_allclose((inputs[:, 0] + 1) * 127.5, GRAYS, atol=1e-4)
    torch.testing.assert_close(truth, inputs_and_target(RGB, "rgb", "rgb")[1])


def test_8_bit_lab_is_lab_scaled():
    """OpenCV's 8-bit form: L · 255 / 100, a + 128, b + 128."""
    lab = torch.tensor([51, 128 + 20, 128 - 30], dtype=torch.uint8).view(1, 3, 1, 1)
    inputs, truth = inputs_and_target(lab, "lab8", "ab")
    assert inputs.item() == pytest.approx(20 / 50 - 1, abs=1e-6)
    assert truth.flatten().tolist() == pytest.approx([20 / 110, -30 / 110], abs=1e-6)


def test_8_bit_lab_to_rgb():
    lab = np.stack([rgb2lab(photo) for photo in PHOTOS])
    coded = np.round(lab * [2.55, 1, 1] + [0, 128, 128]).clip(0, 255).astype(np.uint8)
    _, truth = inputs_and_target(batch(coded), "lab8", "rgb")
    error = np.abs((truth.movedim(1, -1).numpy() + 1) * 127.5 - PHOTOS)
    assert error.mean() < 2  # what rounding Lab to whole numbers costs


@pytest.mark.parametrize("predicts", ["ab", "rgb"])
def test_the_target_is_the_photo(predicts):
    inputs, truth = inputs_and_target(RGB, "rgb", predicts)
    np.testing.assert_allclose(
        picture(inputs, truth, predicts).movedim(1, -1) * 255, PHOTOS, atol=0.05
    )


@pytest.mark.parametrize("predicts", ["ab", "rgb"])
def test_the_gray_prediction_is_gray(predicts):
    inputs, truth = inputs_and_target(RGB, "rgb", predicts)
    prediction = gray_prediction(inputs, predicts)
    assert prediction.shape == truth.shape
    gray = picture(inputs, prediction, predicts)
    assert (gray.amax(1) - gray.amin(1)).max() < 1e-3


@pytest.mark.parametrize("holds", ["rgb", "gray+rgb", "lab8"])
def test_a_batch_of_another_form_is_refused(holds):
    with pytest.raises(ValueError, match=r"photos is \(B, [34], H, W\), got \(2, 2, 8, 6\)"):
        inputs_and_target(RGB[:, :2], holds, "ab")
