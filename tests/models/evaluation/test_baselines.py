"""Reference forecasts by hand, and which of them are asked for."""

import numpy as np
import pytest

from models.data.series import Panel
from models.evaluation import metrics
from models.evaluation.baselines import BASELINES, choose_affordable, forecast_baselines, score_baselines
from models.evaluation.scoring import cut_windows
from tests.models.examples import hourly

NAN = np.nan
LEVELS = (0.1, 0.5, 0.9)


@pytest.mark.parametrize(
    ("name", "history", "expected"),
    [
        ("season_naive", [1, 2, 3, 4, 5, 6], [4, 5, 6, 4]),
        ("naive", [1, 2, 3, 4, 5, 6], [6, 6, 6, 6]),
        ("naive", [1, 2, NAN], [2, 2, 2, 2]),
        ("naive", [NAN, NAN], [NAN, NAN, NAN, NAN]),
        ("drift", [1, 2, 5], [7, 9, 11, 13]),
        ("drift", [NAN, 1, NAN, 5, NAN], [9, 11, 13, 15]),
        ("drift", [4], [4, 4, 4, 4]),
        ("drift", [NAN], [NAN, NAN, NAN, NAN]),
        ("season_mean", [1, 2, 3, 3, 4, 7], [2, 3, 5, 2]),
        ("season_mean", [1, 2, 3, 3, NAN, 7], [2, 2, 5, 2]),
        ("season_mean", [9, 1, NAN, 3, 3, NAN, 7], [2, 7, 19 / 3, 2]),
        ("season_mean", [1, NAN, NAN], [1, 1, 1, 1]),
        ("season_mean", [99, 99, 99, *[0, 1, 2] * 4], [0, 1, 2, 0]),
    ],
)
def test_by_hand(name: str, history: list[float], expected: list[float]) -> None:
    found = BASELINES[name](np.array(history, float), 4, 3)
    np.testing.assert_allclose(found, np.array(expected, float), atol=1e-12)


@pytest.mark.parametrize("name", ["theta", "ets"])
def test_fitted_ones_repeat_a_season_without_noise(name: str) -> None:
    season = np.array([1.0, 5.0, 3.0, 9.0])
    found = BASELINES[name](np.tile(season, 12), 6, 4)
    np.testing.assert_allclose(found, [*season, *season[:2]], atol=0.1)


@pytest.mark.parametrize("name", ["theta", "ets"])
def test_fitted_ones_are_season_naive_where_history_is_too_short(name: str) -> None:
    np.testing.assert_array_equal(BASELINES[name](np.array([3.0, 1.0, 2.0, 4.0]), 4, 3), [1, 2, 4, 1])


def test_fitted_ones_are_for_few_windows_alone() -> None:
    cheap = ("season_naive", "naive", "drift", "season_mean")
    assert choose_affordable(100, 24) == tuple(BASELINES)
    assert choose_affordable(100, 96) == (*cheap, "theta")
    assert choose_affordable(10_000, 24) == choose_affordable(100, 288) == cheap
    assert choose_affordable(20, 3600) == tuple(BASELINES), "fitted without so long a season"


def test_points_see_nothing_past_their_origins_and_are_scored_by_the_metrics() -> None:
    y = hourly(120)
    panel = Panel.from_arrays({"a": y, "b": y[:110]}, "h", "2024-01-01")
    windows = cut_windows(panel, {"a": [90, 100], "b": [95]}, 6)
    names = ["season_naive", "naive", "drift", "season_mean"]
    points = forecast_baselines(windows, 24, names)
    assert list(points) == names
    for row, (origin, one) in enumerate([(90, y), (100, y), (95, y)]):
        known = one[: origin + 1]
        np.testing.assert_array_equal(points["naive"][row], np.full(6, known[-1]))
        np.testing.assert_allclose(points["drift"][row][-1], known[-1] + 6 * (known[-1] - known[0]) / origin)
        np.testing.assert_array_equal(points["season_naive"][row], known[-24:-18])
        np.testing.assert_allclose(points["season_mean"][row][0], known[[-24, -48, -72]].mean(), rtol=0.2)
    scores = score_baselines(windows, 24, names, LEVELS)
    for name in names:
        assert scores[name]["mae"] == pytest.approx(metrics.mae(windows.actual, points[name]))
        assert not any(measure.startswith(("coverage", "width")) for measure in scores[name])
