"""What a lesson's widget puts into the notebook: the widget, and a picture of it.

A notebook server shows the widget. A page that runs nothing (a code host's viewer, a printed copy)
shows the picture that stands beside it in the same output.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from colorlab.show import font

VIEW = "application/vnd.jupyter.widget-view+json"
STILL_SIZE = 620  # pixels, the longer side: words in it stay readable


def encode_image(pixels: np.ndarray, kind: str = "jpeg", quality: int = 90) -> bytes:
    """uint8 (H, W, 3) -> the bytes of a "jpeg" (small and fast, for moving) or a "png" (exact).

    Smaller PNGs: "lines" has 64 colors, enough for lines and words; "palette" has 256, dithered,
    for what also holds photos.
    """
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    octree = Image.Quantize.FASTOCTREE
    if kind == "jpeg":
        # full color: it is what we look at
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
    elif kind == "png":
        image.save(buffer, "PNG", compress_level=6)
    elif kind == "lines":
        image.quantize(64, octree).save(buffer, "PNG", compress_level=6)
    elif kind == "palette":
        image.quantize(palette=image.quantize(256, octree)).save(buffer, "PNG", compress_level=9)
    else:
        raise ValueError(
            f'A picture is encoded as "jpeg", "png", "lines" or "palette", not {kind!r}.'
        )
    return buffer.getvalue()


def reduce(pixels: np.ndarray, largest: int) -> np.ndarray:
    """uint8 (H, W, 3) with no side longer than `largest`: reduced where it is, never enlarged."""
    height, width, _ = pixels.shape
    scale = largest / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)).copy()


def draw_label(pixels: np.ndarray, text: str, side: str = "left", size: int = 14) -> None:
    """Write white `text` on a dark tag into an upper corner of uint8 (H, W, 3), in place.

    `side` is "left" or "right". A tag that would cover more than half of the width is left out.
    """
    height, width, _ = pixels.shape
    letters = font(size)
    left, top, right, bottom = letters.getbbox(text)
    tag_width, tag_height = int(right) + 12, int(bottom) + 8
    if tag_width + 12 > width / 2 or tag_height + 12 > height:
        return
    x = 6 if side == "left" else width - 6 - tag_width
    tag = Image.fromarray((pixels[6 : 6 + tag_height, x : x + tag_width] * 0.35).astype(np.uint8))
    ImageDraw.Draw(tag).text((6, 3), text, fill="white", font=letters)
    pixels[6 : 6 + tag_height, x : x + tag_width] = np.asarray(tag)


def text_picture(text: str, width: int = 420) -> np.ndarray:
    """A few lines of dark text on a light ground, uint8 (H, W, 3)."""
    lines = text.splitlines()
    image = Image.new("RGB", (width, 24 + 22 * len(lines)), "#f4f4f4")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((14, 12 + 22 * number), line, fill="#222222", font=font(14))
    return np.asarray(image).copy()


def widget_bundle(widget: Any, pixels: np.ndarray, text: str, kind: str = "png") -> dict[str, Any]:
    """The display bundle of an ipywidgets `widget` with its picture and its text.

    `pixels`: uint8 (H, W, 3), for viewers that run nothing; `text`: for those without pictures.
    The picture is reduced, since it is saved in the notebook beside the widget's own; `kind` "png"
    or "palette", which is smaller where photos are in it.
    """
    still = encode_image(reduce(pixels, STILL_SIZE), kind)
    return {
        "text/plain": text,
        # As text: old kernels don't encode bytes that come in a bundle.
        "image/png": base64.b64encode(still).decode("ascii"),
        VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id},
    }


class Playable:
    """Base of the lessons' widgets: shown by standing last in a cell, or by ``display``.

    A subclass sets `box`, the ipywidgets object, and defines `picture` and `__repr__`. It holds a
    widget rather than being one, because ipywidgets 7 and 8 display theirs in different ways.
    `still` is how the picture beside it is encoded, see `widget_bundle`.
    """

    box: Any
    still = "png"

    def picture(self) -> np.ndarray:
        """What a viewer that runs nothing shows: uint8 (H, W, 3)."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return widget_bundle(self.box, self.picture(), repr(self), self.still)
