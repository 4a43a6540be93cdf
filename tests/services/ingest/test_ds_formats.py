from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.ingest.ds_formats import DsFormatError, parse_ds_format
from app.services.ingest.ds_parts import EPOCHS

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
STRPTIME = (
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%d.%m.%Y %H:%M:%S.%f",
    "%b %Y",
    "%B %d, %Y",
    "%d%b%Y %I:%M %p",
    "%Y-%j",
    "%y-%m-%d",
    "%G-W%V-%u",
    "%a, %d %b %Y %H:%M:%S",
    "100%% %Y at %H",
)


def read(ds_format: str, *texts: str | None) -> list[int | None]:
    """Return the UTC microseconds of texts, None where unreadable."""
    times = parse_ds_format(ds_format).read(pa.array(texts, pa.string()))
    stamps = (times.wall - times.offset).tolist()
    return [stamp if known else None for stamp, known in zip(stamps, times.readable, strict=True)]


def count(*moment: int) -> int:
    """Return the microseconds of a moment of UTC."""
    return (datetime(*moment) - EPOCH) // MICROSECOND  # type: ignore[arg-type, misc]


@settings(max_examples=10, deadline=None)
@given(moments=st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)), min_size=1, max_size=20))
@pytest.mark.parametrize("ds_format", STRPTIME)
def test_a_layout_reads_what_strptime_reads(ds_format: str, moments: list[datetime]) -> None:
    texts = [moment.strftime(ds_format) for moment in moments]
    expected = [(datetime.strptime(text, ds_format) - EPOCH) // MICROSECOND for text in texts]
    assert read(ds_format, *texts) == expected


@settings(max_examples=100, deadline=None)
@given(text=st.from_regex(r"\A[0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{1,2}\Z"))
def test_a_layout_refuses_what_strptime_refuses(text: str) -> None:
    try:
        moment = datetime.strptime(text, "%d/%m/%Y %H:%M")
        expected = (moment - EPOCH) // MICROSECOND if 1000 <= moment.year < 9000 else None
    except ValueError:
        expected = None
    assert read("%d/%m/%Y %H:%M", text) == [expected]


@pytest.mark.parametrize(
    ("ds_format", "text", "moment"),
    [
        ("%Y-Q%q", "2024-Q3", (2024, 7, 1)),
        ("%YQ%q", "2024Q1", (2024, 1, 1)),
        ("%G-W%V", "2024-W05", (2024, 1, 29)),
        ("%G-W%V", "2020-W53", (2020, 12, 28)),
        ("%Y", "1999", (1999, 1, 1)),
        ("%d/%m/%y", "31/12/68", (2068, 12, 31)),
        ("%d/%m/%y", "31/12/69", (1969, 12, 31)),
        ("%d %B %Y", "1 MAY 2024", (2024, 5, 1)),
        ("%d/%m/%Y", "1/2/2024", (2024, 2, 1)),
        ("%d/%m/%Y %I:%M %p", "31/01/2024 12:00 a.m.", (2024, 1, 31, 0, 0)),
        ("%d/%m/%Y %I:%M %p", "31/01/2024 12:30 PM", (2024, 1, 31, 12, 30)),
        ("%d/%m/%Y %H:%M%z", "31/01/2024 13:00+0130", (2024, 1, 31, 11, 30)),
        ("%Y-%m-%d %H:%M:%S %z", "2024-01-31 13:00:00 UTC", (2024, 1, 31, 13)),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-01-31 13:00:00.123456789", (2024, 1, 31, 13, 0, 0, 123456)),
        ("%d/%m/%Y", "29/02/2024", (2024, 2, 29)),
        ("%d/%m/%Y", "29/02/2023", None),
        ("%d/%m/%Y", "00/01/2024", None),
        ("%d/%m/%Y", "31/00/2024", None),
        ("%d/%m/%Y", "31/01/2024 ", None),
        ("%d/%m/%Y", "31/01/24", None),
        ("%d/%m/%Y", "31/01/0999", None),
        ("%d/%m/%Y", "31/01/9000", None),
        ("%d/%m/%Y", "٣١/٠١/٢٠٢٤", None),
        ("%Y%m%d", "2024131", None),
        ("%G-W%V", "2021-W53", None),
        ("%G-W%V", "2021-W00", None),
        ("%Y-%j", "2023-366", None),
        ("%d/%m/%Y %H:%M", "31/01/2024 24:00", None),
        ("%d/%m/%Y %H:%M:%S", "31/12/2016 23:59:60", None),
        ("%d/%m/%Y %I:%M %p", "31/01/2024 13:00 PM", None),
        ("%d/%m/%Y %H:%M%z", "31/01/2024 13:00+24:00", None),
        ("%b %Y", "Mai 2024", None),
    ],
)
def test_layout(ds_format: str, text: str, moment: tuple[int, ...] | None) -> None:
    assert read(ds_format, text, None) == [None if moment is None else count(*moment), None]


@pytest.mark.parametrize(
    ("ds_format", "text", "micros"),
    [
        ("epoch_s", "1706659200", 1_706_659_200_000_000),
        ("epoch_s", "-86400", -86_400_000_000),
        ("epoch_s", "-0.25", -250_000),
        ("epoch_s", "1706659200.1234567", 1_706_659_200_123_456),
        ("epoch_ms", "1706659200123", 1_706_659_200_123_000),
        ("epoch_ms", "1706659200123.0", 1_706_659_200_123_000),
        ("epoch_ms", "1.5", 1_500),
        ("epoch_us", "1706659200123456", 1_706_659_200_123_456),
        ("epoch_ns", "1706659200123456789", 1_706_659_200_123_456),
        ("epoch_ns", "9223372036854775807", 9_223_372_036_854_775),
        ("epoch_s", "221845392000", None),
        ("epoch_s", "9999999999999999999", None),
        ("epoch_s", "99999999999999999999", None),
        ("epoch_s", "1.7e9", None),
        ("epoch_s", "", None),
    ],
)
def test_numbers_since_1970(ds_format: str, text: str, micros: int | None) -> None:
    assert read(ds_format, text) == [micros]


@settings(max_examples=50, deadline=None)
@given(micros=st.integers(count(1001, 1, 1), count(8999, 12, 31)), unit=st.sampled_from(list(EPOCHS)))
def test_a_number_is_the_same_time_in_every_unit(micros: int, unit: str) -> None:
    size = EPOCHS[unit]
    number = micros * -size if size < 0 else micros // size
    if len(str(abs(number))) > 19:
        return
    assert read(unit, str(number)) == [micros if size < 0 else number * size]


def test_dates_and_naive_times_are_told_apart() -> None:
    texts = pa.array(["31/01/2024"])
    date = parse_ds_format("%d/%m/%Y").read(texts)
    assert (date.dates.tolist(), date.naive.tolist()) == ([True], [True])
    time = parse_ds_format("%d/%m/%Y %H").read(pa.array(["31/01/2024 00"]))
    assert (time.dates.tolist(), time.naive.tolist()) == ([False], [True])
    instant = parse_ds_format("epoch_s").read(pa.array(["0"]))
    assert (instant.dates.tolist(), instant.naive.tolist()) == ([False], [False])
    offset = parse_ds_format("%d/%m/%Y %H %z").read(pa.array(["31/01/2024 13 -03:30", "31/01/2024 13 GMT"]))
    assert offset.offset.tolist() == [-12_600_000_000, 0]
    assert offset.naive.tolist() == [False, False]
    assert np.array_equal(offset.wall, [count(2024, 1, 31, 13)] * 2)


@pytest.mark.parametrize(
    ("ds_format", "why"),
    [
        ("YYYY-MM-DD", "'YYYY-MM-DD' is no layout; send one such as %d/%m/%Y"),
        ("", "is no layout"),
        ("%", "% is not a directive"),
        ("%x", "%x is not a directive"),
        ("%-d/%m/%Y", "%- is not a directive"),
        ("%d/%m", "it names no date"),
        ("%d/%m/%Y %M", "its time is not whole"),
        ("%d/%m/%Y %I:%M", "its time is not whole"),
        ("%d/%m/%Y %z", "%z only after a time"),
        ("%d/%m/%Y %d", "names one thing twice"),
        ("%d/%m/%b/%Y", "names one thing twice"),
        ("epoch", "'epoch' is no layout"),
    ],
)
def test_a_format_that_cannot_be_followed_is_refused(ds_format: str, why: str) -> None:
    with pytest.raises(DsFormatError) as e:
        parse_ds_format(ds_format)
    assert why in str(e.value)
