"""The testers of lesson 08: wrong solutions with their hints, other right ones, the oracles."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from solutions import cases, check_enough, check_refused, exercise
from torch import nn

from colorlab import hints, palette
from colorlab.color import AB_RANGE, lightness_to_gray
from colorlab.course.checks import exercises, lesson08, try_solution
from colorlab.course.checks.encoders import small_net
from colorlab.encoders import EncoderUNet
from colorlab.training import optimizers

# --- 8.1 -----------------------------------------------------------------------------------------


def join(features, ups):
    *skips, x = features
    for up, skip in zip(ups, reversed(skips), strict=True):
        x = up(x, skip)
    return x


def join_by_index(features, ups):
    x = features[-1]
    for i, up in enumerate(ups):
        x = up(x, features[-2 - i])
    return x


def join_by_pop(features, ups):
    maps = list(features)
    x = maps.pop()
    for up in ups:
        x = up(x, maps.pop())
    return x


def join_by_recursion(features, ups):
    if len(features) == 1:
        return features[0]
    *finer, skip, x = features
    return join_by_recursion([*finer, ups[0](x, skip)], ups[1:])


def join_after_turning(features, ups):
    x, *skips = features[::-1]
    for i in range(len(skips)):
        x = ups[i](x, skips[i])
    return x


def j_not_reversed(features, ups):
    *skips, x = features
    for up, skip in zip(ups, skips, strict=True):
        x = up(x, skip)
    return x


def j_reversed_twice(features, ups):
    *skips, x = features
    skips.reverse()
    for up, skip in zip(ups, reversed(skips), strict=True):
        x = up(x, skip)
    return x


def j_turned_twice(features, ups):
    return join(features[::-1], ups)


def j_from_the_finest(features, ups):
    x, *skips = features
    for up, skip in zip(ups, reversed(skips), strict=True):
        x = up(x, skip)
    return x


def j_ups_turned(features, ups):
    return join(features, ups[::-1])


def j_bottom_twice(features, ups):
    x = features[-1]
    for up, skip in zip(ups, reversed(features), strict=False):
        x = up(x, skip)
    return x


def j_bottom_for_all(features, ups):
    x = features[-1]
    for up in ups:
        x = up(x, features[-1])
    return x


def j_no_skip(features, ups):
    x = features[-1]
    for up in ups:
        x = up(x, x)
    return x


def j_one_argument(features, ups):
    x = features[-1]
    for up in ups:
        x = up(x)
    return x


def j_swapped(features, ups):
    return join(features, [lambda x, skip, up=up: up(skip, x) for up in ups])


def j_x_not_replaced(features, ups):
    *skips, x = features
    for up, skip in zip(ups, reversed(skips), strict=True):
        y = up(x, skip)
    return y


def j_last_left_out(features, ups):
    *skips, x = features
    for i in range(len(skips) - 1):
        x = ups[i](x, skips[-1 - i])
    return x


def j_returns_early(features, ups):
    *skips, x = features
    for up, skip in zip(ups, reversed(skips), strict=True):
        x = up(x, skip)
        return x


def j_no_walk(features, ups):
    return features[-1]


def j_list_as_x(features, ups):
    x, skips = features, features[:-1]
    for up, skip in zip(ups, reversed(skips), strict=True):
        x = up(x, skip)
    return x


def j_pops_the_callers(features, ups):
    x = features.pop()
    return x if not ups else join_by_pop([*features, x], ups)


def j_recursion_that_pops(features, ups):
    if len(features) > 1:
        x = features.pop()
        features[-1] = ups[0](x, features[-1])
        return j_recursion_that_pops(features, ups[1:])
    return features[0]


def j_returns_the_bottom(features, ups):
    join(features, ups)
    return features[-1]


def j_returns_all(features, ups):
    return [join(features, ups)]


def j_halved_first(features, ups):
    return join([x / 2 for x in features], ups)


# --- 8.2 -----------------------------------------------------------------------------------------


def groups(net, rate, share):
    known = {id(p) for p in net.encoder.parameters()}
    new = [p for p in net.parameters() if id(p) not in known]
    return [
        {"params": new, "lr": rate},
        {"params": list(net.encoder.parameters()), "lr": rate * share},
    ]


def groups_by_name(net, rate, share):
    new, known = [], []
    for name, parameter in net.named_parameters():
        (known if name.startswith("encoder.") else new).append(parameter)
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


def groups_by_set(net, rate, share):
    known = set(net.encoder.parameters())
    return (
        {"lr": rate, "params": [p for p in net.parameters() if p not in known]},
        {"lr": share * rate, "params": known},
    )


def groups_by_parts(net, rate, share):
    new = [p for name, part in net.named_children() if name != "encoder" for p in part.parameters()]
    return [
        {"params": new, "lr": rate},
        {"params": net.encoder.parameters(), "lr": rate * share},
    ]


def groups_by_identity(net, rate, share):
    known = list(net.encoder.parameters())
    new = [p for p in net.parameters() if not any(p is other for other in known)]
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


def rated(new, known):
    """The right groups with other learning rates, each made of rate and share."""

    def made(net, rate, share):
        first, second = groups(net, rate, share)
        return [first | {"lr": new(rate, share)}, second | {"lr": known(rate, share)}]

    return made


def g_all_and_encoder(net, rate, share):
    return [
        {"params": list(net.parameters()), "lr": rate},
        {"params": list(net.encoder.parameters()), "lr": rate * share},
    ]


def g_share_is_rate(net, rate, share):
    return rated(lambda rate, share: rate, lambda rate, share: share)(net, rate, share)


def g_rates_swapped(net, rate, share):
    return rated(lambda rate, share: rate * share, lambda rate, share: rate)(net, rate, share)


def g_share_unused(net, rate, share):
    return rated(lambda rate, share: rate, lambda rate, share: rate)(net, rate, share)


def g_share_for_both(net, rate, share):
    return groups(net, rate * share, 1)


def g_divided(net, rate, share):
    return groups(net, rate, 1 / share)


def g_encoder_first(net, rate, share):
    return groups(net, rate, share)[::-1]


def g_used_up(net, rate, share):
    known = net.encoder.parameters()
    ids = {id(p) for p in known}
    new = [p for p in net.parameters() if id(p) not in ids]
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


def g_used_up_by_in(net, rate, share):
    known = net.encoder.parameters()
    new = [p for p in net.parameters() if p not in known]
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


def g_in_a_list(net, rate, share):
    known = list(net.encoder.parameters())
    new = [p for p in net.parameters() if p not in known]
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


def g_ups_only(net, rate, share):
    return [{"params": list(net.ups.parameters()), "lr": rate}, groups(net, rate, share)[1]]


def g_ups_and_output(net, rate, share):
    new = [*net.ups.parameters(), *net.to_ab.parameters()]
    return [{"params": new, "lr": rate}, groups(net, rate, share)[1]]


def g_one_group(net, rate, share):
    return [{"params": list(net.parameters()), "lr": rate}]


def g_optimizer(net, rate, share):
    return torch.optim.AdamW(groups(net, rate, share))


def g_no_rate(net, rate, share):
    return [{"params": one["params"]} for one in groups(net, rate, share)]


def g_buffers_too(net, rate, share):
    first, second = groups(net, rate, share)
    return [first, second | {"params": second["params"] + list(net.encoder.buffers())}]


def g_state_dict(net, rate, share):
    state = net.state_dict()
    new = [value for name, value in state.items() if not name.startswith("encoder.")]
    known = [value for name, value in state.items() if name.startswith("encoder.")]
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


def g_names(net, rate, share):
    named = dict(net.named_parameters())
    new = [name for name in named if not name.startswith("encoder.")]
    return [{"params": new, "lr": rate}, groups(net, rate, share)[1]]


def g_weights_and_biases(net, rate, share):
    named = dict(net.named_parameters())
    new = [one for name, one in named.items() if name.endswith("bias")]
    known = [one for name, one in named.items() if not name.endswith("bias")]
    return [{"params": new, "lr": rate}, {"params": known, "lr": rate * share}]


# --- 8.3 -----------------------------------------------------------------------------------------


def norms_of(net):
    return [part for part in net.encoder.modules() if isinstance(part, nn.BatchNorm2d)]


def freeze(net):
    net.encoder.requires_grad_(False)
    net.train()
    net.encoder.eval()


def freeze_one_by_one(net):
    net.train()
    for parameter in net.encoder.parameters():
        parameter.requires_grad = False
    for norm in norms_of(net):
        norm.eval()


def freeze_and_thaw_the_rest(net):
    net.train()
    net.requires_grad_(False)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not name.startswith("encoder."))
    net.encoder.train(False)
    return net


def freeze_for_good(net):
    """Later calls of net.train() leave the encoder in eval mode too."""
    net.encoder.requires_grad_(False).eval()
    net.encoder.train = lambda mode=True: net.encoder
    net.train()


def with_the_bug(net):
    for parameter in net.encoder.parameters():
        parameter.requires_grad_(False)
    net.train()


def all_in_eval(net):
    net.encoder.requires_grad_(False)
    net.eval()


def eval_before_train(net):
    net.encoder.requires_grad_(False)
    net.encoder.eval()
    net.train()


def eval_alone(net):
    net.train()
    net.encoder.eval()


def all_frozen(net):
    net.requires_grad_(False)
    net.train()
    net.encoder.eval()


def momentum_zero(net):
    with_the_bug(net)
    for norm in norms_of(net):
        norm.momentum = 0.0


def not_tracking(net):
    with_the_bug(net)
    for norm in norms_of(net):
        norm.track_running_stats = False


def norms_frozen_alone(net):
    net.train()
    for norm in norms_of(net):
        norm.requires_grad_(False)


def inside_no_grad(net):
    with torch.no_grad():
        net.train()


def mode_of_the_rest_untouched(net):
    net.encoder.requires_grad_(False)
    net.encoder.eval()


def attribute_misspelled(net):
    for parameter in net.encoder.parameters():
        parameter.require_grad = False
    net.train()


def only_the_ups_train(net):
    net.requires_grad_(False)
    net.ups.requires_grad_(True)
    net.train()
    net.encoder.eval()


# --- 8.4 -----------------------------------------------------------------------------------------


def soft(ab, centers):
    distance = torch.cdist(ab, centers)
    near, where = distance.topk(5, largest=False)
    shares = torch.softmax(-(near**2) / (2 * 5**2), dim=1)
    return torch.zeros_like(distance).scatter(1, where, shares)


def soft_by_loops(ab, centers):
    rows = []
    for color in ab:
        squared = ((centers - color) ** 2).sum(1)
        weights = torch.exp(-squared / 50)
        weights[squared.argsort()[5:]] = 0
        rows.append(weights / weights.sum())
    return torch.stack(rows)


def soft_by_mask(ab, centers):
    squared = (ab[:, None] - centers[None]).square().sum(-1)
    fifth = squared.sort(dim=1).values[:, 4:5]
    return torch.softmax((-squared / 50).masked_fill(squared > fifth, -torch.inf), 1)


def soft_in_place(ab, centers):
    distance = (ab[:, None] - centers).norm(dim=2)
    shares = torch.zeros(len(ab), len(centers))
    rows = torch.arange(len(ab))[:, None]
    where = distance.argsort(1)[:, :5]
    shares[rows, where] = torch.exp(-distance[rows, where].square() / 50)
    shares /= shares.sum(dim=1, keepdim=True)
    return shares


def soft_of(exponent, dim=1, largest=False):
    """A soft encoding whose exponent is made of the five distances."""

    def made(ab, centers):
        distance = torch.cdist(ab, centers)
        near, where = distance.topk(5, largest=largest)
        shares = torch.softmax(exponent(near), dim)
        return torch.zeros_like(distance).scatter(1, where, shares)

    return made


def s_hard(ab, centers):
    return F.one_hot(torch.cdist(ab, centers).argmin(1), len(centers)).float()


def s_hard_whole_numbers(ab, centers):
    return F.one_hot(torch.cdist(ab, centers).argmin(1), len(centers))


def s_not_normalized(ab, centers):
    distance = torch.cdist(ab, centers)
    near, where = distance.topk(5, largest=False)
    return torch.zeros_like(distance).scatter(1, where, torch.exp(-(near**2) / 50))


def s_all_bins(ab, centers):
    return torch.softmax(-torch.cdist(ab, centers).square() / 50, 1)


def s_zeros_into_softmax(ab, centers):
    distance = torch.cdist(ab, centers)
    near, where = distance.topk(5, largest=False)
    return torch.softmax(torch.zeros_like(distance).scatter(1, where, -(near**2) / 50), 1)


def s_sigma_not_squared(ab, centers):
    return soft_of(lambda near: -(near**2) / (2 * 5))(ab, centers)


def s_distance_not_squared(ab, centers):
    return soft_of(lambda near: -near / (2 * 5**2))(ab, centers)


def s_no_two(ab, centers):
    return soft_of(lambda near: -(near**2) / 5**2)(ab, centers)


def s_plus(ab, centers):
    return soft_of(lambda near: near**2 / 50)(ab, centers)


def s_farthest(ab, centers):
    return soft_of(lambda near: -(near**2) / 50, largest=True)(ab, centers)


def s_over_the_colors(ab, centers):
    return soft_of(lambda near: -(near**2) / 50, dim=0)(ab, centers)


def s_columns(ab, centers):
    weights = s_not_normalized(ab, centers)
    return weights / weights.sum(0)


def s_other_way_round(ab, centers):
    return soft(centers, ab).T


def s_in_110(ab, centers):
    return soft(ab / 110, centers / 110)


def s_only_five(ab, centers):
    return soft(ab, centers).sort(dim=1, descending=True).values[:, :5]


def s_six(ab, centers):
    distance = torch.cdist(ab, centers)
    near, where = distance.topk(6, largest=False)
    shares = torch.softmax(-(near**2) / 50, 1)
    return torch.zeros_like(distance).scatter(1, where, shares)


def s_squeezed(ab, centers):
    return soft(ab, centers).squeeze()


def s_divides_the_argument(ab, centers):
    centers /= 1.5
    return soft(ab, centers)


def s_numpy(ab, centers):
    return soft(ab, centers).numpy()


# --- 8.5 -----------------------------------------------------------------------------------------


def weights(frequency, uniform=0.5):
    raw = 1 / ((1 - uniform) * frequency + uniform / len(frequency))
    return raw / (raw * frequency).sum()


def weights_in_place(frequency, uniform=0.5):
    made = torch.full_like(frequency, uniform / frequency.numel())
    made += (1 - uniform) * frequency
    made.reciprocal_()
    made /= torch.dot(made, frequency)
    return made


def weights_by_lerp(frequency, uniform=0.5):
    even = torch.ones_like(frequency) / frequency.shape[0]
    raw = torch.lerp(frequency, even, uniform) ** -1
    return raw * (1 / torch.sum(frequency * raw))


def weights_in_float64(frequency, uniform=0.5):
    return weights(frequency.double(), uniform)


def weights_of_lists(frequency, uniform=0.5):
    count = len(frequency)
    raw = [1 / ((1 - uniform) * p + uniform / count) for p in frequency.tolist()]
    mean = sum(w * p for w, p in zip(raw, frequency.tolist(), strict=True))
    return torch.tensor([w / mean for w in raw])


def w_inverse(frequency, uniform=0.5):
    return 1 / frequency


def w_inverse_scaled(frequency, uniform=0.5):
    raw = 1 / frequency
    return raw / (raw * frequency).sum()


def w_not_scaled(frequency, uniform=0.5):
    return 1 / ((1 - uniform) * frequency + uniform / len(frequency))


def w_mean_over_bins(frequency, uniform=0.5):
    raw = w_not_scaled(frequency, uniform)
    return raw / raw.mean()


def w_sum_is_one(frequency, uniform=0.5):
    raw = w_not_scaled(frequency, uniform)
    return raw / raw.sum()


def w_turned(frequency, uniform=0.5):
    return weights(frequency, 1 - uniform)


def w_no_inverse(frequency, uniform=0.5):
    return (1 - uniform) * frequency + uniform / len(frequency)


def w_no_inverse_scaled(frequency, uniform=0.5):
    raw = w_no_inverse(frequency, uniform)
    return raw / (raw * frequency).sum()


def w_not_shared_out(frequency, uniform=0.5):
    raw = 1 / ((1 - uniform) * frequency + uniform)
    return raw / (raw * frequency).sum()


def w_sum_of_inverses(frequency, uniform=0.5):
    raw = (1 - uniform) / frequency + uniform * len(frequency)
    return raw / (raw * frequency).sum()


def w_root(frequency, uniform=0.5):
    raw = frequency**-0.5
    return raw / (raw * frequency).sum()


def w_adds_in_place(frequency, uniform=0.5):
    frequency *= 1 - uniform
    frequency += uniform / len(frequency)
    return 1 / frequency


def w_no_default(frequency, uniform):
    return weights(frequency, uniform)


def w_special_case(frequency, uniform=0.5):
    return torch.where(frequency > 0, weights(frequency, uniform), 0.0)


# --- 8.6 -----------------------------------------------------------------------------------------


def annealed(logits, centers, temperature):
    return torch.softmax(logits / temperature, dim=1) @ centers


def annealed_by_powers(logits, centers, temperature):
    shares = torch.softmax(logits, dim=1) ** (1 / temperature)
    return shares / shares.sum(1, keepdim=True) @ centers


def annealed_by_exp(logits, centers, temperature):
    sharp = logits / temperature
    weights = torch.exp(sharp - sharp.max(dim=1, keepdim=True).values)
    return torch.einsum("nq,qc->nc", weights, centers) / weights.sum(1)[:, None]


def annealed_row_by_row(logits, centers, temperature):
    rows = []
    for row in logits:
        shares = (row / temperature).softmax(0)
        rows.append((shares[:, None] * centers).sum(0))
    return torch.stack(rows)


def annealed_in_place(logits, centers, temperature):
    sharp = logits.clone()
    sharp /= temperature
    sharp -= sharp.logsumexp(1, keepdim=True)
    return sharp.exp_() @ centers


def a_times(logits, centers, temperature):
    return torch.softmax(logits * temperature, 1) @ centers


def a_argmax(logits, centers, temperature):
    return centers[logits.argmax(1)]


def a_ignored(logits, centers, temperature):
    return torch.softmax(logits, 1) @ centers


def a_after(logits, centers, temperature):
    return torch.softmax(logits, 1) / temperature @ centers


def a_powers_alone(logits, centers, temperature):
    return torch.softmax(logits, 1) ** (1 / temperature) @ centers


def a_wrong_axis(logits, centers, temperature):
    return torch.softmax(logits / temperature, 0) @ centers


def a_twice(logits, centers, temperature):
    return torch.softmax(torch.softmax(logits, 1) / temperature, 1) @ centers


def a_no_softmax(logits, centers, temperature):
    return logits / temperature @ centers


def a_mean_of_logits(logits, centers, temperature):
    return torch.softmax(logits.mean(0) / temperature, 0) @ centers


def a_mean_of_logits_for_all(logits, centers, temperature):
    return a_mean_of_logits(logits, centers, temperature).repeat(len(logits), 1)


def a_naive(logits, centers, temperature):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(1, keepdim=True) @ centers


def a_in_110(logits, centers, temperature):
    return annealed(logits, centers, temperature) / 110


def a_clamped(logits, centers, temperature):
    return annealed(logits, centers, max(temperature, 0.3))


def a_divides_the_argument(logits, centers, temperature):
    logits /= temperature
    return torch.softmax(logits, 1) @ centers


def a_shares(logits, centers, temperature):
    return torch.softmax(logits / temperature, 1)


# --- 8.7 -----------------------------------------------------------------------------------------


def lay(ab, places, sides):
    planes = torch.zeros(3, *ab.shape[1:])
    for (top, left), side in zip(places, sides, strict=True):
        rows, columns = slice(top, top + side), slice(left, left + side)
        planes[:2, rows, columns] = ab[:, rows, columns].mean((1, 2), keepdim=True)
        planes[2, rows, columns] = 1
    return planes


def h_mask_of_colors(ab, places, sides):
    planes = lay(ab, places, sides)
    planes[2] = (planes[:2] != 0).any(0)
    return planes


def lay_by_mask(ab, places, sides):
    _, height, width = ab.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    hint, mask = torch.zeros_like(ab), torch.zeros(1, height, width)
    for (top, left), side in zip(places, sides, strict=True):
        inside = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
        hint = torch.where(inside, ab[:, inside].mean(1)[:, None, None], hint)
        mask = torch.where(inside, 1.0, mask)
    return torch.cat([hint, mask])


def lay_pixel_by_pixel(ab, places, sides):
    planes = ab.new_zeros((3, *ab.shape[-2:]))
    for i in range(len(places)):
        pixels = [
            (places[i][0] + y, places[i][1] + x) for y in range(sides[i]) for x in range(sides[i])
        ]
        a, b = (sum(float(plane[at]) for at in pixels) / len(pixels) for plane in ab)
        for y, x in pixels:
            planes[:, y, x] = torch.tensor([a, b, 1.0])
    return planes


def lay_by_views(ab, places, sides):
    planes = torch.cat([torch.zeros_like(ab), torch.zeros_like(ab[:1])])
    for (top, left), side in zip(places, sides, strict=True):
        patch = ab[:, top : top + side, left : left + side]
        area = planes[:, top : top + side, left : left + side]
        area[0].fill_(patch[0].mean())
        area[1].fill_(patch[1].mean())
        area[2].fill_(1)
    return planes


def lay_last_first(ab, places, sides):
    """From the last hint on, and only where none lies yet."""
    planes = torch.zeros(3, *ab.shape[1:])
    for (top, left), side in reversed(list(zip(places, sides, strict=True))):
        one = torch.zeros_like(planes)
        patch = ab[:, top : top + side, left : left + side]
        one[2, top : top + side, left : left + side] = 1
        one[:2] = patch.mean((1, 2))[:, None, None] * one[2]
        planes = torch.where(planes[2] > 0, planes, one)
    return planes


def h_copied(ab, places, sides):
    planes = lay(ab, places, sides)
    planes[:2] = ab * planes[2]
    return planes


def h_mask_forgotten(ab, places, sides):
    planes = lay(ab, places, sides)
    planes[2] = 0
    return planes


def h_mask_everywhere(ab, places, sides):
    planes = lay(ab, places, sides)
    planes[2] = 1
    return planes


def h_no_mask(ab, places, sides):
    return lay(ab, places, sides)[:2]


def h_turned(ab, places, sides):
    return lay(ab, [place[::-1] for place in places], sides)


def h_added(ab, places, sides):
    return sum(
        (lay(ab, [place], [side]) for place, side in zip(places, sides, strict=True)),
        torch.zeros(3, *ab.shape[1:]),
    )


def h_colors_added(ab, places, sides):
    planes = h_added(ab, places, sides)
    planes[2].clamp_(max=1)
    return planes


def h_first_holds(ab, places, sides):
    return lay(ab, places[::-1], sides[::-1])


def h_center_color(ab, places, sides):
    planes = torch.zeros(3, *ab.shape[1:])
    for (top, left), side in zip(places, sides, strict=True):
        middle = ab[:, top + side // 2, left + side // 2]
        planes[:2, top : top + side, left : left + side] = middle[:, None, None]
        planes[2, top : top + side, left : left + side] = 1
    return planes


def h_center_pixel(ab, places, sides):
    places = [
        (top + side // 2, left + side // 2) for (top, left), side in zip(places, sides, strict=True)
    ]
    return lay(ab, places, [1] * len(sides))


def h_mean_of_all(ab, places, sides):
    planes = lay(ab, places, sides)
    planes[:2] = ab.mean((1, 2), keepdim=True) * planes[2]
    return planes


def h_one_mean(ab, places, sides):
    planes = torch.zeros(3, *ab.shape[1:])
    for (top, left), side in zip(places, sides, strict=True):
        area = (slice(top, top + side), slice(left, left + side))
        planes[(slice(2), *area)] = ab[(slice(2), *area)].mean()
        planes[(2, *area)] = 1
    return planes


def h_mask_first(ab, places, sides):
    return lay(ab, places, sides)[[2, 0, 1]]


def h_truth_between(ab, places, sides):
    planes = lay(ab, places, sides)
    return torch.cat([torch.where(planes[2:] > 0, planes[:2], ab), planes[2:]])


def h_writes_into_ab(ab, places, sides):
    planes = lay(ab, places, sides)
    ab *= planes[2]
    return planes


def h_too_long(ab, places, sides):
    return lay(ab, places, [side + 1 for side in sides])


def h_flat(ab, places, sides):
    return torch.zeros(3, *ab.shape[1:])


def h_needs_a_hint(ab, places, sides):
    return torch.stack([lay(ab, places, sides)] * min(1, len(places)))[0]


WRONG = {
    "8.1": {
        j_not_reversed: "The skips come finest first",
        j_reversed_twice: "The skips come finest first",
        j_turned_twice: "The walk starts at the finest map",
        j_from_the_finest: "The walk starts at the finest map",
        j_ups_turned: "walked from the wrong end",
        j_bottom_twice: "The bottom map goes in twice",
        j_bottom_for_all: "The bottom map goes in twice",
        j_no_skip: "x as its skip too",
        j_one_argument: "missing 1 required positional argument",
        j_swapped: "x and skip have changed places",
        j_x_not_replaced: "starts from the bottom map again",
        j_last_left_out: "3 of 4 up blocks are walked",
        j_returns_early: "1 of 4 up blocks are walked",
        j_no_walk: "0 of 4 up blocks are walked",
        j_list_as_x: "An up block got a list with 5 entries",
        j_pops_the_callers: "has changed its arguments",
        j_recursion_that_pops: "has changed its arguments",
        j_returns_the_bottom: "The walk is right, but",
        j_returns_all: "A torch tensor was expected",
        j_halved_first: "The walk went another way",
    },
    "8.2": {
        g_all_and_encoder: "6 parameters are listed twice",
        g_share_is_rate: "is the share itself",
        g_rates_swapped: "The two learning rates have changed places",
        g_share_unused: "The share is not used",
        g_share_for_both: "The share counts for both",
        g_divided: "Print both for a share of 1",
        g_encoder_first: "The encoder's group stands first",
        g_used_up: "The second group is empty",
        g_used_up_by_in: "`in` compares tensors",
        g_in_a_list: "`in` compares tensors",
        g_ups_only: "4 of 13 parameters are in neither group",
        g_ups_and_output: "2 of 13 parameters are in neither group",
        g_one_group: "it is a list with 1 entries",
        g_optimizer: "of the type AdamW",
        g_no_rate: "A key is missing",
        g_buffers_too: "6 entries are no parameters of net",
        g_state_dict: "22 entries are no parameters of net",
        g_names: "7 entries are no parameters of net",
        g_weights_and_biases: "parameters stand in the wrong group",
    },
    "8.3": {
        with_the_bug: "The bug is still in",
        all_in_eval: "The new layers are in eval mode too",
        eval_before_train: "eval mode does not last",
        eval_alone: "The averages rest, but 6 of the encoder's 6",
        all_frozen: "7 of 7 parameters outside the encoder",
        momentum_zero: "The averages stay, but a photo's features move",
        not_tracking: "The averages stay, but a photo's features move",
        norms_frozen_alone: "2 of the encoder's 6 parameters move",
        inside_no_grad: "Nothing is frozen: all 6",
        mode_of_the_rest_untouched: "A network that comes in eval mode stays in it",
        attribute_misspelled: "Nothing is frozen: all 6",
        only_the_ups_train: "4 of 7 parameters outside the encoder",
    },
    "8.4": {
        s_hard: "nearest center alone",
        s_hard_whole_numbers: "should hold floats",
        s_not_normalized: "The rows don't sum to 1",
        s_all_bins: "not divided among the five nearest",
        s_zeros_into_softmax: "not divided among the five nearest",
        s_sigma_not_squared: "σ stands there without its square",
        s_distance_not_squared: "The distance enters without its square",
        s_no_two: "the factor 2 is missing",
        s_plus: "What is farther gets more",
        s_farthest: "What is farther gets more",
        s_over_the_colors: "The wrong axis",
        s_columns: "The wrong axis",
        s_other_way_round: "The wrong axis",
        s_in_110: "measured in ab/110",
        s_only_five: "the five shares alone",
        s_six: "The share of a center at distance",
        s_squeezed: "should have the shape (1, 35)",
        s_divides_the_argument: "has changed its arguments",
        s_numpy: "A torch tensor was expected",
    },
    "8.5": {
        w_inverse: "without the uniform part",
        w_inverse_scaled: "without the uniform part",
        w_not_scaled: "The mean weight of a pixel is",
        w_mean_over_bins: "The scale counts each bin once",
        w_sum_is_one: "The scale counts each bin once",
        w_turned: "λ stands the wrong way round",
        w_no_inverse: "the inverse is missing",
        w_no_inverse_scaled: "the inverse is missing",
        w_not_shared_out: "The uniform part is not divided",
        w_sum_of_inverses: "the weight of a bin of frequency",
        w_root: "the weight of a bin of frequency",
        w_adds_in_place: "has changed its arguments",
        w_no_default: "can't be called with 1 argument",
        w_special_case: "the weight of a bin of frequency",
    },
    "8.6": {
        a_times: "flatter where it should sharpen",
        a_argmax: "as if the temperature were 0",
        a_ignored: "The temperature is not used",
        a_after: "The temperature comes after the softmax",
        a_powers_alone: "The temperature comes after the softmax",
        a_wrong_axis: "The softmax runs over the pixels",
        a_twice: "The temperature comes after the softmax",
        a_no_softmax: "without a softmax",
        a_mean_of_logits: "The logits are averaged",
        a_mean_of_logits_for_all: "The logits are averaged",
        a_naive: "exp(240) is infinite",
        a_in_110: "Print one pixel's shares",
        a_clamped: "Print one pixel's shares",
        a_divides_the_argument: "has changed its arguments",
        a_shares: "should have the shape (4, 2)",
    },
    "8.7": {
        h_copied: "the photo's own colors",
        h_mask_forgotten: "The mask says the same everywhere",
        h_mask_everywhere: "The mask says the same everywhere",
        h_mask_of_colors: "A hint of gray has no mask",
        h_no_mask: "should have the shape (3, 14, 18)",
        h_turned: "Rows and columns have changed places",
        h_added: "Where patches meet, they are added",
        h_colors_added: "Where patches meet, they are added",
        h_first_holds: "the first one holds",
        h_center_color: "One pixel stands for the whole patch",
        h_center_pixel: "One pixel stands for the whole patch",
        h_mean_of_all: "The mean is taken over too many",
        h_one_mean: "The mean is taken over too many",
        h_mask_first: "The mask is the first plane",
        h_truth_between: "The true colors stand between",
        h_writes_into_ab: "has changed its arguments",
        h_too_long: "Lay the hints by hand",
        h_flat: "Lay the hints by hand",
        h_needs_a_hint: "stack expects a non-empty",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "08")


# --- right solutions, and stubs ------------------------------------------------------------------

RIGHT = {
    "8.1": (join, join_by_index, join_by_pop, join_by_recursion, join_after_turning),
    "8.2": (groups, groups_by_name, groups_by_set, groups_by_parts, groups_by_identity),
    "8.3": (freeze, freeze_one_by_one, freeze_and_thaw_the_rest, freeze_for_good),
    "8.4": (soft, soft_by_loops, soft_by_mask, soft_in_place),
    "8.5": (
        weights,
        weights_in_place,
        weights_by_lerp,
        weights_in_float64,
        weights_of_lists,
        palette.class_weights,
    ),
    "8.6": (
        annealed,
        annealed_by_powers,
        annealed_by_exp,
        annealed_row_by_row,
        annealed_in_place,
    ),
    "8.7": (lay, lay_by_mask, lay_pixel_by_pixel, lay_by_views, lay_last_first),
}


@pytest.mark.parametrize(
    ("name", "solution"), [(name, one) for name, several in RIGHT.items() for one in several]
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


def open_join(features, ups):
    """What the last up block gives."""
    ...


def open_groups(net, rate, share):
    """Two groups."""
    return ...


def open_freeze(net):
    """Returns nothing."""
    ...


def open_soft(ab, centers):
    """Shares."""
    distance = torch.cdist(ab, centers)
    shares = ...
    return distance if shares is ... else shares


def open_weights(frequency, uniform=0.5):
    """Weights."""
    ...


def open_annealed(logits, centers, temperature):
    """ab."""
    ...


def open_hints(ab, places, sides):
    """Planes."""
    planes = torch.zeros(3, *ab.shape[1:])
    ...
    return planes


STUBS = (
    open_join,
    open_groups,
    open_freeze,
    open_soft,
    open_weights,
    open_annealed,
    open_hints,
)


@pytest.mark.parametrize(("one", "stub"), list(zip(exercises("08"), STUBS, strict=True)))
def test_an_untouched_stub_is_open_and_says_what_to_look_at(one, stub):
    result = try_solution(one, stub)
    assert result.status == "open"
    assert result.advice == one.start and one.start.startswith("Look at ")


# --- the oracles: what the library does ----------------------------------------------------------


def randoms(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = EncoderUNet((8, 8, 8, 8), pretrained=False)
    nn.init.normal_(net.to_ab.weight)
    return net


def test_the_walk_is_the_librarys(network):
    lightness = torch.rand(1, 1, 64, 96, generator=randoms(1)) * 2 - 1
    network.eval()
    with torch.no_grad():
        features = network.encoder(lightness_to_gray(lightness).expand(-1, 3, -1, -1))
        half = torch.tanh(network.to_ab(join(features, network.ups)))
        ab = F.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
        torch.testing.assert_close(ab, network(lightness))
    assert float(ab.std()) > 0.01


def test_the_groups_are_the_librarys(network):
    ours, theirs = groups(network, 1.0, 0.1), optimizers.parameter_groups(network, 0.1)
    assert [one["lr"] for one in ours] == [one["share"] for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert [*map(id, one["params"])] == [*map(id, other["params"])]
    torch.optim.AdamW(ours)


def test_only_the_encoder_rests_in_a_network_of_the_library():
    torch.manual_seed(0)
    net = EncoderUNet((8, 8, 8, 8), pretrained=False)
    freeze(net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    (net(torch.rand(2, 1, 64, 64, generator=randoms(2))) - 0.5).square().mean().backward()
    optimizer.step()
    moved = {n for n, value in net.state_dict().items() if not torch.equal(value, before[n])}
    assert not [name for name in moved if name.startswith("encoder.")]
    assert {"to_ab.weight", "ups.0.mix.0.weight", "ups.0.mix.1.running_mean"} <= moved


@pytest.mark.parametrize("way", RIGHT["8.4"])
def test_the_soft_encoding_is_the_librarys(way):
    ab = (torch.rand(40, 2, generator=randoms(3)) - 0.5) * 120
    theirs = palette.encode(ab.T[None, :, :, None] / AB_RANGE)[0, :, :, 0].T
    torch.testing.assert_close(way(ab, palette.bins()), theirs, atol=2e-5, rtol=1e-3)
    torch.testing.assert_close(
        lesson08._soft(ab, palette.bins()).float(), theirs, atol=2e-5, rtol=1e-3
    )


@pytest.mark.parametrize("uniform", [0.5, 0.1, 1.0])
def test_the_weights_are_the_librarys_and_hand_computed(uniform):
    frequency = torch.rand(palette.COUNT, generator=randoms(4)) ** 8
    frequency /= frequency.sum()
    torch.testing.assert_close(
        weights(frequency, uniform), palette.class_weights(frequency, uniform)
    )
    by_hand = torch.tensor([1 / 0.625, 1 / 0.375])  # of 0.75 and 0.25, mixed half and half
    by_hand /= 0.75 / 0.625 + 0.25 / 0.375
    torch.testing.assert_close(weights(torch.tensor([0.75, 0.25])), by_hand)


@pytest.mark.parametrize("temperature", [0.05, 0.38, 1.0])
def test_the_annealed_mean_is_the_librarys(temperature):
    logits = 3 * torch.randn(30, palette.COUNT, generator=randoms(5))
    theirs = palette.annealed_mean(logits.T[None, :, :, None], temperature)[0, :, :, 0].T
    torch.testing.assert_close(
        annealed(logits, palette.bins(), temperature), theirs * AB_RANGE, atol=1e-3, rtol=1e-4
    )


def test_two_logits_by_hand():
    ab = annealed(torch.tensor([[2.0, 1.0]]), torch.tensor([[10.0, 0.0], [0.0, 10.0]]), 0.5)
    assert ab[0, 0].item() == pytest.approx(10 / (1 + math.exp(-2)), abs=1e-5)


def test_hints_are_those_that_the_library_simulates():
    ab = torch.rand(6, 2, 48, 40, generator=randoms(6)) * 2 - 1
    theirs = hints.simulate(ab, 0.5, randoms(7))
    random = randoms(7)  # the same draws once more
    wanted = torch.rand(len(ab), generator=random) < 0.5
    counts = torch.empty(len(ab)).geometric_(hints.STOP, generator=random).clamp_(max=hints.MOST)
    seen = 0
    for i in range(len(ab)):
        places, sides = [], []
        if wanted[i]:
            seen += 1
            n = int(counts[i])
            middles = (torch.randn(n, 2, generator=random) / 4 + 0.5).tolist()
            first, last = hints.SIDES
            sides = torch.randint(first, last + 1, (n,), generator=random).tolist()
            for (v, u), side in zip(middles, sides, strict=True):
                top = min(max(round(v * 48 - side / 2), 0), 48 - side)
                places.append((top, min(max(round(u * 40 - side / 2), 0), 40 - side)))
        torch.testing.assert_close(lay(ab[i], places, sides), theirs[i])
    assert 0 < seen < len(ab)


def test_the_small_network_is_no_other_than_it_seems():
    """Its parts are what the hints count: 6 parameters in the encoder, 7 outside, 9 buffers."""
    net, modes = small_net()
    assert len(list(net.encoder.parameters())) == 6 and len(list(net.parameters())) == 13
    assert len(list(net.buffers())) == 9
    assert net(torch.rand(1, 1, 8, 8)).shape == (1, 2, 8, 8)
    net.eval()
    net.train()
    assert modes == [False, True]


def test_testers_leave_the_learners_random_numbers_alone():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    for name, several in RIGHT.items():
        try_solution(exercise(name), several[0])
    assert torch.equal(torch.rand(2), wanted)
