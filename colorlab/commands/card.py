"""``colorlab card``: a model card for weights, from the weights file and the run's own records."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorlab.atomic import write_whole
from colorlab.commands.options import check_writable, device

if TYPE_CHECKING:
    from colorlab.commands.card_text import Known
    from colorlab.recipes.recipe import Recipe


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorlab card``."""
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file of colorlab's")
    parser.add_argument(
        "-o", "--output", required=True, metavar="CARD.md", help="the card; a new file"
    )
    parser.add_argument("--name", help="what the weights are called (default: their recipe)")
    parser.add_argument(
        "--trained-on",
        action="append",
        default=[],
        metavar="TEXT",
        help="what the training photos are; may be repeated. No folder is named without it",
    )
    parser.add_argument(
        "--evaluate", action="store_true", help="score the weights on the bundled test photos"
    )
    parser.add_argument("--device", help="cpu, cuda, mps (default: the fastest there is)")


def run(options: argparse.Namespace) -> int:
    """Write the card; returns 0.

    Raises:
        ValueError: a file that is there, or one that can't be written; no weights of colorlab's.
        FileNotFoundError: no such weights.
    """
    target = Path(options.output)
    check_writable(target)
    if target.exists():
        raise ValueError(f"{target} is there already; name another file, or remove it")
    from colorlab.commands.card_text import card

    known = what_is_known(Path(options.weights))
    scores = None
    if options.evaluate:
        from colorlab import metrics, sources
        from colorlab.colorize import Colorizer

        colorizer = Colorizer.load(options.weights, device(options.device))
        scores = metrics.evaluate(colorizer.colorize, sources.bundled_photos("test"), progress=True)
    name = _line(options.name or known.recipe.name)
    text = card(known, name, trained_on=[*map(_line, options.trained_on)], scores=scores)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, [text.encode()])
    print(f"{target}: {text.count('TODO')} places are marked TODO; they are yours to fill in")
    return 0


def _line(text: str) -> str:
    return " ".join(text.split())


def what_is_known(weights: Path) -> Known:
    """What the file says, and the records of a run beside it, if they are of the same run.

    Raises:
        FileNotFoundError: no such file.
        colorlab.weights.WeightsError: not a generator written by colorlab, or damaged.
    """
    from safetensors import safe_open

    from colorlab.colorize import Colorizer
    from colorlab.commands.card_text import Known
    from colorlab.weights import load_weights

    generator, recipe, notes = load_weights(weights)
    with safe_open(weights, framework="pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    steps = int(notes["steps_trained"]) if notes.get("steps_trained", "").isdecimal() else None
    return Known(
        recipe=recipe,
        parameters=sum(parameter.numel() for parameter in generator.parameters()),
        precision="float16" if "F16" in kinds else "float32",
        bytes=weights.stat().st_size,
        size=Colorizer(generator, recipe, "cpu").size,
        steps=steps,
        **({} if steps is None else _records(weights.parent, recipe, steps)),
    )


def _records(folder: Path, recipe: Recipe, steps: int) -> dict[str, Any]:
    """What the run's folder says of these weights; nothing, where it is of another run."""
    from colorlab.training.checkpoint_files import CheckpointError, read_facts

    for path in sorted((folder / "checkpoints").glob("step-*.ckpt"), reverse=True):
        try:
            facts = read_facts(path)
        except CheckpointError:
            continue
        if facts.get("recipe") == recipe.to_json() and facts.get("step", 0) >= steps:
            break
    else:
        return {}
    count = str(facts.get("photos", "")).partition(" photos")[0]
    found: dict[str, Any] = {"arithmetic": facts.get("precision")}
    if count.isdecimal():
        found["photos"] = int(count)
    return found | _history(folder, steps) | {"changes": _changes(folder, steps)}


def _history(folder: Path, steps: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        with open(folder / "history.csv", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if int(row["step"]) > steps:
                    break
                found["seconds"] = float(row["seconds"])
                if row.get("held_out"):
                    found["held_out"] = int(row["step"]), float(row["held_out"])
    except (OSError, ValueError, KeyError, TypeError):  # not there, or cut short
        pass
    return found


def _changes(folder: Path, steps: int) -> list[str] | None:
    """What was changed; None where that can't be read. A run without a change has no such file."""
    found = []
    try:
        for line in (folder / "changes.jsonl").read_text(encoding="utf-8").splitlines():
            change = json.loads(line)
            if change["step"] <= steps and change["name"] != "epoch":
                found.append(f"{change['name']} {change['value']:g} from step {change['step']}")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
