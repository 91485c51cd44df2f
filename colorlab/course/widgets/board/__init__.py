"""Lesson 06: a run, watched and steered; `board` puts the parts together."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(__name__, {"Board": "board"})
