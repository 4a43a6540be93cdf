"""What is done to synthetic series of any family: other symmetries and mixtures, and the faults of measurements.

Each function takes series (N, L), picks some of them by its probability and returns all, in arrays of its own. The
probabilities are those of published recipes, the sizes judgements unless they say otherwise. Shapes: N series, L steps.
"""

from collections.abc import Callable

import numpy as np

from models.arrays import Floats, Ints
from models.training.synthetic.sizes import draw_sizes, standardise

STRIDES = (1, 2, 3, 4)
"""steps of a longer series between two that are kept"""
STRIDE_SHARES = (0.7, 0.1, 0.1, 0.1)
"""share of series of each stride (TinyCast: 0.3 together)"""
MIX = 0.3
"""share of series to which another is added"""
MIX_SHAPE = 0.2
"""of the beta distribution of weights: most mixtures are nearly one of the two (TinyCast)"""
FLIP_TIME = 0.5
"""share that runs backwards"""
FLIP_SIGN = 0.5
"""share that is upside down"""
MODULATE = 0.1
"""share whose amplitude changes"""
KNOTS = (2, 9)
"""of an envelope, the last excluded; it is linear between them"""
ENVELOPE_SPREAD = 0.4
"""standard deviation of the logarithm of an envelope"""
SPIKE = 0.05
"""share with wrong values"""
SPIKE_RATE = (0.001, 0.02)
"""spikes a step"""
SPIKE_SIZE = (2.0, 8.0)
"""in standard deviations of the series"""
CENSOR = 0.06
"""share that is cut off at a bound"""
CENSOR_QUANTILE = (0.03, 0.18)
"""share of the first values that lie beyond the bound"""
CENSOR_STEPS = 512
"""first values that set it: later ones may lie beyond it for long"""
QUANTISE = 0.07
"""share with few levels"""
LEVELS = (16, 257)
"""between the least and the greatest value, the last excluded"""
HOLD = 0.04
"""share whose values stay"""
HOLD_STEPS = (2, 4, 8)
"""for which a value stays"""
BLANK = 0.1
"""share with missing values"""
MOST_BLOCKS = 4
"""of missing values"""
LONGEST_BLOCK = 0.125
"""share of a series: with all blocks, half of it is left"""


def draw_rows(rng: np.random.Generator, series: Floats, probability: float) -> Ints:
    """Draw which of the series (N, L) a function changes: positions."""
    return np.flatnonzero(rng.random(len(series)) < probability)


def replace_rows(series: Floats, rows: Ints, changed: Floats) -> Floats:
    """Return series (N, L) with the changed rows (K, L), but for those that have become constant."""
    varied = np.ptp(changed, axis=1) > 0
    result = series.copy()
    result[rows[varied]] = changed[varied]
    return result


def mix(rng: np.random.Generator, series: Floats, probability: float = MIX) -> Floats:
    """Add others to series, each in its own standard deviations."""
    rows = draw_rows(rng, series, probability)
    others = rng.integers(len(series), size=len(rows))
    weight = rng.beta(MIX_SHAPE, MIX_SHAPE, (len(rows), 1))
    return replace_rows(series, rows, weight * standardise(series[rows]) + (1 - weight) * standardise(series[others]))


def flip_time(rng: np.random.Generator, series: Floats, probability: float = FLIP_TIME) -> Floats:
    """Let time run backwards."""
    rows = draw_rows(rng, series, probability)
    return replace_rows(series, rows, series[rows, ::-1])


def flip_sign(rng: np.random.Generator, series: Floats, probability: float = FLIP_SIGN) -> Floats:
    """Turn series upside down."""
    rows = draw_rows(rng, series, probability)
    return replace_rows(series, rows, -series[rows])


def modulate(rng: np.random.Generator, series: Floats, probability: float = MODULATE) -> Floats:
    """Multiply what differs from the mean by an envelope that is linear between a few knots."""
    rows = draw_rows(rng, series, probability)
    length = series.shape[1]
    knots = np.exp(ENVELOPE_SPREAD * rng.standard_normal((len(rows), KNOTS[1])))
    at = np.arange(length) / length * (rng.integers(*KNOTS, (len(rows), 1)) - 1)
    before = at.astype(np.int64)
    low = np.take_along_axis(knots, before, 1)
    high = np.take_along_axis(knots, before + 1, 1)
    mean = series[rows].mean(1, keepdims=True)
    return replace_rows(series, rows, mean + (series[rows] - mean) * (low + (at - before) * (high - low)))


def add_spikes(rng: np.random.Generator, series: Floats, probability: float = SPIKE) -> Floats:
    """Add single wrong values to either side."""
    rows = draw_rows(rng, series, probability)
    shape = series[rows].shape
    size = rng.uniform(*SPIKE_SIZE, shape) * rng.choice([-1, 1], shape) * series[rows].std(1, keepdims=True)
    hit = rng.random(shape) < rng.uniform(*SPIKE_RATE, (len(rows), 1))
    return replace_rows(series, rows, series[rows] + hit * size)


def censor(rng: np.random.Generator, series: Floats, probability: float = CENSOR) -> Floats:
    """Cut off values below a bound or above one, as a sensor's range or an empty stock does."""
    rows = draw_rows(rng, series, probability)
    share = rng.uniform(*CENSOR_QUANTILE, len(rows))
    ordered = np.sort(series[rows, :CENSOR_STEPS], 1)
    place = (share * ordered.shape[1]).astype(np.int64)[:, None]
    low = np.take_along_axis(ordered, place, 1)
    high = np.take_along_axis(ordered, ordered.shape[1] - 1 - place, 1)
    above = rng.random((len(rows), 1)) < 0.5
    cut = np.where(above, np.minimum(series[rows], high), np.maximum(series[rows], low))
    return replace_rows(series, rows, cut)


def quantise(rng: np.random.Generator, series: Floats, probability: float = QUANTISE) -> Floats:
    """Round values to as many levels as a coarse sensor has."""
    rows = draw_rows(rng, series, probability)
    least = series[rows].min(1, keepdims=True)
    step = np.ptp(series[rows], axis=1, keepdims=True) / (rng.integers(*LEVELS, (len(rows), 1)) - 1)
    step[step == 0] = 1.0
    return replace_rows(series, rows, least + step * np.round((series[rows] - least) / step))


def hold(rng: np.random.Generator, series: Floats, probability: float = HOLD) -> Floats:
    """Let each value stay for a few steps, as where one is reported more often than measured."""
    rows = draw_rows(rng, series, probability)
    steps = np.arange(series.shape[1])
    begin = steps - steps % rng.choice(HOLD_STEPS, (len(rows), 1))
    return replace_rows(series, rows, np.take_along_axis(series[rows], begin, 1))


def blank(rng: np.random.Generator, series: Floats, probability: float = BLANK) -> Floats:
    """Set blocks to NaN; at least half of each series stays."""
    rows = draw_rows(rng, series, probability)
    length = series.shape[1]
    longest = length * LONGEST_BLOCK
    steps = np.arange(length)
    number = rng.integers(1, MOST_BLOCKS + 1, len(rows))
    result = series.copy()
    for k in range(MOST_BLOCKS):
        some = rows[number > k]
        size = np.minimum(draw_sizes(rng, len(some), (1.0, max(longest, 1.0))), longest)
        begin = rng.integers(length, size=(len(some), 1))
        blanked = (steps >= begin) & (steps < begin + np.floor(size))
        result[some] = np.where(blanked, np.nan, result[some])
    return result


AUGMENTATIONS: tuple[Callable[[np.random.Generator, Floats], Floats], ...] = (
    mix,
    flip_time,
    flip_sign,
    modulate,
    add_spikes,
    censor,
    quantise,
    hold,
    blank,
)
"""in their order: what happens to a series, then to its measurement"""


def augment(rng: np.random.Generator, series: Floats) -> Floats:
    """Apply all augmentations to series (N, L); NaN where values are missing."""
    for change in AUGMENTATIONS:
        series = change(rng, series)
    return series
