"""Batches of all families, in shares that change while pretraining goes on, and augmented.

Shapes: N series, L steps.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats
from models.training.synthetic.augment import STRIDE_SHARES, STRIDES, augment
from models.training.synthetic.autoregressive import AUTOREGRESSIVE_FAMILY
from models.training.synthetic.calendars import CALENDAR_FAMILY
from models.training.synthetic.causal import CAUSAL_FAMILY
from models.training.synthetic.demand import DEMAND_FAMILY
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.fractional import FRACTIONAL_FAMILY
from models.training.synthetic.gaussian_process import GAUSSIAN_PROCESS_FAMILY
from models.training.synthetic.interleave import divide_count, interleave
from models.training.synthetic.multiplicative import MULTIPLICATIVE_FAMILY
from models.training.synthetic.pulses import PULSE_FAMILY
from models.training.synthetic.steps import STEPS_FAMILY
from models.training.synthetic.threshold import THRESHOLD_FAMILY
from models.training.synthetic.trend_season import TREND_SEASON_FAMILY
from models.training.synthetic.volatility import VOLATILITY_FAMILY

FAMILIES = (
    TREND_SEASON_FAMILY,
    MULTIPLICATIVE_FAMILY,
    AUTOREGRESSIVE_FAMILY,
    STEPS_FAMILY,
    THRESHOLD_FAMILY,
    VOLATILITY_FAMILY,
    GAUSSIAN_PROCESS_FAMILY,
    FRACTIONAL_FAMILY,
    DEMAND_FAMILY,
    CALENDAR_FAMILY,
    PULSE_FAMILY,
    CAUSAL_FAMILY,
)
"""all families; their shares do not add up to one, as the recipe's real series are not among them"""
HELD_BACK = (FRACTIONAL_FAMILY, CAUSAL_FAMILY)
"""families that no network is trained on, by which a pretraining is judged"""
TRAINED = tuple(family for family in FAMILIES if family not in HELD_BACK)


def compute_shares(progress: float, families: Sequence[SeriesFamily] = FAMILIES) -> list[float]:
    """Compute the shares of families when `progress`, 0 to 1, of pretraining is done: their sum is one."""
    if not 0 <= progress <= 1:
        raise ValueError(f"progress is {progress}: it must lie in 0..1")
    shares = [family.start + (family.target - family.start) * progress for family in families]
    return [share / sum(shares) for share in shares]


def draw_series(
    rng: np.random.Generator, count: int, length: int, progress: float, families: Sequence[SeriesFamily] = FAMILIES
) -> Floats:
    """Draw series (N, L) of some families, as they are; some are every second to fourth step of a longer one."""
    shares = compute_shares(progress, families)
    generators = [family.generate for family in families]
    counts = divide_count(rng, STRIDE_SHARES, count)
    thinned = [
        interleave(rng, int(n), length * stride, generators, shares)[:, ::stride]
        for n, stride in zip(counts, STRIDES, strict=True)
    ]
    return np.concatenate(thinned)[rng.permutation(count)]


def draw_batch(
    rng: np.random.Generator, count: int, length: int, progress: float, families: Sequence[SeriesFamily] = FAMILIES
) -> Floats:
    """Draw augmented series (N, L) of some families, NaN where values are missing.

    Families that go by loops over time are slow for few series: a core draws 0.3 million values a second of 256 series
    of 2048 steps at a time, 0.8 million of 1024 and 1.7 million of 4096, in a third of a gigabyte.
    """
    return augment(rng, draw_series(rng, count, length, progress, families))
