"""What sensors and machines send: pulses of a rhythm, events that excite others, sawteeth, drives to a set point.

Shapes: N series, L steps.
"""

import numpy as np

from models.arrays import Floats
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.interleave import interleave
from models.training.synthetic.noise import draw_autoregression
from models.training.synthetic.seasons import draw_seasons
from models.training.synthetic.sizes import draw_sizes

SHARES = (0.35, 0.25, 0.15, 0.15, 0.1)
"""of pulses, events, sawteeth, drives and thermostats; a judgement"""
BASELINE = (-1.0, 1.0)
"""between pulses; this, periods, widths and amplitudes of pulses after Reverso's spike processes"""
SHORTEST = 16
"""steps between pulses at least, where the series is long enough; an eighth of the series at most"""
LEAST_WIDTH = 4
"""steps of a pulse at least, its period at most"""
AMPLITUDE = (0.5, 3.0)
"""of pulses, to either side"""
# All that follow are judgements.
SHARPNESS = (0.2, 5.0)
"""power of a pulse's shape, logarithmically uniform; small: a block, large: a spike"""
PEAKS = (0.0, 0.1, 0.5)
"""where in its width a pulse is greatest"""
JITTER = (0.0, 0.4)
"""standard deviation of the logarithm of a pulse's amplitude"""
NOISE = (0.005, 0.1)
"""standard deviation of the noise of a sensor, in amplitudes"""
EVENT_RATE = (0.01, 0.2)
"""events a step that nothing excites"""
BRANCHING = (0.2, 0.9)
"""further events that one excites; below one, else events never end (Hawkes 1971)"""
FADING = (0.5, 0.97)
"""share of an excitement, and of an event's mark on a sensor, that is left after a step"""
COUNTED_SHARE = 0.4
"""share of event series that are counts, others show the mark that events leave"""
MOST_RATE = 1e3
"""events a step at most"""
SPEED_SPREAD = (0.0, 0.3)
"""standard deviation of the logarithm of the speed of sawteeth and set points"""
SPEED_MEMORY = 0.99
"""first autocorrelation of that speed"""
RESPONSE = (2.0, 64.0)
"""steps in which a drive comes near its set point by all but 1/e, logarithmically uniform"""
SET_SPREAD = 1.0
"""standard deviation of set points"""
ALTERNATING_SHARE = 0.5
"""share of drives with two set points"""
DRIVE = (0.7, 2.5)
"""what a heater, or the cold outside, is beyond the middle of a thermostat's bounds, each half a unit from it"""
OUTSIDE_SPREAD = 0.4
"""standard deviation of the temperature outside"""


def draw_rhythms(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw steps (N, 1) between pulses."""
    longest = max(length / 8, SHORTEST + 1)
    return rng.uniform(min(SHORTEST, length / 4), min(longest, length / 2), (count, 1))


def add_noise(rng: np.random.Generator, series: Floats) -> Floats:
    """Add a sensor's noise to series (N, L)."""
    sizes = rng.uniform(*NOISE, (len(series), 1)) * np.maximum(series.std(1, keepdims=True), NOISE[0])
    noisy: Floats = series + sizes * rng.standard_normal(series.shape)
    return noisy


def draw_pulses(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw pulses (N, L) that rise at once or by and by, and fall by and by, in a rhythm."""
    period = draw_rhythms(rng, count, length)
    width = LEAST_WIDTH + (period - LEAST_WIDTH) * rng.random((count, 1))
    turns = np.arange(length) / period + rng.random((count, 1))
    within = (turns % 1) * period / width  # 0..1 in a pulse
    peak = rng.choice(PEAKS, (count, 1))
    rising = np.divide(within, peak, out=np.ones_like(within), where=peak > 0)
    power = draw_sizes(rng, count, SHARPNESS)
    shape = np.clip(np.minimum(rising, (1 - within) / (1 - peak)), 0, 1) ** power
    jitter = np.exp(rng.uniform(*JITTER, (count, 1)) * rng.standard_normal((count, int(turns.max()) + 1)))
    size = np.take_along_axis(jitter, turns.astype(np.int64), 1)
    amplitude = rng.uniform(*AMPLITUDE, (count, 1)) * rng.choice([-1, 1], (count, 1), p=[0.25, 0.75])
    return add_noise(rng, rng.uniform(*BASELINE, (count, 1)) + amplitude * size * shape)


def draw_excited(rng: np.random.Generator, rate: Floats, branching: Floats, fading: Floats, length: int) -> Floats:
    """Draw counts (N, L) of events that excite others, in steps (Hawkes 1971); rate, branching and fading are (N,)."""
    counts = np.empty((length, len(rate)))
    excitement = rate * branching / (1 - branching)
    for t in range(length):
        counts[t] = rng.poisson(np.minimum(rate + excitement, MOST_RATE))
        excitement = fading * excitement + (1 - fading) * branching * counts[t]
    return np.ascontiguousarray(counts.T)


def draw_marks(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw events (N, L) that excite others: their counts, or the mark that they leave on a sensor."""
    fading = rng.uniform(*FADING, count)
    counts = draw_excited(rng, rng.uniform(*EVENT_RATE, count), rng.uniform(*BRANCHING, count), fading, length)
    rows = np.flatnonzero((rng.random(count) >= COUNTED_SHARE) | (np.ptp(counts, axis=1) == 0))
    marks = np.ascontiguousarray(counts[rows].T)
    for t in range(1, length):
        marks[t] += fading[rows] * marks[t - 1]
    counts[rows] = add_noise(rng, marks.T)
    return counts


def draw_turns(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw how many teeth or shifts have passed (N, L), whole and in parts, at a speed that wanders."""
    wandering = draw_autoregression(rng, np.full(count, SPEED_MEMORY), length)
    speed = np.exp(rng.uniform(*SPEED_SPREAD, (count, 1)) * wandering) / draw_rhythms(rng, count, length)
    return rng.random((count, 1)) + np.cumsum(speed, 1)


def draw_sawteeth(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw lines (N, L) that rise or fall and start again, as tanks and batteries do; some teeth are cut short."""
    turns = draw_turns(rng, count, length)
    whole = turns.astype(np.int64)
    depth = 1 - rng.uniform(*JITTER, (count, 1)) * rng.random((count, int(whole.max()) + 1))
    direction = rng.choice([-1, 1], (count, 1))
    return add_noise(rng, direction * (turns - whole) * np.take_along_axis(depth, whole, 1))


def relax(targets: Floats, response: Floats) -> Floats:
    """Compute what follows targets (N, L) at a distance that shrinks by 1/e in `response` steps, each (N,)."""
    kept = np.exp(-1 / response)
    values = np.ascontiguousarray(targets.T)
    for t in range(1, len(values)):
        values[t] += kept * (values[t - 1] - values[t])
    return np.ascontiguousarray(values.T)


def draw_drives(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw what a control drives (N, L) to set points, two that alternate or others each time."""
    shifts = draw_turns(rng, count, length).astype(np.int64)
    levels = SET_SPREAD * rng.standard_normal((count, int(shifts.max()) + 1))
    alternating = rng.random((count, 1)) < ALTERNATING_SHARE
    targets = np.take_along_axis(levels, np.where(alternating, shifts % 2, shifts), 1)
    return add_noise(rng, relax(targets, draw_sizes(rng, count, RESPONSE)[:, 0]))


def draw_thermostats(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw temperatures (N, L) between the bounds -0.5 and 0.5, at which a heater is switched; the outside has seasons.

    A cycle is short where the heater is strong or much is lost, by Newton's law of cooling.
    """
    outside = -rng.uniform(*DRIVE, (count, 1)) + OUTSIDE_SPREAD * draw_seasons(rng, count, length)
    outside = np.ascontiguousarray(np.minimum(outside, -DRIVE[0]).T)
    heat = 2 * rng.uniform(*DRIVE, count) - outside.min(0)
    kept = np.exp(-1 / draw_sizes(rng, count, RESPONSE)[:, 0])
    values = np.empty((length, count))
    value = rng.uniform(-0.5, 0.5, count)
    heated = rng.random(count) < 0.5
    for t in range(length):
        heated = np.where(np.abs(value) > 0.5, value < 0, heated)
        target = outside[t] + heat * heated
        value = target + kept * (value - target)
        values[t] = value
    return add_noise(rng, values.T)


def generate_pulses(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L) of all five kinds."""
    kinds = [draw_pulses, draw_marks, draw_sawteeth, draw_drives, draw_thermostats]
    return interleave(rng, count, length, kinds, SHARES)


PULSE_FAMILY = SeriesFamily("pulses and sensors", 0.04, 0.03, generate_pulses)
