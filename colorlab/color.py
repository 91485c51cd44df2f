"""sRGB to CIE Lab and back: batched, differentiable, on any device.

A photo stores three numbers a pixel that say how bright three lamps shine. Lab says instead how
light the pixel is (L, 0 black to 100 white) and which color it has (a: green to red, b: blue to
yellow). To colorize a gray photo is to keep L and to find a and b.

    sRGB  --decode-->  linear RGB  --matrix-->  XYZ / white  --cube root-->  f  --differences--> Lab
    [0, 1]             [0, 1]                   [0, 1]                       [4/29, 1]

Sources: IEC 61966-2-1:1999, sections 5.2 and 5.3 (sRGB); CIE 15:2004, section 8.2.1 (Lab).
Illuminant D65, 2 degree observer.
"""

import torch
from torch import Tensor

# Linear sRGB to XYZ for the BT.709 primaries. IEC 61966-2-1 prints four digits; the six digits that
# color libraries use (scikit-image among them) keep the results comparable with theirs.
RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
D65_WHITE = (0.95047, 1.0, 1.08883)

# The straight pieces near black. They keep the slopes of the power and of the cube root finite.
SRGB_KNEE = 0.04045  # sRGB values below this are LINEAR_SLOPE times linear light
LINEAR_KNEE = 0.0031308  # the same point in linear light
LINEAR_SLOPE = 12.92
LAB_KNEE = 6 / 29  # f below this is a straight line; in XYZ / white this is LAB_KNEE**3

# How networks see Lab: L / 50 - 1 and ab / 110. No other module knows these two numbers.
L_HALF_RANGE = 50.0
AB_RANGE = 110.0

HALF_8BIT_STEP = 0.5 / 255  # a color clipped by less than this still shows as itself


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB images to CIE Lab.

    Args:
        rgb: (..., 3, H, W), uint8 in 0..255 or float in [0, 1]. A little overshoot (from
            resampling, say) is converted as it is.

    Returns:
        (..., 3, H, W): L in 0..100, a and b in CIE units (about -86..98 and -108..94 for sRGB).
        float64 if `rgb` is float64, else float32. Differentiable everywhere, black included.

    Raises:
        TypeError: not a tensor, or a dtype other than uint8 or float.
        ValueError: not three channels at dimension -3, or float values far outside [0, 1]
            (looked at on the CPU only: elsewhere it would make the device wait).
    """
    _require_image(rgb, "rgb", 3)
    if rgb.dtype == torch.uint8:
        return _linear_to_lab(_decode(rgb.float() / 255))
    rgb = _require_float(rgb, "rgb")
    _require_unit_range(rgb)
    return _linear_to_lab(_decode(rgb))


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert CIE Lab images to sRGB; what sRGB cannot show is clipped in linear RGB.

    Args:
        lab: (..., 3, H, W) float: L in 0..100, a and b in CIE units. Any finite values will do.

    Returns:
        (..., 3, H, W) in [0, 1]; float64 if `lab` is float64, else float32. A clipped channel has
        gradient zero, all others are finite. `gamut_fraction` counts how much was not clipped.

    Raises:
        TypeError: not a tensor, or not a float dtype.
        ValueError: not three channels at dimension -3.
    """
    _require_image(lab, "lab", 3)
    return _encode(_lab_to_linear(_require_float(lab, "lab")).clamp(0, 1))


def normalize_lab(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Split Lab into what a network reads and what it predicts, both about [-1, 1].

    (..., 3, H, W) -> L / 50 - 1 of shape (..., 1, H, W) and ab / 110 of shape (..., 2, H, W).
    Raises TypeError and ValueError as `lab_to_rgb` does.
    """
    _require_image(lab, "lab", 3)
    lab = _require_float(lab, "lab")
    return lab[..., :1, :, :] / L_HALF_RANGE - 1, lab[..., 1:, :, :] / AB_RANGE


def denormalize_lab(L: Tensor, ab: Tensor) -> Tensor:
    """Undo `normalize_lab`: L (..., 1, H, W) and ab (..., 2, H, W) -> Lab (..., 3, H, W).

    Raises TypeError and ValueError as `lab_to_rgb` does, and ValueError if the sizes differ.
    """
    _require_image(L, "L", 1)
    _require_image(ab, "ab", 2)
    L, ab = _require_float(L, "L"), _require_float(ab, "ab")
    if L.shape[:-3] + L.shape[-2:] != ab.shape[:-3] + ab.shape[-2:]:
        raise ValueError(
            f"L and ab must belong to the same images, but L is {tuple(L.shape)} and ab is "
            f"{tuple(ab.shape)}. Only the channel dimension (-3) may differ: 1 for L, 2 for ab."
        )
    return torch.cat([(L + 1) * L_HALF_RANGE, ab * AB_RANGE], dim=-3)


@torch.no_grad()
def gamut_fraction(lab: Tensor, tolerance: float = HALF_8BIT_STEP) -> Tensor:
    """Say which part of each image's pixels sRGB can show.

    Args:
        lab: (..., 3, H, W) float, in CIE units.
        tolerance: how far outside [0, 1] an sRGB channel may lie and still count as inside. The
            default is half an 8-bit step: such a color looks the same after clipping.

    Returns:
        (...) one number in [0, 1] an image, a count and so without gradient.

    Raises TypeError and ValueError as `lab_to_rgb` does.
    """
    _require_image(lab, "lab", 3)
    rgb = _encode(_lab_to_linear(_require_float(lab, "lab")))
    inside = ((rgb >= -tolerance) & (rgb <= 1 + tolerance)).all(dim=-3)  # (..., H, W)
    return inside.to(rgb.dtype).mean(dim=(-2, -1))


def lightness_to_gray(L: Tensor) -> Tensor:
    """Show lightness as a gray picture: the sRGB gray that has exactly this L.

    Args:
        L: (..., 1, H, W) float, normalized as by `normalize_lab`.

    Returns:
        (..., 1, H, W) in [0, 1], differentiable.

    Raises TypeError and ValueError as `lab_to_rgb` does.
    """
    _require_image(L, "L", 1)
    f = ((_require_float(L, "L") + 1) * L_HALF_RANGE + 16) / 116
    return _encode(_cube(f).clamp(0, 1))


def chroma(ab: Tensor) -> Tensor:
    """Measure how colorful each pixel is: its distance from gray in the ab plane.

    (..., 2, H, W) in CIE units -> (..., H, W), also in CIE units (CIE 15:2004, section 8.2.1).
    The slope at gray, where a root has none, is zero. Raises as `lab_to_rgb` does.
    """
    _require_image(ab, "ab", 2)
    return torch.linalg.vector_norm(_require_float(ab, "ab"), dim=-3)


def _decode(rgb: Tensor) -> Tensor:
    """sRGB value -> linear light (IEC 61966-2-1, 5.2)."""
    # `where` computes both branches, and its gradient multiplies the unused one by zero; the clamp
    # keeps that one finite, since 0 * inf would be NaN. `_encode` and `_cube_root` do the same.
    curve = ((rgb.clamp(min=SRGB_KNEE) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb > SRGB_KNEE, curve, rgb / LINEAR_SLOPE)


def _encode(linear: Tensor) -> Tensor:
    """Linear light -> sRGB value (IEC 61966-2-1, 5.3)."""
    curve = 1.055 * linear.clamp(min=LINEAR_KNEE) ** (1 / 2.4) - 0.055
    return torch.where(linear > LINEAR_KNEE, curve, linear * LINEAR_SLOPE)


def _cube_root(t: Tensor) -> Tensor:
    """The function f of CIE 15:2004: a cube root with a straight piece near zero."""
    line = t / (3 * LAB_KNEE**2) + 4 / 29
    return torch.where(t > LAB_KNEE**3, t.clamp(min=LAB_KNEE**3) ** (1 / 3), line)


def _cube(f: Tensor) -> Tensor:
    """The inverse of `_cube_root`."""
    f = f.clamp(-10, 10)  # no color comes near this; it keeps f**3 from overflowing
    return torch.where(f > LAB_KNEE, f**3, (f - 4 / 29) * (3 * LAB_KNEE**2))


def _linear_to_lab(rgb: Tensor) -> Tensor:
    """Linear RGB (..., 3, H, W) -> Lab (..., 3, H, W)."""
    matrix = [[m / white for m in row] for row, white in zip(RGB_TO_XYZ, D65_WHITE, strict=True)]
    x, y, z = _cube_root(_mix(matrix, rgb)).unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def _lab_to_linear(lab: Tensor) -> Tensor:
    """Lab (..., 3, H, W) -> linear RGB (..., 3, H, W), not clipped."""
    L, a, b = lab.unbind(-3)
    y = (L + 16) / 116
    xyz = _cube(torch.stack([y + a / 500, y, y - b / 200], dim=-3))
    white = torch.tensor(D65_WHITE, dtype=torch.float64)
    matrix = torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64)) * white
    return _mix(matrix.tolist(), xyz)


def _mix(matrix: list[list[float]], image: Tensor) -> Tensor:
    """Multiply each pixel's three channels, at dimension -3, by a 3 x 3 matrix.

    Written as sums because a matrix product may run in bfloat16 or TF32 (under autocast, on a GPU),
    which is too coarse for color.
    """
    one, two, three = image.unbind(-3)
    return torch.stack([m[0] * one + m[1] * two + m[2] * three for m in matrix], dim=-3)


def _require_image(image: Tensor, name: str, channels: int) -> None:
    """Refuse what is not a tensor of shape (..., channels, H, W)."""
    if not isinstance(image, Tensor):
        advice = "a NumPy array becomes one with torch.from_numpy(array)"
        if type(image).__module__.startswith("PIL"):
            advice = "a PIL image becomes one with torch.from_numpy(numpy.array(image))"
        raise TypeError(
            f"{name} must be a torch tensor of shape (..., {channels}, H, W), but it is a "
            f"{type(image).__module__}.{type(image).__qualname__}; {advice} "
            "(and .movedim(-1, -3) if its channels come last)."
        )
    if image.ndim >= 3 and image.shape[-3] == channels:
        return
    if image.ndim < 3:
        advice = "An image has three dimensions at least: channels, height, width."
    elif image.shape[-1] == channels:
        advice = f"The channels seem to come last: use {name}.movedim(-1, -3)."
    elif channels == 3 and image.shape[-3] == 1:
        advice = f"This is one gray channel: use {name}.expand(..., 3, H, W) to make it RGB."
    elif channels == 3 and image.shape[-3] == 4:
        advice = f"Four channels are RGB and alpha: use {name}[..., :3, :, :]."
    else:
        advice = f"There are {image.shape[-3]} channels at dimension -3."
    raise ValueError(
        f"{name} must have shape (..., {channels}, H, W), but it is {tuple(image.shape)}. {advice}"
    )


def _require_float(image: Tensor, name: str) -> Tensor:
    """Refuse integers; bring half precision, too coarse for color, to float32."""
    if not image.is_floating_point():
        raise TypeError(
            f"{name} must be float"
            + (" in [0, 1] or uint8 in 0..255" if name == "rgb" else " (Lab has negative values)")
            + f", but its dtype is {image.dtype}. "
            + (
                "If its values are 0..255, use rgb.to(torch.uint8)."
                if name == "rgb"
                else f"Only RGB may be uint8: did you mean rgb_to_lab? Else use {name}.float()."
            )
        )
    return image if image.dtype == torch.float64 else image.float()


def _require_unit_range(rgb: Tensor) -> None:
    """Refuse float RGB whose scale is plainly not [0, 1]."""
    # A look at the values makes a GPU wait, and a graph being compiled or exported has no values.
    if rgb.device.type != "cpu" or torch.compiler.is_compiling() or rgb.numel() == 0:
        return
    low, high = (value.item() for value in rgb.detach().aminmax())
    if low >= -0.5 and high <= 1.5:
        return
    if low != low:
        cause = "There are NaN values: look for them where the tensor was made."
    elif low >= 0:
        cause = "If they are 0..255, use rgb / 255, or keep them as uint8."
    elif high <= 1.5:
        cause = "If they are -1..1, use (rgb + 1) / 2."
    else:
        cause = "Is this Lab, or an image normalized by mean and deviation? Undo that first."
    raise ValueError(
        f"Float RGB must lie in [0, 1], but the values go from {low:.4g} to {high:.4g}. {cause}"
    )
