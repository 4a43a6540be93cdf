"""Alarms among values as they arrive: from which score on, and which of them are not worth a message.

A threshold is a score (models.anomaly.alarms). It is that of a level, or of a number of alarms a week that a person can
read, and verdicts on past values move it. Nothing about a step depends on a later one. Shapes: N steps of a span, P
steps before it that are scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.anomaly.alarms import (
    bound_threshold,
    choose_threshold,
    convert_to_level,
    convert_to_score,
    count_steps_per_week,
    find_alarms,
)
from models.anomaly.detect import HISTORY, find_limits, score_steps
from models.anomaly.residuals import Span
from models.anomaly.tails import judge_deviations
from models.arrays import Floats
from models.config.model import Config
from models.config.validation import require
from models.data.series import Series
from models.inference.predict import Runner

Flags = NDArray[np.bool_]

MARGIN = 0.05
"""distance of a threshold from the score of a verdict that it follows"""
MOST_VERDICTS = 100
"""latest verdicts that count"""


@dataclass(frozen=True, kw_only=True)
class IgnoreRule:
    """Deviations that are no alarm: exactly one of its fields is set."""

    direction: Literal["up", "down"] | None = None
    """values above the forecast, or below it"""
    absolute: float | None = None
    """values that are nearer to the forecast, in units of the series"""
    relative: float | None = None
    """values that are nearer to the forecast, as a share of it"""

    def __post_init__(self) -> None:
        given = [value is not None for value in (self.direction, self.absolute, self.relative)]
        require(sum(given) == 1, "ignore", "one of direction, absolute and relative must be set")


@dataclass(frozen=True, kw_only=True)
class WatchRule:
    """What is an alarm."""

    level: float | None = None
    """share of ordinary values that are none"""
    alarms_per_week: float | None = None
    """of this series; in the place of a level"""
    ahead: int = 1
    """steps between the origin of a forecast and the value that is compared with it"""
    ignore: tuple[IgnoreRule, ...] = ()

    def __post_init__(self) -> None:
        require((self.level is None) != (self.alarms_per_week is None), "level", "or alarms_per_week must be set")
        require(self.level is None or 0 < self.level < 1, "level", "must be between 0 and 1")
        require(self.alarms_per_week is None or self.alarms_per_week > 0, "alarms_per_week", "must be positive")


@dataclass(frozen=True)
class Judged:
    """A value that a person has judged."""

    score: float
    normal: bool
    """or else an anomaly"""


@dataclass(frozen=True)
class GivenVerdict:
    """What a person has said of a value of a series."""

    position: int
    """in `y`; what lies outside of it has no score but its own"""
    normal: bool
    """or else an anomaly"""
    score: float | None = None
    """as the value had it when it arrived; None: that of its position"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Watched:
    """The judgement of each step of a span; NaN where too few values come before."""

    threshold: float
    """score above which a value is an alarm"""
    expected: Floats
    """(N,) median forecast, in original units"""
    lower: Floats
    """(N,) lower end of the interval that values of such a score leave, in original units"""
    upper: Floats
    """(N,) upper end of that interval"""
    score: Floats
    """(N,) improbability of what the series does there, NaN for a missing value"""
    alarming: Flags
    """(N,) whether the score lies above, and no rule ignores that"""
    alarm: Flags
    """(N,) whether it exceeds all such values within a horizon before it"""


def watch_span(
    series: Series,
    span: Span,
    runner: Runner,
    config: Config,
    rule: WatchRule,
    verdicts: Sequence[GivenVerdict] = (),
) -> Watched:
    """Judge the values of a span.

    Args:
        series: with its history before the span, of which up to HISTORY steps are scored to learn from them
        span: positions [start, end) in `y`
        runner: of the model
        config: of the runner's model
        rule: what is an alarm
        verdicts: on values of the series, in the order in which they were given

    Raises ConfigError for another span or number of steps ahead, ValueError for an infinite value.
    """
    start, end = span
    require(0 <= start <= end <= len(series.y), "start", "must lie before the end, within the series")
    require(1 <= rule.ahead <= config.horizon, "ahead", f"must be between 1 and the horizon, {config.horizon}")
    begin = max(0, start - HISTORY)
    new = start - begin  # P
    residuals, _, score = score_steps(series, (begin, end), runner, config, rule.ahead)
    y = series.y[begin:end]
    ignored = find_ignored(y, residuals.expected, rule.ignore)
    judged = [one for verdict in verdicts if (one := _score_verdict(verdict, score, begin)) is not None]
    past = np.where(ignored[:new], np.nan, score[:new])
    threshold = adjust_threshold(_start_threshold(past, rule, config), judged)
    radius, _ = judge_deviations(residuals.deviation, convert_to_level(threshold), new)
    low, high = find_limits(series, end, config)
    lower = np.clip(residuals.expected - radius * residuals.below, low[begin:], high)
    upper = np.clip(residuals.expected + radius * residuals.above, low[begin:], high)
    exceeding = (score > threshold) & ~ignored
    alarm = find_alarms(np.where(exceeding, score, 0.0), config.horizon) > 0
    return Watched(
        threshold=threshold,
        expected=residuals.expected[new:],
        lower=lower[new:],
        upper=upper[new:],
        score=score[new:],
        alarming=exceeding[new:],
        alarm=alarm[new:],
    )


def _score_verdict(verdict: GivenVerdict, score: Floats, begin: int) -> Judged | None:
    """Return a verdict with its score, by the scores of the steps from `begin` on; None where it has none there."""
    if verdict.score is not None:
        return Judged(verdict.score, verdict.normal)
    at = verdict.position - begin
    if not 0 <= at < len(score) or not np.isfinite(score[at]):
        return None
    return Judged(float(score[at]), verdict.normal)


def _start_threshold(past: Floats, rule: WatchRule, config: Config) -> float:
    """Return the threshold of a rule, before verdicts, from the scores (P,) of the past."""
    if rule.level is not None:
        return convert_to_score(rule.level)
    assert rule.alarms_per_week is not None
    return choose_threshold(past, rule.alarms_per_week, count_steps_per_week(config.frequency), config.horizon)


def adjust_threshold(threshold: float, verdicts: Sequence[Judged]) -> float:
    """Move a threshold so that as few verdicts as possible contradict it.

    A value that was normal lies above no threshold, an anomaly below none. Of those thresholds that contradict as few
    verdicts, one that agrees with the newest verdict is taken, and of these the nearest.
    """
    latest = list(verdicts)[-MOST_VERDICTS:]
    if not latest:
        return threshold

    def count_contradicted(at: float) -> int:
        return sum((one.score > at) == one.normal for one in latest)

    def rank(at: float) -> tuple[int, bool, float]:
        return count_contradicted(at), (latest[-1].score > at) == latest[-1].normal, abs(at - threshold)

    moved = [bound_threshold(one.score + MARGIN if one.normal else one.score - MARGIN) for one in latest]
    return min([threshold, *moved], key=rank)


def find_ignored(y: Floats, expected: Floats, rules: Sequence[IgnoreRule]) -> Flags:
    """Return which values (N,) one of some rules ignores, by their forecasts (N,)."""
    difference = y - expected
    ignored = np.zeros(len(y), np.bool_)
    for rule in rules:
        if rule.direction is not None:
            ignored |= (difference > 0) if rule.direction == "up" else (difference < 0)
        if rule.absolute is not None:
            ignored |= np.abs(difference) < rule.absolute
        if rule.relative is not None:
            ignored |= np.abs(difference) < rule.relative * np.abs(expected)
    return ignored
