"""Metrics against scikit-learn and utilsforecast where they have them, else against numbers worked out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import utilsforecast.losses
from numpy.typing import NDArray

from models.evaluation import metrics

Floats = NDArray[np.float64]

ACTUAL = np.array([[1.0, 2.0, np.nan], [4.0, 0.0, -1.0]])
POINT = np.array([[2.0, 2.0, 9.0], [1.0, 0.0, 1.0]])
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
SEASON = 4
NAMES = [f"q{level}" for level in LEVELS]

RNG = np.random.default_rng(5)
HISTORY = 20 + 5 * RNG.standard_normal(40)
HAPPENED = 20 + 5 * RNG.standard_normal((1, 12))
QUANTILES = np.sort(20 + 5 * RNG.standard_normal((1, 12, len(LEVELS))), axis=-1)
MEDIAN = QUANTILES[..., LEVELS.index(0.5)]
LAST = HISTORY[-1:, None]


def frame(y: Floats, **columns: Floats) -> pd.DataFrame:
    """Return a long table of one series."""
    ds = pd.date_range("2024-01-01", periods=len(y), freq="h")
    return pd.DataFrame({"unique_id": "a", "ds": ds, "y": y, **columns})


def peer(name: str, model: object = "q0.5", **options: Any) -> float:
    """Return the value of a loss of utilsforecast on the example."""
    columns = dict(zip(NAMES, QUANTILES[0].T, strict=True))
    whole = pd.concat([frame(HISTORY), frame(HAPPENED[0])], ignore_index=True)
    whole["ds"] = pd.date_range("2024-01-01", periods=len(whole), freq="h")
    table = whole.iloc[len(HISTORY) :].assign(**columns)
    if "seasonality" in options:
        options["train_df"] = whole.iloc[: len(HISTORY)]
    models = model if isinstance(model, dict) else [model]
    found = getattr(utilsforecast.losses, name)(table, models=models, **options)
    return float(found.iloc[0, -1])


def test_point_measures_by_hand() -> None:
    assert metrics.mae(ACTUAL, POINT) == pytest.approx((1 + 0 + 3 + 0 + 2) / 5)
    assert metrics.mse(ACTUAL, POINT) == pytest.approx((1 + 9 + 4) / 5)
    assert metrics.rmse(ACTUAL, POINT) == pytest.approx((14 / 5) ** 0.5)
    assert metrics.mape(ACTUAL, POINT) == pytest.approx(100 * (1 / 1 + 0 / 2 + 3 / 4 + 2 / 1) / 4)
    assert metrics.smape(ACTUAL, POINT) == pytest.approx(200 * (1 / 3 + 0 + 3 / 5 + 0 + 2 / 2) / 5)


@pytest.mark.parametrize(
    ("ours", "theirs", "factor"),
    [
        (metrics.mae, sklearn.metrics.mean_absolute_error, 1),
        (metrics.mse, sklearn.metrics.mean_squared_error, 1),
        (metrics.rmse, sklearn.metrics.root_mean_squared_error, 1),
        (metrics.mape, sklearn.metrics.mean_absolute_percentage_error, 100),
    ],
)
def test_point_measures_of_scikit_learn(
    ours: Callable[[Floats, Floats], float], theirs: Callable[[Floats, Floats], float], factor: float
) -> None:
    assert ours(HAPPENED, MEDIAN) == pytest.approx(factor * theirs(HAPPENED[0], MEDIAN[0]), rel=1e-12)
    gappy = HAPPENED.copy()
    gappy[0, ::3] = np.nan
    seen = ~np.isnan(gappy)
    assert ours(gappy, MEDIAN) == pytest.approx(factor * theirs(gappy[seen], MEDIAN[seen]), rel=1e-12)


def test_percentages_of_utilsforecast() -> None:
    assert metrics.mape(HAPPENED, MEDIAN) == pytest.approx(100 * peer("mape"))
    # theirs goes from 0 to 1
    assert metrics.smape(HAPPENED, MEDIAN) == pytest.approx(200 * peer("smape"))


def test_scaled_errors_of_utilsforecast() -> None:
    scale, square = metrics.season_error(HISTORY, SEASON), metrics.season_squared_error(HISTORY, SEASON)
    assert metrics.mase(HAPPENED, MEDIAN, scale) == pytest.approx(peer("mase", seasonality=SEASON))
    assert metrics.rmsse(HAPPENED, MEDIAN, square) == pytest.approx(peer("rmsse", seasonality=SEASON))


def test_mase_is_in_units_of_the_season_error() -> None:
    history = np.array([1.0, 2.0, 4.0, np.nan, 5.0])
    assert metrics.season_error(history, 2) == pytest.approx((3 + 1) / 2)
    assert metrics.season_squared_error(history, 2) == pytest.approx((9 + 1) / 2)
    scale = np.array([[2.0], [np.nan]])
    assert metrics.mase(ACTUAL, POINT, scale) == pytest.approx((0.5 + 0) / 2)
    assert metrics.rmsse(ACTUAL, POINT, scale) == pytest.approx(((0.5 + 0) / 2) ** 0.5)
    assert np.isnan(metrics.season_error(history, 5))
    assert np.isnan(metrics.season_squared_error(history, 5))


@pytest.mark.parametrize("scale", [0.0, np.nan])
def test_without_a_scale_there_is_no_scaled_error(scale: float) -> None:
    assert np.isnan(metrics.mase(HAPPENED, MEDIAN, scale))
    assert np.isnan(metrics.rmsse(HAPPENED, MEDIAN, scale))
    assert np.isnan(metrics.owa(HAPPENED, MEDIAN, HAPPENED + 1, scale))


def test_owa_is_the_formula_of_the_m4_competition() -> None:
    # no library at hand has it; Makridakis et al. 2020, section 2.3, on one series with m = 4
    naive = np.tile(HISTORY[-SEASON:], 3)[None]
    own, other = np.abs(HAPPENED - MEDIAN), np.abs(HAPPENED - naive)
    smape = [(200 * e / (np.abs(HAPPENED) + np.abs(f))).sum() / 12 for e, f in ((own, MEDIAN), (other, naive))]
    denominator = sum(abs(HISTORY[t] - HISTORY[t - SEASON]) for t in range(SEASON, 40)) / (40 - SEASON)
    mase = [e.sum() / 12 / denominator for e in (own, other)]
    expected = (smape[0] / smape[1] + mase[0] / mase[1]) / 2
    assert metrics.owa(HAPPENED, MEDIAN, naive, denominator) == pytest.approx(expected)
    assert metrics.owa(HAPPENED, naive, naive, denominator) == pytest.approx(1)
    assert np.isnan(metrics.owa(HAPPENED, MEDIAN, HAPPENED, denominator))


def test_directions_of_scikit_learn() -> None:
    real, forecast = HAPPENED[0] > LAST[0], MEDIAN[0] > LAST[0]
    assert 0 < real.mean() < 1
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(real, forecast, average="binary")
    accuracy = sklearn.metrics.accuracy_score(real, forecast)
    assert metrics.directional_accuracy(HAPPENED, MEDIAN, LAST) == pytest.approx(accuracy)
    assert metrics.directional_precision(HAPPENED, MEDIAN, LAST) == pytest.approx(precision)
    assert metrics.directional_recall(HAPPENED, MEDIAN, LAST) == pytest.approx(recall)
    assert metrics.directional_f1(HAPPENED, MEDIAN, LAST) == pytest.approx(f1)


def test_directions_of_one_step_start_from_each_last_value() -> None:
    last = np.array([[1.0], [1.0], [5.0], [5.0], [np.nan]])
    actual = np.array([[2.0], [2.0], [6.0], [4.0], [9.0]])
    point = np.array([[3.0], [0.0], [5.0], [6.0], [9.0]])
    # forecast and real, missed, missed (no change is no rise), false
    assert metrics.directional_accuracy(actual, point, last) == pytest.approx(1 / 4)
    assert metrics.directional_precision(actual, point, last) == pytest.approx(1 / 2)
    assert metrics.directional_recall(actual, point, last) == pytest.approx(1 / 3)
    assert metrics.directional_f1(actual, point, last) == pytest.approx(2 / 5)


def test_directions_without_a_rise() -> None:
    level, up = np.zeros((1, 3)), np.ones((1, 3))
    assert metrics.directional_accuracy(level, level, 0.0) == 1
    assert np.isnan(metrics.directional_precision(up, level, 0.0))
    assert metrics.directional_recall(up, level, 0.0) == 0
    assert metrics.directional_precision(level, up, 0.0) == 0
    assert np.isnan(metrics.directional_recall(level, up, 0.0))
    assert metrics.directional_f1(level, up, 0.0) == 0
    assert np.isnan(metrics.directional_f1(level, level, 0.0))


def test_quantile_measures_by_hand() -> None:
    actual = np.array([10.0, 20.0])
    quantiles = np.array([[8.0, 12.0], [21.0, 25.0]])
    losses = [0.1 * 2, (1 - 0.9) * 2, (1 - 0.1) * 1, (1 - 0.9) * 5]
    assert metrics.pinball(actual, quantiles, (0.1, 0.9)) == pytest.approx(sum(losses) / 4)
    assert metrics.wql(actual, quantiles, (0.1, 0.9)) == pytest.approx(2 * sum(losses) / 30 / 2)
    lower, upper = quantiles.T
    assert metrics.coverage(actual, lower, upper) == 0.5
    assert metrics.interval_width(actual, lower, upper) == 4
    assert metrics.interval_width(np.array([np.nan, 20.0]), lower, upper - [1, 0]) == 4
    assert metrics.interval_score(actual, lower, upper, 0.8) == pytest.approx((4 + 4 + 10 * 1) / 2)


def test_pinball_of_scikit_learn() -> None:
    theirs = [
        sklearn.metrics.mean_pinball_loss(HAPPENED[0], QUANTILES[0, :, k], alpha=level)
        for k, level in enumerate(LEVELS)
    ]
    assert metrics.pinball(HAPPENED, QUANTILES, LEVELS) == pytest.approx(np.mean(theirs))
    assert metrics.weighted_interval_score(HAPPENED, QUANTILES, LEVELS) == pytest.approx(2 * np.mean(theirs))


def test_quantile_measures_of_utilsforecast() -> None:
    levels = np.array(LEVELS)
    assert metrics.pinball(HAPPENED, QUANTILES, LEVELS) == pytest.approx(peer("mqloss", {"m": NAMES}, quantiles=levels))
    assert metrics.wql(HAPPENED, QUANTILES, LEVELS) == pytest.approx(
        peer("scaled_crps", {"m": NAMES}, quantiles=levels)
    )


@pytest.mark.parametrize(("low", "high", "level"), [(0, 4, 80), (1, 3, 50)])
def test_intervals_of_utilsforecast(low: int, high: int, level: int) -> None:
    lower, upper = QUANTILES[..., low], QUANTILES[..., high]
    table = frame(HAPPENED[0], **{f"m-lo-{level}": lower[0], f"m-hi-{level}": upper[0]})
    share = utilsforecast.losses.coverage(table, models=["m"], level=level)["m"][0]
    winkler = utilsforecast.losses.winkler_score(table, models=["m"], level=level)["m"][0]
    assert 0 < share < 1
    assert metrics.coverage(HAPPENED, lower, upper) == pytest.approx(share)
    assert metrics.interval_score(HAPPENED, lower, upper, level / 100) == pytest.approx(winkler)


def test_weighted_interval_score_of_unpaired_levels_counts_median_and_intervals() -> None:
    actual, quantiles, levels = np.array([3.0]), np.array([[0.0, 1.0, 2.0, 9.0]]), (0.1, 0.5, 0.9, 0.95)
    interval = 2 + 2 / 0.2 * 1
    expected = (0.5 * 2 + 0.2 / 2 * interval) / 1.5
    assert metrics.weighted_interval_score(actual, quantiles, levels) == pytest.approx(expected)
    assert metrics.central_intervals(levels) == [(0, 2)]


def test_nothing_but_zeros_has_no_percentage() -> None:
    nothing, one = np.zeros((2, 3)), np.ones((2, 3))
    assert np.isnan(metrics.mape(nothing, one))
    assert np.isnan(metrics.wql(nothing, one[..., None], (0.5,)))
    assert metrics.smape(nothing, nothing) == 0
    assert metrics.smape(nothing, one) == 200


def test_one_step_horizons() -> None:
    actual, quantiles = np.array([[3.0]]), np.array([[[1.0, 2.0, 5.0]]])
    point, levels = quantiles[..., 1], (0.1, 0.5, 0.9)
    assert metrics.mae(actual, point) == metrics.rmse(actual, point) == 1
    assert metrics.mape(actual, point) == pytest.approx(100 / 3)
    assert metrics.rmsse(actual, point, 4.0) == metrics.mase(actual, point, 2.0) == 0.5
    assert metrics.pinball(actual, quantiles, levels) == pytest.approx((0.1 * 2 + 0.5 * 1 + 0.1 * 2) / 3)
    assert metrics.coverage(actual, quantiles[..., 0], quantiles[..., 2]) == 1


def test_nothing_observed_is_nan() -> None:
    nothing, quantiles = np.full((2, 3), np.nan), np.repeat(POINT[..., None], 3, axis=-1)
    for measure in (metrics.mae, metrics.mse, metrics.rmse, metrics.mape, metrics.smape):
        assert np.isnan(measure(nothing, POINT))
    for scaled in (metrics.mase, metrics.rmsse):
        assert np.isnan(scaled(nothing, POINT, 1.0))
    for direction in (
        metrics.directional_accuracy,
        metrics.directional_precision,
        metrics.directional_recall,
        metrics.directional_f1,
    ):
        assert np.isnan(direction(nothing, POINT, 0.0))
    for loss in (metrics.pinball, metrics.wql, metrics.weighted_interval_score):
        assert np.isnan(loss(nothing, quantiles, (0.1, 0.5, 0.9)))
    for interval in (metrics.coverage, metrics.interval_width):
        assert np.isnan(interval(nothing, POINT, POINT))
    assert np.isnan(metrics.interval_score(nothing, POINT, POINT, 0.8))
    assert np.isnan(metrics.owa(nothing, POINT, POINT, 1.0))


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e12])
def test_a_season_error_that_is_rounding_is_none(size: float) -> None:
    steps = np.arange(240)
    exact = size * (1 + np.sin(2 * np.pi * steps / 24))
    kept_in_float32 = exact.astype(np.float32).astype(np.float64)
    rounded = exact + size * np.random.default_rng(0).uniform(-5e-7, 5e-7, 240)
    for history in (exact, kept_in_float32, rounded):
        assert metrics.season_error(history, 24) == metrics.season_squared_error(history, 24) == 0
        assert np.isnan(metrics.mase(history[:3], history[:3] + 1, metrics.season_error(history, 24)))
    changing = exact + size * 1e-4 * steps
    assert metrics.season_error(changing, 24) == pytest.approx(24e-4 * size)


def test_values_that_are_rounding_beside_their_series_are_zero() -> None:
    values = np.array([[1e-16, 2.0, np.nan], [3e-7, -1.0, 5.0]])
    dropped = metrics.drop_rounding(values, np.array([[1.0], [np.nan]]))
    assert dropped[0, :2].tolist() == [0.0, 2.0]
    assert np.isnan(dropped[0, 2])
    assert dropped[1].tolist() == [3e-7, -1.0, 5.0]
