"""Replay: which origins are run, what of it is kept, and that nothing after an origin is seen."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.arrays import Floats
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.series import Panel, Series
from models.data.windows import Batch
from models.inference.replay import (
    MOST_ORIGINS,
    Replay,
    ReplayPlan,
    find_bounds,
    find_spacing,
    find_widths,
    plan_origins,
    replay_all,
)
from tests.models.examples import hourly, small

CONFIG = small(24, context_length=48, segment=12)
FREE = (-np.inf, np.inf)


class Counter:
    """A runner that forecasts the last value, levels one apart, and counts the windows it was given."""

    def __init__(self) -> None:
        self.windows = 0

    def __call__(self, batch: Batch) -> Floats:
        self.windows += len(batch["y"])
        last = batch["y"][:, -1, None, None] + 0.01 * np.nansum(batch["covariates"], axis=(1, 2))[:, None, None]
        return np.broadcast_to(last + np.array([-1.0, 0, 1]), (len(last), 24, 3))


def series(length: int = 2000) -> Series:
    return Panel.from_arrays({"a": hourly(length)}, "h", "2024-01-01").series[0]


def plan(item: Series, trained: int = 400, kept: Replay | None = None, config: Config = CONFIG) -> ReplayPlan:
    origins = plan_origins(0, item.start + len(item.y) - 1, trained, config, is_trained=True)
    return ReplayPlan(item, origins, kept)


def cut(item: Series, length: int) -> Series:
    return replace(item, y=item.y[:length])


def test_origins_are_counted_from_the_end_of_the_training() -> None:
    found = plan_origins(0, 1999, 400, CONFIG, is_trained=True)
    assert len(found) == MOST_ORIGINS
    assert set(np.diff(found)) == {24}
    assert (found[-1], (found[0] - 400) % 24) == (400 + 24 * 66, 0)
    later = plan_origins(0, 2007, 400, CONFIG, is_trained=True)
    np.testing.assert_array_equal(later, found)
    np.testing.assert_array_equal(plan_origins(0, 2009, 400, CONFIG, is_trained=True), found + 24)


def test_what_training_has_seen_is_replayed_of_other_series_alone() -> None:
    assert plan_origins(0, 700, 400, CONFIG, is_trained=True).tolist() == list(range(400, 700, 24))
    assert plan_origins(0, 700, 400, CONFIG, is_trained=False)[0] == 40, "half a context is enough"
    assert len(plan_origins(0, 560, 400, CONFIG, is_trained=True)) == 0, "seven are too few"
    assert len(plan_origins(0, 400, 400, CONFIG, is_trained=True)) == 0


@pytest.mark.parametrize(("freq", "horizon", "spacing"), [("h", 48, 24), ("h", 6, 6), ("D", 30, 1), ("10min", 96, 96)])
def test_origins_are_a_horizon_or_a_day_apart(freq: str, horizon: int, spacing: int) -> None:
    assert find_spacing(replace(CONFIG, frequency=freq, horizon=horizon)) == spacing


def test_a_new_observation_costs_one_more_origin_at_most() -> None:
    whole = series()
    runner = Counter()
    (replay,) = replay_all([plan(cut(whole, 1500))], runner, CONFIG)
    assert runner.windows == len(replay.origins) == 46
    costs = []
    for length in range(1501, 1549):
        before = runner.windows
        (replay,) = replay_all([plan(cut(whole, length), kept=replay)], runner, CONFIG)
        costs.append(runner.windows - before)
    assert (sum(costs), max(costs)) == (2, 1)
    (anew,) = replay_all([plan(cut(whole, 1548))], Counter(), CONFIG)
    np.testing.assert_array_equal(replay.forecasts, anew.forecasts)


def test_a_corrected_value_is_replayed_again() -> None:
    whole = series()
    (replay,) = replay_all([plan(whole)], Counter(), CONFIG)
    y = whole.y.copy()
    y[1900] += 5
    runner = Counter()
    (found,) = replay_all([plan(replace(whole, y=y), kept=replay)], runner, CONFIG)
    assert runner.windows == (replay.origins >= 1900).sum() == 4
    np.testing.assert_array_equal(found.origins, replay.origins)


def test_known_future_covariates_are_those_that_are_stored() -> None:
    config = replace(CONFIG, covariates=CovariateConfig(known_future=("temp",)))
    temp = np.arange(2024.0)
    whole = replace(series(), covariates={"temp": temp})
    runner = Counter()
    (replay,) = replay_all([plan(whole, config=config)], runner, config)
    changed = temp.copy()
    changed[1980:] = 0.0
    before = runner.windows
    replay_all([plan(replace(whole, covariates={"temp": changed}), kept=replay, config=config)], runner, config)
    assert runner.windows - before == (replay.origins >= 1980 - 24).sum() == 2
    gappy = temp.copy()
    gappy[1990] = np.nan
    (found,) = replay_all([plan(replace(whole, covariates={"temp": gappy}), config=config)], runner, config)
    assert len(found.origins) == len(replay.origins) - 1
    (none,) = replay_all([plan(series(), config=config)], runner, config)
    assert len(none.origins) == 0


def test_origins_without_a_value_are_left_out() -> None:
    whole = series()
    y = whole.y.copy()
    y[whole.start + plan(whole).origins[3]] = np.nan
    (found,) = replay_all([plan(replace(whole, y=y))], Counter(), CONFIG)
    assert len(found.origins) == MOST_ORIGINS - 1


def test_series_are_run_together() -> None:
    items = [series(900), series(1100)]
    runner = Counter()
    together = replay_all([plan(item) for item in items], runner, CONFIG)
    for item, found in zip(items, together, strict=True):
        (alone,) = replay_all([plan(item)], Counter(), CONFIG)
        np.testing.assert_array_equal(found.forecasts, alone.forecasts)
    assert replay_all([], runner, CONFIG) == []


@pytest.mark.parametrize("edit", [lambda y: y + 1e6, lambda y: y * np.nan, lambda y: y[:0]])
def test_nothing_after_an_origin_changes_its_widths(edit: Callable[[Floats], Floats]) -> None:
    whole = series()
    origin = 1500
    y = np.concatenate([whole.y[: origin + 1], edit(whole.y[origin + 1 :])])
    found = []
    for values in (whole.y, y):
        item = replace(whole, y=values)
        origins = plan_origins(0, origin, 400, CONFIG, is_trained=True)
        (replay,) = replay_all([ReplayPlan(item, origins)], Counter(), CONFIG)
        widths = find_widths(replay, origin, CONFIG, FREE)
        assert widths is not None
        found.append(widths.factors)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], 1)
    y = whole.y.copy()
    y[origin - 100 : origin + 1] += np.arange(101)
    (replay,) = replay_all([ReplayPlan(replace(whole, y=y), origins)], Counter(), CONFIG)
    known = find_widths(replay, origin, CONFIG, FREE)
    assert known is not None
    assert not np.array_equal(known.factors, found[0]), "what came before is known"


def test_bounds_are_those_of_the_graph() -> None:
    config = replace(CONFIG, nonnegative=True, bounds=(None, 9.0))
    assert find_bounds(np.array([1.0, np.nan]), config, is_signed=False) == (0.0, 9.0)
    assert find_bounds(np.array([-1.0, 1.0]), config, is_signed=False) == (-np.inf, 9.0)
    assert find_bounds(np.array([1.0]), config, is_signed=True) == (-np.inf, 9.0)
    assert find_bounds(np.array([1.0]), replace(config, bounds=(2.0, None)), is_signed=False) == (2.0, np.inf)
