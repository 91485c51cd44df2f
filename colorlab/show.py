"""Figures: photos side by side, always in the order gray input, ours, truth; and any figure with
its description, for a light page and a dark one.

A "picture" here is whatever a lesson has in its hands: a Pillow image, a NumPy array or a torch
tensor; gray or in color; uint8 in 0..255 or float in [0, 1]; channels last or first.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFont

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = ("gray input", "ours", "truth")
# Okabe and Ito, "Color Universal Design" (2008): distinct with any kind of color vision.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
INK = "#777777"  # 4.5 to 1 on white and 4.2 to 1 on JupyterLab's dark page
OVERSHOOT = 0.02  # rounding and resampling leave [0, 1] by no more than this
LETTER_WIDTH = 0.62  # of the size of the font, for a mix of letters
SMALLEST_TEXT = 5.0  # points
TALLEST = 1.25  # a row is at most this many times as tall as a column is wide


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of matplotlib's figures, ``size`` in pixels.

    It has the letters of most alphabets and all the signs of our texts, such as − and λ.
    """
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size)


def to_uint8(picture: Any) -> np.ndarray:
    """Any picture as a uint8 array (H, W, 3) in 0..255, a copy.

    Gray becomes three equal channels; alpha is laid over white; True and False become white and
    black; floats are rounded. An array of three rows and three channels counts as channels last.

    Raises:
        TypeError: what is no picture.
        ValueError: a shape or a range that can't be one.
    """
    if isinstance(picture, Image.Image):
        picture = np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))
    elif hasattr(picture, "detach"):  # a torch tensor, recognized without loading torch
        picture = picture.detach().cpu()
        picture = (picture if picture.dtype.itemsize == 1 else picture.float()).numpy()
    if not isinstance(picture, np.ndarray):
        raise TypeError(
            "A picture is a Pillow image, a NumPy array or a torch tensor, not "
            f"{type(picture).__name__}. A file is opened with colorlab.photos.open_photo(path)."
        )
    pixels = _levels(_channels_last(picture))
    if pixels.shape[-1] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        over_white = pixels[..., :3] * alpha + 255 * (255 - alpha)
        return ((over_white + 127) // 255).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels.copy()


def to_gray(photo: Any) -> np.ndarray:
    """The gray photo that the colorizer gets to see: uint8 (H, W, 3) with the photo's L, no ab.

    Not the mean of the channels and not the luma of a video signal: each pixel is the gray that
    has the same CIE lightness.
    """
    import torch

    from colorlab.color import lightness_to_gray, normalize_lab, rgb_to_lab

    rgb = torch.from_numpy(to_uint8(photo)).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    L, _ = normalize_lab(rgb_to_lab(rgb))
    return to_uint8(lightness_to_gray(L))


def photo_grid(
    rows: Sequence[Sequence[Any]],
    titles: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    across: int = 1,
    width: float = 9.0,
) -> Figure:
    """A figure of photos: each row one photo, its columns gray input, ours, truth.

    Args:
        rows: for each photo its pictures, in the order of ``titles``; sizes may differ.
        titles: one for each column; by default the first of "gray input", "ours", "truth".
        names: one for each photo, written below it; long ones are cut.
        across: how many photos stand beside each other.
        width: of the figure, in inches.

    Returns:
        The figure, closed for pyplot, so that a notebook shows it once.

    Raises:
        ValueError: the numbers of pictures, titles and names don't fit each other, or the columns
            are too narrow for titles that can be read.
    """
    # Not `Figure()`: pyplot is what makes a notebook's kernel draw figures as pictures.
    import matplotlib.pyplot as plt

    pictures, titles, names = _checked(rows, titles, names)
    if across < 1:
        raise ValueError(f"across is the number of photos in a line, 1 or more, not {across}.")
    columns, across = len(titles), min(across, len(pictures))
    lines = [pictures[i : i + across] for i in range(0, len(pictures), across)]

    # Everything in inches, so that text has the same size in a small and in a large figure.
    gap, group_gap, name_room = 0.06, 0.3, 0.28 if names else 0.0
    cell = (width - (across - 1) * group_gap - across * (columns - 1) * gap) / (across * columns)
    text_size = _title_size(titles, cell)
    title_lines = max(title.count("\n") + 1 for title in titles)
    title_room = 0.14 + title_lines * 1.25 * text_size / 72  # a point is 1/72 inch
    heights = [cell * min(TALLEST, _tallest(line)) for line in lines]
    height = title_room + sum(heights) + len(lines) * (gap + name_room)

    figure = plt.figure(figsize=(width, height))
    top = height - title_room
    for line_number, line in enumerate(lines):
        bottom = top - heights[line_number]
        for group, pictures in enumerate(line):
            left = group * (columns * (cell + gap) - gap + group_gap)
            for column, picture in enumerate(pictures):
                box = (left + column * (cell + gap), bottom, cell, heights[line_number])
                axes = figure.add_axes(
                    (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
                )
                axes.imshow(picture, interpolation="antialiased")
                axes.set_axis_off()
                axes.set_anchor("S" if names else "C")  # a name belongs close to its photo
                if line_number == 0:
                    x, y = (box[0] + cell / 2) / width, (top + 0.08) / height
                    figure.text(x, y, titles[column], ha="center", va="bottom", fontsize=text_size)
            if names:
                group_width = columns * (cell + gap) - gap
                name_size = min(text_size, 10.0)
                room = int(group_width / (LETTER_WIDTH * name_size / 72))
                x = (left + group_width / 2) / width
                figure.text(
                    x,
                    (bottom - 0.06) / height,
                    _cut(names[line_number * across + group], room),
                    ha="center",
                    va="top",
                    fontsize=name_size,
                    color="0.35",
                )
        top = bottom - name_room - gap
    plt.close(figure)
    return figure


def present(figure: Figure, alt: str) -> None:
    """Display a figure in the notebook with a description for those who can't see it.

    A chart is drawn without a background and with gray ink, so that it can be read on a light page
    and on a dark one. A figure that holds photos is a JPEG on white.

    Args:
        figure: any of matplotlib's; it is closed.
        alt: what the figure shows, in a sentence or two: its kind, its axes, what one should see.
            It becomes the alternative text of the output.

    Raises:
        ValueError: a description of fewer than 20 letters.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image as Output
    from IPython.display import display

    if len(alt.strip()) < 20:
        raise ValueError(f"the description {alt!r} is too short to stand for a figure")
    photos = any(axes.images for axes in figure.axes)
    if not photos:
        _ink(figure)
    file, kind = io.BytesIO(), "jpeg" if photos else "png"
    more = {"pil_kwargs": {"quality": 88}} if photos else {"transparent": True}
    figure.savefig(file, format=kind, bbox_inches="tight", **more)
    plt.close(figure)
    display(Output(file.getvalue(), format=kind, metadata={"alt": " ".join(alt.split())}))


def _ink(figure: Figure) -> None:
    """Everything that would be black becomes gray, and every legend transparent."""
    from matplotlib.colors import to_hex

    for part in figure.findobj(lambda part: hasattr(part, "set_color")):
        color = part.get_color() if hasattr(part, "get_color") else None
        if isinstance(color, str) and to_hex(color) == "#000000":
            part.set_color(INK)
    for axes in figure.axes:
        axes.tick_params(which="both", color=INK, labelcolor=INK)
        for spine in axes.spines.values():
            spine.set_edgecolor(INK)
        if legend := axes.get_legend():
            legend.get_frame().set_alpha(0)


def tiled(rows: Sequence[Any]) -> np.ndarray:
    """Rows of batches ``(B, 3, H, W)`` in [0, 1] as one picture, uint8 ``(rows·H, B·W, 3)``."""
    lines = [np.concatenate([to_uint8(picture) for picture in row.clamp(0, 1)], 1) for row in rows]
    return np.concatenate(lines, 0)


def _checked(
    rows: Sequence[Sequence[Any]], titles: Sequence[str] | None, names: Sequence[str] | None
) -> tuple[list[list[np.ndarray]], list[str], list[str]]:
    pictures = [[to_uint8(picture) for picture in row] for row in rows]
    if not pictures or not pictures[0]:
        raise ValueError("A grid needs at least one row with one picture: rows is empty.")
    columns = len(pictures[0])
    if titles is None:
        if columns > len(TITLES):
            raise ValueError(f"Give {columns} titles: only {len(TITLES)} columns have a default.")
        titles = TITLES[:columns]
    for number, row in enumerate(pictures):
        if len(row) != len(titles):
            raise ValueError(
                f"Row {number} has {len(row)} pictures for {len(titles)} titles {tuple(titles)}. "
                "A row is (gray input, ours, truth) of one photo."
            )
    if names is not None and len(names) != len(pictures):
        raise ValueError(f"{len(names)} names came for {len(pictures)} photos.")
    return pictures, list(titles), list(names or [])


def _title_size(titles: Sequence[str], cell: float) -> float:
    """The font size in points at which each title fits above a column ``cell`` inches wide."""
    letters = max(max(len(line) for line in title.split("\n")) for title in titles)
    size = min(12.0, cell * 72 / (LETTER_WIDTH * max(1, letters)))
    if size < SMALLEST_TEXT:
        raise ValueError(
            f"The columns are {cell:.2f} inches wide, too narrow for readable titles. "
            "Make width larger, across smaller or the titles shorter."
        )
    return size


def _tallest(line: list[list[np.ndarray]]) -> float:
    return max(picture.shape[0] / picture.shape[1] for pictures in line for picture in pictures)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(1, letters - 1)] + "…"


def _channels_last(picture: np.ndarray) -> np.ndarray:
    """(H, W), (C, H, W) or (H, W, C) -> (H, W, C) with C = 1, 3 or 4."""
    if picture.size == 0 or picture.ndim not in (2, 3):
        advice = "Take one picture out of the batch: batch[0]." if picture.ndim == 4 else ""
        raise ValueError(
            f"A picture has the shape (H, W), (H, W, 3) or (3, H, W), not {picture.shape}. "
            f"{advice}".rstrip()
        )
    if picture.ndim == 2:
        return picture[..., None]
    if picture.shape[-1] in (1, 3, 4):
        return picture
    if picture.shape[0] in (1, 3, 4):
        return np.moveaxis(picture, 0, -1)
    raise ValueError(
        f"Neither the first nor the last dimension of {picture.shape} is a number of channels "
        "(1, 3 or 4). Two channels are only ab: put L before them and call lab_to_rgb."
    )


def _levels(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is, bool and float in [0, 1] -> uint8."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "f":
        raise ValueError(
            f"A picture is uint8 or float, not {pixels.dtype}. If its numbers are 0 to 255, "
            "use .astype(np.uint8)."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("The picture holds NaN or infinite numbers; look where they come from.")
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        if low >= -1 - OVERSHOOT and high <= 1 + OVERSHOOT:
            cause = "In [-1, 1], as networks see it? Lab goes through denormalize_lab, lab_to_rgb."
        elif low >= 0 and high <= 255:
            cause = "If it is 0 to 255, divide by 255; if it is L of Lab, use lightness_to_gray."
        else:
            cause = "Is it Lab? lab_to_rgb makes it a picture."
        raise ValueError(f"A float picture is in [0, 1]; this one {low:.3g} to {high:.3g}. {cause}")
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
