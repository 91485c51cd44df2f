"""The testers of lesson 09: wrong solutions with their hints, other right ones, the oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from solutions import cases, check_enough, check_refused, exercise

from colorlab import frechet as library
from colorlab import metrics
from colorlab.course.checks import exercises, figures, lesson09, try_solution

# scipy comes with scikit-image.
from scipy import linalg, stats  # isort: skip

# --- 9.1 -----------------------------------------------------------------------------------------


def psnr(image, truth):
    error = (image - truth).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error)


def psnr_flat(image, truth):
    away = (image - truth).flatten(1)
    return 20 * torch.log10(1 / away.pow(2).mean(1).sqrt())


def psnr_one_by_one(image, truth):
    found = []
    for ours, true in zip(image, truth, strict=True):
        found.append(10 * math.log10(1 / float(((ours - true) ** 2).mean())))
    return torch.tensor(found)


def psnr_by_norm(image, truth):
    count = image[0].numel()
    return 10 * (
        math.log10(count) - 2 * torch.linalg.vector_norm(image - truth, dim=(1, 2, 3)).log10()
    )


def psnr_of_the_library(image, truth):
    return torch.tensor([metrics.psnr(*pair) for pair in zip(image, truth, strict=True)])


def errors(image, truth):
    return (image - truth).square().mean((1, 2, 3))


def p_batch_first(image, truth):
    return -10 * torch.log10(((image - truth) ** 2).mean())


def p_batch_first_for_all(image, truth):
    return p_batch_first(image, truth).repeat(len(image))


def p_mean(image, truth):
    return psnr(image, truth).mean()


def p_255(image, truth):
    return 10 * torch.log10(255**2 / errors(image, truth))


def p_20(image, truth):
    return -20 * torch.log10(errors(image, truth))


def p_root_and_10(image, truth):
    return -10 * torch.log10(errors(image, truth).sqrt())


def p_natural(image, truth):
    return -10 * torch.log(errors(image, truth))


def p_no_minus(image, truth):
    return 10 * torch.log10(errors(image, truth))


def p_over_channels(image, truth):
    return -10 * torch.log10((image - truth).square().mean(1))


def p_over_pixels(image, truth):
    return -10 * torch.log10((image - truth).square().mean((2, 3)))


def p_mean_of_channels(image, truth):
    return p_over_pixels(image, truth).mean(1)


def p_absolute(image, truth):
    return -10 * torch.log10((image - truth).abs().mean((1, 2, 3)))


def p_mean_then_square(image, truth):
    return -10 * torch.log10((image - truth).mean((1, 2, 3)) ** 2)


def p_sum(image, truth):
    return -10 * torch.log10((image - truth).square().sum((1, 2, 3)))


def p_no_logarithm(image, truth):
    return 1 / errors(image, truth)


def p_half_the_error(image, truth):
    return -10 * torch.log10(errors(image, truth) / 2)


def p_in_place(image, truth):
    image -= truth
    return -10 * torch.log10(image.square().mean((1, 2, 3)))


def p_float(image, truth):
    return psnr(image, truth).tolist()


def p_squeezed(image, truth):
    return psnr(image, truth).squeeze()


# --- 9.2 -----------------------------------------------------------------------------------------


def ssim(x, y):
    mx, my = x.mean(), y.mean()
    vx, vy = ((x - mx) ** 2).mean(), ((y - my) ** 2).mean()
    cov = ((x - mx) * (y - my)).mean()
    light = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
    return light * (2 * cov + 0.03**2) / (vx + vy + 0.03**2)


def ssim_by_var(x, y):
    C1, C2 = 1e-4, 9e-4
    cov = ((x - x.mean()) * (y - y.mean())).mean()
    above = (2 * x.mean() * y.mean() + C1) * (2 * cov + C2)
    below = (x.mean().square() + y.mean().square() + C1) * (
        x.var(correction=0) + y.var(unbiased=False) + C2
    )
    return float(above / below)


def ssim_by_moments(x, y):
    mx, my = x.mean(), y.mean()
    vx, vy, cov = (x * x).mean() - mx**2, (y * y).mean() - my**2, (x * y).mean() - mx * my
    return ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))


def ssim_by_cov(x, y):
    (vx, cov), (_, vy) = torch.cov(torch.stack([x, y]), correction=0)
    mx, my = x.mean(), y.mean()
    light = (2 * mx * my + 1e-4) / (mx * mx + my * my + 1e-4)
    contrast = (2 * (vx * vy).sqrt() + 9e-4) / (vx + vy + 9e-4)
    structure = (cov + 4.5e-4) / ((vx * vy).sqrt() + 4.5e-4)
    return light * contrast * structure


def ssim_in_numpy(x, y):
    x, y = x.double().numpy(), y.double().numpy()
    cov = np.cov(x, y, ddof=0)
    light = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
    return light * (2 * cov[0, 1] + 9e-4) / (cov[0, 0] + cov[1, 1] + 9e-4)


def ssim_of(x, y, *, C1=1e-4, C2=9e-4, v=None, w=None, cov=None):
    """The right one, with some of its numbers replaced."""
    mx, my = x.mean(), y.mean()
    v = x.var(correction=0) if v is None else v
    w = y.var(correction=0) if w is None else w
    cov = ((x - mx) * (y - my)).mean() if cov is None else cov
    return (2 * mx * my + C1) / (mx**2 + my**2 + C1) * (2 * cov + C2) / (v + w + C2)


def s_deviations(x, y):
    return ssim_of(x, y, v=x.std(correction=0), w=y.std(correction=0))


def s_sample(x, y):
    return ssim_of(x, y, v=x.var(), w=y.var())


def s_sample_all(x, y):
    (v, cov), (_, w) = torch.cov(torch.stack([x, y]))
    return ssim_of(x, y, v=v, w=w, cov=cov)


def s_sample_covariance(x, y):
    return ssim_of(x, y, cov=torch.cov(torch.stack([x, y]))[0, 1])


def s_structure(x, y):
    return ssim_of(x, y) / ssim_of(x, y, v=0, w=0, cov=0)


def s_correlation(x, y):
    return torch.corrcoef(torch.stack([x, y]))[0, 1]


def s_light(x, y):
    return ssim_of(x, y, v=0, w=0, cov=0)


def s_no_constants(x, y):
    return ssim_of(x, y, C1=0, C2=0)


def s_not_squared(x, y):
    return ssim_of(x, y, C1=0.01, C2=0.03)


def s_for_255(x, y):
    return ssim_of(x, y, C1=(0.01 * 255) ** 2, C2=(0.03 * 255) ** 2)


def s_constants_swapped(x, y):
    return ssim_of(x, y, C1=9e-4, C2=1e-4)


def s_product_of_deviations(x, y):
    return ssim_of(x, y, cov=x.std(correction=0) * y.std(correction=0))


def s_product_of_variances(x, y):
    return ssim_of(x, y, cov=x.var(correction=0) * y.var(correction=0))


def s_not_centered(x, y):
    return ssim_of(x, y, cov=(x * y).mean())


def s_one_minus(x, y):
    return 1 - ssim(x, y)


def s_added(x, y):
    return s_light(x, y) + s_structure(x, y)


def s_no_two(x, y):
    return ssim_of(x, y, cov=((x - x.mean()) * (y - y.mean())).mean() / 2)


def s_of_255(x, y):
    return ssim(255 * x, 255 * y)


def s_never_negative(x, y):
    return ssim(x, y).clamp(min=0)


def s_by_pixel(x, y):
    return (2 * x * y + 1e-4) / (x**2 + y**2 + 1e-4)


def s_in_place(x, y):
    x -= x.mean()
    y -= y.mean()
    return (2 * (x * y).mean() + 9e-4) / ((x * x).mean() + (y * y).mean() + 9e-4)


# --- 9.3 -----------------------------------------------------------------------------------------


def colorfulness(rgb):
    red, green, blue = 255 * rgb
    rg, yb = red - green, (red + green) / 2 - blue
    spread = (rg.var(correction=0) + yb.var(correction=0)).sqrt()
    return spread + 0.3 * (rg.mean() ** 2 + yb.mean() ** 2).sqrt()


def colorfulness_in_numpy(rgb):
    red, green, blue = rgb.numpy() * 255.0
    rg, yb = red - green, 0.5 * (red + green) - blue
    return np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())


def colorfulness_at_the_end(rgb):
    """The factor 255 may come last, and yb may be blue minus yellow."""
    rg, by = rgb[0] - rgb[1], rgb[2] - (rgb[0] + rgb[1]) / 2
    both = torch.stack([rg, by]).flatten(1)
    means = both.mean(1, keepdim=True)
    spread = (both - means).square().mean(1).sum().sqrt()
    return 255 * float(spread + 0.3 * means.norm())


def colorfulness_by_moments(rgb):
    red, green, blue = (255 * channel.double() for channel in rgb)
    parts = (red - green, (red + green) / 2 - blue)
    middle = sum(float(part.mean()) ** 2 for part in parts)
    spread = sum(float((part**2).mean()) for part in parts) - middle
    return math.sqrt(max(spread, 0)) + 0.3 * math.sqrt(middle)


def opponents(rgb, scale=255):
    red, green, blue = scale * rgb
    return red - green, (red + green) / 2 - blue


def m3(rg, yb, correction=0):
    spread = (rg.var(correction=correction) + yb.var(correction=correction)).sqrt()
    return spread + 0.3 * torch.hypot(rg.mean(), yb.mean())


def roots(rgb):
    rg, yb = opponents(rgb)
    spread = torch.hypot(rg.std(correction=0), yb.std(correction=0))
    return spread, torch.hypot(rg.mean(), yb.mean())


def c_from_0_to_1(rgb):
    return m3(*opponents(rgb, 1))


def c_not_halved(rgb):
    red, green, blue = 255 * rgb
    return m3(red - green, red + green - blue)


def c_precedence(rgb):
    red, green, blue = 255 * rgb
    return m3(red - green, red + green / 2 - blue)


def c_sample(rgb):
    return m3(*opponents(rgb), correction=1)


def c_sample_deviation(rgb):
    rg, yb = opponents(rgb)
    return torch.hypot(rg.std(), yb.std()) + 0.3 * torch.hypot(rg.mean(), yb.mean())


def c_wrong_term(rgb):
    spread, middle = roots(rgb)
    return 0.3 * spread + middle


def c_no_share(rgb):
    return sum(roots(rgb))


def c_share_of_all(rgb):
    return 0.3 * sum(roots(rgb))


def c_no_root(rgb):
    spread, middle = roots(rgb)
    return spread**2 + 0.3 * middle


def c_no_second_root(rgb):
    spread, middle = roots(rgb)
    return spread + 0.3 * middle**2


def c_deviations_added(rgb):
    rg, yb = opponents(rgb)
    return rg.std(correction=0) + yb.std(correction=0) + 0.3 * torch.hypot(rg.mean(), yb.mean())


def c_means_added(rgb):
    rg, yb = opponents(rgb)
    return roots(rgb)[0] + 0.3 * (rg.mean().abs() + yb.mean().abs())


def c_spread_alone(rgb):
    return roots(rgb)[0]


def c_last_axis(rgb):
    return colorfulness(rgb.movedim(-1, 0))


def c_root_over_all(rgb):
    spread, middle = roots(rgb)
    return (spread**2 + 0.3 * middle**2).sqrt()


def c_by_pixel(rgb):
    rg, yb = opponents(rgb)
    return torch.hypot(rg, yb)


def c_in_place(rgb):
    rgb *= 255
    return m3(*opponents(rgb, 1))


# --- 9.4 -----------------------------------------------------------------------------------------


def parts_of(a, b):
    return (
        np.square(a.mean(0) - b.mean(0)).sum(),
        np.cov(a, rowvar=False),
        np.cov(b, rowvar=False),
    )


def frechet(a, b):
    shift, S, T = parts_of(a, b)
    root = np.sqrt(np.linalg.eigvals(S @ T).real.clip(0)).sum()
    return shift + np.trace(S) + np.trace(T) - 2 * root


def frechet_by_sqrtm(a, b):
    shift, S, T = parts_of(a, b)
    return float(shift + np.trace(S + T - 2 * linalg.sqrtm(S @ T).real))


def frechet_by_hand(a, b):
    ma, mb = a.mean(axis=0), b.mean(axis=0)
    A, B = (a - ma) / math.sqrt(len(a) - 1), (b - mb) / math.sqrt(len(b) - 1)
    S, T = A.T @ A, B.T @ B
    values = np.linalg.eigvals(S @ T)
    cross = sum(math.sqrt(max(value.real, 0.0)) for value in values)
    return max(0.0, np.linalg.norm(ma - mb) ** 2 + S.trace() + T.trace() - 2 * cross)


def frechet_by_two_roots(a, b):
    shift, S, T = parts_of(a, b)
    values, vectors = np.linalg.eigh(S)
    root = vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ T @ root)
    return shift + S.trace() + T.trace() - 2 * np.sqrt(np.maximum(inner, 0)).sum()


def frechet_by_complex_roots(a, b):
    shift, S, T = parts_of(a, b)
    roots = np.sqrt(np.linalg.eigvals(S @ T).astype(complex))
    return shift + np.trace(S) + np.trace(T) - 2 * roots.sum().real


def cross_of(S, T):
    return np.sqrt(np.linalg.eigvals(S @ T).real.clip(0)).sum()


def f_root(a, b):
    return np.sqrt(frechet(a, b))


def f_elementwise(a, b):
    shift, S, T = parts_of(a, b)
    with np.errstate(invalid="ignore"):  # numbers beside the diagonal are below 0
        return shift + np.trace(S + T - 2 * np.sqrt(S @ T))


def f_no_root(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S + T - 2 * S @ T)


def f_one_trace(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S) - 2 * cross_of(S, T)


def f_no_two(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S + T) - cross_of(S, T)


def f_plus(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S + T) + 2 * cross_of(S, T)


def f_mean_not_squared(a, b):
    shift, *_ = parts_of(a, b)
    return frechet(a, b) - shift + np.linalg.norm(a.mean(0) - b.mean(0))


def f_no_means(a, b):
    return frechet(a - a.mean(0), b - b.mean(0))


def f_mean_of_squares(a, b):
    shift, *_ = parts_of(a, b)
    return frechet(a, b) - shift + np.square(a.mean(0) - b.mean(0)).mean()


def f_rows(a, b):
    shift, *_ = parts_of(a, b)
    S, T = np.cov(a), np.cov(b)
    return shift + np.trace(S + T) - 2 * cross_of(S, T)


def f_rows_by_sqrtm(a, b):
    shift, *_ = parts_of(a, b)
    S, T = np.cov(a), np.cov(b)
    return shift + np.trace(S + T - 2 * linalg.sqrtm(S @ T))


def f_divisor(a, b):
    shift, *_ = parts_of(a, b)
    S, T = np.cov(a, rowvar=False, ddof=0), np.cov(b.T, bias=True)
    return shift + np.trace(S + T) - 2 * cross_of(S, T)


def f_eigvalsh(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S + T) - 2 * np.sqrt(np.linalg.eigvalsh(S @ T).clip(0)).sum()


def f_two_roots(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S + T - 2 * linalg.sqrtm(S) @ linalg.sqrtm(T))


def f_variances(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.square(np.sqrt(np.diag(S)) - np.sqrt(np.diag(T))).sum()


def f_not_clipped(a, b):
    shift, S, T = parts_of(a, b)
    roots = np.sqrt(np.linalg.eigvals(S @ T))
    return shift + np.trace(S + T) - 2 * roots.sum()


def f_complex(a, b):
    shift, S, T = parts_of(a, b)
    return shift + np.trace(S + T - 2 * linalg.sqrtm(S @ T).astype(complex))


def f_first_ones(a, b):
    return frechet(a[:6], b[:6])


def f_matrix(a, b):
    shift, S, T = parts_of(a, b)
    return shift + S + T - 2 * linalg.sqrtm(S @ T).real


def f_centers_in_place(a, b):
    a -= a.mean(0)
    return frechet(a, b)


# --- 9.5 -----------------------------------------------------------------------------------------


def wilson(successes, trials, z=1.96):
    p = successes / trials
    scale = 1 + z**2 / trials
    middle = (p + z**2 / (2 * trials)) / scale
    half = z * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2)) / scale
    return middle - half, middle + half


def wilson_by_counts(successes, trials, z=1.96):
    """Its other form, in counts instead of shares."""
    failures = trials - successes
    middle = (successes + z * z / 2) / (trials + z * z)
    half = z / (trials + z * z) * np.sqrt(successes * failures / trials + z * z / 4)
    return np.array([middle - half, middle + half])


def wilson_as_a_root(successes, trials, z=1.96):
    """Where the share lies just z of its own standard errors off."""
    p = successes / trials
    return sorted(np.roots([1 + z**2 / trials, -(2 * p + z**2 / trials), p**2]).real)


def wilson_clipped(successes, trials, z=1.96):
    low, high = wilson(successes, trials, z)
    return max(0.0, low), min(1.0, high)


def wilson_of_scipy(successes, trials, z=1.96):
    level = 1 - 2 * stats.norm.sf(z)
    return tuple(stats.binomtest(successes, trials).proportion_ci(level, method="wilson"))


def w_normal(successes, trials, z=1.96):
    p = successes / trials
    half = z * math.sqrt(p * (1 - p) / trials)
    return p - half, p + half


def w_normal_clipped(successes, trials, z=1.96):
    low, high = w_normal(successes, trials, z)
    return max(low, 0), min(high, 1)


def w_agresti(successes, trials, z=1.96):
    return w_normal(successes + z**2 / 2, trials + z**2, z)


def pieces(successes, trials, z):
    p = successes / trials
    whole = z * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    return p, p + z**2 / (2 * trials), whole, 1 + z**2 / trials


def w_no_term(successes, trials, z=1.96):
    p, middle, _, scale = pieces(successes, trials, z)
    half = z * math.sqrt(p * (1 - p) / trials)
    return (middle - half) / scale, (middle + half) / scale


def w_not_divided(successes, trials, z=1.96):
    _, middle, half, _ = pieces(successes, trials, z)
    return middle - half, middle + half


def w_half_not_divided(successes, trials, z=1.96):
    _, middle, half, scale = pieces(successes, trials, z)
    return middle / scale - half, middle / scale + half


def w_around_the_share(successes, trials, z=1.96):
    p, _, half, scale = pieces(successes, trials, z)
    return p - half / scale, p + half / scale


def w_n_not_squared(successes, trials, z=1.96):
    p, middle, _, scale = pieces(successes, trials, z)
    half = z * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials))
    return (middle - half) / scale, (middle + half) / scale


def w_no_z(successes, trials, z=1.96):
    _, middle, half, scale = pieces(successes, trials, z)
    return (middle - half / z) / scale, (middle + half / z) / scale


def w_percent(successes, trials, z=1.96):
    low, high = wilson(successes, trials, z)
    return 100 * low, 100 * high


def w_middle_and_half(successes, trials, z=1.96):
    _, middle, half, scale = pieces(successes, trials, z)
    return middle / scale, half / scale


def w_half_and_middle(successes, trials, z=1.96):
    return w_middle_and_half(successes, trials, z)[::-1]


def w_z_ignored(successes, trials, z=1.96):
    return wilson(successes, trials)


def w_turned(successes, trials, z=1.96):
    return wilson(successes, trials, z)[::-1]


def w_exact(successes, trials, z=1.96):
    level = 1 - 2 * stats.norm.sf(z)
    return tuple(stats.binomtest(successes, trials).proportion_ci(level, method="exact"))


def w_width(successes, trials, z=1.96):
    low, high = wilson(successes, trials, z)
    return high - low


def w_no_z_argument(successes, trials):
    return wilson(successes, trials)


# --- 9.6 -----------------------------------------------------------------------------------------


def paired(a, b, random, resamples=1000):
    photos = random.integers(len(a), size=(resamples, len(a)))
    means = (a - b)[photos].mean(1)
    return np.percentile(means, [2.5, 97.5])


def paired_by_loop(a, b, random, resamples=1000):
    means = []
    for _ in range(resamples):
        photos = random.integers(0, len(a), len(a))
        means.append(np.mean(a[photos] - b[photos]))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def paired_by_choice(a, b, random, resamples=1000):
    d = a - b
    means = [random.choice(d, len(d)).mean() for _ in range(resamples)]
    low, high = np.percentile(means, (2.5, 97.5))
    return low, high


def paired_by_sorting(a, b, random, resamples=1000):
    means = []
    for _ in range(resamples):
        photos = random.choice(len(a), size=len(a), replace=True)
        means.append(a[photos].mean() - b[photos].mean())
    means.sort()
    cut = round(0.025 * (resamples - 1))
    return means[cut], means[-1 - cut]


def paired_by_counts(a, b, random, resamples=1000):
    counts = random.multinomial(len(a), np.full(len(a), 1 / len(a)), size=resamples)
    return tuple(np.quantile(counts @ (a - b) / len(a), [0.025, 0.975]))


def paired_in_plain_python(a, b, random, resamples=1000):
    differences = [x - y for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    n = len(differences)
    means = sorted(
        sum(differences[int(i)] for i in random.random(n) * n) / n for _ in range(resamples)
    )
    return [means[int(0.025 * resamples)], means[int(0.975 * resamples)]]


def ends_of(level):
    return [50 - level / 2, 50 + level / 2]


def means_of(a, b, random, resamples):
    return (a - b)[random.integers(len(a), size=(resamples, len(a)))].mean(1)


def b_unpaired(a, b, random, resamples=1000):
    drawn = [x[random.integers(len(x), size=(resamples, len(x)))].mean(1) for x in (a, b)]
    return np.percentile(drawn[0] - drawn[1], [2.5, 97.5])


def b_unpaired_by_loop(a, b, random, resamples=1000):
    means = [
        random.choice(a, len(a)).mean() - random.choice(b, len(b)).mean() for _ in range(resamples)
    ]
    return np.percentile(means, [2.5, 97.5])


def b_permuted(a, b, random, resamples=1000):
    means = [random.permutation(a - b).mean() for _ in range(resamples)]
    return np.percentile(means, [2.5, 97.5])


def b_without_replacement(a, b, random, resamples=1000):
    means = []
    for _ in range(resamples):
        photos = random.choice(len(a), len(a), replace=False)
        means.append((a[photos] - b[photos]).mean())
    return np.percentile(means, [2.5, 97.5])


def b_drawn_once(a, b, random, resamples=1000):
    photos = random.integers(len(a), size=len(a))
    means = [(a[photos] - b[photos]).mean() for _ in range(resamples)]
    return np.percentile(means, [2.5, 97.5])


def b_one_resample(a, b, random, resamples=1000):
    means = random.choice(a - b, len(a)).mean()
    return np.percentile(means, [2.5, 97.5])


def b_differences(a, b, random, resamples=1000):
    return np.percentile(a - b, [2.5, 97.5])


def b_drawn_differences(a, b, random, resamples=1000):
    return np.percentile(random.choice(a - b, (resamples, len(a))), [2.5, 97.5])


def b_90(a, b, random, resamples=1000):
    return np.percentile(means_of(a, b, random, resamples), ends_of(90))


def b_99(a, b, random, resamples=1000):
    return np.percentile(means_of(a, b, random, resamples), ends_of(99))


def b_standard_error(a, b, random, resamples=1000):
    means = means_of(a, b, random, resamples)
    return means.mean() - means.std(), means.mean() + means.std()


def b_divided_again(a, b, random, resamples=1000):
    means = means_of(a, b, random, resamples)
    half = 1.96 * means.std() / math.sqrt(len(a))
    return means.mean() - half, means.mean() + half


def b_normal(a, b, random, resamples=1000):
    means = means_of(a, b, random, resamples)
    return means.mean() - 1.96 * means.std(), means.mean() + 1.96 * means.std()


def b_formula(a, b, random, resamples=1000):
    half = 1.96 * (a - b).std() / math.sqrt(len(a))
    return (a - b).mean() - half, (a - b).mean() + half


def b_own_seed(a, b, random, resamples=1000):
    return paired(a, b, np.random.default_rng(0), resamples)


def b_turned_round(a, b, random, resamples=1000):
    low, high = paired(a, b, random, resamples)
    return 2 * (a - b).mean() - high, 2 * (a - b).mean() - low


def b_signs_turned(a, b, random, resamples=1000):
    return paired(b, a, random, resamples)


def b_ends_turned(a, b, random, resamples=1000):
    return paired(a, b, random, resamples)[::-1]


def b_resamples_ignored(a, b, random, resamples=1000):
    return paired(a, b, random, 1000)


def b_of_a_alone(a, b, random, resamples=1000):
    return paired(a, np.zeros_like(a), random, resamples)


def b_few_photos(a, b, random, resamples=1000):
    means = [random.choice(a - b, 10).mean() for _ in range(resamples)]
    return np.percentile(means, [2.5, 97.5])


def b_fractions(a, b, random, resamples=1000):
    return np.percentile(means_of(a, b, random, resamples), [0.025, 0.975])


def b_mean(a, b, random, resamples=1000):
    return means_of(a, b, random, resamples).mean()


def b_in_place(a, b, random, resamples=1000):
    a -= b
    return paired(a, np.zeros_like(a), random, resamples)


# --- 9.7 -----------------------------------------------------------------------------------------


def win(candidates, shares):
    return (shares[:, None, None, None] * candidates).sum(0)


def win_by_tensordot(candidates, shares):
    return torch.tensordot(shares, candidates, dims=1)


def win_by_matrix(candidates, shares):
    return (shares @ candidates.flatten(1)).view(candidates.shape[1:])


def win_by_loop(candidates, shares):
    picture = torch.zeros_like(candidates[0])
    for candidate, share in zip(candidates, shares, strict=True):
        picture += share * candidate
    return picture / shares.sum()


def win_by_learning(candidates, shares):
    """Gradient descent on the expected squared error itself."""
    picture = candidates[0].clone()
    for _ in range(60):
        picture -= 0.25 * 2 * (shares[:, None, None, None] * (picture - candidates)).sum(0)
    return picture.clamp(0, 1)


def v_likeliest(candidates, shares):
    return candidates[shares.argmax()]


def v_best_candidate(candidates, shares):
    away = (candidates[:, None] - candidates[None]).square().mean((2, 3, 4))
    return candidates[(away @ shares).argmin()]


def v_first(candidates, shares):
    return candidates[0]


def v_mean(candidates, shares):
    return candidates.mean(0)


def v_median(candidates, shares):
    return candidates.median(0).values


def v_gray(candidates, shares):
    return win(candidates, shares).mean(0, keepdim=True).expand(3, -1, -1)


def v_one_channel(candidates, shares):
    return win(candidates, shares).mean(0, keepdim=True)


def v_squares(candidates, shares):
    return win(candidates.square(), shares)


def v_root_of_squares(candidates, shares):
    return win(candidates.square(), shares).sqrt()


def v_mean_of_weighted(candidates, shares):
    return (shares[:, None, None, None] * candidates).mean(0)


def v_softmax(candidates, shares):
    return win(candidates, shares.softmax(0))


def v_channels(candidates, shares):
    return (shares[:, None, None] * candidates).sum(0)


def v_shares_squared(candidates, shares):
    return win(candidates, shares**2)


def v_shares_squared_and_scaled(candidates, shares):
    return win(candidates, shares**2 / (shares**2).sum())


def v_all(candidates, shares):
    return shares[:, None, None, None] * candidates


def v_in_place(candidates, shares):
    candidates *= shares[:, None, None, None]
    return candidates.sum(0)


def v_numpy(candidates, shares):
    return np.average(candidates.numpy(), axis=0, weights=shares.numpy())


def v_last_axis(candidates, shares):
    return (shares * candidates).sum(0)


WRONG = {
    "9.1": {
        p_batch_first: "averaged before the logarithm",
        p_batch_first_for_all: "averaged before the logarithm",
        p_mean: "the mean over the pictures",
        p_255: "The peak is taken to be 255",
        p_20: "twice as large as they should be",
        p_root_and_10: "half as large as they should be",
        p_natural: "The logarithm has the wrong base",
        p_no_minus: "The better picture gets the smaller number",
        p_over_channels: "Each pixel gets a logarithm",
        p_over_pixels: "Each channel gets a logarithm",
        p_mean_of_channels: "Each channel gets a logarithm",
        p_absolute: "The error is not squared",
        p_mean_then_square: "Errors above and below cancel",
        p_sum: "The squares are summed up",
        p_no_logarithm: "There is no logarithm yet",
        p_half_the_error: "The PSNR of picture",
        p_in_place: "has changed its arguments",
        p_float: "A torch tensor was expected",
        p_squeezed: "should have the shape (1,)",
    },
    "9.2": {
        s_deviations: "Standard deviations stand where variances should",
        s_sample: "The variance divides by N − 1",
        s_sample_all: "The variance divides by N − 1",
        s_sample_covariance: "The covariance alone divides",
        s_structure: "the first factor is missing",
        s_correlation: "the first factor is missing",
        s_light: "the second factor is missing",
        s_no_constants: "C1 and C2 count for nothing",
        s_not_squared: "C1 and C2 have another size",
        s_for_255: "C1 and C2 have another size",
        s_constants_swapped: "C1 and C2 have changed places",
        s_product_of_deviations: "The product of the deviations",
        s_product_of_variances: "The variances are multiplied",
        s_not_centered: "with the means still in it",
        s_one_minus: "That is the dissimilarity",
        s_added: "The two factors are added",
        s_no_two: "A factor 2 is missing",
        s_of_255: "C1 and C2 count for nothing",
        s_never_negative: "Two windows with the means",
        s_by_pixel: "One number was expected",
        s_in_place: "has changed its arguments",
    },
    "9.3": {
        c_from_0_to_1: "taken from 0 to 1",
        c_not_halved: "yb is not 0 for a gray pixel",
        c_precedence: "yb is not 0 for a gray pixel",
        c_sample: "The variance divides by N − 1",
        c_sample_deviation: "The variance divides by N − 1",
        c_wrong_term: "0.3 does not stand where it should",
        c_no_share: "0.3 does not stand where it should",
        c_share_of_all: "0.3 does not stand where it should",
        c_no_root: "A root is missing",
        c_no_second_root: "A root is missing",
        c_deviations_added: "The two deviations are added",
        c_means_added: "The two means are added",
        c_spread_alone: "Only one of the two terms",
        c_last_axis: "read along the last axis",
        c_root_over_all: "The first root is",
        c_by_pixel: "One number was expected",
        c_in_place: "has changed its arguments",
    },
    "9.4": {
        f_root: "That is the root of the whole",
        f_elementwise: "Each number of the product gets its own root",
        f_no_root: "No root is taken of the product",
        f_one_trace: "The trace of one covariance is missing",
        f_no_two: "does not count twice",
        f_plus: "The trace of the root is added",
        f_mean_not_squared: "The distance of the means is not squared",
        f_no_means: "The means don't count as they should",
        f_mean_of_squares: "The means don't count as they should",
        f_rows: "those of the photos, not of the features",
        f_rows_by_sqrtm: "those of the photos, not of the features",
        f_divisor: "The covariances divide by N",
        f_eigvalsh: "The product counts as symmetric",
        f_two_roots: "Each covariance gets its own root",
        f_variances: "Features are compared one by one",
        f_not_clipped: "with 12 features each the distance is",
        f_complex: "with 12 features each the distance is",
        f_first_ones: "9 and 14 photos with 3 features should be",
        f_matrix: "A matrix of shape (3, 3)",
        f_centers_in_place: "has changed its arguments",
    },
    "9.5": {
        w_normal: "That is the normal interval",
        w_normal_clipped: "That is the normal interval",
        w_agresti: "Agresti and Coull",
        w_no_term: "Under the root a term is missing",
        w_not_divided: "The division by 1 + z²/n is missing",
        w_half_not_divided: "only one is divided",
        w_around_the_share: "The middle is the share itself",
        w_n_not_squared: "has the wrong size",
        w_no_z: "z is missing in front of the root",
        w_percent: "The ends are percentages",
        w_middle_and_half: "Those are middle and half width",
        w_half_and_middle: "Those are middle and half width",
        w_z_ignored: "z is not used",
        w_turned: "The high end comes first",
        w_exact: "For 6 of 20 and z = 1.96 the interval is",
        w_width: "Two numbers were expected",
        w_no_z_argument: "can't be called with 3 argument",
    },
    "9.6": {
        b_unpaired: "a and b are drawn apart",
        b_unpaired_by_loop: "a and b are drawn apart",
        b_permuted: "each resample has the same photos",
        b_without_replacement: "each resample has the same photos",
        b_drawn_once: "all resamples are one and the same",
        b_one_resample: "all resamples are one and the same",
        b_differences: "That is where single photos lie",
        b_drawn_differences: "That is where single photos lie",
        b_90: "an interval of 90 %",
        b_99: "an interval of 99 %",
        b_standard_error: "about 68 %",
        b_divided_again: "divided by √N once more",
        b_normal: "no resample's mean is below 0",
        b_formula: "Nothing is drawn from `random`",
        b_own_seed: "Nothing is drawn from `random`",
        b_turned_round: "The interval is turned round",
        b_signs_turned: "The signs are turned",
        b_ends_turned: "Which of the two should be the smaller one",
        b_resamples_ignored: "`resamples` is not used",
        b_of_a_alone: "was expected; yours is",
        b_few_photos: "was expected; yours is",
        b_fractions: "lies above both ends",
        b_mean: "Two numbers were expected",
        b_in_place: "has changed its arguments",
    },
    "9.7": {
        v_likeliest: "That is the likeliest candidate",
        v_best_candidate: "That is one of the candidates, as it is",
        v_first: "That is one of the candidates, as it is",
        v_mean: "All candidates count alike",
        v_median: "That is the median",
        v_gray: "The result is gray",
        v_one_channel: "The result is gray",
        v_squares: "The values are squared",
        v_root_of_squares: "The values are squared",
        v_mean_of_weighted: "The sum is divided once too often",
        v_softmax: "The shares go through a softmax",
        v_channels: "The shares weigh channels",
        v_shares_squared: "The shares are squared",
        v_shares_squared_and_scaled: "The shares are squared",
        v_all: "should have the shape (3, 4, 5)",
        v_in_place: "has changed its arguments",
        v_numpy: "A torch tensor was expected",
        v_last_axis: "must match the size of tensor",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "09")


# --- right solutions, and stubs ------------------------------------------------------------------

RIGHT = {
    "9.1": (psnr, psnr_flat, psnr_one_by_one, psnr_by_norm, psnr_of_the_library),
    "9.2": (ssim, ssim_by_var, ssim_by_moments, ssim_by_cov, ssim_in_numpy),
    "9.3": (
        colorfulness,
        colorfulness_in_numpy,
        colorfulness_at_the_end,
        colorfulness_by_moments,
        metrics.colorfulness,
    ),
    "9.4": (
        frechet,
        frechet_by_sqrtm,
        frechet_by_hand,
        frechet_by_two_roots,
        frechet_by_complex_roots,
        library.frechet_distance,
    ),
    "9.5": (wilson, wilson_by_counts, wilson_as_a_root, wilson_clipped, wilson_of_scipy),
    "9.6": (
        paired,
        paired_by_loop,
        paired_by_choice,
        paired_by_sorting,
        paired_by_counts,
        paired_in_plain_python,
    ),
    "9.7": (win, win_by_tensordot, win_by_matrix, win_by_loop, win_by_learning),
}


@pytest.mark.parametrize(
    ("name", "solution"), [(name, one) for name, several in RIGHT.items() for one in several]
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


def open_psnr(image, truth):
    """One number a picture."""
    ...


def open_ssim(x, y):
    """The similarity."""
    mean_x, mean_y = x.mean(), y.mean()
    ...
    return mean_x, mean_y


def open_colorfulness(rgb):
    """M3."""
    ...


def open_frechet(a, b):
    """The squared distance."""
    return ...


def open_wilson(successes, trials, z=1.96):
    """Low and high."""
    ...


def open_paired(a, b, random, resamples=1000):
    """Low and high."""
    means = ...
    return np.percentile(means, [2.5, 97.5])


def open_win(candidates, shares):
    """The picture."""
    ...


STUBS = (
    open_psnr,
    open_ssim,
    open_colorfulness,
    open_frechet,
    open_wilson,
    open_paired,
    open_win,
)


@pytest.mark.parametrize(("one", "stub"), list(zip(exercises("09"), STUBS, strict=True)))
def test_an_untouched_stub_is_open_and_says_what_to_look_at(one, stub):
    result = try_solution(one, stub)
    assert result.status == "open"
    assert result.advice == one.start and one.start.startswith("Look at ")


# --- the oracles ---------------------------------------------------------------------------------


def randoms(seed):
    return torch.Generator().manual_seed(seed)


def test_the_psnr_is_the_librarys_and_hand_computed():
    truth = torch.rand(3, 3, 8, 9, generator=randoms(1))
    image = torch.rand(3, 3, 8, 9, generator=randoms(2))
    theirs = [metrics.psnr(*pair) for pair in zip(image, truth, strict=True)]
    assert psnr(image, truth).tolist() == pytest.approx(theirs, rel=1e-5)
    flat = torch.full((1, 3, 4, 4), 0.5)
    assert psnr(flat + 0.1, flat).item() == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_one_window_is_what_scikit_image_and_torchmetrics_find_there(seed):
    """Of 7 × 7 pixels just the middle one has a whole uniform window."""
    from skimage.metrics import structural_similarity
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = torch.rand(2, 7, 7, generator=randoms(seed)) * 0.3
    x, y = pair[0], 0.6 * pair[0] + 0.4 * pair[1]
    _, windows = structural_similarity(
        x.double().numpy(), y.double().numpy(), win_size=7, data_range=1.0,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    _, more = structural_similarity_index_measure(
        x[None, None], y[None, None], gaussian_kernel=False, kernel_size=7, data_range=1.0,
        return_full_image=True,
    )  # fmt: skip
    right, _ = lesson09._ssim(x.flatten(), y.flatten())
    assert right == pytest.approx(windows[3, 3], abs=1e-7)
    assert right == pytest.approx(more[0, 0, 3, 3].item(), abs=1e-4)
    for way in RIGHT["9.2"]:
        assert float(way(x.flatten(), y.flatten())) == pytest.approx(right, abs=2e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_colorfulness_is_the_librarys(seed):
    rgb = torch.rand(3, 9, 7, generator=randoms(seed))
    theirs = metrics.colorfulness(rgb).item()
    assert lesson09._colorfulness(rgb)[0] == pytest.approx(theirs, rel=1e-5)
    for way in RIGHT["9.3"]:
        assert float(way(rgb)) == pytest.approx(theirs, rel=1e-4)


def test_the_colorfulness_of_two_pixels_by_hand():
    """A red pixel and a black one: rg 255 and 0, yb 127.5 and 0."""
    rgb = torch.zeros(3, 1, 2)
    rgb[0, 0, 0] = 1
    by_hand = 127.5 * math.sqrt(1.25) + 0.3 * 127.5 * math.sqrt(1.25)
    assert lesson09._colorfulness(rgb)[0] == pytest.approx(by_hand, rel=1e-9)
    assert colorfulness(rgb).item() == pytest.approx(by_hand, rel=1e-6)


def frechet_of_the_tester(a, b):
    shift, S, T, cross = figures.parts(a, b)
    return shift + np.trace(S) + np.trace(T) - 2 * cross


@pytest.mark.parametrize("way", [*RIGHT["9.4"], frechet_of_the_tester])
@pytest.mark.parametrize("size", [(30, 40, 5), (8, 6, 20)])
def test_the_frechet_distance_is_the_librarys(way, size):
    n, m, features = size
    draw = np.random.default_rng(3)
    a, b = draw.normal(size=(n, features)), draw.normal(0.3, 2, size=(m, features))
    assert way(a, b) == pytest.approx(library.frechet_distance(a, b), abs=1e-5)


def test_two_clouds_by_hand():
    """Features that vary alone: each adds (mean - mean)² and (deviation - deviation)²."""
    signs = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * math.sqrt(3) / 2  # variances of 1
    a, b = signs * (2, 5), signs * (3, 1) + (10, 0)
    by_hand = 100 + (2 - 3) ** 2 + (5 - 1) ** 2
    assert frechet(a, b) == pytest.approx(by_hand) == frechet_of_the_tester(a, b)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (6, 20), (130, 400), (7, 7)])
@pytest.mark.parametrize("level", [0.68, 0.95, 0.99])
def test_the_interval_is_scipys(successes, trials, level):
    z = stats.norm.ppf((1 + level) / 2)
    theirs = tuple(stats.binomtest(successes, trials).proportion_ci(level, method="wilson"))
    assert figures.wilson_interval(successes, trials, z) == pytest.approx(theirs, abs=1e-9)
    for way in RIGHT["9.5"]:
        assert tuple(way(successes, trials, z)) == pytest.approx(theirs, abs=1e-6)


def test_the_scores_are_strongly_correlated():
    a, b = figures.scores()
    assert np.corrcoef(a, b)[0, 1] > 0.99
    assert (a - b).mean() == pytest.approx(0.4, abs=1e-9)
    assert (a - b).std() == pytest.approx(0.5)
    assert stats.kurtosis(a - b) > -1 and abs(stats.skew(a - b)) < 0.05


@pytest.mark.parametrize("way", [paired, paired_by_counts, paired_by_sorting])
def test_a_right_interval_never_comes_near_the_tolerance(way):
    """Over 60 seeds half width and middle stay within 4 of the tolerance's 5.5 standard errors."""
    a, b = figures.scores()
    d = a - b
    error = d.std() / math.sqrt(len(d))
    found = []
    for seed in range(60 if way is not paired_by_sorting else 5):
        low, high = way(a, b, np.random.default_rng(seed), figures.RESAMPLES)
        assert figures.flaw_of_width(low, high, a, b) is None
        found.append(((high - low) / 2 / error - 1.96, ((high + low) / 2 - d.mean()) / error))
    assert np.abs(found).max() < 4 / 5.5 * 0.15
    if len(found) > 5:  # and the standard error is what the docstring says
        assert np.std(found, axis=0) == pytest.approx([0.027, 0.027], rel=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_other_seeds_would_find_the_same_mistakes(seed):
    a, b = figures.scores()
    for way in (b_unpaired, b_drawn_differences, b_90, b_99, b_standard_error, b_divided_again):
        low, high = way(a, b, np.random.default_rng(seed), figures.RESAMPLES)
        flaw = figures.flaw_of_width(low, high, a, b)
        assert WRONG["9.6"][way] in flaw.mistake


def test_one_photo_of_five_has_the_ends_of_the_binomial():
    """The means of resamples are how often the one photo is drawn: Binomial(5, 1/5)."""
    shares = stats.binom.cdf(range(5), 5, 0.2)
    error = np.sqrt(shares * (1 - shares) / 2000)
    assert shares[0] > 0.025 + 6 * error[0]
    assert shares[2] < 0.975 - 6 * error[2] and shares[3] > 0.975 + 6 * error[3]


def test_the_picture_has_the_smallest_expected_error_of_all_tried():
    candidates = torch.rand(4, 3, 6, 5, generator=randoms(8))
    shares = torch.tensor([0.4, 0.3, 0.2, 0.1])

    def expected(picture):
        return float(shares @ (candidates - picture).square().mean((1, 2, 3)))

    best = expected(win(candidates, shares))
    for wrong in (v_likeliest, v_best_candidate, v_mean, v_median, v_gray, v_root_of_squares):
        assert expected(wrong(candidates, shares)) > best
    for seed in range(5):
        moved = win(candidates, shares) + 0.01 * torch.randn(3, 6, 5, generator=randoms(seed))
        assert expected(moved) > best


def test_testers_leave_the_learners_random_numbers_alone():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    for name, several in RIGHT.items():
        try_solution(exercise(name), several[0])
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize("one", exercises("09"), ids=lambda one: one.name)
def test_the_same_solution_gets_the_same_result(one):
    for solution in [*WRONG[one.name]][:6]:
        assert try_solution(one, solution) == try_solution(one, solution)
