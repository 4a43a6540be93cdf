"""Totals that forecasts add up to: groups of series by their labels, and all of them together.

Bottom-up, a group is the sum of its series' paths. With MinT the forecasts of the groups' summed histories, by the same
version, move those of the series first, by how reliable either was. Shapes: n paths, N series, G groups, H horizon, K
origins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader, keep_context
from app.services.forecasting.inputs.questions import Reconcile
from app.services.forecasting.pending import PendingRequest
from app.services.forecasting.preparation import build_inputs, restore_quantiles
from app.services.forecasting.questions.futures import SeriesFuture
from app.services.forecasting.questions.steps import SharedSteps, find_shared_steps
from app.serving.batcher import PIECE_ROWS, Batcher
from models.arrays import Floats, find_missing
from models.config.model import Config
from models.data.series import Series
from models.inference.earlier import EarlierForecasts, forecast_earlier, join_errors, plan_earlier
from models.inference.means import compute_mean
from models.inference.reconciliation import reconcile_mint, sum_series
from models.inference.replay import find_bounds

LEAST_RATIO, MOST_RATIO = 0.25, 4.0
"""by which forecasts of what is never negative are multiplied"""
FIELD = "body.reconcile"
SEPARATOR = "\x00"
"""between the ids whose series are summed: no id has it, so that no series has the name of a sum"""


@dataclass(frozen=True)
class Group:
    """Series whose sum is asked for."""

    labels: Mapping[str, str]
    """a label and its value; empty: the total"""
    members: tuple[int, ...]
    """positions (…,) among the series"""


@dataclass(frozen=True, eq=False)
class Base:
    """What a version forecasts of a group's summed history."""

    row: int
    """of the group"""
    mean: Floats
    """(H,)"""
    earlier: EarlierForecasts


def build_groups(ids: Sequence[str], labels: Mapping[str, Mapping[str, str]], by: Sequence[str]) -> list[Group]:
    """Return the total, then a group for each value of each label, in their order; series without it are in none."""
    groups = [Group({}, tuple(range(len(ids))))]
    for label in by:
        members: dict[str, list[int]] = {}
        for position, series_id in enumerate(ids):
            value = labels.get(series_id, {}).get(label)
            if value is not None:
                members.setdefault(value, []).append(position)
        groups += [Group({label: value}, tuple(members[value])) for value in sorted(members)]
    return groups


@dataclass(frozen=True)
class Reconciler:
    """Makes forecasts and their groups' add up."""

    batcher: Batcher[PendingRequest]
    loader: ContextLoader

    def reconcile(
        self,
        resolved: ResolvedSeries,
        futures: Sequence[SeriesFuture],
        groups: Sequence[Group],
        earlier: dict[str, EarlierForecasts],
        asked: Reconcile,
        most: int,
    ) -> tuple[list[SeriesFuture], str]:
        """Return the futures, whose points are means, as they add up to their groups, and the method that was used:
        bottom-up where too little is known of either's errors, beyond the trained horizon, and where bounds hold for
        each series that do not hold for sums. The groups' forecasts from `most` origins are added to `earlier`."""
        horizon = futures[0].result.horizon
        low, high = resolved.version.config.bounds
        is_bounded = high is not None or low not in (None, 0.0)
        is_known = all(one.series_id in earlier for one in futures) and horizon <= resolved.version.config.horizon
        if asked.method == "bottom_up" or resolved.loaded is None or not is_known or is_bounded:
            return list(futures), "bottom_up"
        bases = self._forecast_groups(resolved, futures, groups, earlier, most)
        config = resolved.version.config
        known = [*(earlier[one.series_id] for one in futures), *(one.earlier for one in bases)]
        errors = join_errors(known, config)
        if not bases or errors is None:
            return list(futures), "bottom_up"
        members = np.zeros((len(bases), len(futures)))
        for row, base in enumerate(bases):
            members[row, list(groups[base.row].members)] = 1.0
        series = np.stack([one.point for one in futures])  # (N, H)
        moved = reconcile_mint(series, np.stack([one.mean[:horizon] for one in bases]), members, errors)
        return [_move(one, row, config) for one, row in zip(futures, moved, strict=True)], "mint"

    def _forecast_groups(
        self,
        resolved: ResolvedSeries,
        futures: Sequence[SeriesFuture],
        groups: Sequence[Group],
        earlier: dict[str, EarlierForecasts],
        most: int,
    ) -> list[Base]:
        """Forecast the summed histories of those groups that have several series which can be summed, once where
        groups have the same."""
        version = resolved.version
        config = version.config
        whole = [_complete(earlier[one.series_id].replay.series, one) for one in futures]
        sums: dict[int, Series] = {}
        rows = {group.members: row for row, group in reversed([*enumerate(groups)])}
        for members, row in rows.items():
            if len(members) > 1:
                name = SEPARATOR.join(futures[k].series_id for k in members)
                total = sum_series([whole[k] for k in members], name, config.covariates)
                if total is not None and _is_forecastable(total, config, futures[0].result.horizon):
                    sums[row] = total
        if not sums:
            return []
        end = version.training_span.end
        horizon = version.stored.trained.horizon
        plans = [
            plan_earlier(total, config, horizon, reference=end, most=most)
            for total in sums.values()
            if total.id not in earlier
        ]
        assert resolved.loaded is not None, "a floor is not reconciled"
        made = forecast_earlier(plans, resolved.loaded.run, config, horizon)
        earlier |= {one.replay.series.id: one for one in made}
        contexts = self.loader.build_contexts(version, [keep_context(total, config) for total in sums.values()], {})
        pieces = (
            build_inputs(contexts[start : start + PIECE_ROWS], config) for start in range(0, len(contexts), PIECE_ROWS)
        )
        values = [piece.values for piece in self.batcher.run(resolved.loaded, pieces) if piece is not None]
        bases: list[Base] = []
        for row, context, quantiles in zip(sums, contexts, np.concatenate(values), strict=True):
            if np.isfinite(quantiles).all():
                restored = restore_quantiles(context, quantiles, None)
                bounds = find_bounds(context.y[0], config, is_signed=False)
                mean = np.clip(compute_mean(restored, config.quantiles), *bounds)
                bases.append(Base(row, mean, earlier[context.series.id]))
        return bases


def describe_groups(
    groups: Sequence[Group],
    futures: Sequence[SeriesFuture],
    paths: Sequence[Floats],
    levels: tuple[float, ...],
    method: str,
) -> list[dict[str, Any]]:
    """Return the groups of forecasts that add up, with their paths (n, H): sums of points, and quantiles of summed
    paths. Raises Invalid for series without common steps."""
    shared: SharedSteps = find_shared_steps(futures, FIELD)
    steps = [slice(offset, offset + shared.steps) for offset in shared.offsets]
    documents: list[dict[str, Any]] = []
    for group in groups:
        total = sum(paths[k][:, steps[k]] for k in group.members)  # (n, H)
        point = np.sum([futures[k].point[steps[k]] for k in group.members], axis=0)
        quantiles = np.quantile(total, levels, axis=0)
        documents.append(
            {
                "group": dict(group.labels),
                "method": method,
                "series": len(group.members),
                "ds": shared.ds,
                "yhat": point,
                "quantiles": dict(zip(map(repr, levels), quantiles, strict=True)),
            }
        )
    return documents


def _is_forecastable(total: Series, config: Config, horizon: int) -> bool:
    """Whether a sum has a value at its origin, and all that the network reads of the future."""
    if np.isnan(total.y[-1]):
        return False
    ahead = slice(len(total.y), len(total.y) + horizon)
    columns = [total.covariates.get(name) for name in config.covariates.known_future]
    return all(column is not None and not find_missing(column[ahead]).any() for column in columns)


def _complete(whole: Series, future: SeriesFuture) -> Series:
    """Return a series as far as it is known with the known-future covariates that its forecast was made of."""
    completed = future.context.series
    shift = completed.start - whole.start
    columns = dict(whole.covariates)
    for name, values in completed.covariates.items():
        column = columns.get(name)
        if column is not None and shift >= 0:
            columns[name] = np.concatenate([column[:shift], values])
    return replace(whole, covariates=columns)


def _move(future: SeriesFuture, point: Floats, config: Config) -> SeriesFuture:
    """Return a future with another mean (H,): multiplied where it is never negative, else shifted."""
    low, high = future.find_bounds(config)
    mean = future.point
    if low >= 0:
        ratio = np.where(mean > 0, np.maximum(point, 0.0) / np.where(mean > 0, mean, 1.0), 1.0)
        ratio = ratio.clip(LEAST_RATIO, MOST_RATIO)
        return future.change(lambda values: np.clip(values * ratio, low, high))
    shift = point - mean
    return future.change(lambda values: np.clip(values + shift, low, high))
