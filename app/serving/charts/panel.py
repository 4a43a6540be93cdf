"""One panel of a chart: a series' history and its forecast, or why there is none. Runs in the drawing process."""

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
"""beyond it matplotlib has no axis"""
FEW = 3
"""values that need a mark each, since a line of them is hardly seen"""
NOTE_LETTER = 6.5
"""pixels of a letter, about"""
NOTE_LINES = 4
NOTE_ROOM = 0.3
"""of the panel's height, above what is drawn"""
LONGEST_UNIT = 24
"""letters"""


def draw_panel(axes: Axes, panel: ChartPanel, at: int, colours: Colours, width: float) -> None:
    """Draw one series on about `width` pixels; groups of the SVG are named by what they are and `at`, the place of the
    panel."""
    _style_axes(axes, panel, at, colours)
    note = panel.note
    if not _is_drawable(panel):
        note = "the values are too large to be drawn"
    elif panel.forecast is not None or panel.history.ts:
        _draw_line(axes, panel.history, f"history-{at}", colours.history, colours)
        if panel.forecast is not None:
            _draw_forecast(axes, panel.forecast, panel.history, at, colours)
        if panel.later.ts:
            _draw_marks(axes, panel.later, f"later-{at}", colours)
        axes.margins(x=0.01, y=0.08)
        if note:
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + NOTE_ROOM * (high - low))
    else:
        axes.set_axis_off()
    if note:
        _draw_note(axes, note, at, colours, width, alone=not axes.has_data())


def _style_axes(axes: Axes, panel: ChartPanel, at: int, colours: Colours) -> None:
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
        axes.set_ylabel(unit, color=colours.muted, fontsize=8.5, gid=f"unit-{at}")
    zone = ZoneInfo(panel.timezone)
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_DateLabels(locator, zone, panel.timezone))
    axes.xaxis.get_offset_text().set(color=colours.muted, fontsize=7.5, gid=f"timezone-{at}")


class _DateLabels(ConciseDateFormatter):
    """Dates, with the timezone beside what they have in common."""

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
    """Draw values that have gaps. One between two gaps is no line, and gets a mark; so do few of them."""
    x, y = _convert_to_days(points.ts), _convert_values(points.y)
    axes.plot(x, y, color=colour, linewidth=1.4, gid=name, zorder=3, solid_joinstyle="round")
    seen = np.concatenate([[False], ~np.isnan(y), [False]])
    alone = seen[1:-1] & ~seen[:-2] & ~seen[2:] if seen.sum() > FEW else seen[1:-1]
    if alone.any():
        axes.plot(
            x[alone], y[alone], color=colour, linestyle="none", marker="o", markersize=3, gid=f"marks-{name}", zorder=3
        )


def _draw_marks(axes: Axes, points: ChartPoints, name: str, colours: Colours) -> None:
    """Draw what was observed after the origin."""
    x, y = _convert_to_days(points.ts), _convert_values(points.y)
    size = 4.0 if len(x) <= 60 else 2.0
    axes.plot(x, y, color=colours.later, linewidth=0.9, marker="o", markersize=size, gid=name, zorder=5)


def _draw_forecast(axes: Axes, told: ChartForecast, history: ChartPoints, at: int, colours: Colours) -> None:
    """Draw intervals and median. They begin in the value at the origin, which is known, where it is shown."""
    known = history.y[-1] if history.ts and history.ts[-1] == told.origin else None
    first = [] if known is None else [known]
    x = _convert_to_days([told.origin, *told.ts] if first else told.ts)
    strength = compute_opacity(len(told.intervals)) if told.intervals else 0.0
    for one in told.intervals:
        axes.fill_between(
            x,
            _convert_values([*first, *one.low]),
            _convert_values([*first, *one.high]),
            color=colours.forecast,
            alpha=strength,
            linewidth=0,
            gid=f"interval-{one.percent:g}-{at}",
            zorder=2,
        )
    for level in told.levels:
        y = _convert_values([*first, *level.y])
        axes.plot(x, y, color=colours.forecast, linewidth=0.9, linestyle=":", gid=f"quantile-{level.level:g}-{at}")
    mark: dict[str, Any] = {"marker": "o", "markersize": 3} if len(told.ts) <= FEW else {}
    axes.plot(
        x,
        _convert_values([*first, *told.median]),
        color=colours.forecast,
        linewidth=1.9,
        gid=f"median-{at}",
        zorder=4,
        **mark,
    )
    axes.axvline(
        told.origin / DAY_US, color=colours.muted, linewidth=0.9, linestyle=(0, (4, 3)), gid=f"origin-{at}", zorder=2.5
    )


def _is_drawable(panel: ChartPanel) -> bool:
    """Say whether an axis can show all values."""
    values = [*panel.history.y, *panel.later.y]
    if panel.forecast is not None:
        values += panel.forecast.median
        values += [v for one in panel.forecast.intervals for v in (*one.low, *one.high)]
        values += [v for one in panel.forecast.levels for v in one.y]
    return all(abs(v) < LARGEST for v in values if v is not None)


def _draw_note(axes: Axes, note: str, at: int, colours: Colours, width: float, *, alone: bool) -> None:
    lines = textwrap.wrap(note, max(20, int(width / NOTE_LETTER)), max_lines=NOTE_LINES, placeholder=" …")
    x, y, place = (0.5, 0.5, "center") if alone else (0.01, 0.97, "left")
    axes.text(
        x,
        y,
        "\n".join(lines),
        transform=axes.transAxes,
        ha=place,
        va="center" if alone else "top",
        color=colours.later,
        fontsize=8,
        bbox={"facecolor": colours.background, "edgecolor": "none", "alpha": 0.85, "pad": 2},
        gid=f"note-{at}",
        zorder=6,
    )
