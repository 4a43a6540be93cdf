"""/api/v1: the Prometheus query API, read only, for Grafana, promtool and whatever else speaks it.

Its reference is https://prometheus.io/docs/prometheus/latest/querying/api/. Parameters stand in the query or in a form,
and those that are not known are not looked at.
"""

import importlib.metadata
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response

from app.api.compat.credentials import require
from app.api.deps import ServicesDep
from app.api.http.operations import OpenRoute
from app.api.http.query import parse_query
from app.api.http.responses import JSON
from app.errors import ErrorCode, ServiceError, TooLarge, Unreadable
from app.scope import Right, Scope
from app.services.metrics.names import NAME
from app.services.metrics.promql import parse_seconds
from app.services.metrics.service import QueryResult, describe_metadata

PREFIX = "/api/v1"
MOST_STEPS = 11_000
"""times of a range, as in Prometheus"""
LONGEST_FORM = 1_000_000
"""bytes"""
MOST_FIELDS = 1000
"""parameters of one request"""
FARTHEST = 253_402_300_799.0
"""seconds of the epoch: the end of the year 9999"""
FORM = "application/x-www-form-urlencoded"
VERSION = "2.50.0"
"""of the Prometheus whose API this is: Grafana asks by it for what is there"""
ERROR_TYPES: Mapping[int, str] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    422: "execution",
    500: "internal",
    503: "unavailable",
}
"""by status; others are `bad_data`"""

router = APIRouter(prefix=PREFIX, route_class=OpenRoute, include_in_schema=False)


class Parameters:
    """The parameters of a request, wherever they stand."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def list(self, name: str) -> "Sequence[str]":
        """Return every value of a parameter."""
        return self._values.get(name, [])

    def get(self, name: str) -> str | None:
        """Return the first value of a parameter; an empty one is none."""
        return next(iter(self.list(name)), None) or None

    def require(self, name: str) -> str:
        """Return a parameter that must be there. Raises Unreadable."""
        text = self.get(name)
        if text is None:
            raise misread(name, "it is missing; send it in the query, or in a form")
        return text

    def read_time(self, name: str) -> int | None:
        """Return the microseconds of a time, seconds of the epoch or RFC 3339. Raises Unreadable."""
        text = self.get(name)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = _read_rfc3339(text)
        if not abs(seconds) <= FARTHEST:
            raise misread(name, f"{text[:60]!r} is no time; send seconds since 1970, or 2026-01-31T13:00:00Z")
        return round(seconds * 1000) * 1000

    def read_limit(self) -> int | None:
        """Return how many items are wanted at most; 0 is all. Raises Unreadable."""
        text = self.get("limit")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise misread("limit", f"{text[:60]!r} is no whole number")
        return int(text) or None


async def read_parameters(request: Request) -> Parameters:
    """Return the parameters of the query and of a form. Raises TooLarge, Unreadable."""
    pairs = parse_query(request.scope["query_string"])
    if request.method == "POST" and request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        body = await request.body()
        if len(body) > LONGEST_FORM:
            raise TooLarge(ErrorCode.body_too_large, f"the form has {len(body)} bytes, the limit is {LONGEST_FORM}")
        try:
            text = body.decode()
            pairs = [*parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS), *pairs]
        except ValueError as e:
            raise misread("body", f"it is no form in UTF-8 of at most {MOST_FIELDS} fields") from e
    return Parameters(pairs)


ParametersDep = Annotated[Parameters, Depends(read_parameters)]
MetricScope = Annotated[Scope, Depends(require(Right.read))]
ValueScope = Annotated[Scope, Depends(require(Right.forecast))]
"""of a caller who may ask for values, for which models are run"""


@router.get("/query")
@router.post("/query")
def query_metrics(scope: ValueScope, services: ServicesDep, parameters: ParametersDep) -> Response:
    """Answer a query at one time, now where none is named."""
    moment = parameters.read_time("time")
    times = np.array([round(time.time() * 1000) * 1000 if moment is None else moment], np.int64)
    result = services.metrics.query(scope, parameters.require("query"), times)
    if result.number is not None:
        data: Any = {"resultType": "scalar", "result": [_write_time(int(times[0])), _write_number(result.number)]}
    else:
        vector = [
            {"metric": metric.labels, "value": [_write_time(int(times[0])), _write_number(float(metric.values[0]))]}
            for metric in result.metrics
        ]
        data = {"resultType": "vector", "result": vector}
    return _answer(data, result.warnings)


@router.get("/query_range")
@router.post("/query_range")
def query_range(scope: ValueScope, services: ServicesDep, parameters: ParametersDep) -> Response:
    """Answer a query at each step of a range."""
    query = parameters.require("query")
    parameters.require("start")
    parameters.require("end")
    start = parameters.read_time("start")
    end = parameters.read_time("end")
    assert start is not None
    assert end is not None
    text = parameters.require("step")
    seconds = parse_seconds(text)
    step = round(seconds * 1000) * 1000 if seconds is not None and abs(seconds) <= FARTHEST else 0
    if step <= 0:
        raise misread(
            "step", f"{text[:60]!r} is no duration of a millisecond and more; send seconds, or one such as 5m"
        )
    if end < start:
        raise misread("end", "it lies before the start")
    count = (end - start) // step + 1
    if count > MOST_STEPS:
        raise misread("step", f"this is {count} times, and {MOST_STEPS} are answered at most; send a longer step")
    result = services.metrics.query(scope, query, start + step * np.arange(count, dtype=np.int64))
    return _answer({"resultType": "matrix", "result": _write_matrix(result)}, result.warnings)


@router.get("/labels")
@router.post("/labels")
def list_label_names(scope: MetricScope, services: ServicesDep, parameters: ParametersDep) -> Response:
    """List the names of labels."""
    found = services.metrics.list_labels(scope, parameters.list("match[]"), _read_end(parameters))
    return _answer(list(found.values)[: parameters.read_limit()], found.warnings)


@router.get("/label/{name}/values")
def list_label_values(name: str, scope: MetricScope, services: ServicesDep, parameters: ParametersDep) -> Response:
    """List the values of a label; those of `__name__` are the metrics."""
    selectors = parameters.list("match[]")
    end = _read_end(parameters)
    if name == NAME and not selectors:
        return _answer(services.metrics.list_names(scope)[: parameters.read_limit()], [])
    found = services.metrics.list_labels(scope, selectors, end)
    return _answer(found.values.get(name, [])[: parameters.read_limit()], found.warnings)


@router.get("/series")
@router.post("/series")
def list_metrics(scope: MetricScope, services: ServicesDep, parameters: ParametersDep) -> Response:
    """List metrics with their labels."""
    selectors = parameters.list("match[]")
    if not selectors:
        raise misread("match[]", 'it is missing; send a selector such as {series="…"}')
    found = services.metrics.list_metrics(scope, selectors, _read_end(parameters), parameters.read_limit())
    return _answer(found.labels, found.warnings)


@router.get("/metadata")
def describe_metrics(scope: MetricScope, services: ServicesDep, parameters: ParametersDep) -> Response:
    """Describe metrics."""
    described = services.metrics.describe(scope)
    return _answer(describe_metadata(described, parameters.get("metric"), parameters.read_limit()), [])


@router.get("/status/buildinfo")
def get_build(_scope: MetricScope) -> Response:
    """Name the version of Prometheus whose API this is."""
    revision = f"gatecast-{importlib.metadata.version('gatecast')}"
    empty = dict.fromkeys(("branch", "buildUser", "buildDate", "goVersion"), "")
    return _answer({"version": VERSION, "revision": revision, **empty}, [])


def answer_error(error: ServiceError, **more: str) -> Response:
    """Answer an error as Prometheus does, with more fields."""
    kind = ERROR_TYPES.get(error.status, "bad_data")
    body = {"status": "error", "errorType": kind, "error": error.detail, **more}
    return Response(orjson.dumps(body), error.status, headers=error.headers, media_type=JSON)


def misread(name: str, why: str) -> Unreadable:
    """Return the error of a parameter that cannot be read."""
    return Unreadable(ErrorCode.bad_request, f"invalid parameter {name!r}: {why}")


def _answer(data: Any, warnings: Sequence[str]) -> Response:
    body = {"status": "success", "data": data} | ({"warnings": warnings} if warnings else {})
    return Response(orjson.dumps(body), media_type=JSON)


def _read_end(parameters: Parameters) -> int | None:
    """Return the end of the times of a list; its start says nothing here, but must be a time."""
    parameters.read_time("start")
    return parameters.read_time("end")


def _read_rfc3339(text: str) -> float:
    """Return seconds of the epoch, NaN for another text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _write_matrix(result: QueryResult) -> list[dict[str, Any]]:
    times = [_write_time(stamp) for stamp in result.times.tolist()]
    if result.number is not None:
        text = _write_number(result.number)
        return [{"metric": {}, "values": [[moment, text] for moment in times]}]
    return [
        {
            "metric": metric.labels,
            "values": [
                [times[position], _write_number(value)]
                for position, value in zip(metric.positions.tolist(), metric.values.tolist(), strict=True)
            ],
        }
        for metric in result.metrics
    ]


def _write_time(stamp: int) -> int | float:
    """Return seconds of the epoch, with milliseconds where there are some."""
    return stamp / 1e6 if stamp % 1_000_000 else stamp // 1_000_000


def _write_number(value: float) -> str:
    if math.isfinite(value):
        return repr(value).removesuffix(".0")
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
