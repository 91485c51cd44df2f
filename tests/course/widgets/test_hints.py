"""colorlab.course.widgets.hints and what it is made of, without a browser."""

from __future__ import annotations

import io
import re
import sys
import tomllib
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorlab import hints as user_hints
from colorlab.colorize import Colorizer
from colorlab.course.widgets import hints as module
from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets._hinted import SHOWN, HintedPhoto
from colorlab.course.widgets._plane import color_name
from colorlab.course.widgets._sliders import Sliders, with_dots
from colorlab.course.widgets.hints import HintBoard
from colorlab.hints import HintError
from colorlab.palette import Suggestion
from colorlab.sources.bundled import bundled_photos

WIDTH, HEIGHT = 2 * SHOWN, SHOWN  # so that the copy is half as wide and half as high
RED, BLUE = (200, 30, 30), (30, 40, 200)
WIDGETS = Path(module.__file__).parent


class Painter:
    """A colorizer whose results are known: gray, and each hint's own color on its pixel."""

    takes_hints = True

    def __init__(self):
        self.asked = []

    def colorize(self, photo, *, hints=()):
        picture = Image.new("RGB", photo.size, (128, 128, 128))
        for x, y, color in hints:
            picture.putpixel((x, y), color)
        return picture

    def suggest(self, photo, x, y, count, *, hints=()):
        self.asked.append((photo.size, x, y, len(hints)))
        return [Suggestion(RED, 0.6), Suggestion(BLUE, 0.3)][:count]


@pytest.fixture
def photo():
    return HintedPhoto(Painter(), np.full((HEIGHT, WIDTH, 3), 120, np.uint8))


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    one, other = rng.integers(95, 110, (2, 40, 60, 3), np.uint8)  # as light as RED
    return {"one": one, "an/other": other}


@pytest.fixture(scope="module")
def starter():
    return Colorizer.load(device="cpu")


def without_anywidget(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "colorlab.course.widgets._clicks", raising=False)


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


class TestHintedPhoto:
    def test_a_place_then_a_color_is_a_hint(self, photo):
        photo.look(100, 50)
        assert photo.cursor == (100, 50) and photo.selected is None
        assert photo.suggestions[0].color == RED
        assert photo.colorizer.asked == [((SHOWN, SHOWN // 2), 50, 25, 0)]  # of the small copy
        photo.color("#c81e1e")
        assert photo.hints == ((100, 50, RED),) and photo.selected == 0
        colored = photo.colored()
        assert tuple(colored[25, 50]) == RED and (colored != 128).any(-1).sum() == 1

    def test_a_look_near_a_hint_selects_it(self, photo):
        photo.look(100, 50)
        photo.color(RED)
        photo.look(300, 300)
        photo.color(BLUE)
        photo.look(105, 52)
        assert photo.selected == 0
        assert photo.colorizer.asked[-1][1:] == (50, 25, 1)  # where the hint is, without itself
        photo.color(BLUE)  # changes its color, not its place
        assert photo.hints == ((100, 50, BLUE), (300, 300, BLUE))
        photo.look(300 - SHOWN // 4, 300)
        assert photo.selected is None

    def test_a_drag_moves_the_selected_hint_and_is_undone_at_once(self, photo):
        photo.look(100, 50)
        photo.color(RED)
        for number, x in enumerate((110, 150, 400)):
            photo.drag(x, 60, again=number > 0)
        assert photo.hints == ((400, 60, RED),)
        photo.undo()
        assert photo.hints == ((100, 50, RED),)
        photo.redo()
        assert photo.hints == ((400, 60, RED),)

    def test_a_drag_that_begins_on_the_spot_keeps_the_step_before(self, photo):
        photo.look(100, 50)
        photo.color(RED)
        photo.drag(100, 50)
        photo.drag(120, 50, again=True)
        photo.undo()
        assert photo.hints == ((100, 50, RED),)

    def test_colors_that_are_tried_out_are_one_step(self, photo):
        photo.look(100, 50)
        for number, color in enumerate((RED, BLUE, (1, 2, 3))):
            photo.color(color, again=number > 0)
        assert photo.hints == ((100, 50, (1, 2, 3)),)
        photo.undo()
        assert photo.hints == () and not photo.can_undo

    def test_another_hint_is_another_step(self, photo):
        for x in (100, 600):
            photo.look(x, 50)
            photo.color(RED, again=True)
        photo.undo()
        assert photo.hints == ((100, 50, RED),)

    def test_a_drag_of_nothing_moves_the_cursor(self, photo):
        photo.look(100, 50)
        photo.drag(200, 70)
        assert photo.cursor == (200, 70) and photo.hints == () and not photo.can_undo

    def test_every_step_can_be_undone_and_redone(self, photo):
        states = [()]
        for x, color in ((100, RED), (500, BLUE)):
            photo.look(x, 50)
            photo.color(color)
            states.append(photo.hints)
        photo.remove()
        states.append(photo.hints)
        photo.clear()
        states.append(photo.hints)
        assert [len(hints) for hints in states] == [0, 1, 2, 1, 0]
        for hints in states[-2::-1]:
            photo.undo()
            assert photo.hints == hints
        assert not photo.can_undo and photo.can_redo
        photo.undo()  # nothing is left, and nothing happens
        for hints in states[1:]:
            photo.redo()
            assert photo.hints == hints
        assert not photo.can_redo

    def test_a_change_ends_what_could_be_redone(self, photo):
        photo.look(100, 50)
        photo.color(RED)
        photo.undo()
        photo.color(BLUE)
        assert not photo.can_redo
        photo.redo()
        assert photo.hints == ((100, 50, BLUE),)

    def test_remove_without_a_selected_hint_does_nothing(self, photo):
        photo.look(100, 50)
        photo.remove()
        photo.clear()
        assert not photo.can_undo

    def test_bad_places_and_colors_are_refused(self, photo):
        with pytest.raises(ValueError, match="Choose a place"):
            photo.color(RED)
        with pytest.raises(HintError, match=f"outside the photo, which is {WIDTH} x {HEIGHT}"):
            photo.look(WIDTH, 0)
        with pytest.raises(HintError, match="outside"):
            photo.drag(0, -1)
        photo.look(0, 0)
        with pytest.raises(HintError, match="no color"):
            photo.color("reddish")

    def test_says_which_color_no_screen_shows(self):
        for gray, color, shown in ((250, (255, 0, 0), False), (128, (150, 120, 110), True)):
            photo = HintedPhoto(Painter(), np.full((60, 60, 3), gray, np.uint8))
            photo.look(30, 30)
            assert photo.in_gamut()
            photo.color(color)
            assert photo.in_gamut() == shown

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_saves_the_whole_picture_and_its_hints(self, photo, tmp_path, suffix):
        for x, color in ((100, RED), (500, BLUE)):
            photo.look(x, 50)
            photo.color(color)
        picture, beside = photo.save(tmp_path / "new", "a/b c", suffix)
        assert (picture.name, beside.name) == (f"a-b-c-colored{suffix}", "a-b-c-hints.json")
        assert user_hints.read(beside) == list(photo.hints)
        saved = Image.open(picture)
        assert saved.size == (WIDTH, HEIGHT)
        distance = np.subtract(saved.convert("RGB").getpixel((500, 50)), BLUE)
        assert np.abs(distance).max() <= (0 if suffix == ".png" else 90)
        assert b"digitalsourcetype/algorithmicallyEnhanced" in picture.read_bytes()

    def test_keeps_what_a_file_carries(self, tmp_path):
        exif = Image.Exif()
        exif[315] = "Ada"
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (90, 60), (90, 90, 90)).save(path, exif=exif)
        picture, _ = HintedPhoto(Painter(), path).save(tmp_path, "photo", ".jpg")
        assert Image.open(picture).getexif()[315] == "Ada"


class TestStarter:
    def test_the_place_takes_the_color(self, starter):
        path = bundled_photos("test")[0]
        photo = HintedPhoto(starter, path)
        width, height = photo.full.size
        x, y = width // 2, height // 2
        photo.look(x, y)
        assert 1 <= len(photo.suggestions) <= 4
        wanted = rgb2lab(np.array([[[170, 60, 50]]]) / 255)[0, 0, 1:]
        around = np.s_[y - 5 : y + 6, x - 5 : x + 6]
        before = rgb2lab(photo.colored())[around][..., 1:].mean((0, 1))
        photo.color((170, 60, 50))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the board says it in its own words
            after = rgb2lab(photo.colored())[around][..., 1:].mean((0, 1))
        assert np.linalg.norm(after - wanted) < 0.5 * np.linalg.norm(before - wanted)


class TestBoard:
    def test_takes_the_likeliest_color(self, photos):
        board = HintBoard(Painter(), photos)
        first = opened(board.view.picture)
        board.act("look", x=0.5, y=0.5)
        assert board.photo.cursor == (30, 20)
        assert board.words == "At x 30, y 20 the likeliest color is red, 60%."
        assert board.state["colors"][0] == {"color": "#c81e1e", "share": 0.6, "name": "red"}
        assert (opened(board.view.picture) == first).all()
        board.act("color", color=board.state["colors"][0]["color"])
        assert board.photo.hints == ((30, 20, RED),)
        assert board.words == "Hint 1 of 1: red."
        assert (opened(board.view.picture) != first).any()
        assert board.view.state["hints"][0]["color"] == "#c81e1e"
        assert board.view.state["hints"][0]["x"] == pytest.approx(30.5 / 60)

    def test_every_answer_is_a_new_state(self, photos):
        """The page waits for it before it sends more."""
        board = HintBoard(Painter(), photos)
        counts = [board.view.state["count"]]
        for do in ("undo", "undo", "remove"):
            board.act(do)
            counts.append(board.view.state["count"])
        assert counts == sorted(set(counts))

    def test_each_photo_has_hints_of_its_own(self, photos):
        board = HintBoard(Painter(), photos)
        board.act("look", x=0.2, y=0.5)
        board.act("color", color="#c81e1e")
        board.act("photo", name="an/other")
        assert board.photo.hints == () and board.words == "No hints on this photo."
        board.act("photo", name="one")
        assert len(board.photo.hints) == 1 and "Hint 1 of 1" in board.words

    def test_colors_once_for_the_same_hints(self, photos):
        board = HintBoard(Painter(), photos)
        pixels = board.pixels()
        board.act("look", x=0.2, y=0.5)
        assert board.pixels() is pixels
        board.act("color", color="#c81e1e")
        assert board.pixels() is not pixels

    def test_says_what_it_saved_and_what_went_wrong(self, photos, tmp_path):
        board = HintBoard(Painter(), photos, folder=tmp_path)
        board.act("save", suffix=".png")
        assert board.words == f"Saved one-colored.png and one-hints.json in {tmp_path}."
        board.act("color", color="#c81e1e")
        assert board.words.startswith("Choose a place")
        (tmp_path / "file").write_text("")
        board.folder = tmp_path / "file"
        board.act("save", suffix=".png")
        assert "file" in board.words and "Saved" not in board.words

    def test_messages_of_the_page_are_acted_on(self, photos):
        board = HintBoard(Painter(), photos)
        board.view._handle_custom_msg({"do": "look", "x": 0.99999, "y": -1}, [])
        assert board.photo.cursor == (59, 0)

    def test_a_still_picture_stands_beside_it(self, photos):
        board = HintBoard(Painter(), photos)
        board.act("look", x=0.5, y=0.5)
        bundle, metadata = board._repr_mimebundle_()
        assert metadata == {}
        assert {VIEW, "image/png", "text/plain"} <= set(bundle)
        assert "0 hints" in bundle["text/plain"]
        assert (board.picture() != board.pixels()).any()

    def test_weights_without_hints_and_no_photo_are_refused(self, photos):
        plain = Painter()
        plain.takes_hints = False
        with pytest.raises(ValueError, match="take no hints"):
            HintBoard(plain, photos)
        with pytest.raises(ValueError, match="at least one photo"):
            HintBoard(Painter(), {})

    def test_asks_colab_to_show_it(self, photos, monkeypatch):
        from anywidget import _util

        called = []
        output = types.ModuleType("google.colab.output")
        output.enable_custom_widget_manager = lambda: called.append(True)
        output._widgets = types.SimpleNamespace(_installed_url="the manager")
        assert HintBoard(Painter(), photos)._repr_mimebundle_()[1] == {}
        _util.enable_custom_widget_manager_once.cache_clear()
        monkeypatch.setitem(sys.modules, "google.colab.output", output)
        metadata = HintBoard(Painter(), photos)._repr_mimebundle_()[1]
        assert called and "the manager" in str(metadata[VIEW])

    def test_torch_keeps_its_threads(self, photos):
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        try:
            HintBoard(Painter(), photos).act("look", x=0.5, y=0.5)
            assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(before)

    def test_its_files_travel_with_the_package(self):
        root = WIDGETS.parents[2]
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        data = project["tool"]["setuptools"]["package-data"]["colorlab.course.widgets"]
        assert {p for pattern in data for p in WIDGETS.glob(pattern)} == {
            WIDGETS / "hints.js",
            WIDGETS / "hints.css",
        }

    def test_the_page_loads_nothing_from_elsewhere(self):
        for name in ("hints.js", "hints.css"):
            text = (WIDGETS / name).read_text(encoding="utf-8")
            assert not re.search(r"https?:|\bimport\b|\bfetch\b|url\(", text)


class TestSliders:
    @pytest.fixture
    def board(self, photos, monkeypatch):
        without_anywidget(monkeypatch)
        board = HintBoard(Painter(), photos)
        assert isinstance(board.view, Sliders)
        return board

    def test_sliders_choose_the_place(self, board):
        before = board.view.image.value
        board.view.across.value = 30
        assert board.photo.cursor == (18, 20)
        assert board.view.image.value != before  # the ring has moved
        assert board.view.swatches[0].style.button_color == "#c81e1e"
        shown = [button.layout.visibility for button in board.view.swatches]
        assert shown == ["visible", "visible", "hidden", "hidden"]

    def test_near_a_hint_the_sliders_go_on(self, photos, monkeypatch):
        without_anywidget(monkeypatch)
        board = HintBoard(Painter(), photos)
        board.view.across.value = 30
        board.view.swatches[0].click()
        for percent in (31, 32, 33, 40):
            board.view.across.value = percent
            assert board.view.across.value == percent
        assert board.photo.selected is None

    def test_colors_hints_and_buttons(self, board):
        view = board.view
        assert view.place.disabled and view.hints.disabled and view.buttons["Undo"].disabled
        view.down.value = 10
        view.swatches[1].click()
        assert board.photo.hints == ((30, 4, BLUE),)
        assert view.hints.options == (("none here", -1), ("1: dark blue", 0))
        assert view.hints.value == 0
        view.picker.value = "#0a0b0c"  # recolors the selected hint
        assert board.photo.hints == ((30, 4, (10, 11, 12)),)
        view.across.value = 90
        view.place.click()
        assert board.photo.hints[1] == (54, 4, (10, 11, 12))
        view.hints.value = 0  # goes there
        assert board.photo.selected == 0 and view.across.value == 51
        view.buttons["Remove"].click()
        assert len(board.photo.hints) == 1
        view.buttons["Undo"].click()
        view.buttons["Undo"].click()
        view.buttons["Redo"].click()
        assert len(board.photo.hints) == 2
        view.buttons["Clear"].click()
        assert board.photo.hints == () and view.buttons["Clear"].disabled
        view.photos.value = "an/other"
        assert board.name == "an/other"

    def test_saves(self, board, tmp_path):
        board.folder = tmp_path
        board.view.buttons["Save JPEG"].click()
        assert (tmp_path / "one-colored.jpg").is_file() and "Saved" in board.view.caption.value


class TestDots:
    STATE = {
        "hints": [{"x": 0.25, "y": 0.5, "color": "#c81e1e"}],
        "selected": None,
        "cursor": {"x": 0.75, "y": 0.5},
    }

    def test_hints_have_their_color_and_a_white_ring(self):
        pixels = with_dots(np.full((80, 160, 3), 100, np.uint8), self.STATE)
        assert tuple(pixels[40, 40]) == RED
        assert tuple(pixels[40, 120]) == (100, 100, 100)  # the cursor hides no pixel
        assert pixels[40, 49].min() > 200 and pixels[40, 126:132].max() > 200
        assert (pixels[:20] == 100).all()

    def test_a_selected_hint_is_larger_and_stands_for_the_cursor(self):
        ground = np.full((80, 160, 3), 100, np.uint8)
        plain = (with_dots(ground, self.STATE) != 100).any(-1)
        chosen = (with_dots(ground, self.STATE | {"selected": 0}) != 100).any(-1)
        assert chosen[:, :80].sum() > plain[:, :80].sum()
        assert plain[:, 80:].any() and not chosen[:, 80:].any()


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((255, 0, 0), "red"),
        ((255, 165, 0), "orange"),
        ((122, 79, 42), "brown"),
        ((255, 255, 0), "light yellow"),
        ((0, 128, 0), "green"),
        ((0, 128, 128), "teal"),
        ((0, 0, 128), "dark blue"),
        ((128, 0, 200), "purple"),
        ((128, 128, 128), "gray"),
        ((20, 20, 20), "dark gray"),
    ],
)
def test_names_of_colors(color, name):
    assert color_name(color) == name
