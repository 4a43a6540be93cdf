"""Ridge regression on several windows: what it learns, what it prefers, and that it sees nothing of the future."""

from dataclasses import replace

import numpy as np
import pytest

from models.training.windowed_ridge import LATEST, Rows, WindowedRidge, fit_ridge

RNG = np.random.default_rng(0)


def make_rows(days: int, change: int | None = None, width: int = 12, noise: float = 0.1) -> Rows:
    """Return a row a day of a linear law in the inputs, another one from the day `change` on."""
    rng = np.random.default_rng(1)
    inputs = np.c_[rng.standard_normal((days, width)), np.ones(days)]
    laws = 0.3 * rng.standard_normal((2, width + 1, 4))
    later = np.arange(days) >= (days if change is None else change)
    target = np.where(later[:, None], inputs @ laws[1], inputs @ laws[0]) + noise * rng.standard_normal((days, 4))
    day = np.arange(days)
    return Rows(inputs, target, day, day + 1, np.zeros(days, np.int64), 24 * day)


def error(rows: Rows, day: int, unseen: Rows) -> float:
    weight = WindowedRidge(rows).fit(day)
    assert weight is not None
    return float(np.abs(unseen.inputs @ weight - unseen.target).mean())


def test_it_recovers_a_linear_law() -> None:
    rows = make_rows(400)
    assert error(rows, 300, rows.select(np.arange(300, 400))) < 0.09  # of noise alone 0.08


def test_short_windows_lead_after_a_change() -> None:
    rows = make_rows(1000, change=900)
    late = rows.select(np.arange(990, 1000))
    whole = fit_ridge(rows.inputs[:990], rows.target[:990])
    assert error(rows, 990, late) < 0.4 * np.abs(late.inputs @ whole - late.target).mean()


@pytest.mark.parametrize("days", [40, 60])
def test_few_rows_and_many_give_one_regression(days: int) -> None:
    x = RNG.standard_normal((days, 50))
    inputs = np.c_[x, np.ones(days)]
    target = 5 + inputs[:, :3] + 0.01 * RNG.standard_normal((days, 3))
    weight = fit_ridge(inputs, target)
    repeated = fit_ridge(np.r_[inputs, inputs], np.r_[target, target])  # tall where the other is wide
    assert weight.shape == (51, 3)
    assert np.abs((inputs @ weight).mean(0) - target.mean(0)).max() < 1e-9, "the constant is not penalised"
    assert np.abs(inputs @ repeated - target).mean() < 0.05


@pytest.mark.parametrize("days_ahead", [1, 3])
def test_nothing_that_was_not_known_is_seen(days_ahead: int) -> None:
    rows = replace(make_rows(300), closed=np.arange(300) + days_ahead)
    day = 200
    later = (rows.closed > day)[:, None]
    inputs = np.where(later, 1e6, rows.inputs)
    spoiled = replace(rows, inputs=inputs, target=np.where(later, -1e6, rows.target))
    expected = WindowedRidge(rows).fit(day)
    assert expected is not None
    np.testing.assert_array_equal(WindowedRidge(spoiled).fit(day), expected)
    known = rows.select(np.flatnonzero(~later[:, 0]))
    np.testing.assert_array_equal(WindowedRidge(known).fit(day), expected)


def test_one_day_after_another_is_as_each_for_itself() -> None:
    rows = make_rows(260)
    ridge = WindowedRidge(rows)
    for day in range(200, 245):
        np.testing.assert_array_equal(ridge.fit(day), WindowedRidge(rows).fit(day))
    assert min(last for _, last in ridge.fitted) >= 244 - LATEST, "what is no longer asked for is forgotten"


@pytest.mark.parametrize("days", [0, 30, 80])
def test_too_little_history_gives_nothing(days: int) -> None:
    assert WindowedRidge(make_rows(days)).fit(days) is None


def test_a_long_gap_leaves_the_windows_that_lie_in_it_out() -> None:
    rows = make_rows(500)
    kept = rows.select(np.flatnonzero((rows.day < 300) | (rows.day >= 440)))
    weight = WindowedRidge(kept).fit(450)
    assert weight is not None
    unseen = rows.select(np.arange(450, 500))
    assert np.abs(unseen.inputs @ weight - unseen.target).mean() < 0.09
    only_old = rows.select(np.arange(300))
    for day in (320, 340, 400):
        again = WindowedRidge(only_old).fit(day)
        assert again is None or np.isfinite(again).all()
