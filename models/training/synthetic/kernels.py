"""Sums and products of kernels, drawn by chance for many Gaussian processes at a time.

Kernels but the linear one depend on the lag alone, which a transform of Fourier wants. One factor x·x' is kept apart:
a process of covariance a(lag) + b(lag)·x·x' is f + x·g, of two independent stationary processes of covariances a and b.
Shapes: N series, L steps, K their greatest lag.
"""

from collections.abc import Callable

import numpy as np

from models.arrays import Floats
from models.training.synthetic.circulant import draw_tapered, list_lags

PERIODS = (24, 48, 96, 168, 336, 672, 7, 14, 30, 60, 365, 730, 4, 26, 52, 6, 12, 40, 10)
"""steps of the periodic kernels, after KernelSynth (Ansari et al. 2024, appendix A)"""
BANK: tuple[tuple[str, float], ...] = (
    *(("periodic", period) for period in PERIODS),
    *(("linear", sigma) for sigma in (0, 1, 10)),
    *(("squared exponential", scale) for scale in (0.1, 1, 10)),
    *(("rational quadratic", alpha) for alpha in (0.1, 1, 10)),
    *(("white", variance) for variance in (0.1, 1)),
    *(("exponential", scale) for scale in (0.1, 1, 10)),
    *(("matern 3/2", scale) for scale in (0.1, 1, 10)),
    *(("matern 5/2", scale) for scale in (0.1, 1, 10)),
    ("constant", 1.0),
)
"""kinds and their parameters: KernelSynth's, with the Matérn kernels of smoothness 1/2, 3/2 and 5/2; scales in lengths
of the series"""
NUGGET = 1e-4
"""share of the variance that is white noise, without which a constant kernel would give a constant; a judgement"""


def square_exponential(distance: Floats, scale: Floats) -> Floats:
    """Compute the kernel exp(-d²/2l²) of distances (..., L) and scales (..., 1)."""
    kernel: Floats = np.exp(-0.5 * (distance / scale) ** 2)
    return kernel


def rational_quadratic(distance: Floats, scale: Floats, alpha: Floats) -> Floats:
    """Compute the kernel (1 + d²/2αl²)^-α (Rasmussen and Williams 2006, 4.19) of distances (..., L)."""
    kernel: Floats = (1 + (distance / scale) ** 2 / (2 * alpha)) ** -alpha
    return kernel


def _repeat(lags: Floats, period: Floats) -> Floats:
    """Compute the periodic kernel exp(-2 sin²(πd/p)) (Rasmussen and Williams 2006, 4.31) of lags in steps."""
    kernel: Floats = np.exp(-2 * np.sin(np.pi * lags / period) ** 2)
    return kernel


def _matern_3(distance: Floats, scale: Floats) -> Floats:
    """Compute the Matérn kernel of smoothness 3/2 (Rasmussen and Williams 2006, 4.17)."""
    ratio = np.sqrt(3) * distance / scale
    kernel: Floats = (1 + ratio) * np.exp(-ratio)
    return kernel


def _matern_5(distance: Floats, scale: Floats) -> Floats:
    """Compute the Matérn kernel of smoothness 5/2 (Rasmussen and Williams 2006, 4.17)."""
    ratio = np.sqrt(5) * distance / scale
    kernel: Floats = (1 + ratio + ratio**2 / 3) * np.exp(-ratio)
    return kernel


KERNELS: dict[str, Callable[[Floats, int, Floats], Floats]] = {
    "periodic": lambda lags, length, period: _repeat(lags, period),
    "linear": lambda lags, length, sigma: np.broadcast_to(sigma**2, (len(sigma), len(lags))),
    "squared exponential": lambda lags, length, scale: square_exponential(lags / length, scale),
    "rational quadratic": lambda lags, length, alpha: rational_quadratic(lags / length, np.ones(1), alpha),
    "white": lambda lags, length, variance: variance * (lags == 0),
    "exponential": lambda lags, length, scale: np.exp(-lags / length / scale),
    "matern 3/2": lambda lags, length, scale: _matern_3(lags / length, scale),
    "matern 5/2": lambda lags, length, scale: _matern_5(lags / length, scale),
    "constant": lambda lags, length, value: np.broadcast_to(value, (len(value), len(lags))),
}
"""kernels of lags (K + 1,) in steps and parameters (N, 1), with the factor of x·x' of a linear one left out"""


def draw_kernels(rng: np.random.Generator, count: int, length: int) -> tuple[Floats, Floats]:
    """Draw a kernel of the bank for each series: covariances (N, K + 1) without x·x', and factors (N, 1) of x·x'."""
    drawn = rng.integers(len(BANK), size=count)
    kinds = np.array([kind for kind, _ in BANK])[drawn]
    parameters = np.array([float(parameter) for _, parameter in BANK])[drawn]
    lags = list_lags(length)
    stationary = np.empty((count, len(lags)))
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        stationary[rows] = KERNELS[kind](lags, length, parameters[rows, None])
    return stationary, (kinds == "linear").astype(np.float64)[:, None]


def draw_composed(rng: np.random.Generator, count: int, length: int, most: int) -> Floats:
    """Draw Gaussian processes (N, L) whose kernels are 1 to `most` of the bank, added or multiplied by chance."""
    number = rng.integers(1, most + 1, count)
    stationary, sloped = draw_kernels(rng, count, length)
    sloped = np.broadcast_to(sloped, stationary.shape).copy()
    for k in range(1, most):
        rows = np.flatnonzero(number > k)
        other, factor = draw_kernels(rng, len(rows), length)
        first, slope = stationary[rows], sloped[rows]
        # (x·x')² is left out of this algebra: two kernels with a slope are added
        multiplied = (rng.random((len(rows), 1)) < 0.5) & ~((factor > 0) & (slope[:, :1] > 0))
        sloped[rows] = np.where(multiplied, first * factor + slope * other, slope + factor)
        stationary[rows] = np.where(multiplied, first * other, first + other)
    stationary[:, 0] += NUGGET * (stationary + sloped)[:, 0] + np.finfo(np.float64).tiny
    series = draw_tapered(rng, stationary, length)
    rows = np.flatnonzero(sloped.any(1))
    series[rows] += np.arange(length) / length * draw_tapered(rng, sloped[rows], length)
    return series
