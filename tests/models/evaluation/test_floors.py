"""Which floor is best, and when a network is level with an exact one."""

import numpy as np
import pytest

from models.data.series import Panel
from models.evaluation.baselines import forecast_baselines
from models.evaluation.floors import FEW, LEVEL, choose_best, compare, is_level, is_tie, is_within_chance
from models.evaluation.scoring import cut_windows

STEPS = np.arange(240)


@pytest.mark.parametrize(
    ("measured", "best"),
    [
        ({"season_naive": {"mase": 1.0}, "naive": {"mase": 0.8}, "drift": {"mase": 0.9}}, "naive"),
        ({"season_naive": {"mae": 3.0}, "naive": {"mae": 4.0, "mase": 0.1}, "drift": {"mae": 2.0}}, "drift"),
        ({"season_naive": {"mae": 0.0}, "naive": {"mae": 0.0}, "drift": {"mae": 0.0}}, "season_naive"),
        ({"gate": {"mase": 0.5}, "season_naive": None, "naive": {"mase": 2.0}}, "naive"),
        ({"gate": None}, "season_naive"),
    ],
)
def test_the_best_floor_is_that_of_the_gates_measure(measured: dict[str, dict[str, float]], best: str) -> None:
    assert choose_best(measured) == best


def test_the_scaled_error_decides_where_both_have_one() -> None:
    assert compare({"mase": 0.5, "mae": 9.0}, {"mase": 0.6, "mae": 1.0}) == (True, "mase 0.5 against 0.6")
    assert compare({"mae": 9.0}, {"mase": 0.6, "mae": 1.0}) == (False, "mae 9 against 1")


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize(("noise", "share", "level"), [(0.0, 0.9, True), (0.0, 1.1, False), (1e-3, 0.9, False)])
def test_a_small_error_is_level_with_an_exact_floor_alone(size: float, noise: float, share: float, level: bool) -> None:
    y = size * (np.sin(2 * np.pi * STEPS / 24) + np.random.default_rng(0).normal(0, noise, len(STEPS)))
    windows = cut_windows(Panel.from_arrays({"a": y}, "h"), {"a": [200, 212]}, 12)
    floor = forecast_baselines(windows, 24, ["season_naive"])["season_naive"]
    point = windows.actual + share * LEVEL * float(windows.spread[0, 0])
    assert is_level(windows, point, floor) is level


@pytest.mark.parametrize("value", [0.0, 42.7, -1e6])
def test_a_constant_is_level_within_a_ten_thousandth_of_its_size(value: float) -> None:
    windows = cut_windows(Panel.from_arrays({"a": np.full(240, value)}, "h"), {"a": [200]}, 12)
    for share, level in ((0.9e-4, True), (1.1e-4, False)):
        assert is_level(windows, windows.actual + share * (abs(value) or 1.0), windows.actual) is level


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e15])
def test_errors_that_differ_by_rounding_tie_whatever_they_are(size: float) -> None:
    y = size * (20 + np.random.default_rng(0).normal(0, 1, len(STEPS)))
    windows = cut_windows(Panel.from_arrays({"a": y}, "h"), {"a": [200, 212]}, 12)
    floor = forecast_baselines(windows, 24, ["season_naive"])["season_naive"]
    error = np.sign(floor - windows.actual)
    for share, tie in ((1e-7, True), (1e-4, False)):
        worse = floor + share * 20 * size * error
        assert is_tie(windows, worse, floor) is tie
        assert is_level(windows, worse, floor) is tie


@pytest.mark.parametrize(
    ("origins", "behind", "luck"),
    [
        (1, 1.6, True),
        (1, 1.7, False),
        (2, 1.4, True),
        (2, 1.5, False),
        (FEW - 1, 1.15, True),
        (FEW - 1, 1.16, False),
        (FEW, 1.01, False),
    ],
)
def test_a_lead_on_few_windows_may_be_luck(origins: int, behind: float, luck: bool) -> None:
    """With equal leads on n windows the limit is 2.13 * 0.3 * sqrt(4 / (3 + n) / n): 0.64, 0.40, 0.15 for 1, 2, 7."""
    y = 20 + np.random.default_rng(0).normal(0, 1, len(STEPS))
    windows = cut_windows(Panel.from_arrays({"a": y}, "h"), {"a": list(range(120, 120 + 12 * origins, 12))}, 12)
    floor = windows.actual + 2.0
    assert is_within_chance(windows, windows.actual + behind * 2, floor) is luck


def test_a_lead_that_scatters_is_luck_for_longer() -> None:
    y = 20 + np.random.default_rng(0).normal(0, 1, len(STEPS))
    windows = cut_windows(Panel.from_arrays({"a": y}, "h"), {"a": [120, 140, 160, 180]}, 12)
    floor = windows.actual + 2.0
    even, uneven = np.full((4, 1), 2.8), np.array([[1.2], [4.4], [1.2], [4.4]])
    assert not is_within_chance(windows, windows.actual + even, floor)
    assert is_within_chance(windows, windows.actual + uneven, floor)


def test_windows_without_values_tell_nothing() -> None:
    y = np.where(STEPS < 130, 20.0 + STEPS % 3, np.nan)
    windows = cut_windows(Panel.from_arrays({"a": y}, "h"), {"a": [120, 200]}, 12)
    point = np.full_like(windows.actual, 21.0)
    assert is_within_chance(windows, point, point + 0.1)
    assert not is_within_chance(windows.part(np.array([1])), point[1:], point[1:])
