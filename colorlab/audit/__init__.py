"""What is wrong with photos, found before a network learns from them."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(
    __name__,
    {
        "AB_EDGES": "measures",
        "audit": "search",
    },
)
