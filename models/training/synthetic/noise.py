"""Noise of synthetic series: shocks, autoregressions of them, and what is left of a series without its pattern.

All have a mean of 0 and, but for `draw_noise`, a standard deviation of 1. Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.sizes import draw_sizes

LAPLACE_SHARE = 0.1
"""of series whose shocks are Laplace's; with the next, a fifth has heavy tails, as in a published synthetic recipe"""
STUDENT_SHARE = 0.1
"""of series whose shocks are Student's"""
STUDENT_FREEDOM = 4
"""degrees of freedom of Student's t: the fewest whole ones with which squared shocks may still be averaged well; its
variance is 2"""

QUIET_SHARE = 0.4
"""of series with little noise; from the same recipe, as are the next"""
QUIET = (0.02, 0.12)
"""standard deviation of little noise beside a season's of 1"""
LOUD = (0.1, 0.6)
"""standard deviation of other noise"""
PERSISTENCE = (0.0, 0.85)
"""first autocorrelation of noise"""


def draw_shocks(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw independent shocks (N, L): of most series normal, of some Laplace's or Student's."""
    kind = rng.random(count)
    shocks = rng.standard_normal((count, length))
    laplace = kind < LAPLACE_SHARE
    student = (kind >= LAPLACE_SHARE) & (kind < LAPLACE_SHARE + STUDENT_SHARE)
    shocks[laplace] = rng.laplace(0.0, 1 / np.sqrt(2), (int(laplace.sum()), length))
    shocks[student] = draw_student_shocks(rng, int(student.sum()), length)
    return shocks


def draw_student_shocks(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw independent shocks (N, L) of Student's t."""
    variance = STUDENT_FREEDOM / (STUDENT_FREEDOM - 2)
    shocks: Floats = rng.standard_t(STUDENT_FREEDOM, (count, length)) / np.sqrt(variance)
    return shocks


def draw_autoregression(rng: np.random.Generator, phi: Floats, length: int, shocks: Floats | None = None) -> Floats:
    """Draw stationary autoregressions of first order (N, L) with coefficients `phi` (N,) in -1..1, both excluded.

    Shocks (N, L) have a standard deviation of 1; without them they are normal.
    """
    if shocks is None:
        shocks = rng.standard_normal((len(phi), length))
    assert shocks.shape == (len(phi), length)
    return filter_autoregression(phi, np.zeros(len(phi)), shocks)


def filter_autoregression(first: Floats, second: Floats, shocks: Floats) -> Floats:
    """Compute stationary autoregressions of second order (N, L) from their partial autocorrelations, each (N,), and
    shocks (N, L) of standard deviation 1.

    The first two steps are drawn from the stationary distribution, by the recursion of Durbin and Levinson.
    """
    by_step = np.ascontiguousarray(shocks.T)
    values = np.empty_like(by_step)
    near = first * (1 - second)  # coefficient of the step before; that of the one before it is `second`
    spread = np.sqrt(1 - first**2)
    values[:1] = by_step[:1]
    values[1:2] = first * values[:1] + spread * by_step[1:2]
    by_step *= spread * np.sqrt(1 - second**2)
    for t in range(2, len(values)):
        values[t] = near * values[t - 1] + second * values[t - 2] + by_step[t]
    return np.ascontiguousarray(values.T)


def draw_noise(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw noise (N, L) beside a pattern of standard deviation 1: autoregressions, of each series as loud as drawn."""
    quiet = rng.random(count) < QUIET_SHARE
    sizes = np.where(quiet, rng.uniform(*QUIET, count), rng.uniform(*LOUD, count))
    noise = draw_autoregression(rng, rng.uniform(*PERSISTENCE, count), length, draw_shocks(rng, count, length))
    noise *= sizes[:, None]
    return noise


def add_reading_errors(rng: np.random.Generator, series: Floats, share: float, bounds: tuple[float, float]) -> None:
    """Add shocks to a share of series (N, L), in place, each of a standard deviation between bounds."""
    rows = np.flatnonzero(rng.random(len(series)) < share)
    series[rows] += draw_sizes(rng, len(rows), bounds) * draw_shocks(rng, len(rows), series.shape[1])
