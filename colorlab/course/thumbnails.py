"""One small drawing a lesson, made by code from the bundled test photos: the course map shows them.

Each function in `DRAWINGS` fills an axes of `WIDTH` x `HEIGHT` units, rows running downward as in
a photo. None of them asks a trained network: they show what the lesson is about, not a result. All
photos are in the public domain or CC0, so that the map is under no photo's license (a test looks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from colorlab.photos.files import open_photo
from colorlab.show import BLUE, GREEN, ORANGE, to_gray, to_uint8
from colorlab.sources.bundled import data_dir

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 320, 240
PAPER, INK, FAINT = "#eceff3", "#22262b", "#5f6872"

SHEET = (
    "lemur", "european-honey-bee", "lincolnmemorial", "fish10",
    "chameleon", "horse-2", "brandenburggate", "kingfisher",
    "sheep", "canyondechelly", "jaguar", "windmill",
)  # fmt: skip


def _photo(name: str) -> Image.Image:
    """A bundled test photo by its name without the ending."""
    return open_photo(data_dir() / "photos" / "test" / f"{name}.jpg")


def fitted(
    picture: Any, width: float = WIDTH, height: float = HEIGHT, center: float = 0.5
) -> np.ndarray:
    """A picture of any kind, cut to the shape width : height and resized to uint8 (H, W, 3).

    `center`, 0 to 1, says which part stays of one that is too wide (left to right) or too tall.
    """
    image = Image.fromarray(to_uint8(picture))
    cut = ImageOps.fit(image, (round(width), round(height)), centering=(center, center))
    return np.array(cut)  # a copy: torch wants to be allowed to write


def _recolored(photo: np.ndarray, saturation: float, degrees: float = 0.0) -> np.ndarray:
    """The photo with its ab scaled and turned in the ab plane, as far as sRGB can show it."""
    import torch

    from colorlab.color import fit_gamut, lab_to_rgb

    L, a, b = _lab(photo)
    cos, sin = (saturation * f(np.deg2rad(degrees)) for f in (np.cos, np.sin))
    turned = torch.stack([L, cos * a - sin * b, sin * a + cos * b])
    return to_uint8(lab_to_rgb(fit_gamut(turned)))


def _lab(photo: np.ndarray):
    """uint8 (H, W, 3) -> Lab (3, H, W), a tensor."""
    import torch

    from colorlab.color import rgb_to_lab

    return rgb_to_lab(torch.from_numpy(photo).movedim(-1, 0))


# --- pens ----------------------------------------------------------------------------------------


def _place(axes: Axes, picture: np.ndarray, left: float, top: float, width: float, height: float):
    # Not "equal": imshow would give the whole thumbnail the picture's shape.
    axes.imshow(picture, extent=(left, left + width, top + height, top), aspect="auto", zorder=1)
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))


def _box(axes: Axes, left: float, top: float, width: float, height: float, **style: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), width, height, **{"linewidth": 0, "zorder": 2, **style}))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops={**style, "mutation_scale": 8})


def _write(axes: Axes, x: float, y: float, text: str, size: float = 9, **style: Any) -> None:
    style = {"ha": "center", "va": "center", "color": INK, "zorder": 5, **style}
    axes.text(x, y, text, fontsize=size, **style)


def _tag(axes: Axes, x: float, y: float, text: str, size: float = 9, **style: Any) -> None:
    """A word on a white label, readable on any photo."""
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.88}
    _write(axes, x, y, text, size, bbox=box, **style)


# --- the drawings --------------------------------------------------------------------------------


def _half_and_half(
    axes: Axes, photo: Any, left: float, top: float, width: int, height: int
) -> None:
    """A photo half gray and half in color, with a slider's handle between."""
    photo = fitted(photo, width, height)
    half = width // 2
    both = np.concatenate([to_gray(photo)[:, :half], photo[:, half:]], axis=1)
    _place(axes, both, left, top, width, height)
    x, y = left + half, top + height / 2
    axes.plot([x, x], [top, top + height], color="white", linewidth=1.8, zorder=2)
    axes.plot(x, y, "o", markersize=13, color="white", zorder=2)
    axes.plot(x - 5, y, "<", x + 5, y, ">", markersize=3, color=INK, zorder=3)


def _first_colors(axes: Axes, own: Any) -> None:
    photo = fitted(_photo("kingfisher"), center=0.15) if own is None else own
    _half_and_half(axes, photo, 0, 0, WIDTH, HEIGHT)


def _color_and_lab(axes: Axes, _: Any) -> None:
    import torch

    from colorlab.color import lab_to_rgb

    width = (WIDTH - 8) / 3
    L, a, b = _lab(fitted(_photo("fish25"), width, HEIGHT, 0.45))
    flat, none = 40 + L / 2, torch.zeros_like(L)  # shapes stay to be seen, with any color vision
    strips = {"L": (L, none, none), "a": (flat, a, none), "b": (flat, none, b)}
    for i, (name, lab) in enumerate(strips.items()):
        left = i * (width + 4)
        _place(axes, to_uint8(lab_to_rgb(torch.stack(lab))), left, 0, width, HEIGHT)
        _tag(axes, left + width / 2, HEIGHT - 24, name, 10, weight="bold")


def _photos_as_data(axes: Axes, _: Any) -> None:
    gap = 6
    width, height = (WIDTH - 5 * gap) / 4, (HEIGHT - 4 * gap) / 3
    for i, name in enumerate(SHEET):
        line, column = divmod(i, 4)
        left, top = gap + column * (width + gap), gap + line * (height + gap)
        _place(axes, fitted(_photo(name), round(width), round(height)), left, top, width, height)


def _unet(axes: Axes, _: Any) -> None:
    photo = fitted(_photo("tajmahal"), 64, 64)
    _place(axes, to_gray(photo), 8, 12, 64, 64)
    _place(axes, photo, WIDTH - 72, 12, 64, 64)
    # Level by level down, the maps get smaller (height) and have more channels (width).
    levels = ((82, 12, 10, 64), (98, 92, 15, 44), (118, 152, 22, 28), (142, 202, 36, 18))
    for i, (left, top, width, height) in enumerate(levels):
        if i == 3:
            _box(axes, left, top, width, height, color=INK)
            break
        right, y = WIDTH - left, top + height / 2
        _box(axes, left, top, width, height, color=BLUE)
        _box(axes, right - width, top, width, height, color=ORANGE)
        _arrow(axes, (left + width + 5, y), (right - width - 5, y), FAINT)
        x, below = left + width / 2, levels[i + 1]
        inner = below[0] + (9 if i == 2 else below[2] / 2), below[1] - 3
        _arrow(axes, (x, top + height + 4), inner, BLUE)
        _arrow(axes, (WIDTH - inner[0], inner[1]), (WIDTH - x, top + height + 4), ORANGE)
    _write(axes, WIDTH / 2, 32, "skip", 8.5, color=FAINT)


def _patchgan(axes: Axes, _: Any) -> None:
    import torch

    from colorlab.color import normalize_lab
    from colorlab.patchgan import PatchGAN, receptive_field

    photo = fitted(_photo("mysorepalace"))
    with torch.random.fork_rng(devices=[]):  # the learner's own random numbers stay as they are
        torch.manual_seed(0)
        discriminator = PatchGAN(base=8, norm="instance")
    with torch.no_grad():
        logits = discriminator(torch.cat(normalize_lab(_lab(photo)))[None])
    rows, columns = 6, 8
    coarse = torch.nn.functional.adaptive_avg_pool2d(logits, (rows, columns))[0, 0].numpy()

    _place(axes, photo, 0, 0, WIDTH, HEIGHT)
    field, cell = receptive_field(discriminator), 14
    left, top = 60 - field / 2, 100 - field / 2  # around the middle of the cell that it is tied to
    map_left, map_top = WIDTH - columns * cell - 16, HEIGHT - rows * cell - 16
    corner = map_left + 1 * cell, map_top + 2 * cell
    for y, end in ((top, corner[1]), (top + field, corner[1] + cell)):
        axes.plot([left + field, corner[0]], [y, end], color="white", linewidth=1.2, zorder=2)
    _box(axes, map_left - 4, map_top - 4, columns * cell + 8, rows * cell + 8, color="white")
    extent = (map_left, map_left + columns * cell, map_top + rows * cell, map_top)
    axes.imshow(coarse, cmap="cividis", extent=extent, aspect="auto", zorder=3)
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    for x, y, side in ((left, top, field), (*corner, cell)):
        _box(axes, x, y, side, side, fill=False, edgecolor=INK, linewidth=3, zorder=4)
        _box(axes, x, y, side, side, fill=False, edgecolor="white", linewidth=1.4, zorder=4)
    _tag(axes, left + field / 2, top + field + 20, f"{field} px", 8.5)


def _objectives(axes: Axes, _: Any) -> None:
    import torch

    from colorlab.losses import ADVERSARIAL

    def at(logit: Any, loss: Any) -> tuple[Any, Any]:
        return WIDTH / 2 + 54 * logit, HEIGHT - 46 - 44 * loss

    logits = torch.linspace(-2.6, 2.6, 105)
    axes.plot(*zip(at(-2.7, 0), at(2.7, 0), strict=True), color=FAINT, linewidth=0.8)
    curves = {
        "bce": ("BCE", BLUE, "-", at(-2.2, 1.45)),
        "lsgan": ("LSGAN", ORANGE, "--", at(0.0, 3.45)),
        "hinge": ("hinge", GREEN, "-.", at(-1.6, 3.55)),
    }
    for kind, (label, color, dashes, where) in curves.items():
        on_real, _on_fake, _generator = ADVERSARIAL[kind]
        x, y = at(logits, on_real(logits))
        axes.plot(x[y > 12], y[y > 12], dashes, color=color, linewidth=2.2, zorder=3)
        _write(axes, *where, label, 9, color=color, weight="bold")
    _write(axes, WIDTH / 2, HEIGHT - 24, "loss by logit of a real photo", 8.5, color=FAINT)


def _adversarial_training(axes: Axes, _: Any) -> None:
    width = (WIDTH - 8) / 3
    photo = fitted(_photo("european-honey-bee"), width, HEIGHT, 0.47)
    for i, saturation in enumerate((0.0, 0.4, 1.0)):
        _place(axes, _recolored(photo, saturation), i * (width + 4), 0, width, HEIGHT)


def _speed_and_scale(axes: Axes, _: Any) -> None:
    photo = fitted(_photo("horse-2"))
    width, height, gap = WIDTH // 2, HEIGHT // 2, 8
    for i in range(4):
        line, column = divmod(i, 2)
        tile = photo[line * height :, column * width :][:height, :width]
        left, top = gap + column * (width - gap / 2), gap + line * (height - gap / 2)
        _place(axes, tile, left, top, width - 1.5 * gap, height - 1.5 * gap)
        _tag(axes, left + (width - 1.5 * gap) / 2, top + 22, f"process {i}", 8.5)


def _better_generators(axes: Axes, _: Any) -> None:
    photo = fitted(_photo("bucket"), 158, 118)
    # Apart on the blue-yellow axis too, which every kind of color vision but the rarest sees.
    for i, degrees in enumerate((0, 310, 130, 210)):
        line, column = divmod(i, 2)
        _place(axes, _recolored(photo, 1.25, degrees), column * 162, line * 122, 158, 118)


def _measuring_color(axes: Axes, _: Any) -> None:
    photo = fitted(_photo("chameleon"), 143, 172, 0.4)
    _place(axes, _recolored(photo, 0.55, 65), 12, 12, 143, 172)
    _place(axes, photo, 165, 12, 143, 172)
    _write(axes, WIDTH / 2, 211, "real or fake?", 11, weight="bold")


def _ship_it(axes: Axes, own: Any) -> None:
    left, top, width, bar, height = 18, 14, 284, 34, 178
    outline = {"edgecolor": "#aab3bd", "facecolor": "white", "linewidth": 1.5, "zorder": 0.5}
    _box(axes, left, top, width, bar + height, **outline)
    for i in range(3):
        axes.plot(left + 16 + 15 * i, top + bar / 2, "o", markersize=4.5, color="#aab3bd", zorder=3)
    _box(axes, left + 66, top + 7, width - 78, bar - 14, color=PAPER)
    _write(axes, left + 76, top + bar / 2, "http://localhost", 7.5, color=FAINT, ha="left")
    photo = _photo("windmill13") if own is None else own
    _half_and_half(axes, photo, left, top + bar, width, height)


# In the order of the lessons.
DRAWINGS = (
    _first_colors,
    _color_and_lab,
    _photos_as_data,
    _unet,
    _patchgan,
    _objectives,
    _adversarial_training,
    _speed_and_scale,
    _better_generators,
    _measuring_color,
    _ship_it,
)
