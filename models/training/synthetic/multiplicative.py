"""Trend, season and noise that multiply: what sells, flows or is counted swings more where there is more of it.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.noise import draw_noise
from models.training.synthetic.seasons import draw_seasons
from models.training.synthetic.sizes import draw_sizes
from models.training.synthetic.trend_season import generate_trend_season
from models.training.synthetic.trends import draw_trends

EXPONENTIAL_SHARE = 0.5
"""of series that are exponentials of sums; the others are products. A judgement, as are the next four; that there are
both is from a published synthetic recipe"""
LOG_SCALE = (0.05, 0.6)
"""what a sum is multiplied with before its exponential: swings of 5 to 80 %"""
SWING = (0.05, 0.7)
"""standard deviation of the season's factor"""
LEAST_SEASON = 0.02
"""the season's factor where it would be less: seasons of a wide swing rest at their floor, as sunshine does at night"""
LEAST_LEVEL = (0.1, 3.0)
"""least value of a product's trend, in standard deviations of a trend of 1"""
QUIETER = 0.5
"""share of an addend's noise that a factor has"""


def generate_multiplicative(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw positive series (N, L): exponentials of sums, and products of trend, season and noise."""
    is_exponential = rng.random(count) < EXPONENTIAL_SHARE
    exponentials = int(is_exponential.sum())
    series = np.empty((count, length))
    series[is_exponential] = _draw_exponentials(rng, exponentials, length)
    series[~is_exponential] = _draw_products(rng, count - exponentials, length)
    return series


def _draw_exponentials(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw exponentials (N, L) of trend, season and noise that add up."""
    scale = draw_sizes(rng, count, LOG_SCALE)
    exponentials: Floats = np.exp(scale * generate_trend_season(rng, count, length))
    return exponentials


def _draw_products(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw trend times (1 + season) times the exponential of noise: (N, L)."""
    trend = draw_trends(rng, count, length)
    trend += draw_sizes(rng, count, LEAST_LEVEL) - trend.min(1, keepdims=True)
    swing = rng.uniform(*SWING, (count, 1))
    season = np.maximum(1 + swing * draw_seasons(rng, count, length), LEAST_SEASON)
    products: Floats = trend * season * np.exp(QUIETER * draw_noise(rng, count, length))
    return products


MULTIPLICATIVE_FAMILY = SeriesFamily("multiplicative", 0.10, 0.08, generate_multiplicative)
"""shares from a published synthetic recipe"""
