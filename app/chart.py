"""A forecast drawn with characters, for the terminal."""

from collections.abc import Sequence
from itertools import chain

import plotext
from rich.text import Text

HEIGHT = 20
TRUTH, FORECAST, INTERVAL = "orange+", "blue+", "gray"


def forecast_chart(
    hours: Sequence[str],
    forecast: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    truth: Sequence[float],
    width: int,
) -> Text:
    """Draw forecast, interval and truth over whole days of hours; `hours` are ISO timestamps."""
    figure = plotext.figure
    figure.clear.all()
    figure.canvas("default")
    figure.plot_size(width, HEIGHT)
    steps = list(range(len(hours)))
    ends = list(chain.from_iterable(zip(lower, upper, strict=True)))
    for x, low, high in zip(steps, lower, upper, strict=True):
        figure.draw(figure.signal([x, x], [low, high], marker="braille").lines())
    figure.draw(figure.signal(steps, list(forecast)).lines().label("forecast"))
    figure.draw(figure.signal(steps, list(truth)).lines().label("what happened"))
    days = steps[::24]
    figure.ruler("x").ticks(days, [hours[day][:10] for day in days])
    return Text.from_ansi(figure.build().string())
