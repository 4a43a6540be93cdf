"""Season-naive, with gaps and short histories."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.classical.statistical_models import ets, season_naive, theta

NAN = np.nan


@pytest.mark.parametrize(
    ("history", "season", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], 3, [4, 5, 6, 4]),
        ([1, 2, 3, 4, NAN, 6], 3, [4, 2, 6, 4]),
        ([NAN, NAN, 3, 4, NAN, 6], 3, [4, 6, 6, 4]),
        ([1, 2], 3, [2, 2, 2, 2]),
        ([1, 2, NAN], None, [2, 2, 2, 2]),
        ([NAN, NAN], 1, [NAN, NAN, NAN, NAN]),
    ],
)
def test_by_hand(history: list[float], season: int | None, expected: list[float]) -> None:
    np.testing.assert_array_equal(season_naive(np.array(history, float), 4, season), np.array(expected, float))


@pytest.mark.parametrize("reference", [theta, ets])
def test_what_cannot_be_fitted_is_forecast_by_season_naive(reference: Callable[..., Any]) -> None:
    huge = np.arange(60.0) % 12 + 1
    huge[30] = 1e300
    np.testing.assert_array_equal(reference(huge, 12, 12), season_naive(huge, 12, 12))


def test_a_long_season_is_left_out_of_a_fit() -> None:
    y = np.arange(2000.0)
    np.testing.assert_allclose(theta(y, 3, 720), [1999.5, 2000.0, 2000.5], atol=1.0)
