"""The diary of a run: its losses, and what it made of a few photos at many of its steps.

A :class:`Recorder` listens to a run and measures held-out photos whenever the run samples; the
:class:`Diary` that it gives is a few MB on the disk and holds no pickle.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from colorlab.atomic import write_whole
from colorlab.color import AB_RANGE, chroma, denormalize_lab, lab_to_rgb, normalize_lab, rgb_to_lab
from colorlab.listeners import COUNTERS, LOSSES, Event

if TYPE_CHECKING:
    from colorlab.training import Run

ROWS = 2400  # of losses in a diary; longer runs are averaged over neighboring steps


@dataclass(frozen=True)
class Diary:
    """What is left of a run to look at.

    Attributes:
        losses: each loss by its name, ``(R,)``, NaN where a stage has none; ``step``: the last of
            the steps that a row is the mean of.
        steps: ``(S,)``, the steps after which the held-out photos were colored.
        error: ``(S,)``, mean distance of a and b from the truth's, all held-out photos, Lab units.
        psnr: ``(S,)``, mean over the photos, dB.
        chroma: ``(S,)``, mean chroma as a share of the truth's.
        gray_error, gray_psnr: the same of photos left gray.
        rgb: uint8 ``(N, 3, H, W)``, the shown ones among the held-out photos in their true colors.
        ab: int8 ``(S, N, 2, H, W)``, what the run gave them, in Lab units.
        notes: what else there is to say, such as the recipe and the hardware.
    """

    losses: dict[str, np.ndarray]
    steps: np.ndarray
    error: np.ndarray
    psnr: np.ndarray
    chroma: np.ndarray
    gray_error: float
    gray_psnr: float
    rgb: np.ndarray
    ab: np.ndarray
    notes: dict[str, Any]

    def pictures(self, index: int) -> Tensor:
        """The shown photos as the run colored them at ``steps[index]``: RGB in [0, 1]."""
        L, _ = normalize_lab(rgb_to_lab(torch.from_numpy(self.rgb)))
        ab = torch.from_numpy(self.ab[index]).float() / AB_RANGE
        return lab_to_rgb(denormalize_lab(L, ab))

    def loss(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of one loss, where it was computed."""
        there = np.isfinite(self.losses[name])
        return self.losses["step"][there], self.losses[name][there]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an ``.npz``, whole or not at all."""
        import io

        arrays = {f"loss_{name}": values for name, values in self.losses.items()}
        for field in fields(self):
            if field.name not in ("losses", "notes"):
                arrays[field.name] = np.asarray(getattr(self, field.name))
        arrays["notes"] = np.asarray(json.dumps(self.notes))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_whole(Path(path), [buffer.getvalue()])
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Diary:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is no diary.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            losses = {
                name.removeprefix("loss_"): arrays.pop(name)
                for name in list(arrays)
                if name.startswith("loss_")
            }
            notes = json.loads(str(arrays.pop("notes")))
            for name in ("gray_error", "gray_psnr"):
                arrays[name] = float(arrays[name])
            return cls(losses=losses, notes=notes, **arrays)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the diary of a run: {error}") from error


class Recorder:
    """Listens to a run and keeps its diary.

        recorder = Recorder(photos)
        recorder.watch(run)
        run.train()
        recorder.diary().save("diary.npz")

    Args:
        photos: held-out photos to measure on, uint8 RGB ``(N, 3, H, W)``, in the size that the run
            trains at.
        shown: how many of them, from the first on, are kept as pictures.

    It measures when it begins to watch and at each of the run's samples (``sample_every``), in the
    run's own thread: some tens of milliseconds for fifty photos of 64 pixels.
    """

    def __init__(self, photos: Tensor, shown: int = 6):
        if photos.dtype != torch.uint8 or photos.dim() != 4 or photos.shape[1] != 3:
            raise ValueError(
                f"held-out photos are uint8 RGB (N, 3, H, W), got {photos.dtype} "
                f"{tuple(photos.shape)}"
            )
        self.photos, self.shown = photos, min(shown, len(photos))
        self._run: Run | None = None
        self._true_ab = rgb_to_lab(photos)[:, 1:]
        self._rows: list[dict] = []
        self._scores: list[tuple[int, float, float, float]] = []
        self._colors: list[np.ndarray] = []

    def watch(self, run: Run) -> Recorder:
        """Begin: color the photos once as the networks stand, then at each sample.

        Raises:
            ValueError: the run makes no samples, for it has no validation photos.
        """
        if run._held_out is None:
            raise ValueError(
                "this run never samples, so nothing could be recorded; give it validation photos: "
                "Run(…, validation=FOLDER)"
            )
        self._run = run
        self._rows = [dict(row) for row in run.history]  # of a run that is resumed
        run.listeners.append(self)
        self._measure(run.step)
        return self

    def __call__(self, event: Event) -> None:
        if event.kind == "step":
            self._rows.append(dict(event.data))
        elif event.kind == "sample":
            self._measure(event.step)

    def diary(self, **notes: Any) -> Diary:
        """All so far."""
        steps, error, psnr, share = (np.array(column) for column in zip(*self._scores, strict=True))
        gray = torch.zeros_like(self._true_ab)
        gray_error, gray_psnr, _ = self._score(gray, _with_colors(self.photos, gray))
        return Diary(
            losses=_thinned(self._rows),
            steps=steps.astype(np.int64),
            error=error.astype(np.float32),
            psnr=psnr.astype(np.float32),
            chroma=share.astype(np.float32),
            gray_error=gray_error,
            gray_psnr=gray_psnr,
            rgb=self.photos[: self.shown].numpy(),
            ab=np.stack(self._colors),
            notes=notes,
        )

    def _measure(self, step: int) -> None:
        game = self._run.game
        given, _ = game.split(self.photos)
        rgb = game.picture(given, game.colorize(given, self._run.recipe.seed)).float().cpu()
        ab = rgb_to_lab(rgb)[:, 1:]  # of the picture: what no screen can show is cut off
        self._scores.append((step, *self._score(ab, rgb)))
        self._colors.append(ab[: self.shown].round().clamp(-127, 127).to(torch.int8).numpy())

    def _score(self, ab: Tensor, rgb: Tensor) -> tuple[float, float, float]:
        error = (ab - self._true_ab).abs().mean().item()
        squares = (rgb - self.photos / 255).square().flatten(1).mean(1).clamp(min=1e-10)
        psnr = (-10 * squares.log10()).mean().item()
        return error, psnr, (chroma(ab).mean() / chroma(self._true_ab).mean()).item()


def _with_colors(photos: Tensor, ab: Tensor) -> Tensor:
    L, _ = normalize_lab(rgb_to_lab(photos))
    return lab_to_rgb(denormalize_lab(L, ab / AB_RANGE))


def _thinned(rows: list[dict]) -> dict[str, np.ndarray]:
    """The losses as arrays, at most :data:`ROWS` long: means over equally many steps each."""
    width = max(1, math.ceil(len(rows) / ROWS))
    blocks = [rows[i : i + width] for i in range(0, len(rows), width)]
    losses = {"step": np.array([block[-1]["step"] for block in blocks], np.int64)}
    for name in LOSSES:
        if name in COUNTERS or not any(name in row for row in rows):
            continue
        found = [[row[name] for row in block if name in row] for block in blocks]
        losses[name] = np.array(
            [sum(values) / len(values) if values else math.nan for values in found], np.float32
        )
    return losses
