"""The checks of questions that a schema cannot make, and how many paths they draw."""

from collections.abc import Mapping, Sequence

import numpy as np

from app.config import Settings
from app.errors import ErrorCode, invalid
from app.formats.forms import Form
from app.services.forecasting.inputs.checks import Values, parse_future
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.questions import Aggregate, Questions
from app.services.forecasting.inputs.request import ForecastRequest, ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.preparation import KnownFuture
from app.services.forecasting.questions.aggregates import count_aggregate_steps
from app.services.registry.builtin import BUILTIN, MOST_STEPS
from models.arrays import find_missing

SAMPLES, LEAST_SAMPLES = 1000, 200
"""paths that are drawn at least, and that sums and totals are made of: fewer for many series"""
MOST_SERIES = 1000
"""series of a request that draws paths, of a usual version"""
MOST_DRAWN = 20_000_000
"""values of all paths of a scenario, which are in memory together"""


def check_questions(
    request: ForecastRequest,
    questions: Questions,
    ids: Sequence[str],
    form: Form,
    resolved: ResolvedSeries,
    shape: ForecastShape,
    settings: Settings,
) -> int:
    """Return how many values answer the questions, points aside.

    Raises Invalid for questions that cannot be answered: in this form, together, or of so many series.
    """
    asks_more = questions.needs_paths or questions.scenarios is not None
    if form is not Form.json and asks_more:
        detail = "a table has a row a step and nothing else; ask for JSON, or leave out what is not a forecast"
        raise invalid("body", ErrorCode.invalid_input, detail)
    if request.explain:
        detail = (
            "explain is answered for plain forecasts; leave out aggregate, paths, scenarios, reconcile, extrapolate"
        )
        raise invalid("body.explain", ErrorCode.invalid_input, detail)
    if request.on_missing == BUILTIN and shape.horizon > MOST_STEPS:
        detail = f"auto forecasts {MOST_STEPS} steps at most; send another on_missing"
        raise invalid("body.on_missing", ErrorCode.horizon_too_long, detail)
    aggregates = _count_aggregates(questions.aggregate, len(set(ids)), resolved.version.stored.frequency, shape)
    if questions.needs_paths:
        _check_series(len(set(ids)), resolved.version)
        _check_drawn(questions, len(set(ids)), shape)
    return _count_answered(questions, len(ids), aggregates, shape, settings)


def _check_series(series_count: int, version: ServedVersion) -> None:
    most = max(1, MOST_SERIES // version.replay_cost)
    if series_count > most:
        name = version.stored.model_name
        detail = f"paths and sums of {name!r} are made of at most {most} series, not {series_count}; ask for fewer"
        raise invalid("series", ErrorCode.too_many_series, detail)


def _check_drawn(questions: Questions, series_count: int, shape: ForecastShape) -> None:
    drawn = series_count * shape.horizon * max(questions.paths or 0, LEAST_SAMPLES)
    if drawn > MOST_DRAWN:
        detail = f"this would draw {drawn} values, the limit is {MOST_DRAWN}; ask for fewer series, steps or paths"
        raise invalid("series", ErrorCode.too_many_values, detail)


def _count_aggregates(asked: Aggregate | None, series_count: int, frequency: str, shape: ForecastShape) -> int:
    """Return the values of all aggregates. Raises Invalid for a duration that is no number of steps."""
    if asked is None:
        return 0
    spans = -(-shape.horizon // count_aggregate_steps(asked, frequency, shape.horizon))
    count = spans if asked.over == "series" else series_count * spans
    return count * (1 + len(asked.quantiles or shape.levels))


def _count_answered(
    questions: Questions, forecast_count: int, aggregates: int, shape: ForecastShape, settings: Settings
) -> int:
    """Return the values of a response, those of its scenarios included, points aside. Raises Invalid for too many."""
    answers = 1 + len(questions.scenarios or {})
    points = forecast_count * shape.horizon * answers
    values = points * (1 + len(shape.levels) + (questions.paths or 0)) + aggregates * answers
    if values > settings.max_forecast_values:
        detail = (
            f"this would answer {values} values, the limit is {settings.max_forecast_values}; ask for fewer series, "
            "paths or scenarios"
        )
        raise invalid("series", ErrorCode.too_many_values, detail)
    return values - points


def check_groups(group_count: int, shape: ForecastShape, version: ServedVersion, settings: Settings) -> None:
    """Raise Invalid for more groups than are forecast at once, or answered."""
    most = max(1, MOST_SERIES // version.replay_cost)
    if group_count > most or group_count * shape.horizon * (1 + len(shape.levels)) > settings.max_forecast_values:
        detail = f"these labels make {group_count} groups, and at most {most} are answered at once; name fewer labels"
        raise invalid("body.reconcile.by", ErrorCode.too_many_values, detail)


def count_paths(questions: Questions, series_count: int, shape: ForecastShape) -> int:
    """Return how many paths are drawn of each series. A few alone would not be spread as the forecast is: those that
    are answered are the first of as many as sums need."""
    most = MOST_DRAWN // (series_count * shape.horizon)
    return max(questions.paths or 0, LEAST_SAMPLES, min(SAMPLES, most))


def parse_scenarios(
    questions: Questions,
    ids: Sequence[str],
    resolved: ResolvedSeries,
    shape: ForecastShape,
    known: KnownFuture,
) -> dict[str, KnownFuture]:
    """Return the known-future covariates of each scenario: its own over the request's. Floors read none.

    Raises Invalid.
    """
    scenarios: dict[str, KnownFuture] = {}
    for name, future in (questions.scenarios or {}).items():
        own: KnownFuture = {}
        if resolved.loaded is not None:
            own = parse_future(future, ids, resolved.version.config, shape.horizon, f"body.scenarios.{name}")
        scenarios[name] = {i: _lay_over(known.get(i, {}), own.get(i, {})) for i in (*known, *own)}
    return scenarios


def _lay_over(below: Mapping[str, Values], above: Mapping[str, Values]) -> dict[str, Values]:
    """Return covariates of which those of `above` stand over those of `below`, step by step."""
    joined = dict(below)
    for name, values in above.items():
        column = values.copy()
        if name in below:
            steps = np.flatnonzero(find_missing(column))
            steps = steps[steps < len(below[name])]
            column[steps] = below[name][steps]
        joined[name] = column
    return joined
