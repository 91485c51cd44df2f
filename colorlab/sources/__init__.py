"""Where photos come from: the course's own, named sets on Kaggle, a folder of the learner's."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(
    __name__,
    {
        "SOURCES": "catalog",
        "bundled_photos": "bundled",
        "data_dir": "bundled",
        "fetch": "named",
        "folder": "named",
        "get": "named",
        "has_credentials": "kaggle",
        "lesson_file": "bundled",
        "starter_weights": "bundled",
        "table": "catalog",
    },
)
