"""Seasons of synthetic series: sums of harmonics of periods that real frequencies have.

Shapes: N series, L steps.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.training.synthetic.noise import draw_autoregression
from models.training.synthetic.sizes import draw_sizes

Complexes = NDArray[np.complex128]

PERIODS = (4, 7, 12, 24, 30, 48, 52, 90, 96, 144, 168, 183, 288, 336, 365, 672, 730)
"""steps of a season: of quarters, days, months, hours, half and quarter hours, ten and five minutes, weeks"""
PERIOD_SHARES = (0.04, 0.12, 0.04, 0.16, 0.05, 0.06, 0.04, 0.03, 0.07, 0.03, 0.13, 0.04, 0.04, 0.06, 0.07, 0.04, 0.05)
"""probability of each period, before they are made to add up to 1; with the periods, the harmonics and the modulation
from a published synthetic recipe"""
COUNT_SHARES = (0.5, 0.35, 0.15)
"""of series with one, two and three seasons; a judgement"""
WEIGHTS = (0.3, 1.0)
"""size of one season beside the others, before their sum has a standard deviation of 1; a judgement"""

MOST_HARMONICS = 6
"""of a season"""
DECAY = (0.5, 2.0)
"""power of a harmonic's number by which its amplitude falls"""

MODULATED_SHARE = 0.35
"""of seasons whose amplitude or phase wanders"""
WANDERING = (0.99, 0.9995)
"""first autocorrelation of what wanders: it takes 100 to 2000 steps, several cycles of most periods; a judgement"""
AMPLITUDE_SPREAD = 0.35
"""standard deviation of the logarithm of an amplitude that wanders; a judgement"""
PHASE_SPREAD = 0.5
"""standard deviation of a phase that wanders, in radians; a judgement"""


def draw_periods(rng: np.random.Generator, count: int) -> Ints:
    """Draw different periods for each series, in steps: (N, 3)."""
    keys = np.log(PERIOD_SHARES) + rng.gumbel(size=(count, len(PERIODS)))
    drawn = np.argsort(-keys, axis=1)[:, : len(COUNT_SHARES)]
    periods: Ints = np.array(PERIODS, np.int64)[drawn]
    return periods


def draw_seasons(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw sums of one to three seasons (N, L); their standard deviation is 1 over whole periods, and modulation aside.

    A season of more than L steps is a part of a wave.
    """
    periods = draw_periods(rng, count)
    counts = 1 + rng.choice(len(COUNT_SHARES), count, p=COUNT_SHARES)
    weights = rng.uniform(*WEIGHTS, periods.shape)
    weights *= np.arange(len(COUNT_SHARES)) < counts[:, None]
    weights /= np.sqrt((weights**2).sum(1, keepdims=True))
    total = np.zeros((count, length))
    for k in range(len(COUNT_SHARES)):
        rows = np.flatnonzero(counts > k)
        total[rows] += weights[rows, k, None] * draw_waves(rng, periods[rows, k], length)
    return total


def add_seasons(rng: np.random.Generator, series: Floats, share: float, bounds: tuple[float, float]) -> None:
    """Add seasons to a share of series (N, L), in place, each of a standard deviation between bounds."""
    rows = np.flatnonzero(rng.random(len(series)) < share)
    series[rows] += draw_sizes(rng, len(rows), bounds) * draw_seasons(rng, len(rows), series.shape[1])


def draw_waves(rng: np.random.Generator, periods: Ints, length: int) -> Floats:
    """Draw one season of each period (N,), in steps: (N, L), with a standard deviation of 1."""
    count = len(periods)
    fate = rng.random(count)
    phase = 2 * np.pi * np.arange(length) / periods[:, None]
    wandering = np.flatnonzero(fate < MODULATED_SHARE)
    states = draw_autoregression(rng, rng.uniform(*WANDERING, len(wandering)), length)
    of_phase = fate[wandering] < MODULATED_SHARE / 2
    phase[wandering[of_phase]] += PHASE_SPREAD * states[of_phase]
    waves = _add_harmonics(phase, _draw_harmonics(rng, periods))
    # less the square of the spread, so that modulation keeps the mean square
    waves[wandering[~of_phase]] *= np.exp(AMPLITUDE_SPREAD * states[~of_phase] - AMPLITUDE_SPREAD**2)
    return waves


def _draw_harmonics(rng: np.random.Generator, periods: Ints) -> Complexes:
    """Draw amplitudes and phases of the harmonics of each period (N,): (N, 6), 0 for those that a season lacks.

    No harmonic is faster than every second step.
    """
    number = np.arange(1, MOST_HARMONICS + 1)
    shape = (len(periods), MOST_HARMONICS)
    size = rng.uniform(0.5, 1.5, shape) / number ** rng.uniform(*DECAY, (len(periods), 1))
    size *= number <= np.minimum(rng.integers(1, MOST_HARMONICS + 1, len(periods)), periods // 2)[:, None]
    size *= np.sqrt(2 / (size**2).sum(1, keepdims=True))
    harmonics: Complexes = size * np.exp(2j * np.pi * rng.random(shape))
    return harmonics


def _add_harmonics(phase: Floats, harmonics: Complexes) -> Floats:
    """Compute the real part of the sum over k of harmonics (N, K) times exp(i k phase) of phases (N, L): (N, L).

    It is a polynomial of one exponential, which costs less than K sines (Horner's scheme).
    """
    turn = np.exp(1j * phase)
    total = np.zeros_like(turn)
    for k in reversed(range(harmonics.shape[1])):
        total += harmonics[:, k, None]
        total *= turn
    return np.ascontiguousarray(total.real)
