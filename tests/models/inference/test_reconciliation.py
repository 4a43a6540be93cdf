"""Forecasts that add up: MinT, its covariance, and sums of series."""

from dataclasses import replace

import numpy as np
import pytest

from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.config.covariates import CovariateConfig
from models.data.series import Series
from models.inference.reconciliation import reconcile_mint, shrink_covariance, sum_series

DAILY = Grid(parse_frequency("D"), "UTC", 0)
MEMBERS = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def test_a_total_that_is_known_exactly_is_met() -> None:
    rng = np.random.default_rng(0)
    errors = np.column_stack([rng.normal(0, [1, 1, 2], (500, 3)), rng.normal(0, 1e-3, (500, 2))])
    series = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    groups = np.array([[6.0, 6.0], [2.0, 4.0]])
    moved = reconcile_mint(series, groups, MEMBERS, errors)
    np.testing.assert_allclose(MEMBERS @ moved, groups, atol=1e-3)
    np.testing.assert_allclose(moved[:2], series[:2], atol=1e-2)  # their own sum was right


def test_forecasts_that_add_up_stay_as_they_are() -> None:
    errors = np.random.default_rng(0).normal(size=(100, 5))
    series = np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(reconcile_mint(series, MEMBERS @ series, MEMBERS, errors), series, atol=1e-12)


def test_the_reliable_are_moved_less() -> None:
    errors = np.random.default_rng(0).normal(0, [0.1, 3.0, 1.0, 1.0, 1.0], (2000, 5))
    series = np.array([[10.0], [10.0], [10.0]])
    moved = reconcile_mint(series, np.array([[33.0], [20.0]]), MEMBERS, errors)
    assert abs(moved[0, 0] - 10) < 0.1 < abs(moved[1, 0] - 10)


def test_mean_squared_error_is_less_than_before() -> None:
    rng = np.random.default_rng(1)
    truth = np.array([[50.0], [30.0], [20.0]])
    deviations = [4.0, 4.0, 4.0, 2.0, 2.0]
    errors = rng.normal(0, deviations, (400, 5))
    before, after = [], []
    for _ in range(200):
        noise = rng.normal(0, deviations)[:, None]
        series, groups = truth + noise[:3], MEMBERS @ truth + noise[3:]
        moved = reconcile_mint(series, groups, MEMBERS, errors)
        before.append(((series - truth) ** 2).mean())
        after.append(((moved - truth) ** 2).mean())
    assert np.mean(after) < 0.75 * np.mean(before)


def test_groups_that_err_alike_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(300, 4))
    errors = np.column_stack([one, one[:, 0] + one[:, 1], one[:, 0] + one[:, 1]])
    members = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    moved = reconcile_mint(np.ones((4, 2)), np.full((2, 2), 3.0), members, errors)
    assert np.isfinite(moved).all()
    assert np.abs(moved[2:] - 1).max() < 0.2


def test_covariance_is_shrunk_when_uncertain_and_counts_bias() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(1000, 1))
    many = shrink_covariance(common + 0.1 * rng.normal(size=(1000, 3)))
    few = shrink_covariance((common + 0.1 * rng.normal(size=(1000, 3)))[:6])
    assert many[0, 1] / many[0, 0] > 0.97
    assert few[0, 1] / np.sqrt(few[0, 0] * few[1, 1]) < many[0, 1] / many[0, 0]
    biased = shrink_covariance(np.full((100, 2), 3.0))
    assert biased[0, 0] == pytest.approx(9.0)
    constant = shrink_covariance(np.column_stack([rng.normal(size=100), np.zeros(100)]))
    assert np.isfinite(constant).all()
    assert constant[1, 1] > 0


def daily(name: str, y: list[float], start: int, **covariates: list[float]) -> Series:
    columns = {key: np.array(values) for key, values in covariates.items()}
    return Series(name, np.array(y, float), DAILY, start, columns)


def test_sum_of_series_counts_later_ones_as_zero_before() -> None:
    roles = CovariateConfig(known_future=("price",))
    one = daily("a", [1, 2, 3], 0, price=[1.0, 1.0, 1.0, 2.0])
    two = daily("b", [10, 20], 1, price=[3.0, np.nan, 4.0])
    total = sum_series([one, two], "both", roles)
    assert total is not None
    assert (total.id, total.start, total.y.tolist()) == ("both", 0, [1, 12, 23])
    assert total.covariates["price"].tolist() == [1.0, 2.0, 1.0, 3.0]


def test_sum_of_what_does_not_end_together_is_none() -> None:
    one, two = daily("a", [1, 2, 3], 0), daily("b", [1, 2], 0)
    assert sum_series([one, two], "both", CovariateConfig()) is None
    other = replace(two, grid=Grid(parse_frequency("D"), "Europe/Berlin", -3_600_000_000), start=1)
    assert sum_series([one, other], "both", CovariateConfig()) is None


def test_sum_keeps_texts_that_all_share_and_misses_what_one_misses() -> None:
    levels = {"day": ("fair", "none"), "kind": ("x", "y")}
    roles = CovariateConfig(known_future=("day",), static=("kind",), levels=levels)
    texts = [np.array(["fair", "none", "fair"], object), np.array(["fair", "fair", None], object)]
    one = replace(daily("a", [1, 2], 0), covariates={"day": texts[0]}, static={"kind": "x"})
    two = replace(daily("b", [1, np.nan], 0), covariates={"day": texts[1]}, static={"kind": "x"})
    total = sum_series([one, two], "both", roles)
    assert total is not None
    assert total.covariates["day"].tolist() == ["fair", None, "fair"]
    assert np.isnan(total.y[1])
    assert total.static == {"kind": "x"}
    third = replace(one, id="c", y=np.array([1.0, 2.0]))
    for members in ([one, two, third], [two, one, third], [one, third, two]):
        together = sum_series(members, "all", roles)
        assert together is not None
        assert together.covariates["day"].tolist() == ["fair", None, "fair"]
