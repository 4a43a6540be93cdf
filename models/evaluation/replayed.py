"""Forecasts of many windows with the intervals that the service would have given them.

Shapes: B windows, H horizon, Q quantiles.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from models.arrays import Floats, Ints
from models.config.model import Config
from models.data.series import Series, observed_span
from models.data.windows import cut_contexts
from models.inference.predict import Runner
from models.inference.replay import Replay, ReplayPlan, find_bounds, find_widths, plan_origins, replay_all


def widen_windows(
    quantiles: Floats,
    series: Sequence[Series],
    origins: Ints,
    runner: Runner,
    config: Config,
    *,
    trained_until: int,
    trained_on: Collection[str],
) -> Floats:
    """Return forecasts (B, H, Q) with the widths that replays within each origin's known history give them.

    Args:
        series, origins: (B,) the series of each window, and the position of its origin in `y`.
        runner: the network that made them, of which earlier forecasts are asked for.
        trained_until: stamp of the newest value that its training has seen.
        trained_on: ids of the series that its training has seen.
    """
    widened = quantiles.copy()
    rows_of: dict[int, list[int]] = {}
    for row, item in enumerate(series):
        rows_of.setdefault(id(item), []).append(row)
    for rows in rows_of.values():
        item = series[rows[0]]
        trained = item.grid.locate_one(trained_until)
        _widen_series(widened, np.array(rows), item, origins, runner, config, trained, item.id in trained_on)
    return widened


def _widen_series(
    quantiles: Floats,
    rows: Ints,
    series: Series,
    origins: Ints,
    runner: Runner,
    config: Config,
    trained: int,
    is_trained: bool,
) -> None:
    """Widen the windows at some rows, all of one series, in place; `trained` is a grid index."""
    first = series.start + observed_span(series.y)[0]
    ends = (series.start + origins[rows]).tolist()
    plans = [plan_origins(first, end, trained, config, is_trained=is_trained) for end in ends]
    wanted = np.unique(np.concatenate(plans))
    if not len(wanted):
        return
    (everything,) = replay_all([ReplayPlan(series, wanted)], runner, config)
    contexts = cut_contexts([series] * len(rows), origins[rows], config)  # (rows, T)
    for row, end, plan, context in zip(rows.tolist(), ends, plans, contexts, strict=True):
        if len(plan):
            bounds = find_bounds(context, config, is_signed=config.is_signed(series.id))
            widths = find_widths(_select(everything, plan), end, config, bounds)
            if widths is not None:
                quantiles[row] = widths.apply(quantiles[row].T).T


def _select(replay: Replay, origins: Ints) -> Replay:
    """Return the part of a replay that begins from some origins."""
    rows = np.flatnonzero(np.isin(replay.origins, origins))
    return replace(replay, origins=replay.origins[rows], forecasts=replay.forecasts[rows])
