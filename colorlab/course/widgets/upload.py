"""Upload a photo from the learner's own machine, and see it colored."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image

from colorlab.course.widgets._bundle import Playable, text_picture
from colorlab.course.widgets.compare import CompareSlider
from colorlab.show import to_gray

LARGEST_PREVIEW = 512  # pixels; the photo itself is colored at full size


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """The files in a FileUpload's ``value`` as (name, content), in the order of the upload.

    ipywidgets 8 gives a tuple of dicts with "name" and "content" (a memoryview); ipywidgets 7 a
    dict from the name to a dict with "content" (bytes). Raises TypeError for anything else.
    """
    if isinstance(value, dict):
        return [(_base(name), bytes(entry["content"])) for name, entry in value.items()]
    if isinstance(value, tuple | list):
        return [(_base(entry["name"]), bytes(entry["content"])) for entry in value]
    raise TypeError(
        "Expected the .value of an ipywidgets FileUpload (a tuple in version 8, a dict in 7), "
        f"not {type(value).__name__}."
    )


def read_upload(name: str, content: bytes) -> Image.Image:
    """The photo in a file's bytes, read as `colorlab.photos.open_photo` reads one from disk.

    Raises PhotoError, whose message names the file as the learner knows it.
    """
    from colorlab.photos.files import PhotoError, open_photo

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"  # what the file is, its content says
        path.write_bytes(content)
        try:
            return open_photo(path)
        except PhotoError as error:
            raise PhotoError(str(error).replace(str(path), name)) from error


class PhotoUpload(Playable):
    """A button that uploads photos, and a before/after slider for each of them.

        upload = PhotoUpload(colorizer.colorize)
        upload.results[0][1].save("mine.png")   # later, in another cell

    Args:
        colorize: a function from a Pillow image to the colored one of the same size.
        labels: for before and after.

    `results` holds (name, colored image) of what has been uploaded last, at full size. What goes
    wrong with a file is said in the widget under the file's name; the other files go on.
    """

    def __init__(
        self,
        colorize: Callable[[Image.Image], Image.Image],
        labels: tuple[str, str] = ("gray input", "ours"),
    ) -> None:
        self.colorize = colorize
        self.labels = labels
        self.results: list[tuple[str, Image.Image]] = []
        self.sliders: list[CompareSlider] = []
        self.button = widgets.FileUpload(
            accept="image/*",
            multiple=True,
            description="Upload photos",
            layout=widgets.Layout(width="180px"),
        )
        self.message = widgets.HTML()
        self._say("JPEG, PNG, WebP or TIFF. A large file takes a while to arrive.")
        self.previews = widgets.VBox([])
        self.box = widgets.VBox([self.button, self.message, self.previews])
        self.button.observe(self._receive, names="value")

    def picture(self) -> np.ndarray:
        """The first comparison, or what to do where there is none yet: uint8 (H, W, 3)."""
        if self.sliders:
            return self.sliders[0].picture()
        return text_picture("Upload photos\nOpen this notebook in Jupyter to color your own.")

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.results)
        return f"PhotoUpload({names or 'nothing uploaded yet'})"

    def _receive(self, change: Any) -> None:
        # An exception in here would go to a log that nobody looks at, so each file's is shown.
        files = uploaded_files(change["new"])
        if not files:
            return
        self.results, self.sliders = [], []
        self.previews.children = ()
        said: list[str] = []
        for name, content in files:
            self._say(*said, f"Coloring {name} …")
            try:
                said.append(self._color(name, content))
            except Exception as error:
                text = str(error) or type(error).__name__
                said.append(text if name in text else f"{name}: {text}")
        self._say(*said)

    def _color(self, name: str, content: bytes) -> str:
        photo = read_upload(name, content)
        colored = self.colorize(photo)
        # The gray of a large photo is only looked at: reduce first, convert then.
        small = photo.copy()
        small.thumbnail((LARGEST_PREVIEW, LARGEST_PREVIEW))
        slider = CompareSlider(
            to_gray(small),
            colored.resize(small.size, Image.Resampling.LANCZOS),
            self.labels,
            alt=f"{name}: left of the line {self.labels[0]}, right of it {self.labels[1]}.",
        )
        self.results.append((name, colored))
        self.sliders.append(slider)
        self.previews.children = (*self.previews.children, slider.box)
        width, height = photo.size
        return f"{name}: {width} × {height} pixels."

    def _say(self, *lines: str) -> None:
        text = "<br>".join(html.escape(line) for line in lines)
        self.message.value = f'<div style="line-height: 1.4">{text}</div>'


def _base(name: str) -> str:
    """The last part of a file's name: some browsers send a path."""
    return PurePosixPath(str(name).replace("\\", "/")).name or "upload"
