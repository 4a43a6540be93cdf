"""Gaussian processes: smooth ones of two scales, and sums and products of kernels after KernelSynth.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.circulant import draw_tapered, list_lags
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.interleave import interleave
from models.training.synthetic.kernels import draw_composed, rational_quadratic, square_exponential
from models.training.synthetic.sizes import draw_sizes

SMOOTH_SHARE = 0.5
"""share of smooth processes, the others are composed; a judgement"""
SCALES = (8.0, 256.0)
"""steps over which a smooth process keeps its value, logarithmically uniform"""
ALPHAS = (0.1, 10.0)
"""how quickly a rational quadratic kernel decays, logarithmically uniform; small: far memory"""
NOISY_SHARE = 0.5
"""share of smooth processes that are observed with noise; a judgement"""
NOISE = (0.02, 0.3)
"""its standard deviation, in those of the process; a judgement"""
MOST_KERNELS = 5
"""kernels of a composed process at most, as KernelSynth has it (Ansari et al. 2024)"""


def draw_smooth(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw processes (N, L) of variance one: a squared exponential and a rational quadratic kernel, and noise."""
    lags = list_lags(length)
    share = rng.random((count, 1))
    covariance = share * square_exponential(lags, draw_sizes(rng, count, SCALES))
    rational = rational_quadratic(lags, draw_sizes(rng, count, SCALES), draw_sizes(rng, count, ALPHAS))
    covariance += (1 - share) * rational
    noise = rng.uniform(*NOISE, count) * (rng.random(count) < NOISY_SHARE)
    covariance[:, 0] += noise**2
    return draw_tapered(rng, covariance, length)


def draw_kernel_synth(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw processes (N, L) of composed kernels."""
    return draw_composed(rng, count, length, MOST_KERNELS)


def generate_gaussian_processes(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw Gaussian processes (N, L), smooth and composed ones."""
    return interleave(rng, count, length, [draw_smooth, draw_kernel_synth], [SMOOTH_SHARE, 1 - SMOOTH_SHARE])


GAUSSIAN_PROCESS_FAMILY = SeriesFamily("Gaussian processes", 0.12, 0.08, generate_gaussian_processes)
