"""Trends of synthetic series, drawn by how far they lead in all: a slope a step would lead a long series too far.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats

FLAT_SHARE = 0.75
"""of series with a small excursion; with the next two, from a published synthetic recipe, as are the four shapes"""
FLAT = 0.4
"""standard deviation of a small excursion beside a season's of 1"""
STEEP = 3.0
"""standard deviation of other excursions"""
MOST_BREAKS = 3
"""of a piecewise trend; it has one at least"""
MIDDLE = (0.2, 0.8)
"""where a logistic trend is steepest, as a share of the series; a judgement, as are the next two"""
WIDTH = (0.02, 0.2)
"""scale of a logistic trend, as a share of the series"""
RATE = (1.0, 5.0)
"""logarithm of how much faster an exponential trend is at its end than at its start, or slower"""


def draw_trends(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw trends (N, L): a quarter each linear, piecewise linear, logistic and exponential."""
    time = np.linspace(0, 1, length)
    kind = rng.integers(4, size=count)
    shapes = np.empty((count, length))
    shapes[kind == 0] = time
    shapes[kind == 1] = _draw_piecewise(rng, int((kind == 1).sum()), time)
    shapes[kind == 2] = _draw_logistic(rng, int((kind == 2).sum()), time)
    shapes[kind == 3] = _draw_exponential(rng, int((kind == 3).sum()), time)
    spread = np.where(rng.random(count) < FLAT_SHARE, FLAT, STEEP)
    shapes *= (spread * rng.standard_normal(count))[:, None]
    return shapes


def _draw_piecewise(rng: np.random.Generator, count: int, time: Floats) -> Floats:
    """Draw lines (N, L) that break one to three times, and span 1 from their least to their greatest value."""
    breaks = rng.uniform(size=(count, MOST_BREAKS))
    bends = rng.standard_normal((count, MOST_BREAKS))
    bends *= np.arange(MOST_BREAKS) < rng.integers(1, MOST_BREAKS + 1, count)[:, None]
    lines = rng.standard_normal((count, 1)) * time
    for k in range(MOST_BREAKS):
        lines += 2 * bends[:, k, None] * np.maximum(time - breaks[:, k, None], 0)
    span = np.ptp(lines, axis=1, keepdims=True)
    lines /= np.maximum(span, np.finfo(np.float64).tiny)
    return lines


def _draw_logistic(rng: np.random.Generator, count: int, time: Floats) -> Floats:
    """Draw logistic curves (N, L) from about 0 to about 1."""
    shape = (count, 1)
    curves: Floats = 1 / (1 + np.exp((rng.uniform(*MIDDLE, shape) - time) / rng.uniform(*WIDTH, shape)))
    return curves


def _draw_exponential(rng: np.random.Generator, count: int, time: Floats) -> Floats:
    """Draw exponential curves (N, L) from 0 to 1 that grow ever faster or ever slower."""
    rate = rng.uniform(*RATE, (count, 1)) * rng.choice([-1.0, 1.0], (count, 1))
    curves: Floats = np.expm1(rate * time) / np.expm1(rate)
    return curves
