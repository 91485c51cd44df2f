"""colorlab.speed.ladder and colorlab.speed.table: predictions by hand, a small ladder, its
picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from made import RECIPE

from colorlab import devices
from colorlab.speed import ladder as ladders
from colorlab.speed import table
from colorlab.speed.figures import draw_ladder
from colorlab.speed.ladder import (
    Ladder,
    Parts,
    Row,
    check_quiet,
    measure_ladder,
    measure_parts,
    predict,
    rungs,
)
from colorlab.speed.op_kinds import (
    ACTIVATION,
    ADAM,
    ARITHMETIC,
    CONVOLUTION,
    COPY,
    LAB,
    NORMALIZATION,
    READING,
)
from colorlab.speed.roofline import Roofline

PARTS = Parts(
    {
        CONVOLUTION: 4.0,
        READING: 2.0,
        LAB: 1.0,
        ADAM: 0.8,
        NORMALIZATION: 0.3,
        ACTIVATION: 0.2,
        ARITHMETIC: 0.1,
        COPY: 0.1,
    },
    cutting=0.5,
    lab=0.1,
    fused=0.2,
    ratio=4.0,
    batch=2,
)
MADE = Ladder(
    "a made machine",
    "2.0",
    "tiny",
    64,
    2,
    PARTS,
    (
        Row("as commonly written", 4.25, 4.25),
        Row("+ photos decoded once", 3.5, 3.0),
        Row("+ batch × 4", 0.5, 0.6),
    ),
    {"+ torch.compile": "no compiler"},
)


def cpu(monkeypatch, half: str = "bf16", compiles: bool = False) -> None:
    monkeypatch.setattr(ladders, "choose_precision", lambda device: half)
    monkeypatch.setattr(
        ladders, "choose_compile", lambda device, wanted: compiles or wanted == "on"
    )


def test_each_change_is_about_its_part(monkeypatch) -> None:
    cpu(monkeypatch, compiles=True)
    found, left_out = rungs("cpu")
    assert left_out == {}
    steps = [8.5, 7.0, 6.1, 6.1, 3.1, 2.5, 2.1]  # of a batch, by hand
    wanted = [seconds / 2 for seconds in steps] + [(2.1 - 0.2 + 0.2 / 4) / 2]
    assert list(predict(PARTS, found).values()) == pytest.approx(wanted)
    assert [rung.times for rung in found] == [1] * 7 + [4]


def test_each_rung_keeps_all_changes_below_it(monkeypatch) -> None:
    cpu(monkeypatch, compiles=True)
    found, _ = rungs("cpu")
    on = [sum(v not in (False, "fp32") for v in vars(rung.switches).values()) for rung in found]
    assert on == [0, 1, 2, 3, 4, 5, 6, 6]


def test_what_a_machine_has_no_use_for_is_left_out_and_said(monkeypatch) -> None:
    cpu(monkeypatch, half="fp32")
    found, left_out = rungs("cpu", times=1)
    assert [rung.name for rung in found][-2:] == ["+ channels-last", "+ fused Adam"]
    assert "no units" in left_out["+ bf16"] and "no gain" in left_out["+ torch.compile"]
    assert "+ torch.compile" in [rung.name for rung in rungs("cpu", compile="on")[0]]
    assert "off" in rungs("cpu", compile="off")[1]["+ torch.compile"]


@pytest.fixture(scope="module")
def measured(photos_of_module) -> Ladder:
    roofline = Roofline({"fp32": 1e9, "bf16": 2e9}, 1e9)
    with pytest.MonkeyPatch.context() as monkeypatch:
        cpu(monkeypatch)
        parts = measure_parts(RECIPE, photos_of_module, device="cpu", roofline=roofline, repeats=2)
        return measure_ladder(
            RECIPE, photos_of_module, device="cpu", parts=parts, repeats=2, times=2
        )


@pytest.fixture(scope="module")
def photos_of_module(photos: Path) -> Path:
    return photos


def test_a_small_ladder(measured: Ladder) -> None:
    assert [row.name for row in measured.rows] == [
        "as commonly written",
        "+ photos decoded once",
        "+ Lab on the device",
        "+ channels-last",
        "+ bf16",
        "+ fused Adam",
        "+ batch × 2",
    ]
    assert (measured.recipe, measured.size, measured.batch) == ("test", 16, 2)
    assert measured.hardware == devices.hardware_name("cpu")
    assert measured.torch == torch.__version__.split("+")[0]
    assert all(0 < row.measured < 60 and 0 < row.predicted < 60 for row in measured.rows)
    parts = measured.parts
    assert {CONVOLUTION, READING, LAB, ADAM} <= set(parts.seconds)
    assert measured.rows[0].predicted == pytest.approx(parts.total / 2)
    weights = 4 * 7 * 1e-9  # bytes of Adam a weight, at the made bandwidth
    assert parts.ratio == 2.0 and parts.fused / weights == pytest.approx(count_weights())
    assert "+ bf16" in str(measured) and "+ torch.compile: left out" in str(measured)


def count_weights() -> int:
    from colorlab.recipes.build import build_discriminator, build_generator

    networks = build_generator(RECIPE), build_discriminator(RECIPE)
    return sum(p.numel() for network in networks for p in network.parameters())


def test_the_table_keeps_one_ladder_of_each_kind(measured: Ladder, tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    assert table.read_table(path) == []
    for one in (MADE, measured, dataclasses.replace(MADE, torch="3.0")):
        table.save_table(one, path)
    assert table.read_table(path) == [measured, dataclasses.replace(MADE, torch="3.0")]
    for broken in ("{", "[{}]", '{"a": 1}', "[1]"):
        path.write_text(broken)
        with pytest.raises(ValueError, match="speed.json is not a table of ladders"):
            table.read_table(path)


def test_a_busy_machine_is_recognized_by_its_first_rung() -> None:
    for measured in (4.25, 4.25 * 1.29, 4.25 / 1.29):
        row = dataclasses.replace(MADE.rows[0], measured=measured)
        check_quiet(dataclasses.replace(MADE, rows=(row, *MADE.rows[1:])))
    for measured in (4.25 * 1.31, 4.25 / 1.31):
        row = dataclasses.replace(MADE.rows[0], measured=measured)
        busy = dataclasses.replace(MADE, rows=(row, *MADE.rows[1:]))
        with pytest.raises(RuntimeError, match="busy.* 4250 ms a photo .*again when nothing else"):
            check_quiet(busy)


def test_our_table_can_be_read() -> None:
    for one in table.read_table():
        assert one.rows[0].name == ladders.START and one.rows[0].measured > 0
        json.dumps(dataclasses.asdict(one))


def test_bars_are_what_was_measured_and_marks_what_was_predicted() -> None:
    other = dataclasses.replace(
        MADE,
        hardware="another",
        rows=(*MADE.rows[:2], Row("+ torch.compile", 0.1, 0.2), MADE.rows[2]),
    )
    figure = draw_ladder(MADE, [other])
    own, theirs = figure.axes
    assert [bar.get_width() for bar in own.patches] == pytest.approx([4250, 3000, 600])
    marks = [line.get_xdata()[0] for line in own.lines]
    assert marks == pytest.approx([3500, 500])  # none on the first: it is where they start from
    names = [label.get_text() for label in own.get_yticklabels()]
    assert names == [
        "as commonly written",
        "+ photos decoded once",
        "+ torch.compile",
        "+ batch × 4",
    ]
    assert "left out" in [text.get_text() for text in own.texts]
    assert "left out" not in [text.get_text() for text in theirs.texts]
    assert "7.1×" in own.texts[-1].get_text()
    assert own.get_title(loc="left").startswith("yours: tiny, 64 px, batch 2\na made machine")
    assert theirs.get_title(loc="left").startswith("ours")
    assert figure.get_figwidth() == 9 and figure.number not in plt.get_fignums()


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="measure one with measure_ladder"):
        draw_ladder(None, [])
