"""Levels that have shifted: what is told, what is left alone, and what training and replays make of it."""

import dataclasses

import numpy as np
import pytest
import torch

from models.arrays import Floats
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.config.model import Config
from models.data.cleaning import clean_for
from models.data.level_shifts import count_shifts, find_crossed, find_level_shifts, hide_before_shifts
from models.data.series import Series
from models.planning.defaults import default_config_for_lengths
from models.training.sampling import fixed_batch, window_pool
from tests.models.examples import LEVELS, PLAIN, START

NOISE = np.random.default_rng(0).normal(0, 2, 400)


def shifting() -> Config:
    """A model of daily values that reads 56 steps and forecasts 14."""
    config = default_config_for_lengths("D", 14, LEVELS, [200], network={**PLAIN, "context_length": 56})
    return dataclasses.replace(config, level_shifts=True)


def make_series(y: Floats) -> Series:
    return Series("a", y, Grid(parse_frequency("D"), "UTC", START))


def make_step(length: int, at: int, size: float = 100.0) -> Floats:
    y: Floats = 100 + NOISE[:length] + np.where(np.arange(length) < at, 0.0, size)
    return y


@pytest.mark.parametrize("size", [100.0, -100.0])
@pytest.mark.parametrize("at", [8, 20, 48])
def test_the_newest_level_begins_where_it_shifted(size: float, at: int) -> None:
    assert find_level_shifts(make_step(56, at, size)[None], 7).tolist() == [at]


@pytest.mark.parametrize("at", [7, 49])
def test_a_level_of_a_few_values_is_none(at: int) -> None:
    assert find_level_shifts(make_step(56, at)[None], 7).tolist() == [0]


def test_values_of_a_season_belong_to_one_level() -> None:
    y = make_step(56, 46)[None]
    assert find_level_shifts(y, 1).tolist() == [46]
    assert find_level_shifts(y, 12).tolist() == [0]


@pytest.mark.parametrize(
    "y",
    [
        np.arange(56.0),
        400 * 1.1 ** np.arange(56.0),
        50 + 20 * np.sin(np.arange(56.0)),
        np.where(np.arange(56) % 24 < 12, 10.0, 50.0),
        np.cumsum(NOISE[:56]),
        np.where(np.arange(56) < 28, 1.0, 2.0),
        make_step(56, 28, size=15.0),
        np.full(56, np.nan),
        np.full(56, 7.0),
        np.where(np.arange(56) == 30, 500.0, NOISE[:56]),
    ],
    ids=["line", "growth", "sine", "switched", "walk", "constants", "near", "missing", "constant", "spike"],
)
def test_nothing_else_is_a_shift(y: Floats) -> None:
    assert find_level_shifts(y[None], 1).tolist() == [0]
    assert np.array_equal(hide_before_shifts(y[None], 1), y[None], equal_nan=True)


def test_gaps_beside_a_shift_change_nothing() -> None:
    y = make_step(56, 30)
    y[[0, 5, 29, 30, 31, 40]] = np.nan
    assert find_level_shifts(y[None], 7).tolist() == [32]
    assert np.flatnonzero(~np.isnan(hide_before_shifts(y[None], 7)[0])).tolist() == [
        k for k in range(32, 56) if k != 40
    ]


def test_shifts_of_a_long_series_are_counted_where_they_are() -> None:
    config = shifting()
    y = np.concatenate([make_step(200, 100), make_step(200, 0, 900.0)])
    counts = count_shifts(y, config)
    assert np.flatnonzero(np.diff(counts)).tolist() == [99, 199]
    assert counts[-1] == 2
    crossed = find_crossed(y, np.array([98, 99, 100]), np.array([[99, 100], [100, 101], [101, 102]]), config)
    assert crossed.tolist() == [[False, True], [True, True], [False, False]]


def test_contexts_and_targets_stop_at_a_shift() -> None:
    config = shifting()
    context, horizon = config.network.context_length, config.horizon
    y = make_step(200, 150)
    series = make_series(y)
    batch = fixed_batch([series, series], np.array([140, 170]), config, torch.device("cpu"))
    ahead = 141 + np.arange(horizon)
    assert np.isnan(batch["target"][0].numpy()).tolist() == (ahead >= 150).tolist()
    assert not np.isnan(batch["target"][1].numpy()).any()
    read = 171 - context + np.arange(context)
    assert np.isnan(batch["y"][1].numpy()).tolist() == (read < 150).tolist()
    pool = window_pool([series], [200], config, torch.device("cpu"))
    assert pool is not None
    drawn = pool.draw(512, torch.Generator().manual_seed(0))
    ahead_of_last = (drawn["target"] - drawn["y"][:, -1:]).abs()
    seen = ~torch.isnan(ahead_of_last)
    assert seen.double().mean() > 0.9
    assert ahead_of_last[seen].max() < 20


def test_nothing_after_an_origin_tells_a_shift() -> None:
    config = shifting()
    series = make_series(make_step(200, 150))
    ends = [
        fixed_batch([make_series(series.y[:end])], np.array([154]), config, torch.device("cpu")) for end in (155, 200)
    ]
    assert torch.equal(ends[0]["y"], ends[1]["y"])
    assert not torch.isnan(ends[0]["y"]).any()


def test_models_of_a_release_before_read_all() -> None:
    y = make_step(56, 28)[None]
    assert clean_for(y, dataclasses.replace(shifting(), level_shifts=False)) is y
