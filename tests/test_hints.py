"""Hints: laid into planes, drawn at random, pooled, read from what users write, checked."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from colorlab import hints
from colorlab.color import rgb_to_lab
from colorlab.hints import (
    Hint,
    HintError,
    ab_of,
    check_hints,
    color_named,
    hints_from,
    lay,
    parse,
    pool,
    read,
    simulate,
)

RED, BLUE = (200, 40, 40), (40, 60, 200)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def truth(batch: int, size: int, seed: int = 0) -> Tensor:
    """ab of noise in [-1, 1]: no two pixels alike."""
    rgb = torch.rand(batch, 3, size, size, generator=seeded(seed))
    return rgb_to_lab(rgb)[:, 1:] / 110


def in_lab(color: tuple[int, int, int]) -> np.ndarray:
    return rgb2lab(np.array(color, np.uint8)[None, None])[0, 0]


# --- laid into planes -----------------------------------------------------------------------------


def test_a_hint_is_three_by_three_pixels_of_its_color() -> None:
    planes = lay([Hint(5, 3, RED)], (16, 16), (16, 16))
    assert planes.shape == (1, 3, 16, 16)
    mask = torch.zeros(16, 16)
    mask[2:5, 4:7] = 1
    assert torch.equal(planes[0, 2], mask)
    wanted = torch.tensor(in_lab(RED)[1:] / 110, dtype=torch.float32)
    torch.testing.assert_close(planes[0, :2, 3, 5], wanted, rtol=0, atol=1e-4)
    assert torch.equal(planes[0, :2], planes[0, :2, 3, 5][:, None, None] * mask)


def test_no_hints_are_planes_of_zeros() -> None:
    assert torch.equal(lay([], (9, 9), (32, 64)), torch.zeros(1, 3, 32, 64))


def test_where_hints_meet_the_later_one_holds() -> None:
    one, other = Hint(5, 5, RED), Hint(7, 5, BLUE)
    both = lay([one, other], (16, 16), (16, 16))
    other_only = lay([other], (16, 16), (16, 16))
    covered = other_only[0, 2] > 0
    assert torch.equal(both[0][:, covered], other_only[0][:, covered])
    first = lay([one], (16, 16), (16, 16))
    assert torch.equal(both[0, :, :, 4:6], first[0, :, :, 4:6])
    assert both[0, 2].sum() == 15  # they share a column of three
    assert not torch.equal(both, lay([other, one], (16, 16), (16, 16)))


@pytest.mark.parametrize(
    ("x", "y", "rows", "columns"),
    [
        (0, 0, slice(0, 2), slice(0, 2)),
        (19, 0, slice(0, 2), slice(18, 20)),
        (0, 11, slice(10, 12), slice(0, 2)),
        (19, 11, slice(10, 12), slice(18, 20)),
    ],
)
def test_at_the_edges_of_the_photo_what_fits_is_laid(x, y, rows: slice, columns: slice) -> None:
    mask = torch.zeros(12, 20)
    mask[rows, columns] = 1
    assert torch.equal(lay([Hint(x, y, RED)], (12, 20), (12, 20))[0, 2], mask)


def test_places_shrink_and_grow_with_the_planes() -> None:
    """The middle of the pixel counts: x 420 of 1000 is 42.05 % from the left."""
    small = lay([Hint(420, 310, RED)], (800, 1000), (64, 32))
    rows, columns = (small[0, 2].sum(d).nonzero().flatten().tolist() for d in (1, 0))
    assert (rows, columns) == ([23, 24, 25], [12, 13, 14])  # 310.5 · 64 / 800 = 24.84; 13.456
    large = lay([Hint(1, 2, RED)], (4, 4), (32, 32))
    rows, columns = (large[0, 2].sum(d).nonzero().flatten().tolist() for d in (1, 0))
    assert (rows, columns) == ([19, 20, 21], [11, 12, 13])  # the middles of 16…23 and of 8…15


sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))


@given(sizes, sizes, st.data())
def test_every_place_of_a_photo_lies_in_the_planes(photo, planes, data: st.DataObject) -> None:
    y, x = (data.draw(st.integers(0, side - 1)) for side in photo)
    mask = lay([Hint(x, y, RED)], photo, planes)[0, 2]
    place = [
        (at + 0.5) / side * plane for at, side, plane in zip((y, x), photo, planes, strict=True)
    ]
    assert mask[tuple(min(int(p + 1e-9), n - 1) for p, n in zip(place, planes, strict=True))] == 1
    assert 1 <= mask.sum() <= 9


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_only_a_and_b_of_a_color_count(color: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(ab_of(color).numpy(), in_lab(color)[1:], rtol=0, atol=0.01)


# --- drawn at random ------------------------------------------------------------------------------


def test_the_same_generator_draws_the_same_hints() -> None:
    ab = truth(8, 32)
    one, other = simulate(ab, 0.5, seeded(3)), simulate(ab, 0.5, seeded(3))
    assert one.shape == (8, 3, 32, 32) and torch.equal(one, other)
    assert not torch.equal(one, simulate(ab, 0.5, seeded(4)))


def test_nobody_elses_random_numbers_are_moved() -> None:
    before = torch.get_rng_state()
    simulate(truth(8, 32), 1.0, seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_share_of_0_gives_none_and_of_1_gives_every_photo_some() -> None:
    ab = truth(64, 16)
    assert not simulate(ab, 0.0, seeded()).any()
    assert simulate(ab, 1.0, seeded())[:, 2].flatten(1).any(1).all()


def test_a_share_is_that_of_the_photos_with_hints() -> None:
    hinted = simulate(truth(2000, 4), 0.3, seeded())[:, 2].flatten(1).any(1).float().mean()
    assert hinted.item() == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2000) ** 0.5)


def test_the_number_of_hints_is_geometric(monkeypatch) -> None:
    """P(n) = p (1 − p)ⁿ⁻¹ with p = 1/8: mean 8, deviation √56. Squares of a pixel on a wide canvas
    seldom overlap, so that pixels count hints."""
    monkeypatch.setattr(hints, "SIDES", (1, 1))
    ab = torch.zeros(1500, 2, 96, 96)
    counts = simulate(ab, 1.0, seeded())[:, 2].sum((1, 2)).numpy()
    assert counts.mean() == pytest.approx(8, abs=0.7)
    assert counts.std() == pytest.approx(56**0.5, abs=0.8)
    assert (counts == 1).mean() == pytest.approx(1 / 8, abs=0.03)
    assert counts.min() == 1 and 30 < counts.max() <= hints.MOST


def test_no_photo_has_more_than_the_most(monkeypatch) -> None:
    monkeypatch.setattr(hints, "SIDES", (1, 1))
    monkeypatch.setattr(hints, "STOP", 1e-4)
    counts = simulate(torch.zeros(5, 2, 512, 512), 1.0, seeded())[:, 2].sum((1, 2))
    assert 60 <= counts.max() <= 64


def test_places_gather_about_the_middle(monkeypatch) -> None:
    """Normal with a quarter of the photo as deviation: 68 % within it, and nobody outside."""
    monkeypatch.setattr(hints, "SIDES", (1, 1))
    mask = simulate(torch.zeros(400, 2, 64, 64), 1.0, seeded())[:, 2]
    columns = mask.sum((0, 1))
    assert (columns[16:48].sum() / columns.sum()).item() == pytest.approx(0.683, abs=0.03)
    rows = torch.arange(64) + 0.5
    mean = (mask.sum((0, 2)) * rows).sum() / mask.sum()
    assert mean.item() == pytest.approx(32, abs=1)


@pytest.mark.parametrize("side", [1, 4, 9])
def test_a_single_hint_is_a_square_with_the_mean_of_the_truth(monkeypatch, side: int) -> None:
    monkeypatch.setattr(hints, "SIDES", (side, side))
    monkeypatch.setattr(hints, "STOP", 1 - 1e-7)  # one hint a photo
    ab = truth(20, 24)
    for planes, true in zip(simulate(ab, 1.0, seeded()), ab, strict=True):
        mask = planes[2] > 0
        rows, columns = (mask.any(d).nonzero().flatten() for d in (1, 0))
        assert len(rows) == len(columns) == side and mask.sum() == side * side
        mean = true[:, mask].double().mean(1)
        torch.testing.assert_close(
            planes[:2, mask].double(), mean[:, None].expand(-1, side * side), rtol=0, atol=1e-6
        )
        assert not planes[:2, ~mask].any()


def test_the_mask_is_1_where_there_is_color_and_0_elsewhere() -> None:
    planes = simulate(truth(16, 32), 1.0, seeded())
    mask = planes[:, 2:]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(planes[:, :2] * mask, planes[:, :2])
    assert (planes[:, :2].abs().sum(1, keepdim=True)[mask > 0] > 0).all()


def test_a_photo_smaller_than_a_patch_is_filled() -> None:
    ab = truth(30, 2)
    planes = simulate(ab, 1.0, seeded())
    whole = planes[:, 2].flatten(1).all(1)
    assert whole.float().mean() > 0.9  # eight of nine patches are that large
    assert torch.isfinite(planes).all()


# --- pooled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_pooling_equals_a_slow_loop(factor: int) -> None:
    planes = simulate(truth(3, 32), 1.0, seeded())
    planes[0, :, :16] = 0
    got = pool(planes, (32 // factor, 32 // factor))
    wanted = torch.zeros(3, 3, 32 // factor, 32 // factor)
    for b, y, x in np.ndindex(3, 32 // factor, 32 // factor):
        cell = planes[b, :, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        there = cell[2] > 0
        if there.any():
            wanted[b, :2, y, x] = cell[:2, there].mean(1)
            wanted[b, 2, y, x] = 1
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)
    assert 0 < wanted[:, 2].mean() < 1


def test_pooling_to_the_same_size_changes_nothing() -> None:
    planes = simulate(truth(2, 16), 1.0, seeded())
    assert torch.equal(pool(planes, (16, 16)), planes)


def test_one_pixel_keeps_its_whole_color_at_every_scale() -> None:
    """What plain averaging would dilute to a thousandth."""
    planes = torch.zeros(1, 3, 64, 96)
    planes[0, :, 37, 50] = torch.tensor([0.5, -0.25, 1.0])
    for size in ((32, 48), (8, 12), (2, 3)):
        pooled = pool(planes, size)
        assert pooled.shape == (1, 3, *size)
        y, x = 37 * size[0] // 64, 50 * size[1] // 96
        assert pooled[0, :, y, x].tolist() == pytest.approx([0.5, -0.25, 1.0])
        assert (pooled != 0).sum() == 3


# --- read off a photo -----------------------------------------------------------------------------


def test_hints_from_a_photo_are_its_colors() -> None:
    halves = np.zeros((40, 60, 3), np.uint8)
    halves[:, :30], halves[:, 30:] = RED, BLUE
    found = hints_from(Image.fromarray(halves), 50)
    assert len(found) == 50 and len({(h.x, h.y) for h in found}) > 40
    clear = [hint for hint in found if abs(hint.x - 29.5) > 4]
    assert len(clear) > 30
    for hint in clear:
        wanted = RED if hint.x < 30 else BLUE
        assert max(abs(a - b) for a, b in zip(hint.color, wanted, strict=True)) <= 1
    assert {type(v) for hint in found for v in (hint.x, hint.y, *hint.color)} == {int}


def test_hints_from_a_photo_are_the_mean_in_lab_of_a_patch() -> None:
    pixels = np.random.default_rng(1).integers(90, 160, (30, 20, 3), np.uint8)
    for hint in hints_from(Image.fromarray(pixels), 20, seed=2, side=5):
        patch = pixels[max(hint.y - 2, 0) : hint.y + 3, max(hint.x - 2, 0) : hint.x + 3]
        np.testing.assert_allclose(in_lab(hint.color), rgb2lab(patch).mean((0, 1)), atol=0.7)


def test_hints_from_a_photo_follow_from_the_seed_and_fit_the_photo() -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 33, 3), np.uint8))
    first = hints_from(photo, 40, seed=1)
    assert first == hints_from(photo, 40, seed=1) != hints_from(photo, 40, seed=2)
    assert first[:5] == hints_from(photo, 5, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert check_hints(first, torch.full((9, 33), 50.0)) == first
    assert hints_from(photo, 0) == []
    assert max(hint.x for hint in first) > 20  # as wide as the photo, not as high


# --- what users write -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("420,310,#a02020", Hint(420, 310, (160, 32, 32))),
        ("420,310,teal", Hint(420, 310, (0, 128, 128))),
        (" 4 , 3 ,  #fff ", Hint(4, 3, (255, 255, 255))),
        ("0,7,rgb(160, 32, 31)", Hint(0, 7, (160, 32, 31))),
        ("-1,7,Red", Hint(-1, 7, (255, 0, 0))),  # no photo is known yet; check refuses it
    ],
)
def test_a_hint_is_parsed(text: str, wanted: Hint) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize("text", ["", "420", "420,310", "teal,420,310", "4.5,3,red", "1;2;red"])
def test_what_is_no_hint_gets_the_form_of_one(text: str) -> None:
    with pytest.raises(HintError) as caught:
        parse(text)
    assert str(caught.value) == (
        f"{text!r} is no hint: write X,Y,COLOR, such as 420,310,#a02020 (pixels from the left and "
        f"from the top, then a color)"
    )
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["", "tael", "#a0202", "a02020", "rgb(1,2)", "1,red"])
def test_what_is_no_color_gets_an_example(name: str) -> None:
    says = f"^{re.escape(repr(name))} is no color: write #rrggbb, such as #a02020, or an HTML name,"
    for act in (color_named, lambda name: parse(f"1,2,{name}")):
        with pytest.raises(HintError, match=says):
            act(name)


def test_a_color_with_alpha_loses_it() -> None:
    assert color_named("#a0202080") == (160, 32, 32)


@given(st.text(max_size=20))
def test_whatever_is_written_is_a_hint_or_a_hint_error(text: str) -> None:
    for act in (parse, color_named):
        try:
            found = act(text)
        except HintError as error:
            assert repr(text) in str(error) or "is no color" in str(error)
        else:
            color = found.color if isinstance(found, Hint) else found
            assert len(color) == 3 and all(0 <= c <= 255 for c in color)


# --- a file of them -------------------------------------------------------------------------------


@given(
    st.lists(
        st.builds(Hint, *[st.integers(0, 9999)] * 2, st.tuples(*[st.integers(0, 255)] * 3)),
        max_size=5,
    )
)
@settings(max_examples=30)
def test_a_file_of_hints_is_read(tmp_path_factory, wanted: list[Hint]) -> None:
    path = tmp_path_factory.mktemp("hints") / "hints.json"
    entries = [
        {"x": h.x, "y": h.y, "color": "#{:02x}{:02x}{:02x}".format(*h.color)} for h in wanted
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    assert read(path) == read(str(path)) == wanted
    path.unlink()
    assert hints.write(path, wanted) == path
    assert json.loads(path.read_text(encoding="utf-8")) == entries


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "can't be read as hints: Expecting value"),
        ("[{", "can't be read as hints: Expecting property name"),
        ("[" * 100_000, "can't be read as hints: "),
        ('{"x": 1}', "should hold a list of hints, got dict"),
        ("3", "should hold a list of hints, got int"),
        (
            "[3]",
            'hint 1: expected {"x": 420, "y": 310, "color": "#a02020"} with whole numbers, got 3',
        ),
        ('[{"x": 1, "y": 2}]', "hint 1: expected .*, got {'x': 1, 'y': 2}"),
        ('[{"x": 1, "y": 2, "color": "red", "a": 1}]', "hint 1: expected .* 'a': 1}"),
        ('[{"x": 1.5, "y": 2, "color": "red"}]', "hint 1: expected .*whole numbers, got .*1.5"),
        ('[{"x": 1, "y": true, "color": "red"}]', "hint 1: expected .*got .*True"),
        ('[{"x": 1, "y": "2", "color": "red"}]', "hint 1: expected .*got .*'2'"),
        (
            '[{"x": 1, "y": 2, "color": "red"}, {"x": 1, "y": 2, "color": "rde"}]',
            "hint 2: 'rde' is no color: write #rrggbb",
        ),
        ('[{"x": 1, "y": 2, "color": [1, 2, 3]}]', r"hint 1: '\[1, 2, 3\]' is no color"),
        ('[{"x": 1, "y": 2, "color": null}]', "hint 1: 'None' is no color"),
    ],
)
def test_a_file_of_something_else_is_reported_by_its_entry(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "hints.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HintError, match=says) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_or_no_text_is_reported(tmp_path: Path) -> None:
    with pytest.raises(HintError, match="none.json can't be read as hints: .*No such file"):
        read(tmp_path / "none.json")
    with pytest.raises(HintError, match="can't be read as hints"):
        read(tmp_path)
    (tmp_path / "photo.json").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(HintError, match="photo.json can't be read as hints: .*utf-8"):
        read(tmp_path / "photo.json")


# --- checked against the photo --------------------------------------------------------------------


def test_hints_come_back_as_hints_however_they_are_given() -> None:
    hints = [Hint(1, 2, (128, 120, 120)), (3, 0, (120, 128, 120)), (0, 1, "gray")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked = check_hints(hints, torch.full((4, 5), 50.0))
    assert checked == [*hints[:1], Hint(3, 0, (120, 128, 120)), Hint(0, 1, (128, 128, 128))]
    assert all(type(hint) is Hint for hint in checked)
    assert check_hints([], torch.zeros(1, 1)) == []
    (one,) = check_hints(
        [(np.int64(0), 0, np.array([119, 119, 119], np.uint8))], torch.full((4, 5), 50.0)
    )
    assert one == Hint(0, 0, (119, 119, 119)) and {type(v) for v in (one.x, *one.color)} == {int}


@pytest.mark.parametrize(("x", "y"), [(5, 0), (0, 4), (-1, 0), (0, -1), (500, 400)])
def test_a_hint_outside_the_photo_is_refused_with_the_photos_size(x: int, y: int) -> None:
    with pytest.raises(HintError) as caught:
        check_hints(
            [Hint(0, 0, (119, 119, 119)), Hint(x, y, (119, 119, 119))], torch.full((4, 5), 50.0)
        )
    assert str(caught.value) == (
        f"hint 2 at x {x}, y {y} lies outside the photo, which is 5 x 4: x goes from 0 to 4, "
        f"y from 0 to 3"
    )


@pytest.mark.parametrize(
    "color", [(1, 2), (1, 2, 256), (-1, 2, 3), (1, 2, 3, 4), 5, None, ("a", 1, 2), (0.5, 1, 2)]
)
def test_what_is_no_color_is_refused(color: object) -> None:
    says = f"^hint 1: a color is three integers from 0 to 255, got {re.escape(repr(color))}$"
    with pytest.raises(HintError, match=says):
        check_hints([(0, 0, color)], torch.full((4, 5), 50.0))
    with pytest.raises(HintError, match="'tael' is no color"):
        check_hints([(0, 0, "tael")], torch.full((4, 5), 50.0))


def test_a_color_that_no_screen_shows_there_is_reported_with_the_nearest() -> None:
    red, lightness = (255, 0, 0), torch.full((4, 5), 95.0)
    lightness[3, 2] = float(in_lab(red)[0])
    with pytest.warns(UserWarning) as caught:
        assert check_hints([Hint(2, 3, red), Hint(1, 3, red)], lightness) == [
            Hint(2, 3, red),
            Hint(1, 3, red),
        ]
    (warning,) = caught
    found = re.fullmatch(
        r"hint 2: no screen shows #ff0000 at lightness 95, which the photo has at x 1, y 3; it "
        r"becomes #(\w\w)(\w\w)(\w\w)",
        str(warning.message),
    )
    light, a, b = in_lab(tuple(int(part, 16) for part in found.groups()))
    assert light == pytest.approx(95, abs=0.6)
    assert 2 < np.hypot(a, b) < 20
    # The hue is red's, as far as eight bits tell it.
    assert np.arctan2(b, a) == pytest.approx(np.arctan2(*in_lab(red)[:0:-1]), abs=0.15)


@pytest.mark.parametrize(
    ("color", "lightness", "shown"),
    [
        ((255, 0, 0), 53.2, True),  # red's own
        ((255, 0, 0), 95.0, False),
        ((0, 0, 255), 90.0, False),
        ((255, 255, 0), 20.0, False),
        ((120, 110, 115), 80.0, True),
        ((128, 128, 128), 100.0, True),
    ],
)
def test_whether_a_screen_shows_a_color_at_another_lightness(color, lightness, shown) -> None:
    assert hints.shown_at(color, lightness) == shown
    # scikit-image clips to [0, 1] what no screen shows, and so changes it.
    wanted = np.array([lightness, *in_lab(color)[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = rgb2lab(lab2rgb(wanted))
    assert bool(np.abs(back - wanted).max() < 2) == shown


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_a_color_at_its_own_lightness_is_no_cause_for_warning(color: tuple[int, int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_hints([Hint(0, 0, color)], torch.tensor([[in_lab(color)[0]]], dtype=torch.float32))
