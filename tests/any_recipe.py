"""Any value for any field of a recipe, and what `colorlab train` makes of it: a few in a test, many
in benchmarks/recipes.py."""

from __future__ import annotations

import json
import re
import traceback
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from made import RECIPE

from colorlab.__main__ import main

SMALL = RECIPE.with_steps(3).to_json()
MEMORY = 2_000_000  # bytes: on a machine that has no more, no network is large enough to be slow


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The paths of all values in a JSON object, those of its objects and lists too."""
    if not isinstance(value, (dict, list)):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(found for key, entry in inner for found in places(entry, (*path, key)))]


WORDS = "unet encoder-unet hint-unet rgb ab bins batch instance none resize patch image lsgan hinge"
WORDS += " l2 huber fp32 bf16 fp16 cosine pretrain .. ../x a/b C:\\x Ünï 1 1.0 true null NaN"
# Of each kind that JSON has; most of them near the ends of what some field may be.
KINDS = {
    int: st.integers(-2, 12)
    | st.sampled_from([16, 20, 32, 64, 100, 1024, 4096, 65_536, 10**6, 10**9, 10**30, 10**4000])
    | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, -(2**63)]),
    float: st.floats(0, 1)
    | st.floats()
    | st.sampled_from([0.0, 1.0, -0.0, -1.0, 1e-300, 1e38, 1e39, 1e300, 0.999, 1.5, 4.0, 1e6]),
    bool: st.booleans(),
    str: st.text(max_size=8) | st.sampled_from(["", "a\nb", "\0", "x" * 300, *WORDS.split()]),
    list: st.lists(st.integers(-2, 9) | st.floats() | st.none(), max_size=5),
    dict: st.dictionaries(st.sampled_from(["steps", "base", "", "zz"]), st.integers(-1, 9)),
}
VALUES = st.one_of(st.none(), *KINDS.values())


@st.composite
def changes(draw: st.DrawFn) -> tuple[tuple, Any]:
    """A path, and a value: half of them of the kind that stands there."""
    path = draw(st.sampled_from(places(json.loads(SMALL))[1:]))
    value = json.loads(SMALL)
    for key in path:
        value = value[key]
    return path, draw(draw(st.sampled_from([KINDS[type(value)], VALUES])))


def outcome(path: tuple, value: Any, photos: Path, folder: Path) -> str:
    """What three steps of the small recipe with another value at ``path`` come to: ``"trained"``,
    ``"refused by name"``, or what is wrong. It writes into ``folder``, which is empty."""
    recipe = owner = json.loads(SMALL)
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    file, output, said = folder / "own.json", folder / "run", StringIO()
    file.write_text(json.dumps(recipe), encoding="utf-8")
    words = ["train", "--recipe", file, "--data", photos, "--validation", photos, "-o", output]
    words += ["--steps", 3, "--device", "cpu", "--threads", 1]
    try:
        with (
            redirect_stdout(StringIO()),
            redirect_stderr(said),
            mock.patch("colorlab.recipes.fit.memory_of", return_value=MEMORY),
        ):
            status = main([str(word) for word in words])
    except Exception:  # noqa: BLE001 - a learner would see it, whatever it is
        return f"a traceback: {traceback.format_exc()}"
    if status == 0:
        return "trained" if (output / "weights.safetensors").is_file() else "no weights"
    error = said.getvalue()
    field = [key for key in path if isinstance(key, str)][-1]
    if error.count("\n") != 1 or str(file) not in error or not re.search(rf"\b{field}\b", error):
        return f"an error that does not name file and field in one line: {error}"
    return f"a folder was made before: {error}" if output.exists() else "refused by name"
