"""Levels that hold and then change, with their noise and their season: machines, prices, regimes.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.noise import draw_noise
from models.training.synthetic.seasons import draw_seasons
from models.training.synthetic.sizes import draw_sizes

MOST_CHANGES = 10
"""of a series; it has one at least. From a published synthetic recipe, as is the next"""
LEVELS = (0.5, 3.0)
"""size of a level, above or below 0, beside a season's standard deviation of 1"""

SEASON_SHARE = 0.6
"""of series with a season; a judgement, as is all that follows"""
SEASON_SIZES = (0.1, 1.5)
"""standard deviation of a season"""
NOISE_CHANGE_SHARE = 0.4
"""of series whose noise changes with the level"""
NOISE_FACTORS = (0.25, 4.0)
"""what the noise of a level is multiplied with"""
SEASON_CHANGE_SHARE = 0.4
"""of series whose season changes with the level"""
SEASON_FACTORS = (0.1, 2.5)
"""what the season of a level is multiplied with"""
GRADUAL_SHARE = 0.4
"""of series whose changes take several steps"""
GRADUAL = (1.0, 40.0)
"""scale of a gradual change, in steps, at most a twentieth of the series"""
SUDDEN = 1e-9
"""scale of a change that takes no step: it would have to fall on one to a billionth"""


def generate_steps(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L) of levels that hold for a while, with noise and with a season on most."""
    regimes = (count, MOST_CHANGES + 1)
    levels = rng.uniform(*LEVELS, regimes) * rng.choice([-1.0, 1.0], regimes)
    loudness = _draw_factors(rng, count, NOISE_CHANGE_SHARE, NOISE_FACTORS)
    swing = _draw_factors(rng, count, SEASON_CHANGE_SHARE, SEASON_FACTORS)
    swing *= draw_sizes(rng, count, SEASON_SIZES) * (rng.random((count, 1)) < SEASON_SHARE)
    held = _hold(rng, np.stack([levels, loudness, swing]), length)
    series: Floats = held[0] + held[1] * draw_noise(rng, count, length) + held[2] * draw_seasons(rng, count, length)
    return series


def _draw_factors(rng: np.random.Generator, count: int, share: float, bounds: tuple[float, float]) -> Floats:
    """Draw a factor for each regime (N, C + 1); of series but for a share of them it is always 1."""
    changes = rng.random((count, 1)) < share
    factors = draw_sizes(rng, count * (MOST_CHANGES + 1), bounds).reshape(count, MOST_CHANGES + 1)
    return np.where(changes, factors, 1.0)


def _hold(rng: np.random.Generator, values: Floats, length: int) -> Floats:
    """Let values (K, N, C + 1) of regimes follow one another at times that all K of them share: (K, N, L).

    A change is a logistic curve, which is so steep in most series that it takes no step.
    """
    count = len(values[0])
    changes = rng.integers(1, MOST_CHANGES + 1, size=count)
    times = rng.uniform(0.5, length - 1.5, (count, MOST_CHANGES))
    times[np.arange(MOST_CHANGES) >= changes[:, None]] = np.inf
    times = np.sort(times, axis=1)
    scale = np.minimum(draw_sizes(rng, count, GRADUAL), length / 20)
    scale = np.where(rng.random((count, 1)) < GRADUAL_SHARE, scale, SUDDEN)
    held = np.repeat(values[:, :, :1], length, axis=2)
    for k in range(MOST_CHANGES):
        rows = np.flatnonzero(changes > k)
        # half a hyperbolic tangent is the logistic curve that no steepness lets overflow
        passed = 0.5 + 0.5 * np.tanh((np.arange(length) - times[rows, k, None]) / (2 * scale[rows]))
        jump = values[:, :, k + 1] - values[:, :, k]
        held[:, rows] += jump[:, rows, None] * passed
    return held


STEPS_FAMILY = SeriesFamily("steps", 0.05, 0.14, generate_steps)
"""shares from a published synthetic recipe"""
