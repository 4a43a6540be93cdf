"""Trend, season and noise that add up: what most textbooks say a series is.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.noise import draw_noise
from models.training.synthetic.seasons import draw_seasons
from models.training.synthetic.trends import draw_trends


def generate_trend_season(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw sums (N, L) of a trend, a season of standard deviation 1, and noise that is an autoregression."""
    series = draw_seasons(rng, count, length)
    series += draw_trends(rng, count, length)
    series += draw_noise(rng, count, length)
    return series


TREND_SEASON_FAMILY = SeriesFamily("trend and season", 0.25, 0.15, generate_trend_season)
"""shares from a published synthetic recipe"""
