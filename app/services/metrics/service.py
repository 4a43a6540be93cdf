"""The Prometheus query API's operations, on series and forecasts. Times are microseconds UTC."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Invalid
from app.scope import Scope
from app.services.forecasting.service import ForecastService
from app.services.metrics.catalog import NARROWER, SelectedModel, check_names, list_models, select_models
from app.services.metrics.forecasts import ForecastSource
from app.services.metrics.names import HELP, NAME, MetricKind, spell_metric
from app.services.metrics.promql import MetricSelector, parse_query, parse_selector
from app.services.metrics.refusing import refuse
from app.services.metrics.samples import MetricSamples, ModelSamples, load_samples
from app.services.metrics.variants import MetricVariant, check_parameters, list_variants
from app.storage import registry
from app.storage.engine import Database
from app.storage.tables import ModelRow
from models.arrays import Ints

MOST_MODELS = 200
"""models of one query"""
MOST_METRICS = 5_000
"""metrics of one query: those of one series are several"""
MOST_SAMPLES = 2_000_000
"""values of one response"""
MOST_SELECTORS = 50
"""`match[]` of one request"""
MOST_LISTED = 10_000
"""metrics that are listed"""
MOST_SERIES = 50_000
"""series whose labels are listed"""
MOST_WARNINGS = 10
EVERYTHING = MetricSelector(())


@dataclass(frozen=True)
class QueryResult:
    """What a query is answered with: a number, or metrics at times (T,)."""

    times: Ints
    number: float | None
    metrics: Sequence[MetricSamples]
    warnings: Sequence[str]


@dataclass(frozen=True)
class MetricList:
    """Label sets of metrics, and what was left out."""

    labels: Sequence[Mapping[str, str]]
    warnings: Sequence[str]


@dataclass(frozen=True)
class LabelList:
    """Values by the names of labels, in order, and what was left out."""

    values: Mapping[str, Sequence[str]]
    warnings: Sequence[str]


class MetricsService:
    """What the Prometheus query API asks."""

    def __init__(self, database: Database, forecasts: ForecastService) -> None:
        self._database = database
        self._source = ForecastSource(forecasts)

    def query(self, scope: Scope, text: str, times: Ints) -> QueryResult:
        """Answer a query at the times (T,), ascending.

        Raises Unreadable for what is no query, Invalid for one that is not answered here or is too large, and
        Unavailable where forecasts cannot be made now.
        """
        query = parse_query(text)
        if isinstance(query, float):
            return QueryResult(times, query, [], [])
        _check_parameters(query)
        moments = _shift(query, times)
        with self._database.read() as session:
            parts, warnings = self._load(session, scope, query, moments, len(times))
        for part in parts:
            warnings += part.add_live(self._source, scope)
        metrics = [metric for part in parts for metric in part.sample(moments)]
        if len(moments) < len(times):
            metrics = [_repeat(metric, len(times)) for metric in metrics]
        return QueryResult(times, None, metrics, _shorten(warnings))

    def _load(
        self, session: Session, scope: Scope, query: MetricSelector, moments: Ints, steps: int
    ) -> tuple[list[ModelSamples], list[str]]:
        """Load what a selector selects, and return it with warnings of what it does not."""
        models = list_models(session, scope, query)
        check_names(models)
        if len(models) > MOST_MODELS:
            detail = f"this selects {len(models)} models, and {MOST_MODELS} are answered at most; {NARROWER}"
            raise refuse(detail, ErrorCode.too_many_series)
        parts: list[ModelSamples] = []
        warnings: list[str] = []
        refused: list[Invalid] = []
        count = 0
        for model in select_models(session, scope, query, models):
            try:
                variants = _list_variants(model, query)
            except Invalid as e:
                refused.append(e)
                continue
            rows = list(islice(model.iterate_rows(session, scope), MOST_METRICS + 1)) if variants else []
            count += len(rows) * len(variants)
            _check_count(count, steps)
            if rows:
                parts.append(load_samples(session, scope, model, rows, variants, self._source, moments))
        if refused and not parts:
            raise refused[0]
        return parts, warnings + [error.detail for error in refused]

    def list_metrics(
        self, scope: Scope, selectors: Sequence[str], end: int | None = None, limit: int | None = None
    ) -> MetricList:
        """Return the labels of the metrics that one of some selectors selects.

        Series that begin after `end` are left out. One that has stopped is listed whatever the start: its model still
        forecasts it. Raises Unreadable, Invalid.
        """
        queries = _parse_selectors(selectors)
        most = MOST_LISTED if limit is None else min(limit, MOST_LISTED)
        found: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        with self._database.read() as session:
            for query in queries:
                metrics = (
                    {**_name_metric(model, variant), **model.labels[series_id], **variant.labels}
                    for model, variants, series_id in self._iterate(session, scope, query, end)
                    for variant in variants
                )
                for labels in islice(metrics, most + 1):
                    found.setdefault(tuple(sorted(labels.items())), labels)
        warnings = [f"only {most} metrics are listed; narrow match[] down"] if len(found) > most else []
        return MetricList(list(found.values())[:most], warnings)

    def list_labels(self, scope: Scope, selectors: Sequence[str], end: int | None = None) -> LabelList:
        """Return the labels, with their values, of the same metrics; of all metrics without any selector."""
        queries = _parse_selectors(selectors) or [EVERYTHING]
        values: dict[str, set[str]] = defaultdict(set)
        warnings: list[str] = []
        with self._database.read() as session:
            for query in queries:
                described: set[int] = set()
                metrics = self._iterate(session, scope, query, end)
                for model, variants, series_id in islice(metrics, MOST_SERIES):
                    _add_values(values, model.labels[series_id])
                    if model.row.pk not in described:
                        described.add(model.row.pk)
                        for variant in variants:
                            _add_values(values, {**_name_metric(model, variant), **variant.labels})
                if next(metrics, None) is not None:
                    warnings = [f"only the labels of {MOST_SERIES} series are listed; narrow match[] down"]
        return LabelList({name: sorted(texts) for name, texts in sorted(values.items())}, warnings)

    def list_names(self, scope: Scope) -> list[str]:
        """Return the names of all metrics."""
        with self._database.read() as session:
            models = [row for row, _ in self._list_serving(session, scope)]
        return sorted({spell_metric(row.name, kind) for row in models for kind in MetricKind})

    def describe(self, scope: Scope) -> dict[str, str]:
        """Return {metric: what it is}."""
        with self._database.read() as session:
            models = [row for row, _ in self._list_serving(session, scope)]
        return {spell_metric(row.name, kind): HELP[kind] for row in models for kind in MetricKind}

    def _list_serving(self, session: Session, scope: Scope) -> list[tuple[ModelRow, tuple[MetricKind, ...]]]:
        models = list_models(session, scope, EVERYTHING)
        serving = registry.list_serving_versions(session, [row for row, _ in models])
        return [(row, kinds) for row, kinds in models if row.pk in serving]

    def _iterate(
        self, session: Session, scope: Scope, query: MetricSelector, end: int | None
    ) -> Iterator[tuple[SelectedModel, list[MetricVariant], str]]:
        """Yield (model, its metrics of each series, id of a series) for each series that is selected."""
        for model in select_models(session, scope, query, list_models(session, scope, query)):
            try:
                variants = _list_variants(model, query)
            except Invalid:  # this model has no such quantile
                continue
            for row in model.iterate_rows(session, scope) if variants else ():
                if end is None or row.first_ts is None or row.first_ts <= end:
                    yield model, variants, row.id


def _parse_selectors(texts: Sequence[str]) -> list[MetricSelector]:
    """Return the selectors of `match[]`. Raises Unreadable, and Invalid for too many."""
    if len(texts) > MOST_SELECTORS:
        raise refuse(f"{len(texts)} selectors are more than the {MOST_SELECTORS} of one request; send several requests")
    return [parse_selector(text) for text in texts]


def _name_metric(model: SelectedModel, variant: MetricVariant) -> dict[str, str]:
    return {NAME: spell_metric(model.row.name, variant.kind)}


def _add_values(values: dict[str, set[str]], labels: Mapping[str, str]) -> None:
    for name, value in labels.items():
        values[name].add(value)


def _check_parameters(query: MetricSelector) -> None:
    names = [m.value for m in query.matchers if m.name == NAME and not m.is_regex and not m.is_negative]
    check_parameters(names[0] if names else None, query.matchers)


def _list_variants(model: SelectedModel, query: MetricSelector) -> list[MetricVariant]:
    levels = model.row.quantiles
    return [variant for kind in model.kinds for variant in list_variants(kind, levels, query.matchers)]


def _check_count(metrics: int, steps: int) -> None:
    """Raise Invalid for more metrics than one query has, or more values than one response."""
    if metrics > MOST_METRICS:
        detail = f"this selects more than {MOST_METRICS} metrics (those of one series are several); {NARROWER}"
        raise refuse(detail, ErrorCode.too_many_series)
    if metrics * steps > MOST_SAMPLES:
        detail = f"this would be {metrics} metrics at {steps} times, and a response holds {MOST_SAMPLES} values"
        raise refuse(f"{detail}; ask for a longer step, a shorter range or fewer series", ErrorCode.too_many_values)


def _shift(query: MetricSelector, times: Ints) -> Ints:
    """Return the times (T,) that a selector looks at, or the one (1,) that its `@` names for all of them."""
    if query.at is None:
        return times - query.offset
    ends = {"start": times[:1], "end": times[-1:]}
    at = ends[query.at] if isinstance(query.at, str) else np.array([query.at], np.int64)
    return at - query.offset


def _repeat(metric: MetricSamples, count: int) -> MetricSamples:
    return MetricSamples(metric.labels, np.arange(count), np.full(count, metric.values[0]))


def _shorten(warnings: Sequence[str]) -> list[str]:
    more = len(warnings) - MOST_WARNINGS
    return [*warnings[:MOST_WARNINGS], *([f"and {more} more"] if more > 0 else [])]


def describe_metadata(described: Mapping[str, str], metric: str | None, limit: int | None) -> dict[str, Any]:
    """Return what Prometheus says of metrics: {metric: [{type, help, unit}]}."""
    chosen = [name for name in sorted(described) if metric in (None, name)]
    return {name: [{"type": "gauge", "help": described[name], "unit": ""}] for name in chosen[:limit]}
