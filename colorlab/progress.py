"""The bar that shows how far something long has come, and when it will be done."""

from __future__ import annotations

from typing import Any


def progress_bar(
    total: int,
    unit: str,
    *,
    name: str | None = None,
    begin: int = 0,
    visible: bool = True,
    delay: float = 0,
) -> Any:
    """Show tqdm's bar: a widget in a notebook, text in a terminal; ``update(n)`` moves it.

    Args:
        total: how many units there are, ``begin`` of them done already.
        unit: what is counted; ``"B"`` is written as kB, MB and so on.
        name: what stands before it.
        visible: False for a bar that can be moved and is not seen.
        delay: seconds after which it appears, if it is not done by then.
    """
    from tqdm.auto import tqdm  # here, since in a notebook it brings all of ipywidgets

    return tqdm(
        total=total,
        initial=begin,
        unit=unit,
        unit_scale=unit == "B",
        desc=name,
        disable=not visible,
        delay=delay,
    )
