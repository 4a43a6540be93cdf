"""Charts of forecasts: what is forecast, beside what was observed before."""

import hashlib
import importlib.metadata
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from app.errors import ErrorCode, FieldError, Invalid, NotFound, ServiceError, Unavailable, invalid
from app.etags import unchanged
from app.scope import Scope
from app.services.access.keys import Caller
from app.services.charts.history import Observed, observed
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.service import ForecastService
from app.serving.charts.drawer import ChartDrawer
from app.serving.charts.picture import Chart, Forecast, Format, Interval, Level, Panel, Points, Theme, Values
from app.serving.helper_process import NotAnswered
from app.storage.engine import Database
from models.calendar.timestamps import parse_stamps

MOST_SERIES = 12
MOST_VALUES = 200_000
"""numbers of a chart: more are no picture any more, and take long to draw"""
MEDIAN = 0.5
CLOSE = 1e-9

Result = dict[str, Any]


@dataclass(frozen=True)
class ChartRequest:
    """What is asked for."""

    forecast: ForecastRequest
    format: Format
    theme: Theme
    title: str | None
    width: int
    height: int | None
    """pixels; None: as high as it has to be"""
    history: int | None
    """steps before the origin"""


@dataclass(frozen=True)
class Picture:
    """A chart, and where its time went in seconds. `content` is None where the caller has it already."""

    content: bytes | None
    etag: str
    timing: dict[str, float]


class ChartService:
    """What GET /forecast/chart means."""

    def __init__(self, database: Database, forecasts: ForecastService, drawer: ChartDrawer) -> None:
        self._database, self._forecasts, self._drawer = database, forecasts, drawer

    def chart(self, scope: Scope, request: ChartRequest, match: str | None = None) -> Picture:
        """Draw the forecasts of some series, unless `match` says that the caller has the picture.

        Raises what a forecast raises; NotFound or Invalid where no series has one; Invalid for too much on one chart;
        Unavailable where it cannot be drawn now, OUTAGE.
        """
        if len(request.forecast.series) > MOST_SERIES:
            raise invalid(
                "series", ErrorCode.too_many_series, f"a chart shows 1 to {MOST_SERIES} series; ask for fewer"
            )
        answer = self._forecasts.respond_from_thread(Caller(scope), request.forecast)
        assert isinstance(answer.content, bytes), "so few series are answered whole"
        told = orjson.loads(answer.content)
        _check(told["forecasts"])
        started = time.perf_counter()
        with self._database.read() as session:
            found = observed(session, scope, told["forecasts"], request.history, request.forecast.origin)
        question = _chart(request, told, found).question()
        etag = _etag(question)
        read = time.perf_counter()
        timing = answer.timing | {"history": read - started}
        if unchanged(match, etag):
            return Picture(None, etag, timing)
        try:
            content = self._drawer.draw(question)
        except NotAnswered as e:
            detail = f"the chart was not drawn: {e}"
            raise Unavailable(ErrorCode.chart_unavailable, detail, headers={"Retry-After": "2"}) from e
        return Picture(content, etag, timing | {"draw": time.perf_counter() - read})


def _etag(question: bytes) -> str:
    """Return the tag of what determines the picture. It is weak: another machine's fonts may draw it otherwise."""
    return f'W/"{hashlib.sha256(_release() + question).hexdigest()[:32]}"'


@lru_cache(maxsize=1)
def _release() -> bytes:
    return importlib.metadata.version("gatecast").encode()


def _check(results: list[Result]) -> None:
    """Raise ServiceError where no series has a forecast, or all of them are too much."""
    failed = [one for one in results if one["status"] == "error"]
    if len(failed) == len(results):
        raise _problem(failed)
    values = sum(len(one["ds"]) * (len(one["quantiles"]) + 1) for one in results if one["status"] == "ok")
    if values > MOST_VALUES:
        detail = f"this would be {values} values, a chart shows {MOST_VALUES}; ask for fewer series, steps or quantiles"
        raise invalid("series", ErrorCode.too_many_values, detail)


def _problem(failed: list[Result]) -> ServiceError:
    code, detail = ErrorCode(failed[0]["error"]["code"]), failed[0]["error"]["detail"]
    if len(failed) > 1:
        detail = f"no series can be forecast; the first: {detail}"
    kind = NotFound if code is ErrorCode.series_not_found else Invalid
    errors = [FieldError(f"query.series.{i}", **one["error"]) for i, one in enumerate(failed)]
    return kind(code, detail, errors=errors)


def _chart(request: ChartRequest, told: dict[str, Any], found: Mapping[str, Observed]) -> Chart:
    results: list[Result] = told["forecasts"]
    steps = max(len(one["ds"]) for one in results if one["status"] == "ok")
    model = f"{told['model']}@{told['version']}"
    title = request.title or (results[0]["series_id"] if len(results) == 1 else told["model"])
    return Chart(
        format=request.format,
        theme=request.theme,
        title=printable(title),
        subtitle=f"{model} · {steps} step" + "s" * (steps > 1),
        width=request.width,
        height=request.height,
        panels=[_panel(one, found.get(one["series_id"])) for one in results],
    )


def _panel(result: Result, seen: Observed | None) -> Panel:
    told = _forecast(result) if result["status"] == "ok" else None
    nothing = Points([], [])
    return Panel(
        title=printable(result["series_id"]),
        unit=printable(seen.unit) if seen is not None and seen.unit else None,
        timezone="UTC" if seen is None else seen.timezone,
        history=nothing if seen is None else seen.history,
        later=nothing if seen is None else seen.later,
        forecast=told,
        note=_note(result),
    )


def _note(result: Result) -> str | None:
    """Return what a reader must know of a series' forecast."""
    if result["status"] == "error":
        return printable(result["error"]["detail"])
    said = []
    if result["fallback"]:
        said.append("season-naive, because the network could not answer: " + ", ".join(result["warnings"]))
    if result["stale"]:
        said.append("made of what was known before the database went away")
    return "; ".join(said) or None


def _forecast(result: Result) -> Forecast:
    """Return a forecast with its quantiles in pairs around the median, the widest first."""
    columns: dict[str, Values] = result["quantiles"]
    levels = sorted((float(text), y) for text, y in columns.items())
    intervals, alone = [], []
    for level, y in levels:
        other = next((z for q, z in levels if abs(level + q - 1) < CLOSE), None)
        if abs(level - MEDIAN) < CLOSE:
            continue
        if other is None:
            alone.append(Level(level, y))
        elif level < MEDIAN:
            intervals.append(Interval(round(100 * (1 - 2 * level), 6), y, other))
    ts = [int(t) for t in parse_stamps([result["origin"], *result["ds"]], "UTC")]
    return Forecast(ts[0], ts[1:], result["yhat"], intervals, alone)


def printable(text: str) -> str:
    """Return text on one line that XML can hold: what cannot be printed is a space."""
    return "".join(c if c.isprintable() else " " for c in text)
