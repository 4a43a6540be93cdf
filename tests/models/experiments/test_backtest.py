"""Backtests: where the windows stand, that nothing past an origin is seen, and that the measures are the metrics."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.classical.statistical_models import season_naive
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.series import Panel, Series
from models.errors import ConfigError, TrainingDataError
from models.evaluation import metrics
from models.experiments.backtest import backtest, plan_origins
from models.experiments.backtest_result import Backtest
from models.planning.defaults import default_config_for_lengths
from models.training.fit import fit
from models.training.progress import Progress
from tests.models.examples import hourly, hourly_panel

pytestmark = pytest.mark.training

HORIZON = 6
LENGTH = 160
HOUR = 3_600_000_000
ROUNDING = 1e-5
"""How far apart two batches of other sizes may forecast the same window"""


def tiny(levels: tuple[float, ...] = (0.1, 0.5, 0.9)) -> Config:
    training = {"epochs": 1, "steps_per_epoch": 4, "batch_size": 64}
    return default_config_for_lengths("h", HORIZON, levels, [LENGTH], {"hidden": 8, "context_length": 48}, training)


def changed(panel: Panel, number: int, edit: Callable[[Series], Series]) -> Panel:
    """Return the panel with one series edited."""
    series = tuple(edit(one) if k == number else one for k, one in enumerate(panel.series))
    return replace(panel, series=series)


def other_after(position: int) -> Callable[[Series], Series]:
    """Return an edit that makes other values of everything after a position."""

    def edit(one: Series) -> Series:
        y = one.y.copy()
        y[position + 1 :] = 500 - 3 * y[position + 1 :]
        return replace(one, y=y)

    return edit


@pytest.fixture(scope="module")
def panel() -> Panel:
    return hourly_panel(LENGTH, 2)


@pytest.fixture(scope="module")
def result(panel: Panel) -> Backtest:
    return backtest(panel, tiny(), n_windows=3)


def test_windows_end_with_the_series(panel: Panel, result: Backtest) -> None:
    assert result.series_ids == ("a", "a", "a", "b", "b", "b")
    assert result.number.tolist() == [1, 2, 3, 1, 2, 3]
    positions = np.array([141, 147, 153])
    np.testing.assert_array_equal(result.windows.origins, [*positions, *positions])
    np.testing.assert_array_equal(result.origins[:3], panel.series[0].grid.anchor + HOUR * positions)
    np.testing.assert_array_equal(result.actual[2], panel.series[0].y[154:])
    np.testing.assert_array_equal(result.actual[3], panel.series[1].y[142:148])


def test_origins_are_a_step_size_apart_and_after_the_first_value() -> None:
    y = np.full(50, np.nan)
    y[10:45] = 1.0
    one = Panel.from_arrays({"a": y}, "h").series[0]
    assert plan_origins(one, 6, 3, 2) == (34, 36, 38)
    assert plan_origins(one, 6, 9, 12) == (14, 26, 38)
    assert plan_origins(one, 34, 5, 1) == (10,)
    assert plan_origins(one, 35, 5, 1) == ()


def test_one_model_of_what_comes_before_the_first_origin_forecasts_all_windows(panel: Panel, result: Backtest) -> None:
    known = replace(panel, series=tuple(replace(one, y=one.y[:142]) for one in panel.series))
    fitted = fit(known, tiny())
    for window, origin in enumerate((141, 147, 153)):
        for row, forecast in zip((window, window + 3), fitted.predict(panel, [origin, origin]), strict=True):
            np.testing.assert_allclose(result.quantiles[row], forecast.quantiles, rtol=ROUNDING)
            np.testing.assert_allclose(result.point[row], forecast.yhat, rtol=ROUNDING)
            assert result.origins[row] == forecast.origin


def test_refit_trains_on_what_comes_before_each_origin(panel: Panel, result: Backtest) -> None:
    again = backtest(panel, tiny(), n_windows=3, refit=True)
    np.testing.assert_array_equal(again.origins, result.origins)
    np.testing.assert_array_equal(again.actual, result.actual)
    np.testing.assert_array_equal(again.baselines["season_naive"], result.baselines["season_naive"])
    for window, origin in enumerate((141, 147, 153)):
        fitted = fit(replace(panel, series=tuple(replace(s, y=s.y[: origin + 1]) for s in panel.series)), tiny())
        for row, forecast in zip((window, window + 3), fitted.predict(panel, [origin, origin]), strict=True):
            np.testing.assert_array_equal(again.quantiles[row], forecast.quantiles)
    apart = np.abs(again.quantiles / result.quantiles - 1).max((1, 2))
    assert (apart < ROUNDING).tolist() == [True, False, False] * 2


@pytest.mark.parametrize("refit", [False, True])
def test_no_forecast_sees_past_its_origin(panel: Panel, refit: bool) -> None:
    base = backtest(panel, tiny(), n_windows=3, refit=refit)
    moved = backtest(changed(panel, 0, other_after(147)), tiny(), n_windows=3, refit=refit)
    before = [0, 1, 3, 4] if refit else [0, 1, 3, 4, 5]  # without a refit the other series sees nothing of it
    np.testing.assert_array_equal(moved.quantiles[before], base.quantiles[before])
    floor = base.baselines["season_naive"]
    np.testing.assert_array_equal(moved.baselines["season_naive"][before], floor[before])
    assert (moved.quantiles[2] != base.quantiles[2]).all()
    for name in ("last", "scale", "square_scale"):
        np.testing.assert_array_equal(getattr(moved.windows, name)[before], getattr(base.windows, name)[before])


def with_covariates(panel: Panel, known: NDArray[np.float64], past: NDArray[np.float64]) -> Panel:
    series = tuple(replace(one, covariates={"known": known, "past": past}) for one in panel.series)
    return replace(panel, series=series)


def test_covariates_are_seen_as_far_as_their_role_goes(panel: Panel) -> None:
    rng = np.random.default_rng(3)
    known, past = rng.standard_normal((2, LENGTH))
    config = replace(tiny(), covariates=CovariateConfig(known_future=("known",), past=("past",)))

    def forecast(known: NDArray[np.float64], past: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = backtest(with_covariates(panel, known, past), config, n_windows=2).quantiles[0]
        return found

    at = np.arange(LENGTH)
    base, first, horizon_end = forecast(known, past), 147, 147 + HORIZON
    np.testing.assert_array_equal(forecast(known, np.where(at > first, 9.0, past)), base)
    np.testing.assert_array_equal(forecast(np.where(at > horizon_end, 9.0, known), past), base)
    assert (forecast(np.where(at > first, 9.0, known), past) != base).any()


def test_measures_are_the_metrics(panel: Panel, result: Backtest) -> None:
    actual, point, levels = result.actual, result.point, (0.1, 0.5, 0.9)
    histories = [one.y[:142] for one in panel.series]
    scale = np.repeat([metrics.season_error(y, 24) for y in histories], 3)[:, None]
    square = np.repeat([metrics.season_squared_error(y, 24) for y in histories], 3)[:, None]
    last = np.array([[one.y[origin]] for one in panel.series for origin in (141, 147, 153)])
    naive = np.array([season_naive(s.y[: o + 1], HORIZON, 24) for s in panel.series for o in (141, 147, 153)])
    ours, floor = result.overall()["model"], result.overall()["season_naive"]
    assert ours == pytest.approx(
        {
            "mae": metrics.mae(actual, point),
            "rmse": metrics.rmse(actual, point),
            "mse": metrics.mse(actual, point),
            "mape": metrics.mape(actual, point),
            "smape": metrics.smape(actual, point),
            "mase": metrics.mase(actual, point, scale),
            "rmsse": metrics.rmsse(actual, point, square),
            "owa": metrics.owa(actual, point, naive, scale),
            "directional_accuracy": metrics.directional_accuracy(actual, point, last),
            "directional_precision": metrics.directional_precision(actual, point, last),
            "directional_recall": metrics.directional_recall(actual, point, last),
            "directional_f1": metrics.directional_f1(actual, point, last),
            "pinball": metrics.pinball(actual, result.quantiles, levels),
            "wql": metrics.wql(actual, result.quantiles, levels),
            "wis": metrics.weighted_interval_score(actual, result.quantiles, levels),
            "coverage_80": metrics.coverage(actual, result.quantiles[..., 0], result.quantiles[..., 2]),
            "width_80": metrics.interval_width(actual, result.quantiles[..., 0], result.quantiles[..., 2]),
        }
    )
    np.testing.assert_array_equal(result.baselines["season_naive"], naive)
    assert floor["mase"] == pytest.approx(metrics.mase(actual, naive, scale))
    assert floor["pinball"] == pytest.approx(metrics.mae(actual, naive) / 2)
    assert set(floor) == set(ours) - {"owa", "coverage_80", "width_80"}


def test_measures_by_step_series_and_window(result: Backtest) -> None:
    error = np.abs(result.actual - result.point)
    floor = np.abs(result.actual - result.baselines["season_naive"])
    by_step, by_series, by_window = result.by_step(), result.by_series(), result.by_window()
    assert [row["step"] for row in by_step] == list(range(1, HORIZON + 1))
    np.testing.assert_allclose([row["model"]["mae"] for row in by_step], error.mean(0))
    np.testing.assert_allclose([row["season_naive"]["mae"] for row in by_step], floor.mean(0))
    assert [row["series_id"] for row in by_series] == ["a", "b"]
    np.testing.assert_allclose([row["model"]["mae"] for row in by_series], [error[:3].mean(), error[3:].mean()])
    assert [row["window"] for row in by_window] == [1, 2, 3]
    assert [row["first_origin"] for row in by_window] == result.origins[:3].tolist()
    assert [row["last_origin"] for row in by_window] == result.origins[:3].tolist()
    np.testing.assert_allclose([row["model"]["mae"] for row in by_window], [error[[k, k + 3]].mean() for k in range(3)])


def test_the_measures_are_plain_json(result: Backtest) -> None:
    whole = result.to_dict()
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert set(whole) == {"overall", "by_step", "by_series", "by_window"}


def test_a_short_series_has_the_last_windows_or_none() -> None:
    values = {"long": hourly(LENGTH), "short": hourly(10, seed=1), "shortest": hourly(HORIZON, seed=2)}
    found = backtest(Panel.from_arrays(values, "h", "2024-01-01"), tiny(), n_windows=3, step_size=2)
    assert found.series_ids == ("long", "long", "long", "short", "short")
    assert found.number.tolist() == [1, 2, 3, 2, 3]
    assert found.windows.origins.tolist() == [149, 151, 153, 1, 3]
    assert np.isfinite(found.quantiles).all()
    long, short = found.by_series()
    assert "mase" in long["model"]
    assert "mase" not in short["model"]  # it has no season before its first origin
    assert found.by_window()[1]["first_origin"] < found.by_window()[1]["last_origin"]


def test_missing_values_are_left_out(panel: Panel) -> None:
    y = panel.series[0].y.copy()
    y[[145, 150]] = np.nan
    found = backtest(Panel.from_arrays({"a": y}, "h", "2024-01-01"), tiny(), n_windows=2)
    assert np.isnan(found.actual).sum() == 1
    error = np.abs(found.actual - found.point)
    assert found.overall()["model"]["mae"] == pytest.approx(np.nanmean(error))


@pytest.mark.parametrize(("refit", "fits"), [(False, 1), (True, 2)])
def test_progress_is_that_of_all_fits(panel: Panel, refit: bool, fits: int) -> None:
    told: list[Progress] = []
    backtest(panel, tiny(), n_windows=2, refit=refit, on_progress=told.append)
    fractions = [one.fraction for one in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx((fits - 1 + 0.95) / fits)
    assert all(one.eta_s is None or one.eta_s > 0 for one in told)


@pytest.mark.parametrize(("field", "n_windows", "step_size"), [("n_windows", 0, 1), ("step_size", 1, 0)])
def test_numbers_below_one_are_named(panel: Panel, field: str, n_windows: int, step_size: int) -> None:
    with pytest.raises(ConfigError) as caught:
        backtest(panel, tiny(), n_windows=n_windows, step_size=step_size)
    assert caught.value.field == field


def test_nothing_long_enough_is_said() -> None:
    with pytest.raises(TrainingDataError) as caught:
        backtest(hourly_panel(HORIZON), tiny(), n_windows=1)
    assert caught.value.code == "too_short"
