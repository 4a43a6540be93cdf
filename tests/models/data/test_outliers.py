"""Outliers that are hidden from the network, and the many things that are none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.arrays import Floats
from models.calendar.frequency import parse_frequency, season_lengths
from models.calendar.grid import Grid
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.data.outliers import AT_ORIGIN, find_spikes, hide_all, hide_outliers, may_have_spikes
from models.data.series import Panel, Series
from models.planning.defaults import default_config, default_config_for_lengths
from tests.models.examples import START

DATA = Path(__file__).parents[4] / "shared" / "data"
HOURLY = parse_frequency("h")


def sensor(length: int = 400, seed: int = 0) -> Floats:
    """Return values of 40 to 60 with a daily season."""
    rng = np.random.default_rng(seed)
    return 50 + 8 * np.sin(2 * np.pi * np.arange(length) / 24) + rng.uniform(-2, 2, length)


def spoil(y: Floats, *spikes: tuple[int, float]) -> Floats:
    y = y.copy()
    for position, value in spikes:
        y[position] = value
    return y


def find(y: Floats) -> list[int]:
    """Return the positions of the outliers, counted from the end."""
    return (np.flatnonzero(find_spikes(y)) - len(y)).tolist()


@pytest.mark.parametrize(
    "spikes",
    [
        [(-1, 5000.0)],
        [(-1, -999.0)],
        [(-1, 200.0)],
        [(-1, 0.0)],
        [(-2, 5000.0)],
        [(-20, 5000.0)],
        [(-3, 5000.0), (-2, 4000.0), (-1, 5000.0)],
        [(-100, 1e30), (-20, 3000.0), (-1, -3000.0)],
        [(-100, 5000.0), (-20, 5000.0), (-1, 5000.0)],
    ],
)
def test_a_spike_is_found_wherever_it_is(spikes: list[tuple[int, float]]) -> None:
    assert find(spoil(sensor(), *spikes)) == [position for position, _ in spikes]


def test_a_spike_is_found_among_gaps_and_in_a_constant() -> None:
    y = spoil(sensor(), (-1, 5000.0))
    y[-4:-1] = np.nan
    y[::5] = np.nan
    y[-1] = 5000.0
    assert find(y) == [-1]
    assert find(spoil(np.full(100, 50.0), (-1, 5000.0))) == [-1]
    assert find(spoil(np.tile([10.0] * 14 + [50.0] * 10, 14), (-1, 5000.0))) == [-1]
    assert find(spoil(np.maximum(0.0, sensor() - 50), (-1, 5000.0))) == [-1], "the sun, zero at night"


@pytest.mark.parametrize(
    "y",
    [
        np.concatenate([np.random.default_rng(0).normal(100, 2, 60), np.random.default_rng(1).normal(200, 2, 30)]),
        np.concatenate([np.random.default_rng(0).normal(100, 2, 60), np.random.default_rng(1).normal(200, 2, 4)]),
        np.concatenate([[5000.0, 5000.0], sensor(100)]),
        spoil(
            sensor(), (-300, 5000.0), (-250, 4000.0), (-200, 5000.0), (-150, 4000.0), (-90, 5e3), (-40, 5e3), (-1, 5e3)
        ),
        spoil(sensor(), (-1, 75.0)),
        100 * 1.02 ** np.arange(36),
        2.0 ** np.arange(40),
        np.append(np.zeros(60), [100.0]),
        np.append(np.zeros(60), [1.0, 0.0, 12.0]),
        spoil(np.full(50, 9.99), (-1, 12.99)),
        sensor(15) * np.append(np.ones(14), 100),
        np.full(40, np.nan),
        np.append(sensor(60), np.inf),
    ],
    ids=[
        *("step", "young step", "begins with it", "often", "in the tail", "growth", "doubling", "first sale"),
        *("rare sales", "price", "few values", "nothing", "infinite"),
    ],
)
def test_what_is_no_outlier_stays(y: Floats) -> None:
    assert find(y) == []


def test_what_a_season_brings_is_no_outlier() -> None:
    weekly = spoil(sensor(), (-168, 5000.0))
    assert find(weekly) == [-168]
    assert (find_spikes(weekly, (24, 168)) == find_spikes(weekly)).all(), "the other weeks have no such hour"
    assert not find_spikes(spoil(sensor(), (-1, 5000.0), (-169, 5000.0), (-337, 5000.0)), (24, 168)).any()
    assert not find_spikes(spoil(sensor(336), (-1, 5000.0), (-169, 5000.0)), (24, 168)).any()
    assert find_spikes(spoil(sensor(336), (-1, 5000.0), (-25, 5000.0)), (24, 168)).sum() == 2, "no other day has it"
    toys = np.tile([*np.linspace(10, 20, 11), 400.0], 3)
    assert not find_spikes(toys, (12,)).any()
    assert find_spikes(toys[:23], (12,)).sum() == 0, "there is one December alone"


@pytest.mark.parametrize("seed", range(20))
def test_bursts_of_counts_and_heavy_tails_stay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sales = rng.poisson(0.2, 200) * rng.negative_binomial(1, 0.1, 200)
    assert find(sales.astype(float)) == []
    assert find(np.exp(rng.normal(0, 1.2, 300))) == []


def test_the_quick_look_misses_none() -> None:
    rng = np.random.default_rng(0)
    contexts = rng.normal(50, 5, (400, 60)) * rng.choice([1.0, 1.0, 0.0], (400, 60))
    rows = rng.integers(400, size=300)
    contexts[rows, rng.integers(60, size=300)] = 10.0 ** rng.uniform(1, 5, 300)
    contexts[rng.random(contexts.shape) < 0.1] = np.nan
    quick = may_have_spikes(contexts)
    exact = np.array([find_spikes(y).any() for y in contexts])
    assert (quick | ~exact).all()
    assert 50 < exact.sum() <= quick.sum() < 300


def configure() -> Config:
    return default_config_for_lengths("h", 24, (0.1, 0.5, 0.9), [1000], {"context_length": 336, "segment": 12})


def build(y: Floats) -> Series:
    return Series("a", y, Grid(HOURLY, "UTC", START))


def test_only_the_context_counts_and_only_values_near_its_end_are_told() -> None:
    config = configure()
    plain = build(sensor(1000))
    spoilt = build(spoil(sensor(1000), (-1, 5000.0), (-500, 5000.0)))
    hidden, near = hide_outliers(spoilt, 999, config)
    assert near
    assert np.flatnonzero(np.isnan(hidden.y)).tolist() == [999]
    assert spoilt.y[-1] == 5000, "the series itself is left alone"
    hidden, near = hide_outliers(spoilt, 600, config)
    assert (np.flatnonzero(np.isnan(hidden.y)).tolist(), near) == ([500], False)
    assert hide_outliers(spoilt, 998, config) == (spoilt, False), "nothing after the origin is seen"
    series, near_all = hide_all([plain, spoilt], np.array([999, 999]), config)
    assert series[0] is plain
    assert near_all.tolist() == [False, True]
    clipping = replace(config, cleaning=CleaningConfig(outliers="clip"))
    assert hide_outliers(spoilt, 999, clipping) == (spoilt, True), "it is told, and clipped later"


def test_what_a_covariate_explains_is_no_outlier() -> None:
    y = spoil(sensor(), (-1, 5000.0))
    flags = spoil(np.zeros(424), (399, 1.0))
    names = np.array(["usual"] * 399 + ["promotion"] + ["usual"] * 24, object)
    for column, explained in (
        (flags, True),
        (names, True),
        (np.ones(424), False),
        (flags[::-1], False),
        (np.arange(424.0), False),
    ):
        series = replace(build(y), covariates={"event": column})
        config = default_config(Panel(HOURLY, (series,)), 24, known_future=["event"])
        hidden, near = hide_outliers(series, 399, config)
        assert near is not explained
        assert (hidden is series) is explained


@pytest.mark.skipif(not DATA.exists(), reason=f"the real series are read from {DATA}")
@pytest.mark.parametrize(
    ("name", "freq", "length"),
    [
        ("m4_hourly", "h", 336),
        ("vic_elec", "30min", 672),
        ("bike_sharing", "h", 336),
        ("exchange_rate", "B", 96),
        ("weather", "10min", 1008),
    ],
)
def test_of_a_thousand_real_origins_one_is_flagged_at_most(name: str, freq: str, length: int) -> None:
    table = pd.read_parquet(DATA / f"{name}.parquet", columns=["unique_id", "y", "split"])
    known = table[table["split"] != "test"]
    series = [group.to_numpy(np.float64) for _, group in known.groupby("unique_id", sort=False, observed=True)["y"]]
    rng = np.random.default_rng(0)
    told = hidden = 0
    for row in rng.integers(len(series), size=1000).tolist():
        end = int(rng.integers(min(length, len(series[row]) // 2), len(series[row])))
        outliers = find_spikes(series[row][max(0, end - length) : end], season_lengths(parse_frequency(freq)))
        told += bool(outliers[-AT_ORIGIN:].any())
        hidden += bool(outliers.any())
    assert told <= 1
    assert hidden <= 5, "spikes that are there: -9999 of wind, a rate of another week"
