"""Charts of forecasts, drawn in a process of their own: matplotlib would hold the interpreter, and forecasts wait.

What is to be drawn goes to it as JSON, the picture comes back as bytes. Times are int64 microseconds UTC.
"""

from dataclasses import dataclass
from typing import Literal

import orjson

from app.serving.helper_process import Answerer, HelperProcess, Work

Format = Literal["svg", "png"]
Theme = Literal["light", "dark"]

UNDER_WAY = 16
"""questions at a time: a page shows many charts, and asks for them all at once"""


Values = list[float | None]
"""None where missing"""


@dataclass(frozen=True)
class Points:
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
class Forecast:
    """What is forecast of one series."""

    origin: int
    ts: list[int]
    """(H,)"""
    median: Values
    """(H,)"""
    intervals: list[Interval]
    """the widest first"""
    levels: list[Level]


@dataclass(frozen=True)
class Panel:
    """One series: a forecast, or why there is none."""

    title: str
    unit: str | None
    timezone: str
    history: Points
    later: Points
    """what was observed after the origin"""
    forecast: Forecast | None
    note: str | None


@dataclass(frozen=True)
class Chart:
    """A picture, in CSS pixels."""

    format: Format
    theme: Theme
    title: str
    subtitle: str
    width: int
    height: int | None
    """None: as much as the panels need"""
    panels: list[Panel]

    def question(self) -> bytes:
        """Return what determines every byte of the picture."""
        return orjson.dumps(self)


class ChartDrawer:
    """Asks the drawing process."""

    def __init__(self, seconds: float) -> None:
        """`seconds` that a chart may take, and may wait for others."""
        self.process = HelperProcess(Work("drawing", "charts", prepare), seconds, UNDER_WAY)

    def draw(self, question: bytes) -> bytes:
        """Return the picture of a `Chart.question`: equal ones have equal bytes. Raises NotAnswered."""
        return self.process.ask(question)

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.close()


def prepare() -> Answerer:
    """Return what draws. Runs in the process."""
    from pydantic import TypeAdapter

    from app.serving.charts import drawing

    drawing.prepare()
    charts = TypeAdapter(Chart)
    return lambda question: drawing.draw(charts.validate_json(question))
