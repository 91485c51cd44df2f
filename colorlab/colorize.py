"""A trained generator put to work: a photo of any size in, the same photo in color out.

The network sees a reduced copy and predicts coarse ab. That is enough, because lightness holds
the detail: ab is brought to full size along the edges of the full-size L, and the photo's own L is
kept, so that the gray of the result is the gray that came in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from colorlab import hints as user_hints
from colorlab import palette
from colorlab.color import (
    denormalize_lab,
    fit_gamut,
    lab_to_rgb,
    lightness_to_gray,
    normalize_lab,
    rgb_to_lab,
)
from colorlab.devices import best_device
from colorlab.hints import Hint
from colorlab.palette import Suggestion
from colorlab.photos.files import open_layers, upright_layers
from colorlab.photos.layers import Layers
from colorlab.recipes.recipe import Recipe
from colorlab.sources.bundled import starter_weights
from colorlab.unet import colors_of
from colorlab.weights import load_weights

Photo = str | os.PathLike[str] | Image.Image | np.ndarray | Layers
GUIDED_RADIUS, GUIDED_EPSILON = 2, 1e-3  # of the filter that carries color to full size
STRIP = 256  # rows colored at a time: full-size Lab of a whole 12-megapixel photo is 150 MB a copy


class Colorizer:
    """Colors photos with a trained generator.

    Args:
        generator: as the recipe has it: L ``(B, 1, H, W)`` → ab ``(B, 2, H, W)``, or gray →
            RGB ``(B, 3, H, W)``, all in [-1, 1].
        recipe: what it was trained with; says at which size it saw photos.
        device: where it runs; the fastest there is when it is left out.
    """

    def __init__(
        self, generator: nn.Module, recipe: Recipe, device: torch.device | str | None = None
    ):
        self.recipe = recipe
        self.device = torch.device(device or best_device())
        self.generator = generator.eval().to(self.device)
        # The mean short side of the photos that it was trained on crops of.
        self.size = round(recipe.stages[-1].image_size * sum(recipe.data.scale) / 2)

    @classmethod
    def load(
        cls,
        weights: str | os.PathLike[str] | None = None,
        device: torch.device | str | None = None,
    ) -> Colorizer:
        """The colorizer in a weights file; the course's starter weights when it is left out.

        Raises:
            FileNotFoundError: no such file; of the starter weights, how to get them.
            colorlab.weights.WeightsError: not a generator written by colorlab, or damaged.
        """
        generator, recipe, _ = load_weights(starter_weights() if weights is None else weights)
        return cls(generator, recipe, device)

    @property
    def takes_hints(self) -> bool:
        """Whether the network takes the user's hints, and knows a distribution of colors."""
        return getattr(self.generator, "takes_hints", False)

    def colorize(
        self,
        photo: Photo,
        saturation: float = 1.0,
        seed: int = 0,
        *,
        hints: Iterable[Hint] = (),
        temperature: float | None = None,
        depth: int = 8,
    ) -> Image.Image | np.ndarray:
        """Color a photo.

        Args:
            photo: a path, a PIL image of any mode, a uint8 array ``(H, W)``, ``(H, W, 3)`` or
                ``(H, W, 4)``, or what ``layers_of`` makes of one. Colors that it has
                are not looked at, only its lightness.
            saturation: factor on the predicted chroma; 0 gives the gray picture.
            seed: of the noise, for a network that has some: another seed, another coloring.
            hints: places and the colors that they shall have, ``(x, y, color)`` each; see
                ``colorlab.hints.Hint``.
            temperature: color by the annealed mean of the distribution, from 0 (the likeliest
                color, vivid and patchy) to 1 (the mean, pale); see
                ``colorlab.palette.annealed_mean``. Left out: as the recipe has it.
            depth: bits of the result. The lightness of a photo of 16 bits is read in 16 bits; with
                16 they are also given back.

        Returns:
            A picture of the same size (upright, where EXIF says that it lay on its side), mode
            RGB, or RGBA with the photo's own alpha. Its L is the photo's up to 8-bit rounding:
            where sRGB has no such color, chroma gives way and L stays. With a depth of 16, which no
            mode of Pillow's has, the same as a uint16 array ``(H, W, 3)`` or ``(H, W, 4)``.

        Raises:
            colorlab.photos.PhotoError: a file that can't be read.
            colorlab.hints.HintError: a hint outside the photo, or one that is no color.
            TypeError, ValueError: not a photo, an array of another shape or dtype, a picture of
                0 pixels, a saturation that is negative or not finite, a temperature outside 0 to
                1, or hints or a temperature for weights that know none.
        """
        _check_saturation(saturation)
        layers = layers_of(photo)
        prediction = self._predict(layers, seed, hints, temperature)
        return self.finish(layers, *prediction, saturation, depth=depth)

    def finish(
        self,
        photo: Photo,
        lightness: Tensor,
        ab: Tensor,
        saturation: float = 1.0,
        *,
        depth: int = 8,
    ) -> Image.Image | np.ndarray:
        """The second half of ``colorize``: bring coarse colors to the photo's own size.

        Args:
            photo: as in ``colorize``.
            lightness, ab: as ``predict`` gives them, or changed since.
            saturation, depth: as in ``colorize``.

        Returns:
            As ``colorize``.

        Raises:
            colorlab.photos.PhotoError, TypeError, ValueError: as ``colorize``.
        """
        _check_saturation(saturation)
        layers = layers_of(photo)
        colored = _at_full_size(layers, lightness, ab, saturation, depth)
        if depth > 8:
            if layers.alpha is None:
                return colored
            return np.dstack([colored, np.asarray(layers.alpha).astype(np.uint16) * 257])
        result = Image.fromarray(colored)
        if layers.alpha is not None:
            result.putalpha(layers.alpha)
        return result

    def predict(
        self,
        photo: Photo,
        seed: int = 0,
        *,
        hints: Iterable[Hint] = (),
        temperature: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What the network itself sees and predicts, at its own size.

        Returns:
            L ``(1, 1, h, w)`` and ab ``(1, 2, h, w)``, both in [-1, 1], on the CPU. Of a network
            that predicts RGB, the ab.

        Raises:
            ValueError: hints or a temperature, for weights that know none; and as ``colorize``.
            colorlab.photos.PhotoError, colorlab.hints.HintError, TypeError: as ``colorize``.
        """
        return self._predict(layers_of(photo), seed, hints, temperature)

    @torch.inference_mode()
    def _predict(
        self, photo: Layers, seed: int, hints: Iterable[Hint], temperature: float | None
    ) -> tuple[Tensor, Tensor]:
        lightness, planes = self._seen(photo, hints)
        if temperature is None and planes is None:
            return lightness.cpu(), self._predict_ab(lightness, seed).cpu()
        if not self.takes_hints:
            raise ValueError(_KNOWS_NONE)
        ab = self.generator(lightness, planes, temperature=temperature)
        return lightness.cpu(), ab.float().cpu()

    @torch.inference_mode()
    def suggest(
        self, photo: Photo, x: int, y: int, count: int = 3, *, hints: Iterable[Hint] = ()
    ) -> list[Suggestion]:
        """The likeliest colors at pixel (x, y) of a photo, likeliest first, with their shares.

        Each is sRGB of the photo's own lightness there, ready to come back as a hint.

        Raises:
            colorlab.photos.PhotoError, colorlab.hints.HintError, TypeError: as ``colorize``.
            ValueError: a place outside the photo, or weights that take no hints.
        """
        layers = layers_of(photo)
        rgb = layers.rgb
        full = _lightness(rgb)
        here = user_hints.check_hints([(x, y, (128, 128, 128))], full)[0]  # refuses a place outside
        if not self.takes_hints:
            raise ValueError(_KNOWS_NONE)
        lightness, planes = self._seen(layers, hints)
        logits = self.generator(lightness, planes, both=True)[1][0]  # (261, h/4, w/4)
        height, width = logits.shape[1:]
        row, column = here.y * height // rgb.height, here.x * width // rgb.width
        return palette.top_colors(logits[:, row, column], float(full[here.y, here.x]), count)

    def _seen(self, photo: Layers, hints: Iterable[Hint]) -> tuple[Tensor, Tensor | None]:
        """L ``(1, 1, h, w)`` at the network's size and the planes of the hints, on the device."""
        rgb = photo.rgb
        height, width = network_size(rgb.height, rgb.width, self.size, stride_of(self.generator))
        lightness, _ = normalize_lab(rgb_to_lab(_reduced(photo, width, height)[None]))
        hints, planes = list(hints), None
        if hints:
            hints = user_hints.check_hints(hints, _lightness(rgb))
            planes = user_hints.lay(hints, (rgb.height, rgb.width), (height, width))
            planes = planes.to(self.device)
        return lightness.to(self.device), planes

    def _predict_ab(self, lightness: Tensor, seed: int) -> Tensor:
        """ab for L, both in [-1, 1]."""
        if self.recipe.generator.predicts == "ab":
            return colors_of(self.generator, lightness, seed)
        rgb = colors_of(self.generator, lightness_to_gray(lightness) * 2 - 1, seed)
        return normalize_lab(rgb_to_lab((rgb + 1) / 2))[1]


_KNOWS_NONE = (
    "these weights take no hints and know no distribution of colors; use the starter weights, or "
    "train with a recipe whose generator.kind is 'hint-unet'"
)


@torch.inference_mode()
def _at_full_size(
    photo: Layers, lightness: Tensor, ab: Tensor, saturation: float, depth: int
) -> np.ndarray:
    """The photo in color: coarse ab carried to its own size along the edges of its own L.

    The result is uint8 or uint16 ``(H, W, 3)``, by ``depth``.
    """
    slope, offset = guided_coefficients(lightness, ab)
    pixels = np.asarray(photo.rgb) if photo.deep is None else photo.deep
    height, width = pixels.shape[:2]
    out = np.empty((height, width, 3), np.uint16 if depth > 8 else np.uint8)
    for top in range(0, height, STRIP):
        strip = _strip(pixels[top : top + STRIP])
        lightness, _ = normalize_lab(rgb_to_lab(strip)[None])
        rows = (top, top + strip.shape[1])
        ab = _enlarge(slope, rows, height, width) * lightness
        ab = (ab + _enlarge(offset, rows, height, width)) * saturation
        colored = lab_to_rgb(fit_gamut(denormalize_lab(lightness, ab)))[0]
        if depth > 8:
            out[rows[0] : rows[1]] = (colored * 65535).round().movedim(0, -1).numpy()
        else:
            out[rows[0] : rows[1]] = (colored * 255).round().byte().movedim(0, -1).numpy()
    return out


def guided_coefficients(
    lightness: Tensor, ab: Tensor, radius: int = GUIDED_RADIUS, epsilon: float = GUIDED_EPSILON
) -> tuple[Tensor, Tensor]:
    """The local lines ab ≈ slope · L + offset that carry coarse ab to a larger L.

    He and Sun, "Fast Guided Filter" (arXiv:1505.00996), algorithm 2: fitted where the network
    predicted, averaged, and applied at full size, so that color stops where lightness has an edge.

    Args:
        lightness: ``(B, 1, h, w)``; ab: ``(B, 2, h, w)``.
        radius: windows of 2 · radius + 1 pixels.
        epsilon: an L variance far below this is smoothed over, one far above it is an edge.

    Returns:
        slope and offset, each ``(B, 2, h, w)``.
    """

    def mean(x: Tensor) -> Tensor:
        side = 2 * radius + 1
        return F.avg_pool2d(x, side, 1, radius, count_include_pad=False)

    mean_l, mean_ab = mean(lightness), mean(ab)
    covariance = mean(lightness * ab) - mean_l * mean_ab
    variance = (mean(lightness**2) - mean_l**2).clamp_min(0)
    slope = covariance / (variance + epsilon)
    return mean(slope), mean(mean_ab - slope * mean_l)


def network_size(height: int, width: int, size: int, stride: int) -> tuple[int, int]:
    """The height and width at which a network that saw photos of short side ``size`` gets one.

    About the photo's aspect ratio, both multiples of ``stride``; a panorama gets about the area of
    a 2 : 1 picture at most, so that its cost is bounded, and a thin strip is squeezed lengthwise.
    """
    area = 2 * size**2
    scale = min(size / min(height, width), (area / (height * width)) ** 0.5)
    longest = max(area / stride, stride)  # beside the shortest side there is
    sides = (min(side * scale, longest) for side in (height, width))
    return tuple(max(round(side / stride), 1) * stride for side in sides)


def stride_of(generator: nn.Module) -> int:
    """Height and width of what a generator is shown must be multiples of this."""
    return int(getattr(generator, "stride", 32))


def _enlarge(small: Tensor, rows: tuple[int, int], height: int, width: int) -> Tensor:
    """Rows ``rows[0]:rows[1]`` of ``small`` (B, C, h, w) enlarged bilinearly to (height, width)."""
    h = small.shape[2]
    # As F.interpolate(align_corners=False) places them: pixel centers at half integers.
    y = ((torch.arange(*rows) + 0.5) * h / height - 0.5).clamp(0, h - 1)
    above = y.floor().long()
    below = (above + 1).clamp_max(h - 1)
    share = (y - above)[:, None]
    wanted = small[:, :, above] * (1 - share) + small[:, :, below] * share
    return F.interpolate(wanted, size=(len(y), width), mode="bilinear", align_corners=False)


def _strip(pixels: np.ndarray) -> Tensor:
    """Rows of a photo -> what ``rgb_to_lab`` takes, ``(3, h, W)``."""
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, -1)
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(np.float32) / 65535
    return torch.from_numpy(np.array(pixels)).movedim(-1, 0)


def _reduced(photo: Layers, width: int, height: int) -> Tensor:
    """The photo at the network's size, as ``_strip`` gives it."""

    def small(image: Image.Image) -> np.ndarray:
        bicubic = Image.Resampling.BICUBIC
        return np.array(image.resize((width, height), bicubic, reducing_gap=3.0))

    if photo.deep is None:
        return _strip(small(photo.rgb))
    channels = photo.deep.reshape(*photo.deep.shape[:2], -1)
    some = [small(Image.fromarray(c.astype(np.float32))) for c in np.moveaxis(channels, -1, 0)]
    reduced = torch.from_numpy(np.stack(some)).div(65535).clamp(0, 1)
    return reduced.expand(3, -1, -1)


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).movedim(-1, 0)


def _lightness(rgb: Image.Image) -> Tensor:
    """L of every pixel, ``(H, W)``, 0 to 100."""
    return rgb_to_lab(_tensor(rgb))[0]


def _check_saturation(saturation: float) -> None:
    if not 0 <= saturation < float("inf"):
        raise ValueError(f"saturation must be 0 (gray), 1 (as predicted) or more: {saturation}")


def layers_of(photo: Photo) -> Layers:
    """The photo as an upright RGB picture, its alpha, and its sixteen bits where it has them.

    Raises:
        colorlab.photos.PhotoError: a file that can't be read.
        TypeError, ValueError: no photo, an array of another shape or dtype, a picture of 0 pixels.
    """
    if isinstance(photo, Layers):
        return photo
    if isinstance(photo, (str, os.PathLike)):
        return open_layers(Path(photo))
    if isinstance(photo, Image.Image):
        if 0 in photo.size:
            raise ValueError(f"the picture has no pixels: it is {photo.width} x {photo.height}")
        return upright_layers(photo)
    if not isinstance(photo, np.ndarray):
        raise TypeError(
            f"expected a path, a PIL image or a uint8 array, got {type(photo).__name__}"
        )
    if photo.dtype != np.uint8:
        raise TypeError(
            f"expected a uint8 array of values 0 to 255, got {photo.dtype}; for floats in [0, 1]: "
            f"(array * 255).round().astype('uint8')"
        )
    if photo.size == 0 or not (photo.ndim == 2 or (photo.ndim == 3 and photo.shape[2] in (3, 4))):
        raise ValueError(
            f"expected an array of shape (H, W), (H, W, 3) or (H, W, 4), got {photo.shape}; a "
            f"tensor's channels come first: array.transpose(1, 2, 0)"
        )
    return upright_layers(Image.fromarray(np.ascontiguousarray(photo)))
