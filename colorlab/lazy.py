"""What a folder hands on, imported when it is first asked for.

``from colorlab.photos import PhotoFolder`` finds the class in ``colorlab/photos/folder.py``. Were
all of a folder's files imported at once, listing the named sets would wait for torch, and
``colorlab doctor`` could not say that torch is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def hand_on(
    package: str, files: dict[str, str]
) -> tuple[list[str], Callable[[], list[str]], Callable[[str], Any]]:
    """The ``__all__``, ``__dir__`` and ``__getattr__`` (PEP 562) of a package's ``__init__.py``.

    Args:
        package: the package's ``__name__``.
        files: each name that it hands on -> the file, without ``.py``, that defines it.
    """

    def names() -> list[str]:
        return sorted(files)

    def get(name: str) -> Any:
        if name not in files:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{files[name]}"), name)

    return names(), names, get
