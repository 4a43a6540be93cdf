"""Series, panels and the window cutter."""

import numpy as np
import pandas as pd
import pytest
import torch

from models.calendar.features import calendar_features
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.config.model import Config
from models.data.series import Panel, Series, observed_span
from models.data.windows import assemble, cut, cut_actuals, pack
from models.errors import OffGridError, TimestampError
from tests.models.examples import START, small

HOUR = 3_600_000_000


def hours(name: str, y: list[float], start: int = 0) -> Series:
    return Series(name, np.array(y, float), Grid(parse_frequency("h"), "UTC", START), start)


def reading(context: int, horizon: int) -> Config:
    return small(horizon, context_length=context, segment=1)


def test_short_history_is_padded_on_the_left() -> None:
    batch = assemble([hours("a", [1, 2, 3, 4]), hours("b", [5])], np.array([2, 0]), reading(4, 2))
    np.testing.assert_array_equal(batch["y"], [[np.nan, 1, 2, 3], [np.nan, np.nan, np.nan, 5]])
    assert batch["calendar"].shape == (2, 6, 5)


@pytest.mark.parametrize(
    ("freq", "timezone"), [("h", "UTC"), ("h", "Europe/Berlin"), ("D", "America/New_York"), ("MS", "UTC")]
)
def test_calendar_is_that_of_the_stamps(freq: str, timezone: str) -> None:
    panel = Panel.from_arrays({"a": np.arange(90.0), "b": np.arange(90.0)}, freq, "2024-02-01", timezone)
    origins = np.array([80, 80, 9, 89])
    series = [panel.series[k] for k in (0, 1, 1, 0)]
    found = assemble(series, origins, reading(5, 3))["calendar"]
    for row, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        np.testing.assert_array_equal(found[row], calendar_features(one.stamps(origin - 4, origin + 4), timezone))


def test_windows_of_series_with_other_anchors_share_stamps() -> None:
    early = hours("a", [1.0] * 10)
    late = Series("b", np.ones(4), Grid(parse_frequency("h"), "UTC", START + 6 * HOUR))
    found = assemble([early, late], np.array([9, 3]), reading(4, 2))["calendar"]
    np.testing.assert_array_equal(found[0], found[1])


def test_actuals_end_with_the_series() -> None:
    found = cut_actuals([hours("a", [1, 2, 3])], np.array([1]), 3)
    np.testing.assert_array_equal(found, [[3, np.nan, np.nan]])


def test_packed_cut_equals_assemble_for_arrays_and_tensors() -> None:
    series = [hours("a", list(range(9))), hours("b", [3.0, np.nan, 7.0])]
    packed = pack(series, [9, 3], 6)
    ends = packed.first + np.array([4, 2])
    offsets = np.arange(-5, 1)
    expected = assemble(series, np.array([4, 2]), reading(6, 1))["y"]
    np.testing.assert_array_equal(cut(packed.values, ends, offsets), expected)
    tensors = cut(torch.from_numpy(packed.values), torch.from_numpy(ends), torch.from_numpy(offsets))
    np.testing.assert_array_equal(tensors.numpy(), expected)


def test_from_frame_reads_texts_as_an_upload_does() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": ["2018-11-03", "2018-11-04", "2018-11-05"], "y": [1.0, 2.0, 3.0]})
    series = Panel.from_frame(frame, "D", "America/Sao_Paulo").series[0]
    np.testing.assert_array_equal(series.y, [1, 2, 3])
    with pytest.raises(TimestampError, match="if the day comes first"):
        Panel.from_frame(frame.assign(ds=["01/02/2024", "02/02/2024", "03/02/2024"]), "D")
    with pytest.raises(ValueError, match="numbers"):
        Panel.from_frame(frame.assign(ds=[1704121200000, 1704124800000, 1704128400000]), "h")


def test_a_panel_takes_series_of_other_names_of_its_frequency() -> None:
    quarters = Panel.from_arrays({"a": [1.0, 2.0]}, "QS", start="2024-01-01").series[0]
    assert Panel(parse_frequency("3MS"), (quarters,)).frequency.alias == "3MS"
    with pytest.raises(ValueError, match="another frequency"):
        Panel(parse_frequency("QS-FEB"), (quarters,))


def test_from_frame_leaves_gaps_missing() -> None:
    ds = pd.to_datetime(["2024-03-31 01:00", "2024-03-31 03:00", "2024-03-31 05:00"])
    frame = pd.DataFrame({"unique_id": "x", "ds": ds, "y": [1.0, 2.0, 3.0]})
    berlin = Panel.from_frame(frame, "h", "Europe/Berlin").series[0]
    np.testing.assert_array_equal(berlin.y, [1, 2, np.nan, 3])  # 02:00 does not exist on that day
    np.testing.assert_array_equal(Panel.from_frame(frame, "h").series[0].y, [1, np.nan, 2, np.nan, 3])


def test_panels_refuse_what_cannot_be_right() -> None:
    ds = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 00:30", "2024-01-01 00:30"])
    frame = pd.DataFrame({"unique_id": "x", "ds": ds, "y": 1.0})
    with pytest.raises(OffGridError):
        Panel.from_frame(frame, "h")
    with pytest.raises(ValueError, match="two rows"):
        Panel.from_frame(frame, "30min")
    with pytest.raises(ValueError, match="same id"):
        Panel(parse_frequency("h"), (hours("a", [1]), hours("a", [2])))
    with pytest.raises(ValueError, match="another frequency"):
        Panel(parse_frequency("D"), (hours("a", [1]),))
    with pytest.raises(ValueError, match="float64"):
        Series("a", np.ones(3, np.float32), Grid(parse_frequency("h"), "UTC", START))  # type: ignore[arg-type]


def test_observed_span() -> None:
    assert observed_span(np.array([np.nan, 1, np.nan, 2, np.nan])) == (1, 4)
    assert observed_span(np.full(3, np.nan)) == (0, 0)


@pytest.mark.parametrize("origin", [-9, -3, -1, 0, 1, 2, 3, 4, 9])
def test_an_origin_may_lie_outside_of_the_series(origin: int) -> None:
    one = hours("a", [0.0, 1.0, 2.0])
    positions = np.arange(origin - 3, origin + 3)
    expected = np.where((positions >= 0) & (positions < 3), positions, np.nan)
    np.testing.assert_array_equal(assemble([one], np.array([origin]), reading(4, 2))["y"][0], expected[:4])
    np.testing.assert_array_equal(cut_actuals([one], np.array([origin]), 2)[0], expected[4:])


def test_columns_of_a_frame_are_covariates_and_may_reach_ahead() -> None:
    ds = pd.date_range("2024-01-01", periods=5, freq="h").delete(1)
    columns = {"temp": [1.0, 2.0, 3.0, 4.0], "free": [True, False, True, False], "day": ["a", None, "b", "c"]}
    frame = pd.DataFrame({"unique_id": "x", "ds": ds, "y": [1.0, 2.0, np.nan, np.nan], **columns})
    one = Panel.from_frame(frame, "h").series[0]
    np.testing.assert_array_equal(one.y, [1, np.nan, 2])
    np.testing.assert_array_equal(one.covariates["temp"], [1, np.nan, 2, 3, 4])
    np.testing.assert_array_equal(one.covariates["free"], [1, np.nan, 0, 1, 0])
    assert one.covariates["day"].tolist() == ["a", None, None, "b", "c"]
