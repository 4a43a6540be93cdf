"""Series that return to a mean, and whose unrest comes and goes: rates, prices of energy, loads that are disturbed.

Shapes: N series, L steps.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.noise import draw_autoregression, draw_student_shocks, filter_autoregression
from models.training.synthetic.seasons import add_seasons
from models.training.synthetic.sizes import standardise

PACES = ((0.9, 0.98), (0.985, 0.9975), (0.9975, 0.9995))
"""first autocorrelations of fast, slow and very slow series; from a published synthetic recipe, as is the next"""
STUDENT_SHARE = 0.35
"""of series with shocks of Student's t"""

STEP = 0.01
"""time that passes in a step of a series with two regimes; this and the next seven are from another published recipe
(TempoPFN)"""
CALM_PULL = (1.0, 5.0)
"""how fast the calm regime returns to its mean, per time"""
CALM_MEAN = (-2.0, 1.0)
"""mean and standard deviation of that mean"""
CALM_UNREST = (0.3, 0.3)
"""median of the shocks' size per square root of time, and standard deviation of its logarithm"""
WILD_PULL = (0.05, 0.5)
"""as of the calm regime, of the wild one"""
WILD_MEAN = (2.0, 1.0)
"""as of the calm regime"""
WILD_UNREST = (1.5, 0.5)
"""as of the calm regime"""
STAY = (0.85, 0.999)
"""probability to stay in a regime for another step"""

REGIME_SHARE = 0.5
"""of series with two regimes; a judgement, as is all that follows"""
SETTLING = 200
"""steps of two regimes before a series begins"""
UNREST_PERSISTENCE = (0.95, 0.998)
"""first autocorrelation of the logarithm of unrest"""
UNREST_SPREAD = (0.1, 0.8)
"""standard deviation of that logarithm"""
SEASON_SHARE = 0.4
"""of series with a season"""
SEASON_SIZES = (0.1, 1.0)
"""standard deviation of a season"""


def generate_volatility(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L) that return to a mean, with unrest that wanders or with two regimes, and a season on some."""
    has_regimes = rng.random(count) < REGIME_SHARE
    switching = int(has_regimes.sum())
    series = np.empty((count, length))
    series[has_regimes] = _switch_processes(rng, switching, length)
    series[~has_regimes] = _draw_unrest(rng, count - switching, length)
    series = standardise(series)
    add_seasons(rng, series, SEASON_SHARE, SEASON_SIZES)
    return series


def _draw_unrest(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw autoregressions (N, L) whose shocks have a size that is itself one, in logarithms (Taylor 1982)."""
    low, high = np.array(PACES).T
    pace = rng.integers(len(PACES), size=count)
    phi = rng.uniform(low[pace], high[pace])
    spread = rng.uniform(*UNREST_SPREAD, (count, 1))
    unrest = draw_autoregression(rng, rng.uniform(*UNREST_PERSISTENCE, count), length)
    # less the square of the spread, so that shocks keep their mean square
    shocks = _draw_shocks(rng, count, length) * np.exp(spread * unrest - spread**2)
    return filter_autoregression(phi, np.zeros(count), shocks)


def _draw_shocks(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw independent shocks (N, L) of standard deviation 1, a third of series with heavy tails."""
    shocks = rng.standard_normal((count, length))
    heavy = rng.random(count) < STUDENT_SHARE
    shocks[heavy] = draw_student_shocks(rng, int(heavy.sum()), length)
    return shocks


def _switch_processes(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw processes of Ornstein and Uhlenbeck (N, L) with a calm and a wild regime.

    Steps are exact: over a time d the distance to the mean falls to exp(-pull d) of it, and shocks add a variance of
    unrest^2 (1 - exp(-2 pull d)) / (2 pull) (Gillespie 1996).
    """
    wild = _draw_regimes(rng, count, SETTLING + length)
    mean = np.stack([rng.normal(*CALM_MEAN, count), rng.normal(*WILD_MEAN, count)])
    pull = np.stack([rng.uniform(*CALM_PULL, count), rng.uniform(*WILD_PULL, count)])
    unrest = np.stack([_draw_log_normal(rng, count, CALM_UNREST), _draw_log_normal(rng, count, WILD_UNREST)])
    kept = np.exp(-pull * STEP)
    size = unrest * np.sqrt((1 - kept**2) / (2 * pull))
    shocks = rng.standard_normal(wild.shape)
    pushes = np.where(wild, ((1 - kept) * mean)[1], ((1 - kept) * mean)[0]) + np.where(wild, size[1], size[0]) * shocks
    shares = np.where(wild, kept[1], kept[0])
    values = np.empty(wild.shape)
    x = (pull * mean).sum(0) / pull.sum(0)  # where regimes that change fast hold it
    for t in range(len(values)):
        x = shares[t] * x + pushes[t]
        values[t] = x
    return np.ascontiguousarray(values[SETTLING:].T)


def _draw_regimes(rng: np.random.Generator, count: int, length: int) -> NDArray[np.bool_]:
    """Draw at which steps the wild regime holds (L, N): it changes with a probability that is drawn for each series."""
    leaves = rng.random((length, count)) > rng.uniform(*STAY, count)
    regimes: NDArray[np.bool_] = (rng.integers(2, size=count) + np.cumsum(leaves, 0)) % 2 == 1
    return regimes


def _draw_log_normal(rng: np.random.Generator, count: int, moments: tuple[float, float]) -> Floats:
    """Draw values (N,) from the median of a log-normal distribution and the standard deviation of its logarithm."""
    median, spread = moments
    return median * rng.lognormal(0.0, spread, count)


VOLATILITY_FAMILY = SeriesFamily("volatility", 0.05, 0.08, generate_volatility)
"""shares from a published synthetic recipe"""
