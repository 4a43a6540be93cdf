"""A picture of all families, a row a family: `python -m models.training.synthetic.contact_sheet FILE`.

`docs/pictures/synthetic.png` is made by it.
"""

import argparse
from pathlib import Path

import numpy as np

from models.training.synthetic.mixture import FAMILIES

COLUMNS = 16
"""series of each family"""
STEPS = 512
"""of a series: a context of a network, and seasons of a week can still be seen"""
CELL = (1.0, 0.62)
"""width and height of a series in inches; all of them fit on a screen"""
RESOLUTION = 90
"""dots an inch"""


def draw_sheet(path: Path, seed: int = 0) -> None:
    """Draw series of all families, as they are before augmentation, into a PNG file."""
    from matplotlib.figure import Figure  # nothing else here draws, and what generates loads nothing heavy

    rng = np.random.default_rng(seed)
    figure = Figure((COLUMNS * CELL[0], len(FAMILIES) * CELL[1]), layout="constrained")
    axes = figure.subplots(len(FAMILIES), COLUMNS, squeeze=False)
    for row, family in zip(axes, FAMILIES, strict=True):
        row[0].set_title(family.name, fontsize=7, loc="left", pad=2)
        for axis, series in zip(row, family.generate(rng, COLUMNS, STEPS), strict=True):
            axis.plot(series, linewidth=0.5)
            axis.set_axis_off()
    figure.savefig(path, dpi=RESOLUTION)


def main() -> None:
    """Read the name of the file and draw."""
    parser = argparse.ArgumentParser(description="Draw synthetic series of all families.")
    parser.add_argument("file", type=Path, help="PNG file to write")
    draw_sheet(parser.parse_args().file)


if __name__ == "__main__":
    main()
