"""The diary of a run: its losses, and what it made of a few photos at many of its steps.

A :class:`Recorder` listens to a run and measures held-out photos whenever the run samples; the
:class:`Diary` that it gives is a few MB on the disk and holds no pickle.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from colorlab.atomic import write_whole
from colorlab.color import AB_RANGE, chroma, denormalize_lab, lab_to_rgb, normalize_lab, rgb_to_lab
from colorlab.photos.folder import PhotoFolder
from colorlab.sources.bundled import data_dir
from colorlab.training.listeners import COUNTERS, LOSSES, Event
from colorlab.training.trainer import Trainer

if TYPE_CHECKING:
    from colorlab.training.run import Run

Colorize = Callable[[Trainer, Tensor, int], Tensor]  # trainer, inputs, seed -> prediction
ROWS = 2400  # of losses in a diary; longer runs are averaged over neighboring steps
# Validation photos in the public domain or CC0: what is made of them is under no photo's license.
PICTURES = ("red-panda", "moose", "pontdugard", "eiffeltower-2", "operahouse", "rocamadour")
LEAST_CHROMA = 0.5  # Lab units, on average: below it photos count as gray
BROKEN = (ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile)


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
        rgb: uint8 ``(N, 3, H, W)``, the photos kept as pictures, in their true colors.
        ab: int8 ``(S, N, 2, H, W)``, what the run gave them, in Lab units.
        notes: what else there is to say, such as the recipe and the hardware.
        extra: more arrays by name, for runs with a question of their own; the first axis is that
            of ``steps``. A :class:`Recorder` with ``again`` adds ``"again"``, int8
            ``(S, N, 2, H, W)``: the same photos colored a second time, from another seed; and
            ``"spread"``, ``(S,)``: how far apart the two colorings are, the distance in the ab
            plane in Lab units, mean over all held-out photos.
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
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.steps)
        scores = {name: getattr(self, name) for name in ("error", "psnr", "chroma", "ab")}
        for name, values in {**scores, **self.extra}.items():
            if len(values) != count:
                raise ValueError(f"{name} has {len(values)} entries for {count} steps")
        for name, values in self.losses.items():
            if len(values) != len(self.losses["step"]):
                raise ValueError(f"the loss {name} has not as many entries as the steps")
        shape = (count, len(self.rgb), 2, *self.rgb.shape[2:])
        for name in ("ab", "again"):
            colors = self.ab if name == "ab" else self.extra.get(name, self.ab)
            if colors.shape != shape:
                raise ValueError(f"{name} is {colors.shape}, and photos and steps ask for {shape}")

    def pictures(self, index: int, again: bool = False) -> Tensor:
        """These photos as the run colored them at ``steps[index]``: RGB in [0, 1].

        ``again``: the second coloring, where the recorder kept one.
        """
        ab = self.extra["again"] if again else self.ab
        return _with_colors(torch.from_numpy(self.rgb), torch.from_numpy(ab[index]).float())

    def loss(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of one loss, where it was computed."""
        there = np.isfinite(self.losses[name])
        return self.losses["step"][there], self.losses[name][there]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an ``.npz``, whole or not at all."""
        import io

        arrays = {f"loss_{name}": values for name, values in self.losses.items()}
        for one in fields(self):
            if one.name not in ("losses", "notes", "extra"):
                arrays[one.name] = np.asarray(getattr(self, one.name))
        arrays |= {f"extra_{name}": values for name, values in self.extra.items()}
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
            losses, extra = (
                {
                    name.removeprefix(start): arrays.pop(name)
                    for name in list(arrays)
                    if name.startswith(start)
                }
                for start in ("loss_", "extra_")
            )
            notes = json.loads(str(arrays.pop("notes")))
            for name in ("gray_error", "gray_psnr"):
                arrays[name] = float(arrays[name])
            return cls(losses=losses, notes=notes, extra=extra, **arrays)
        except (*BROKEN, zlib.error) as error:
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
        kept: how many of them, from the first on, are kept as pictures.
        colorize: how the photos are colored: called with the run's trainer, the generator's inputs
            and a seed; by default :meth:`colorlab.training.Trainer.colorize`. It must leave the
            networks as they are.
        again: color them a second time from another seed and keep that too (``extra`` of the
            diary).

    It measures when it begins to watch and at each of the run's samples (``sample_every``), in the
    run's own thread: some tens of milliseconds for fifty photos of 64 pixels. The run takes the
    same steps with it and without.

    Raises:
        ValueError: photos of another form, or without any color to compare with.
    """

    def __init__(
        self,
        photos: Tensor,
        kept: int = 6,
        *,
        colorize: Colorize = Trainer.colorize,
        again: bool = False,
    ):
        if photos.dtype != torch.uint8 or photos.dim() != 4 or photos.shape[1] != 3:
            raise ValueError(
                f"held-out photos are uint8 RGB (N, 3, H, W), got {photos.dtype} "
                f"{tuple(photos.shape)}"
            )
        self.photos, self.kept = photos.cpu(), min(kept, len(photos))
        self.colorize, self.again = colorize, again
        self._run: Run | None = None
        self._true_ab = rgb_to_lab(self.photos)[:, 1:]
        if not len(photos) or chroma(self._true_ab).mean() < LEAST_CHROMA:
            raise ValueError(
                f"{len(photos)} held-out photos without color: there is nothing to compare with; "
                f"give color photos"
            )
        self._entries: list[dict[str, Any]] = []  # one a measurement

    def watch(self, run: Run) -> Recorder:
        """Begin: color the photos once as the networks stand, then at each sample.

        Raises:
            ValueError: the run makes no samples, for it has no validation photos; it trains on
                something else than RGB photos; or the recorder watches a run already.
        """
        if self._run is not None:
            raise ValueError("this recorder watches a run already; make one for each run")
        if run.held_out is None:
            raise ValueError(
                "this run never samples, so nothing could be recorded; give it validation photos: "
                "Run(…, validation=FOLDER)"
            )
        if run.trainer.holds != "rgb":
            raise ValueError(
                f"a recorder needs a run on RGB photos, and this one trains on "
                f"{run.trainer.holds!r}"
            )
        self._run = run
        self._measure(run.step)
        run.listeners.append(self)
        return self

    def __call__(self, event: Event) -> None:
        if event.kind == "sample":
            self._measure(event.step)

    def diary(self, **notes: Any) -> Diary:
        """All so far, also while the run goes on.

        Raises:
            ValueError: it has watched no run yet.
        """
        if self._run is None:
            raise ValueError("nothing is recorded yet: call watch(run) before the run starts")
        entries = list(self._entries)
        columns = {name: np.stack([entry[name] for entry in entries]) for name in entries[0]}
        gray = torch.zeros_like(self._true_ab)
        gray_error, gray_psnr, _ = self._score(gray, _with_colors(self.photos, gray))
        return Diary(
            losses=_thinned(list(self._run.history)),
            gray_error=gray_error,
            gray_psnr=gray_psnr,
            rgb=self.photos[: self.kept].numpy(),
            notes=notes,
            extra={name: columns.pop(name) for name in ("again", "spread") if name in columns},
            **columns,
        )

    def _measure(self, step: int) -> None:
        ab, rgb = self._colored(0)
        error, psnr, share = (np.float32(score) for score in self._score(ab, rgb))
        entry = {"steps": np.int64(step), "error": error, "psnr": psnr, "chroma": share}
        entry["ab"] = self._kept(ab)
        if self.again:
            other, _ = self._colored(1)
            entry["again"] = self._kept(other)
            entry["spread"] = np.float32((ab - other).norm(dim=1).mean())
        self._entries.append(entry)

    def _colored(self, another: int) -> tuple[Tensor, Tensor]:
        """ab in Lab units and RGB in [0, 1] of all photos."""
        trainer = self._run.trainer
        inputs, _ = trainer.split(self.photos)
        prediction = self.colorize(trainer, inputs, self._run.recipe.seed + another)
        rgb = trainer.picture(inputs, prediction).float().cpu()
        return rgb_to_lab(rgb)[:, 1:], rgb  # ab of the picture: what no screen can show is cut off

    def _kept(self, ab: Tensor) -> np.ndarray:
        return ab[: self.kept].round().clamp(-127, 127).to(torch.int8).numpy()

    def _score(self, ab: Tensor, rgb: Tensor) -> tuple[float, float, float]:
        """Mean distance of a and b, PSNR in dB, chroma as a share of the truth's."""
        error = (ab - self._true_ab).abs().mean().item()
        squares = (rgb - self.photos / 255).square().flatten(1).mean(1).clamp(min=1e-10)
        psnr = (-10 * squares.log10()).mean().item()
        return error, psnr, (chroma(ab).mean() / chroma(self._true_ab).mean()).item()


def held_out(size: int = 64) -> Tensor:
    """The course's validation photos, those in :data:`PICTURES` first: ``(46, 3, size, size)``.

    Raises:
        colorlab.sources.bundled.DataMissing: they are not there.
    """
    folder = PhotoFolder(data_dir() / "photos" / "val", size=size)
    names = [path.stem for path in folder.paths]
    first = [names.index(name) for name in PICTURES]
    rest = [i for i in range(len(names)) if i not in first]
    return torch.stack([folder[i] for i in first + rest])


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
