"""Widened windows: each has the interval that was right at its origin, and no other."""

from dataclasses import replace

import numpy as np
import pytest

from models.arrays import Floats
from models.data.series import Panel, Series
from models.data.windows import Batch
from models.evaluation.replayed import widen_windows
from models.inference.replay import ReplayPlan, find_widths, plan_origins, replay_all
from tests.models.examples import hourly, small

CONFIG = small(24, context_length=48, segment=12)
TRAINED = 400


def naive(batch: Batch) -> Floats:
    """Forecast the last day, levels one apart."""
    return batch["y"][:, -24:, None] + np.array([-1.0, 0, 1])


def panel() -> tuple[Series, ...]:
    return Panel.from_arrays({"a": hourly(1200, noise=2.0), "b": hourly(1200, 1, noise=0.1)}, "h", "2024-01-01").series


def last_day(series: Series, origin: int) -> Floats:
    """Return what `naive` forecasts, (24, 3)."""
    return series.y[origin - 23 : origin + 1, None] + np.array([-1.0, 0, 1])


def widen(items: tuple[Series, ...], rows: list[int], origins: list[int], trained_on: set[str]) -> Floats:
    series = [items[row] for row in rows]
    positions = np.array(origins, np.int64)
    quantiles = np.stack(
        [one.y[o - 23 : o + 1, None] + np.array([-1.0, 0, 1]) for one, o in zip(series, origins, strict=True)]
    )
    until = int(items[0].stamps(TRAINED, TRAINED + 1)[0])
    return widen_windows(quantiles, series, positions, naive, CONFIG, trained_until=until, trained_on=trained_on)


def test_each_window_is_widened_by_what_was_known_at_its_origin() -> None:
    items = panel()
    origins = [450, 700, 900, 1100]
    found = widen(items, [0, 0, 1, 0], origins, {"a", "b"})
    np.testing.assert_array_equal(found[0, :, 2] - found[0, :, 1], 1)
    for row, item, origin in ((1, items[0], 700), (2, items[1], 900), (3, items[0], 1100)):
        plan = plan_origins(0, origin, TRAINED, CONFIG, is_trained=True)
        (replay,) = replay_all([ReplayPlan(replace(item, y=item.y[: origin + 1]), plan)], naive, CONFIG)
        widths = find_widths(replay, origin, CONFIG, (-np.inf, np.inf))
        assert widths is not None
        expected = widths.apply(last_day(item, origin).T).T
        np.testing.assert_allclose(found[row], expected)
    widths = found[:, :, 2] - found[:, :, 1]
    assert widths[1].mean() > 1.3 * widths[2].mean(), "one series is noisier than the other"


def test_later_values_change_nothing() -> None:
    items = panel()
    late = tuple(replace(item, y=np.concatenate([item.y[:701], item.y[701:] * 1e3])) for item in items)
    origins = [600, 650, 700]
    np.testing.assert_array_equal(widen(items, [0, 1, 0], origins, {"a"}), widen(late, [0, 1, 0], origins, {"a"}))


@pytest.mark.parametrize(("trained_on", "changed"), [({"a"}, False), (set(), True)])
def test_what_training_has_seen_is_not_replayed(trained_on: set[str], changed: bool) -> None:
    found = widen(panel(), [0], [TRAINED], trained_on)
    assert bool(abs(found[0, :, 2] - found[0, :, 1] - 1).max() > 0.1) is changed
