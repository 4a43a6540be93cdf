"""The frequency of timestamps with gaps."""

import numpy as np
import pandas as pd
import pytest

from models.calendar.frequency import parse_frequency
from models.calendar.infer_frequency import infer_frequency, suggest_frequency
from models.calendar.timestamps import parse_stamps
from models.errors import FrequencyError


@pytest.mark.parametrize(
    "alias", ["s", "10min", "h", "6h", "D", "B", "W-WED", "MS", "ME", "QS-JAN", "QE-MAR", "YS-JAN", "YE-DEC"]
)
@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
def test_infers_despite_gaps(alias: str, timezone: str) -> None:
    dates = pd.date_range("2021-03-03", periods=90, freq=alias)
    kept = np.delete(dates.to_numpy(), [7, 8, 30])
    texts = [str(t) for t in kept.astype("M8[s]")]
    absolute = alias in ("s", "10min", "h", "6h")
    stamps = parse_stamps([t + "-05:00" * absolute for t in texts], timezone)
    assert infer_frequency(stamps, timezone) == parse_frequency(alias)


def test_daily_across_a_clock_change() -> None:
    stamps = parse_stamps(
        [f"2024-03-{d:02d}T08:00:00" for d in range(25, 32)] + ["2024-04-01T08:00:00"], "Europe/Berlin"
    )
    assert infer_frequency(stamps, "Europe/Berlin").alias == "D"


@pytest.mark.parametrize(
    "texts",
    [["2024-01-01", "2024-01-02"], ["2024-01-01T00:00:00", "2024-01-01T00:00:07.5", "2024-01-01T05:01:00"]],
)
def test_says_when_it_cannot(texts: list[str]) -> None:
    with pytest.raises(FrequencyError, match="freq="):
        infer_frequency(parse_stamps(texts, "UTC"), "UTC")


@pytest.mark.parametrize(
    ("texts", "alias"),
    [
        ([f"2024-01-0{d}" for d in range(1, 6)], "D"),  # Monday to Friday
        ([f"2024-01-0{d}" for d in (2, 3, 4)], "D"),
        ([f"2024-01-{d:02d}" for d in (4, 5, 8, 9)], "B"),
        ([f"2024-01-{d:02d}" for d in (4, 5, 6, 8, 9)], "D"),
        (["2024-01-01", "2024-02-01", "2024-03-01"], "MS"),  # business days all of them
        (["2024-04-30", "2024-05-31", "2024-07-31"], "ME"),
        (["2024-08-01", "2024-09-02", "2024-10-01"], "BMS"),
        (["2024-01-01", "2025-01-01", "2026-01-01"], "YS"),
    ],
)
def test_the_plainest_frequency_without_evidence_against_it(texts: list[str], alias: str) -> None:
    assert infer_frequency(parse_stamps(texts, "UTC"), "UTC") == parse_frequency(alias)


@pytest.mark.parametrize("alias", ["2W-MON", "2D", "10D", "2MS", "6ME"])
def test_multiples_are_seen_despite_gaps(alias: str) -> None:
    dates = np.delete(pd.date_range("2021-03-03", periods=12, freq=alias).to_numpy().astype("M8[s]"), [3, 7])
    stamps = parse_stamps([str(day) for day in dates], "Europe/Berlin", daily=True)
    assert infer_frequency(stamps, "Europe/Berlin") == parse_frequency(alias)


@pytest.mark.parametrize("alias", ["D", "W-MON", "MS", "QE", "B"])
def test_one_stray_among_many_does_not_hide_the_frequency(alias: str) -> None:
    dates = pd.date_range("2021-03-03", periods=30, freq=alias).to_numpy().astype("M8[s]")
    stray = str(dates[0] + np.timedelta64(67, "m"))
    stamps = np.sort(parse_stamps([stray, *map(str, dates)], "UTC"))
    assert infer_frequency(stamps, "UTC") == parse_frequency(alias)


@pytest.mark.parametrize(
    ("named", "texts", "alias"),
    [
        ("W", ["2024-01-01", "2024-01-08"], "W-MON"),
        ("W", ["2024-01-01"], "W-MON"),
        ("2W", ["2024-01-01", "2024-01-15"], "2W-MON"),
        ("QE", ["2024-01-01", "2024-04-01"], "QS"),
        ("QS", ["2024-01-31", "2024-04-30"], "QE-JAN"),
        ("MS", ["2024-01-31", "2024-02-29"], "ME"),
        ("ME", ["2024-01-01", "2024-02-01"], "MS"),
        ("ME", ["2024-08-30", "2024-09-30", "2024-11-29"], "BME"),
        ("YS", ["2024-04-01", "2025-04-01"], "YS-APR"),
        ("B", ["2024-01-06", "2024-01-07"], "D"),
        ("24h", ["2024-03-30", "2024-03-31", "2024-04-01"], "D"),
        ("MS", ["2024-01-10", "2024-01-11", "2024-01-12"], "D"),
    ],
)
def test_suggests_what_the_dates_are(named: str, texts: list[str], alias: str) -> None:
    assert suggest_frequency(parse_frequency(named), parse_stamps(texts, "UTC"), "UTC") == parse_frequency(alias)


def test_suggests_nothing_for_dates_without_order() -> None:
    stamps = parse_stamps(["2024-01-02", "2024-01-10", "2024-03-07"], "UTC")
    assert suggest_frequency(parse_frequency("MS"), stamps, "UTC") is None
