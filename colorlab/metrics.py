"""How good the colors are, next to doing nothing: close to the truth, colorful, recognizable.

No one of these agrees with the eye. PSNR and SSIM punish a blue car that was red more than a gray
one; chroma and colorfulness reward any color; recognition asks whether an ImageNet network still
knows what it sees, as the VGG test of Zhang et al., "Colorful Image Colorization" (ECCV 2016),
section 3.1, does; the Fréchet distance asks how far the pictures as a set are from true ones.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorlab.color import chroma, denormalize_lab, rgb_to_lab
from colorlab.frechet import features_and_labels, frechet_distance
from colorlab.intervals import bootstrap, jackknife
from colorlab.photos.files import open_photo
from colorlab.scores import Scores, hinted_name
from colorlab.show import to_gray

if TYPE_CHECKING:
    from colorlab.colorize import Colorizer

HINT_COUNTS = (1, 5, 10, 50)
SSIM_WINDOW = 11  # pixels a side


def psnr(image: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of one picture in [0, 1] against another, any shape."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(image, truth, data_range=1.0).item()


def ssim(image: Tensor, truth: Tensor) -> float:
    """Structural similarity of one picture (3, H, W) in [0, 1] to another, 1 for equal ones.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity" (IEEE
    Transactions on Image Processing 13, 2004), section III: Gaussian windows of 11 × 11 pixels.
    Theirs is of gray pictures; here it is the mean of the three channels of sRGB. As in theirs,
    only windows that lie wholly in the picture count.

    Raises:
        ValueError: a side shorter than the window.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    _require_window(truth.shape[-1], truth.shape[-2], "the picture")
    # The mean that torchmetrics gives depends on its version: the border counts in the newer ones.
    _, windows = structural_similarity_index_measure(
        image[None], truth[None], data_range=1.0, return_full_image=True
    )
    border = SSIM_WINDOW // 2
    return windows[..., border:-border, border:-border].mean().item()


def colorfulness(rgb: Tensor) -> Tensor:
    """How colorful a picture looks: 0 for gray, about 15 slightly, 45 averagely, 82 highly so.

    Hasler and Süsstrunk, "Measuring colorfulness in natural images" (SPIE 5007, 2003), the
    metric M3: of sRGB in 0..255, rg = R - G and yb = (R + G) / 2 - B,

        sqrt(var rg + var yb) + 0.3 sqrt((mean rg)² + (mean yb)²).

    Args:
        rgb: (..., 3, H, W) float in [0, 1].

    Returns:
        (...) one number a picture.

    Raises:
        ValueError: another shape, whole numbers, or values that are 0..255.
    """
    _require_unit_rgb(rgb)
    red, green, blue = (rgb * 255).unbind(-3)
    opponents = torch.stack([red - green, (red + green) / 2 - blue])  # (2, ..., H, W): rg and yb
    variance, mean = torch.var_mean(opponents, dim=(-2, -1), correction=0)
    return variance.sum(0).sqrt() + 0.3 * mean.norm(dim=0)


def evaluate(
    colorize: Callable[..., Image.Image],
    paths: Iterable[str | os.PathLike[str]],
    progress: bool = False,
    hints: Sequence[int] = (),
    make_hints: Callable[[Image.Image, int, int], list[Any]] | None = None,
    left_out: list[str] | None = None,
) -> Scores:
    """Score a colorizer on color photos that it has not been trained on.

    Args:
        colorize: gray picture in, color picture out, such as ``Colorizer.load().colorize``.
        paths: color photos.
        hints: also color each photo with so many true colors as hints, as
            ``colorize(gray, hints=[...])``.
        make_hints: photo, count, seed -> hints; ``colorlab.hints.hints_from`` when it is left
            out. The seed is the photo's index.
        left_out: gets, in words, each photo that can't be read or scored, and the others are
            scored; None: the first of them raises.

    Raises:
        ValueError: no photos, or none that can be scored; a photo without color or too small for
            SSIM; a result of another size than the photo; or a number of hints below 1.
    """
    from tqdm.auto import tqdm

    from colorlab.encoders import EfficientNetLite0

    if hints and make_hints is None:
        from colorlab.hints import hints_from as make_hints
    if any(count < 1 for count in hints):
        raise ValueError(f"each number of hints must be at least 1, got {tuple(hints)}")
    classifier = EfficientNetLite0().eval()
    rows, features = [], []
    for index, path in enumerate(tqdm(list(paths), disable=not progress, desc="evaluate")):
        try:
            truth = open_photo(path)
            _require_scorable(truth, path)
        except ValueError as error:
            if left_out is None:
                raise
            left_out.append(str(error))
            continue
        gray = gray_of(truth)
        colored = _colored(colorize(gray), truth, path)
        pictures = torch.stack([colored, _unit(gray), _unit(truth)])
        seen, labels = features_and_labels(classifier, pictures)
        features.append(seen.numpy())
        rows.append({"name": os.fspath(path), **_measures(*pictures, *labels.tolist())})
        for count in hints:
            with warnings.catch_warnings():  # a pixel's lightness may not have its patch's color
                warnings.filterwarnings("ignore", "hint .*no screen shows")
                result = colorize(gray, hints=make_hints(truth, count, index))
            rows[-1][hinted_name(count)] = psnr(_colored(result, truth, path), pictures[2])
    if not rows:
        why = f": {left_out[0]}" if left_out else ""
        raise ValueError(f"there are no photos to evaluate on{why}")
    return _scores(rows, np.stack(features), hints)


def _measures(colored: Tensor, gray: Tensor, truth: Tensor, *labels: int) -> dict[str, float]:
    """The figures of one photo, from three pictures (3, H, W) in [0, 1] and their labels."""
    return {
        "psnr": psnr(colored, truth),
        "gray_psnr": psnr(gray, truth),
        "ssim": ssim(colored, truth),
        "gray_ssim": ssim(gray, truth),
        "chroma": _mean_chroma(colored),
        "true_chroma": _mean_chroma(truth),
        "colorfulness": colorfulness(colored).item(),
        "true_colorfulness": colorfulness(truth).item(),
        "recognized": int(labels[0] == labels[2]),
        "gray_recognized": int(labels[1] == labels[2]),
    }


def figures_of_means(means: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The figures of a set of photos, from the means of theirs."""
    lost = 1 - means["gray_recognized"]
    found = {name: mean for name, mean in means.items() if not name.endswith("chroma")}
    with np.errstate(divide="ignore", invalid="ignore"):
        recovered = (means["recognized"] - means["gray_recognized"]) / lost
    return found | {
        "psnr_gain": means["psnr"] - means["gray_psnr"],
        "chroma_ratio": means["chroma"] / means["true_chroma"],
        "colorfulness_gap": means["colorfulness"] - means["true_colorfulness"],
        "recovered": np.where(lost > 0, recovered, np.nan),
    }


def _scores(rows: list[dict[str, Any]], features: np.ndarray, hints: Sequence[int]) -> Scores:
    """Figures and intervals from one mapping a photo and features (N, 3, D): ours, gray, true."""
    names = [name for name in rows[0] if name != "name"]
    columns = {name: np.array([row[name] for row in rows], float) for name in names}
    figures = figures_of_means({name: column.mean() for name, column in columns.items()})
    intervals = bootstrap(columns, figures_of_means)
    *sides, true = features.swapaxes(0, 1)  # (N, 3, D) -> 3 x (N, D)
    for name, side in zip(("frechet", "gray_frechet"), sides, strict=True):
        figures[name] = frechet_distance(side, true) if len(rows) > 1 else np.nan
        if (ends := jackknife(frechet_distance, side, true)) is not None:
            intervals[name] = (max(ends[0], 0.0), ends[1])
    figures = {name: float(value) for name, value in figures.items()}
    hinted = {count: figures.pop(hinted_name(count)) for count in dict.fromkeys(hints)}
    return Scores(
        len(rows),
        **figures,
        hinted_psnr=hinted,
        intervals=intervals,
        by_photo=tuple(rows),
        features=features,
    )


def diversity(
    colorizer: Colorizer, paths: Iterable[str | os.PathLike[str]], count: int = 5
) -> float:
    """How far apart ``count`` colorings of one photo with different noise are.

    The distance of two colorings in the ab plane, in Lab units (about 2 can just be seen), the mean
    over pixels, over all pairs, and over the photos. 0 for a network that ignores its noise.

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
        predictions = [colorizer.predict(photo, seed) for seed in range(count)]
        colors = torch.cat([denormalize_lab(*prediction)[:, 1:] for prediction in predictions])
        pairs = torch.combinations(torch.arange(count))
        apart = (colors[pairs[:, 0]] - colors[pairs[:, 1]]).norm(dim=1)
        means.append(apart.mean().item())
    return sum(means) / len(means)


def gray_of(photo: Image.Image) -> Image.Image:
    """The gray picture (mode RGB) that has the photo's own L: what a colorizer gets."""
    return Image.fromarray(to_gray(photo))


def _unit(image: Image.Image) -> Tensor:
    """PIL picture -> (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).movedim(-1, 0).float() / 255


def _mean_chroma(rgb: Tensor) -> float:
    return chroma(rgb_to_lab(rgb)[1:]).mean().item()


def _colored(result: Image.Image, truth: Image.Image, path: str | os.PathLike[str]) -> Tensor:
    """What the colorizer gave, as (3, H, W) in [0, 1]."""
    if result.size != truth.size:
        raise ValueError(
            f"{path} is {truth.width} x {truth.height}, and came back from the colorizer as "
            f"{result.width} x {result.height}"
        )
    return _unit(result)


def _require_scorable(truth: Image.Image, path: str | os.PathLike[str]) -> None:
    if _mean_chroma(_unit(truth)) < 0.01:
        raise ValueError(f"{path} is a gray photo: without true colors there is no score")
    _require_window(truth.width, truth.height, os.fspath(path))


def _require_window(width: int, height: int, name: str) -> None:
    if min(width, height) < SSIM_WINDOW:
        raise ValueError(
            f"{name} is {width} x {height}: too small for SSIM, which compares windows of "
            f"{SSIM_WINDOW} x {SSIM_WINDOW} pixels"
        )


def _require_unit_rgb(rgb: Tensor) -> None:
    if rgb.ndim < 3 or rgb.shape[-3] != 3 or rgb[..., 0, :, :].numel() == 0:
        raise ValueError(f"expected pictures of shape (..., 3, H, W), got {tuple(rgb.shape)}")
    if not rgb.is_floating_point() or rgb.max() > 1.5:
        raise ValueError("expected float values in [0, 1]; if they are 0..255, use rgb / 255")
