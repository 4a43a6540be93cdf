"""Earlier forecasts over whole horizons: which, of what, and that nothing after the origin is seen."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.series import Panel, Series
from models.data.windows import Batch
from models.inference.earlier import (
    MOST_ORIGINS,
    EarlierForecasts,
    find_actuals,
    find_template_spacing,
    forecast_earlier,
    join_errors,
    plan_earlier,
)
from models.planning.defaults import default_config_for_lengths

HORIZON = 12
CONFIG = default_config_for_lengths("h", HORIZON, (0.1, 0.5, 0.9), [2000], {"context_length": 48})


def hourly(n: int = 2000, seed: int = 0) -> Series:
    t = np.arange(n)
    y = 20 + 6 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(seed).normal(0, 1, n)
    return Panel.from_arrays({"a": y}, freq="h", start="2024-01-01").series[0]


def repeat_day(batch: Batch) -> NDArray[np.float64]:
    """Forecast the values of a day before, plus and minus one."""
    day = batch["y"][:, -24 : -24 + HORIZON]
    return np.stack([day - 1, day, day + 1], axis=-1)


def make(series: Series, most: int = MOST_ORIGINS, earlier: EarlierForecasts | None = None) -> EarlierForecasts:
    kept = None if earlier is None else earlier.replay
    plan = plan_earlier(series, CONFIG, HORIZON, reference=0, most=most, kept=kept)
    return forecast_earlier([plan], repeat_day, CONFIG, HORIZON)[0]


def test_origins_are_the_newest_that_have_come_true_and_the_same_for_all_series() -> None:
    one = make(hourly())
    origins = one.replay.origins
    assert len(origins) == MOST_ORIGINS
    assert (np.diff(origins) == find_template_spacing(CONFIG, HORIZON)).all()
    assert 1999 - HORIZON - find_template_spacing(CONFIG, HORIZON) < origins[-1] <= 1999 - HORIZON
    assert len(one.templates) == MOST_ORIGINS
    later = replace(hourly(), y=hourly().y[500:], start=500)
    np.testing.assert_array_equal(make(later).templates.stamps, one.templates.stamps)


def test_outcomes_stand_beside_their_forecasts() -> None:
    one = make(hourly())
    y = one.replay.series.y
    actuals = find_actuals(one.replay)
    np.testing.assert_array_equal(actuals[-1], y[one.replay.origins[-1] + 1 :][:HORIZON])
    first = one.replay.origins[0]
    np.testing.assert_array_equal(one.replay.forecasts[0, :, 1], y[first - 23 : first - 23 + HORIZON])


def test_nothing_after_the_origin_is_seen() -> None:
    whole = hourly()
    known = replace(whole, y=whole.y[:1500].copy())
    changed = whole.y.copy()
    changed[1500:] = 1e6
    before = make(known)
    after = make(replace(whole, y=changed[:1500].copy()))
    np.testing.assert_array_equal(before.templates.scores, after.templates.scores)
    assert before.replay.origins[-1] + HORIZON <= 1499


def test_a_new_value_costs_the_origins_that_are_new() -> None:
    whole = hourly()
    calls: list[int] = []

    def count(batch: Batch) -> NDArray[np.float64]:
        calls.append(len(batch["y"]))
        return repeat_day(batch)

    first = make(replace(whole, y=whole.y[:1990]))
    plan = plan_earlier(whole, CONFIG, HORIZON, reference=0, kept=first.replay)
    (second,) = forecast_earlier([plan], count, CONFIG, HORIZON)
    assert sum(calls) <= 1
    np.testing.assert_array_equal(second.templates.scores, make(whole).templates.scores)


def test_a_short_series_has_few_or_none() -> None:
    assert len(make(hourly(30)).templates) == 0
    assert 0 < len(make(hourly(200)).templates) < MOST_ORIGINS


def test_errors_are_joined_at_origins_that_all_have() -> None:
    whole = hourly()
    one, two = make(whole), make(replace(hourly(seed=1), id="b"), most=20)
    errors = join_errors([one, two], CONFIG)
    assert errors is not None
    assert errors.shape == (20 * HORIZON, 2)
    expected = find_actuals(two.replay) - two.replay.forecasts[..., 1]
    np.testing.assert_allclose(errors[:, 1], expected.ravel(), atol=1e-9)
    assert join_errors([one, make(hourly(90))], CONFIG) is None


def test_missing_outcomes_are_no_errors() -> None:
    y = hourly().y.copy()
    y[1900:1905] = np.nan
    errors = join_errors([make(replace(hourly(), y=y))], CONFIG)
    assert errors is not None
    assert np.isfinite(errors).all()
    assert len(errors) < MOST_ORIGINS * HORIZON


@pytest.mark.parametrize(
    ("alias", "horizon", "spacing"), [("h", 24, 24), ("D", 28, 7), ("30min", 48, 48), ("MS", 12, 3)]
)
def test_spacing_is_a_quarter_of_the_horizon_or_a_day(alias: str, horizon: int, spacing: int) -> None:
    config = default_config_for_lengths(alias, horizon, (0.1, 0.5, 0.9), [3000])
    assert find_template_spacing(config, horizon) == spacing


def test_a_shorter_horizon_has_more_origins_of_a_short_series() -> None:
    plan = plan_earlier(hourly(100), CONFIG, 4, reference=0)
    (one,) = forecast_earlier([plan], repeat_day, CONFIG, 4)
    assert one.replay.forecasts.shape[1:] == (4, 3)
    assert len(one.templates) > len(make(hourly(100)).templates)
