"""Where photos come from: the course's own, named sets on Kaggle, a folder of the learner's."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(
    __name__,
    {
        "SOURCES": "catalog",
        "bundled_photos": "named",
        "data_dir": "named",
        "fetch": "named",
        "folder": "named",
        "get": "named",
        "has_credentials": "kaggle_login",
        "lesson_file": "named",
        "starter_weights": "named",
        "table": "catalog",
    },
)
