"""02: a photo file becomes a batch. What lessons take from here, and the file that holds it."""

from __future__ import annotations

from colorlab.lazy import hand_on

__all__, __dir__, __getattr__ = hand_on(
    __name__,
    {
        "LabArrays": "arrays",
        "PackedPhotos": "packed",
        "PairedFolder": "pairs",
        "PhotoError": "files",
        "PhotoFolder": "folder",
        "open_photo": "files",
        "pack": "packed",
        "photo_loader": "batches",
        "split_by_name": "base",
        "write_lab_arrays": "arrays",
    },
)
