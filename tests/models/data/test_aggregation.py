"""Aggregation: whole steps of a finer grid become one of a coarser, in the series' own timezone."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import format_stamps
from models.config.cleaning import AggregateConfig, CleaningConfig
from models.data.aggregation import aggregate_panel, aggregate_series, check_texts, select_for_training
from models.data.series import Panel, Series
from models.errors import ConfigError

N = np.nan
Gaps = Literal["leave", "linear", "season"]
By = Literal["sum", "mean"]


def cleaning(freq: str, by: By = "sum", gaps: Gaps = "leave", max_filled: float = 0.2) -> CleaningConfig:
    return CleaningConfig(gaps=gaps, max_filled=max_filled, aggregate=AggregateConfig(freq=freq, by=by))


def series(y: Any, freq: str = "h", start: str = "2024-01-01", timezone: str = "UTC", **columns: Any) -> Series:
    (one,) = Panel.from_arrays({"a": y}, freq, start, timezone).series
    return replace(one, covariates={k: np.array(v, object if k == "day" else np.float64) for k, v in columns.items()})


def table(one: Series) -> dict[str, float]:
    ds = format_stamps(one.stamps(0, len(one.y)), one.grid.timezone)
    return dict(zip((text[:16] for text in ds), one.y.tolist(), strict=True))


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    spring = aggregate_series(series(np.ones(24 * 3), start="2024-03-30", timezone="Europe/Berlin"), cleaning("D"))
    assert table(spring.series) == {"2024-03-30T00:00": 24, "2024-03-31T00:00": 23, "2024-04-01T00:00": 24}
    autumn = series(np.ones(24 * 3 + 1), start="2024-10-26", timezone="Europe/Berlin")
    assert list(table(aggregate_series(autumn, cleaning("D")).series).values()) == [24, 25, 24]
    assert set(table(aggregate_series(autumn, cleaning("D", "mean")).series).values()) == {1.0}


@pytest.mark.parametrize(
    ("fine", "coarse", "start", "steps", "expected"),
    [
        ("15min", "h", "2024-01-01", 9, {"2024-01-01T00:00": 4, "2024-01-01T01:00": 4}),
        ("D", "W-MON", "2024-01-03", 20, {"2024-01-08T00:00": 7, "2024-01-15T00:00": 7}),  # a Wednesday
        ("D", "MS", "2024-01-15", 60, {"2024-02-01T00:00": 29}),
        ("D", "ME", "2024-01-15", 60, {"2024-02-29T00:00": 29}),
        ("B", "W-MON", "2024-01-01", 10, {"2024-01-01T00:00": 5, "2024-01-08T00:00": 5}),
        ("B", "MS", "2024-01-01", 23, {"2024-01-01T00:00": 23}),
        ("MS", "QS-OCT", "2024-01-01", 7, {"2024-01-01T00:00": 3, "2024-04-01T00:00": 3}),
        ("ME", "YE-DEC", "2023-01-31", 13, {"2023-12-31T00:00": 12}),
        ("W-MON", "4W-MON", "2024-01-01", 9, {"2024-01-01T00:00": 4, "2024-01-29T00:00": 4}),
        ("h", "2D", "2024-01-01", 96, {"2024-01-01T00:00": 48, "2024-01-03T00:00": 48}),
        ("30min", "D", "2024-01-01T12:00", 72, {"2024-01-02T00:00": 48}),
    ],
)
def test_only_full_steps_have_a_value(
    fine: str, coarse: str, start: str, steps: int, expected: dict[str, float]
) -> None:
    assert table(aggregate_series(series(np.ones(steps), fine, start), cleaning(coarse)).series) == expected


def test_a_step_that_is_not_yet_full_is_left_out() -> None:
    assert len(aggregate_series(series(np.ones(47)), cleaning("D")).series.y) == 1
    assert len(aggregate_series(series(np.ones(48)), cleaning("D")).series.y) == 2
    for gaps in ("linear", "season"):  # what is still to come is no gap
        assert len(aggregate_series(series(np.ones(47)), cleaning("D", gaps=gaps)).series.y) == 1  # type: ignore[arg-type]


def test_a_step_with_a_missing_value_is_missing_unless_gaps_fills_it() -> None:
    y = np.repeat([1.0, 2.0, 3.0], 24) + np.tile(np.arange(24.0), 3)
    y[30] = N
    y[60:71] = N  # nearly half a day
    left = aggregate_series(series(y), cleaning("D"))
    assert (len(left.series.y), left.filled) == (1, 0)
    linear = aggregate_series(series(y), cleaning("D", gaps="linear"))
    np.testing.assert_allclose(linear.series.y, [300, 324])
    assert linear.filled == 1
    season = aggregate_series(series(y), cleaning("D", gaps="season"))
    np.testing.assert_allclose(season.series.y, [300, 323])  # 7 of the day before instead of 8
    many = aggregate_series(series(y), cleaning("D", gaps="linear", max_filled=0.5))
    np.testing.assert_allclose(many.series.y, [300, 324, 348])
    assert many.filled == 12


def test_what_lies_before_the_first_value_is_no_gap() -> None:
    late = series(np.ones(71), start="2024-01-01T01:00")
    assert list(table(aggregate_series(late, cleaning("D", gaps="linear")).series)) == [
        "2024-01-02T00:00",
        "2024-01-03T00:00",
    ]


def test_a_gap_at_the_end_of_a_step_takes_nothing_of_the_next() -> None:
    y = np.ones(72)
    y[46:48] = N
    y[48:] = 100.0
    np.testing.assert_allclose(aggregate_series(series(y), cleaning("D", gaps="linear")).series.y, [24, 24, 2400])


@pytest.mark.parametrize("gaps", ["leave", "linear", "season"])
@pytest.mark.parametrize("end", [30 * 24, 30 * 24 + 7])
def test_no_step_depends_on_what_comes_after_it(gaps: Gaps, end: int) -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(60 * 24) < 0.05, N, rng.normal(10, 1, 60 * 24))
    later = y.copy()
    later[end:] = 1e6
    options = cleaning("D", gaps=gaps)
    whole, other = (aggregate_series(series(v), options).series for v in (y, later))
    full = end // 24 - whole.start
    np.testing.assert_array_equal(whole.y[:full], other.y[:full])


@pytest.mark.parametrize("gaps", ["leave", "linear", "season"])
def test_a_part_of_a_series_gives_the_same_steps_as_the_whole(gaps: Gaps) -> None:
    rng = np.random.default_rng(1)
    y = np.where(rng.random(60 * 24) < 0.03, N, rng.normal(10, 1, 60 * 24))
    one = series(y, start="2024-03-05T05:00", timezone="Europe/Berlin")
    whole = aggregate_series(one, cleaning("D", gaps=gaps)).series
    part = aggregate_series(replace(one, y=y[500:], start=500), cleaning("D", gaps=gaps)).series
    shift = part.start - whole.start
    np.testing.assert_array_equal(part.y[2:], whole.y[shift + 2 :])
    assert (part.stamps(2, 3) == whole.stamps(shift + 2, shift + 3)).all()


@settings(max_examples=25, deadline=None)
@given(
    fine=st.sampled_from(["15min", "h", "D"]),
    coarse=st.sampled_from(["D", "W-MON", "MS", "QS-OCT", "ME"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]),
    skipped=st.integers(0, 300),
)
def test_full_steps_add_up_as_pandas_adds_them(fine: str, coarse: str, timezone: str, skipped: int) -> None:
    if not parse_frequency(fine).approximate_us < parse_frequency(coarse).approximate_us:
        return
    start = pd.Timestamp("2024-02-10") + skipped * pd.Timedelta("7h" if fine != "D" else "1D")
    y = np.random.default_rng(skipped).integers(0, 9, {"15min": 9000, "h": 3000, "D": 500}[fine]).astype(float)
    one = series(y, fine, str(start), timezone)
    ours = aggregate_series(one, cleaning(coarse)).series
    index = pd.DatetimeIndex(one.stamps(0, len(y)).view("M8[us]")).tz_localize("UTC").tz_convert(timezone)
    side: Any = {"closed": "left", "label": "left"} if coarse.startswith("W") else {}
    sums = pd.Series(y, index).resample(coarse, **side).sum()
    expected = [sums.get(pd.Timestamp(ds)) for ds in format_stamps(ours.stamps(0, len(ours.y)), timezone)]
    np.testing.assert_allclose(ours.y, expected)
    assert 0 <= len(sums) - len(ours.y) <= 2  # the first and the last step alone may lack values


def test_covariates_are_means_and_texts_that_do_not_change() -> None:
    day = ["work"] * 24 + ["free"] * 24 + [None] * 24 + ["work"] * 24
    one = series(np.ones(72), temp=[*np.arange(95.0), N], day=day)
    aggregated = aggregate_series(one, cleaning("D")).series
    np.testing.assert_allclose(aggregated.covariates["temp"], [11.5, 35.5, 59.5, 83.0])  # a day beyond the values
    assert aggregated.covariates["day"].tolist() == ["work", "free", None, "work"]
    changing = series(np.ones(72), day=["work", "free"] * 36)
    assert aggregate_series(changing, cleaning("D")).series.covariates["day"].tolist() == [None] * 3
    with pytest.raises(ConfigError, match="is text that changes within a step of D in series 'a' \\(free, work\\)"):
        check_texts(changing, AggregateConfig(freq="D"))


@pytest.mark.parametrize(
    ("fine", "coarse", "problem"),
    [
        ("h", "h", "is the frequency of the series, 'h'; leave aggregate out"),
        ("D", "h", "'h' is not longer than the series' steps of 'D'"),
        ("h", "B", "'B' leaves days out"),
        ("7h", "D", "'D' are not made of whole steps of '7h'"),
        ("W-MON", "MS", "'MS' are not made of whole steps of 'W-MON'"),
        ("2D", "W-MON", "are not made of whole steps"),
        ("QS-FEB", "YS-JAN", "are not made of whole steps"),
        ("15min", "25min", "are not made of whole steps"),
        ("D", "SMS", "leaves days out"),
    ],
)
def test_frequencies_that_do_not_nest_are_refused_with_what_to_send(fine: str, coarse: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        AggregateConfig(freq=coarse, source=fine)


def test_a_panel_of_the_models_own_frequency_stays_as_it_is() -> None:
    panel = Panel.from_arrays({"a": np.ones(9)}, "D")
    assert aggregate_panel(panel, cleaning("D"))[0] is panel
    assert aggregate_panel(panel, CleaningConfig())[0] is panel


def test_series_that_cannot_be_trained_on_are_named_with_the_reason() -> None:
    holes = np.where(np.arange(240) % 3 == 0, N, 1.0)
    panel = Panel.from_arrays({"full": np.ones(240), "holes": holes, "short": np.ones(5)}, "h")
    kept, record = select_for_training(panel, cleaning("D", gaps="linear"))
    assert [one.id for one in kept.series] == ["full"]
    assert record.refused["holes"].startswith("79 of 239 steps are missing (33.1%)")
    assert record.refused["short"] == "it has no full step of D; send more observations"
