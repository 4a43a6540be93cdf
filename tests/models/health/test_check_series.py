"""The preflight of a series: each check finds what it is for, where it is, and nothing else."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.arrays import Floats
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps
from models.data.series import Series
from models.health.check import AUDIT, Finding, find_runs
from models.health.check_series import check_series, is_trainable
from models.health.history import HistoryNeeds

NEEDS = HistoryNeeds(horizon=24, context_length=96)
DAILY = np.sin(np.arange(1000) * 2 * np.pi / 24) * 10 + 50
NOISE = np.random.default_rng(7).normal(0, 1, 1000)


def build(y: Floats, freq: str = "h", timezone: str = "UTC", **covariates: NDArray[Any]) -> Series:
    start = int(parse_stamps(["2024-03-01"], timezone)[0])
    return Series("a", np.asarray(y, np.float64), Grid(parse_frequency(freq), timezone, start), covariates=covariates)


def find(series: Series, code: str) -> Finding:
    (check,) = [check for check in check_series(series, NEEDS) if check.code == code]
    return check


def change(y: Floats, values: dict[int, float]) -> Floats:
    changed = y.copy()
    changed[list(values)] = list(values.values())
    return changed


def test_a_healthy_series_passes_every_check() -> None:
    checks = check_series(build(DAILY + NOISE), NEEDS)
    assert {check.code: check.severity for check in checks} == dict.fromkeys((c.code for c in checks), "ok")
    assert len(checks) == len({check.code for check in checks}) == 13
    assert set(AUDIT) < {check.code for check in checks}


def test_gaps_are_counted_and_located() -> None:
    y = DAILY.copy()
    y[[5, 6, 100]] = np.nan
    check = find(build(y), "gaps")
    assert (check.severity, check.where) == ("info", ((5, 6), (100, 100)))
    assert check.detail.startswith("3 of 1000 steps are missing (0.3%), in 2 gaps; the longest has 2")
    y[200:500] = np.nan
    assert find(build(y), "gaps").severity == "warning"


def test_values_that_come_seldom_suggest_a_longer_frequency() -> None:
    y = np.full(1000, np.nan)
    y[::3] = 1.0
    check = find(build(y), "off_grid")
    assert check.severity == "warning"
    assert check.detail == "the frequency is 'h', but 100.0% of the values come 3 steps after the one before"


@pytest.mark.parametrize(("freq", "first", "changes"), [("h", 722, 1), ("D", 31, 6)])
def test_clock_changes_are_located(freq: str, first: int, changes: int) -> None:
    check = find(build(DAILY, freq, "Europe/Berlin"), "dst")
    assert (check.severity, check.where[0], len(check.where)) == ("info", (first, first), changes)


@pytest.mark.parametrize(
    ("length", "severity"), [(2, "error"), (60, "warning"), (95, "warning"), (96, "info"), (119, "info"), (120, "ok")]
)
def test_history_is_measured_against_horizon_and_context(length: int, severity: str) -> None:
    series = build(DAILY[:length])
    assert find(series, "short_history").severity == severity
    assert is_trainable(series) is (severity != "error")


def test_constant_stretches() -> None:
    y = DAILY + NOISE
    y[300:350] = 7.0
    assert find(build(y), "constant").where == ((300, 349),)
    y[300:350] = 0.0
    assert find(build(y), "constant").severity == "ok"
    whole = find(build(np.full(100, 3.0)), "constant")
    assert (whole.severity, whole.where) == ("warning", ((0, 99),))


def test_leading_zeros_end_with_the_first_value() -> None:
    y = DAILY + NOISE
    y[:40] = 0.0
    assert find(build(y), "leading_zeros").where == ((0, 39),)
    assert find(build(np.zeros(50)), "leading_zeros").severity == "ok"


def test_negative_values_are_located() -> None:
    check = find(build(change(DAILY, {10: -1.0, 11: -2.0, 20: -3.0})), "negative")
    assert check.where == ((10, 11), (20, 20))
    assert check.detail == "3 values are negative, the least is -3"


def test_intermittent_demand() -> None:
    y = np.zeros(400)
    y[::5] = 3.0
    check = find(build(y), "intermittent")
    assert check.severity == "info"
    assert check.detail == "80% of the values are zero; a value that is not comes every 5.0 steps"


def test_outliers_are_located_and_a_weekly_spike_is_none() -> None:
    y = change(DAILY + NOISE, {500: 500.0, 700: -400.0})
    assert find(build(y), "outliers").where == ((500, 500), (700, 700))
    weekly = NOISE.copy()
    weekly[::7] += 100.0
    assert find(build(weekly, "D"), "outliers").severity == "ok"


def test_texts_are_listed_and_new_ones_warned_of() -> None:
    weather = np.array(["rain"] * 1000 + ["snow"] * 24, object)
    series = build(DAILY, weather=weather, temp=np.zeros(1024))
    assert find(series, "categorical").detail == "covariates that are text: weather"
    check = find(series, "unseen_level")
    assert (check.severity, check.detail) == ("warning", "texts that stand only after the last value: weather: snow")


@pytest.mark.parametrize(("known", "severity"), [(0, "ok"), (5, "warning"), (23, "warning"), (24, "ok")])
def test_a_covariate_that_ends_within_the_horizon(known: int, severity: str) -> None:
    temp = np.concatenate([np.ones(1000 + known), np.full(24 - known, np.nan)])
    check = find(build(DAILY, temp=temp), "future_missing")
    assert check.severity == severity
    assert (f"temp ({known} steps)" in check.detail) is (severity == "warning")


def test_at_most_twenty_spans_are_listed() -> None:
    y = DAILY.copy()
    y[1:999:2] = np.nan
    assert len(find(build(y), "gaps").where) == 20


def test_runs() -> None:
    assert find_runs(np.array([True, True, False, True])).tolist() == [[0, 1], [3, 3]]
    assert find_runs(np.zeros(3, bool)).tolist() == []
    assert find_runs(np.zeros(0, bool)).tolist() == []


@pytest.mark.parametrize("y", [[], [np.nan, np.nan], [1.0], [0.0, 0.0], [np.nan, 1.0, np.nan]])
def test_the_smallest_series(y: list[float]) -> None:
    assert len(check_series(build(np.array(y)), NEEDS)) == 13
