"""Charts of forecasts, with the observations before them."""

import hashlib
import importlib.metadata
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, NotFound, ServiceError, Unavailable, invalid
from app.etags import unchanged
from app.scope import Scope
from app.services.access.keys import Caller
from app.services.charts.history import NOTHING, ObservedSeries, load_observed
from app.services.forecasting.inputs.floor_version import build_floor_version
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.service import ForecastService
from app.services.jobs.documents import parse_cleaning
from app.services.registry.builtin import BUILTIN, parse_builtin_name
from app.services.registry.lookup import is_builtin, require_model
from app.serving.charts.drawer import ChartDrawer
from app.serving.charts.picture import (
    Chart,
    ChartForecast,
    ChartPanel,
    Format,
    Interval,
    Level,
    Theme,
    Values,
)
from app.serving.helper_process import NotAnswered
from app.storage import registry, series
from app.storage.engine import Database
from models.calendar.timestamps import parse_stamps
from models.config.cleaning import CleaningConfig
from models.evaluation.floors import FLOORS

MOST_SERIES = 12
MOST_VALUES = 200_000
"""numbers on one chart: more cannot be told apart, and take long to draw"""
MEDIAN = 0.5
CLOSE = 1e-9
"""difference of levels that counts as none"""

Result = dict[str, Any]


@dataclass(frozen=True)
class ChartRequest:
    """The options of a chart."""

    forecast: ForecastRequest
    format: Format
    theme: Theme
    title: str | None
    width: int
    height: int | None
    """pixels; None: as high as the panels need"""
    history: int | None
    """steps before the origin"""


@dataclass(frozen=True)
class Picture:
    """A drawn chart, and the seconds of each step. `content` is None where the caller has it already."""

    content: bytes | None
    etag: str
    timing: dict[str, float]


class ChartService:
    """The operation behind GET /forecast/chart."""

    def __init__(self, database: Database, forecasts: ForecastService, drawer: ChartDrawer) -> None:
        self._database = database
        self._forecasts = forecasts
        self._drawer = drawer

    def draw(self, scope: Scope, request: ChartRequest, match: str | None = None) -> Picture:
        """Draw the forecasts of some series, unless the caller has the picture of the tag `match`.

        Raises the errors of a forecast; NotFound or Invalid where no series has a forecast; Invalid for too much on
        one chart; Unavailable where it cannot be drawn now; OUTAGE.
        """
        if len(request.forecast.series) > MOST_SERIES:
            raise invalid(
                "series", ErrorCode.too_many_series, f"a chart shows 1 to {MOST_SERIES} series; request fewer"
            )
        answer = self._forecasts.respond_from_thread(Caller(scope), request.forecast)
        assert isinstance(answer.content, bytes), "so few series are answered whole"
        document = orjson.loads(answer.content)
        _check(document["forecasts"])
        started = time.perf_counter()
        with self._database.read() as session:
            frequency, cleaning = _find_steps(session, scope, request.forecast, document["version"])
            observations = load_observed(
                session, scope, document["forecasts"], request.history, request.forecast.origin, frequency, cleaning
            )
        question = _build_chart(request, document, observations).question()
        etag = _compute_etag(question)
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


def _find_steps(
    session: Session, scope: Scope, request: ForecastRequest, number: int | None
) -> tuple[str, CleaningConfig]:
    """Return the frequency and the cleaning of what made a forecast: a version, or a floor in place of one."""
    if is_builtin(session, scope, request.reference[0]):
        stored = series.get_many(session, scope, request.series)
        return next(stored[i].freq for i in request.series if i in stored), CleaningConfig()
    frequency = parse_builtin_name(request.reference[0])
    if frequency is not None:
        return frequency, CleaningConfig()
    model = require_model(session, scope, request.reference[0])
    row = registry.get_version(session, model, number) if number is not None else None
    if row is None:
        return model.freq, build_floor_version(session, model).config.cleaning
    return model.freq, parse_cleaning(row.config)


def _compute_etag(question: bytes) -> str:
    """Return the tag of a question and this release. It is weak: another machine's fonts may draw differently."""
    return f'W/"{hashlib.sha256(_get_release() + question).hexdigest()[:32]}"'


@lru_cache(maxsize=1)
def _get_release() -> bytes:
    return importlib.metadata.version("gatecast").encode()


def _check(results: list[Result]) -> None:
    """Raise ServiceError where no series has a forecast, or together they are too large for a chart."""
    failed = [result for result in results if result["status"] == "error"]
    if len(failed) == len(results):
        raise _build_error(failed)
    values = sum(len(result["ds"]) * (len(result["quantiles"]) + 1) for result in results if result["status"] == "ok")
    if values > MOST_VALUES:
        detail = (
            f"this would be {values} values, and a chart shows {MOST_VALUES} at most; "
            "request fewer series, steps or quantiles"
        )
        raise invalid("series", ErrorCode.too_many_values, detail)


def _build_error(failed: list[Result]) -> ServiceError:
    code = ErrorCode(failed[0]["error"]["code"])
    detail = failed[0]["error"]["detail"]
    if len(failed) > 1:
        detail = f"no series can be forecast; the first: {detail}"
    kind = NotFound if code is ErrorCode.series_not_found else Invalid
    errors = [FieldError(f"query.series.{i}", **result["error"]) for i, result in enumerate(failed)]
    return kind(code, detail, errors=errors)


def _build_chart(request: ChartRequest, document: dict[str, Any], observations: Mapping[str, ObservedSeries]) -> Chart:
    results: list[Result] = document["forecasts"]
    steps = max(len(result["ds"]) for result in results if result["status"] == "ok")
    model = _name_version(document)
    title = request.title or (results[0]["series_id"] if len(results) == 1 else document["model"])
    return Chart(
        format=request.format,
        theme=request.theme,
        title=strip_unprintable(title),
        subtitle=f"{model} · {steps} step" + "s" * (steps > 1),
        width=request.width,
        height=request.height,
        panels=[_build_panel(result, observations.get(result["series_id"])) for result in results],
    )


def _name_version(document: dict[str, Any]) -> str:
    """Return what made a chart's forecasts: the model's name alone where no version is live."""
    version = document["version"]
    if version is None:
        return str(document["model"])
    pinned = f"{version}.{document['revision']}" if document["revision"] else version
    return f"{document['model']}@{pinned}"


def _build_panel(result: Result, observed: ObservedSeries | None) -> ChartPanel:
    if observed is None:
        observed = ObservedSeries(None, "UTC", NOTHING, NOTHING)
    return ChartPanel(
        title=strip_unprintable(result["series_id"]),
        unit=strip_unprintable(observed.unit) if observed.unit else None,
        timezone=observed.timezone,
        history=observed.history,
        later=observed.later,
        forecast=_build_forecast(result) if result["status"] == "ok" else None,
        note=_describe_problems(result),
    )


def _describe_problems(result: Result) -> str | None:
    """Return the note that a reader of a series' forecast needs, if any."""
    if result["status"] == "error":
        return strip_unprintable(result["error"]["detail"])
    notes = []
    if result["fallback"]:
        floor = FLOORS.get(result["fallback_by"], f"the built-in model {BUILTIN!r}")
        notes.append(f"{floor}, because the network could not forecast: " + ", ".join(result["warnings"]))
    if result["stale"]:
        notes.append("made from data read before the database became unavailable")
    return "; ".join(notes) or None


def _build_forecast(result: Result) -> ChartForecast:
    """Return a forecast with its quantiles in pairs around the median, the widest first."""
    columns: dict[str, Values] = result["quantiles"]
    levels = sorted((float(text), y) for text, y in columns.items())
    intervals = []
    unpaired = []
    for level, y in levels:
        other = next((z for q, z in levels if abs(level + q - 1) < CLOSE), None)
        if abs(level - MEDIAN) < CLOSE:
            continue
        if other is None:
            unpaired.append(Level(level, y))
        elif level < MEDIAN:
            intervals.append(Interval(round(100 * (1 - 2 * level), 6), y, other))
    ts = [int(t) for t in parse_stamps([result["origin"], *result["ds"]], "UTC")]
    return ChartForecast(ts[0], ts[1:], result["yhat"], intervals, unpaired)


def strip_unprintable(text: str) -> str:
    """Return text on one line that XML can hold: each unprintable character becomes a space."""
    return "".join(c if c.isprintable() else " " for c in text)
