"""The measures of the accuracy table, and the naive forecasts that they are set against.

Shapes: S series, W windows a series, H horizon, Q quantiles (Q last).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_data import Part
from models.classical.statistical_models import season_naive
from models.evaluation import metrics

Floats = NDArray[np.float64]

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
SEASONS_OF_NAIVE = 8
"""seasons before the origin in which season-naive looks for the last value of a phase"""
SEASONAL_AT = 1.645
"""one-sided 95 % point of the normal law: the competition's test of seasonality"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Forecasts of a part's windows beside what happened."""

    part: Part
    actual: Floats
    """(S, W, H)"""
    quantiles: Floats
    """(S, W, H, Q) at LEVELS"""
    mean: Floats | None = None
    """(S, W, H) forecasts for planners, which squared errors ask for; None: the median"""

    @property
    def point(self) -> Floats:
        """The median: (S, W, H)."""
        point: Floats = self.quantiles[..., LEVELS.index(0.5)]
        return point

    @property
    def center(self) -> Floats:
        """The mean, or the median where there is none: (S, W, H)."""
        return self.point if self.mean is None else self.mean


Measure = Callable[[Sequence[Outcome]], float]


def best_naive(part: Part) -> tuple[Outcome, int]:
    """Forecast by season-naive with the part's season of the least absolute error; return it too."""
    found = [(naive_outcome(part, season), season) for season in part.seasons]
    return min(found, key=lambda pair: MEASURES["mae"]([pair[0]]))


def outcome(part: Part, quantiles: Floats, mean: Floats | None = None) -> Outcome:
    """Join forecasts (S, W, H, Q), and their means (S, W, H), with what happened."""
    ahead = part.origins[..., None] + np.arange(1, part.horizon + 1)  # (S, W, H)
    return Outcome(part, np.stack([one.y[at] for one, at in zip(part.series, ahead, strict=True)]), quantiles, mean)


def naive_outcome(part: Part, season: int) -> Outcome:
    """Forecast each window by season-naive, every quantile the point; a series without history is 0."""
    point = np.zeros((*part.origins.shape, part.horizon))
    for row, one in enumerate(part.series):
        for window, origin in enumerate(part.origins[row].tolist()):
            if origin >= 0:
                seen = one.y[max(0, origin + 1 - SEASONS_OF_NAIVE * season) : origin + 1]
                point[row, window] = season_naive(seen, part.horizon, season)
    return outcome(part, as_quantiles(point))


def as_quantiles(point: Floats) -> Floats:
    """Show a point (..., H) at every level: (..., H, Q), without a copy."""
    return np.broadcast_to(point[..., None], (*point.shape, len(LEVELS)))


def pooled(metric: Callable[[Floats, Floats], float], forecast: str = "point") -> Measure:
    """Return the metric's mean over the observed steps of all parts, of the `point` or the `center` of each outcome."""

    def measure(outcomes: Sequence[Outcome]) -> float:
        steps = [int((~np.isnan(one.actual)).sum()) for one in outcomes]
        return float(np.average([metric(one.actual, getattr(one, forecast)) for one in outcomes], weights=steps))

    return measure


def wql(outcomes: Sequence[Outcome]) -> float:
    """Weighted quantile loss over LEVELS of a data set of one part."""
    (one,) = outcomes
    return metrics.wql(one.actual, one.quantiles, LEVELS)


def mase(outcomes: Sequence[Outcome]) -> float:
    """Mean absolute scaled error of a data set of one part; what precedes a series' first window scales it."""
    (one,) = outcomes
    return metrics.mase(one.actual, one.point, _scales(one.part))


def owa(outcomes: Sequence[Outcome]) -> float:
    """Mean of sMAPE and MASE relative to Naive2 (Makridakis et al. 2020), of a data set of one part."""
    (one,) = outcomes
    part = one.part
    reference = np.stack(
        [
            np.stack([naive2(series.y[: origin + 1], part.horizon, part.seasons[0]) for origin in origins.tolist()])
            for series, origins in zip(part.series, part.origins, strict=True)
        ]
    )  # (S, W, H)
    naive = [outcome(part, as_quantiles(reference))]
    smape = pooled(metrics.smape)
    return (smape(outcomes) / smape(naive) + mase(outcomes) / mase(naive)) / 2


def coverage(outcomes: Sequence[Outcome]) -> float:
    """Share of the observed steps between the levels 0.1 and 0.9."""
    steps = [int((~np.isnan(one.actual)).sum()) for one in outcomes]
    low, high = LEVELS.index(0.1), LEVELS.index(0.9)
    shares = [metrics.coverage(one.actual, one.quantiles[..., low], one.quantiles[..., high]) for one in outcomes]
    return float(np.average(shares, weights=steps))


def interval_score(outcomes: Sequence[Outcome]) -> float:
    """Mean interval score of the levels 0.1 and 0.9 (Winkler 1972; Gneiting and Raftery 2007): width, and ten times by
    how much a value lies outside."""
    steps = [int((~np.isnan(one.actual)).sum()) for one in outcomes]
    low, high = LEVELS.index(0.1), LEVELS.index(0.9)
    scores = [
        float(
            np.nanmean(
                one.quantiles[..., high]
                - one.quantiles[..., low]
                + 10 * np.maximum(one.quantiles[..., low] - one.actual, 0)
                + 10 * np.maximum(one.actual - one.quantiles[..., high], 0)
            )
        )
        for one in outcomes
    ]
    return float(np.average(scores, weights=steps))


MEASURES: dict[str, Measure] = {
    "mae": pooled(metrics.mae),
    "mase": mase,
    "mse of means": pooled(metrics.mse, "center"),
    "mse": pooled(metrics.mse),
    "owa": owa,
    "smape": pooled(metrics.smape),
    "wql": wql,
}


def naive2(history: Floats, horizon: int, season: int) -> Floats:
    """Forecast by the M4 competition's Naive2: the last value, seasonally adjusted where the test finds a season.

    Args:
        history: (T,) without missing values.
        season: m in steps; 1 for none.
    """
    if season == 1 or not _seasonal(history, season):
        return np.full(horizon, history[-1])
    index = _seasonal_index(history, season)
    phase = (len(history) + np.arange(horizon)) % season
    adjusted: Floats = history[-1] / index[(len(history) - 1) % season] * index[phase]
    return adjusted


def _seasonal(history: Floats, season: int) -> bool:
    """Test the autocorrelation at one season, as the competition does (Bartlett's formula)."""
    if len(history) < 3 * season:
        return False
    centred = history - history.mean()
    variance = float(centred @ centred)
    lags = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, season + 1)]) / max(variance, 1e-300)
    limit = SEASONAL_AT * np.sqrt((1 + 2 * (lags[:-1] ** 2).sum()) / len(history))
    return bool(abs(lags[-1]) > limit)


def _seasonal_index(history: Floats, season: int) -> Floats:
    """Return the multiplicative indexes (m,) of a classical decomposition; phase 0 is that of history[0]."""
    weights = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    trend = np.convolve(history, weights / season, mode="valid")
    skipped = len(weights) // 2
    ratio = history[skipped : skipped + len(trend)] / trend
    phases = (np.arange(len(ratio)) + skipped) % season
    index = np.bincount(phases, ratio, season) / np.bincount(phases, minlength=season)
    normed: Floats = index / index.mean()
    return normed


def _scales(part: Part) -> Floats:
    """Return the season error of each series before its first window: (S, 1, 1)."""
    season = part.seasons[0]
    errors = [
        metrics.season_error(one.y[: at + 1], season)
        for one, at in zip(part.series, part.origins[:, 0].tolist(), strict=True)
    ]
    return np.array(errors)[:, None, None]
