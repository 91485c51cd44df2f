"""colorlab card: what a run wrote is told, what nobody wrote down is called not known."""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
from pathlib import Path

import pytest
import yaml
from made import RECIPE
from safetensors.torch import load_file

from colorlab import sources
from colorlab.__main__ import main
from colorlab.commands.card import what_is_known
from colorlab.metrics import evaluate
from colorlab.recipes.build import build_generator
from colorlab.training.run import Run
from colorlab.weights import save_weights


@pytest.fixture(scope="module")
def run_folder(photos: Path, tmp_path_factory) -> Path:
    """A run of five steps on six photos, in a folder whose name is nobody's business."""
    folder = tmp_path_factory.mktemp("private") / "my-run"
    run = Run(RECIPE, photos, validation=photos, output=folder, progress=False, sample_every=2)
    run.start()
    run.wait(60)
    assert run.state == "finished"
    return folder


def write(weights: Path, target: Path, *options: str) -> str:
    assert main(["card", str(weights), "-o", str(target), *options, "--device", "cpu"]) == 0
    return target.read_text(encoding="utf-8")


def rows(text: str) -> dict[str, str]:
    """The tables of two columns."""
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+) \|$", text, re.MULTILINE))


def front(text: str) -> dict:
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def test_a_card_tells_what_the_run_wrote(run_folder: Path, photos: Path, tmp_path: Path) -> None:
    text = write(run_folder / "weights.safetensors", tmp_path / "new/card.md")
    found = rows(text)
    names = {name for name, _ in build_generator(RECIPE).named_parameters()}
    tensors = load_file(run_folder / "weights.safetensors")
    count = sum(tensor.numel() for name, tensor in tensors.items() if name in names)
    assert found["parameters"] == f"{count:,}"
    assert found["stored as"].startswith("float32, ")
    assert found["steps taken"] == "5 of 5" and found["crops seen"] == "10"
    assert found["precision"] == "fp32" and found["changed during the run"] == "nothing"
    assert found["losses"] == "100 · l1 + 1 · adversarial (bce)"
    assert found["optimizer"] == "Adam"
    assert "Number of photos: 6." in text
    with open(run_folder / "history.csv", newline="") as file:
        history = [row for row in csv.DictReader(file) if row["held_out"]]
    assert f"at step {history[-1]['step']}: {float(history[-1]['held_out']):.4g}." in text
    assert found["machine"].startswith("not known")
    for private in (photos, run_folder, run_folder.parent):
        assert str(private) not in text and private.name not in text


def test_the_front_matter_is_what_the_hub_reads(run_folder: Path, tmp_path: Path) -> None:
    text = write(run_folder / "weights.safetensors", tmp_path / "README.md")
    found = front(text)
    assert found == {
        "license": "unknown",
        "library_name": "colorlab",
        "pipeline_tag": "image-to-image",
        "tags": ["image-colorization", "gan"],
    }
    assert "# TODO" in text.splitlines()[1]
    for heading in ("Network", "Training photos", "Training", "Scores", "Intended use", "Not for"):
        assert f"\n## {heading}\n" in text
    assert "TODO: name the license of these weights" in text


def test_of_weights_alone_much_is_not_known(run_folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "weights.safetensors"
    shutil.copy(run_folder / "weights.safetensors", alone)
    text = write(alone, tmp_path / "card.md")
    found = rows(text)
    assert found["steps taken"] == "5 of 5"  # it stands in the file
    for name in ("time", "machine", "precision", "changed during the run"):
        assert found[name].startswith("not known"), name
    assert "Number of photos: not known." in text and "On test photos: not known." in text
    save_weights(tmp_path / "bare.safetensors", build_generator(RECIPE), RECIPE, half=True)
    found = rows(write(tmp_path / "bare.safetensors", tmp_path / "bare.md"))
    assert found["steps taken"] == found["crops seen"] == "not known"
    assert found["stored as"].startswith("float16, ")


def test_the_records_of_another_run_are_not_taken(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    other = dataclasses.replace(RECIPE, seed=7)
    notes = {"steps_trained": "5"}
    save_weights(folder / "other.safetensors", build_generator(other), other, notes=notes)
    save_weights(
        folder / "later.safetensors", build_generator(RECIPE), RECIPE, notes={"steps_trained": "9"}
    )
    for name in ("other", "later"):
        known = what_is_known(folder / f"{name}.safetensors")
        assert (known.photos, known.seconds, known.held_out) == (None, None, None)
    assert what_is_known(folder / "weights.safetensors").photos == 6


def test_an_earlier_stage_has_its_own_time(run_folder: Path) -> None:
    known = what_is_known(run_folder / "weights-stage-0.safetensors")
    with open(run_folder / "history.csv", newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert known.steps == 2
    assert known.seconds == seconds[1]
    assert "those after 2 of the 5 steps" in card_of(known)


def card_of(known) -> str:
    from colorlab.commands.card_text import card

    return card(known, "x")


def test_records_that_are_damaged_cost_only_what_they_told(run_folder: Path, tmp_path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    (folder / "history.csv").write_text("step\nnone\n")
    (folder / "changes.jsonl").write_text("{")
    known = what_is_known(folder / "weights.safetensors")
    assert (known.photos, known.seconds, known.changes) == (6, None, None)


def test_changes_are_told(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    lines = '{"step": 2, "name": "color_weight", "value": 50.0}\n'
    lines += '{"step": 3, "name": "epoch", "value": 1}\n'
    lines += '{"step": 9, "name": "generator_rate", "value": 0.1}\n'
    (folder / "changes.jsonl").write_text(lines)
    known = what_is_known(folder / "weights.safetensors")
    assert known.changes == ["color_weight 50 from step 2"]


def test_evaluate_and_what_the_user_says(run_folder: Path, tmp_path: Path, monkeypatch) -> None:
    paths = sources.bundled_photos("test")[:3]
    monkeypatch.setattr(sources, "bundled_photos", lambda part: paths if part == "test" else [])
    text = write(
        run_folder / "weights.safetensors",
        tmp_path / "card.md",
        "--evaluate",
        *("--name", "dogs\nand cats", "--trained-on", "400 dogs, CC0", "--trained-on", "9 cats"),
    )
    from colorlab.colorize import Colorizer

    scores = evaluate(Colorizer.load(run_folder / "weights.safetensors", "cpu").colorize, paths)
    low, high = scores.intervals["psnr"]
    assert f"| PSNR, dB | {scores.psnr:.2f} ({low:.2f} to {high:.2f}) |" in text
    assert "3 photos." in text and "not known. `colorlab card" not in text
    assert "# Model card: dogs and cats\n" in text
    assert "\n- 400 dogs, CC0\n- 9 cats\n" in text and "TODO: say it here" not in text


def test_what_is_refused(run_folder: Path, tmp_path: Path, capsys) -> None:
    target = tmp_path / "card.md"
    target.write_text("mine")
    weights = str(run_folder / "weights.safetensors")
    (tmp_path / "no.safetensors").write_bytes(b"no weights")
    for arguments, words in (
        ([weights, "-o", str(target)], "card.md is there already"),
        ([weights, "-o", str(tmp_path)], "is a folder"),
        ([str(tmp_path / "absent"), "-o", str(tmp_path / "a.md")], "there is no weights file"),
        ([str(tmp_path / "no.safetensors"), "-o", str(tmp_path / "a.md")], "not a whole safe"),
    ):
        assert main(["card", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert target.read_text() == "mine" and not (tmp_path / "a.md").exists()
