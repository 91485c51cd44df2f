"""colorlab.clip: colors that stay where lightness stays, against plain loops and made clips."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from made_clips import SIDE, disc_at, pan, passing
from PIL import Image
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

from colorlab.clip import CUT, FAR, KEEP, STILL, ClipColorizer, carry, color_clip, flicker
from colorlab.colorize import Colorizer
from colorlab.hints import Hint, HintError
from colorlab.metrics import gray_of
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage

SMALL = Recipe(
    name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
)


class Made(nn.Module):
    """Answers with what a function makes of L; keeps what it was asked."""

    stride, takes_hints = 8, True

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer, self.planes = answer, []

    def forward(self, lightness: Tensor, planes: Tensor | None = None, **_) -> Tensor:
        self.planes.append(planes)
        return self.answer(lightness).expand(-1, 2, -1, -1)


def made(answer) -> Colorizer:
    return Colorizer(Made(answer), SMALL, "cpu")


def jumping() -> Colorizer:
    """Another color for each frame, whatever is in it."""
    random = torch.Generator().manual_seed(0)
    return made(lambda seen: torch.full_like(seen, 0.03 * torch.randn(1, generator=random).item()))


def by_lightness() -> Colorizer:
    """Bright things are yellow, dark ones blue."""
    return made(lambda seen: seen.sign() * 0.3)


def lab_of(frames: list[Image.Image]) -> np.ndarray:
    """By scikit-image: (T, H, W, 3)."""
    return np.stack([rgb2lab(np.asarray(frame)) for frame in frames])


def jumps(frames: list[Image.Image]) -> float:
    """Flicker in plain loops over frames."""
    lab, found = lab_of(frames), []
    for before, now in zip(lab, lab[1:], strict=False):
        for (l0, a0, b0), (l1, a1, b1) in zip(
            before.reshape(-1, 3), now.reshape(-1, 3), strict=True
        ):
            if abs(l1 - l0) < 1:
                found.append(math.hypot(a1 - a0, b1 - b0))
    return sum(found) / len(found)


def noisy(value: int, count: int, side: int = 32) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [
        Image.fromarray((value + random.integers(-2, 3, (side, side))).astype(np.uint8))
        for _ in range(count)
    ]


# --- flicker --------------------------------------------------------------------------------------


def test_flicker_is_the_mean_jump_where_lightness_stays() -> None:
    random = np.random.default_rng(0)
    frames = [
        Image.fromarray(random.integers(100, 110, (9, 7, 3), dtype=np.uint8)) for _ in range(4)
    ]
    lab = torch.from_numpy(lab_of(frames)).movedim(-1, 1)
    assert flicker(lab[:, :1], lab[:, 1:]) == pytest.approx(jumps(frames), rel=1e-9)


def test_flicker_of_nothing_still_is_unknown_and_odd_shapes_are_refused() -> None:
    lightness = torch.tensor([10.0, 20.0]).reshape(2, 1, 1, 1)
    assert math.isnan(flicker(lightness, torch.zeros(2, 2, 1, 1)))
    for wrong, ab in ((torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4)), (lightness, lightness)):
        with pytest.raises(ValueError, match="at least two frames"):
            flicker(wrong, ab)


# --- carrying -------------------------------------------------------------------------------------


def test_carry_against_plain_loops() -> None:
    random = np.random.default_rng(0)
    before, previous, ab = (random.uniform(-1, 1, (n, 8, 8)) for n in (1, 2, 2))
    now = before + 0.2 + 0.06 * random.normal(size=(1, 8, 8))  # brighter by 10, and noise of 3
    now[0, :, 5:] += 0.6
    ab = previous + 0.2 * (ab - previous)
    found = carry(*(torch.from_numpy(x)[None] for x in (before, previous, now, ab)))[0].numpy()
    change = 50 * (now - before)[0]
    change = np.abs(change - np.sort(change.flatten())[31])  # torch's median is the lower one
    kept = 0
    for y in range(8):
        for x in range(8):
            window = change[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            apart = 110 * math.dist(previous[:, y, x], ab[:, y, x])
            share = KEEP * math.exp(-((apart / FAR) ** 2)) * (window.mean() < STILL)
            expected = share * previous[:, y, x] + (1 - share) * ab[:, y, x]
            assert found[:, y, x] == pytest.approx(expected, abs=1e-6)
            kept += share > 0
    assert 20 < kept < 44  # both kinds of pixels were there


def test_colors_that_jump_become_steady() -> None:
    frames = noisy(120, 12)
    alone = jumps(list(color_clip(jumping(), frames, steady=False)))
    assert alone > 5
    assert jumps(list(color_clip(jumping(), frames))) < alone / 3


def test_a_cut_starts_anew() -> None:
    random = np.random.default_rng(0)
    scenes = [Image.fromarray(random.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(4)]
    steady, alone = (
        list(color_clip(by_lightness(), scenes, steady=steady)) for steady in (True, False)
    )
    assert [frame.tobytes() for frame in steady] == [frame.tobytes() for frame in alone]
    assert CUT > 0


def test_what_moves_leaves_no_trail() -> None:
    """A bright square crosses a dark plane: where it was, the plane has the plane's color."""
    frames, now = [], []
    for time in range(8):
        pixels = np.full((32, 32), 70, np.uint8)
        pixels[10:20, 2 * time : 2 * time + 10] = 190
        frames.append(Image.fromarray(pixels))
    colored = list(color_clip(by_lightness(), frames))
    alone = list(color_clip(by_lightness(), frames, steady=False))
    for one, other in zip(colored, alone, strict=True):
        now.append(np.abs(np.asarray(one).astype(int) - np.asarray(other)).max())
    assert max(now) <= 2
    assert np.ptp(np.asarray(colored[-1])[..., 2]) > 30  # there were two colors


def test_frames_are_asked_for_one_at_a_time() -> None:
    asked = []

    def frames() -> Iterator[Image.Image]:
        for number, frame in enumerate(noisy(100, 5)):
            asked.append(number)
            yield frame

    for number, frame in enumerate(color_clip(jumping(), frames())):
        assert frame.size == (32, 32) and asked == list(range(number + 1))
    assert len(asked) == 5


def test_frames_of_another_size_are_refused() -> None:
    frames = [Image.new("L", (32, 32), 90), Image.new("L", (32, 24), 90)]
    with pytest.raises(ValueError, match="a frame is 32 x 24, and the first is 32 x 32"):
        list(color_clip(jumping(), frames))


def test_transparency_and_sixteen_bits_come_through() -> None:
    frame = Image.new("LA", (32, 32), (90, 40))
    (colored,) = color_clip(jumping(), [frame])
    assert colored.mode == "RGBA" and colored.getchannel("A").getextrema() == (40, 40)
    deep = ClipColorizer(jumping()).colorize(frame.convert("L"), depth=16)
    assert deep.dtype == np.uint16


# --- hints ----------------------------------------------------------------------------------------


def with_square(left: int, random: np.random.Generator) -> Image.Image:
    """A patterned square on a plane, with noise."""
    pattern = np.kron(np.random.default_rng(5).integers(0, 2, (6, 6)), np.ones((4, 4)))
    pixels = np.full((64, 96), 110.0)
    pixels[20:44, left : left + 24] = 60 + 120 * pattern
    pixels += random.normal(0, 2, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def places(planes: Tensor | None) -> list[float] | None:
    """Where the mask of hints has its middle, as shares of the picture; None without any."""
    if planes is None:
        return None
    at = planes[0, 2].nonzero().double().mean(0) + 0.5
    return (at / torch.tensor(planes.shape[2:])).tolist()


def test_hints_are_followed() -> None:
    random, colorizer = np.random.default_rng(0), by_lightness()
    frames = [with_square(10 + 3 * time, random) for time in range(12)]
    list(color_clip(colorizer, frames, hints=[Hint(20, 30, (150, 90, 90))]))
    found = [places(planes) for planes in colorizer.generator.planes]
    for time, (down, across) in enumerate(found):
        assert down * 64 == pytest.approx(30.5, abs=2) and len(found) == 12
        assert across * 96 == pytest.approx(20.5 + 3 * time, abs=2)


def test_a_hint_ends_with_its_place() -> None:
    random, colorizer = np.random.default_rng(0), by_lightness()
    frames = [with_square(10, random), with_square(10, random), Image.new("L", (96, 64), 200)]
    frames += frames[:1]
    list(color_clip(colorizer, frames, hints=[Hint(20, 30, (150, 90, 90))]))
    found = [planes is not None for planes in colorizer.generator.planes]
    assert found == [True, True, False, False]


def test_a_hint_outside_the_first_frame_is_refused() -> None:
    with pytest.raises(HintError, match="hint 1 .*outside"):
        next(color_clip(by_lightness(), [Image.new("L", (32, 32))], hints=[(40, 1, "red")]))


def test_what_no_screen_shows_is_said_once() -> None:
    frames = [Image.new("L", (32, 32), 200)] * 3
    with pytest.warns(UserWarning, match="no screen shows") as caught:
        list(color_clip(by_lightness(), frames, hints=[(4, 4, (0, 0, 255))]))
    assert len(caught) == 1


# --- the starter weights --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def starter() -> Colorizer:
    return Colorizer.load(device="cpu")


@pytest.mark.parametrize("clip", [pan, passing])
def test_the_starter_weights_flicker_a_third_and_stay_as_true(starter: Colorizer, clip) -> None:
    truth = list(clip(frames=8))
    grays = [gray_of(frame) for frame in truth]
    scores = []
    for steady in (False, True):
        colored = list(color_clip(starter, grays, steady=steady))
        lab = torch.from_numpy(lab_of(colored)).movedim(-1, 1)
        psnr = np.mean(
            [
                peak_signal_noise_ratio(np.asarray(true), np.asarray(one))
                for one, true in zip(colored, truth, strict=True)
            ]
        )
        scores.append((flicker(lab[:, :1], lab[:, 1:]), psnr))
    (alone, psnr), (steady, steady_psnr) = scores
    assert steady < alone / 3
    assert steady_psnr > psnr - 0.2


def test_no_trail_behind_a_disc(starter: Colorizer) -> None:
    """Where the disc has just been, colors are as true as those of each frame by itself."""
    truth = list(passing(frames=12))
    grays = [gray_of(frame) for frame in truth]
    true, errors = lab_of(truth), []
    rows, columns = np.indices((240, 320))

    def inside(time: int, more: int) -> np.ndarray:
        left, top = disc_at(time)
        middle = SIDE // 2
        return np.hypot(columns - left - middle, rows - top - middle) < middle + more

    for steady in (False, True):
        lab = lab_of(list(color_clip(starter, grays, steady=steady)))
        error = [
            np.hypot(*np.moveaxis((lab - true)[time, ..., 1:], -1, 0))[
                np.any([inside(t, -4) for t in range(time - 5, time)], 0) & ~inside(time, 6)
            ].mean()
            for time in range(6, 12)
        ]
        errors.append(np.mean(error))
    assert errors[1] < errors[0] + 1
