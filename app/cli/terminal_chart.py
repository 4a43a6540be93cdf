"""A forecast drawn with characters, for the terminal."""

from collections.abc import Sequence
from datetime import date
from math import floor, log10

import plotext
from rich.text import Text

HEIGHT = 20
"""lines"""
MARKS = 5
"""of the axis of values, at most, without the zero"""
LEGEND = "▚ forecast   ░ 80 % interval   • what happened"


def draw_forecast(
    stamps: Sequence[str],
    forecast: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    truth: Sequence[float],
    width: int,
) -> Text:
    """Draw hourly values. Every sequence has one value for each hour, and `stamps` begin at midnight."""
    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")  # the terminal's colours, dark or light; only the signals have others
    figure.canvas("default")
    figure.plot_size(width, HEIGHT)
    figure.title(LEGEND)
    hours = list(range(len(stamps)))
    band = plotext.marker("░", "gray")
    for hour, low, high in zip(hours, lower, upper, strict=True):
        figure.draw(figure.signal([hour, hour], [low, high], marker=band).lines().density("full"))
    figure.draw(figure.signal(hours, list(forecast), marker=plotext.marker("hd", "blue+")).lines())
    figure.draw(figure.signal(hours, list(truth), marker=plotext.marker("•", "orange+")))
    figure.ruler("x").ticks(hours[::24], [f"{date.fromisoformat(stamp[:10]):%a %d}" for stamp in stamps[::24]])
    top = max(*upper, *truth)
    figure.ruler("y").lim(min(0.0, *lower), top)
    marks = list(range(0, int(top) + 1, _choose_step(top)))
    figure.ruler("y").ticks(marks, list(map(str, marks)))
    return Text.from_ansi(figure.build().string())


def _choose_step(top: float) -> int:
    """Choose the distance of the marks of an axis that ends at `top`: a round number that makes at most MARKS."""
    decade = int(10 ** max(0, floor(log10(max(top, 1) / MARKS))))
    return next(step for step in (decade, 2 * decade, 5 * decade, 10 * decade) if top <= MARKS * step)
