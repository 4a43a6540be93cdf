"""Windows: what they hold for the measures, and how they are cut into parts."""

import numpy as np
import pytest

from models.data.series import Panel
from models.evaluation import metrics
from models.evaluation.scoring import cut_windows, forecast_season_naive, measure_quantiles, score_season_naive
from tests.models.examples import hourly

LEVELS = (0.1, 0.5, 0.9)


def test_windows_hold_what_the_measures_compare_with() -> None:
    y = hourly(80)
    y[61:64] = np.nan
    panel = Panel.from_arrays({"a": y, "flat": np.ones(80)}, "h")
    windows = cut_windows(panel, {"flat": (70,), "a": (60, 63, 64)}, 4)
    assert [one.id for one in windows.series] == ["a", "a", "a", "flat"]
    np.testing.assert_array_equal(windows.last, [[y[60]], [y[60]], [y[64]], [1.0]])
    scale, square = metrics.season_error(y[:61], 24), metrics.season_squared_error(y[:61], 24)
    np.testing.assert_array_equal(windows.scale, [[scale]] * 3 + [[np.nan]])
    np.testing.assert_array_equal(windows.square_scale, [[square]] * 3 + [[np.nan]])


def test_without_a_value_before_the_origin_there_is_no_last() -> None:
    panel = Panel.from_arrays({"a": [np.nan, np.nan, 1.0, 2.0]}, "h")
    windows = cut_windows(panel, {"a": (1, 2)}, 1)
    np.testing.assert_array_equal(windows.last, [[np.nan], [1.0]])


def test_no_windows_are_an_empty_part() -> None:
    windows = cut_windows(Panel.from_arrays({"a": hourly(80)}, "h"), {}, 4)
    assert windows.actual.shape == (0, 4)
    assert windows.scale.shape == (0, 1)
    assert measure_quantiles(windows, np.empty((0, 4, 3)), LEVELS) == {}


def test_a_part_holds_rows_and_steps() -> None:
    windows = cut_windows(Panel.from_arrays({"a": hourly(80), "b": hourly(80, 1)}, "h"), {"a": (60, 70), "b": (50,)}, 4)
    part = windows.part(np.array([2, 0]), slice(1, 3))
    assert [one.id for one in part.series] == ["b", "a"]
    assert part.origins.tolist() == [50, 60]
    np.testing.assert_array_equal(part.actual, windows.actual[[2, 0], 1:3])
    np.testing.assert_array_equal(part.scale, windows.scale[[2, 0]])
    np.testing.assert_array_equal(part.last, windows.last[[2, 0]])


def test_season_naive_is_measured_without_intervals() -> None:
    panel = Panel.from_arrays({"a": hourly(80)}, "h")
    windows = cut_windows(panel, {"a": (50, 60)}, 4)
    found = score_season_naive(windows, panel, LEVELS)
    point = forecast_season_naive(windows, 24)
    np.testing.assert_array_equal(point[1], panel.series[0].y[37:41])
    assert found["mae"] == pytest.approx(metrics.mae(windows.actual, point))
    assert not any(name.startswith(("coverage", "width")) for name in found)


def test_no_measure_of_exact_repetition_is_absurd() -> None:
    """A sine around zero has zeros that are not quite zero, and a season error that is not quite one."""
    y = np.sin(2 * np.pi * np.arange(240) / 24)
    windows = cut_windows(Panel.from_arrays({"a": y}, "h"), {"a": [203, 227]}, 12)
    for steps in (slice(None), slice(0, 1), slice(8, 9)):
        part = windows.part(np.arange(2), steps)
        measured = measure_quantiles(part, np.repeat(part.actual[..., None] + 0.01, len(LEVELS), -1), LEVELS)
        assert "mase" not in measured
        assert "rmsse" not in measured
        assert max(measured.values()) <= 200
