"""Settings for every test (one thread a process, since pytest-xdist brings the processes), and
photos that were made."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from leak_guard import (  # noqa: F401 - hooks, which pytest finds here by their names
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from PIL import Image

from colorlab.photos.folder import PhotoFolder

torch.set_num_threads(1)

# A shell starts what runs in its background deaf to Ctrl-C (`make test &`), and tests that send
# themselves one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make browser` names this folder: its tests need a browser, and the processors for themselves
# because they measure how quickly widgets answer. So `pytest tests` leaves it out.
collect_ignore = ["browser"]

# `make quick` leaves these out: they train, start processes or servers, or try a whole lesson.
SLOW = (
    "audit/test_every_core.py",
    "audit/test_search.py",
    "course/",
    "photos/test_arrays.py",
    "photos/test_batches.py",
    "photos/test_folder.py",
    "photos/test_kinds.py",
    "photos/test_packed.py",
    "site/test_built_site.py",
    "sources/test_downloads.py",
    "speed/",
    "test_browser_guard.py",
    "test_lesson06_gpu_path.py",
    "test_colab_gpu.py",
    "test_lessons.py",
    "test_main.py",
    "training/test_checkpoints.py",
    "training/test_processes.py",
    "training/test_rehearsal.py",
    "training/test_run.py",
    "training/test_several_processes.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


# A busy machine is no bug: hypothesis must not fail an example for the time it took. Every run
# tries the same examples; new ones are looked for with HYPOTHESIS_PROFILE=explore.
settings.register_profile("colorlab", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "colorlab"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Six photos of 64 × 64: a colored disc on a two-colored slope."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 63
    for i in range(6):
        a, b, disc = rng.uniform(0, 255, (3, 3))
        picture = a + (b - a) * ((x + i * y) / (1 + i))[..., None]
        picture[(x - 0.5) ** 2 + (y - rng.uniform(0.3, 0.7)) ** 2 < 0.05] = disc
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def batch(photos: Path) -> torch.Tensor:
    return torch.stack([PhotoFolder(photos, size=16)[i] for i in range(4)])
