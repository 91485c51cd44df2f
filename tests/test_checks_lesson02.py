"""The testers of lesson 02: each wrong answer with its own hint, and other right ones."""

from __future__ import annotations

import os
import random
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from answers import cases, check_enough, check_refused, exercise
from PIL import Image

from colorlab.checks import judge
from colorlab.color import normalize_lab, rgb_to_lab

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


def three_alone(grays, colors):
    return paired(grays, colors)[:3]


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


def one_frame_each(names, share, place):
    first = {n.rpartition("_")[0] or n: n for n in reversed(names)}
    train, test = series_by(names, share, place, lambda n: n.rpartition("_")[0] or n)
    return [n for n in train if n in first.values()], [n for n in test if n in first.values()]


def last_frame_decides(names, share, place):
    train, test = series_by(names, share, place, lambda n: n.rpartition("_")[0] or n)
    return [n for n in names if n in train or n == test[0]], test[1:]


# --- 2.6 -----------------------------------------------------------------------------------------


def each(picture):
    return rgb_to_lab(picture)[1:].norm(dim=0)


def of_the_mean(picture):
    return rgb_to_lab(picture)[1:].mean((1, 2)).norm()


def largest(picture):
    return each(picture).max()


def median(picture):
    return each(picture).median()


def summed(picture):
    return each(picture).sum()


def absolute(picture):
    return rgb_to_lab(picture)[1:].abs().sum(0).mean()


def root_last(picture):
    return (each(picture) ** 2).mean().sqrt()


def no_root(picture):
    return (each(picture) ** 2).mean()


def a_alone(picture):
    return rgb_to_lab(picture)[1].abs().mean()


def with_lightness(picture):
    return rgb_to_lab(picture).norm(dim=0).mean()


def wrong_channels(picture):
    return rgb_to_lab(picture)[:2].norm(dim=0).mean()


def normalized(picture):
    return normalize_lab(rgb_to_lab(picture)[None])[1].norm(dim=1).mean()


def spread_of_rgb(picture):
    level = picture.float()
    return (level.max(0).values - level.min(0).values).mean()


def divided_twice(picture):
    return rgb_to_lab(picture.float() / 255**2)[1:].norm(dim=0).mean()


def whole_map(picture):
    return each(picture)


def says_yes(picture):
    return bool(each(picture).mean() > 4)


def off_by_one(picture):
    return each(picture).mean() + 1


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
        as_floats: "should hold bytes",
        swapped: "Red and blue are swapped",
        upside_down: "upside down",
        mirrored_photo: "is mirrored",
        all_gray: "The colors are gone",
        an_array: "A torch tensor was expected",
        batch_of_one: "no axis with three channels",
        one_channel_for_gray: "no axis with three channels",
        darker: "pixel (row 1, column 2) should be",
    },
    "2.2": {
        middle: "always cut at the same place",
        last_missing: "The last possible place is never taken",
        torch_range: "just as large as the square",
        numpy_range_stops: "just as large as the square",
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
        three_alone: "look each up",
        eats_the_list: "has changed what it was given",
        moved_by_two: "was paired with",
    },
    "2.4": {
        shuffled: "place was never asked",
        first_ones: "place was never asked",
        by_pythons_hash: "place was never asked",
        at_most: "whose place is just the share",
        from_the_top: "You took the largest places",
        fixed_count: "cut off a fixed number",
        first_test: "Train and test are swapped",
        sorted_names: "stand in another order",
        as_sets: "Lists keep their order",
        train_holds_all: "is in both parts",
        border_lost: "names are lost",
        only_test: "Two lists were expected, train and test",
        places_back: "Something in your lists",
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
        one_frame_each: "names are lost",
        last_frame_decides: "is torn",
    },
    "2.6": {
        of_the_mean: "opposite colors cancel",
        largest: "the most colorful pixel",
        median: "This is the median",
        summed: "the sum over all pixels",
        absolute: "You add |a| and |b|",
        root_last: "The root comes last",
        no_root: "The root is missing",
        a_alone: "b is missing",
        with_lightness: "L is in it",
        wrong_channels: "You took L and a",
        normalized: "in units of 110",
        spread_of_rgb: "largest minus the smallest",
        divided_twice: "divided by 255 twice",
        whole_map: "One number was expected for the mean chroma; it is a torch tensor",
        says_yes: "One number was expected for the mean chroma; it is True",
        off_by_one: "For a picture of noise it should be",
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
        zeros_and_ones: "should be True and False",
        in_one_row: "lie in one row",
        backward: "The columns run backward",
        on_the_side: "Rows and columns are swapped",
        as_a_list: "A NumPy array was expected",
        all_false: "bits are wrong",
    },
}


@pytest.mark.parametrize(("name", "answer"), cases(WRONG))
def test_wrong_answers_get_the_hint_that_fits(name, answer):
    check_refused(WRONG, name, answer)


def test_every_exercise_has_wrong_answers():
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


def with_hypot(picture):
    _, a, b = rgb_to_lab(picture)
    return float(torch.hypot(a, b).mean())


def with_diff(image):
    return np.diff(reduced(image).astype(int), axis=1) > 0


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("2.1", from_bytes),
        ("2.2", with_torch),
        ("2.2", with_numpy),
        ("2.3", nested_loops),
        ("2.4", with_a_loop),
        ("2.5", with_rsplit),
        ("2.6", with_hypot),
        ("2.7", with_diff),
    ],
)
def test_other_right_answers_are_solved(name, answer):
    verdict = judge(exercise(name), answer)
    assert verdict.status == "solved", verdict


def test_the_tester_of_squares_leaves_the_global_generators_as_they_were():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for answer in (with_torch, seeds_torch, seeds_numpy, seeds_python):
        judge(exercise("2.2"), answer)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
