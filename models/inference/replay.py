"""Replay: a network's forecasts from earlier origins of a series, by which the width of its next one is learned.

The origins are counted from the end of the training's data, a horizon or a day apart, so that they stay the same while
a series grows: a new observation costs one more origin at most. What training has seen is never replayed, since errors
there are too small; nor is a series of which an origin has too little context. Shapes: K origins, S steps that are
looked at, H horizon, T context, Q quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints, find_missing
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import DAY
from models.config.model import Config
from models.data.level_shifts import find_crossed
from models.data.series import Series
from models.inference.predict import Runner, run_windows
from models.inference.widths import LEAST_FORECASTS, IntervalWidths, choose_steps, count_ages, measure_factors

MOST_ORIGINS = 64
"""origins of one series; by then a day's weight is a seventh"""


@dataclass(frozen=True, eq=False)
class Replay:
    """What a network forecasts from earlier origins of a series."""

    series: Series
    """as far as it was known"""
    origins: Ints
    """(K,) indexes on the series' grid, ascending"""
    forecasts: Floats
    """(K, S, Q) at the steps that are looked at"""

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        columns = sum(values.nbytes for values in self.series.covariates.values())
        return self.series.y.nbytes + columns + self.origins.nbytes + self.forecasts.nbytes


@dataclass(frozen=True, eq=False)
class ReplayPlan:
    """The origins to replay of a series."""

    series: Series
    """as far as it is known: its last value is the origin of the next forecast"""
    origins: Ints
    """(K,) indexes on the series' grid, ascending"""
    kept: Replay | None = None
    """an earlier replay of the same series by the same network"""


def find_spacing(config: Config) -> int:
    """Return the steps between two origins: the horizon, or a day where that is shorter."""
    length = parse_frequency(config.frequency).approximate_us
    return max(1, min(config.horizon, DAY // length))


def plan_origins(first: int, end: int, trained: int, config: Config, *, is_trained: bool) -> Ints:
    """Return the origins (K,) to replay of a series; none where they are too few to learn from.

    Args:
        first, end: grid indexes of the series' first value and of its last, the origin of the next forecast.
        trained: grid index of the last step of the training's data.
        is_trained: whether the series was part of that.
    """
    spacing = find_spacing(config)
    least = first + (config.network.context_length + 1) // 2 - 1
    if is_trained:
        least = max(least, trained)
    newest = trained + (end - 1 - trained) // spacing * spacing
    origins = newest + spacing * np.arange(1 - MOST_ORIGINS, 1, dtype=np.int64)
    origins = origins[origins >= least]
    return origins if len(origins) >= LEAST_FORECASTS else origins[:0]


def find_first_step(origins: Ints, config: Config) -> int:
    """Return the grid index of the first step that the replay of some origins reads."""
    return int(origins[0]) + 1 - config.network.context_length


def replay_all(plans: Sequence[ReplayPlan], runner: Runner, config: Config, steps: Ints | None = None) -> list[Replay]:
    """Run the origins of each plan that no earlier replay has run, all in one batch.

    Origins without a value, and those whose known-future covariates are not stored, are left out. `steps` (S,) are the
    positions in the horizon that are looked at, by default those of `choose_steps`; earlier replays have the same.
    """
    if not plans:
        return []
    steps = np.concatenate(choose_steps(config.horizon)) if steps is None else steps
    origins = [_select_origins(plan, config) for plan in plans]
    kept = [_keep(plan, chosen, len(steps), config) for plan, chosen in zip(plans, origins, strict=True)]
    missing = [np.setdiff1d(chosen, old.origins) for chosen, old in zip(origins, kept, strict=True)]
    windows = [plan.series for plan, new in zip(plans, missing, strict=True) for _ in new]
    positions = [new - plan.series.start for plan, new in zip(plans, missing, strict=True)]
    quantiles = run_windows(windows, np.concatenate(positions), runner, config)[:, steps]  # (N, S, Q)
    parts = np.split(quantiles, np.cumsum([len(new) for new in missing])[:-1])
    return [
        _join(plan.series, old, new, forecasts)
        for plan, old, new, forecasts in zip(plans, kept, missing, parts, strict=True)
    ]


def find_widths(replay: Replay, end: int, config: Config, bounds: tuple[float, float]) -> IntervalWidths | None:
    """Return what a forecast's levels should become, by what is known at grid index `end`; None: nothing is known.

    Args:
        bounds: least and greatest value of that forecast.
    """
    series = replay.series
    steps = np.concatenate(choose_steps(config.horizon))
    targets = replay.origins[:, None] + 1 + steps  # (K, S), grid indexes
    positions = targets - series.start
    is_known = (targets <= end) & (positions < len(series.y))
    actuals = np.where(is_known, series.y[np.where(is_known, positions, 0)], np.nan)  # (K, S)
    if config.level_shifts:
        known = series.y[: max(0, end + 1 - series.start)]
        actuals[find_crossed(known, replay.origins - series.start, positions, config)] = np.nan
    ages = count_ages(end - targets, config)
    factors = measure_factors(replay.forecasts, actuals, ages, config)
    return None if factors is None else IntervalWidths(factors, config.median, *bounds, whole=config.whole)


def find_bounds(context: Floats, config: Config, *, is_signed: bool) -> tuple[float, float]:
    """Return the least and the greatest value that the network forecasts of a context (T,): what its graph clips to."""
    low, high = config.bounds
    floor = -np.inf if is_signed or bool((context < 0).any()) else 0.0
    return max(floor, -np.inf if low is None else low), np.inf if high is None else high


def _select_origins(plan: ReplayPlan, config: Config) -> Ints:
    """Return the origins (K,) of a plan that are observed, and whose known-future covariates are known."""
    series = plan.series
    positions = plan.origins - series.start
    usable = ~np.isnan(series.y[positions])
    ahead = positions[:, None] + np.arange(1, config.horizon + 1)  # (K, H)
    for name in config.covariates.known_future:
        column = series.covariates.get(name)
        if column is None:
            return plan.origins[:0]
        is_known = np.append(~find_missing(column), False)
        usable &= is_known[np.minimum(ahead, len(column))].all(axis=1)
    return plan.origins[usable]


def _keep(plan: ReplayPlan, origins: Ints, steps: int, config: Config) -> Replay:
    """Return the part of an earlier replay that still holds: those of some origins whose inputs are as they were."""
    old = plan.kept
    if old is None or old.series.grid != plan.series.grid or old.series.static != plan.series.static:
        return Replay(plan.series, origins[:0], np.empty((0, steps, len(config.quantiles))))
    changed = _find_first_change(old.series, plan.series, config)
    rows = np.flatnonzero(np.isin(old.origins, origins) & (old.origins < changed))
    return Replay(plan.series, old.origins[rows], old.forecasts[rows])


def _find_first_change(old: Series, new: Series, config: Config) -> int:
    """Return the first grid index of an origin whose inputs differ between two states of a series."""
    begin = max(old.start, new.start)
    changes = [_find_difference(old.y, new.y, begin - old.start, begin - new.start)]
    for name in config.covariates.temporal:
        columns = [series.covariates.get(name) for series in (old, new)]
        if columns[0] is None or columns[1] is None:
            if columns[0] is not columns[1]:
                return begin
            continue
        ahead = config.horizon if name in config.covariates.known_future else 0
        changes.append(_find_difference(columns[0], columns[1], begin - old.start, begin - new.start) - ahead)
    return begin + min(changes)


def _find_difference(old: NDArray[Any], new: NDArray[Any], skip_old: int, skip_new: int) -> int:
    """Return the first position, counted from where both begin, at which they differ, or where one of them ends."""
    length = max(0, min(len(old) - skip_old, len(new) - skip_new))
    if old.dtype != new.dtype:
        return 0
    one = old[skip_old : skip_old + length]
    other = new[skip_new : skip_new + length]
    differs = (one != other) & ~(find_missing(one) & find_missing(other))
    return int(differs.argmax()) if differs.any() else length


def _join(series: Series, old: Replay, origins: Ints, forecasts: Floats) -> Replay:
    """Return the replay of an earlier one's origins and of new ones."""
    joined = np.concatenate([old.origins, origins])
    order = np.argsort(joined)
    return Replay(series, joined[order], np.concatenate([old.forecasts, forecasts])[order])
