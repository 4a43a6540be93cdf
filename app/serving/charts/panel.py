"""One panel of a chart: a series' history and forecast, or why it has none. Runs in the drawing process."""

import textwrap
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from app.serving.charts.picture import ChartForecast, ChartPanel, ChartPoints, Values
from app.serving.charts.theme import Colours, compute_opacity
from models.arrays import Floats

DAY_US = 86_400_000_000
LARGEST = 1e300
"""magnitude beyond which matplotlib cannot draw an axis"""
FEW = 3
"""number of values up to which each gets a mark, since their line is hardly visible"""
NOTE_LETTER = 6.5
"""approximate pixels of a letter"""
NOTE_LINES = 4
NOTE_ROOM = 0.3
"""share of the panel's height that is left free for a note"""
LONGEST_UNIT = 24
"""characters"""


def draw_panel(axes: Axes, panel: ChartPanel, number: int, colours: Colours, width: float) -> None:
    """Draw one series on about `width` pixels. The ids of groups in the SVG end with the panel's `number`."""
    _style_axes(axes, panel, number, colours)
    note = panel.note
    if not _is_drawable(panel):
        note = "the values are too large to draw"
    elif panel.forecast is not None or panel.history.ts:
        _draw_line(axes, panel.history, f"history-{number}", colours.history, colours)
        if panel.forecast is not None:
            _draw_forecast(axes, panel.forecast, panel.history, number, colours)
        if panel.later.ts:
            _draw_marks(axes, panel.later, f"later-{number}", colours)
        axes.margins(x=0.01, y=0.08)
        if note:
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + NOTE_ROOM * (high - low))
    else:
        axes.set_axis_off()
    if note:
        _draw_note(axes, note, number, colours, width, centred=not axes.has_data())


def _style_axes(axes: Axes, panel: ChartPanel, number: int, colours: Colours) -> None:
    axes.set_facecolor(colours.background)
    axes.grid(True, color=colours.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(colours.muted)
    axes.spines["bottom"].set_linewidth(0.7)
    axes.tick_params(colors=colours.muted, length=0, labelsize=8)
    axes.tick_params(axis="x", length=3, width=0.7)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.get_offset_text().set_color(colours.muted)
    if panel.unit:
        unit = panel.unit if len(panel.unit) <= LONGEST_UNIT else f"{panel.unit[: LONGEST_UNIT - 1]}…"
        axes.set_ylabel(unit, color=colours.muted, fontsize=8.5, gid=f"unit-{number}")
    zone = ZoneInfo(panel.timezone)
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_DateLabels(locator, zone, panel.timezone))
    axes.xaxis.get_offset_text().set(color=colours.muted, fontsize=7.5, gid=f"timezone-{number}")


class _DateLabels(ConciseDateFormatter):
    """Labels of dates; the text that they have in common is followed by the timezone."""

    FORMATS = ("%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f")
    ZERO_FORMATS = ("", "%Y", "%b", "%d %b", "%H:%M", "%H:%M")
    OFFSET_FORMATS = ("", "%Y", "%Y", "%d %b %Y", "%d %b %Y", "%d %b %Y %H:%M")

    def __init__(self, locator: AutoDateLocator, zone: ZoneInfo, name: str) -> None:
        super().__init__(locator, zone, list(self.FORMATS), list(self.OFFSET_FORMATS), list(self.ZERO_FORMATS))
        self._name = name

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        return super().format_ticks(values) if len(values) else []

    def get_offset(self) -> str:
        common = super().get_offset()
        return f"{common} · {self._name}" if common else self._name


def _convert_to_days(ts: list[int]) -> Floats:
    return np.array(ts, np.int64) / DAY_US


def _convert_values(y: Values) -> Floats:
    return np.array(y, np.float64)  # None becomes NaN


def _draw_line(axes: Axes, points: ChartPoints, name: str, colour: str, colours: Colours) -> None:
    """Draw values with gaps. A value between two gaps makes no line and gets a mark; so do all of a few values."""
    x = _convert_to_days(points.ts)
    y = _convert_values(points.y)
    axes.plot(x, y, color=colour, linewidth=1.4, gid=name, zorder=3, solid_joinstyle="round")
    present = np.concatenate([[False], ~np.isnan(y), [False]])
    marked = present[1:-1] & ~present[:-2] & ~present[2:] if present.sum() > FEW else present[1:-1]
    if marked.any():
        axes.plot(
            x[marked],
            y[marked],
            color=colour,
            linestyle="none",
            marker="o",
            markersize=3,
            gid=f"marks-{name}",
            zorder=3,
        )


def _draw_marks(axes: Axes, points: ChartPoints, name: str, colours: Colours) -> None:
    """Draw the values observed after the origin."""
    x = _convert_to_days(points.ts)
    y = _convert_values(points.y)
    size = 4.0 if len(x) <= 60 else 2.0
    axes.plot(x, y, color=colours.later, linewidth=0.9, marker="o", markersize=size, gid=name, zorder=5)


def _draw_forecast(axes: Axes, forecast: ChartForecast, history: ChartPoints, number: int, colours: Colours) -> None:
    """Draw intervals and median. They begin at the observed value of the origin, if the history shows it."""
    origin_value = history.y[-1] if history.ts and history.ts[-1] == forecast.origin else None
    first = [] if origin_value is None else [origin_value]
    x = _convert_to_days([forecast.origin, *forecast.ts] if first else forecast.ts)
    strength = compute_opacity(len(forecast.intervals)) if forecast.intervals else 0.0
    for interval in forecast.intervals:
        axes.fill_between(
            x,
            _convert_values([*first, *interval.low]),
            _convert_values([*first, *interval.high]),
            color=colours.forecast,
            alpha=strength,
            linewidth=0,
            gid=f"interval-{interval.percent:g}-{number}",
            zorder=2,
        )
    for level in forecast.levels:
        y = _convert_values([*first, *level.y])
        axes.plot(x, y, color=colours.forecast, linewidth=0.9, linestyle=":", gid=f"quantile-{level.level:g}-{number}")
    mark: dict[str, Any] = {"marker": "o", "markersize": 3} if len(forecast.ts) <= FEW else {}
    axes.plot(
        x,
        _convert_values([*first, *forecast.median]),
        color=colours.forecast,
        linewidth=1.9,
        gid=f"median-{number}",
        zorder=4,
        **mark,
    )
    axes.axvline(
        forecast.origin / DAY_US,
        color=colours.muted,
        linewidth=0.9,
        linestyle=(0, (4, 3)),
        gid=f"origin-{number}",
        zorder=2.5,
    )


def _is_drawable(panel: ChartPanel) -> bool:
    """Say whether matplotlib can draw all values."""
    values = [*panel.history.y, *panel.later.y]
    if panel.forecast is not None:
        values += panel.forecast.median
        values += [v for part in panel.forecast.intervals for v in (*part.low, *part.high)]
        values += [v for part in panel.forecast.levels for v in part.y]
    return all(abs(v) < LARGEST for v in values if v is not None)


def _draw_note(axes: Axes, note: str, number: int, colours: Colours, width: float, *, centred: bool) -> None:
    lines = textwrap.wrap(note, max(20, int(width / NOTE_LETTER)), max_lines=NOTE_LINES, placeholder=" …")
    x, y, alignment = (0.5, 0.5, "center") if centred else (0.01, 0.97, "left")
    axes.text(
        x,
        y,
        "\n".join(lines),
        transform=axes.transAxes,
        ha=alignment,
        va="center" if centred else "top",
        color=colours.later,
        fontsize=8,
        bbox={"facecolor": colours.background, "edgecolor": "none", "alpha": 0.85, "pad": 2},
        gid=f"note-{number}",
        zorder=6,
    )
