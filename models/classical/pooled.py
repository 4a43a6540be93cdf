"""Statistical models fitted to a sample of series and pooled, as linear maps of a context, for the gates to weigh.

AutoETS, AutoTheta and, if configured, Prophet fit each series of the sample; the models that together forecast the
training windows best are kept. As maps they serve any series, also those without part in the training.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats
from models.classical.exponential_smoothing import SmoothingModel
from models.classical.prophet import StructuralModel
from models.classical.statistical_models import fit_smoothing_models
from models.data.series import Series, observed_span

PooledModel = SmoothingModel | StructuralModel

SAMPLED_SERIES = 16
"""series of the sample"""
LONGEST_SEASON = 24
"""steps of a season; longer ones make exponential smoothing slow and weak"""
SEASONS_READ = 10
"""seasons of a sampled history"""
LEAST_READ, MOST_READ = 12, 240
"""steps of a sampled history"""


def fit_pooled_models(series: Sequence[Series], ends: Sequence[int], season: int, seed: int) -> list[SmoothingModel]:
    """Fit smoothing models to a seeded sample of the series, read up to their ends; none for a long season."""
    if season > LONGEST_SEASON:
        return []
    order = np.random.default_rng(seed).permutation(len(series))
    histories: list[Floats] = []
    for row in order.tolist():
        history = _cut_recent(series[row].y[: ends[row]], season)
        if len(history) >= max(LEAST_READ, 2 * season + 5) and np.ptp(history) > 0:
            histories.append(history)
        if len(histories) == SAMPLED_SERIES:
            break
    return fit_smoothing_models(histories, season) if histories else []


def _cut_recent(y: Floats, season: int) -> Floats:
    """Cut the last steps of a history, its gaps filled by straight lines."""
    first, end = observed_span(y)
    length = min(MOST_READ, max(LEAST_READ * 4, SEASONS_READ * season))
    recent = y[max(first, end - length) : end]
    steps = np.arange(len(recent))
    present = ~np.isnan(recent)
    return np.interp(steps, steps[present], recent[present]) if present.any() else recent[:0]
