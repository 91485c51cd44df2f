"""The photos of a run: batches for each stage, and a fixed few to look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from colorlab.photos.batches import ahead, photo_loader
from colorlab.photos.folder import PhotoFolder
from colorlab.photos.packed import PackedPhotos, is_packed
from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training.seeds import seed_of

if TYPE_CHECKING:
    from accelerate import Accelerator

SAMPLE_PHOTOS = 8
GLIMPSE = 1024  # photos by which a run knows how often each color occurs
MEMORY_SHARE = 0.5  # of the memory that is free when a stage begins, for its photos


def data_set(photos: Any) -> Any:
    """Folders of photos, or one packed folder, as a data set; a data set as it is.

    Raises:
        ValueError: a packed folder together with others.
    """
    if hasattr(photos, "holds"):
        return photos
    folders = [photos] if isinstance(photos, (str, os.PathLike)) else list(photos)
    packed = [folder for folder in folders if is_packed(folder)]
    if not packed:
        return PhotoFolder(folders)
    if len(folders) > 1:
        raise ValueError(
            f"{packed[0]} is a packed folder, and such a one can't be read together with others; "
            f"pack them all into one: colorlab pack DIR DIR -o OUT"
        )
    return PackedPhotos(packed[0])


def fingerprint(photos: Any) -> str:
    """Identify a set of photos.

    By their number, a hash of their names, and the size to which packing reduced them.
    """
    names = blake2b(digest_size=6)
    for name in photos.names:
        names.update(f"{name}\0".encode(errors="surrogateescape"))  # a name need not be UTF-8
    reduced = getattr(photos, "reduced_to", None)
    ending = "" if reduced is None else f" reduced to {reduced}"
    return f"{len(photos)} photos {names.hexdigest()}{ending}"


class Feed:
    """Deals the photos of ``photos`` out to the stages of ``recipe``.

    Args:
        threads: threads that read beside the training.
        keep: keep decoded photos in memory, as many as fit.
    """

    def __init__(self, recipe: Recipe, photos: Any, threads: int = 2, keep: bool = True):
        self.recipe, self.photos, self.threads, self.keep = recipe, photos, threads, keep

    def batches(
        self, number: int, stage: Stage, done: int, accelerator: Accelerator
    ) -> Iterator[Tensor]:
        """The batches of stage ``number``, but for the first ``done``: uint8, this process's share.

        Together they are one draw of steps × batch_size photos, in an order and with crops that
        the recipe's seed and the stage's number decide.
        """
        from accelerate.data_loader import prepare_data_loader, skip_first_batches

        photos = self.photos.at(
            stage.image_size,
            augment=True,
            scale=self.recipe.data.scale,
            keep=self._memory(accelerator.num_processes),
            threads=self.threads,
        )
        order = torch.Generator().manual_seed(seed_of(self.recipe.seed, "order", number))
        loader = photo_loader(
            photos,
            stage.batch_size,
            generator=order,
            weights=None if stage.balance == 1 else photos.weights(stage.balance),
            samples=stage.steps * stage.batch_size,
        )
        # Not the accelerator's own method: it would keep each stage's photos in memory to the end.
        loader = prepare_data_loader(
            loader,
            num_processes=accelerator.num_processes,
            process_index=accelerator.process_index,
            # A recipe's batch is that of all processes together: their number changes nothing.
            split_batches=True,
            rng_types=[],  # nothing is drawn from generators that the processes would have to share
        )
        return ahead(skip_first_batches(loader, done) if done else loader)

    def glimpse(self, count: int = GLIMPSE) -> Tensor:
        """Draw ``count`` photos as the first stage draws them, at half its size.

        They are the same ones in every process.
        """
        stage = self.recipe.stages[0]
        loader = photo_loader(
            self.photos.at(stage.image_size // 2, augment=False, threads=self.threads),
            count,
            generator=torch.Generator().manual_seed(seed_of(self.recipe.seed, "glimpse")),
            weights=None if stage.balance == 1 else self.photos.weights(stage.balance),
            samples=count,
        )
        return next(iter(loader))

    def _memory(self, processes: int) -> int:
        """Bytes for decoded photos; the processes of one machine share them."""
        if not self.keep:
            return 0
        import psutil

        here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
        return int(psutil.virtual_memory().available * MEMORY_SHARE / here)

    def photos_seen(self, steps: int) -> int:
        """How many photos were shown in the first ``steps`` steps of the run."""
        seen = 0
        for stage in self.recipe.stages:
            taken = min(steps, stage.steps)
            seen, steps = seen + taken * stage.batch_size, steps - taken
        return seen

    def held_out(self, validation: Any) -> Tensor:
        """A fixed batch of validation photos, spread over the folder.

        Raises:
            ValueError: they are none, or not in the form of the training photos.
        """
        if validation.holds != self.photos.holds:
            raise ValueError(
                f"the validation photos are {validation.holds!r} and the training photos "
                f"{self.photos.holds!r}; give both in the same form"
            )
        if not len(validation):
            raise ValueError(
                "the validation set holds no photo; a tenth of a few photos may be none at all: "
                "give more photos, or a validation set of their own"
            )
        photos = validation.at(self.recipe.stages[-1].image_size, augment=False)
        count = min(SAMPLE_PHOTOS, len(photos))
        return torch.stack([photos[i * len(photos) // count] for i in range(count)])
