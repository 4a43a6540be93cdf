"""Anomalies: values that a forecast, made from what came before them, holds for improbable.

Each step is forecast from the one before, or from some steps before (models.anomaly.residuals). How improbable a
deviation is, and how far the interval reaches, is learned from the series' own earlier ones (models.anomaly.tails);
nothing that is told of a step depends on a later value. N steps of a span. Knows no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.anomaly.residuals import Span, follow
from models.anomaly.tails import followed
from models.arrays import Floats
from models.config.model import Config
from models.config.validation import require
from models.data.series import Series
from models.inference.predict import Runner

Flags = NDArray[np.bool_]

HISTORY = 1000
"""Steps before the span that are scored too, to learn how far values lie from their forecasts"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Anomalies:
    """What is told of the steps of a span; NaN where nothing can be, for want of values before."""

    series_id: str
    start: int
    """position in `y` of the first step"""
    expected: Floats
    """(N,) the median forecast, in original units"""
    lower: Floats
    """(N,)"""
    upper: Floats
    """(N,)"""
    score: Floats
    """(N,) how improbable the value is: the standard deviations at which a normal law is as improbable, whatever the
    level; NaN for a missing value too"""
    anomaly: Flags
    """(N,) whether a value was observed outside of [lower, upper]"""
    alarm: Flags
    """(N,) whether an anomaly exceeds those of a horizon's length before it, those before the span included"""


def detect(
    series: Sequence[Series],
    spans: Sequence[Span],
    runner: Runner,
    config: Config,
    level: float = 0.99,
    ahead: int = 1,
) -> list[Anomalies]:
    """Judge each series on its span.

    Args:
        series: with their history before the span, of which up to HISTORY steps are scored to learn from them.
        spans: positions [start, end) in each series' `y`.
        config: that of the model behind `runner`.
        level: share of ordinary values that the intervals should hold, between 0 and 1.
        ahead: how many steps before a step its forecast is made, the model's horizon at most. From one step before,
            what is sudden stands out; from many, also what goes on, because the forecast does not know its beginning.

    Raises ConfigError for another level, span or number of steps ahead, ValueError for an infinite value.
    """
    require(0 < level < 1, "level", "must be between 0 and 1")
    require(1 <= ahead <= config.horizon, "ahead", f"must be between 1 and the model's horizon, {config.horizon}")
    return [_detect(one, span, runner, config, level, ahead) for one, span in zip(series, spans, strict=True)]


def _detect(one: Series, span: Span, runner: Runner, config: Config, level: float, ahead: int) -> Anomalies:
    start, end = span
    require(0 <= start <= end <= len(one.y), "start", "must lie before the end, within the series")
    begin = max(0, start - HISTORY)
    found = follow(one, (begin, end), runner, config, ahead)
    radius, score = followed(found.deviation, level)
    low, high = _limits(one.y[:end], config)
    lower = np.clip(found.expected - radius * found.below, low[begin:], high)
    upper = np.clip(found.expected + radius * found.above, low[begin:], high)
    y = one.y[begin:end]
    anomaly = (y < lower) | (y > upper)
    alarm = anomaly & (alarms(np.where(anomaly, score, 0.0), config.horizon) > 0)
    kept = slice(start - begin, None)
    return Anomalies(
        series_id=one.id,
        start=start,
        expected=found.expected[kept],
        lower=lower[kept],
        upper=upper[kept],
        score=score[kept],
        anomaly=anomaly[kept],
        alarm=alarm[kept],
    )


def _limits(y: Floats, config: Config) -> tuple[Floats, float]:
    """Return the least value that is possible at each step of y (T,), and the greatest.

    The floor of values that are never negative holds until one is, as far as the steps before tell.
    """
    low, high = config.bounds
    before = np.concatenate([[False], np.logical_or.accumulate(y < 0)[:-1]])[: len(y)]
    floor = np.where(config.nonnegative & ~before, 0.0, -np.inf)
    return np.maximum(floor, -np.inf if low is None else low), np.inf if high is None else high


def alarms(score: Floats, rest: int) -> Floats:
    """Return the scores (N,) that exceed all of the `rest` steps before them, 0 in place of the others.

    What is worth a call: an anomaly that goes on alarms once, and again where it grows or a rest has passed. Nothing
    depends on a later step.
    """
    known = np.nan_to_num(score, nan=0.0)
    before = pd.Series(known).rolling(rest, min_periods=1).max().shift(1).fillna(0.0)
    return np.where(known > before.to_numpy(), known, 0.0)
