"""colorlab.course.widgets.scaling: what the panel says, held against the model and against its
file."""

from __future__ import annotations

import numpy as np
import pytest

from colorlab import recipes
from colorlab.course.widgets.scaling import HERE, ScalingPanel, _height, read_scaling
from colorlab.speed.scaling import LINKS, gradient_bytes, ring_seconds

ORANGE = (0xD5, 0x5E, 0x00)


@pytest.fixture(scope="module")
def panel() -> ScalingPanel:
    return ScalingPanel()


def diamonds(panel: ScalingPanel) -> int:
    """How many pixels have the color of what was measured."""
    return int((np.abs(panel.picture().astype(int) - ORANGE).max(-1) < 8).sum())


def test_the_file_is_whole() -> None:
    measured = read_scaling()
    assert measured.wire.processes == 2 and len(measured.wire.sizes) == 8
    assert list(measured.steps)[0] == "tiny"
    for name, step in measured.steps.items():
        assert step.recipe == name and step.processes == 2
        assert step.sent == gradient_bytes(recipes.get(name)), "the recipe is another now"
        assert step.clock == measured.wire.clock
        assert 0 < step.share < step.whole


def test_words_are_those_of_the_model(panel) -> None:
    panel.set(processes=8, photos=16, network="tiny", link="1 Gbit Ethernet", milliseconds=2.0)
    link, sent = LINKS["1 Gbit Ethernet"], panel.measured.steps["tiny"].sent
    waits = ring_seconds(sent, 8, link.bandwidth, link.latency)
    gain = 8 * 0.032 / (0.032 + waits)
    assert "8 processes, 128 photos a step: 32 ms to compute" in panel.words
    assert f"{1000 * waits:.3g} ms to average {sent / 1e6:.0f} MB" in panel.words
    assert f"{gain:.3g} times the photos" in panel.words and f"{gain / 8:.0%}" in panel.words
    panel.set(processes=1)
    assert "1 process, 16 photos a step: 32 ms to compute, 0 ms to average" in panel.words
    assert "Predicted: 1 times" in panel.words
    panel.reset.click()


def test_the_measured_point_stands_only_where_it_was_measured(panel) -> None:
    step = panel.measured.steps["tiny"]
    gain = 2 * step.share / step.together
    assert f": {gain:.2f} times; side by side" in panel.words and "Measured" in panel.words
    assert ("processor time" in panel.words) == (step.clock == "processor")
    with_it = diamonds(panel)
    assert with_it > 100
    panel.set(processes=4)  # the point stays, the words are of another number
    assert "Measured" not in panel.words and diamonds(panel) == with_it
    for name, value in (("photos", 64), ("link", "PCIe 4.0 x16"), ("milliseconds", 500.0)):
        panel.reset.click()
        assert panel.controls["link"].value == HERE and diamonds(panel) == with_it
        panel.set(**{name: value})
        assert "Measured" not in panel.words and diamonds(panel) == 0, name
    panel.reset.click()


def test_another_network_brings_its_own_time(panel, monkeypatch) -> None:
    drawn, draw = [], panel.draw
    monkeypatch.setattr(panel, "draw", lambda **values: drawn.append(values) or draw(**values))
    for name in ("lab-pix2pix", "tiny"):
        panel.controls["network"].value = name
        assert panel.controls["milliseconds"].value == panel.milliseconds[name]
        assert [one["network"] for one in drawn] == [name], "drawn once, with both changes"
        assert drawn.pop()["milliseconds"] == panel.milliseconds[name]
    panel.controls["network"].value = "lab-pix2pix"
    panel.controls["milliseconds"].value = 5.0
    assert panel.values["network"] == "lab-pix2pix" and drawn[-1]["milliseconds"] == 5.0
    panel.set(network="tiny", milliseconds=2.0)  # who says both gets both
    assert drawn[-1]["milliseconds"] == 2.0 and len(drawn) == 3
    panel.set(network="lab-pix2pix")
    assert drawn[-1]["milliseconds"] == panel.milliseconds["lab-pix2pix"] and len(drawn) == 4
    assert "e+" not in panel.words and f"{8 * drawn[-1]['milliseconds']:.0f} ms" in panel.words
    panel.reset.click()
    assert panel.values == panel._start and len(drawn) == 5


def test_heights_are_powers_of_two_from_a_quarter() -> None:
    assert [_height(gain) for gain in (0.25, 4, 64)] == [0, 0.5, 1]
    assert _height(0.2) < 0 and _height(0) < 0
