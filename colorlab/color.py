"""sRGB to CIE Lab and back: batched, differentiable, on any device.

A photo stores three numbers a pixel that say how bright three lamps shine. Lab says instead how
light the pixel is (L, 0 black to 100 white) and which color it has (a: green to red, b: blue to
yellow). To colorize a gray photo is to keep L and to find a and b.

    sRGB  --decode-->  linear RGB  --matrix-->  XYZ / white  --cube root-->  f  --differences--> Lab
    [0, 1]             [0, 1]                   [0, 1]                       [4/29, 1]

Sources: IEC 61966-2-1:1999, sections 5.2 and 5.3 (sRGB); CIE 15:2004, section 8.2.1 (Lab).
Illuminant D65, 2 degree observer.
"""

from collections.abc import Callable

import torch
from torch import Tensor

# IEC 61966-2-1 prints this matrix with four digits. The six digits that color libraries use
# (scikit-image among them) are taken here; four would move Lab by up to 0.02.
RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
XYZ_TO_RGB = torch.tensor(RGB_TO_XYZ, dtype=torch.float64, device="cpu").inverse().tolist()
WHITE = (0.95047, 1.0, 1.08883)  # D65; (1, 1, 1) through the matrix differs by 7e-5 from it

# Below the knees the curves are straight lines, so that no slope is infinite at black.
SRGB_KNEE = 0.04045
LINEAR_KNEE = ((SRGB_KNEE + 0.055) / 1.055) ** 2.4  # the standard rounds it to 0.0031308
LINEAR_SLOPE = 12.92
F_KNEE = 6 / 29
XYZ_KNEE = F_KNEE**3
F_SLOPE = 1 / (3 * F_KNEE**2)

# How networks see Lab: L / 50 - 1 and ab / 110. No other module knows these two numbers.
L_HALF_RANGE = 50.0
AB_RANGE = 110.0

HALF_8BIT_STEP = 0.5 / 255
TILE_PIXELS = 65536  # a few float32 images of 256 x 256 fit into a processor's cache


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB images to CIE Lab.

    Args:
        rgb: (..., 3, H, W), uint8 in 0..255 or float in [0, 1]. A little overshoot (from
            resampling, say) is converted as it is.

    Returns:
        (..., 3, H, W): L in 0..100, a and b in CIE units (about -86..98 and -108..94 for sRGB).
        float64 if ``rgb`` is float64, else float32. Differentiable everywhere, black included.

    Raises:
        TypeError: not a tensor, or a dtype other than uint8 or float.
        ValueError: not three channels at dimension -3, or float values far outside [0, 1]
            (looked at on the CPU only: elsewhere it would make the device wait).
    """
    rgb = _checked(rgb, "rgb", 3)
    if rgb.dtype == torch.uint8:
        return _in_tiles(lambda tile: _linear_to_lab(_decode(tile.float() / 255)), rgb)
    _require_unit_range(rgb)
    return _in_tiles(lambda tile: _linear_to_lab(_decode(tile)), rgb)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert CIE Lab images to sRGB; what sRGB cannot show is clipped in linear RGB.

    Args:
        lab: (..., 3, H, W) float: L in 0..100, a and b in CIE units. Any finite values will do.

    Returns:
        (..., 3, H, W) in [0, 1]; float64 if ``lab`` is float64, else float32. A clipped channel has
        gradient zero, all others are finite. ``gamut_fraction`` counts how much was not clipped.

    Raises:
        TypeError: not a tensor, or not a float dtype.
        ValueError: not three channels at dimension -3.
    """
    lab = _checked(lab, "lab", 3)
    return _in_tiles(lambda tile: _encode(_lab_to_linear(tile)).clamp(0, 1), lab)


# Four curves, one pattern: a power from the knee up, a straight line below. `high` is the value
# above the knee and the knee below it, so the power keeps a finite slope there, and the line's term
# is zero above. (`torch.where` on two branches would do too, but on a CPU it is the slowest step.)
# The two pieces of the sRGB standard miss each other by 2e-9 at the knee; here they meet.
# Steps such as `div_` write into the temporary just made, which saves passes through memory.


def _decode(rgb: Tensor) -> Tensor:
    """sRGB value -> linear light (IEC 61966-2-1, 5.2)."""
    high = rgb.clamp(min=SRGB_KNEE)
    return _power((high + 0.055).div_(1.055), 2.4).add(rgb - high, alpha=1 / LINEAR_SLOPE)


def _encode(linear: Tensor) -> Tensor:
    """Linear light -> sRGB value (IEC 61966-2-1, 5.3)."""
    high = linear.clamp(min=LINEAR_KNEE)
    return (1.055 * _power(high, 1 / 2.4) - 0.055).add(linear - high, alpha=LINEAR_SLOPE)


def _cube_root(t: Tensor) -> Tensor:
    """The function f of CIE 15:2004: a cube root with its tangent near zero."""
    high = t.clamp(min=XYZ_KNEE)
    return _power(high, 1 / 3).add(t - high, alpha=F_SLOPE)


def _cube(f: Tensor) -> Tensor:
    """The inverse of ``_cube_root``."""
    f = f.clamp(-10, 10)  # no color comes near this; it keeps the cube from overflowing
    high = f.clamp(min=F_KNEE)
    return (high * high * high).add(f - high, alpha=1 / F_SLOPE)


def _power(base: Tensor, exponent: float) -> Tensor:
    """base ** exponent for base > 0, in half the time on a CPU."""
    return torch.log2(base).mul_(exponent).exp2_()


def _linear_to_lab(rgb: Tensor) -> Tensor:
    """Linear RGB (..., 3, H, W) -> Lab (..., 3, H, W)."""
    to_xyz = [[m / white for m in row] for row, white in zip(RGB_TO_XYZ, WHITE, strict=True)]
    x, y, z = _cube_root(_matrix(to_xyz, rgb)).unbind(-3)
    return torch.stack([(116 * y).sub_(16), (x - y).mul_(500), (y - z).mul_(200)], dim=-3)


def _lab_to_linear(lab: Tensor) -> Tensor:
    """Lab (..., 3, H, W) -> linear RGB (..., 3, H, W), not clipped."""
    L, a, b = lab.unbind(-3)
    y = (L + 16) / 116
    xyz = _cube(torch.stack([y + a / 500, y, y - b / 200], dim=-3))
    return _matrix([[m * w for m, w in zip(row, WHITE, strict=True)] for row in XYZ_TO_RGB], xyz)


def _matrix(matrix: list[list[float]], image: Tensor) -> Tensor:
    """Multiply each pixel's three channels, at dimension -3, by a 3 x 3 matrix.

    Written as sums because a matrix product may run in bfloat16 or TF32 (under autocast, on a GPU),
    which is too coarse for color.
    """
    one, two, three = image.unbind(-3)
    rows = [(m[0] * one).add_(two, alpha=m[1]).add_(three, alpha=m[2]) for m in matrix]
    return torch.stack(rows, dim=-3)


def normalize_lab(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Split Lab into what a network reads and what it predicts, both about [-1, 1].

    Args:
        lab: (..., 3, H, W) float, in CIE units.

    Returns:
        L / 50 - 1, (..., 1, H, W), and ab / 110, (..., 2, H, W).

    Raises:
        TypeError, ValueError: as ``lab_to_rgb`` does.
    """
    lab = _checked(lab, "lab", 3)
    return lab[..., :1, :, :] / L_HALF_RANGE - 1, lab[..., 1:, :, :] / AB_RANGE


def denormalize_lab(L: Tensor, ab: Tensor) -> Tensor:
    """Undo ``normalize_lab``.

    Args:
        L: (..., 1, H, W) float, about [-1, 1].
        ab: (..., 2, H, W) float, about [-1, 1].

    Returns:
        Lab (..., 3, H, W) in CIE units.

    Raises:
        TypeError, ValueError: as ``lab_to_rgb`` does.
        ValueError: the sizes differ.
    """
    L, ab = _checked(L, "L", 1), _checked(ab, "ab", 2)
    if L.shape[:-3] + L.shape[-2:] != ab.shape[:-3] + ab.shape[-2:]:
        raise ValueError(
            f"L and ab must belong to the same images, but L is {tuple(L.shape)} and ab is "
            f"{tuple(ab.shape)}. Only the channel dimension (-3) may differ: 1 for L, 2 for ab."
        )
    return torch.cat([(L + 1) * L_HALF_RANGE, ab * AB_RANGE], dim=-3)


@torch.no_grad()
def in_gamut(lab: Tensor, tolerance: float = HALF_8BIT_STEP) -> Tensor:
    """Say of each pixel whether sRGB can show it.

    Args:
        lab: (..., 3, H, W) float, in CIE units.
        tolerance: how far outside [0, 1] an sRGB channel may lie and still count as inside. The
            default is half an 8-bit step: such a color looks the same after clipping.

    Returns:
        (..., H, W), bool.

    Raises:
        TypeError, ValueError: as ``lab_to_rgb`` does.
    """
    rgb = _in_tiles(lambda tile: _encode(_lab_to_linear(tile)), _checked(lab, "lab", 3))
    return ((rgb >= -tolerance) & (rgb <= 1 + tolerance)).all(dim=-3)


@torch.no_grad()
def gamut_fraction(lab: Tensor, tolerance: float = HALF_8BIT_STEP) -> Tensor:
    """Say which part of each image's pixels sRGB can show; arguments and errors of ``in_gamut``.

    Returns:
        (...) one number in [0, 1] an image, a count and so without gradient.
    """
    inside = in_gamut(lab, tolerance)
    kind = torch.float64 if lab.dtype == torch.float64 else torch.float32
    return inside.to(kind).mean(dim=(-2, -1))


@torch.no_grad()
def fit_gamut(lab: Tensor) -> Tensor:
    """Bring colors that sRGB cannot show into its gamut by lowering only chroma.

    Clipping in RGB, which ``lab_to_rgb`` does, also moves lightness and hue. Here a color outside
    is drawn toward the gray of its own L until sRGB can show it: the largest share of its a and b
    that fits, found by bisection to 1 part in 1000. Colors inside stay exactly as they are.

    Args:
        lab: (..., 3, H, W) float, in CIE units; L outside 0..100 is brought to the nearer end.

    Returns:
        (..., 3, H, W) of the same dtype, without gradient.

    Raises:
        TypeError, ValueError: as ``lab_to_rgb`` does.
    """
    lab = _checked(lab, "lab", 3)
    colors = lab.movedim(-3, 0).flatten(1).clone()  # (..., 3, H, W) -> (3, pixels)
    colors[0].clamp_(0, 100)

    def inside(some: Tensor) -> Tensor:  # (3, n) -> (n,)
        return in_gamut(some[:, :, None])[..., 0]

    outside = ~inside(colors)
    L, ab = colors[:1, outside], colors[1:, outside]
    low, high = torch.zeros_like(L), torch.ones_like(L)
    for _ in range(10):
        middle = (low + high) / 2
        fits = inside(torch.cat([L, ab * middle]))
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    colors[1:, outside] = ab * low
    return colors.unflatten(1, lab.movedim(-3, 0).shape[1:]).movedim(0, -3)


def lightness_to_gray(L: Tensor) -> Tensor:
    """Show lightness as a gray picture: the sRGB gray that has exactly this L.

    Args:
        L: (..., 1, H, W) float, normalized as by ``normalize_lab``.

    Returns:
        (..., 1, H, W) in [0, 1], differentiable.

    Raises:
        TypeError, ValueError: as ``lab_to_rgb`` does.
    """
    f = ((_checked(L, "L", 1) + 1) * L_HALF_RANGE + 16) / 116
    return _encode(_cube(f)).clamp(0, 1)


def chroma(ab: Tensor) -> Tensor:
    """Measure how colorful each pixel is: its distance from gray in the ab plane.

    Source: CIE 15:2004, section 8.2.1. The gradient at gray, where a root has none, is zero.

    Args:
        ab: (..., 2, H, W) float, in CIE units.

    Returns:
        (..., H, W), in CIE units, at least 0.

    Raises:
        TypeError, ValueError: as ``lab_to_rgb`` does.
    """
    return torch.linalg.vector_norm(_checked(ab, "ab", 2), dim=-3)


def lab8_to_lab(lab8: Tensor) -> Tensor:
    """Bring OpenCV's 8-bit Lab into CIE units.

    Args:
        lab8: (..., 3, H, W) uint8.

    Returns:
        (..., 3, H, W) float32: L 0..100, a and b -128..127.

    Raises:
        TypeError: another dtype.
        ValueError: another number of channels.
    """
    if lab8.dtype != torch.uint8:
        raise TypeError(f"lab8 must be uint8 (8-bit Lab), but its dtype is {lab8.dtype}.")
    L, a, b = _lab_channels(lab8.float())
    return torch.stack([L * (100 / 255), a - 128, b - 128], dim=-3)


def lab_to_lab8(lab: Tensor) -> Tensor:
    """Bring Lab into OpenCV's 8 bits, rounded and clamped to 0..255; all colors of sRGB fit.

    Args:
        lab: (..., 3, H, W) float, in CIE units.

    Returns:
        (..., 3, H, W) uint8.

    Raises:
        TypeError: another dtype.
        ValueError: other channels.
    """
    if not lab.is_floating_point():
        raise TypeError(f"lab must be float (CIE units), but its dtype is {lab.dtype}.")
    L, a, b = _lab_channels(lab)
    scaled = torch.stack([L * (255 / 100), a + 128, b + 128], dim=-3)
    return scaled.round().clamp(0, 255).to(torch.uint8)


def _in_tiles(convert: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Apply a pixelwise (..., 3, H, W) -> (..., 3, H, W) conversion, on a CPU tile by tile.

    A conversion is some forty light steps, which wait for memory unless their pixels stay in the
    processor's cache; and so a large photo needs no large temporaries.
    """
    tracked = image.requires_grad and torch.is_grad_enabled()
    on_cpu = image.device.type == "cpu" and not torch.compiler.is_compiling()
    if tracked or not on_cpu or image.numel() == 0:
        return convert(image)
    out = image.new_empty(image.shape, dtype=torch.promote_types(image.dtype, torch.float32))
    height, width = image.shape[-2:]
    rows = max(1, TILE_PIXELS // width)
    images, outs = image.reshape(-1, 3, height, width), out.view(-1, 3, height, width)
    for source, target in zip(images, outs, strict=True):
        for top in range(0, height, rows):
            target[:, top : top + rows] = convert(source[:, top : top + rows])
    return out


def _checked(image: Tensor, name: str, channels: int) -> Tensor:
    """Refuse what is no (..., channels, H, W) image; give it as float32, float64 or (RGB) uint8."""
    if not isinstance(image, Tensor):
        raise TypeError(
            f"{name} must be a torch tensor of shape (..., {channels}, H, W), but it is "
            f"{type(image).__module__}.{type(image).__name__}. Use torch.from_numpy(array) for a "
            "NumPy array, torch.from_numpy(numpy.array(image)) for a PIL image, and then "
            ".movedim(-1, -3), because both keep the channels last."
        )
    found = image.shape[-3] if image.ndim >= 3 else None
    if found != channels:
        advice = "Dimension -3 must hold the channels."
        if found is None:
            advice = "An image has three dimensions at least: channels, height, width."
        elif image.shape[-1] == channels:
            advice = f"The channels seem to come last: use {name}.movedim(-1, -3)."
        elif found == 1 and name == "rgb":
            advice = "This is a gray image: use rgb.repeat_interleave(3, dim=-3)."
        elif found == 4 and name == "rgb":
            advice = "Is the fourth channel alpha? Use rgb[..., :3, :, :]."
        expected = f"{name} must have shape (..., {channels}, H, W)"
        raise ValueError(f"{expected}, but it is {tuple(image.shape)}. {advice}")
    if image.dtype == torch.float64 or (name == "rgb" and image.dtype == torch.uint8):
        return image
    if image.is_floating_point():
        return image.float()  # half precision is too coarse for color
    expected, advice = "float", f"Is it RGB (then see rgb_to_lab)? Else use {name}.float()."
    if name == "rgb":
        expected, advice = "uint8 or float", "If it holds 0..255, use rgb.to(torch.uint8)."
    raise TypeError(f"{name} must be {expected}, but its dtype is {image.dtype}. {advice}")


def _require_unit_range(rgb: Tensor) -> None:
    """Refuse float RGB whose scale is plainly not [0, 1]."""
    # To look at values makes a GPU wait, and a graph that is compiled or exported has none yet.
    if rgb.device.type != "cpu" or torch.compiler.is_compiling() or rgb.numel() == 0:
        return
    low, high = (bound.item() for bound in rgb.detach().aminmax())
    if low >= -0.5 and high <= 1.5:
        return
    if low != low:
        advice = "There are NaN values: look for them where the tensor was made."
    elif low >= -0.5:
        advice = "If they are 0..255, use rgb / 255, or keep them as uint8."
    elif low >= -1.5 and high <= 1.5:
        advice = "If they are -1..1, use (rgb + 1) / 2."
    else:
        advice = "Is this Lab, or normalized by a mean and deviation? Convert it to RGB first."
    raise ValueError(
        f"Float RGB must lie in [0, 1], but the values go from {low:.4g} to {high:.4g}. {advice}"
    )


def _lab_channels(image: Tensor) -> tuple[Tensor, ...]:
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"Lab must have shape (..., 3, H, W), but it is {tuple(image.shape)}.")
    return image.unbind(-3)
