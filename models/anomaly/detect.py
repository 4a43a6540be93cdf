"""Anomalies: values that are improbable under a forecast from the values before them.

Each step is forecast from the one before, or from some steps before (models.anomaly.residuals). The width of the
interval is learned from earlier deviations of the same series (models.anomaly.tails); the score weighs them with what
else is odd about the latest steps (models.anomaly.evidence), and alarms are the rare ones of its peaks
(models.anomaly.alarms). Nothing about a step depends on a later value. Shapes: N steps of a span.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.anomaly.alarms import count_steps_per_week, find_alarms, follow_thresholds
from models.anomaly.evidence import weigh_evidence
from models.anomaly.residuals import Residuals, Span, compute_residuals
from models.anomaly.tails import judge_deviations
from models.arrays import Floats
from models.config.model import Config
from models.config.validation import require
from models.data.series import Series
from models.inference.predict import Runner

Flags = NDArray[np.bool_]

HISTORY = 1000
"""steps before the span that are scored too, to learn the distances of values from their forecasts"""
ALARMS_PER_WEEK = 1.0
"""of a series, where nothing else is asked for: what a person reads"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Anomalies:
    """The judgement of each step of a span; NaN where too few values come before."""

    series_id: str
    start: int
    """position in `y` of the first step"""
    expected: Floats
    """(N,) the median forecast, in original units"""
    lower: Floats
    """(N,) lower end of the interval, in original units"""
    upper: Floats
    """(N,) upper end of the interval, in original units"""
    score: Floats
    """(N,) improbability of what the series does there: the standard deviations at which a normal distribution is as
    improbable, whatever the level; NaN for a missing value too"""
    anomaly: Flags
    """(N,) whether a value was observed outside of [lower, upper]"""
    alarm: Flags
    """(N,) whether the score is one of as few as were asked for, and exceeds those within a horizon before it, those
    before the span included"""


def detect_anomalies(
    series: Sequence[Series],
    spans: Sequence[Span],
    runner: Runner,
    config: Config,
    level: float = 0.99,
    ahead: int = 1,
    alarms_per_week: float = ALARMS_PER_WEEK,
) -> list[Anomalies]:
    """Detect the anomalies of each series on its span.

    Args:
        series: each with its history before the span, of which up to HISTORY steps are scored to learn from them.
        spans: positions [start, end) in each series' `y`.
        config: the configuration of the runner's model.
        level: share of ordinary values that the intervals should hold, between 0 and 1.
        ahead: steps from the origin to the judged step, the model's horizon at most. Forecasts one step ahead show
            sudden anomalies; those from further back also show lasting ones, whose beginning is not in the context.

    Raises ConfigError for another level, span or number of steps ahead, ValueError for an infinite value.
    """
    require(0 < level < 1, "level", "must be between 0 and 1")
    require(1 <= ahead <= config.horizon, "ahead", f"must be between 1 and the model's horizon, {config.horizon}")
    require(alarms_per_week > 0, "alarms_per_week", "must be positive")
    return [
        _detect(item, span, runner, config, level, ahead, alarms_per_week)
        for item, span in zip(series, spans, strict=True)
    ]


def _detect(
    series: Series, span: Span, runner: Runner, config: Config, level: float, ahead: int, alarms_per_week: float
) -> Anomalies:
    start, end = span
    require(0 <= start <= end <= len(series.y), "start", "must lie before the end, within the series")
    begin = max(0, start - HISTORY)
    residuals, radius, score = score_steps(series, (begin, end), runner, config, ahead, level)
    low, high = find_limits(series, end, config)
    lower = np.clip(residuals.expected - radius * residuals.below, low[begin:], high)
    upper = np.clip(residuals.expected + radius * residuals.above, low[begin:], high)
    y = series.y[begin:end]
    thresholds = follow_thresholds(score, alarms_per_week, count_steps_per_week(config.frequency), config.horizon)
    anomaly = (y < lower) | (y > upper)
    alarm = find_alarms(np.where(score > thresholds, score, 0.0), config.horizon) > 0
    judged = slice(start - begin, None)
    return Anomalies(
        series_id=series.id,
        start=start,
        expected=residuals.expected[judged],
        lower=lower[judged],
        upper=upper[judged],
        score=score[judged],
        anomaly=anomaly[judged],
        alarm=alarm[judged],
    )


def find_limits(series: Series, end: int, config: Config) -> tuple[Floats, float]:
    """Return the least possible value at each step of y[:end], (end,), and the greatest one.

    With `nonnegative`, zero is the floor of each step that no negative value comes before, of a series without a sign.
    """
    y = series.y[:end]
    low, high = config.bounds
    negative_before = np.concatenate([[False], np.logical_or.accumulate(y < 0)[:-1]])[: len(y)]
    floor = np.where(~negative_before & (not config.is_signed(series.id)), 0.0, -np.inf)
    least = np.maximum(floor, -np.inf if low is None else low)
    return least, np.inf if high is None else high


def score_steps(
    series: Series, span: Span, runner: Runner, config: Config, ahead: int, level: float = 0.5
) -> tuple[Residuals, Floats, Floats]:
    """Forecast each step of a span; return with that how far (N,) a value may lie at a level, and the score (N,) of
    what the series does there by the steps of the span before, whatever the level."""
    begin, end = span
    residuals = compute_residuals(series, span, runner, config, ahead)
    radius, own = judge_deviations(residuals.deviation, level)
    return residuals, radius, weigh_evidence(series.y[begin:end], residuals.deviation, own, config.network.season)
