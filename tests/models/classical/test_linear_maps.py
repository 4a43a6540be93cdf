"""Basis forecasts: linear maps that keep constants, and know their classical formulas."""

import numpy as np
import pytest

from models.classical.exponential_smoothing import ses
from models.classical.linear_maps import build_basis, mean_of_seasons, moved_season, season_naive
from tests.models.examples import hourly


@pytest.mark.parametrize(
    ("length", "seasons"), [(336, (24, 168)), (48, (24,)), (24, (24,)), (40, (12,)), (12, ()), (2, ())]
)
def test_columns_sum_to_one(length: int, seasons: tuple[int, ...]) -> None:
    names, maps = build_basis(length, 31, seasons)
    assert maps.shape == (len(names), length, 31)
    np.testing.assert_allclose(maps.sum(1), 1.0, atol=1e-9)


def test_season_map_is_season_naive() -> None:
    y = hourly(336)
    names, maps = build_basis(336, 50, (24, 168))
    expected = [y[-24:][h % 24] for h in range(50)]
    np.testing.assert_allclose(y @ maps[names.index("season")], expected)
    expected = [y[-168:][h] for h in range(50)]
    np.testing.assert_allclose(y @ maps[names.index("season_168")], expected)


def test_trends_extend_a_line() -> None:
    line = 3.0 + 0.5 * np.arange(20)
    names, maps = build_basis(20, 6, ())
    np.testing.assert_allclose(line @ maps[names.index("drift")], 3.0 + 0.5 * np.arange(20, 26))
    for name, found in zip(names, line @ maps, strict=True):
        if name.startswith(("theta", "damped", "holt")):
            assert (np.diff(found) > 0.2).all(), name


def test_all_seasonal_forecasts_continue_a_pure_season() -> None:
    day = np.abs(np.arange(24) - 11.5)  # mirrored, so that no line lies in it
    names, maps = build_basis(336, 48, (24, 168))
    for name, found in zip(names, np.tile(day, 14) @ maps, strict=True):
        if name not in ("last", "theta"):
            np.testing.assert_allclose(found, np.tile(day, 2), atol=1e-9, err_msg=name)


def test_exponential_smoothing_by_hand() -> None:
    np.testing.assert_allclose(ses(np.array([1.0, 3.0, 2.0]), 0.5), [0.5 * (0.5 * 1 + 0.5 * 3) + 0.5 * 2])


def test_mean_of_seasons_by_hand() -> None:
    found = mean_of_seasons(np.array([9.0, 1.0, 2.0, 3.0, 6.0]), 3, 2, 0.5)
    np.testing.assert_allclose(found, [(0.5 * 1 + 3) / 1.5, (0.5 * 2 + 6) / 1.5, (0.5 * 1 + 3) / 1.5])


def test_moved_season_follows_the_level() -> None:
    y = np.concatenate([np.zeros(2), np.arange(4.0), np.full(2, 10.0)])
    found = moved_season(y, 4, 2, 4)
    np.testing.assert_allclose(found, season_naive(y, 4, 4) + 10.0 - y[2:4].mean())
