"""The testers of lesson 02: each wrong solution with its own hint, and other right ones."""

from __future__ import annotations

import math
import os
import random
import re
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image
from solutions import cases, check_enough, check_refused, exercise

from colorlab.color import rgb_to_lab
from colorlab.course.checks import try_solution

# --- 2.1 -----------------------------------------------------------------------------------------


def tensor_of(image, mode="RGB", order=(2, 0, 1)):
    return torch.from_numpy(np.array(image.convert(mode))).permute(*order)


def channels_last(image):
    return torch.from_numpy(np.array(image.convert("RGB")))


def reshaped(image):
    return channels_last(image).reshape(3, image.height, image.width)


def transposed(image):
    return channels_last(image).permute(2, 1, 0)


def mode_kept(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def palette_numbers(image):
    pixels = np.array(image)
    pixels = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, 2)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def as_floats(image):
    return tensor_of(image).float() / 255


def swapped(image):
    return tensor_of(image).flip(0)


def upside_down(image):
    return tensor_of(image).flip(1)


def mirrored_photo(image):
    return tensor_of(image).flip(2)


def all_gray(image):
    return tensor_of(image.convert("L"))


def an_array(image):
    return np.array(image.convert("RGB")).transpose(2, 0, 1)


def batch_of_one(image):
    return tensor_of(image)[None]


def one_channel_for_gray(image):
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def conversion_dropped(image):
    image.convert("RGB")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def square_transposed(image):
    tensor = tensor_of(image)
    return tensor.mT if image.width == image.height else tensor


def first_columns(image):
    return tensor_of(image)[:, :512]


def a_list(image):
    return tensor_of(image).tolist()


def whole_numbers(image):
    return tensor_of(image).long()


def darker(image):
    return tensor_of(image) // 2


# --- 2.2 -----------------------------------------------------------------------------------------


def square_at(picture, size, own, *, low=0, spare=0, flip=0.5, axis=2, same=False):
    _, height, width = picture.shape
    top = own.randint(min(low, height - size), max(height - size - spare, 0))
    left = own.randint(min(low, width - size), max(width - size - spare, 0))
    if same:
        left = min(top, width - size)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(axis) if own.random() < flip else square


def middle(picture, size, seed):
    _, height, width = picture.shape
    top, left = (height - size) // 2, (width - size) // 2
    return picture[:, top : top + size, left : left + size]


def last_missing(picture, size, seed):
    return square_at(picture, size, random.Random(seed), spare=1)


def torch_range(picture, size, seed):
    own = torch.Generator().manual_seed(seed)
    _, height, width = picture.shape
    top = int(torch.randint(0, height - size, (), generator=own))
    left = int(torch.randint(0, width - size, (), generator=own))
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if torch.rand((), generator=own) < 0.5 else square


def numpy_range_stops(picture, size, seed):
    own = np.random.default_rng(seed)
    _, height, width = picture.shape
    top, left = own.integers(height - size), own.integers(width - size)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if own.random() < 0.5 else square


def first_missing(picture, size, seed):
    return square_at(picture, size, random.Random(seed), low=1)


def seeds_python(picture, size, seed):
    random.seed(seed)
    return square_at(picture, size, random)


def seeds_torch(picture, size, seed):
    torch.manual_seed(seed)
    return square_at(picture, size, random.Random(int(torch.randint(10**6, ()))))


def seeds_numpy(picture, size, seed):
    np.random.seed(seed)
    return square_at(picture, size, random.Random(int(np.random.randint(10**6))))


def never_seeded(picture, size, seed):
    return square_at(picture, size, random.Random())


def on_the_diagonal(picture, size, seed):
    return square_at(picture, size, random.Random(seed), same=True)


def one_generator_each(picture, size, seed):
    top = random.Random(seed).randint(0, picture.shape[1] - size)
    left = random.Random(seed).randint(0, picture.shape[2] - size)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if random.Random(seed + 1).random() < 0.5 else square


def never_mirrored(picture, size, seed):
    return square_at(picture, size, random.Random(seed), flip=-1)


def always_mirrored(picture, size, seed):
    return square_at(picture, size, random.Random(seed), flip=2)


def seldom_mirrored(picture, size, seed):
    return square_at(picture, size, random.Random(seed), flip=0.1)


def turned_over(picture, size, seed):
    return square_at(picture, size, random.Random(seed), axis=1)


def on_its_side(picture, size, seed):
    square = square_at(picture, size, random.Random(seed), flip=-1)
    return square.transpose(1, 2) if random.Random(-seed - 1).random() < 0.5 else square


def mirrors_the_left(picture, size, seed):
    own = random.Random(seed)
    _, height, width = picture.shape
    top, left = own.randint(0, height - size), own.randint(0, width - size)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if left < (width - size) / 2 else square


def ends_half_as_often(picture, size, seed):
    own = random.Random(seed)
    _, height, width = picture.shape
    top, left = round(own.random() * (height - size)), round(own.random() * (width - size))
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if own.random() < 0.5 else square


def pixels_here_and_there(picture, size, seed):
    own = random.Random(seed)
    places = own.choices(range(picture[0].numel()), k=size * size)
    return picture.flatten(1)[:, places].reshape(3, size, size)


def every_second(picture, size, seed):
    return picture[:, ::2, ::3][:, :size, :size].repeat(1, 3, 3)[:, :size, :size]


def channels_reversed(picture, size, seed):
    return square_at(picture, size, random.Random(seed), axis=0)


def over_the_edge(picture, size, seed):
    own = random.Random(seed)
    top, left = own.randint(0, picture.shape[1]), own.randint(0, picture.shape[2])
    return picture[:, top : top + size, left : left + size]


def always_left(picture, size, seed):
    own = random.Random(seed)
    top = own.randint(0, picture.shape[1] - size)
    square = picture[:, top : top + size, :size]
    return square.flip(2) if own.random() < 0.5 else square


def from_one_on(picture, size, seed):
    own = random.Random(seed)
    top = own.randint(1, picture.shape[1] - size)
    left = own.randint(1, picture.shape[2] - size)
    return picture[:, top : top + size, left : left + size]


def by_remainders(picture, size, seed):
    top, left = seed % (picture.shape[1] - size + 1), seed % (picture.shape[2] - size + 1)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if random.Random(seed).random() < 0.5 else square


def mirrors_even_rows(picture, size, seed):
    own = random.Random(seed)
    top = own.randint(0, picture.shape[1] - size)
    left = own.randint(0, picture.shape[2] - size)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if top % 2 else square


def stops_without_room(picture, size, seed):
    own = random.Random(seed)
    rows, columns = picture.shape[1] - size, picture.shape[2] - size
    top, left = own.randrange((rows + 1) * rows) // rows, own.randint(0, columns)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if own.random() < 0.5 else square


def shorter_side_for_both(picture, size, seed):
    own, room = random.Random(seed), min(picture.shape[1:]) - size
    top, left = own.randint(0, room), own.randint(0, room)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if own.random() < 0.5 else square


def ends_too_often(picture, size, seed):
    own, places = random.Random(seed), []
    for side in picture.shape[1:]:
        places.append(min(max(own.randint(-1, side - size + 1), 0), side - size))
    square = picture[:, places[0] : places[0] + size, places[1] : places[1] + size]
    return square.flip(2) if own.random() < 0.5 else square


def one_from_the_other(picture, size, seed):
    own, (rows, columns) = random.Random(seed), picture.shape[1:]
    left = own.randint(0, columns - size)
    top = (5 * left + 3) % (rows - size + 1)
    square = picture[:, top : top + size, left : left + size]
    return square.flip(2) if own.random() < 0.5 else square


def content_decides(picture, size, seed):
    return square_at(picture, size, random.Random(seed + int(picture.sum())))


REMEMBERED = {}


def remembers(picture, size, seed):
    key = picture.shape, size, seed
    if key not in REMEMBERED:
        REMEMBERED[key] = square_at(picture, size, random.Random(seed))
    return REMEMBERED[key]


def sometimes_global(picture, size, seed):
    if seed > 100:
        np.random.rand()
    return square_at(picture, size, random.Random(seed))


def mirrors_in_place(picture, size, seed):
    square = square_at(picture, size, random.Random(seed), flip=-1)
    if random.Random(-seed - 1).random() < 0.5:
        picture.copy_(picture.flip(2))
    return square


def square_where(picture, size, seed, mirrored):
    square = square_at(picture, size, random.Random(seed), flip=-1)
    return square.flip(2) if mirrored else square


def mirrors_odd_seeds(picture, size, seed):
    return square_where(picture, size, seed, seed % 2)


def mirrors_pairs_of_seeds(picture, size, seed):
    return square_where(picture, size, seed, seed // 2 % 2)


def mirrors_blocks_of_seeds(picture, size, seed):
    return square_where(picture, size, seed, seed // 50 % 2)


def square_in_floats(picture, size, seed):
    return square_at(picture, size, random.Random(seed)) / 255


def square_turned(picture, size, seed):
    return square_at(picture, size, random.Random(seed)).permute(1, 2, 0)


# --- 2.3 -----------------------------------------------------------------------------------------


def stem(name):
    return os.path.splitext(name)[0]


def paired(grays, colors, key=stem):
    known = {key(name): name for name in grays}
    return [(known[key(name)], name) for name in colors if key(name) in known]


def zipped(grays, colors):
    return list(zip(grays, colors, strict=False))


def sorted_and_zipped(grays, colors):
    return list(zip(sorted(grays), sorted(colors), strict=False))


def with_suffix(grays, colors):
    return [(name, name) for name in colors if name in grays]


def first_dot(grays, colors):
    return paired(grays, colors, lambda name: name.split(".")[0])


def without_folder(grays, colors):
    return paired(grays, colors, lambda name: PurePosixPath(name).stem)


def four_letters_off(grays, colors):
    return paired(grays, colors, lambda name: name[:-4])


def only_jpg(grays, colors):
    return [(n.replace(".jpg", ".png"), n) for n in colors if n.replace(".jpg", ".png") in grays]


def color_first(grays, colors):
    return [(color, gray) for gray, color in paired(grays, colors)]


def in_gray_order(grays, colors):
    return sorted(paired(grays, colors), key=lambda pair: grays.index(pair[0]))


def sorted_pairs(grays, colors):
    return sorted(paired(grays, colors))


def partner_none(grays, colors):
    known = {stem(name): name for name in grays}
    return [(known.get(stem(name)), name) for name in colors]


def stems(grays, colors):
    return [(stem(gray), stem(color)) for gray, color in paired(grays, colors)]


def a_dictionary(grays, colors):
    return dict(paired(grays, colors))


def a_zip(grays, colors):
    return zip(*zip(*paired(grays, colors), strict=True), strict=True)


def two_lists(grays, colors):
    return [list(part) for part in zip(*paired(grays, colors), strict=True)]


def twice(grays, colors):
    return [pair for pair in paired(grays, colors) for _ in range(2)]


def three_only(grays, colors):
    return paired(grays, colors)[:3]


def png_only(grays, colors):
    return [(stem(n) + ".png", n) for n in colors if stem(n) + ".png" in grays]


def stripped(grays, colors):
    known = {name.rstrip(".png").rstrip(".webp"): name for name in grays}
    stems = [(name.rstrip(".jpeg"), name) for name in colors]
    return [(known[key], name) for key, name in stems if key in known]


def begins_with(grays, colors):
    found = [(next((g for g in grays if g.startswith(stem(c))), None), c) for c in colors]
    return [pair for pair in found if pair[0]]


def remembers_names(grays, colors, known={}):  # noqa: B006
    known.update({stem(name): name for name in grays})
    return [(known[stem(name)], name) for name in colors if stem(name) in known]


def key_error(grays, colors):
    known = {stem(name): name for name in grays}
    return [(known[stem(name)], name) for name in colors]


def returns_early(grays, colors):
    for pair in paired(grays, colors):
        return [pair]


def as_paths(grays, colors):
    return [(PurePosixPath(gray), PurePosixPath(color)) for gray, color in paired(grays, colors)]


def eats_the_list(grays, colors):
    pairs = paired(grays, colors)
    grays.clear()
    return pairs


def moved_by_two(grays, colors):
    right = paired(grays, colors)
    return [(right[i - 2][0], color) for i, (_, color) in enumerate(right)]


# --- 2.4 and 2.5 ---------------------------------------------------------------------------------


def parted(names, is_test):
    return [n for n in names if not is_test(n)], [n for n in names if is_test(n)]


def shuffled(names, share, place):
    mixed = random.Random(0).sample(names, len(names))
    count = round(share * len(names))
    return mixed[count:], mixed[:count]


def first_ones(names, share, place):
    count = round(share * len(names))
    return names[count:], names[:count]


def by_pythons_hash(names, share, place):
    return parted(names, lambda name: (hash(name) % 1000) / 1000 < share)


def at_most(names, share, place):
    return parted(names, lambda name: place(name) <= share)


def from_the_top(names, share, place):
    return parted(names, lambda name: place(name) > 1 - share)


def fixed_count(names, share, place):
    order = sorted(names, key=place)
    count = round(share * len(names))
    return [n for n in names if n in order[count:]], [n for n in names if n in order[:count]]


def fixed_count_rounded_up(names, share, place):
    count = math.ceil(share * len(names))
    ordered = sorted(names, key=place)
    return ordered[count:], ordered[:count]


def first_test(names, share, place):
    return parted(names, lambda name: place(name) < share)[::-1]


def sorted_names(names, share, place):
    return parted(sorted(names), lambda name: place(name) < share)


def as_sets(names, share, place):
    return tuple(map(set, parted(names, lambda name: place(name) < share)))


def train_holds_all(names, share, place):
    return names, parted(names, lambda name: place(name) < share)[1]


def border_lost(names, share, place):
    return [n for n in names if place(n) > share], [n for n in names if place(n) < share]


def only_test(names, share, place):
    return parted(names, lambda name: place(name) < share)[1]


def places_back(names, share, place):
    train, test = parted(names, lambda name: place(name) < share)
    return [place(n) for n in train], [place(n) for n in test]


def own_share(names, share, place):
    return parted(names, lambda name: place(name) < 0.4)


def tenths(names, share, place):
    return parted(names, lambda name: int(place(name) * 10) < share * 10)


def arrays_of_names(names, share, place):
    return tuple(map(np.array, parted(names, lambda name: place(name) < share)))


def first_name_only(names, share, place):
    train, test = [], []
    for name in names:
        (test if place(name) < share else train).append(name)
        return train, test


def file_name_asked(names, share, place):
    return parted(names, lambda name: place(name.rpartition("/")[2]) < share)


def rounded_places(names, share, place):
    return parted(names, lambda name: round(place(name), 2) < share)


def never_empty(names, share, place):
    train, test = parted(names, lambda name: place(name) < share)
    return (train, test) if test else (train[:-1], train[-1:])


def doubled(names, share, place):
    train, test = parted(names, lambda name: place(name) < share)
    return train, test + test


def stem_asked(names, share, place):
    return parted(names, lambda name: place(stem(name)) < share)


def all_at_once(names, share, place):
    return parted(names, lambda name: place(names) < share)


def series_by(names, share, place, key):
    return parted(names, lambda name: place(key(name)) < share)


def by_whole_name(names, share, place):
    return series_by(names, share, place, str)


def up_to_first(names, share, place):
    return series_by(names, share, place, lambda n: n.split("_")[0])


def empty_for_single(names, share, place):
    return series_by(names, share, place, lambda n: n.rpartition("_")[0])


def without_its_folder(names, share, place):
    return series_by(names, share, place, lambda n: n.rpartition("/")[2].rpartition("_")[0] or n)


def with_the_dash(names, share, place):
    return series_by(names, share, place, lambda n: n[: n.rfind("_") + 1] or n)


def stem_of_single(names, share, place):
    return series_by(names, share, place, lambda n: stem(n).rpartition("_")[0] or stem(n))


def by_number(names, share, place):
    return series_by(names, share, place, lambda n: n.rpartition("_")[2])


def shuffled_series(names, share, place):
    known = sorted({n.rpartition("_")[0] or n for n in names})
    test = set(random.Random(3).sample(known, 2))
    return parted(names, lambda n: (n.rpartition("_")[0] or n) in test)


def series_swapped(names, share, place):
    return series_by(names, share, place, lambda n: n.rpartition("_")[0] or n)[::-1]


def grouped_order(names, share, place):
    return series_by(sorted(names), share, place, lambda n: n.rpartition("_")[0] or n)


def mean_of_series(names, share, place):
    groups = {}
    for name in names:
        groups.setdefault(name.rpartition("_")[0] or name, []).append(place(name))
    means = {series: sum(found) / len(found) for series, found in groups.items()}
    return parted(names, lambda n: means[n.rpartition("_")[0] or n] < share)


def up_to_the_share(names, share, place):
    return parted(names, lambda n: place(n.rpartition("_")[0] or n) <= share)


def starts_alike(names, share, place):
    known = {n.rpartition("_")[0] or n for n in names}
    test = tuple(series for series in known if place(series) < share)
    return parted(names, lambda n: n.startswith(test))


def digits_only(names, share, place):
    return series_by(names, share, place, lambda n: re.sub(r"_\d+\.\w+$", "", n))


def own_share_of_series(names, share, place):
    return parted(names, lambda n: place(n.rpartition("_")[0] or n) < 0.3)


def with_rfind(names, share, place):
    return series_by(names, share, place, lambda n: n[: n.rfind("_")])


def one_frame_each(names, share, place):
    first = {n.rpartition("_")[0] or n: n for n in reversed(names)}
    train, test = series_by(names, share, place, lambda n: n.rpartition("_")[0] or n)
    return [n for n in train if n in first.values()], [n for n in test if n in first.values()]


def last_frame_decides(names, share, place):
    train, test = series_by(names, share, place, lambda n: n.rpartition("_")[0] or n)
    return [n for n in names if n in train or n == test[0]], test[1:]


# --- 2.6 -----------------------------------------------------------------------------------------


def leftovers(picture, cut=lambda L: (L / 4).long(), norm=lambda rest: rest.norm(dim=0)):
    """Of each pixel how far its color lies from the mean of its band, and its band."""
    lab = rgb_to_lab(picture).flatten(1)
    bands, ab = cut(lab[0]), lab[1:]
    left = torch.zeros_like(lab[0])
    for band in bands.unique():
        inside = bands == band
        left[inside] = norm(ab[:, inside] - ab[:, inside].mean(1, keepdim=True))
    return left, bands


def band_means(picture):
    lab = rgb_to_lab(picture).flatten(1)
    bands, means = (lab[0] / 4).long(), torch.zeros_like(lab[1:])
    for band in bands.unique():
        means[:, bands == band] = lab[1:, bands == band].mean(1, keepdim=True)
    return means


def no_bands(picture):
    return leftovers(picture, lambda L: torch.zeros_like(L))[0].mean()


def plain_chroma(picture):
    return rgb_to_lab(picture)[1:].norm(dim=0).mean()


def tone_itself(picture):
    return band_means(picture).norm(dim=0).mean()


def explained_part(picture):
    means = band_means(picture)
    return (means - rgb_to_lab(picture)[1:].mean((1, 2))[:, None]).norm(dim=0).mean()


def bands_alike(picture):
    left, bands = leftovers(picture)
    return torch.stack([left[bands == band].mean() for band in bands.unique()]).mean()


def empty_bands(picture):
    left, bands = leftovers(picture)
    return torch.stack([left[bands == band].mean() for band in range(25)]).mean()


def chroma_only(picture):
    norm = lambda chroma: chroma.abs()[0]  # noqa: E731
    L, a, b = rgb_to_lab(picture).flatten(1)
    bands, chroma = (L / 4).long(), torch.hypot(a, b)[None]
    left = torch.zeros_like(L)
    for band in bands.unique():
        inside = bands == band
        left[inside] = norm(chroma[:, inside] - chroma[:, inside].mean())
    return left.mean()


def root_of_mean(picture):
    return (leftovers(picture)[0] ** 2).mean().sqrt()


def squares(picture):
    return (leftovers(picture)[0] ** 2).mean()


def city_blocks(picture):
    return leftovers(picture, norm=lambda rest: rest.abs().sum(0))[0].mean()


def only_a(picture):
    return leftovers(picture, norm=lambda rest: rest[0].abs())[0].mean()


def lightness_too(picture):
    lab = rgb_to_lab(picture).flatten(1)
    bands, left = (lab[0] / 4).long(), torch.zeros_like(lab[0])
    for band in bands.unique():
        inside = bands == band
        left[inside] = (lab[:, inside] - lab[:, inside].mean(1, keepdim=True)).norm(dim=0)
    return left.mean()


def summed(picture):
    return leftovers(picture)[0].sum()


def furthest(picture):
    return leftovers(picture)[0].max()


def middle_pixel(picture):
    return leftovers(picture)[0].median()


def as_a_share(picture):
    return leftovers(picture)[0].mean() / plain_chroma(picture)


def normalized(picture):
    return leftovers(picture)[0].mean() / 110


def wide_bands(picture):
    return leftovers(picture, lambda L: (L / 10).long())[0].mean()


def bands_of_one(picture):
    return leftovers(picture, lambda L: L.long())[0].mean()


def rounded_bands(picture):
    return leftovers(picture, lambda L: (L / 4).round())[0].mean()


def whole_map(picture):
    return leftovers(picture)[0]


def says_yes(picture):
    return bool(as_a_share(picture) < 0.1)


def without_shadows(picture):
    left, bands = leftovers(picture)
    return left[bands > 2].mean()


# --- 2.7 -----------------------------------------------------------------------------------------

LANCZOS = Image.Resampling.LANCZOS


def reduced(image, size=(9, 8), kind=LANCZOS):
    return np.asarray(image.convert("L").resize(size, kind))


def darker_to_the_right(image):
    return reduced(image)[:, 1:] < reduced(image)[:, :-1]


def subtracted_bytes(image):
    return (reduced(image)[:, 1:] - reduced(image)[:, :-1]) > 0


def equal_too(image):
    return reduced(image)[:, 1:] >= reduced(image)[:, :-1]


def downward(image):
    pixels = reduced(image, (8, 9))
    return pixels[1:] > pixels[:-1]


def average_hash(image):
    pixels = reduced(image, (8, 8))
    return pixels > pixels.mean()


def sides_swapped(image):
    pixels = reduced(image, (8, 9))
    return pixels[:, 1:] > pixels[:, :-1]


def eight_columns(image):
    pixels = reduced(image, (8, 8))
    return pixels[:, 1:] > pixels[:, :-1]


def nine_by_eight(image):
    pixels = reduced(image, (8, 9))
    return pixels > pixels.mean()


def all_nine(image):
    return reduced(image) > reduced(image).mean()


def nearest(image):
    pixels = reduced(image, kind=Image.Resampling.NEAREST)
    return pixels[:, 1:] > pixels[:, :-1]


def bicubic(image):
    pixels = reduced(image, kind=Image.Resampling.BICUBIC)
    return pixels[:, 1:] > pixels[:, :-1]


def gray_at_the_end(image):
    pixels = np.asarray(image.resize((9, 8), LANCZOS).convert("L"))
    return pixels[:, 1:] > pixels[:, :-1]


def thumbnail_first(image):
    image.thumbnail((64, 64))
    return reduced(image)[:, 1:] > reduced(image)[:, :-1]


def color_files_only(image):
    red, green, blue = image.split()
    return reduced(image)[:, 1:] > reduced(image)[:, :-1]


def plain_mean(image):
    gray = Image.fromarray(np.asarray(image).mean(2).astype(np.uint8))
    pixels = np.asarray(gray.resize((9, 8), LANCZOS))
    return pixels[:, 1:] > pixels[:, :-1]


def any_difference(image):
    return reduced(image)[:, 1:] != reduced(image)[:, :-1]


def zeros_and_ones(image):
    return (reduced(image)[:, 1:] > reduced(image)[:, :-1]).astype(int)


def in_one_row(image):
    return (reduced(image)[:, 1:] > reduced(image)[:, :-1]).flatten()


def backward(image):
    return (reduced(image)[:, 1:] > reduced(image)[:, :-1])[:, ::-1]


def on_the_side(image):
    return (reduced(image)[:, 1:] > reduced(image)[:, :-1]).T


def as_a_list(image):
    return (reduced(image)[:, 1:] > reduced(image)[:, :-1]).tolist()


def all_false(image):
    return np.zeros((8, 8), bool)


WRONG = {
    "2.1": {
        channels_last: "The channels come last",
        reshaped: "the pixels are scrambled",
        transposed: "Height and width are swapped",
        mode_kept: "has no three channels",
        palette_numbers: "the palette's numbers",
        as_floats: "its kind is torch.float32",
        swapped: "Red and blue are swapped",
        upside_down: "upside down",
        mirrored_photo: "is mirrored",
        all_gray: "The colors are gone",
        an_array: "it is a NumPy array",
        batch_of_one: "an axis too many",
        one_channel_for_gray: "no axis with three channels",
        conversion_dropped: "has no three channels",
        square_transposed: "Rows and columns are swapped",
        first_columns: "should have the shape",
        a_list: "A torch tensor was expected for the tensor; it is a list",
        whole_numbers: "its kind is torch.int64",
        darker: "pixel (row 1, column 2) should be",
    },
    "2.2": {
        middle: "always cut at the same place",
        last_missing: "The last possible place is never taken",
        torch_range: "The last possible place is never taken",
        numpy_range_stops: "The last possible place is never taken",
        first_missing: "The first row or column",
        seeds_python: "A global generator has moved",
        seeds_torch: "A global generator has moved",
        seeds_numpy: "A global generator has moved",
        never_seeded: "gave two different squares",
        on_the_diagonal: "Top and left go together",
        one_generator_each: "Top and left go together",
        never_mirrored: "No square is mirrored",
        always_mirrored: "Every square is mirrored",
        seldom_mirrored: "of the squares are mirrored",
        turned_over: "upside down",
        on_its_side: "lie on their side",
        mirrors_the_left: "depends on their place",
        ends_half_as_often: "taken far less often",
        pixels_here_and_there: "no neighbors",
        every_second: "has gaps",
        stops_without_room: "just as large as the square",
        shorter_side_for_both: "The last possible place is never taken",
        ends_too_often: "taken far less often",
        one_from_the_other: "places are ever taken",
        content_decides: "For another photo of the same size",
        remembers: "For another photo of the same size",
        sometimes_global: "A global generator has moved",
        mirrors_in_place: "has changed its arguments",
        channels_reversed: "red and blue are swapped",
        over_the_edge: "runs over the edge",
        always_left: "left is always 0",
        from_one_on: "The first row or column",
        by_remainders: "places are ever taken",
        mirrors_even_rows: "depends on their place",
        mirrors_odd_seeds: "Neighboring seeds follow a pattern",
        mirrors_pairs_of_seeds: "Neighboring seeds follow a pattern",
        mirrors_blocks_of_seeds: "Neighboring seeds follow a pattern",
        square_in_floats: "should hold bytes",
        square_turned: "The channels come last",
    },
    "2.3": {
        zipped: "This is zip again",
        sorted_and_zipped: "Sorted, and zipped",
        with_suffix: "Not one pair was found",
        first_dot: "up to the first dot only",
        without_folder: "lie in different folders",
        four_letters_off: "Suffixes have different lengths",
        only_jpg: "Suffixes have different lengths",
        color_first: "Gray and color are swapped",
        in_gray_order: "their order is of the gray names",
        sorted_pairs: "their order is another one",
        partner_none: "got one that is no name",
        stems: "is no name that came in",
        a_dictionary: "You return a dictionary",
        a_zip: "walked only once",
        two_lists: "is a pair",
        twice: "there twice",
        three_only: "Your list ends after 3 pair(s)",
        png_only: "need not end in .png",
        stripped: "rstrip take single letters off",
        begins_with: "was paired with",
        remembers_names: "Called a second time",
        key_error: "which has no partner",
        returns_early: "Your list ends after 1 pair(s)",
        as_paths: "have become paths",
        eats_the_list: "has changed its arguments",
        moved_by_two: "was paired with",
    },
    "2.4": {
        shuffled: "place was never asked",
        first_ones: "place was never asked",
        by_pythons_hash: "place was never asked",
        at_most: "whose place is just the share",
        from_the_top: "You took the largest places",
        fixed_count: "cut off a fixed number",
        fixed_count_rounded_up: "cut off a fixed number",
        first_test: "Train and test are swapped",
        sorted_names: "stand in another order",
        as_sets: "you return a set",
        train_holds_all: "is in both parts",
        border_lost: "names are lost",
        only_test: "Two lists were expected, train and test",
        places_back: "Something in your lists",
        own_share: "the same names are in test",
        tenths: "With share=0.65, test should hold",
        arrays_of_names: "you return a NumPy array",
        first_name_only: "Only the first name",
        file_name_asked: "With share=0.3, test should hold",
        rounded_places: "With share=0.3, test should hold",
        never_empty: "With share=0.0, test should hold",
        doubled: "A name is twice",
        stem_asked: "place was asked for",
        all_at_once: "It wants one text",
    },
    "2.5": {
        by_whole_name: "the split of the exercise before",
        up_to_first: "were taken for one series",
        empty_for_single: "you asked place for an empty text",
        without_its_folder: "its folder, or its first word",
        with_the_dash: "without it.",
        stem_of_single: 'you asked place for "cat".',
        by_number: "a frame's number",
        shuffled_series: "place was never asked",
        series_swapped: "Train and test are swapped",
        grouped_order: "stand in another order",
        mean_of_series: "You ask place for whole names.",
        up_to_the_share: "just the share",
        starts_alike: "is a series of its own. Compare whole",
        digits_only: "is torn",
        own_share_of_series: "Test should hold",
        with_rfind: "a letter is missing",
        one_frame_each: "names are lost",
        last_frame_decides: "is torn",
    },
    "2.6": {
        no_bands: "spread of color over the whole photo",
        plain_chroma: "the mean chroma: the distance from gray",
        tone_itself: "the chroma of the bands' mean colors",
        explained_part: "how far the bands' mean colors lie from the photo's",
        bands_alike: "Each band counts alike",
        empty_bands: "A band in which no pixel lies",
        chroma_only: "red and green of the same chroma",
        root_of_mean: "You average the squares",
        squares: "The root is missing",
        city_blocks: "You add the differences",
        only_a: "b is missing",
        lightness_too: "L is in the distance",
        summed: "the sum over all pixels",
        furthest: "furthest off",
        middle_pixel: "This is the median",
        as_a_share: "a share of the mean chroma already",
        normalized: "in units of 110",
        wide_bands: "Your bands are 10 units of L wide",
        bands_of_one: "Your bands are 1 units of L wide",
        rounded_bands: "Your bands begin at 2, 6, 10",
        whole_map: "One number was expected for the leftover color; it is a torch tensor",
        says_yes: "One number was expected for the leftover color; it is False",
        without_shadows: "For a picture of one toned color it should be",
    },
    "2.7": {
        darker_to_the_right: "the right neighbor is darker",
        subtracted_bytes: "wherever two neighbors differ",
        equal_too: "Equal neighbors count",
        downward: "with the one below",
        average_hash: "the average hash",
        sides_swapped: "has 9 rows",
        eight_columns: "has 7 columns",
        nine_by_eight: "has 9 rows",
        all_nine: "has 9 columns",
        nearest: "reduced with NEAREST",
        bicubic: "reduced with BICUBIC",
        gray_at_the_end: "You reduced first",
        thumbnail_first: "For noise, upright,",
        color_files_only: "raised ValueError",
        plain_mean: "the plain mean of R, G and B",
        any_difference: "wherever two neighbors differ",
        zeros_and_ones: "should be True and False",
        in_one_row: "lie in one row",
        backward: "The columns run backward",
        on_the_side: "Rows and columns are swapped",
        as_a_list: "A NumPy array was expected",
        all_false: "For noise, 2",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_wrong_solutions_get_the_hint_that_fits(name, solution):
    check_refused(WRONG, name, solution)


def test_every_exercise_has_wrong_solutions():
    check_enough(WRONG, "02")


# --- other ways to be right ----------------------------------------------------------------------


def from_bytes(image):
    image = image.convert("RGB")
    data = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return data.view(image.height, image.width, 3).movedim(-1, 0).contiguous()


def with_torch(picture, size, seed):
    own = torch.Generator().manual_seed(seed)
    _, height, width = picture.shape
    top = int(torch.randint(height - size + 1, (), generator=own))
    left = int(torch.randint(width - size + 1, (), generator=own))
    square = picture[:, top : top + size, left : left + size].clone()
    return torch.flip(square, [-1]) if torch.rand((), generator=own) < 0.5 else square


def with_numpy(picture, size, seed):
    own = np.random.default_rng(seed)
    if own.random() < 0.5:
        picture = picture.flip(2)
    top, left = (own.integers(side - size + 1) for side in picture.shape[1:])
    return picture[:, top : top + size, left : left + size]


def nested_loops(grays, colors):
    return [[g, c] for c in colors for g in grays if stem(g) == stem(c)]


def with_a_loop(names, share, place):
    train, test = [], []
    for name in names:
        (test if place(name) < share else train).append(name)
    return train, test


def with_rsplit(names, share, place):
    return list(parted(names, lambda n: place(n.rsplit("_", 1)[0] if "_" in n else n) < share))


def with_bincount(picture):
    L, a, b = rgb_to_lab(picture).numpy().reshape(3, -1)
    band = (L // 4).astype(int)
    count = np.maximum(np.bincount(band), 1)
    rest = [channel - (np.bincount(band, channel) / count)[band] for channel in (a, b)]
    return np.hypot(*rest).mean()


def with_a_loop_over_all_bands(picture):
    L, a, b = rgb_to_lab(picture)
    total = 0.0
    for low in range(0, 104, 4):
        inside = (low <= L) & (low + 4 > L)
        if inside.any():
            rest = a[inside] - a[inside].mean(), b[inside] - b[inside].mean()
            total += torch.hypot(*rest).sum()
    return round(float(total / L.numel()), 2)


def with_diff(image):
    return np.diff(reduced(image).astype(int), axis=1) > 0


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("2.1", from_bytes),
        ("2.2", with_torch),
        ("2.2", with_numpy),
        ("2.3", nested_loops),
        ("2.4", with_a_loop),
        ("2.5", with_rsplit),
        ("2.6", with_bincount),
        ("2.6", with_a_loop_over_all_bands),
        ("2.7", with_diff),
    ],
)
def test_other_right_solutions_are_solved(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


def test_the_tester_of_squares_leaves_the_global_generators_as_they_were():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for solution in (with_torch, seeds_torch, seeds_numpy, seeds_python):
        try_solution(exercise("2.2"), solution)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
