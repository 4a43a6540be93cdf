"""A forecast drawn with characters, for the terminal."""

from collections.abc import Sequence

import plotext
from rich.text import Text

HEIGHT = 20
"""lines"""
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
    figure.ruler("x").ticks(hours[::24], [stamp[:10] for stamp in stamps[::24]])
    figure.ruler("y").lim(min(0.0, *lower), None)
    return Text.from_ansi(figure.build().string())
