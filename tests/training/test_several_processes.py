"""Two processes on the CPU, started the way the README says, against one."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made import with_
from PIL import Image

from colorlab import recipes
from colorlab.__main__ import main
from colorlab.recipes.recipe import Stage
from colorlab.training.run import Run
from colorlab.weights import load_weights

# Instance norm and no dropout: batch norm and the draws of dropout do depend on how a batch is
# dealt out. Small rates: Adam makes much of the last bit of a gradient near zero.
RECIPE = dataclasses.replace(
    with_(
        generator={"base": 8, "norm": "instance", "dropout": 0.0},
        discriminator={"base": 8, "norm": "instance"},
    ),
    stages=(Stage("pretrain", 10, 32, 4, 2e-4), Stage("adversarial", 10, 32, 4, 2e-4, 2e-4)),
)
TWO = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2"]
TWO += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
TWO += ["--main_process_port", "0"]  # any free one: several tests may run side by side


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("two"), np.random.default_rng(0)
    (folder / "photos").mkdir()
    for number in range(10):
        pixels = np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((8, 8, 1)))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / f"{number}.png")
    (folder / "recipe.json").write_text(RECIPE.to_json())
    longer = dataclasses.replace(RECIPE, stages=(Stage("pretrain", 3000, 32, 4, 2e-4),))
    (folder / "long.json").write_text(longer.to_json())
    return folder


def command(here: Path, output: str, recipe: str = "recipe") -> list[str]:
    photos = str(here / "photos")
    words = ["train", "--recipe", str(here / f"{recipe}.json"), "--data", photos]
    return [*words, "--validation", photos, "--device", "cpu", "-o", str(here / output)]


def rows(folder: Path) -> list[dict[str, float]]:
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def launch(words: list[str], **options) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *TWO, "-m", "colorlab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def test_two_processes_give_the_losses_of_one(here: Path) -> None:
    child = launch(command(here, "two"))
    assert main(command(here, "one")) == 0
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert out.count("weights, checkpoints, samples and history are in") == 1  # the first alone
    one, two = rows(here / "one"), rows(here / "two")
    assert [row["step"] for row in two] == list(range(1, 21))
    for ours, theirs in zip(one, two, strict=True):
        for name in ours.keys() - {"seconds", "accuracy_real", "accuracy_fake"}:
            assert abs(ours[name] - theirs[name]) < 1e-4, (ours["step"], name)
    assert one[0]["color"] != pytest.approx(one[-1]["color"], rel=0.01)
    names = [path.name for path in (here / "two" / "checkpoints").iterdir()]
    assert sorted(names) == ["step-00000010.ckpt", "step-00000020.ckpt"]
    assert load_weights(here / "two" / "weights.safetensors")[1] == RECIPE


def test_two_processes_stop_at_a_signal_and_one_goes_on(here: Path, capsys) -> None:
    output = here / "stopped"
    child = launch(command(here, "stopped", "long"), start_new_session=True)
    end = time.monotonic() + 60
    while not (output / "history.csv").exists() or len(rows(output)) < 3:
        assert child.poll() is None and time.monotonic() < end, child.communicate()
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    (checkpoint,) = (output / "checkpoints").iterdir()
    step = int(checkpoint.stem.removeprefix("step-"))
    assert step == len(rows(output)) < 3000
    # With another number of processes: the same recipe, the same step, the next ones follow.
    run = Run(
        recipes.get(str(here / "long.json")),
        here / "photos",
        output=output,
        resume=True,
        device="cpu",
        progress=False,
        listeners=[lambda event: event.step == step + 2 and run.stop()],
    )
    assert run.step == step
    assert [row["step"] for row in run.train()] == list(range(1, step + 3))


def test_a_signal_while_the_processes_agree_waits_for_the_next_step(here: Path) -> None:
    """It came too late for the other process, which goes on and would wait in vain."""
    run = Run(RECIPE, here / "photos", device="cpu", progress=False)
    run.processes = 2  # this one, and one that hears of no signal
    reduce = run.trainer.accelerator.reduce

    def signaled(tensor, how):
        total = reduce(tensor, how)
        if how == "sum" and run.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)  # the main thread hears of it
        return total

    run.trainer.accelerator.reduce = signaled
    run.train()
    assert (run.state, run.step, run.signal) == ("stopped", 4, signal.SIGTERM)


def test_a_batch_that_can_not_be_dealt_out_is_reported(here: Path) -> None:
    child = launch([*command(here, "odd"), "--batch-size", "3"])
    _, err = child.communicate(timeout=60)
    assert child.returncode != 0
    assert "a batch of 3 can't be dealt to 2 processes evenly" in err
