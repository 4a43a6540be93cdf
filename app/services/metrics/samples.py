"""Samples of selected metrics: what is loaded for the series of one model, and what each metric has at some times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode
from app.scope import Scope
from app.services.metrics.catalog import SelectedModel
from app.services.metrics.forecasts import SLACK, Forecasts, ForecastSource, add_live, is_future
from app.services.metrics.names import NAME, MetricKind, spell_metric
from app.services.metrics.refusing import refuse
from app.services.metrics.steps import (
    NOTHING,
    DatedForecast,
    StepValues,
    chain,
    find_greatest,
    find_next,
    find_seconds_until,
)
from app.services.metrics.variants import MEDIAN, MetricVariant, list_bands
from app.services.series.aggregation import build_read_grid, is_aggregated, load_aggregated_points
from app.storage.bulk_read import load_points
from app.storage.observations import Points
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.inference.predict import interpolate_quantiles

MOST_OBSERVATIONS = 5_000_000
"""values of one query"""
FORECAST_KINDS = frozenset(MetricKind) - {MetricKind.actual}
LIVE_KINDS = FORECAST_KINDS - {MetricKind.anomalous}
"""kinds that need a new forecast where times lie behind the last value"""


@dataclass(frozen=True, eq=False)
class MetricSamples:
    """One metric of one series."""

    labels: Mapping[str, str]
    """`__name__` first"""
    positions: NDArray[np.intp]
    """(M,) of the times at which it has a value"""
    values: Floats
    """(M,)"""


@dataclass(eq=False)
class ModelSamples:
    """The series of one model, with all that their metrics are computed from."""

    model: SelectedModel
    rows: Sequence[SeriesRow]
    variants: Sequence[MetricVariant]
    grids: Mapping[int, Grid]
    observed: Mapping[int, Points]
    forecasts: Forecasts
    waiting: Sequence[str]
    """ids of the series that are still to be forecast"""

    def add_live(self, source: ForecastSource, scope: Scope) -> list[str]:
        """Have the missing forecasts made, outside of a transaction; return why some are not."""
        if not self.waiting:
            return []
        live = source.make(scope, self.model.row, self.waiting)
        for row in self.rows:
            forecast = live.by_id.get(row.id)
            if forecast is not None:
                self.forecasts[row.pk] = add_live(self.forecasts.get(row.pk, []), forecast)
        return list(live.warnings)

    def sample(self, times: Ints) -> Iterator[MetricSamples]:
        """Yield the metrics that have a value at one of the times (T,)."""
        for variant in self.variants:
            name = {NAME: spell_metric(self.model.row.name, variant.kind)}
            for row in self.rows:
                positions, values = self._sample_one(row, variant, times)
                if len(positions):
                    labels = {**name, **self.model.labels[row.id], **variant.labels}
                    yield MetricSamples(labels, positions, values)

    def _sample_one(self, row: SeriesRow, variant: MetricVariant, times: Ints) -> tuple[NDArray[np.intp], Floats]:
        match variant.kind:
            case MetricKind.actual:
                return self._list_observed(row).sample(times)
            case MetricKind.anomalous:
                return self._judge(row).sample(times)
            case MetricKind.predicted | MetricKind.quantile:
                return self._chain(row, variant.level).sample(times)
        forecasts, columns = self._list_columns(row, variant.level)
        if variant.kind == MetricKind.forecast_max:
            return find_greatest(forecasts, columns, times, variant.within)
        sign = 1 if variant.is_above else -1
        beyond = [sign * column > sign * variant.threshold for column in columns]
        return find_seconds_until(forecasts, beyond, times)

    def _list_observed(self, row: SeriesRow) -> StepValues:
        points = self.observed.get(row.pk)
        if points is None:
            return NOTHING
        present = ~np.isnan(points.y)
        ts = points.ts[present]
        return StepValues(ts, points.y[present], find_next(self.grids[row.pk], ts))

    def _list_columns(self, row: SeriesRow, level: float) -> tuple[list[DatedForecast], list[Floats]]:
        """Return the forecasts of a series that reach to a level, and their values (H,) of it."""
        forecasts = [f for f in self.forecasts.get(row.pk, []) if f.levels[0] <= level <= f.levels[-1]]
        return forecasts, [_get_column(forecast, level) for forecast in forecasts]

    def _chain(self, row: SeriesRow, level: float) -> StepValues:
        return chain(*self._list_columns(row, level), self.grids[row.pk])

    def _judge(self, row: SeriesRow) -> StepValues:
        """Return whether each value is below (-1), inside (0) or above (1) the interval that was archived for it."""
        observed = self._list_observed(row)
        bands = list_bands(self.model.row.quantiles)
        lower = self._chain(row, bands.get("yhat_lower", MEDIAN))
        upper = self._chain(row, bands.get("yhat_upper", MEDIAN))
        ts, seen, foreseen = np.intersect1d(observed.ts, lower.ts, assume_unique=True, return_indices=True)
        y = observed.y[seen]
        is_above = "yhat_upper" in bands and y > upper.y[foreseen]
        is_below = "yhat_lower" in bands and y < lower.y[foreseen]
        verdict = np.zeros(len(ts)) + is_above - is_below
        return StepValues(ts, verdict, observed.until[seen])


def load_samples(
    session: Session,
    scope: Scope,
    model: SelectedModel,
    rows: Sequence[SeriesRow],
    variants: Sequence[MetricVariant],
    source: ForecastSource,
    times: Ints,
) -> ModelSamples:
    """Load what the metrics of some series have at the times (T,), ascending. Raises Invalid for too much."""
    kinds = {variant.kind for variant in variants}
    grids = {row.pk: build_read_grid(row, model.row.freq, model.cleaning) for row in rows}
    observed: Mapping[int, Points] = {}
    if kinds & {MetricKind.actual, MetricKind.anomalous}:
        observed = _load_observed(session, model, rows, grids, times)
    forecasts: Forecasts = {}
    if kinds & FORECAST_KINDS:
        forecasts = source.load_archived(session, scope, model.row, grids, times)
    is_live = bool(kinds & LIVE_KINDS)
    waiting = [row.id for row in rows if is_live and is_future(model.row, row, times)]
    return ModelSamples(model, rows, variants, grids, observed, forecasts, waiting)


def _load_observed(
    session: Session, model: SelectedModel, rows: Sequence[SeriesRow], grids: Mapping[int, Grid], times: Ints
) -> dict[int, Points]:
    """Return the values that a model reads of series, from a step before the first time to the last."""
    spans: dict[int, tuple[int, int]] = {}
    aggregated: list[SeriesRow] = []
    for row in rows:
        assert row.first_ts is not None, "the series has a value"
        assert row.last_ts is not None, "the series has a value"
        step = int(grids[row.pk].frequency.approximate_us * SLACK)
        span = (max(row.first_ts, int(times[0]) - 2 * step), min(row.last_ts, int(times[-1])))
        if span[0] <= span[1]:
            spans[row.pk] = span
            if is_aggregated(row, model.row.freq, model.cleaning):
                aggregated.append(row)
    _check_amount([row for row in rows if row.pk in spans], spans)
    observed = load_points(session, {pk: span for pk, span in spans.items() if pk not in {r.pk for r in aggregated}})
    for row in aggregated:
        observed[row.pk] = load_aggregated_points(session, row, spans[row.pk], model.cleaning)
    return observed


def _check_amount(rows: Sequence[SeriesRow], spans: Mapping[int, tuple[int, int]]) -> None:
    """Raise Invalid where too many values lie in some spans."""
    amount = 0
    for row in rows:
        first, last = spans[row.pk]
        steps = (last - first) // parse_frequency(row.freq).approximate_us + 1
        amount += min(row.count, steps)
    if amount > MOST_OBSERVATIONS:
        detail = f"this would read {amount} values, the limit is {MOST_OBSERVATIONS}; ask for a shorter range"
        raise refuse(f"{detail}, or for fewer series", ErrorCode.too_many_values)


def _get_column(forecast: DatedForecast, level: float) -> Floats:
    """Return the values (H,) of a level, between two of the forecast's where it is none of them."""
    if level in forecast.levels:
        return forecast.quantiles[:, forecast.levels.index(level)]
    return interpolate_quantiles(forecast.quantiles, forecast.levels, (level,))[:, 0]
