"""From the series of a request to what the network reads, and from its quantiles to results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.errors import ErrorCode
from app.services.forecasting.inputs.checks import Values
from app.services.forecasting.inputs.context_cache import ResolvedSeries, SeriesContext
from app.services.forecasting.inputs.covariates import complete_all
from app.services.forecasting.inputs.request import ForecastRequest, ForecastShape, Point
from app.services.forecasting.outputs.results import (
    LevelRows,
    RefusedResult,
    Result,
    build_floor_result,
    build_network_result,
    choose_mean,
    find_level_rows,
    select_levels,
)
from app.services.refusals import Refusal, refusal
from app.serving.batcher import PIECE_ROWS, Inputs, Quantiles
from models.arrays import Floats
from models.config.model import Config
from models.data.series import Series
from models.data.wall_clock import read_clocks
from models.data.windows import cut_covariates, mark_signed
from models.inference.widths import IntervalWidths

KnownFuture = Mapping[str, Mapping[str, Values]]
"""series id → known-future covariate → its values over the horizon"""
NOT_LIVE = refusal(ErrorCode.no_champion, "no version of the model is live")
STATIC_INTERVAL = "static_interval"
"""warning: the intervals are those of the training, since more series are to be replayed than one request may"""
NOT_FINITE = refusal(ErrorCode.forecast_not_finite, "the network gave no finite forecast")
LATE = refusal(ErrorCode.deadline_exceeded, "its deadline had passed before the network could run")


class PreparedBatch(NamedTuple):
    """Series of one request, and those of them that the network can forecast."""

    ids: Sequence[str]
    """(N,) in the order of the response; one may be repeated"""
    resolved: ResolvedSeries
    shape: ForecastShape
    level_rows: LevelRows
    contexts: list[SeriesContext]
    """(B,) of the series that the network forecasts"""
    warnings: dict[str, list[str]]
    refusals: dict[str, Refusal]
    """why it cannot forecast others, by id"""
    floor: str | None
    """the floor that answers for those; None: none does"""
    is_late: bool
    """whether the deadline passed before the network could run"""
    point: Point
    """what `yhat` is of the network's forecasts"""

    def build_inputs(self) -> Inputs | None:
        """Return what the network reads, (B, ...) each; None where it forecasts none of the series."""
        return build_inputs(self.contexts, self.resolved.version.config) if self.contexts else None

    def build_results(self, quantiles: Quantiles | None) -> list[Result]:
        """Return a result for each of the ids, from the quantiles of the series that the network forecast."""
        results: dict[str, Result] = {}
        refusals = dict(self.refusals)
        if quantiles is not None:
            for row, context in enumerate(self.contexts):
                values = quantiles.values[row]  # (Q, H)
                series_id = context.series.id
                if quantiles.finite or np.isfinite(values).all():
                    mean = quantiles.means[row] if quantiles.means is not None else None  # (H,)
                    results[series_id] = self._build_network_result(context, values, mean)
                else:
                    refusals[series_id] = NOT_FINITE
        for series_id, why in refusals.items():
            results[series_id] = self._build_refused_result(series_id, why)
        errors = self.resolved.refusals
        return [results[i] if i in results else RefusedResult(i, errors[i]) for i in self.ids]

    def _build_network_result(self, context: SeriesContext, values: Floats, mean: Floats | None) -> Result:
        version = self.resolved.version
        config = version.config
        series_id = context.series.id
        warnings = self.warnings.get(series_id, [])
        widths = find_widths(self.resolved, context)
        if widths is None and series_id in self.resolved.awaiting:
            warnings = [*warnings, STATIC_INTERVAL]
        values = restore_quantiles(context, values, widths)
        if context.clock is not None and mean is not None:
            mean = context.clock.restore(mean)
        selected = select_levels(values, self.level_rows, config, self.shape.levels)
        if self.point == "mean":
            selected = [choose_mean(context.series, values, mean, config), *selected[1:]]
        return build_network_result(
            context, selected, self.shape, warnings, stale=self.resolved.stale, zero_shot=version.is_builtin
        )

    def _build_refused_result(self, series_id: str, why: Refusal) -> Result:
        if self.floor is None:
            return RefusedResult(series_id, why)
        resolved = self.resolved
        context = resolved.contexts[series_id]
        config = resolved.version.config
        return build_floor_result(context, self.floor, config, self.shape, why, stale=resolved.stale)


def find_widths(resolved: ResolvedSeries, context: SeriesContext) -> IntervalWidths | None:
    """Return what the levels of a series' forecast become: where its replay waits, what they last became."""
    series_id = context.series.id
    if series_id in resolved.awaiting:
        return resolved.awaiting[series_id]
    return context.widths.get(resolved.version.identity)


def restore_quantiles(context: SeriesContext, values: Floats, widths: IntervalWidths | None) -> Floats:
    """Return a network's quantiles (Q, H) of a context on the series' own grid, as wide as they should be."""
    if context.clock is not None:
        values = context.clock.restore(values)
    return values if widths is None else widths.apply(values)


def prepare_batch(
    request: ForecastRequest,
    ids: Sequence[str],
    resolved: ResolvedSeries,
    shape: ForecastShape,
    future: KnownFuture,
    *,
    is_late: bool = False,
) -> PreparedBatch:
    """Prepare some of a request's series, with its known-future covariates.

    `is_late`: none of them goes to the network, since the deadline has passed.
    """
    config = resolved.version.config
    available = {i: resolved.contexts[i] for i in ids if i in resolved.contexts}
    contexts = list(available.values())
    warnings: dict[str, list[str]] = {}
    refusals: dict[str, Refusal] = {}
    if is_late or resolved.loaded is None:
        contexts = []
        refusals = dict.fromkeys(available, NOT_LIVE if resolved.loaded is None else LATE)
    elif future or config.covariates.temporal or config.covariates.static:
        series = {i: context.series for i, context in available.items()}
        completed, refusals = complete_all(series, future, request.covariate_fill, config, shape.horizon)
        contexts = [replace(available[i], series=item.series) for i, item in completed.items()]
        warnings = {i: item.warnings for i, item in completed.items()}
    level_rows = find_level_rows(config.quantiles, shape.levels)
    floor = resolved.version.stored.floor if request.on_missing == "floor" else request.on_missing
    return PreparedBatch(ids, resolved, shape, level_rows, contexts, warnings, refusals, floor, is_late, request.point)


def prepare_pieces(
    request: ForecastRequest,
    ids: Sequence[str],
    resolved: ResolvedSeries,
    shape: ForecastShape,
    future: KnownFuture,
    prepared: list[PreparedBatch],
    *,
    is_late: bool,
) -> Iterator[Inputs | None]:
    """Yield the inputs of each piece of a large request, and append its batch to `prepared`."""
    for start in range(0, len(ids), PIECE_ROWS):
        batch = prepare_batch(request, ids[start : start + PIECE_ROWS], resolved, shape, future, is_late=is_late)
        prepared.append(batch)
        yield batch.build_inputs()


def build_inputs(contexts: Sequence[SeriesContext], config: Config) -> Inputs:
    """Return what a network reads of some contexts, (B, ...) each."""
    if len(contexts) == 1:
        inputs = {"y": contexts[0].y, "calendar": contexts[0].moment.calendar}
    else:
        inputs = {
            "y": np.concatenate([context.y for context in contexts]),  # (B, T)
            "calendar": np.concatenate([context.moment.calendar for context in contexts]),  # (B, T + H, C)
        }
    if config.signed:
        inputs["signed"] = mark_signed([context.series for context in contexts], config)
    roles = config.covariates
    if roles.temporal or roles.static:
        series: Sequence[Series] = [context.series for context in contexts]
        origins = np.array([len(item.y) - 1 for item in series], np.int64)
        if any(context.clock is not None for context in contexts):
            series, origins, _ = read_clocks(series, origins, config)
        covariates, static = cut_covariates(series, origins, config)
        if roles.temporal:
            inputs["covariates"] = covariates
        if roles.static:
            inputs["static"] = static
    return inputs
