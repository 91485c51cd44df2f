"""Settings for every test: one thread a process, since pytest-xdist brings the processes."""

from __future__ import annotations

import torch
from hypothesis import settings

torch.set_num_threads(1)

# A busy machine is no bug: hypothesis must not fail an example for the time it took.
settings.register_profile("colorlab", deadline=None)
settings.load_profile("colorlab")
