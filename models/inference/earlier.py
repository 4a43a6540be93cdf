"""Earlier forecasts over whole horizons, made again from a series' history: what came of them says how the steps of its
next forecast err together, and those of other series with them.

Origins lie a quarter of the horizon apart, or a day where that is more, as those of `models.inference.replay` lie a
number of steps from the end of the training's data. Those in the training's data count too: errors are smaller there,
but it is their order alone that paths ask for. Shapes: K origins, H horizon, T context, Q quantiles.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.config.model import Config
from models.data.series import Series, observed_span
from models.errors import OffGridError
from models.inference.means import compute_mean
from models.inference.paths import LEAST_TEMPLATES, ErrorTemplates, build_templates
from models.inference.predict import Runner
from models.inference.replay import Replay, ReplayPlan, find_spacing, replay_all

MOST_ORIGINS = 64
"""of one series"""
PARTS = 4
"""origins in a horizon at most: windows that overlap more say much the same"""


class EarlierForecasts(NamedTuple):
    """A series as far as it is known, and what was forecast of it before."""

    replay: Replay
    """over a whole horizon: forecasts (K, H, Q)"""
    templates: ErrorTemplates


def find_template_spacing(config: Config, horizon: int) -> int:
    """Return the steps between two origins."""
    return max(min(horizon, find_spacing(config)), -(-horizon // PARTS))


def count_history_steps(config: Config, horizon: int, most: int = MOST_ORIGINS) -> int:
    """Return the steps before a context that so many earlier forecasts read."""
    return most * find_template_spacing(config, horizon) + horizon


def plan_earlier(
    series: Series,
    config: Config,
    horizon: int,
    *,
    reference: int,
    most: int = MOST_ORIGINS,
    kept: Replay | None = None,
) -> ReplayPlan:
    """Plan the earlier forecasts of a series that ends with the origin of the next one.

    Args:
        horizon: steps of those forecasts, at most those of the configuration.
        reference: stamp from which origins are counted, so that those of other series have the same times.
        most: origins at most.
        kept: what was forecast before, of which that is taken over whose inputs are the same.
    """
    first = series.start + observed_span(series.y)[0] + count_least_context(config, horizon) - 1
    end = series.start + len(series.y) - 1
    spacing = find_template_spacing(config, horizon)
    try:
        zero = series.grid.locate_one(reference)
    except OffGridError:  # of a frequency whose dates pandas must list, and they are too many
        zero = 0
    return ReplayPlan(series, choose_origins(first, end - horizon, zero, most, spacing), kept)


def count_least_context(config: Config, horizon: int) -> int:
    """Return the steps that are known before the first origin: half a context, or two seasons and horizons."""
    season = parse_frequency(config.frequency).season
    return min((config.network.context_length + 1) // 2, 2 * max(season, horizon))


def choose_origins(first: int, last: int, zero: int, most: int, spacing: int) -> Ints:
    """Return the newest grid indexes (K,) between two, both included, that lie multiples of a spacing from `zero`,
    ascending."""
    newest = zero + (last - zero) // spacing * spacing
    origins = newest + spacing * np.arange(1 - most, 1, dtype=np.int64)
    return origins[origins >= first]


def forecast_earlier(
    plans: Sequence[ReplayPlan], runner: Runner, config: Config, horizon: int
) -> list[EarlierForecasts]:
    """Forecast series from earlier origins over a horizon, and compare the outcomes."""
    replays = replay_all(plans, runner, config, steps=np.arange(horizon))
    made: list[EarlierForecasts] = []
    for replay in replays:
        stamps = replay.series.grid.stamps(replay.origins)
        actuals = find_actuals(replay)
        made.append(EarlierForecasts(replay, build_templates(stamps, replay.forecasts, actuals, config.quantiles)))
    return made


def find_actuals(replay: Replay) -> Floats:
    """Return what came true of earlier forecasts, (K, H), NaN where nothing did."""
    horizon = replay.forecasts.shape[1]
    positions = replay.origins[:, None] + np.arange(1, horizon + 1) - replay.series.start
    actuals: Floats = replay.series.y[positions]
    return actuals


def join_errors(forecasts: Sequence[EarlierForecasts], config: Config) -> Floats | None:
    """Return the errors of earlier means from those origins that all series have, a column for each; None for too
    few. Rows in which one is missing are left out."""
    stamps = [one.replay.series.grid.stamps(one.replay.origins) for one in forecasts]
    shared = reduce(np.intersect1d, stamps)
    if len(shared) < LEAST_TEMPLATES:
        return None
    columns: list[Floats] = []
    for one, of_one in zip(forecasts, stamps, strict=True):
        rows = np.isin(of_one, shared)
        means = compute_mean(np.moveaxis(one.replay.forecasts[rows], -1, 0), config.quantiles)  # (K, H)
        columns.append((find_actuals(one.replay)[rows] - means).ravel())
    errors = np.stack(columns, axis=1)
    known = ~np.isnan(errors).any(axis=1)
    return errors[known] if int(known.sum()) >= LEAST_TEMPLATES else None
