"""Records the runs of lesson 06's failure museum: eight with a mistake, two without.

    python data/lessons/museum.py [NAME ...] [-o museum]

Each run takes about a minute on a free core (`OMP_NUM_THREADS=1`), all a quarter of an hour. It
prints what the curves show, and whether each piece is told from the others by its signs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from colorlab.course.museum import exhibits
from colorlab.course.museum.diary import Diary
from colorlab.course.museum.symptoms import Figures


def told(name: str, figures: Figures) -> str:
    return (
        f"{name:<14} D right on {figures.accuracy_real:.2f} / {figures.accuracy_fake:.2f}, losses "
        f"G {figures.loss_g:.2f} D {figures.loss_d:.2f}, error in training {figures.early:.1f} to "
        f"{figures.learned:.1f}, held-out {figures.error:.1f} (gray {figures.gray_error:.1f}), "
        f"chroma {figures.chroma:.2f}, spread {figures.spread:.1f}, leap {figures.leap:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(exhibits.RUNS)}")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_suffix(""))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    for name in options.names or exhibits.RUNS:
        diary = exhibits.record(name)
        if diary.steps[-1] != exhibits.STEPS:
            raise SystemExit(f"{name} was stopped after {diary.steps[-1]} steps; nothing written")
        path = diary.save(options.output / f"{name}.npz")
        seconds, size = diary.notes["seconds"], path.stat().st_size / 1000
        print(f"{told(name, Figures.of(diary))}; {seconds} s, {size:.0f} kB", flush=True)

    paths = {name: options.output / f"{name}.npz" for name in exhibits.RUNS}
    if not all(path.is_file() for path in paths.values()):
        return
    figures = {name: Figures.of(Diary.load(path)) for name, path in paths.items()}
    for name, piece in exhibits.PIECES.items():
        both = figures[name], figures[piece.beside]
        looks = [one.name for one in exhibits.PIECES.values() if one.shows(*both)]
        print(f"{name} looks like {' and '.join(looks) or 'nothing'}")


if __name__ == "__main__":
    main()
