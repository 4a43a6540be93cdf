"""Which of two equal wall times is meant, by the order of rows; stamps are minutes here."""

import numpy as np
import pytest

from models.calendar.clock_changes import UNDECIDED, order_ambiguous

U = int(UNDECIDED)


def order(walls: list[int], known: dict[int, int] | None = None) -> list[int]:
    """Return the chosen minutes; the wall times 120 to 179 exist twice, later ones an hour after they are read."""
    known = known or {}
    times = np.array(walls) * 60_000_000
    ambiguous = np.array([i not in known and 120 <= w < 180 for i, w in enumerate(walls)])
    stamps = np.where(times >= 180 * 60_000_000, times + 3_600_000_000, times)
    for row, minute in known.items():
        stamps[row] = minute * 60_000_000
    positions = np.flatnonzero(ambiguous)
    chosen = order_ambiguous(stamps, positions, times[positions], times[positions] + 3_600_000_000)
    return [U if c == U else c // 60_000_000 for c in chosen.tolist()]


@pytest.mark.parametrize(
    ("walls", "chosen"),
    [
        ([60, 120, 120, 180], [120, 180]),
        ([90, 120, 150, 120, 150, 180], [120, 150, 180, 210]),
        ([90, 120, 150, 150, 180], [120, 150, 210]),
        ([120, 150, 120], [120, 150, 180]),
        ([180, 150, 120, 150, 120, 90], [210, 180, 150, 120]),
        ([60, 120, 180], [U]),
        ([120], [U]),
        ([120, 150, 120, 150, 120], [U] * 5),
        ([150, 120, 60, 150, 120], [U] * 4),
        ([180, 120, 120, 240], [U, U]),
    ],
)
def test_the_step_back_tells_the_passes_apart(walls: list[int], chosen: list[int]) -> None:
    assert order(walls) == chosen


def test_rows_of_known_offset_can_decide() -> None:
    assert order([150, 120, 180], {0: 150}) == [180]  # after the first 2:30
    assert order([90, 150, 120], {2: 180}) == [150]  # before the second 2:00
    assert order([90, 150, 240]) == [U]


def test_each_night_is_decided_by_itself() -> None:
    year = 365 * 24 * 60 * 60_000_000
    first = np.array([120, 120, 150]) * 60_000_000 + np.array([0, 0, year])
    stamps = np.array([60, 0, 0, 240, 0, 300]) * 60_000_000 + np.array([0, 0, 0, 0, 0, year])
    chosen = order_ambiguous(stamps, np.array([1, 2, 4]), first, first + 3_600_000_000)
    assert chosen.tolist() == [120 * 60_000_000, 180 * 60_000_000, U]
