"""The testers of lesson 10: wrong solutions with their hints, other right ones, the oracles."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from solutions import cases, check_enough, check_refused, exercise

from colorlab import colorize as library
from colorlab.course.checks import exercises, lesson10, marks, try_solution
from colorlab.photos import xmp as packets

# --- 10.1 ----------------------------------------------------------------------------------------


def size(height, width, short, stride):
    scale = short / min(height, width)
    return tuple(max(round(side * scale / stride), 1) * stride for side in (height, width))


def size_by_cases(height, width, short, stride):
    if height < width:
        h, w = short, short * width / height
    else:
        h, w = short * height / width, short

    def nearest(side):
        return max(stride, int(side / stride + 0.5) * stride)

    return [nearest(h), nearest(w)]


def size_in_numpy(height, width, short, stride):
    sides = np.array([height, width]) * short / min(height, width)
    h, w = np.maximum(np.rint(sides / stride), 1).astype(int) * stride
    return h, w


def size_of_pixels(height, width, short, stride):
    """A rounding to pixels before that to strides hardly ever changes it."""
    sides = [round(side * short / min(height, width)) for side in (height, width)]
    return tuple(max((side + stride // 2) // stride * stride, stride) for side in sides)


def size_of_the_library(height, width, short, stride):
    return library.network_size(height, width, short, stride)


def sides_of(height, width, short):
    scale = short / min(height, width)
    return height * scale, width * scale


def n_floor(height, width, short, stride):
    return tuple(max(int(s // stride), 1) * stride for s in sides_of(height, width, short))


def n_ceil(height, width, short, stride):
    return tuple(math.ceil(s / stride) * stride for s in sides_of(height, width, short))


def n_pixels(height, width, short, stride):
    return tuple(round(s) for s in sides_of(height, width, short))


def n_long_side_only(height, width, short, stride):
    h, w = sides_of(height, width, short)
    return round(h), round(w / stride) * stride


def n_strides(height, width, short, stride):
    return tuple(round(s / stride) for s in sides_of(height, width, short))


def n_swapped(height, width, short, stride):
    return size(width, height, short, stride)


def n_follows(height, width, short, stride):
    short = max(round(short / stride), 1) * stride
    return size(height, width, short, stride)


def n_whole_scale(height, width, short, stride):
    by = max(min(height, width) // short, 1)
    return tuple(max(round(s / by / stride), 1) * stride for s in (height, width))


def n_zero_scale(height, width, short, stride):
    scale = short // min(height, width)
    return tuple(max(round(s * scale / stride), 1) * stride for s in (height, width))


def n_no_scale(height, width, short, stride):
    scale = short // min(height, width)
    return tuple(s * scale // stride * stride for s in (height, width))


def n_square(height, width, short, stride):
    return (max(round(short / stride), 1) * stride,) * 2


def n_area(height, width, short, stride):
    scale = math.sqrt(short**2 / (height * width))
    return tuple(max(round(s * scale / stride), 1) * stride for s in (height, width))


def n_not_scaled(height, width, short, stride):
    return tuple(round(s / stride) * stride for s in (height, width))


def n_32(height, width, short, stride):
    return size(height, width, short, 32)


def n_long(height, width, short, stride):
    scale = short / max(height, width)
    return tuple(max(round(s * scale / stride), 1) * stride for s in (height, width))


def n_height(height, width, short, stride):
    scale = short / height
    return tuple(max(round(s * scale / stride), 1) * stride for s in (height, width))


def n_zero(height, width, short, stride):
    return tuple(round(s / stride) * stride for s in sides_of(height, width, short))


def n_one_pixel(height, width, short, stride):
    return tuple(max(round(s / stride) * stride, 1) for s in sides_of(height, width, short))


def n_never_enlarged(height, width, short, stride):
    scale = min(short / min(height, width), 1)
    return tuple(max(round(s * scale / stride), 1) * stride for s in (height, width))


def n_floats(height, width, short, stride):
    return tuple(float(s) for s in size(height, width, short, stride))


def n_one_number(height, width, short, stride):
    return size(height, width, short, stride)[0]


# --- 10.2 ----------------------------------------------------------------------------------------


def box(x, radius):
    return F.avg_pool2d(x, 2 * radius + 1, 1, radius, count_include_pad=False)


def lines(lightness, ab, radius=2, epsilon=1e-3):
    mean_l, mean_ab = box(lightness, radius), box(ab, radius)
    covariance = box(lightness * ab, radius) - mean_l * mean_ab
    variance = box(lightness**2, radius) - mean_l**2
    slope = covariance / (variance + epsilon)
    offset = mean_ab - slope * mean_l
    return box(slope, radius), box(offset, radius)


def lines_of_the_library(lightness, ab, radius=2, epsilon=1e-3):
    return library.guided_coefficients(lightness, ab, radius, epsilon)


def lines_in_loops(lightness, ab, radius=2, epsilon=1e-3):
    """Window by window, with numbers of Python's own making."""
    L, ab = lightness.double().numpy(), ab.double().numpy()
    batch, _, height, width = ab.shape
    lines = np.zeros((2, batch, 2, height, width))
    around = [
        [
            np.s_[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            for x in range(width)
        ]
        for y in range(height)
    ]
    for n in range(batch):
        for c in range(2):
            for y in range(height):
                for x in range(width):
                    here, color = L[n, 0][around[y][x]], ab[n, c][around[y][x]]
                    run = here - here.mean()
                    slope = (run * (color - color.mean())).mean() / ((run**2).mean() + epsilon)
                    lines[:, n, c, y, x] = slope, color.mean() - slope * here.mean()
    averaged = np.zeros_like(lines)
    for y in range(height):
        for x in range(width):
            averaged[..., y, x] = lines[(..., *around[y][x])].mean((-1, -2))
    return tuple(torch.from_numpy(averaged).float())


def lines_by_sums(lightness, ab, radius=2, epsilon=1e-3):
    """Sums by a convolution, and each window's own count."""
    side = 2 * radius + 1

    def total(x):
        one = torch.ones(x.shape[1], 1, side, side)
        return F.conv2d(x, one, padding=radius, groups=x.shape[1])

    count = total(torch.ones_like(lightness))
    m, c = total(lightness) / count, total(ab) / count
    variance = total(lightness.square()) / count - m * m
    slope = (total(lightness * ab) / count - m * c) / (variance.clamp(min=0) + epsilon)
    return [total(slope) / count, total(c - slope * m) / count]


def lines_by_channel(lightness, ab, radius=2, epsilon=1e-3):
    both = [lines(lightness, ab[:, c : c + 1], radius, epsilon) for c in (0, 1)]
    return tuple(torch.cat(parts, dim=1) for parts in zip(*both, strict=True))


def lines_of(L, ab, radius=2, epsilon=1e-3, *, mean=None, cov=None, var=None, slope=None):
    """The right ones, with some of their parts replaced."""
    mean = mean or (lambda x: box(x, radius))
    m, c = mean(L), mean(ab)
    cov = mean(L * ab) - m * c if cov is None else cov
    var = mean(L**2) - m**2 if var is None else var
    slope = cov / (var + epsilon) if slope is None else slope
    return mean(slope), mean(c - slope * m)


def parts_of(L, ab, radius=2, epsilon=1e-3):
    """mean of L, mean of ab, covariance, variance, slope of each window."""
    m, c = box(L, radius), box(ab, radius)
    cov, var = box(L * ab, radius) - m * c, box(L * L, radius) - m * m
    return m, c, cov, var, cov / (var + epsilon)


def g_not_averaged(L, ab, radius=2, epsilon=1e-3):
    m, c, _, _, slope = parts_of(L, ab, radius, epsilon)
    return slope, c - slope * m


def g_offset_not_averaged(L, ab, radius=2, epsilon=1e-3):
    m, c, _, _, slope = parts_of(L, ab, radius, epsilon)
    return box(slope, radius), c - slope * m


def g_averaged_slope(L, ab, radius=2, epsilon=1e-3):
    m, c, _, _, slope = parts_of(L, ab, radius, epsilon)
    slope = box(slope, radius)
    return slope, c - slope * m


def g_averaged_slope_again(L, ab, radius=2, epsilon=1e-3):
    m, c, _, _, slope = parts_of(L, ab, radius, epsilon)
    slope = box(slope, radius)
    return slope, box(c - slope * m, radius)


def g_no_epsilon(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, 0)


def g_floor(L, ab, radius=2, epsilon=1e-3):
    _, _, cov, var, _ = parts_of(L, ab, radius)
    return lines_of(L, ab, radius, slope=cov / var.clamp(min=epsilon))


def g_minus_epsilon(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, -epsilon)


def g_precedence(L, ab, radius=2, epsilon=1e-3):
    _, _, cov, var, _ = parts_of(L, ab, radius)
    return lines_of(L, ab, radius, slope=cov / var + epsilon)


def g_squared_epsilon(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, epsilon**2)


def g_variance_of_ab(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, epsilon, var=box(ab**2, radius) - box(ab, radius) ** 2)


def g_deviation(L, ab, radius=2, epsilon=1e-3):
    _, _, _, var, _ = parts_of(L, ab, radius)
    return lines_of(L, ab, radius, epsilon, var=var.clamp_min(0).sqrt())


def g_raw_covariance(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, epsilon, cov=box(L * ab, radius))


def g_raw_variance(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, epsilon, var=box(L * L, radius))


def g_own_means(L, ab, radius=2, epsilon=1e-3):
    m, c = box(L, radius), box(ab, radius)
    cov, var = box((L - m) * (ab - c), radius), box((L - m) ** 2, radius)
    return lines_of(L, ab, radius, epsilon, cov=cov, var=var)


def g_padded(L, ab, radius=2, epsilon=1e-3):
    return lines_of(
        L, ab, radius, epsilon, mean=lambda x: F.avg_pool2d(x, 2 * radius + 1, 1, radius)
    )


def g_mirrored(L, ab, radius=2, epsilon=1e-3):
    def mean(x):
        return F.avg_pool2d(F.pad(x, (radius,) * 4, "reflect"), 2 * radius + 1, 1)

    return lines_of(L, ab, radius, epsilon, mean=mean)


def g_small_windows(L, ab, radius=2, epsilon=1e-3):
    def mean(x):
        return F.avg_pool2d(x, radius, 1, radius // 2, count_include_pad=False)

    return lines_of(L, ab, radius, epsilon, mean=mean)


def g_even_windows(L, ab, radius=2, epsilon=1e-3):
    side = 2 * radius
    return F.avg_pool2d(ab, side, 1, radius), F.avg_pool2d(ab, side, 1, radius)


def g_no_padding(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, epsilon, mean=lambda x: F.avg_pool2d(x, 1, 1)) and tuple(
        F.avg_pool2d(one, 2 * radius + 1, 1) for one in g_not_averaged(L, ab, radius, epsilon)
    )


def g_one_line(L, ab, radius=2, epsilon=1e-3):
    return lines_of(
        L, ab, radius, epsilon, mean=lambda x: x.mean((2, 3), keepdim=True).expand_as(x)
    )


def g_one_for_both(L, ab, radius=2, epsilon=1e-3):
    return lines(L, ab.mean(1, keepdim=True), radius, epsilon)


def g_sign(L, ab, radius=2, epsilon=1e-3):
    return lines_of(L, ab, radius, slope=-parts_of(L, ab, radius, epsilon)[-1])


def g_offset_plus(L, ab, radius=2, epsilon=1e-3):
    m, c, _, _, slope = parts_of(L, ab, radius, epsilon)
    return box(slope, radius), box(c + slope * m, radius)


def g_pixels(L, ab, radius=2, epsilon=1e-3):
    slope = parts_of(L, ab, radius, epsilon)[-1]
    return box(slope, radius), box(ab - slope * L, radius)


def g_swapped(L, ab, radius=2, epsilon=1e-3):
    return lines(L, ab, radius, epsilon)[::-1]


def g_sample(L, ab, radius=2, epsilon=1e-3):
    n = F.avg_pool2d(torch.ones_like(L), 2 * radius + 1, 1, radius) * (2 * radius + 1) ** 2
    _, _, cov, var, _ = parts_of(L, ab, radius)
    return lines_of(L, ab, radius, epsilon, cov=cov * n / (n - 1), var=var * n / (n - 1))


def g_radius_2(L, ab, radius=2, epsilon=1e-3):
    return lines(L, ab, 2, epsilon)


def g_epsilon_0_001(L, ab, radius=2, epsilon=1e-3):
    return lines(L, ab, radius)


def g_joined(L, ab, radius=2, epsilon=1e-3):
    return torch.cat(lines(L, ab, radius, epsilon), 1)


# --- 10.3 ----------------------------------------------------------------------------------------


def up(x, like, mode="bilinear", **how):
    return F.interpolate(x, size=like.shape[2:], mode=mode, **how)


def color_up(full, slope, offset):
    return up(slope, full, align_corners=False) * full + up(offset, full, align_corners=False)


def color_up_together(full, slope, offset):
    both = up(torch.cat([slope, offset], 1), full)
    slope, offset = both.chunk(2, 1)
    return torch.addcmul(offset, slope, full)


def color_up_of_the_library(full, slope, offset):
    height, width = full.shape[2:]
    parts = [library._enlarge(x, (0, height), height, width) for x in (slope, offset)]
    return (parts[0] * full + parts[1]).clamp(-1, 1)


def color_up_by_rows(full, slope, offset):
    """Pixel by pixel along each axis, with numbers of its own."""

    def along(x, size, axis):
        x = x.movedim(axis, -1)
        out = []
        for i in range(size):
            at = min(max((i + 0.5) * x.shape[-1] / size - 0.5, 0), x.shape[-1] - 1)
            low = int(at)
            high = min(low + 1, x.shape[-1] - 1)
            out.append(x[..., low] * (1 - at + low) + x[..., high] * (at - low))
        return torch.stack(out, -1).movedim(-1, axis)

    def large(x):
        return along(along(x, full.shape[2], 2), full.shape[3], 3)

    return large(slope) * full + large(offset)


def u_small_first(full, slope, offset):
    small = F.interpolate(full, size=slope.shape[2:], mode="bilinear", antialias=True)
    return up(slope * small + offset, full)


def u_small_first_by_area(full, slope, offset):
    return up(slope * F.adaptive_avg_pool2d(full, slope.shape[2:]) + offset, full)


def u_corners(full, slope, offset):
    return up(slope, full, align_corners=True) * full + up(offset, full, align_corners=True)


def u_nearest(full, slope, offset):
    return up(slope, full, "nearest") * full + up(offset, full, "nearest")


def u_default(full, slope, offset):
    """The default mode of F.interpolate is nearest."""
    size = full.shape[2:]
    return F.interpolate(slope, size) * full + F.interpolate(offset, size)


def u_one_nearest(full, slope, offset):
    return up(slope, full) * full + up(offset, full, "nearest")


def u_bicubic(full, slope, offset):
    return up(slope, full, "bicubic") * full + up(offset, full, "bicubic")


def u_blurred_l(full, slope, offset):
    small = F.interpolate(full, size=slope.shape[2:], mode="area")
    return up(slope, full) * up(small, full) + up(offset, full)


def u_no_offset(full, slope, offset):
    return up(slope, full) * full


def u_no_slope(full, slope, offset):
    return up(offset, full)


def u_minus(full, slope, offset):
    return up(slope, full) * full - up(offset, full)


def u_swapped(full, slope, offset):
    return color_up(full, offset, slope)


def u_factored(full, slope, offset):
    return up(slope, full) * (full + up(offset, full))


def u_lab(full, slope, offset):
    return color_up((full + 1) * 50, slope, offset)


def u_0_to_1(full, slope, offset):
    return color_up((full + 1) / 2, slope, offset)


def u_tanh(full, slope, offset):
    return torch.tanh(color_up(full, slope, offset))


def u_centered(full, slope, offset):
    return color_up(full - full.mean((2, 3), keepdim=True), slope, offset)


def u_with_l(full, slope, offset):
    return torch.cat([full, color_up(full, slope, offset)], 1)


def u_small(full, slope, offset):
    return slope * F.adaptive_avg_pool2d(full, slope.shape[2:]) + offset


def u_in_place(full, slope, offset):
    large = up(slope, full)
    full *= large[:, :1]
    return large * full + up(offset, full)


# --- 10.4 ----------------------------------------------------------------------------------------


def to_int8(weight):
    scale = weight.flatten(1).abs().amax(1) / 127
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    steps = weight / scale.reshape(-1, *[1] * (weight.dim() - 1))
    return steps.round().to(torch.int8), scale


def to_int8_in_a_loop(weight):
    whole, scales = torch.zeros(weight.shape, dtype=torch.int8), []
    for i, row in enumerate(weight):
        largest = float(row.abs().max())
        scales.append(largest / 127 if largest else 1.0)
        whole[i] = torch.round(row / scales[-1]).clamp(-127, 127).to(torch.int8)
    return whole, torch.tensor(scales)


def to_int8_with_a_floor(weight):
    axes = tuple(range(1, weight.dim()))
    scale = weight.abs().amax(dim=axes, keepdim=True).clamp_min(1e-20) / 127
    return [(weight / scale).round().char(), scale.flatten()]


def to_int8_in_numpy(weight):
    rows = weight.numpy().reshape(len(weight), -1)
    scale = np.maximum(np.abs(rows).max(1), 1e-12) / np.float32(127)
    whole = np.rint(rows / scale[:, None]).astype(np.int8).reshape(weight.shape)
    return torch.from_numpy(whole), torch.from_numpy(scale)


def to_int8_half_up(weight):
    whole, scale = to_int8(weight)
    steps = weight / scale.reshape(-1, *[1] * (weight.dim() - 1))
    return (steps + 0.5).floor().clamp(-127, 127).to(torch.int8), scale


def eight(weight, scale, how=torch.round):
    """Whole numbers for a scale of any shape."""
    scale = torch.as_tensor(scale)
    wide = scale.reshape(-1, *[1] * (weight.dim() - 1)) if scale.dim() == 1 else scale
    return how(weight / wide).to(torch.int8), scale


def largest_of(weight):
    return weight.flatten(1).abs().amax(1)


def i_one_scale(weight):
    return eight(weight, weight.abs().max() / 127)


def i_one_scale_for_each(weight):
    return eight(weight, (weight.abs().max() / 127).repeat(len(weight)))


def i_128(weight):
    return eight(weight, largest_of(weight) / 128)


def i_no_abs(weight):
    return eight(weight, weight.flatten(1).amax(1) / 127)


def i_zero_point(weight):
    rows = weight.flatten(1)
    return eight(weight, (rows.amax(1) - rows.amin(1)) / 255)


def i_unsigned(weight):
    rows = weight.flatten(1)
    scale = (rows.amax(1) - rows.amin(1)) / 255
    return ((rows - rows.amin(1, keepdim=True)) / scale[:, None]).round().byte(), scale


def i_inverse(weight):
    scale = 127 / largest_of(weight)
    return (weight * scale.reshape(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8), scale


def i_not_divided(weight):
    return to_int8(weight)[0], largest_of(weight)


def i_inputs(weight):
    return to_int8(weight)[0], weight.transpose(0, 1).flatten(1).abs().amax(1) / 127


def i_255(weight):
    return eight(weight, largest_of(weight) / 255)


def i_deviation(weight):
    return eight(weight, weight.flatten(1).std(1) / 127)


def i_cut(weight):
    scale = to_int8(weight)[1]
    return eight(weight, scale, lambda x: x)


def i_floor(weight):
    return eight(weight, to_int8(weight)[1], torch.floor)


def i_overflow(weight):
    whole, scale = to_int8(weight)
    steps = weight / scale.reshape(-1, *[1] * (weight.dim() - 1))
    return (steps * 128 / 127).round().to(torch.int8), scale


def i_other_steps(weight):
    return i_one_scale(weight)[0], to_int8(weight)[1]


def i_no_sign(weight):
    whole, scale = to_int8(weight)
    return whole.abs(), scale


def i_multiplied(weight):
    scale = to_int8(weight)[1]
    wide = scale.reshape(-1, *[1] * (weight.dim() - 1))
    return (weight * wide).round().to(torch.int8), scale


def i_zero_scale(weight):
    scale = largest_of(weight) / 127
    wide = scale.reshape(-1, *[1] * (weight.dim() - 1))
    return (weight / wide).nan_to_num().round().to(torch.int8), scale


def i_nan_scale(weight):
    """The inverse of the inverse of 0."""
    scale = largest_of(weight)
    return to_int8(weight)[0], scale / 127 * scale / scale


def i_high_floor(weight):
    return eight(weight, (largest_of(weight) / 127).clamp(min=1e-8))


def i_floor_of_the_largest(weight):
    return eight(weight, largest_of(weight).clamp(min=1e-8) / 127)


def i_keepdim(weight):
    whole, scale = to_int8(weight)
    return whole, scale.reshape(-1, *[1] * (weight.dim() - 1))


def i_floats(weight):
    whole, scale = to_int8(weight)
    return whole.float(), scale


def i_swapped(weight):
    return to_int8(weight)[::-1]


def i_doubles(weight):
    whole, scale = to_int8(weight)
    return whole, scale.double()


def i_flat(weight):
    whole, scale = to_int8(weight)
    return whole.flatten(1), scale


def i_numbers_only(weight):
    return to_int8(weight)[0]


# --- 10.5 ----------------------------------------------------------------------------------------


def flicker(lightness, ab, still=1.0):
    stays = (lightness[1:] - lightness[:-1]).abs()[:, 0] < still
    away = (ab[1:] - ab[:-1]).norm(dim=1)
    return float(away[stays].mean()) if stays.any() else 0.0


def flicker_in_loops(lightness, ab, still=1.0):
    """Pixel by pixel, with numbers of Python's own making."""
    L, ab = lightness.tolist(), ab.tolist()
    total, count = 0.0, 0
    for t in range(1, len(L)):
        for y, row in enumerate(L[t][0]):
            for x, here in enumerate(row):
                if abs(here - L[t - 1][0][y][x]) < still:
                    now, then = ([ab[s][c][y][x] for c in (0, 1)] for s in (t, t - 1))
                    total += math.dist(now, then)
                    count += 1
    return total / count if count else 0.0


def flicker_in_numpy(lightness, ab, still=1.0):
    away = np.hypot(*np.moveaxis(np.diff(ab.numpy(), axis=0), 1, 0))
    stays = np.abs(np.diff(lightness.numpy()[:, 0], axis=0)) < still
    return np.sum(away * stays) / max(np.sum(stays), 1)


def flicker_by_weights(lightness, ab, still=1.0):
    stays = lightness.diff(dim=0).abs().lt(still).float()
    away = ab.diff(dim=0).square().sum(1, keepdim=True).sqrt()
    return (away * stays).sum() / stays.sum().clamp_min(1)


def flicker_by_pairs(lightness, ab, still=1.0):
    found = []
    for before_l, L, before, now in zip(lightness, lightness[1:], ab, ab[1:], strict=False):
        stays = (L - before_l).abs() < still
        found += (now - before).pow(2).sum(0, keepdim=True).sqrt()[stays].tolist()
    return sum(found) / len(found) if found else 0


def looked(lightness, ab, still):
    """Change of L, distance of ab, and what stays, each (T - 1, H, W)."""
    change = lightness.diff(dim=0)[:, 0]
    return change, ab.diff(dim=0).norm(dim=1), change.abs() < still


def mean_of(values, mask):
    return float(values[mask].mean()) if mask.any() else 0.0


def k_all(lightness, ab, still=1.0):
    return float(looked(lightness, ab, still)[1].mean())


def k_changed(lightness, ab, still=1.0):
    _, away, stays = looked(lightness, ab, still)
    return mean_of(away, ~stays)


def k_tie(lightness, ab, still=1.0):
    change = (lightness[1:] - lightness[:-1]).abs()[:, 0]
    return mean_of((ab[1:] - ab[:-1]).norm(dim=1), change <= still)


def k_means_of_frames(lightness, ab, still=1.0):
    _, away, stays = looked(lightness, ab, still)
    return float(np.mean([mean_of(*pair) for pair in zip(away, stays, strict=True)]))


def k_added(lightness, ab, still=1.0):
    return mean_of(ab.diff(dim=0).abs().sum(1), looked(lightness, ab, still)[2])


def k_channels_averaged(lightness, ab, still=1.0):
    return mean_of(ab.diff(dim=0).abs().mean(1), looked(lightness, ab, still)[2])


def k_squared(lightness, ab, still=1.0):
    _, away, stays = looked(lightness, ab, still)
    return mean_of(away**2, stays)


def k_root_last(lightness, ab, still=1.0):
    return k_squared(lightness, ab, still) ** 0.5


def k_signed(lightness, ab, still=1.0):
    return mean_of(ab.diff(dim=0).sum(1), looked(lightness, ab, still)[2])


def k_from_the_first(lightness, ab, still=1.0):
    stays = (lightness[1:] - lightness[0]).abs()[:, 0] < still
    return mean_of((ab[1:] - ab[0]).norm(dim=1), stays)


def k_by_all_pixels(lightness, ab, still=1.0):
    _, away, stays = looked(lightness, ab, still)
    return float((away * stays).mean())


def k_sum(lightness, ab, still=1.0):
    _, away, stays = looked(lightness, ab, still)
    return float(away[stays].sum())


def k_darker(lightness, ab, still=1.0):
    change, away, _ = looked(lightness, ab, still)
    return mean_of(away, change < still)


def k_chroma(lightness, ab, still=1.0):
    return mean_of(ab.norm(dim=1).diff(dim=0).abs(), looked(lightness, ab, still)[2])


def k_with_l(lightness, ab, still=1.0):
    away = torch.cat([lightness, ab], 1).diff(dim=0).norm(dim=1)
    return mean_of(away, looked(lightness, ab, still)[2])


def k_one_channel(lightness, ab, still=1.0):
    return mean_of(ab.diff(dim=0)[:, 0].abs(), looked(lightness, ab, still)[2])


def k_around(lightness, ab, still=1.0):
    stays = (lightness - lightness.roll(1, 0)).abs()[:, 0] < still
    return mean_of((ab - ab.roll(1, 0)).norm(dim=1), stays)


def k_still_1(lightness, ab, still=1.0):
    return flicker(lightness, ab)


def k_last_pair(lightness, ab, still=1.0):
    for t in range(1, len(ab)):
        found = flicker(lightness[t - 1 : t + 1], ab[t - 1 : t + 1], still)
    return found


def k_normalized(lightness, ab, still=1.0):
    return flicker(lightness, ab / 110, still)


def k_nan(lightness, ab, still=1.0):
    _, away, stays = looked(lightness, ab, still)
    return float(away[stays].mean())


def k_map(lightness, ab, still=1.0):
    return looked(lightness, ab, still)[1]


# --- 10.6 ----------------------------------------------------------------------------------------


def carry(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    stays = (L - previous_L).abs() < still
    return torch.where(stays, keep * previous_ab + (1 - keep) * ab, ab)


def carry_by_share(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    share = keep * ((L - previous_L).abs() < still).float()
    return ab + share * (previous_ab - ab)


def carry_by_lerp(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    result = ab.clone()
    stays = ((L - previous_L).abs() < still).expand_as(ab)
    result[stays] = torch.lerp(ab, previous_ab, keep)[stays]
    return result


def carry_in_loops(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    result = torch.empty_like(ab)
    for y in range(ab.shape[2]):
        for x in range(ab.shape[3]):
            kept = keep if abs(L[0, 0, y, x] - previous_L[0, 0, y, x]) < still else 0
            result[0, :, y, x] = kept * previous_ab[0, :, y, x] + (1 - kept) * ab[0, :, y, x]
    return result


def stays_of(previous_L, L, still):
    return (L - previous_L).abs() < still


def y_swapped(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return carry(previous_L, previous_ab, L, ab, 1 - keep, still)


def y_everywhere(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return keep * previous_ab + (1 - keep) * ab


def y_where_it_changes(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    mix = keep * previous_ab + (1 - keep) * ab
    return torch.where(stays_of(previous_L, L, still), ab, mix)


def y_added(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return torch.where(stays_of(previous_L, L, still), keep * previous_ab + ab, ab)


def y_only_kept(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return torch.where(stays_of(previous_L, L, still), keep * previous_ab, ab)


def y_signed(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return torch.where(L - previous_L < still, keep * previous_ab + (1 - keep) * ab, ab)


def y_tie(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    stays = (L - previous_L).abs() <= still
    return torch.where(stays, keep * previous_ab + (1 - keep) * ab, ab)


def y_whole(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return torch.where(stays_of(previous_L, L, still), previous_ab, ab)


def y_zero_elsewhere(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return stays_of(previous_L, L, still) * (keep * previous_ab + (1 - keep) * ab)


def y_weak_elsewhere(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return keep * previous_ab * stays_of(previous_L, L, still) + (1 - keep) * ab


def y_previous_elsewhere(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    mix = keep * previous_ab + (1 - keep) * ab
    return torch.where(stays_of(previous_L, L, still), mix, previous_ab)


def y_change_of_ab(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    stays = (ab - previous_ab).norm(dim=1, keepdim=True) < still
    return torch.where(stays, keep * previous_ab + (1 - keep) * ab, ab)


def y_whole_frame(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    if (L - previous_L).abs().mean() < still:
        return keep * previous_ab + (1 - keep) * ab
    return ab


def y_nothing(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return ab.clone()


def y_still_2(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return carry(previous_L, previous_ab, L, ab, keep)


def y_keep_0_9(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return carry(previous_L, previous_ab, L, ab, still=still)


def y_half(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return carry(previous_L, previous_ab, L, ab, 0.5, still)


def y_squared(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    mix = keep * previous_ab + (1 - keep) * ab
    return torch.where((L - previous_L) ** 2 < still, mix, ab)


def y_fading(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    share = keep * (1 - (L - previous_L).abs() / still).clamp(min=0)
    return share * previous_ab + (1 - share) * ab


def y_with_l(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    return torch.cat([L, carry(previous_L, previous_ab, L, ab, keep, still)], 1)


def y_in_place(previous_L, previous_ab, L, ab, keep=0.9, still=2.0):
    ab += keep * stays_of(previous_L, L, still) * (previous_ab - ab)
    return ab


# --- 10.7 ----------------------------------------------------------------------------------------

TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"


def is_made(path):
    with Image.open(path) as image:
        xmp = image.info.get("xmp", b"")
    return TERM.encode() in xmp


def is_made_by_the_short_term(path):
    return b"algorithmicallyEnhanced" in xmp_of(path)


def is_made_by_both_keys(path):
    with Image.open(path) as image:
        image.load()
        xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or ""
    return packets.MADE in (xmp.decode() if isinstance(xmp, bytes) else xmp)


def is_made_by_what_is_carried(path):
    from colorlab.photos.carried import carried

    return packets.MADE.encode() in carried(path).xmp


def xmp_of(path):
    with Image.open(path) as image:
        return image.info.get("xmp", b"")


def m_name(path):
    return "colored" in Path(path).name


def m_always(path):
    return True


def m_never(path):
    return b"AI generated" in xmp_of(path)


def m_turned(path):
    return TERM.encode() not in xmp_of(path)


def m_any_xmp(path):
    return len(xmp_of(path)) > 0


def m_any_source(path):
    return b"DigitalSourceType" in xmp_of(path)


def m_half_a_word(path):
    return b"lgorithmic" in xmp_of(path)


def m_a_word(path):
    return "algorithmic" in str(xmp_of(path))


def m_bytes(path):
    return b"digitalsourcetype/algorithmicallyEnhanced" in Path(path).read_bytes()


def m_info(path):
    with Image.open(path) as image:
        return packets.MADE in str(image.info)


def m_values_of_info(path):
    with Image.open(path) as image:
        return any(packets.MADE in str(value) for value in image.info.values())


def m_software(path):
    with Image.open(path) as image:
        return 305 in image.getexif()


def m_colorlab(path):
    return b"colorlab" in Path(path).read_bytes()


def m_colorlab_in_xmp(path):
    return b"colorlab" in xmp_of(path)


def m_trained(path):
    return b"trained" in xmp_of(path)


def m_jpeg_only(path):
    return path.suffix == ".jpg" and is_made(path)


def m_png_key(path):
    with Image.open(path) as image:
        image.load()
        return TERM in image.info.get("XML:com.adobe.xmp", "")


def m_key_error(path):
    with Image.open(path) as image:
        return TERM.encode() in image.info["xmp"]


def m_find(path):
    return Path(path).read_bytes().find(TERM.encode())


def m_returns_the_xmp(path):
    return xmp_of(path)


def m_text_in_bytes(path):
    return TERM in xmp_of(path)


# --- all of them ---------------------------------------------------------------------------------

RIGHT = {
    "10.1": [size, size_by_cases, size_in_numpy, size_of_pixels, size_of_the_library],
    "10.2": [lines, lines_of_the_library, lines_in_loops, lines_by_sums, lines_by_channel],
    "10.3": [color_up, color_up_together, color_up_of_the_library, color_up_by_rows],
    "10.4": [to_int8, to_int8_in_a_loop, to_int8_with_a_floor, to_int8_in_numpy, to_int8_half_up],
    "10.5": [flicker, flicker_in_loops, flicker_in_numpy, flicker_by_weights, flicker_by_pairs],
    "10.6": [carry, carry_by_share, carry_by_lerp, carry_in_loops],
    "10.7": [
        is_made,
        is_made_by_the_short_term,
        is_made_by_both_keys,
        is_made_by_what_is_carried,
    ],
}

WRONG = {
    "10.1": {
        n_floor: "rounded down",
        n_ceil: "rounded up",
        n_pixels: "are no multiples of the stride",
        n_long_side_only: "are no multiples of the stride",
        n_strides: "counts strides, not pixels",
        n_swapped: "have changed places",
        n_follows: "after its rounding",
        n_whole_scale: "`//` has lost its fraction",
        n_zero_scale: "`//` has lost its fraction",
        n_no_scale: "`//` has lost its fraction",
        n_square: "is made square",
        n_area: "The area is held",
        n_not_scaled: "not scaled yet",
        n_32: "always 32",
        n_long: "The long side has become `short`",
        n_height: "In a portrait the long side has become",
        n_zero: "gets a side of 0",
        n_one_pixel: "should be seen at",
        n_never_enlarged: "is not enlarged",
        n_floats: "A side is counted in pixels",
        n_one_number: "Height and width were expected",
    },
    "10.2": {
        g_not_averaged: "are those of single windows",
        g_offset_not_averaged: "are those of single windows",
        g_averaged_slope: "follows from the averaged slope",
        g_averaged_slope_again: "follows from the averaged slope",
        g_no_epsilon: "epsilon has no say",
        g_floor: "epsilon is a floor here",
        g_minus_epsilon: "epsilon is subtracted",
        g_precedence: "does not stand beside the variance",
        g_squared_epsilon: "epsilon is squared",
        g_variance_of_ab: "The variance is that of ab",
        g_deviation: "A standard deviation stands",
        g_raw_covariance: "means are still in",
        g_raw_variance: "means are still in",
        g_own_means: "against the mean of its own window",
        g_padded: "zeros of the padding are counted",
        g_mirrored: "continued beyond its rim",
        g_small_windows: "as wide as the radius",
        g_even_windows: "become maps of",
        g_no_padding: "The rim is lost",
        g_one_line: "through the whole picture",
        g_one_for_both: "one line for both channels",
        g_sign: "The slope has the wrong sign",
        g_offset_plus: "The offset has a wrong sign",
        g_pixels: "made of single pixels",
        g_swapped: "have changed places",
        g_sample: "divide by N − 1",
        g_radius_2: "radius is not used",
        g_epsilon_0_001: "epsilon is not used",
        g_joined: "A slope and an offset were expected",
    },
    "10.3": {
        u_small_first: "made at the small size",
        u_small_first_by_area: "made at the small size",
        u_blurred_l: "has lost its detail",
        u_corners: "The corners are aligned",
        u_nearest: "coefficients have steps",
        u_default: "coefficients have steps",
        u_one_nearest: "coefficients have steps",
        u_bicubic: "by another rule",
        u_no_offset: "The offset is missing",
        u_no_slope: "L has no say",
        u_minus: "The offset is subtracted",
        u_swapped: "have changed places",
        u_factored: "multiplied by L too",
        u_lab: "turned into 0 to 100",
        u_0_to_1: "turned into 0 to 1.",
        u_tanh: "goes through a tanh",
        u_centered: "The mean of L is taken away",
        u_with_l: "Three channels come back",
        u_small: "still has the small size",
        u_in_place: "has changed its arguments",
    },
    "10.4": {
        i_one_scale: "One scale serves all channels",
        i_one_scale_for_each: "One scale serves all channels",
        i_128: "The largest value becomes 128",
        i_no_abs: "without regard to the sign",
        i_zero_point: "as with a zero point",
        i_unsigned: "The whole numbers are unsigned",
        i_inverse: "the inverse of what it should be",
        i_not_divided: "not divided by 127",
        i_inputs: "belongs to the inputs",
        i_255: "does not become 127",
        i_deviation: "the mean or the spread",
        i_cut: "The fraction is cut off",
        i_floor: "rounded to one side",
        i_overflow: "has become −128",
        i_other_steps: "they use other steps",
        i_no_sign: "The signs are lost",
        i_multiplied: "multiplied by the scale",
        i_zero_scale: "of a channel of zeros is 0",
        i_nan_scale: "A scale is NaN or infinite",
        i_high_floor: "no value becomes 127",
        i_floor_of_the_largest: "no value becomes 127",
        i_keepdim: "The scales have the shape",
        i_floats: "int8 was expected",
        i_swapped: "The scale comes first",
        i_doubles: "The scales are torch.float64",
        i_flat: "becomes whole numbers of",
        i_numbers_only: "Whole numbers and their scales were expected",
    },
    "10.5": {
        k_all: "All pixels count",
        k_changed: "The pixels count where L changes",
        k_tie: "changes by exactly `still` counts.",
        k_means_of_frames: "a mean of its own",
        k_added: "of a and b are added",
        k_channels_averaged: "of a and b are averaged",
        k_squared: "no root follows",
        k_root_last: "The root is taken of the mean",
        k_signed: "to and fro cancel",
        k_from_the_first: "against the first one",
        k_by_all_pixels: "divided by all pixels",
        k_sum: "the sum, not the mean",
        k_darker: "keeps its sign",
        k_chroma: "how strong the colors are",
        k_with_l: "is part of the distance",
        k_one_channel: "Only one of the two channels",
        k_around: "followed by the first one",
        k_still_1: "`still` is not used",
        k_last_pair: "Only the last pair",
        k_normalized: "not in CIE units",
        k_nan: "the flicker is NaN",
        k_map: "One number was expected",
    },
    "10.6": {
        y_swapped: "have changed places",
        y_everywhere: "carried everywhere",
        y_where_it_changes: "carried where L changes",
        y_added: "do not add up to 1",
        y_only_kept: "do not add up to 1",
        y_signed: "keeps its sign",
        y_tie: "exactly `still` counts as one that stays",
        y_whole: "is kept whole",
        y_zero_elsewhere: "no color is left",
        y_weak_elsewhere: "no color is left",
        y_previous_elsewhere: "the previous color stands",
        y_change_of_ab: "The change of ab decides",
        y_whole_frame: "The whole frame is carried",
        y_nothing: "Nothing is carried",
        y_still_2: "`still` is not used",
        y_keep_0_9: "`keep` is not used",
        y_half: "the same weight",
        y_squared: "is squared",
        y_fading: "shrinks with the change",
        y_with_l: "Three channels come back",
        y_in_place: "has changed its arguments",
    },
    "10.7": {
        m_name: "The file's name decides",
        m_always: "Every file counts as marked",
        m_never: "No file counts as marked",
        m_turned: "turned round",
        m_any_xmp: "Any XMP counts",
        m_any_source: "Any source counts",
        m_half_a_word: "Any algorithm counts",
        m_a_word: "Any algorithm counts",
        m_bytes: "The whole file is searched",
        m_info: "All of image.info is searched",
        m_values_of_info: "All of image.info is searched",
        m_software: "EXIF's Software decides",
        m_colorlab: "The name colorlab is looked for",
        m_colorlab_in_xmp: "The name colorlab is looked for",
        m_trained: "A word such as trained",
        m_jpeg_only: "Files that are not .jpg are never marked",
        m_png_key: "Only PNG files are ever marked",
        m_key_error: "ends in KeyError",
        m_find: "True or False was expected",
        m_returns_the_xmp: "True or False was expected",
        m_text_in_bytes: "raised TypeError",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_enough_wrong_solutions_are_tried():
    check_enough(WRONG, "10")


@pytest.mark.parametrize(
    ("name", "solution"), cases({n: dict.fromkeys(s) for n, s in RIGHT.items()})
)
def test_right_solution(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", f"{result.finding} {result.advice}"


def test_the_size_is_the_librarys_up_to_two_to_one():
    random = np.random.default_rng(0)
    for _ in range(300):
        height = int(random.integers(20, 3000))
        width = int(height * random.uniform(0.5, 2))
        short, stride = int(random.integers(64, 400)), int(random.choice([8, 16, 32]))
        assert size(height, width, short, stride) == library.network_size(
            height, width, short, stride
        )


def test_no_size_lies_near_a_tie():
    for height, width, short, stride in (
        lesson10.LANDSCAPE,
        lesson10.PORTRAIT,
        lesson10.SMALL,
        lesson10.THIN,
    ):
        for side in sides_of(height, width, short):
            assert abs(side / stride % 1 - 0.5) > 0.7 / stride
        assert max(height, width) / min(height, width) < 2


def test_the_files_are_marked_as_the_library_marks_them():
    assert marks.MADE == packets.MADE
    with marks.little_files() as files:
        assert [is_made_by_what_is_carried(file.path) for file in files] == [
            file.made for file in files
        ]
        folder = files[0].path.parent
        formats = {Image.open(file.path).format for file in files}
    assert formats == {"JPEG", "PNG", "WEBP"} and not folder.exists()


def test_each_wrong_reader_is_wrong_and_its_pattern_its_own():
    """Two mistakes that answer alike would be told apart by chance."""
    with marks.little_files() as files:
        made = tuple(file.made for file in files)
        told = {}
        for reader, mistake, _ in marks.readers():
            given = tuple(reader(file.path) for file in files)
            assert given != made, mistake
            assert told.setdefault(given, mistake) == mistake


def test_testers_leave_the_learners_random_numbers_alone():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    for name, several in RIGHT.items():
        try_solution(exercise(name), several[0])
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize("one", exercises("10"), ids=lambda one: one.name)
def test_the_same_solution_gets_the_same_result(one):
    for solution in [*WRONG[one.name]][:6]:
        assert try_solution(one, solution) == try_solution(one, solution)
