"""Demand: daily sales with a week, promotions and closed days; counts; demand that is zero most of the time.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats, Ints
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.interleave import interleave
from models.training.synthetic.noise import draw_autoregression, draw_shocks
from models.training.synthetic.seasons import draw_seasons
from models.training.synthetic.sizes import draw_sizes

SHARES = (0.4, 0.3, 0.3)
"""of daily sales, counts and intermittent demand; a judgement"""
# All ranges below are judgements; sales and rates are drawn as logarithms.
WEEK = (0.1, 0.6)
"""standard deviation of a week's profile"""
YEAR = 365.25
"""days"""
YEAR_AMPLITUDE = (0.0, 0.4)
"""of a wave a year"""
WANDER = 0.02
"""standard deviation of a day's step of the level, at most"""
PROMOTION_RATE = (0.003, 0.03)
"""promotions that begin a day"""
PROMOTION_DAYS = (1, 15)
"""that a promotion takes, the last excluded"""
LIFT = (0.2, 1.2)
"""what a promotion adds; several at a time add no more than the greatest"""
ECHO = (0.0, 0.5)
"""share of the lift that the same number of days after a promotion lacks: buyers have stocked up"""
CLOSED_RATE = (0.0, 0.01)
"""closed days or days out of stock a day"""
DIP = (0.5, 3.0)
"""what such a day lacks"""
SALES_NOISE = (0.05, 0.3)
"""standard deviation of a day's noise"""
RATE = (0.3, 60.0)
"""mean count a step, logarithmically uniform"""
SEASON = (0.0, 0.9)
"""size of the seasons of a log-rate"""
RATE_MEMORY = (0.9, 0.999)
"""first autocorrelation of a log-rate's level"""
RATE_SPREAD = (0.0, 0.5)
"""its standard deviation"""
BURST_RATE = (0.0, 0.01)
"""bursts a step"""
BURST = (0.5, 2.0)
"""what a burst adds to the log-rate; several at a time add no more than the greatest"""
BURST_STEPS = (1, 24)
"""that a burst lasts, the last excluded"""
MOST_LOG_RATE = 9.0
"""above it counts are as good as continuous"""
POISSON_SHARE = 0.5
"""share of Poisson counts, others are negative binomial"""
DISPERSION = (0.5, 20.0)
"""shape of the gamma distribution of rates of negative binomial counts, logarithmically uniform"""
OCCURRENCE = (-3.5, 0.5)
"""mean logit of the probability that there is any demand"""
OCCURRENCE_MEMORY = (0.8, 0.995)
"""first autocorrelation of that logit"""
OCCURRENCE_SPREAD = (0.0, 1.5)
"""its standard deviation"""
WHOLE_SHARE = 0.6
"""share of intermittent series with whole sizes"""
MEAN_EXTRA = (0.0, 6.0)
"""mean of whole sizes above one"""
SIZE_SPREAD = (0.2, 0.9)
"""standard deviation of the logarithms of other sizes"""

Range = tuple[float, float]
"""between which a number is uniform"""


def sum_last(values: Floats, steps: Ints, ago: Ints | int = 0) -> Floats:
    """Sum values (N, L) over the last steps (N,) before and with each step, or with the step so many `ago` (N,)."""
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, 1)], 1)
    until = np.arange(1, values.shape[1] + 1) - np.broadcast_to(ago, len(values))[:, None]
    begin = until - steps[:, None]
    sums: Floats = np.take_along_axis(total, until.clip(0), 1) - np.take_along_axis(total, begin.clip(0), 1)
    return sums


def draw_events(rng: np.random.Generator, rates: Range, sizes: Range, like: Floats) -> Floats:
    """Draw sizes of rare events, zero between them, in the shape (N, L) of `like`."""
    rate = rng.uniform(*rates, (len(like), 1))
    return (rng.random(like.shape) < rate) * rng.uniform(*sizes, like.shape)


def vary(rng: np.random.Generator, series: Floats) -> Floats:
    """Add one to a step of each constant series of (N, L), chosen by chance."""
    rows = np.flatnonzero(np.ptp(series, axis=1) == 0)
    series[rows, rng.integers(series.shape[1], size=len(rows))] += 1
    return series


def draw_sales(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw daily sales (N, L)."""
    column = (count, 1)
    days = np.arange(length)
    profile = rng.standard_normal((count, 7)) * rng.uniform(*WEEK, column)
    level = np.cumsum(rng.standard_normal((count, length)), 1) * rng.uniform(0, WANDER, column)
    year = np.sin(2 * np.pi * (days / YEAR + rng.random(column))) * rng.uniform(*YEAR_AMPLITUDE, column)
    noise = draw_shocks(rng, count, length) * rng.uniform(*SALES_NOISE, column)
    sales = profile[:, days % 7] + level + year + noise
    starts = draw_events(rng, PROMOTION_RATE, LIFT, sales)
    lasting = rng.integers(*PROMOTION_DAYS, count)
    echo = rng.uniform(*ECHO, column) * sum_last(starts, lasting, lasting)
    sales += np.minimum(sum_last(starts, lasting), LIFT[1]) - np.minimum(echo, LIFT[1])
    sales -= draw_events(rng, CLOSED_RATE, DIP, sales)
    return np.exp(sales)


def draw_counts(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw Poisson and negative binomial counts (N, L) of rates with seasons and bursts."""
    column = (count, 1)
    log_rate = draw_seasons(rng, count, length) * rng.uniform(*SEASON, column)
    wandering = draw_autoregression(rng, rng.uniform(*RATE_MEMORY, count), length)
    log_rate += wandering * rng.uniform(*RATE_SPREAD, column) + np.log(draw_sizes(rng, count, RATE))
    bursts = sum_last(draw_events(rng, BURST_RATE, BURST, log_rate), rng.integers(*BURST_STEPS, count))
    log_rate += np.minimum(bursts, BURST[1])
    rate = np.exp(np.minimum(log_rate, MOST_LOG_RATE))
    mixed = rng.random(count) >= POISSON_SHARE
    shape = draw_sizes(rng, int(mixed.sum()), DISPERSION)
    rate[mixed] *= rng.gamma(np.broadcast_to(shape, (len(shape), length))) / shape
    return vary(rng, rng.poisson(rate).astype(np.float64))


def draw_intermittent(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw demand (N, L) that occurs by a logit that wanders, in sizes apart from it, as Croston (1972) has it."""
    column = (count, 1)
    wandering = draw_autoregression(rng, rng.uniform(*OCCURRENCE_MEMORY, count), length)
    logit = rng.uniform(*OCCURRENCE, column) + wandering * rng.uniform(*OCCURRENCE_SPREAD, column)
    occurs = rng.random((count, length)) * (1 + np.exp(-logit)) < 1
    whole = rng.random(count) < WHOLE_SHARE
    sizes = np.exp(rng.standard_normal((count, length)) * rng.uniform(*SIZE_SPREAD, column))
    mean = np.broadcast_to(rng.uniform(*MEAN_EXTRA, column)[whole], (int(whole.sum()), length))
    sizes[whole] = 1 + rng.poisson(mean)
    return vary(rng, np.where(occurs, sizes, 0.0))


def generate_demand(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw demand (N, L) of all three kinds."""
    return interleave(rng, count, length, [draw_sales, draw_counts, draw_intermittent], SHARES)


DEMAND_FAMILY = SeriesFamily("demand", 0.08, 0.06, generate_demand)
