"""colorlab.course.widgets._panel, and what holds for every widget that is made of it."""

from __future__ import annotations

import base64
import io
import statistics
import time
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image

from colorlab.colorize import Colorizer
from colorlab.course.museum import exhibits
from colorlab.course.widgets._bundle import STILL_SIZE, VIEW
from colorlab.course.widgets._panel import Panel, choice, one_thread, slider, steps
from colorlab.course.widgets.clip import ClipPlay
from colorlab.course.widgets.diary import DiaryView
from colorlab.course.widgets.enlarge import EnlargePlay
from colorlab.course.widgets.gallery import DisagreementGallery
from colorlab.course.widgets.lab import FewLevels, GamutSlice, LabSliders
from colorlab.course.widgets.museum import FailureMuseum
from colorlab.course.widgets.objectives import LambdaSlider, PullArrows
from colorlab.course.widgets.palette import TemperaturePlay
from colorlab.course.widgets.patches import PatchView, ScoreMap
from colorlab.course.widgets.photos import AugmentPanel, ChromaSheet
from colorlab.course.widgets.scaling import ScalingPanel
from colorlab.course.widgets.speed import SpeedSliders
from colorlab.course.widgets.unet import LookInside, SkipSwitch
from colorlab.patchgan import PatchGAN
from colorlab.photos.files import open_photo
from colorlab.sources.bundled import bundled_photos
from colorlab.unet import UNet

SMOOTH = 0.15  # seconds from a move to the new picture, at most, on two cores that are free


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def photo():
    path = {p.stem: p for p in bundled_photos("test")}["european-honey-bee"]
    return open_photo(Path(path))


class TestPanel:
    def made(self, **options):
        drawn = []

        def draw(level, kind):
            drawn.append((level, kind))
            return np.full((20, 30, 3), level, np.uint8), f"level <{level}> of {kind}"

        controls = {
            "level": slider("level", 10, 0, 255, 5),
            "kind": choice("kind", ["x", "y"], "x"),
        }
        return Panel(draw, controls, "A flat <gray>.", kind="png", **options), drawn

    def test_a_move_draws_again(self):
        panel, drawn = self.made()
        assert drawn == [(10, "x")] and (opened(panel.image.value) == 10).all()
        panel.controls["level"].value = 200
        assert (opened(panel.image.value) == 200).all() and (panel.picture() == 200).all()
        panel.controls["kind"].value = "y"
        assert drawn[-1] == (200, "y")

    def test_words_are_printed_and_escaped(self):
        panel, _ = self.made()
        panel.controls["level"].value = 5
        assert panel.words == "level <5> of x"
        assert "level &lt;5&gt; of x" in panel.caption.value and "aria-live" in panel.caption.value
        about = panel.box.children[-1].value
        assert "A flat &lt;gray&gt;." in about and "&larr;" in about
        boxes = Panel(
            lambda on: (np.zeros((4, 4, 3), np.uint8), ""), {"on": widgets.Checkbox()}, ""
        )
        assert "Space" in boxes.box.children[-1].value

    def test_set_draws_once_and_reset_goes_back(self):
        panel, drawn = self.made()
        panel.set(level=50, kind="y")
        assert drawn == [(10, "x"), (50, "y")]
        panel.reset.click()
        assert panel.values == {"level": 10, "kind": "x"} and len(drawn) == 3
        assert (opened(panel.image.value) == 10).all()

    def test_controls_stand_in_lines(self):
        panel, _ = self.made(columns=2)
        first = panel.box.children[0]
        assert list(first.children) == [*panel.controls.values(), panel.reset]
        for columns in (1, (1, 1), (1, 5)):
            panel, _ = self.made(columns=columns)
            assert [len(line.children) for line in panel.box.children[:2]] == [1, 2]

    def test_bundle(self):
        panel, _ = self.made()
        bundle = panel._repr_mimebundle_()
        assert {VIEW, "image/png", "text/plain"} <= set(bundle)
        assert "level=10" in bundle["text/plain"]

    @pytest.mark.parametrize(("kind", "mode"), [("png", "RGB"), ("jpeg", "P")])
    def test_photos_leave_a_small_still(self, kind, mode):
        pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
        controls = {"level": slider("level", 10, 0, 255, 5)}
        panel = Panel(lambda level: (pixels, "noise"), controls, "Noise.", kind=kind)
        still = base64.b64decode(panel._repr_mimebundle_()["image/png"])
        assert Image.open(io.BytesIO(still)).mode == mode  # P: with a palette

    def test_torch_is_given_its_threads_back(self):
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        try:
            with pytest.raises(ValueError), one_thread():
                assert torch.get_num_threads() == 1
                raise ValueError
            assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(before)


def test_sliders_have_the_kind_of_their_numbers():
    assert isinstance(slider("x", 1, 0, 5, 1), widgets.IntSlider)
    assert isinstance(slider("x", 1, 0, 5, 0.5), widgets.FloatSlider)
    chosen = steps("x", [("one", 1), ("two", 2)], 2)
    assert isinstance(chosen, widgets.SelectionSlider) and chosen.value == 2


# --- every panel of the lessons ------------------------------------------------------------------

# The networks are as large as those of the lessons.
PANELS = {
    "LabSliders": LabSliders,
    "GamutSlice": GamutSlice,
    "FewLevels": FewLevels,
    "AugmentPanel": lambda photo: AugmentPanel({"one": photo, "two": MADE}),
    "ChromaSheet": lambda photo: ChromaSheet([photo, MADE] * 20, np.arange(40.0)),
    "SkipSwitch": lambda photo: SkipSwitch(UNet(5, 16, 128), {"one": photo, "two": MADE}),
    "LookInside": lambda photo: LookInside(UNet(5, 16, 128), {"one": photo, "two": MADE}),
    "PatchView": PatchView,
    "ScoreMap": lambda photo: ScoreMap(
        PatchGAN(3, 16, 2, norm="instance"), {"one": photo, "two": MADE}
    ),
    "LambdaSlider": lambda photo: LambdaSlider(),
    "PullArrows": lambda photo: PullArrows(),
    "DisagreementGallery": lambda photo: DisagreementGallery(SCORES, COLORINGS),
    "DiaryView": lambda photo: DiaryView(exhibits.load("healthy")),
    "FailureMuseum": lambda photo: FailureMuseum(),
    "TemperaturePlay": lambda photo: TemperaturePlay(
        Colorizer.load(device="cpu"), {"one": photo, "two": MADE}
    ),
    "EnlargePlay": lambda photo: EnlargePlay(photo, Colorizer.load(device="cpu")),
    "ClipPlay": lambda photo: ClipPlay(FRAMES, Colorizer.load(device="cpu")),
    "ScalingPanel": lambda photo: ScalingPanel(),
    "SpeedSliders": lambda photo: SpeedSliders(STEP),
}
STEP = {"convolution": 0.6, "Adam": 0.1, "reading photos": 0.2, "activation, dropout": 0.1}
MADE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
FRAMES = [np.roll(MADE, i, axis=1) for i in range(4)]
SCORES = {name: (np.random.default_rng(i).random((3, 2)), i < 2) for i, name in enumerate("abc")}
COLORINGS = {
    "names": ["one", "two", "three"],
    "photos": ["first", "second"],
    "gray": np.zeros((2, 3, 96, 96), np.uint8),
    "truth": np.full((2, 3, 96, 96), 255, np.uint8),
    "pictures": np.random.default_rng(0).integers(0, 256, (3, 2, 3, 96, 96), dtype=np.uint8),
}


def moves(panel: Panel):
    """Each control moved through its values, or twelve of them."""
    for name, control in panel.controls.items():
        if isinstance(control, widgets.IntSlider | widgets.FloatSlider):
            values = np.linspace(control.min, control.max, 5)
            values = [type(control.value)(value) for value in values]
        elif isinstance(control, widgets.Checkbox):
            values = [False, True]
        else:
            values = [
                option[1] if isinstance(option, tuple) else option for option in control.options
            ]
        for value in values[:12]:
            yield name, value


@pytest.fixture(scope="module")
def panel(request, photo):
    torch.manual_seed(0)
    return PANELS[request.param](photo)


@pytest.mark.parametrize("panel", PANELS, indirect=True)
class TestEveryPanel:
    def test_is_smooth_and_shows_what_is_set(self, panel):
        size = panel.picture().shape
        assert max(size) <= 2 * STILL_SIZE and size[2] == 3
        taken, pictures = [], set()
        for name, value in moves(panel):
            begun = time.perf_counter()
            panel.set(**{name: value})
            taken.append(time.perf_counter() - begun)
            assert panel.picture().shape == size, "the page must not jump"
            assert panel.words and panel.picture().dtype == np.uint8
            pictures.add(panel.image.value)
        panel.reset.click()
        assert len(pictures) > len(panel.controls)
        assert statistics.median(taken) < 10 * SMOOTH  # a busy machine is no fault of the widget

    def test_each_control_changes_the_picture(self, panel):
        for name, control in panel.controls.items():
            pictures = set()
            for other, value in moves(panel):
                if other == name:
                    panel.set(**{name: value})
                    pictures.add(panel.picture().tobytes())
            assert len(pictures) > 1, name
            panel.reset.click()
            assert control.description

    def test_leaves_the_learners_random_numbers_and_threads(self, panel):
        threads = torch.get_num_threads()
        torch.manual_seed(3)
        wanted = torch.rand(1)
        torch.manual_seed(3)
        panel._move()
        assert torch.equal(torch.rand(1), wanted) and torch.get_num_threads() == threads
