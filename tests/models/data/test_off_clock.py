"""Which series are found not to follow the wall clock."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.off_clock import find_off_clock
from models.data.series import Panel, Series
from tests.models.data.test_wall_clock import build


def find(series: Series) -> bool:
    return bool(find_off_clock(Panel(series.grid.frequency, (series,)), (24, 168)))


@pytest.mark.parametrize("change", ["2025-03-30T03:00:00", "2025-10-26T04:00:00"])
@pytest.mark.parametrize("noise", [0.0, 5.0])
@pytest.mark.parametrize("on_clock", [True, False])
def test_a_month_after_a_change_shows_it(change: str, noise: float, on_clock: bool) -> None:
    series = build("Europe/Berlin", change, "h", on_clock=on_clock)
    noisy = replace(series, y=series.y + np.random.default_rng(0).normal(0, noise, len(series.y)))
    assert find(noisy) is not on_clock
    gappy = replace(series, y=np.where(np.random.default_rng(1).random(len(series.y)) < 0.3, np.nan, noisy.y))
    assert find(gappy) is not on_clock
    assert not find(replace(noisy, grid=replace(series.grid, timezone="UTC")))


def test_days_are_compared_where_there_is_no_week_before() -> None:
    sun = build("Europe/Berlin", "2025-03-30T03:00:00", "h", days=4, ahead=14, on_clock=False)
    everyday = replace(sun, y=np.where(np.arange(len(sun.y)) % 24 < 10, 50.0, 10.0))
    assert find(everyday)


def test_noise_and_a_single_night_say_nothing() -> None:
    series = build("Europe/Berlin", "2025-03-30T03:00:00", "h")
    rng = np.random.default_rng(0)
    left = 0
    for _ in range(50):
        noisy = replace(series, y=rng.normal(50, 5, len(series.y)))
        left += find(noisy)
    assert left <= 2
    night = replace(series, y=series.y[: 60 * 24 + 5])
    assert not find(night)
