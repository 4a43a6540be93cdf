"""The three spans: disjoint, in order, and fewer for short series."""

import numpy as np
import pytest

from models.data.series import Panel
from models.data.splits import plan_spans
from tests.models.examples import small


@pytest.mark.parametrize("length", [3, 10, 40, 55, 80, 120, 300, 5000])
@pytest.mark.parametrize("horizon", [1, 12, 24])
def test_spans_follow_each_other(length: int, horizon: int) -> None:
    panel = Panel.from_arrays({"a": np.arange(float(length))}, "h", "2024-01-01")
    (spans,) = plan_spans(panel, small(horizon, length))
    assert spans.end == length
    if spans.gate:
        assert spans.selection
        assert spans.gate[-1] + horizon == length - 1
        assert spans.gate[0] + 1 == spans.selection_end
    if spans.selection:
        assert spans.fit_end == spans.selection[0] + 1
        assert spans.selection[-1] + horizon == spans.selection_end - 1
        assert spans.fit_end >= min(horizon, length // 3)


def test_short_series_lose_the_gate_first() -> None:
    found = []
    for length in (60, 80, 100):
        panel = Panel.from_arrays({"a": np.arange(float(length))}, "h", "2024-01-01")
        (spans,) = plan_spans(panel, small(24, length))
        found.append((bool(spans.selection), bool(spans.gate)))
    assert found == [(False, False), (True, False), (True, True)]


def test_missing_tail_is_no_span() -> None:
    y = np.arange(400.0)
    y[350:] = np.nan
    (spans,) = plan_spans(Panel.from_arrays({"a": y}, "h", "2024-01-01"), small(24, 400))
    assert spans.end == 350
    assert spans.gate[-1] + 24 == 349


def test_long_series_start_at_many_hours_of_the_day() -> None:
    panel = Panel.from_arrays({"a": np.arange(9000.0)}, "h", "2024-01-01")
    (spans,) = plan_spans(panel, small(24, 9000))
    assert len({origin % 24 for origin in spans.gate}) > 12


def test_the_gate_reaches_as_far_back_as_its_share() -> None:
    panel = Panel.from_arrays({"a": np.arange(30_000.0)}, "h", "2020-01-01")
    (spans,) = plan_spans(panel, small(24, 30_000))
    assert len(spans.gate) == len(spans.selection) == 28
    assert spans.end - spans.gate[0] > 0.1 * spans.end  # of many months, not of one
    assert set(np.diff(spans.selection)) == {25}
    assert len({origin % 24 for origin in spans.gate}) == 24
    assert len({origin % 168 for origin in spans.gate}) == 28
