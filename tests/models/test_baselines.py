"""Season-naive, with gaps and short histories."""

import numpy as np
import pytest

from models.baselines import season_naive

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
