"""06: the step, the run, and what keeps it alive."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(
    __name__,
    {
        "Trainer": "trainer",
        "Run": "run",
        "in_notebook": "processes",
        "seed_of": "seeds",
    },
)
