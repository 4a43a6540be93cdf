"""Fractional Gaussian noise, whose memory fades by a power of the lag, and its sums.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.circulant import draw_circulant
from models.training.synthetic.family import SeriesFamily

HURST = (0.3, 0.85)
"""exponent of Hurst, uniform; below one half steps turn back, above they go on"""
CUMULATED_SHARE = 0.4
"""share of series that are fractional Brownian motion"""


def compute_covariance(hurst: Floats, length: int) -> Floats:
    """Compute the covariance of fractional Gaussian noise (Mandelbrot and Van Ness 1968): (N,) -> (N, L + 1)."""
    powers = np.arange(length + 2.0) ** (2 * hurst[:, None])
    before = np.concatenate([powers[:, 1:2], powers[:, :-2]], 1)
    covariance: Floats = (powers[:, 1:] - 2 * powers[:, :-1] + before) / 2
    return covariance


def generate_fractional_noise(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw fractional Gaussian noise and fractional Brownian motion (N, L), exactly (Davies and Harte 1987)."""
    noise = draw_circulant(rng, compute_covariance(rng.uniform(*HURST, count), length), length)
    cumulated = rng.random(count) < CUMULATED_SHARE
    noise[cumulated] = np.cumsum(noise[cumulated], 1)
    return noise


FRACTIONAL_FAMILY = SeriesFamily("fractional Gaussian noise", 0.03, 0.04, generate_fractional_noise)
