"""The content of a chart, as the drawing process receives it. Stamps are int64 microseconds UTC."""

from dataclasses import dataclass
from typing import Literal

import orjson

Format = Literal["svg", "png"]

Theme = Literal["light", "dark"]

Values = list[float | None]
"""None where missing"""


@dataclass(frozen=True)
class ChartPoints:
    """Values over time: ts (N,) ascending, y (N,)."""

    ts: list[int]
    y: Values


@dataclass(frozen=True)
class Interval:
    """A prediction interval: low (H,) and high (H,)."""

    percent: float
    low: Values
    high: Values


@dataclass(frozen=True)
class Level:
    """A quantile (H,) that has no counterpart on the other side of the median."""

    level: float
    y: Values


@dataclass(frozen=True)
class ChartForecast:
    """The forecast of one series."""

    origin: int
    ts: list[int]
    """(H,)"""
    median: Values
    """(H,)"""
    intervals: list[Interval]
    """the widest first"""
    levels: list[Level]


@dataclass(frozen=True)
class ChartPanel:
    """One series of a chart: its history and its forecast, or the reason why it has none."""

    title: str
    unit: str | None
    timezone: str
    history: ChartPoints
    later: ChartPoints
    """values observed after the origin"""
    forecast: ChartForecast | None
    note: str | None


@dataclass(frozen=True)
class Chart:
    """The content and size of a picture, in CSS pixels."""

    format: Format
    theme: Theme
    title: str
    subtitle: str
    width: int
    height: int | None
    """None: as much as the panels need"""
    panels: list[ChartPanel]

    def question(self) -> bytes:
        """Return the chart as JSON, which determines every byte of the picture."""
        return orjson.dumps(self)
