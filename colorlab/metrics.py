"""How good the colors are, next to doing nothing: PSNR, chroma, and whether things are recognized.

No one of these agrees with the eye. PSNR punishes a blue car that was red more than a gray one;
chroma rewards any color; recognition asks whether an ImageNet network still knows what it sees, as
the VGG test of Zhang et al., "Colorful Image Colorization" (ECCV 2016), section 3.1, does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorlab.color import chroma, denormalize_lab, rgb_to_lab
from colorlab.photos import open_photo
from colorlab.show import to_gray

if TYPE_CHECKING:
    from colorlab.colorize import Colorizer


@dataclass(frozen=True)
class Scores:
    """Means over photos, of the colored picture and of the gray one, against the true colors.

    Attributes:
        photos: how many.
        psnr, gray_psnr: PSNR of sRGB in dB, a photo at a time, then averaged.
        chroma_ratio: mean chroma of the colored photos over that of the true ones.
        recognized, gray_recognized: share of photos to which EfficientNet-Lite0 gives the label
            that it gives the true photo.
    """

    photos: int
    psnr: float
    gray_psnr: float
    chroma_ratio: float
    recognized: float
    gray_recognized: float

    def __str__(self) -> str:
        gain = self.psnr - self.gray_psnr
        rows = (
            ("photos", f"{self.photos}"),
            ("PSNR", f"{self.psnr:.2f} dB (gray {self.gray_psnr:.2f} dB, {gain:+.2f} dB)"),
            ("mean chroma / truth", f"{self.chroma_ratio:.2f}"),
            ("recognized as truth", f"{self.recognized:.1%} (gray {self.gray_recognized:.1%})"),
        )
        return "\n".join(f"{name:<22}{value}" for name, value in rows)


def psnr(image: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of one picture in [0, 1] against another, any shape."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(image, truth, data_range=1.0).item()


def evaluate(
    colorize: Callable[[Image.Image], Image.Image],
    paths: Iterable[str | os.PathLike[str]],
    progress: bool = False,
) -> Scores:
    """Score a colorizer on color photos that it has not been trained on.

    Args:
        colorize: gray picture in, color picture out, such as ``Colorizer.load().colorize``.
        paths: color photos.

    Raises:
        ValueError: no photos, a photo without color, or a result of another size than the photo.
    """
    from tqdm.auto import tqdm

    from colorlab.encoders import EfficientNetLite0

    judge = EfficientNetLite0().eval()
    rows = []
    for path in tqdm(list(paths), disable=not progress, desc="evaluate"):
        truth = open_photo(path)
        gray = gray_of(truth)
        result = colorize(gray)
        if result.size != truth.size:
            raise ValueError(
                f"{path} is {truth.width} x {truth.height}, and came back from the colorizer as "
                f"{result.width} x {result.height}"
            )
        pictures = [_unit(picture) for picture in (result, gray, truth)]
        colored, plain, true = pictures
        if _mean_chroma(true) < 0.01:
            raise ValueError(f"{path} is a gray photo: without true colors there is no score")
        labels = [_label(judge, picture) for picture in pictures]
        rows.append(
            (
                psnr(colored, true),
                psnr(plain, true),
                _mean_chroma(colored),
                _mean_chroma(true),
                labels[0] == labels[2],
                labels[1] == labels[2],
            )
        )
    if not rows:
        raise ValueError("there are no photos to evaluate on")
    ours, grays, chroma_ours, chroma_true, known, gray_known = np.mean(rows, axis=0).tolist()
    return Scores(len(rows), ours, grays, chroma_ours / chroma_true, known, gray_known)


def diversity(
    colorizer: Colorizer, paths: Iterable[str | os.PathLike[str]], count: int = 5
) -> float:
    """How far apart ``count`` colorings of one photo with different noise are: the distance of
    two colorings in the ab plane, in Lab units (about 2 can just be seen), the mean over pixels,
    over all pairs, and over the photos. 0 for a network that ignores its noise.

    Zhu et al., "Toward Multimodal Image-to-Image Translation" (NIPS 2017), section 4, measure
    LPIPS between pairs likewise; Lab needs no second network.

    Raises:
        ValueError: no photos, or fewer than two colorings.
    """
    paths = list(paths)
    if not paths or count < 2:
        raise ValueError(f"needs photos and at least 2 colorings, got {len(paths)} and {count}")
    means = []
    for path in paths:
        photo = open_photo(path)
        answers = [colorizer.predict(photo, seed) for seed in range(count)]
        colors = torch.cat([denormalize_lab(*answer)[:, 1:] for answer in answers])
        pairs = torch.combinations(torch.arange(count))
        apart = (colors[pairs[:, 0]] - colors[pairs[:, 1]]).norm(dim=1)
        means.append(apart.mean().item())
    return sum(means) / len(means)


def gray_of(photo: Image.Image) -> Image.Image:
    """The gray picture (mode RGB) that has the photo's own L: what a colorizer is given."""
    return Image.fromarray(to_gray(photo))


def _unit(image: Image.Image) -> Tensor:
    """PIL picture -> (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).movedim(-1, 0).float() / 255


def _mean_chroma(rgb: Tensor) -> float:
    return chroma(rgb_to_lab(rgb)[1:]).mean().item()


@torch.inference_mode()
def _label(judge: torch.nn.Module, rgb: Tensor) -> int:
    """The label for a picture (3, H, W), shown at 224 × 224 as the network was trained."""
    shown = torch.nn.functional.interpolate(
        rgb[None], size=(224, 224), mode="bicubic", antialias=True, align_corners=False
    )
    return int(judge.classify(shown.clamp(0, 1)).argmax())
