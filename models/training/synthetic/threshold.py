"""Series that follow another rule at each level: autoregressions with a threshold, and maps that are chaotic.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.noise import add_reading_errors, draw_shocks
from models.training.synthetic.seasons import add_seasons
from models.training.synthetic.sizes import draw_sizes, standardise

LOGISTIC = (3.6, 4.0)
"""rate of the logistic map, chaotic almost everywhere between them; from a published synthetic recipe"""

CHAOTIC_SHARE = 0.5
"""of series that follow a chaotic map; a judgement, as is all that follows"""
SINE = (0.87, 1.0)
"""height of the sine map, which is chaotic from 0.866 on with windows between"""
SETTLING = 50
"""steps of a map before a series begins"""
PERSISTENCE = (-0.7, 0.95)
"""coefficient of the step before, drawn for each regime: below 1 in both no series runs away (Petruccelli and
Woolford 1984)"""
MOST_DELAY = 3
"""steps back at which a level decides the regime"""
LOW_DRIFT = (-0.5, 1.5)
"""what is added a step below the threshold, and above it taken away: mostly towards it, which makes cycles"""
LOUDNESS = (0.1, 1.0)
"""standard deviation of a regime's shocks"""
SEASON_SHARE = 0.5
"""of series with a season"""
SEASON_SIZES = (0.2, 2.0)
"""standard deviation of a season beside the rest's of 1"""
READING_SHARE = 0.3
"""of series that are read with an error"""
READING_SIZES = (0.02, 0.3)
"""standard deviation of such an error"""


def generate_threshold(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw threshold autoregressions and chaotic maps (N, L) of standard deviation 1, and a season added to some."""
    is_chaotic = rng.random(count) < CHAOTIC_SHARE
    chaotic = int(is_chaotic.sum())
    series = np.empty((count, length))
    series[is_chaotic] = _iterate_maps(rng, chaotic, length)
    series[~is_chaotic] = _switch_regimes(rng, count - chaotic, length)
    series = standardise(series)
    add_seasons(rng, series, SEASON_SHARE, SEASON_SIZES)
    add_reading_errors(rng, series, READING_SHARE, READING_SIZES)
    return series


def _iterate_maps(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L) of the logistic map x -> r x (1 - x) or of the sine map x -> h sin(pi x), half each."""
    logistic = count // 2
    rate = rng.uniform(*LOGISTIC, logistic)
    height = rng.uniform(*SINE, count - logistic)
    x = rng.uniform(0.1, 0.9, count)
    values = np.empty((length, count))
    for t in range(-SETTLING, length):
        below = x[:logistic]
        x = np.concatenate([rate * below * (1 - below), height * np.sin(np.pi * x[logistic:])])
        if t >= 0:
            values[t] = x
    return np.ascontiguousarray(values.T)


def _switch_regimes(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw autoregressions (N, L) with two regimes, by the sign of the level one to three steps before (Tong 1983)."""
    phi = rng.uniform(*PERSISTENCE, (2, count))
    drift = rng.uniform(*LOW_DRIFT, (2, count)) * np.array([[1.0], [-1.0]])
    loudness = draw_sizes(rng, 2 * count, LOUDNESS).reshape(2, count)
    delay = rng.integers(1, MOST_DELAY + 1, count)
    series = np.arange(count)
    shocks = np.ascontiguousarray(draw_shocks(rng, count, length + MOST_DELAY).T)
    values = shocks.copy()  # the first few steps are shocks alone
    for t in range(MOST_DELAY, length + MOST_DELAY):
        above = values[t - delay, series] > 0
        steady = np.where(above, drift[1], drift[0]) + np.where(above, phi[1], phi[0]) * values[t - 1]
        values[t] = steady + np.where(above, loudness[1], loudness[0]) * shocks[t]
    return np.ascontiguousarray(values[MOST_DELAY:].T)


THRESHOLD_FAMILY = SeriesFamily("threshold", 0.06, 0.08, generate_threshold)
"""shares from a published synthetic recipe"""
