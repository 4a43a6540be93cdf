"""What goes by the clock: work days and days off, traffic and visits, loads that follow the weather, and the weather.

Shapes: N series, L steps, D days, K peaks of a day.
"""

from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from models.training.synthetic.demand import vary
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.interleave import interleave
from models.training.synthetic.noise import draw_autoregression, draw_shocks
from models.training.synthetic.sizes import draw_sizes

STEPS_A_DAY = (24, 48, 96, 144, 288)
"""of hours, half and quarter hours, ten and five minutes"""
STEP_SHARES = (0.5, 0.2, 0.15, 0.1, 0.05)
"""of each. These and all that follow are judgements"""
SHARES = (0.45, 0.3, 0.1, 0.15)
"""of activity, loads, sunshine and temperatures"""
YEAR = 365.25
"""days"""

PEAKS = 4
"""of a day at most"""
SHARPNESS = (1.0, 60.0)
"""concentration of a peak (von Mises): of half a day's width to that of an hour"""
QUIET = (0.0, 0.6)
"""activity between the peaks, beside peaks of 0.2 to 1.5"""
HEIGHT = (0.2, 1.5)
WEEK_SHARE = 0.75
"""of series that know work days"""
SIX_DAY_SHARE = 0.2
"""of those, whose Saturday is a work day"""
HOLIDAYS = (0.0, 0.04)
"""share of days that are like Sundays"""
REST = (0.1, 1.1)
"""height of a Sunday's peaks beside a work day's"""
DAY_MEMORY = (0.3, 0.97)
"""correlation of what two days in a row have in common"""
DAY_SPREAD = (0.01, 0.3)
"""standard deviation of its logarithm"""
YEAR_AMPLITUDE = (0.0, 0.4)
"""of a wave a year, of the logarithm"""
NOISE_MEMORY = (0.0, 0.9)
NOISE = (0.01, 0.3)
"""standard deviation of the logarithm of a step's own noise"""
COUNT_SHARE = 0.25
"""of activity that is counted"""
COUNTED = (3.0, 1000.0)
"""mean count a step"""

WEATHER_DAYS = (0.3, 6.0)
"""that a spell of weather lasts"""
DAILY_WAVE = (0.1, 1.5)
"""amplitude of a day's temperature beside that of the weather, which is 1"""
TURNING_POINT = 0.8
"""standard deviation of the temperatures at which heating ends and cooling begins"""
RESPONSE = (0.0, 0.8)
"""what a degree of either adds to a load"""
SUN = (-0.4, 0.6)
"""height of the sun at dawn, beside 1 at noon: days of less and more than half"""
CLOUDS = (0.0, 0.95)
"""of the sunshine that clouds take at most"""
CLOUD_DAYS = (0.02, 0.3)
"""that a cloud takes to pass"""
SENSOR_NOISE = (0.005, 0.2)
"""standard deviation of the noise of a temperature"""


class Clock(NamedTuple):
    """Where each step lies."""

    steps: Ints
    """(N, 1) a day"""
    day: Ints
    """(N, L) since the first"""
    hour: Floats
    """(N, L) share of the day that has passed"""
    days: int
    """D, of all series"""


def draw_clock(rng: np.random.Generator, count: int, length: int) -> Clock:
    """Draw how many steps a day has, and when each series begins."""
    steps = rng.choice(STEPS_A_DAY, count, p=STEP_SHARES)[:, None]
    passed = np.arange(length) + rng.integers(steps)
    day = passed // steps
    return Clock(steps, day, (passed % steps) / steps, int(day.max()) + 1)


def spread_days(clock: Clock, values: Floats) -> Floats:
    """Give each step (N, L) the value of its day (N, D)."""
    spread: Floats = np.take_along_axis(values, clock.day, 1)
    return spread


def draw_rest(rng: np.random.Generator, count: int, days: int) -> Floats:
    """Draw how much of a day off each day is (N, D): 0 on work days, 1 on Sundays and holidays."""
    column = (count, 1)
    weekday = (np.arange(days) + rng.integers(7, size=column)) % 7
    saturday = rng.uniform(0, 1, column) * (rng.random(column) >= SIX_DAY_SHARE)
    rest = np.where(weekday == 5, saturday, (weekday == 6).astype(np.float64))
    rest = np.where(rng.random((count, days)) < rng.uniform(*HOLIDAYS, column), 1.0, rest)
    return rest * (rng.random(column) < WEEK_SHARE)


def draw_rhythm(rng: np.random.Generator, clock: Clock) -> Floats:
    """Draw what people do by the hour and the day of the week (N, L): peaks, lower and elsewhere on days off."""
    count = len(clock.steps)
    column = (count, 1)
    rest = spread_days(clock, draw_rest(rng, count, clock.days))
    total = np.broadcast_to(rng.uniform(*QUIET, column), clock.hour.shape).copy()
    peaks = 1 + rng.integers(PEAKS, size=column)
    for k in range(PEAKS):
        turn = 2 * np.pi * (clock.hour - rng.random(column))
        peak = np.exp(draw_sizes(rng, count, SHARPNESS) * (np.cos(turn) - 1))
        height = rng.uniform(*HEIGHT, column) * (k < peaks)
        at_rest = rng.uniform(*REST, column)
        total += height * peak * (1 - rest * (1 - at_rest))
    return total


def draw_days(rng: np.random.Generator, clock: Clock) -> Floats:
    """Draw the logarithm of how busy a day is (N, L): what days in a row have in common, and a year's wave."""
    count = len(clock.steps)
    common = draw_autoregression(rng, rng.uniform(*DAY_MEMORY, count), clock.days) * draw_sizes(rng, count, DAY_SPREAD)
    return spread_days(clock, common) + _draw_year(rng, clock) * rng.uniform(*YEAR_AMPLITUDE, (count, 1))


def draw_own_noise(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw the logarithm of each step's own noise (N, L)."""
    noise = draw_autoregression(rng, rng.uniform(*NOISE_MEMORY, count), length, draw_shocks(rng, count, length))
    return noise * draw_sizes(rng, count, NOISE)


def draw_activity(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw traffic, visits and calls (N, L), some of them counted."""
    clock = draw_clock(rng, count, length)
    activity = draw_rhythm(rng, clock) * np.exp(draw_days(rng, clock) + draw_own_noise(rng, count, length))
    counted = np.flatnonzero(rng.random(count) < COUNT_SHARE)
    activity[counted] = rng.poisson(activity[counted] * draw_sizes(rng, len(counted), COUNTED))
    return vary(rng, activity)


def draw_temperature(rng: np.random.Generator, clock: Clock) -> Floats:
    """Draw temperatures (N, L): weather of standard deviation 1, a wave a day and one a year."""
    count, length = len(clock.steps), clock.day.shape[1]
    column = (count, 1)
    weather = draw_autoregression(rng, _draw_memory(rng, clock, WEATHER_DAYS), length)
    sunny = spread_days(clock, 1 / (1 + np.exp(-draw_autoregression(rng, rng.uniform(*DAY_MEMORY, count), clock.days))))
    wave = np.cos(2 * np.pi * (clock.hour - rng.random(column)))
    wave += 0.3 * np.cos(4 * np.pi * (clock.hour - rng.random(column)))
    amplitude = rng.uniform(*DAILY_WAVE, column)
    return weather + amplitude * (0.5 + sunny) * wave + 2 * rng.random(column) * _draw_year(rng, clock)


def draw_load(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw loads (N, L): activity, and what heating and cooling add."""
    clock = draw_clock(rng, count, length)
    column = (count, 1)
    load = draw_rhythm(rng, clock) * np.exp(draw_days(rng, clock))
    temperature = draw_temperature(rng, clock)
    points = np.sort(rng.standard_normal((count, 2)) * TURNING_POINT, axis=1)
    cold = np.maximum(points[:, :1] - temperature, 0) * rng.uniform(*RESPONSE, column)
    hot = np.maximum(temperature - points[:, 1:], 0) * rng.uniform(*RESPONSE, column)
    return (load + cold + hot) * np.exp(draw_own_noise(rng, count, length))


def draw_sunshine(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw sunshine and what it yields (N, L): nothing at night, and by day what clouds leave."""
    clock = draw_clock(rng, count, length)
    column = (count, 1)
    low = rng.uniform(*SUN, column)
    height = np.maximum(np.cos(2 * np.pi * (clock.hour - 0.5)) * (1 - low) + low, 0)
    cloudy = spread_days(clock, draw_autoregression(rng, rng.uniform(*DAY_MEMORY, count), clock.days))
    passing = draw_autoregression(rng, _draw_memory(rng, clock, CLOUD_DAYS), length)
    cover = 1 / (1 + np.exp(-1.5 * (cloudy + passing + rng.standard_normal(column))))
    return vary(rng, height * (1 - rng.uniform(*CLOUDS, column) * cover))


def draw_weather(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw temperatures as a sensor has them (N, L)."""
    temperature = draw_temperature(rng, draw_clock(rng, count, length))
    return temperature + draw_shocks(rng, count, length) * draw_sizes(rng, count, SENSOR_NOISE)


def generate_calendar(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L) of all four kinds."""
    return interleave(rng, count, length, [draw_activity, draw_load, draw_sunshine, draw_weather], SHARES)


def _draw_memory(rng: np.random.Generator, clock: Clock, days: tuple[float, float]) -> Floats:
    """Draw the correlation of two steps in a row (N,) of what lasts so many days."""
    memory: Floats = np.exp(-1 / (clock.steps[:, 0] * rng.uniform(*days, len(clock.steps))))
    return memory


def _draw_year(rng: np.random.Generator, clock: Clock) -> Floats:
    """Draw a wave a year (N, L)."""
    wave: Floats = np.sin(2 * np.pi * ((clock.day + clock.hour) / YEAR + rng.random((len(clock.steps), 1))))
    return wave


CALENDAR_FAMILY = SeriesFamily("clock and weather", 0.1, 0.2, generate_calendar)
"""of hourly and finer series, which are most of what is forecast at once"""
