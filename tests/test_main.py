"""The command line, as a user meets it: what is printed, what is written, the exit status."""

import csv
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
import torch
from faults import close_folder
from PIL import Image

from colorlab import __main__ as command_line
from colorlab.__main__ import _warn, main
from colorlab.photos.arrays import write_lab_arrays
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.packed import PackedPhotos
from colorlab.recipes.presets import RECIPES
from colorlab.recipes.recipe import GeneratorConfig, Recipe, Stage
from colorlab.training.feed import fingerprint
from colorlab.training.run import Run
from colorlab.unet import UNet
from colorlab.weights import load_weights, save_weights

PHOTO = Path(__file__).resolve().parent.parent / "data/photos/val/alpaca.jpg"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """A generator that was never trained: its colors are of no matter here."""
    torch.manual_seed(0)
    recipe = Recipe(
        name="made", generator=GeneratorConfig(levels=3, base=4), stages=(Stage(image_size=32),)
    )
    path = tmp_path_factory.mktemp("weights") / "made.safetensors"
    return str(save_weights(path, UNet(levels=3, base=4), recipe))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder of the user's own, and the shell in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photo(path: str | Path, mode: str = "RGB", seed: int = 0) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def files(folder: str | Path) -> list[str]:
    folder = Path(folder)
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def colorize(weights, capsys):
    """colorlab colorize …; gives exit status, lines of stdout, lines of stderr."""

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        status = main(["colorize", *arguments, "--weights", weights, "--device", "cpu"])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err.splitlines()

    return run


# --- colorize -------------------------------------------------------------------------------------


def test_one_photo_to_one_file(here, colorize):
    photo("a.jpg")
    assert colorize("a.jpg", "-o", "b.png") == (0, ["a.jpg -> b.png", "1 colored, 0 not"], [])
    with Image.open("b.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (30, 20))
    assert files(".") == ["a.jpg", "b.png"]


def test_a_hint_that_cannot_be_read_stops_before_anything_is_colored(here, colorize):
    photo("a.jpg")
    status, _, err = colorize("a.jpg", "-o", "b.png", "--hint", "4,red")
    assert status == 2 and "'4,red' is no hint: write X,Y,COLOR" in err[0]
    status, _, err = colorize("a.jpg", "-o", "b.png", "--hints", "none.json")
    assert status == 2 and "none.json can't be read as hints" in err[0]
    status, _, err = colorize("a.jpg", "-o", "b.png", "--hint", "1,1,#808080")
    assert status == 2 and "these weights take no hints" in err[0]
    assert not (here / "b.png").exists()


def test_folders_keep_their_structure_and_a_gif_becomes_png(here, colorize):
    for name in ("in/a.jpg", "in/x/b.png", "in/x/y/c.gif", "d.webp"):
        photo(name)
    status, out, _ = colorize("in", "d.webp", "-o", "out")
    assert status == 0
    assert out[-1] == "4 colored, 0 not"
    assert files("out") == ["a.jpg", "d.webp", "x/b.png", "x/y/c.png"]


def test_a_name_that_is_not_utf_8_is_colored_and_reported(here, colorize):
    try:
        photo("in/a.png").rename(os.fsdecode(b"in/caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    status, out, _ = colorize("in", "-o", "out")
    assert (status, out[0]) == (0, "in/caf\\udce9.png -> out/caf\\udce9.png")
    assert os.listdir(b"out") == [b"caf\xe9.png"]


def test_nothing_is_overwritten_unless_asked(here, colorize):
    photo("a.png")
    colorize("a.png", "-o", "out")
    Path("out/a.png").write_bytes(b"mine")
    status, out, err = colorize("a.png", "-o", "out")
    assert (status, out) == (1, ["0 colored, 1 not"])
    assert err == ["not colored: out/a.png exists and was left alone (--overwrite replaces it)"]
    assert Path("out/a.png").read_bytes() == b"mine"
    assert colorize("a.png", "-o", "out", "--overwrite")[0] == 0
    assert Image.open("out/a.png").size == (30, 20)


def test_bad_files_are_reported_and_the_rest_colored(here, colorize):
    photo("in/a.png")
    Path("in/b.jpg").write_bytes(PHOTO.read_bytes()[:5000])
    Path("in/c.jpg").touch()
    photo("in/d.png")
    status, out, err = colorize("in", "-o", "out")
    assert status == 1
    assert out == ["in/a.png -> out/a.png", "in/d.png -> out/d.png", "2 colored, 2 not"]
    assert err[0].startswith("not colored: in/b.jpg: corrupt or truncated")
    assert err[1].startswith("not colored: in/c.jpg: the file is empty")
    assert files("out") == ["a.png", "d.png"]


def test_alpha_goes_to_png_and_not_to_jpg(here, colorize):
    Image.new("RGBA", (5, 4), (90, 120, 30, 77)).save("a.png")
    status, _, err = colorize("a.png", "-o", "b.jpg")
    assert status == 1
    expected = "b.jpg: .jpg can't hold transparency; write it as .png or .webp"
    assert err == [f"not colored: {expected}"]
    assert colorize("a.png", "-o", "b.png")[0] == 0
    assert set(Image.open("b.png").getchannel("A").tobytes()) == {77}


def test_a_second_run_over_the_folder_that_holds_the_first(here, colorize):
    photo("a.png")
    assert colorize(".", "-o", "out")[0] == 0
    status, out, err = colorize(".", "-o", "out")
    assert (status, out[-1], len(err)) == (0, "0 colored, 0 not, 1 there already", 1)
    assert colorize(".", "-o", "out", "--overwrite")[:2] == (
        0,
        ["a.png -> out/a.png", "1 colored, 0 not"],
    )
    assert files(".") == ["a.png", "out/a.png"]


def test_saturation_is_passed_on(here, colorize):
    Image.new("L", (20, 20), 119).save("a.png")
    colorize("a.png", "-o", "gray.png", "--saturation", "0")
    colorize("a.png", "-o", "vivid.png", "--saturation", "20")
    assert (np.asarray(Image.open("gray.png")) == 119).all()
    assert np.ptp(np.asarray(Image.open("vivid.png")).astype(int), axis=-1).max() > 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("absent.jpg", "-o", "out"), ["no file or folder absent.jpg"]),
        (("a.jpg", "absent", "-o", "out"), ["no file or folder absent"]),
        (("void", "-o", "out"), ["No photo in void"]),
        (("a.jpg", "x/a.jpg", "-o", "out"), ["a.jpg and x/a.jpg would both be written"]),
        (("a.jpg", "x/a.jpg", "-o", "b.jpg"), ["2 photos", "b.jpg"]),
        (("x", "-o", "b.jpg"), ["x is a folder", "b.jpg"]),
        (("a.jpg", "-o", "b.gif"), ["can't write one picture as .gif", ".png"]),
        (("a.jpg", "-o", "notes"), ["notes is a file"]),
        (("a.jpg", "-o", "out", "--saturation", "-1"), ["saturation must be 0", "-1"]),
        (("a.jpg", "-o", "out", "--saturation", "nan"), ["saturation must be 0", "nan"]),
        (("a.jpg", "-o", "out", "--weights", "a.jpg"), ["a.jpg is not a whole safetensors file"]),
        (("a.jpg", "-o", "out", "--weights", "absent"), ["no weights file absent"]),
        (("a.jpg", "-o", "out", "--device", "banana"), ["device 'banana'", "cpu"]),
    ],
)
def test_what_can_not_start_says_so_in_one_line(here, weights, capsys, arguments, words):
    photo("a.jpg"), photo("x/a.jpg"), Path("void").mkdir(), Path("notes").touch()
    before = files(".")
    status = main(["colorize", "--weights", weights, *arguments])
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.startswith("colorlab: ") and printed.err.count("\n") == 1
    assert all(word in printed.err for word in words), printed.err
    assert files(".") == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU where there is none")
def test_a_gpu_that_is_not_there(here, weights, capsys):
    photo("a.jpg")
    command = ["colorize", "a.jpg", "-o", "out", "--weights", weights, "--device", "cuda"]
    assert main(command) == 2
    assert "device 'cuda' can't be used here" in capsys.readouterr().err


def test_missing_starter_weights_say_how_to_get_them(here, capsys, monkeypatch):
    photo("photos/a.jpg")
    monkeypatch.setenv("COLORLAB_DATA", str(here))
    assert main(["colorize", "photos/a.jpg", "-o", "out"]) == 2
    assert "git checkout -- data" in capsys.readouterr().err


# --- pack -----------------------------------------------------------------------------------------


def test_folders_are_packed_and_trained_on(here, capsys):
    for number in range(5):
        photo(f"in/{number}.png", seed=number)
    assert main(["pack", "in", "-o", "out", "--shard-mb", "1"]) == 0
    assert capsys.readouterr().out == "5 photos in 1 tar file(s), 0.0 MB: out\n"
    assert files("out") == ["colorlab-pack.npz", "photos-00000.tar"]
    words = ["train", "--recipe", "tiny", "--image-size", "32", "--batch-size", "2", "--steps", "2"]
    words += ["--device", "cpu", "--validation", "out", "--sample-every", "1"]
    for data in ("in", "out"):
        assert main([*words, "--data", data, "-o", f"runs/{data}"]) == 0
    assert Path("runs/in/history.csv").read_text().count("\n") == 3
    ours, theirs = (load_weights(f"runs/{data}/weights.safetensors")[0] for data in ("out", "in"))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_photos_that_can_not_be_packed_are_named(here, capsys):
    photo("in/a.jpg")
    Path("in/b.jpg").touch()
    assert main(["pack", "in", "-o", "out", "--size", "10"]) == 1
    out, err = capsys.readouterr()
    assert out == "1 photos in 1 tar file(s), 0.0 MB, reduced to 10 pixels: out\n"
    assert "colorlab: 1 unreadable photo(s) left out:\n  in/b.jpg: the file is empty" in err
    assert main(["pack", "in", "-o", "out"]) == 2
    assert capsys.readouterr().err.endswith(
        "colorlab: out exists already; name another folder, or remove it\n"
    )
    assert main(["train", "--recipe", "tiny", "--data", "out", "in"]) == 2
    assert "pack them all into one: colorlab pack" in capsys.readouterr().err


# --- train ----------------------------------------------------------------------------------------


def test_train_writes_weights_that_color_a_photo(here, colorize, capsys):
    for number in range(3):
        photo(f"photos/{number}.png", seed=number)
    photo("held/a.png", seed=7)
    command = ["train", "--recipe", "tiny", "--steps", "2", "--data", "photos", "--threads", "1"]
    command += ["--validation", "held", "--device", "cpu", "--seed", "5", "-o", "run"]
    assert main(command) == 0
    assert "weights, checkpoints, samples and history are in run" in capsys.readouterr().out
    generator, recipe, notes = load_weights("run/weights.safetensors")
    assert (recipe.name, recipe.steps, notes["steps_trained"]) == ("tiny", 2, "2")
    assert recipe.seed == 5
    assert len(Path("run/history.csv").read_text().splitlines()) == 1 + 2
    assert files("run/samples") == ["step-000002.png"]

    Path("own.json").write_text(recipe.to_json())
    assert main(["colorize", "held", "-o", "o", "--weights", "run/weights.safetensors"]) == 0
    assert Image.open("o/a.png").size == (30, 20)

    # The same again: nothing of the first run is lost.
    capsys.readouterr()
    saved = Path("run/weights.safetensors").read_bytes()
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "run holds an earlier run; go on with it (--resume" in err and "another folder" in err
    assert Path("run/weights.safetensors").read_bytes() == saved

    # A recipe from a file; and what a run that never began left behind is no earlier run.
    Path("again").mkdir()
    Path("again/history.csv").write_text("step,stage\n")
    again = [*command[:-1], "again"]
    again[again.index("tiny")] = "own.json"
    assert main(again) == 0
    assert files("again") == files("run")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--recipe": "big"}, ["unknown recipe 'big'", *RECIPES]),
        ({"--recipe": "absent.json"}, ["no recipe file absent.json"]),
        ({"--recipe": "odd.json"}, ["recipe has no 'colour'", "generator", "stages"]),
        ({"--recipe": "broken.json"}, ["not valid JSON"]),
        ({"--steps": "1"}, ["--recipe tiny --steps 1: ", "recipe 'tiny' has 2 stages", "got 1"]),
        ({"--data": "absent"}, ["no folder absent"]),
        ({"--data": "held/a.png"}, ["is a file"]),
        ({"--validation": "void"}, ["No photo in void"]),
        ({"-o": "notes"}, ["notes is a file"]),
        ({"-o": "held/run"}, ["output held/run lies in the folder of photos held", "with -o"]),
        ({"-o": "/dev/fd"}, ["output can't be written to /dev/fd", "name another folder"]),
        ({"--device": "banana"}, ["device 'banana'"]),
        ({"--from": "absent"}, ["no weights file absent"]),
        ({"--from": "held/a.png"}, ["a.png is not a whole safetensors file"]),
    ],
)
def test_what_can_not_be_trained_says_so_and_leaves_nothing(here, capsys, changes, words):
    photo("held/a.png"), Path("void").mkdir(), Path("notes").touch()
    Path("odd.json").write_text(json.dumps({"colour": 1}))
    Path("broken.json").write_text("{")
    options = {"--recipe": "tiny", "--steps": "2", "--data": "held", "--validation": "held"}
    options |= {"-o": "run", "--threads": "1", **changes}
    assert main(["train", *(word for pair in options.items() for word in pair)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("colorlab: ") and err.count("\n") == 1
    assert all(word in err for word in words), err
    assert not Path("run").exists()


def test_a_bad_training_photo_is_reported_without_the_traceback_of_its_process(here, capsys):
    photo("held/a.png")
    Path("data").mkdir()
    Path("data/cut.jpg").write_bytes(PHOTO.read_bytes()[:5000])
    command = ["train", "--recipe", "tiny", "--steps", "2", "--data", "data", "--threads", "2"]
    assert main([*command, "--validation", "held", "-o", "run", "--device", "cpu"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("colorlab: data/cut.jpg: corrupt or truncated")
    assert "`colorlab audit data --exclude`" in line and "PhotoFolder" not in line


def a_few_steps(data):
    words = f"train --recipe tiny --data {data} --validation data -o run --device cpu"
    return [*words.split(), "--batch-size", "2", "--image-size", "32", "--steps", "4"]


def test_a_photo_that_can_not_be_read_is_left_out_after_the_audit_that_is_named(here, capsys):
    for number in range(3):
        photo(f"data/{number}.png", seed=number)
    Path("data/text.png").write_text("no picture")
    command = a_few_steps("data/")
    assert main(command) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("colorlab: data/text.png: not a picture")
    assert "`colorlab audit data --exclude` lists them" in line
    assert main(["audit", "data", "--exclude", "--tiny", "1"]) == 1
    assert main(command) == 0
    assert "colorlab: 1 photo(s) left out, as exclude.txt says\n" in capsys.readouterr().err


def test_warnings_of_others_are_shown_as_usual(capsys):
    seen = []
    _warn(lambda *what, **more: seen.append(what), "theirs", UserWarning, "/lib/torch/x.py", 3)
    _warn(lambda *what, **more: seen.append(what), "ours", UserWarning, command_line.__file__, 3)
    assert seen == [("theirs", UserWarning, "/lib/torch/x.py", 3)]
    assert capsys.readouterr().err == "colorlab: ours\n"


def test_a_photo_that_is_not_there_now_can_be_left_out_by_hand(here, capsys):
    photo("data/a.png", seed=1)
    Path("data/link.png").symlink_to("nowhere.png")
    command = a_few_steps("data")
    assert main(command) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("colorlab: data/link.png: there is no such file")
    assert line.endswith("To leave it out, write its name into data/exclude.txt.")
    Path("data/exclude.txt").write_text("link.png\n")
    assert main(command) == 0
    assert "colorlab: 1 photo(s) left out, as exclude.txt says\n" in capsys.readouterr().err


def test_a_stopped_run_goes_on_where_it_was(here, capsys):
    photo("data/a.png", seed=1)
    command = ["train", "--recipe", "tiny", "--data", "data", "--validation", "data"]
    command += ["--device", "cpu", "--batch-size", "2", "--image-size", "32", "--steps", "6"]
    assert main([*command, "-o", "whole"]) == 0
    train = Run.train

    def terminated(run):
        def send(event):
            if (event.kind, event.step) == ("step", 4):
                os.kill(os.getpid(), signal.SIGTERM)
                while run.signal is None:  # until the main thread has heard it
                    time.sleep(0.001)

        run.listeners.append(send)
        return train(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "train", terminated)
        assert main([*command, "-o", "run"]) == 128 + signal.SIGTERM
    assert "stopped after step 4; the same command with --resume" in capsys.readouterr().out
    assert main([*command, "-o", "run", "--resume"]) == 0
    ours, theirs = (Path(f"{run}/weights.safetensors").read_bytes() for run in ("run", "whole"))
    assert ours == theirs
    # Another recipe is another run.
    assert main([*command, "-o", "run", "--resume", "--batch-size", "4"]) == 2
    assert "stages[0].batch_size: 2 → 4" in capsys.readouterr().err


def test_a_name_that_is_not_utf_8_is_trained_on_saved_and_resumed(here, capsys):
    for number in range(3):
        photo(f"data/{number}.png", seed=number)
    try:
        Path("data/0.png").rename(os.fsdecode(b"data/caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    command = ["train", "--recipe", "tiny", "--data", "data", "--validation", "data", "-o", "run"]
    command += ["--device", "cpu", "--batch-size", "2", "--image-size", "32", "--steps", "4"]
    command += ["--checkpoint-every", "1"]
    assert main(command) == 0
    assert Path("run/checkpoints/step-00000004.ckpt").exists()
    Path("run/checkpoints/step-00000004.ckpt").unlink()
    capsys.readouterr()
    assert main([*command, "--resume"]) == 0
    assert "the photos were" not in capsys.readouterr().err
    assert len(Path("run/history.csv").read_text().splitlines()) == 1 + 4
    assert main(["pack", "data", "-o", "packed"]) == 0
    assert fingerprint(PackedPhotos("packed")) == fingerprint(PhotoFolder("data"))


def test_pairs_and_arrays_are_trained_on(here, capsys):
    for number in range(12):
        photo(f"color/{number}.png", seed=number)
        photo(f"gray/{number}.jpg", seed=number)
    command = ["train", "--device", "cpu", "--image-size", "32", "--batch-size", "2"]
    pairs = ["--recipe", "rgb-pix2pix", "--pairs", "gray", "color", "--steps", "1"]
    assert main([*command, *pairs, "-o", "pairs"]) == 0
    recipe = load_weights("pairs/weights.safetensors")[1]
    assert (recipe.generator.predicts, recipe.generator.levels) == ("rgb", 5)
    assert (
        main(["colorize", "gray/0.jpg", "-o", "o", "--weights", "pairs/weights.safetensors"]) == 0
    )

    write_lab_arrays("arrays", (Image.open(f"color/{i}.png") for i in range(12)), side=32)
    arrays = ["--recipe", "ab-npy", "--arrays", "arrays", "--epochs", "2"]
    assert main([*command, *arrays, "-o", "arrays-run"]) == 0
    out = capsys.readouterr().out
    assert out.count("no terminal to ask: saved, the learning rates stay") == 2
    assert len(Path("arrays-run/history.csv").read_text().splitlines()) == 1 + 10
    assert main([*command, *pairs, "-o", "no", "--validation", "color"]) == 2
    assert "leave out --validation" in capsys.readouterr().err
    for number in range(12):
        photo(f"gray/{number}.jpg", mode="L", seed=number)
    swapped = ["--recipe", "rgb-pix2pix", "--pairs", "color", "gray", "--steps", "1", "-o", "no"]
    assert main([*command, *swapped]) == 2
    assert "are the two folders swapped? Try --pairs gray color" in capsys.readouterr().err
    assert not Path("no").exists()


def test_splits_are_learned_from_with_a_warning(here, capsys):
    photo("splits/train/a.png", seed=1), photo("splits/val/b.png", seed=2)
    command = ["train", "--recipe", "tiny", "--data", "splits", "--validation", "splits/val"]
    command += ["--image-size", "32", "--batch-size", "1", "--steps", "2", "--device", "cpu"]
    assert main([*command, "-o", "run"]) == 0
    advice = "to hold out: --data splits/train --validation splits/val\n"
    assert advice in capsys.readouterr().err


# --- evaluate, doctor, and the program itself -----------------------------------------------------


def test_evaluate_prints_the_scores_and_draws_the_grid(here, weights, capsys):
    for number in range(2):
        photo(f"photos/{number}.png", seed=number)
    command = ["evaluate", "photos", "--weights", weights, "--device", "cpu"]
    assert main([*command, "--grid", "pictures/grid.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:37].strip() for line in lines] == [
        "photos",
        "",
        "PSNR, dB",
        "ours - gray",
        "SSIM",
        "mean chroma / truth",
        "colorfulness",
        "truth",
        "ours - truth",
        "recognized as truth",
        "recovered of what gray lost",
        "Fréchet distance (EfficientNet-Lite0)",
    ]
    assert lines[0].split() == ["photos", "2"]
    assert Image.open("pictures/grid.png").width > 500


def test_evaluate_writes_the_figures_of_each_photo(here, weights, capsys):
    for number in range(2):
        photo(f"photos/{number}.png", seed=number)
    command = ["evaluate", "photos", "--weights", weights, "--device", "cpu"]
    assert main([*command, "--csv", "figures/photos.csv"]) == 0
    with open("figures/photos.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["photos/0.png", "photos/1.png"]
    mean = sum(float(row["psnr"]) for row in rows) / 2
    printed = capsys.readouterr().out.splitlines()[2]
    assert float(printed.split()[2]) == pytest.approx(mean, abs=0.0051)


def test_evaluate_with_hints(here, weights, capsys, monkeypatch):
    from colorlab.colorize import Colorizer

    photo("photos/a.png")
    command = ["evaluate", "photos", "--weights", weights, "--device", "cpu", "--hints"]
    monkeypatch.setattr(Colorizer, "takes_hints", False, raising=False)
    assert main(command) == 2
    err = capsys.readouterr().err
    assert err.startswith("colorlab: these weights were trained without hints; leave --hints out")
    assert err.count("\n") == 1

    def colorize(self, gray, hints=()):
        return Image.new("RGB", gray.size, (100 + len(hints), 90, 80))

    module = ModuleType("colorlab.hints")
    module.hints_from = lambda photo, count, seed: [seed] * count
    monkeypatch.setitem(sys.modules, "colorlab.hints", module)
    monkeypatch.setattr(Colorizer, "takes_hints", True)
    monkeypatch.setattr(Colorizer, "colorize", colorize)
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert [line[:22].strip() for line in lines] == [
        "PSNR with 1 hint, dB",
        "PSNR with 5 hints, dB",
        "PSNR with 10 hints, dB",
        "PSNR with 50 hints, dB",
    ]
    truth = np.asarray(Image.open("photos/a.png")).astype(float)
    for count, line in zip((1, 5, 10, 50), lines, strict=True):
        error = ((truth - (100 + count, 90, 80)) ** 2).mean()
        expected = 10 * np.log10(255**2 / error)
        assert float(line[37:].split()[0]) == pytest.approx(expected, abs=0.0051)


def test_evaluate_with_a_temperature_scores_the_annealed_mean(here, weights, capsys, monkeypatch):
    asked = []

    def colorize(self, photo, *, temperature=None):
        asked.append(temperature)
        return photo.convert("RGB")

    photo("photos/a.png")
    monkeypatch.setattr("colorlab.colorize.Colorizer.colorize", colorize)
    command = ["evaluate", "photos", "--weights", weights, "--device", "cpu"]
    assert main([*command, "--temperature", "0.5"]) == 0
    assert asked and set(asked) == {0.5}


def test_evaluate_leaves_out_what_a_list_names(here, weights, capsys):
    for number in range(3):
        photo(f"photos/{number}.png", seed=number)
    Path("photos/exclude.txt").write_text("1.png\tgray\n")
    assert main(["evaluate", "photos", "--weights", weights, "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["photos", "2"]
    assert "colorlab: 1 photo(s) left out, as exclude.txt says" in err


def test_evaluate_scores_the_others_and_names_a_bad_photo(here, weights, capsys):
    photo("photos/a.png"), photo("photos/gray.png", "L"), photo("photos/z.png", seed=1)
    Path("photos/empty.jpg").touch()
    command = ["evaluate", "photos", "--weights", weights, "--device", "cpu", "--grid", "g.png"]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["photos", "2"]
    told = [line for line in err.splitlines() if line.startswith(("not scored", "colorlab"))]
    assert "photos/empty.jpg: the file is empty" in told[0]
    assert "photos/gray.png is a gray photo" in told[1]
    assert "colorlab audit photos --exclude" in told[2]
    assert Path("g.png").exists()


@pytest.mark.parametrize("grid", ["g.xyz", "g", "folder.png"])
def test_a_grid_that_can_not_be_written_is_refused_before_the_scores(
    here, weights, capsys, monkeypatch, grid
):
    photo("photos/a.png"), Path("folder.png").mkdir()
    monkeypatch.setattr("colorlab.metrics.evaluate", None)
    assert main(["evaluate", "photos", "--weights", weights, "--grid", grid]) == 2
    assert grid in capsys.readouterr().err


def test_pictures_of_other_kinds_are_named_by_every_command(here, weights, capsys):
    photo("photos/a.png")
    for name in ("b.heic", "sub/c.jp2"):
        Path("photos", name).parent.mkdir(exist_ok=True)
        Path("photos", name).touch()
    assert main(["colorize", "photos", "-o", "out", "--weights", weights]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "1 colored, 0 not, 2 left out"
    assert "left out: photos/b.heic" in err and "left out: photos/sub/c.jp2" in err
    for command in (["pack", "photos", "-o", "packed"], ["audit", "photos", "--processes", "0"]):
        main(command)
        err = capsys.readouterr().err
        assert "2 picture(s) of kinds that are not read here were left out: photos/b.heic" in err


def test_an_audit_goes_on_beside_a_folder_that_can_not_be_read(here, capsys, monkeypatch):
    photo("photos/a.png"), photo("photos/closed/b.png")
    close_folder(monkeypatch, "closed")
    assert main(["audit", "photos", "--processes", "0"]) == 1
    out, err = capsys.readouterr()
    assert "1 subfolder(s) that can't be read were left out: photos/closed (Permission" in err
    assert "1 photo" in out
    assert main(["pack", "photos", "-o", "packed"]) == 2
    assert "photos/closed" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_it_quietly(here, weights):
    for number in range(3):
        photo(f"photos/{number}.png", seed=number)
    words = [sys.executable, "-m", "colorlab", "colorize", "photos", "-o", "out"]
    process = subprocess.Popen(
        [*words, "--weights", weights, "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_a_photo_of_ninety_megapixels_gets_no_warning_of_pillows(here, colorize, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    photo("a.png")  # 600 pixels
    status, _, err = colorize("a.png", "-o", "out")
    assert (status, err) == (0, [])


def test_gray_photos_to_train_on_are_warned_of(capsys, here):
    from colorlab.commands.train import warn_of_gray

    gray = [photo(f"{number}.png", "L", number) for number in range(3)]
    warn_of_gray(gray)
    assert "all 3 photos that were looked at are gray" in capsys.readouterr().err
    warn_of_gray([*gray, photo("c.png")])
    assert capsys.readouterr().err == ""


def test_what_a_photo_carries_goes_along_or_not(here, colorize):
    exif = Image.Exif()
    exif[0x010E], exif[0x0112], exif[0x8825] = "Grandmother", 6, {1: "N", 2: (48.0, 12.0, 30.0)}
    Image.new("L", (30, 20), 90).save("a.jpg", exif=exif, dpi=(600, 600))
    for words, caption, place, mark in (
        ((), "Grandmother", True, True),
        (("--strip",), None, False, True),
        (("--no-mark",), "Grandmother", True, False),
        (("--strip", "--no-mark"), None, False, False),
    ):
        assert colorize("a.jpg", "-o", "b.jpg", "--overwrite", *words)[0] == 0
        with Image.open("b.jpg") as image:
            told = image.getexif()
            assert image.size == (20, 30) and told.get(0x0112, 1) == 1
            assert told.get(0x010E) == caption
            assert bool(told.get_ifd(0x8825)) == place
            assert (image.info.get("dpi") == (600, 600)) == place
            assert (b"algorithmicallyEnhanced" in image.info.get("xmp", b"")) == mark
            assert image.info["icc_profile"]


def test_sixteen_bits_stay_sixteen_or_are_told(here, colorize):
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    Image.fromarray(values).save("a.tif")
    assert colorize("a.tif", "-o", "b.tif")[0] == 0
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.asarray().shape == (20, 30, 3) and tiff.asarray().dtype == np.uint16
    status, _, err = colorize("a.tif", "-o", "b.jpg")
    assert status == 0
    assert err == ["note: a.tif: its 16 bits became 8, as .jpg holds no more; .png does"]


def test_evaluate_on_nothing(here, capsys):
    assert main(["evaluate", "absent"]) == 2
    assert "no folder absent" in capsys.readouterr().err


@pytest.mark.parametrize(("ok", "status"), [(True, 0), (False, 1)])
def test_doctor_tells_by_its_status(capsys, monkeypatch, ok, status):
    from colorlab.commands import doctor

    finding = doctor.CheckResult("weather", ok, "it rains", "" if ok else "take an umbrella")
    monkeypatch.setattr(doctor, "examine", lambda: [finding])
    assert main(["doctor"]) == status
    assert "it rains" in capsys.readouterr().out


def test_the_keyboard_stops_a_run_quietly(here, weights, capsys, monkeypatch):
    from colorlab.colorize import Colorizer

    def stopped(*_, **__):
        raise KeyboardInterrupt

    photo("a.jpg")
    monkeypatch.setattr(Colorizer, "colorize", stopped)
    assert main(["colorize", "a.jpg", "-o", "out", "--weights", weights]) == 130
    assert capsys.readouterr().err == "colorlab: stopped\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--recipe", "tiny", "--data", ""],
        ["train", "--recipe", "tiny", "--data", "photos", ""],
        ["train", "--recipe", "tiny", "--pairs", "", "photos"],
        ["train", "--recipe", "tiny", "--data", "photos", "-o", ""],
        ["pack", "", "-o", "out"],
        ["audit", ""],
        ["evaluate", ""],
    ],
)
def test_an_empty_name_is_not_the_current_folder(here, capsys, arguments):
    photo("photos/a.png")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("colorlab: an empty name for ") and err.count("\n") == 1
    assert files(".") == ["photos/a.png"]


def test_folders_of_another_kind_are_reported_by_name(here, capsys):
    photo("photos/a.png")
    write_lab_arrays("arrays", [Image.open("photos/a.png")], side=32)
    assert main(["train", "--recipe", "ab-npy", "--data", "arrays"]) == 2
    assert "No photo in arrays, but arrays (.npy)" in (err := capsys.readouterr().err)
    assert "--arrays" in err
    assert main(["pack", "photos", "-o", "packed"]) == 0
    for words in (["audit", "packed"], ["pack", "packed", "-o", "out"], ["evaluate", "packed"]):
        assert main(words) == 2
        assert "packed is a packed folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["paint"], "invalid choice: 'paint'"),
        (["colorize", "a.jpg"], "-o/--output"),
        (["colorize", "-o", "out"], "IN"),
        (["colorize", "a.jpg", "-o", "b", "--saturation", "much"], "invalid float value: 'much'"),
        (["train"], "--recipe"),
        (["train", "--recipe", "tiny", "--sample-every", "0"], "must be at least 1"),
        (["train", "--recipe", "tiny", "--steps", "0"], "--steps: must be a whole number from 1 "),
        (["train", "--recipe", "tiny", "--image-size", "1000000"], "--image-size: must be a whole"),
        (["train", "--recipe", "tiny", "--batch-size", "-4"], "--batch-size: must be a whole"),
        (["train", "--recipe", "tiny", "--seed", "1e30"], "--seed: must be a whole number from 0"),
        (["train", "--recipe", "tiny", "--threads", "1000"], "--threads: must be a whole"),
    ],
)
def test_usage(capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_help_is_there_at_once():
    code = (
        "import sys; from colorlab.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(
        word in result.stdout for word in ("doctor", "colorize", "download", "train", "evaluate")
    )


def test_python_m_colorlab_ends_with_the_status(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["colorlab", "colorize", "absent.jpg", "-o", "out"])
    with pytest.raises(SystemExit) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the module is imported above already
        runpy.run_module("colorlab", run_name="__main__")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "colorlab: there is no file or folder absent.jpg\n"
