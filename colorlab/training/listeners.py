"""What a run reports while it trains, and who listens.

A run sends an ``Event`` for all that happens to each of its listeners: anything that can be
called with one. Listeners run in the training thread, between two steps; one that raises is named
in a warning and asked no more.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorlab.atomic import write_whole

KINDS = ("state", "step", "sample", "checkpoint", "change", "epoch", "warning")


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Attributes:
        kind: ``"state"``: the run started, paused, …; ``"step"``: a step was taken; ``"sample"``:
            the held-out photos were colored; ``"checkpoint"``: one was written; ``"change"``: a
            setting was changed; ``"epoch"``: every photo was seen once more; ``"warning"``.
        step: steps taken so far.
        seconds: of training so far, those before an interruption included.
        data: by kind. state: ``state``, ``steps`` (of the whole run). step: the row of the history.
            sample: ``held_out`` (mean absolute error), ``pictures`` (gray, ours, truth: each
            ``(B, 3, H, W)`` in [0, 1]) and ``path`` of the grid, or None. checkpoint: ``path``.
            change: ``name``, ``value``. epoch: ``epoch`` and the means of its losses. warning:
            ``message``.
    """

    kind: str
    step: int
    seconds: float
    data: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]
Warn = Callable[[str], None]


class Listeners(list[Listener]):
    """The listeners of a run.

    One that raises is named in a warning and asked no more: a broken display must not cost the run.
    """

    def notify(self, event: Event, warn: Warn) -> None:
        """Send the event to each of them."""
        for listener in list(self):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001
                self.remove(listener)
                where = traceback.extract_tb(error.__traceback__)[-1]
                warn(
                    f"the listener {listener!r} failed and is asked no more: "
                    f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
                )

    def show(self, what: str) -> bool:
        """Whether one of them shows ``"warnings"`` or ``"failures"``."""
        return any(getattr(listener, f"shows_{what}", False) for listener in self)

    @contextlib.contextmanager
    def history_file(
        self, path: Path, rows: list[tuple[dict, float]], warn: Warn
    ) -> Iterator[None]:
        """Inside, ``history.csv`` is one of them. A disk that fails is a warning."""
        try:
            history = CsvHistory(path, rows)
        except OSError as error:
            warn(f"{path.name} could not be written ({error}); the run goes on")
            yield
            return
        self.append(history)
        try:
            yield
        finally:
            if history in self:
                self.remove(history)
            history.close()


COUNTERS = ("step", "stage")
LOSSES = (
    "color",
    "palette",
    "diversity",
    "perceptual",
    "generator",
    "discriminator",
    "logit_real",
    "logit_fake",
    "accuracy_real",
    "accuracy_fake",
    "held_out",
)


class ProgressBar:
    """A bar with the losses of the last step; warnings and changes are printed above it."""

    FIGURES = ("color", "generator", "discriminator", "held_out")  # more leave no room for the bar
    shows_warnings = True  # so the run need not print them

    def __init__(self) -> None:
        self.bar = None

    def __call__(self, event: Event) -> None:
        from tqdm.auto import tqdm

        if event.kind == "state":
            if event.data["state"] == "running" and self.bar is None:
                total = event.data["steps"]
                self.bar = tqdm(total=total, initial=event.step, desc=event.data["name"])
            elif event.data["state"] in ("stopped", "finished", "failed") and self.bar is not None:
                self.bar.close()
                self.bar = None
        elif event.kind == "step" and self.bar is not None:
            figures = {k: f"{v:.3g}" for k, v in event.data.items() if k in self.FIGURES}
            self.bar.set_postfix(figures, refresh=False)
            self.bar.update()
        elif event.kind == "warning":
            tqdm.write(f"warning at step {event.step}: {event.data['message']}")
        elif event.kind == "change":
            tqdm.write(f"from step {event.step + 1}: {event.data['name']} {event.data['value']}")


class CsvHistory:
    """The file ``history.csv``, a line a step, written as they come.

    Losses differ by stage, so the columns are fixed and the absent ones stay empty.

    Args:
        path: the file; what it held is replaced by ``rows``.
        rows: the history so far, with the ``seconds`` of each row.
    """

    COLUMNS = (*COUNTERS, "seconds", *LOSSES)

    def __init__(self, path: str | os.PathLike[str], rows: list[tuple[dict, float]] = ()):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.COLUMNS)
        writer.writeheader()
        writer.writerows({**row, "seconds": round(seconds, 2)} for row, seconds in rows)
        write_whole(path, [text.getvalue().encode()])
        self.file = open(path, "a", newline="", encoding="utf-8")  # noqa: SIM115
        self.writer = csv.DictWriter(self.file, self.COLUMNS)

    def __call__(self, event: Event) -> None:
        if event.kind == "step":
            self.writer.writerow({**event.data, "seconds": round(event.seconds, 2)})
            self.file.flush()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # reported already, when the row could not be written
            self.file.close()


class TensorBoard:
    """Losses and sample grids for TensorBoard, which must be installed beside colorlab.

    Raises:
        ImportError: it is not; the message says what to do.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoard is not installed: pip install tensorboard, or leave it out; "
                "history.csv and samples/ hold the same"
            ) from error
        self.writer = SummaryWriter(str(folder))

    def __call__(self, event: Event) -> None:
        if event.kind == "step":
            for name, value in event.data.items():
                if name not in COUNTERS:
                    self.writer.add_scalar(name, value, event.step)
        elif event.kind == "sample":
            from colorlab.show import tiled

            grid = tiled(event.data["pictures"])
            self.writer.add_image("samples", grid, event.step, dataformats="HWC")
        elif event.kind in ("warning", "change"):
            text = event.data.get("message") or f"{event.data['name']} {event.data['value']}"
            self.writer.add_text(event.kind, text, event.step)


class BalanceWatch:
    """Notices that the discriminator has won: it is right on nearly every patch, for long.

    A discriminator that is never wrong has little left to teach: under the saturating loss its
    gradient vanishes (Goodfellow et al., 2014, section 3), under the others the generator hears
    that everything is wrong and not what (Arjovsky and Bottou, "Towards Principled Methods for
    Training Generative Adversarial Networks", ICLR 2017, section 2).

    Args:
        window: adversarial steps that are averaged.
        limit: accuracy on real and on generated patches, both above which it has won.

    Called with a row of the history, it returns the warning, once, or None; it warns
    again only after the balance had come back below ``limit - 0.1``.
    """

    def __init__(self, window: int = 200, limit: float = 0.98):
        self.window, self.limit = window, limit
        self.rows: list[tuple[float, float, float, float]] = []
        self.warned = False

    def __call__(self, row: dict) -> str | None:
        if "accuracy_real" not in row:
            return None
        names = ("accuracy_real", "accuracy_fake", "logit_real", "logit_fake")
        self.rows.append(tuple(row[name] for name in names))
        del self.rows[: -self.window]
        if len(self.rows) < self.window:
            return None
        real, fake, logit_real, logit_fake = (
            sum(column) / self.window for column in zip(*self.rows, strict=True)
        )
        if min(real, fake) < self.limit - 0.1:
            self.warned = False
        if min(real, fake) < self.limit or self.warned:
            return None
        self.warned = True
        return (
            f"the discriminator has won: over the last {self.window} steps it was right on "
            f"{real:.1%} of the real and {fake:.1%} of the generated patches (mean logits "
            f"{logit_real:+.1f} and {logit_fake:+.1f}). The generator learns little from it now. "
            f"Lower the discriminator's learning rate, or give the color loss more weight."
        )
