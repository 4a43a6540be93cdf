"""Autoregressions of second order and what they add up to: cycles, random walks, trends that wander.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.noise import (
    add_reading_errors,
    draw_autoregression,
    draw_shocks,
    filter_autoregression,
)
from models.training.synthetic.seasons import add_seasons
from models.training.synthetic.sizes import standardise

FIRST = (0.3, 0.98)
"""first partial autocorrelation; from a published synthetic recipe, as are the next five"""
SECOND = (-0.6, 0.6)
"""second partial autocorrelation"""
TWICE_SHARE = 0.1
"""of integrated series, shocks that are cumulated twice"""
VELOCITY_SHARE = 0.35
"""of integrated series, whose steps are a persistent autoregression of first order; the rest cumulates second order"""
VELOCITY = (0.97, 0.999)
"""first autocorrelation of such steps"""
SEASON_SHARE = 0.5
"""of series with a season"""

INTEGRATED_SHARE = 0.5
"""of series that are integrated; a judgement, as is all that follows"""
SEASON_SIZES = (0.1, 2.0)
"""standard deviation of a season beside the rest's of 1"""
READING_SHARE = 0.3
"""of series that are read with an error: a walk that is read so is what simple smoothing forecasts best"""
READING_SIZES = (0.02, 0.5)
"""standard deviation of such an error"""


def generate_autoregressive(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L) of standard deviation 1, and a season and errors of reading that are added to some."""
    is_integrated = rng.random(count) < INTEGRATED_SHARE
    integrated = int(is_integrated.sum())
    series = np.empty((count, length))
    series[~is_integrated] = _draw_second_order(rng, count - integrated, length)
    series[is_integrated] = _draw_integrated(rng, integrated, length)
    add_seasons(rng, series, SEASON_SHARE, SEASON_SIZES)
    add_reading_errors(rng, series, READING_SHARE, READING_SIZES)
    return series


def _draw_second_order(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw stationary autoregressions (N, L) of second order."""
    first = rng.uniform(*FIRST, count)
    second = rng.uniform(*SECOND, count)
    return filter_autoregression(first, second, draw_shocks(rng, count, length))


def _draw_integrated(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw sums (N, L) of what has happened so far, with a standard deviation of 1."""
    kind = rng.random(count)
    twice = kind < TWICE_SHARE
    persistent = (kind >= TWICE_SHARE) & (kind < TWICE_SHARE + VELOCITY_SHARE)
    other = kind >= TWICE_SHARE + VELOCITY_SHARE
    velocity = rng.uniform(*VELOCITY, int(persistent.sum()))
    steps = np.empty((count, length))
    steps[twice] = np.cumsum(draw_shocks(rng, int(twice.sum()), length), 1)
    steps[persistent] = draw_autoregression(rng, velocity, length, draw_shocks(rng, len(velocity), length))
    steps[other] = _draw_second_order(rng, int(other.sum()), length)
    return standardise(np.cumsum(steps, 1))


AUTOREGRESSIVE_FAMILY = SeriesFamily("autoregressive", 0.15, 0.24, generate_autoregressive)
"""shares from a published synthetic recipe"""
