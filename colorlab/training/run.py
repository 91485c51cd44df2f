"""A training run that can be watched, paused, changed, killed and resumed.

It trains in a thread of its own, so that a notebook stays alive beside it. What one step is stands
in ``colorlab.training.step``, where its photos come from in ``colorlab.training.feed``, what
it leaves on the disk in ``colorlab.training.run_folder``.
"""

from __future__ import annotations

import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from colorlab.devices import is_out_of_memory
from colorlab.recipes.fit import refuse_misfits
from colorlab.recipes.recipe import Recipe, Stage, differences
from colorlab.training.background import Background
from colorlab.training.changes import Change, ChangeLog, checked
from colorlab.training.feed import Feed, data_set, fingerprint
from colorlab.training.inputs import gray_prediction
from colorlab.training.listeners import BalanceWatch, Event, Listener, Listeners, ProgressBar
from colorlab.training.lock import FolderInUse
from colorlab.training.questions import Decision, EpochQuestion, mean_losses
from colorlab.training.run_folder import Found, RunFolder
from colorlab.training.trainer import Trainer


class TrainingDiverged(FloatingPointError):
    """A loss or a weight became NaN or infinite."""


class OutOfMemory(MemoryError):
    """A batch was too large for the device; the message names one that fits."""


_RUNS: WeakValueDictionary[Path, Run] = WeakValueDictionary()  # the last one made for each output


class Run(Background):
    """Trains the networks of a recipe.

    An output folder belongs to one live run. Where this process trains into ``output`` already, as
    when a notebook's cell runs again, that run is returned as it is, its settings unchanged.

    Args:
        recipe: what to train and how.
        photos: a folder of training photos, several, or a data set (such as
            ``colorlab.photos.LabArrays`` or ``colorlab.photos.PairedFolder``).
        validation: photos that the networks never learn from, of the same kinds, for the sample
            grids and the held-out loss; neither is made when it is left out.
        output: folder for ``history.csv``, ``changes.jsonl``, ``samples/``, ``checkpoints/``,
            ``weights.safetensors`` and a ``weights-stage-N.safetensors`` at each stage's end;
            nothing is written when it is left out.
        resume: ``True`` goes on from the newest good checkpoint in ``output`` (or the mirror), and
            begins where there is none; a path goes on from that checkpoint; ``False`` begins.
        start: a weights file to start the generator from; else the recipe's own start.
        device, compile, deterministic: see ``colorlab.training.Trainer``.
        threads: threads that read photos beside the training.
        keep_photos: keep decoded photos in memory, as many as fit.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints; when it is left out, one is written every
            ``checkpoint_minutes``. Each stage ends with one too.
        keep: how many checkpoints to keep, beside the best one.
        mirror: a second folder for checkpoints, such as one on Google Drive; it may fail.
        progress: show a bar.
        listeners: called with every ``colorlab.training.listeners.Event``.
        ask: decides after each epoch, where the recipe has it asked; without it, each epoch is
            saved and no rate changed.

    Attributes:
        step: steps taken.
        history: a dict a step: ``step``, ``stage``, then every loss as a float.
        times: seconds of training until the end of each row of the history.
        held_out: the validation photos that are colored again and again, uint8; None without any.
        state: ``"new"``, ``"running"``, ``"paused"``, ``"asking"``, ``"stopped"``,
            ``"finished"`` or ``"failed"``; see ``colorlab.training.background.Background``,
            also for ``error``, ``signal``, and the methods that it brings.
        trainer: the networks, losses and optimizers.

    Raises:
        FileExistsError: ``output`` holds a run that ``resume`` does not allow to go on.
        colorlab.training.lock.FolderInUse: a live run of another process, or of another recipe,
            writes into ``output`` or the mirror.
        OSError: ``output`` can't be written.
        ValueError: a stage of the recipe can't be trained (see
            ``colorlab.recipes.fit.refuse_misfits``); the checkpoint is of another recipe, and
            the message lists the differences.
        colorlab.training.checkpoints.CheckpointError: there are checkpoints, and none is whole.
    """

    def __new__(cls, recipe: Recipe, photos: Any, *, output: Any = None, **settings: Any) -> Run:
        run = None if output is None else _RUNS.get(Path(output).resolve())
        return run if run is not None and run.is_alive else super().__new__(cls)

    def __init__(
        self,
        recipe: Recipe,
        photos: Any,
        *,
        validation: Any = None,
        output: str | os.PathLike[str] | None = None,
        resume: bool | str | os.PathLike[str] = False,
        start: str | os.PathLike[str] | None = None,
        device: torch.device | str | None = None,
        compile: str = "auto",  # noqa: A002 - torch's own word
        deterministic: bool = False,
        threads: int = 2,
        keep_photos: bool = True,
        sample_every: int = 500,
        checkpoint_every: int | None = None,
        checkpoint_minutes: float = 5.0,
        keep: int = 3,
        mirror: str | os.PathLike[str] | None = None,
        progress: bool = True,
        listeners: Sequence[Listener] = (),
        ask: Callable[[EpochQuestion], Decision] | None = None,
    ):
        if getattr(self, "is_alive", False):
            self._attach(recipe)
            return
        super().__init__()
        refuse_misfits(recipe, device)
        self.recipe = recipe
        self.photos = data_set(photos)
        self.output = None if output is None else Path(output)
        self.sample_every = int(checked("sample_every", sample_every))
        self.checkpoint_every, self.checkpoint_minutes = checkpoint_every, checkpoint_minutes
        self.ask = ask
        self.step = 0
        self.history: list[dict] = []
        self.times: list[float] = []  # of each row of the history, since the run began
        self._last_checkpoint = (time.monotonic(), 0)  # when, at which step
        self._is_saved = True
        self._rates: dict[str, float] = {}
        self._score: float | None = None
        self.feed = Feed(recipe, self.photos, threads, keep_photos)
        self.held_out = None if validation is None else self.feed.held_out(data_set(validation))
        self.listeners = Listeners([*listeners, *([ProgressBar()] if progress else [])])

        self.trainer = Trainer(
            recipe,
            holds=self.photos.holds,
            device=device,
            start=start,
            compile=compile,
            deterministic=deterministic,
        )
        if recipe.objective.palette_weight and recipe.objective.rebalance:
            self.trainer.count_colors(self.feed.glimpse())
        self.processes = self.trainer.accelerator.num_processes
        self.is_main = self.trainer.accelerator.is_main_process
        self.folder: RunFolder | None = None
        self.changes = ChangeLog()
        if self.output is not None:
            self.folder = RunFolder(
                self.output, keep=keep, mirror=mirror, warn=self.warn, writes=self.is_main
            )
            with self.folder.claimed():
                found = self.folder.find(resume, recipe)
                self.changes = ChangeLog(self.output / "changes.jsonl", anew=resume is False)
                if found is not None:
                    self._go_back_to(found)
            _RUNS[self.output.resolve()] = self
        elif resume:
            raise ValueError("resume needs the output folder of the run to go on with")

    # --- what the learner does ---------------------------------------------------------------

    def train(self) -> list[dict]:
        """Train to the end and return the history.

        Ctrl-C and SIGTERM stop after the step under way and save; ``signal`` is then set.
        """
        with self._signals():
            self.start()
            self.wait()
        return self.history

    def start(self) -> Run:
        """Train in the background and return at once; after ``stop``, go on.

        Raises:
            FolderInUse: another run lives in the output folder, or went on from this one's state.
        """
        if self.folder is not None and self.state in ("new", "stopped"):
            self.folder.claim(self.step)
        return super().start()

    def pause(self) -> None:
        """Halt after the step under way; returns when it has halted. Nothing is lost.

        Raises:
            RuntimeError: the run goes over several processes.
        """
        self._require_one_process("pause")
        super().pause()

    def save(self) -> Path | None:
        """Write a checkpoint and the weights now, after the step under way.

        Returns:
            The path of the checkpoint, or None where it could not be written; a warning says why.

        Raises:
            RuntimeError: the run has no output folder, or has failed.
        """
        if self.folder is None:
            raise RuntimeError("this run has no output folder; give it one: Run(…, output=…)")
        if self.state == "failed":
            raise RuntimeError("this run has failed; its last good checkpoint is kept")
        if self.is_alive:
            return self._request(self._save)
        with self.folder.claimed(self.step):
            return self._save()

    def set(self, **settings: float) -> None:
        """Change settings from the next step on.

        Args:
            settings: ``color_weight`` (the λ of L1), ``generator_rate`` and ``discriminator_rate``
                (until the stage ends), ``sample_every``.

        Raises:
            ValueError: no such setting, or a value that it can't have.
            RuntimeError: the run goes over several processes.
        """
        self._require_one_process("set")
        values = {name: checked(name, value) for name, value in settings.items()}

        def act() -> None:
            for name, value in values.items():
                self._record(Change(self.step + 1, name, value))

        self._request(act)

    @property
    def best_generator(self) -> torch.nn.Module:
        """The generator to color with; see ``colorlab.training.Trainer``."""
        return self.trainer.best_generator

    def __repr__(self) -> str:
        return f"<Run {self.recipe.name}: {self.state}, step {self.step} of {self.recipe.steps}>"

    # --- the thread --------------------------------------------------------------------------

    def _job(self) -> str:
        try:
            with self._history_file():
                self._train()
                if self._last_checkpoint[1] != self.step or not self.step:  # stopped within a stage
                    self._save()
                if self.folder is not None and self.is_main:
                    self.folder.close()
        finally:
            if self.folder is not None:
                self.folder.lock.release()
        # What is not on the disk is not finished: once there is room, save() can be tried again.
        return "finished" if self.step == self.recipe.steps and self._is_saved else "stopped"

    def _train(self) -> None:
        watch = BalanceWatch()
        before = 0
        for number, stage in enumerate(self.recipe.stages):
            end = before + stage.steps
            if self.step < end:
                self._begin_stage(before)
                batches = self.feed.batches(
                    number, stage, self.step - before, self.trainer.accelerator
                )
                try:
                    self._train_stage(number, before, batches, watch)
                finally:
                    batches.close()
                if self.step < end:
                    return
                self._end_stage(number)
            before = end

    def _train_stage(
        self, number: int, before: int, batches: Iterator[Tensor], watch: BalanceWatch
    ) -> None:
        stage = self.recipe.stages[number]
        while self.step < before + stage.steps:
            self._between_steps()
            if self._stops_here():
                return
            began = time.monotonic()
            for change in self.changes.at(self.step + 1):  # known already in a run that is resumed
                self._apply(change)
            share = stage.schedule_at(self.step - before)
            self.trainer.set_rates(
                share * self._rates.get("generator_rate", stage.generator_rate),
                share * self._rates.get("discriminator_rate", stage.discriminator_rate),
            )
            row = {"step": self.step + 1, "stage": number, **self._step(stage, next(batches))}
            self.step += 1
            pictures = self._sample(row)
            self.history.append(row)
            self.times.append(self.seconds + time.monotonic() - began)
            self._notify("step", **row)
            if pictures is not None:
                path = self.folder and self.folder.write_sample(pictures, self.step)
                self._notify("sample", held_out=row["held_out"], pictures=pictures, path=path)
            if message := watch(row):
                self.warn(message)
            self._end_epoch(stage)
            if self.step < before + stage.steps:  # the end of a stage has its own
                self._save_in_turn()

    def _step(self, stage: Stage, batch: Tensor) -> dict[str, float]:
        try:
            losses = self.trainer.step(stage.kind, self.step + 1, batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)  # they hold the batch's activations
            problem = str(error).splitlines()[0]
        else:
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise TrainingDiverged(self._diverged(f"the {name} loss became {value}"))
            return losses
        raise OutOfMemory(self._too_large(stage, batch, problem))

    def _stops_here(self) -> bool:
        """Whether the run stops before the next step.

        Several processes agree on it: a signal may reach only one, or each at another moment, and
        a process that took the next step without the others would wait for them in vain.
        """
        if self.processes == 1:
            return self._stop_wanted
        stop = torch.tensor([float(self._stop_wanted)], device=self.trainer.device)
        return self.trainer.accelerator.reduce(stop, "sum").item() > 0

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self.times[-1] if self.times else 0.0

    # --- settings ----------------------------------------------------------------------------

    def _record(self, change: Change) -> None:
        if self.is_main:
            try:
                self.changes.add(change)
            except OSError as error:
                self.warn(
                    f"the change of {change.name} could not be written down ({error}); a run that "
                    f"is resumed won't know it unless a checkpoint was written since"
                )
        self._apply(change)
        self._notify("change", name=change.name, value=change.value)

    def _apply(self, change: Change) -> None:
        if change.name == "color_weight":
            self.trainer.color_weight = change.value
        elif change.name == "sample_every":
            self.sample_every = int(change.value)
        elif change.name != "epoch":
            self._rates[change.name] = change.value

    def _begin_stage(self, before: int) -> None:
        """Its own rates hold again, but for changes since it began (in a run that is resumed)."""
        self._rates = {}
        for change in self.changes.changes:
            if before < change.step <= self.step:
                self._apply(change)

    def _end_epoch(self, stage: Stage) -> None:
        """After the last batch of an epoch: say so, and ask, where the recipe wants it."""
        photos = len(self.photos)
        seen = self.feed.photos_seen(self.step)
        epoch = seen // photos
        if epoch == (seen - stage.batch_size) // photos:
            return
        steps = min(math.ceil(photos / stage.batch_size), len(self.history))
        means = mean_losses(self.history[-steps:])
        self._notify("epoch", epoch=epoch, **means)
        if not self.recipe.optimization.ask_each_epoch or self.changes.epoch_is_decided(epoch):
            return
        optimizers = (self.trainer.optimizer_g, self.trainer.optimizer_d)
        rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        decision = self._ask(EpochQuestion(epoch, self.step, means, *rates, self._decision_wanted))
        for name in ("generator_rate", "discriminator_rate"):
            if (value := getattr(decision, name)) is not None:
                self._record(Change(self.step + 1, name, checked(name, value)))
        self._record(Change(self.step + 1, "epoch", epoch))
        if decision.save:
            self._save()

    def _ask(self, question: EpochQuestion) -> Decision:
        """On the first process; the others get its decision."""
        decision = Decision()
        if self.ask is not None and self.is_main:
            self._enter("asking")
            decision = self.ask(question)
            self._enter("running")
        if self.processes > 1:
            from accelerate.utils import broadcast_object_list

            decision = broadcast_object_list([decision])[0]
        return decision

    def _decision_wanted(self) -> bool:
        """Called again and again while the question waits for its decision."""
        self._serve()
        return not self._stop_wanted

    def _sample(self, row: dict) -> list[Tensor] | None:
        """Color the held-out photos, when it is time; the loss goes into ``row``."""
        last = self.step == self.recipe.steps
        if self.held_out is None or not (self.step % self.sample_every == 0 or last):
            return None
        if not self.is_main:
            return None
        inputs, target = self.trainer.split(self.held_out)
        prediction = self.trainer.colorize(inputs, self.recipe.seed)
        row["held_out"] = self._score = F.l1_loss(prediction, target).item()
        gray = gray_prediction(inputs, self.recipe.generator.predicts)
        return [self.trainer.picture(inputs, colors) for colors in (gray, prediction, target)]

    # --- what is written ---------------------------------------------------------------------

    def _save_in_turn(self) -> None:
        last, step = self._last_checkpoint
        if self.checkpoint_every is None:
            due = time.monotonic() - last > 60 * self.checkpoint_minutes
        else:
            due = self.step % self.checkpoint_every == 0
        if due and step != self.step:
            self._save()

    def _save(self) -> Path | None:
        """The checkpoint and the weights. A disk that fails is a warning: the run goes on."""
        if self.folder is None or not self.is_main:
            return None
        self._last_checkpoint = (time.monotonic(), self.step)
        tensors, facts = self.trainer.state()
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise TrainingDiverged(self._diverged(f"{name} holds NaN or infinity"))
        facts |= {
            "step": self.step,
            "recipe": self.recipe.to_json(),
            "photos": fingerprint(self.photos),
            "precision": self.trainer.precision,
            "changes": [vars(change) for change in self.changes.changes],
            "score": self._score,
        }
        # The weights first: a run that is killed in between writes them again when it is resumed.
        self.folder.save_weights("weights", self.best_generator, self.recipe, self.step)
        path = self.folder.save(facts, tensors, self.history, self.times)
        self._is_saved = path is not None
        if path is not None:
            self._notify("checkpoint", path=path)
        return path

    def _end_stage(self, number: int) -> None:
        if self.folder is not None and self.is_main:
            name = f"weights-stage-{number}"
            self.folder.save_weights(name, self.best_generator, self.recipe, self.step)
            self._save()

    def _go_back_to(self, found: Found) -> None:
        """Continue where the checkpoint was written."""
        self.trainer.load_state(found.tensors, found.facts)
        self.step = found.facts["step"]
        self.history, self.times = found.history, found.seconds
        self._score = found.facts["score"]
        self._last_checkpoint = (time.monotonic(), self.step)
        self.changes.merge([Change(**change) for change in found.facts["changes"]])
        for change in self.changes.changes:
            if change.step <= self.step:
                self._apply(change)
        for what, now in (
            ("photos", fingerprint(self.photos)),
            ("precision", self.trainer.precision),
        ):
            if found.facts[what] != now:
                self.warn(
                    f"the {what} were {found.facts[what]} when {found.path.name} was written and "
                    f"are {now} now: the run goes on, but not as it would have gone"
                )
        self.state = "finished" if self.step == self.recipe.steps else "stopped"

    # --- what is reported --------------------------------------------------------------------

    def _notify(self, kind: str, **data: Any) -> None:
        if self.is_main:
            self.listeners.notify(Event(kind, self.step, self.seconds, data), self.warn)

    def _history_file(self) -> AbstractContextManager:
        if self.output is None or not self.is_main:
            return nullcontext()
        rows = list(zip(self.history, self.times, strict=True))
        return self.listeners.history_file(self.output / "history.csv", rows, self.warn)

    def warn(self, message: str) -> None:
        """Print a warning, where no listener shows it, and send it to all of them."""
        if not self.listeners.show("warnings"):
            print(f"warning at step {self.step}: {message}", file=sys.stderr)
        self._notify("warning", message=message)

    @property
    def _shows_failures(self) -> bool:
        """Whether a listener shows failures too, as a board does and a bar does not."""
        return self.listeners.show("failures")

    def _state_changed(self) -> None:
        self._notify("state", state=self.state, name=self.recipe.name, steps=self.recipe.steps)

    # --- what goes wrong ---------------------------------------------------------------------

    def _attach(self, recipe: Recipe) -> None:
        """A live run was made once more, as by a notebook's cell that runs again."""
        if lines := differences(self.recipe, recipe):
            raise FolderInUse(
                f"a live run of this process trains another recipe into {self.output}:\n  "
                + "\n  ".join(lines)
                + "\nStop it (run.stop()), or name another output folder."
            )
        print(f"{self.output} has a live run, at step {self.step} of {recipe.steps}: here it is")

    def _diverged(self, what: str) -> str:
        kept = None if self.folder is None else self.folder.newest_path()
        return (
            f"{what} at step {self.step + 1}. Usual causes: a learning rate that is too high, a "
            f"loss with too much weight, fp16 without its scaler, or photos that are broken. "
            + (f"The last good checkpoint is kept: {kept}." if kept else "Nothing was kept.")
        )

    def _too_large(self, stage: Stage, batch: Tensor, problem: str) -> str:
        """Tries smaller batches, so that the advice is true. The networks are lost by it, which
        they were anyway: a step broke off in the middle."""
        begin = (
            f"memory on {self.trainer.device} did not suffice for a batch of {stage.batch_size} at "
            f"{stage.image_size} pixels, at step {self.step + 1} ({problem})."
        )
        size = self.trainer.batch_that_fits(stage.kind, self.step + 1, batch)
        if size:
            return f"{begin} A batch of {size} fits: change stage.batch_size, and resume anew."
        return f"{begin} Take smaller batches, smaller pictures, or smaller networks."

    def _require_one_process(self, what: str) -> None:
        if self.processes > 1:
            raise RuntimeError(f"{what}: a run over several processes can only be stopped")
