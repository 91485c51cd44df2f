"""The lessons of the course, and the map that shows them all with a thumbnail each.

`LESSONS` is the one list of them: the README's table, the map and the lessons' own links to each
other are made from it or held against it by tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorlab.course.thumbnails import DRAWINGS, FAINT, HEIGHT, INK, PAPER, WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Lesson:
    """One notebook: what the learner builds in it, what to play with, and how long it takes."""

    number: str
    name: str
    title: str
    builds: str
    plays: str
    minutes: int

    @property
    def path(self) -> Path:
        """Where the notebook is, from the top of the checkout."""
        return Path("notebooks") / f"{self.number}_{self.name}.ipynb"

    @property
    def exercise_minutes(self) -> int:
        """What all its exercises take, as their labels say."""
        from colorlab.course.checks import exercises

        return sum(exercise.minutes for exercise in exercises(self.number))


LESSONS = (
    Lesson(
        "00",
        "first_colors",
        "First colors",
        "nothing yet: you color a photo of your own with the starter weights",
        "a before/after slider",
        10,
    ),
    Lesson(
        "01",
        "color_and_lab",
        "Color and Lab",
        "sRGB to linear light to XYZ to Lab, and back",
        "L, a and b of a photo; which colors a screen can show at each L",
        45,
    ),
    Lesson(
        "02",
        "photos_as_data",
        "Photos as data",
        "a data set: reading, cropping, splitting by photo, Lab on the device",
        "augmentation, channel statistics",
        40,
    ),
    Lesson(
        "03",
        "unet",
        "The U-Net",
        "the U-Net, block by block, trained with L1 alone until it turns brown",
        "cutting one skip connection after the other",
        60,
    ),
    Lesson(
        "04",
        "patchgan",
        "The PatchGAN",
        "the discriminator, and its receptive field by hand",
        "the receptive field laid over a photo, the map of patch scores",
        45,
    ),
    Lesson(
        "05",
        "objectives",
        "Objectives",
        "BCE, LSGAN, hinge, L1 and perceptual loss, after a GAN of one parameter",
        "the weight of L1; which loss pulls where",
        45,
    ),
    Lesson(
        "06",
        "adversarial_training",
        "Adversarial training",
        "the training step, then a run that can be watched, changed, killed and resumed",
        "the live board",
        75,
    ),
    Lesson(
        "07",
        "speed_and_scale",
        "Speed and scale",
        "a faster step: half precision, channels-last, compile, several processes",
        "the profile; predicted and measured speed",
        60,
    ),
    Lesson(
        "08",
        "better_generators",
        "Better generators",
        "a U-Net on a pretrained encoder; color as a distribution; the user's hints",
        "the temperature; clicking a color onto a photo",
        60,
    ),
    Lesson(
        "09",
        "measuring_color",
        "Measuring color",
        "PSNR, SSIM, colorfulness and the Fréchet distance, each with its interval",
        "real or fake? you are the judge; where two numbers disagree",
        45,
    ),
    Lesson(
        "10",
        "ship_it",
        "Ship it",
        "the guided filter, weights in eight bits, a clip without flicker; and a page of your own",
        "how color comes to full size; a clip in two colorings; the page itself",
        45,
    ),
)

COLUMNS = 4


def course_map(colored: Any = None) -> Figure:
    """All lessons at a glance: a thumbnail each, with number, title and minutes below it.

    Args:
        colored: a picture in color of any kind that `show.to_uint8` takes, such as the learner's
            own result; it stands in the thumbnails of lessons 00 and 10 instead of a test photo.

    Returns the figure, 9 inches wide, closed for pyplot, so that a notebook shows it once.
    Raises `DataMissing` outside a checkout.
    """
    # Not `Figure()`: pyplot is what makes a notebook's kernel draw figures as pictures.
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    # In inches, so that thumbnails are of one size and text is of the size that it says.
    width, margin, gap, text_room = 9.0, 0.08, 0.17, 0.56
    cell = (width - 2 * margin - (COLUMNS - 1) * gap) / COLUMNS
    cell_height = cell * HEIGHT / WIDTH
    lines = -(-(len(LESSONS) + 1) // COLUMNS)  # one cell more, for the sum
    height = 2 * margin + lines * (cell_height + text_room)
    figure = plt.figure(figsize=(width, height), facecolor="white")

    def place(index: int) -> tuple[float, float]:
        line, column = divmod(index, COLUMNS)
        top = height - margin - line * (cell_height + text_room)
        return margin + column * (cell + gap), top - cell_height

    for index, (lesson, draw) in enumerate(zip(LESSONS, DRAWINGS, strict=True)):
        left, bottom = place(index)
        axes = figure.add_axes(
            (left / width, bottom / height, cell / width, cell_height / height),
            xlim=(0, WIDTH),
            ylim=(HEIGHT, 0),
        )
        axes.set_axis_off()
        axes.add_patch(Rectangle((0, 0), WIDTH, HEIGHT, color=PAPER, linewidth=0, zorder=0))
        draw(axes, colored)
        time = f"{lesson.minutes} + {lesson.exercise_minutes} min"
        x, y = left / width, bottom / height
        figure.text(
            x,
            y - 0.08 / height,
            f"{lesson.number}  {lesson.title}",
            va="top",
            fontsize=10.5,
            weight="bold",
            color=INK,
        )
        figure.text(
            x,
            y - 0.28 / height,
            time,
            va="top",
            fontsize=9.5,
            color=FAINT,
        )
    left, bottom = place(len(LESSONS))
    sums = [
        sum(getattr(lesson, name) for lesson in LESSONS) for name in ("minutes", "exercise_minutes")
    ]
    lessons, exercises = (f"{total // 60} h {total % 60:02d}" for total in sums)
    figure.text(
        (left + cell / 2) / width,
        (bottom + cell_height / 2) / height,
        f"{len(LESSONS)} lessons\n{lessons} to read and play\n+ {exercises} of exercises",
        ha="center",
        va="center",
        fontsize=12,
        color=FAINT,
        linespacing=1.5,
    )
    plt.close(figure)
    return figure
