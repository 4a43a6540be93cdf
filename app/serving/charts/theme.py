"""Style of charts: colours of the light and the dark theme, and settings of matplotlib. Runs in the drawing process."""

import logging
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb

DPI = 96
"""pixels an inch, as in CSS"""
SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "font.size": 8.5,
    "text.parse_math": False,  # users' text is drawn as it is written
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-5, 7),
    "axes.unicode_minus": True,
    "svg.fonttype": "none",  # text stays text: small, selectable, and in any script that the viewer's fonts have
    "svg.hashsalt": "gatecast",
    "path.simplify": True,
}
STRONGEST = 0.6
"""opacity of all intervals on top of each other"""


@dataclass(frozen=True)
class Colours:
    """The colours of one theme."""

    background: str
    text: str
    muted: str
    grid: str
    history: str
    forecast: str
    later: str


COLOURS = {
    "light": Colours("#ffffff", "#17212b", "#5b6875", "#e4e9ee", "#44515e", "#1565c0", "#c4570c"),
    "dark": Colours("#10161d", "#e9eef3", "#93a1af", "#222c37", "#b9c4cf", "#58a6ff", "#ffb066"),
}


def configure_matplotlib() -> None:
    """Configure matplotlib, so that pictures do not depend on the machine's settings."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    mpl.rcdefaults()
    mpl.rcParams.update(SETTINGS)


def compute_opacity(count: int) -> float:
    """Return the opacity of each of `count` nested intervals, so that all of them together stay below STRONGEST."""
    together = min(STRONGEST, 0.24 + 0.13 * (count - 1))
    return 1 - float((1 - together) ** (1 / count))


def blend(colours: Colours, count: int, depth: int) -> str:
    """Return the colour where `depth` of `count` intervals lie on top of each other."""
    visible = (1 - compute_opacity(count)) ** depth
    pairs = zip(to_rgb(colours.background), to_rgb(colours.forecast), strict=True)
    red, green, blue = (below * visible + above * (1 - visible) for below, above in pairs)
    return to_hex((red, green, blue))
