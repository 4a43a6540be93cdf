"""Statistical models for the gates to choose from: found on a sample of series, pooled, as linear maps of a context.

AutoETS, AutoTheta and where it is asked for Prophet fit each series of the sample; the models that together forecast
the training windows best are kept. As maps they serve any series, those that were not trained on as well.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats
from models.classical.baselines import smoothing_models
from models.classical.exponential_smoothing import Smoothed
from models.classical.prophet import Structural
from models.data.series import Series, observed_span

Pooled = Smoothed | Structural

SAMPLED_SERIES = 16
LONGEST_SEASON = 24
"""longer seasons make exponential smoothing slow and weak"""
SEASONS_READ = 10
LEAST_READ, MOST_READ = 12, 240
"""steps of a sampled history"""


def pooled_models(series: Sequence[Series], ends: Sequence[int], season: int, seed: int) -> list[Smoothed]:
    """Return what statsforecast finds on a seeded sample of the series, read up to their ends."""
    if season > LONGEST_SEASON:
        return []
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(series))
    histories: list[Floats] = []
    for row in order.tolist():
        history = _recent(series[row].y[: ends[row]], season)
        if len(history) >= max(LEAST_READ, 2 * season + 5) and np.ptp(history) > 0:
            histories.append(history)
        if len(histories) == SAMPLED_SERIES:
            break
    return smoothing_models(histories, season) if histories else []


def _recent(y: Floats, season: int) -> Floats:
    """Return the last steps of a history, its gaps filled by straight lines."""
    first, end = observed_span(y)
    recent = y[max(first, end - min(MOST_READ, max(LEAST_READ * 4, SEASONS_READ * season))) : end]
    steps, present = np.arange(len(recent)), ~np.isnan(recent)
    return np.interp(steps, steps[present], recent[present]) if present.any() else recent[:0]
