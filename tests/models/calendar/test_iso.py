"""Texts as times: what is read, in bulk and row by row alike, and what is not."""

import random
from datetime import datetime, timedelta

import numpy as np
import pytest

from models.calendar.iso import read_times

MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1)


def wall(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected", "offset"),
    [
        ("2024-01-31", "2024-01-31", None),
        ("20240131", "2024-01-31", None),
        ("2024-01-31T13", "2024-01-31T13:00", None),
        ("2024-01-31 13:05", "2024-01-31T13:05", None),
        ("2024-01-31t13:05:06z", "2024-01-31T13:05:06", 0),
        ("20240131T130506Z", "2024-01-31T13:05:06", 0),
        ("20240131 13:05", "2024-01-31T13:05", None),
        ("2024-01-31T13:05:06.5", "2024-01-31T13:05:06.500000", None),
        ("2024-01-31T13:05:06,25", "2024-01-31T13:05:06.250000", None),
        ("2024-01-31T13:05:06.123456789Z", "2024-01-31T13:05:06.123456", 0),
        ("2024-01-31T13:05:06+05:30", "2024-01-31T13:05:06", 330),
        ("2024-01-31T13:05:06-0330", "2024-01-31T13:05:06", -210),
        ("2024-01-31T13:05+01", "2024-01-31T13:05", 60),
        ("2024-02-29", "2024-02-29", None),
    ],
)
@pytest.mark.parametrize("count", [1, 1000])
def test_what_is_read(text: str, expected: str, offset: int | None, count: int) -> None:
    times = read_times([text] * count)
    assert times.readable.all()
    assert times.wall.tolist() == [wall(expected)] * count
    assert times.naive.tolist() == [offset is None] * count
    assert times.offset.tolist() == [(offset or 0) * MINUTE] * count
    assert times.dates.tolist() == [":" not in text and "T" not in text] * count


@pytest.mark.parametrize(
    "text",
    [
        "1704121200",
        "1704121200000",
        "12345678",
        "2024001",
        "2024-W01-1",
        "2024W011",
        "2024-001",
        "2024-01",
        "202401",
        "13:00",
        "2024-01-01T24:00",
        "2024-01-01x00:00",
        "2024-01-01T00:00:00+01:00:30",
        "2024-01-01T10-05",
        "2024-01-01+01:00",
        "2024-01-01T00:00 +01:00",
        "2024-01-01T00:00:60",
        "2024-01-01T00:60",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "2024-01-01T00:00+24:00",
        "2024-01-01T00:00+01:60",
        " 2024-01-01",
        "2024-01-01\n",
        "2024-01-01\x00",
        "２０２４-01-01",
        "24-01-01",
        "",
    ],
)
@pytest.mark.parametrize("count", [1, 1000])
def test_what_is_not_read(text: str, count: int) -> None:
    good = ["2024-01-01", "2024-01-01T00:00:00Z"] * count
    assert read_times([*good, text]).readable.tolist() == [True] * 2 * count + [False]


def test_rows_of_all_layouts_keep_their_places() -> None:
    rng = random.Random(0)
    texts = []
    for _ in range(3000):
        text = f"{rng.randint(1000, 8999)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        if rng.random() < 0.8:
            text += f"{rng.choice('T ')}{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}"
            text += rng.choice(["", ".5", ".123456"]) + rng.choice(["", "Z", "+01:00", "-0330", "+05"])
        texts.append(text)
    times = read_times(texts)
    assert times.readable.all()
    for row, text in enumerate(texts):
        parsed = datetime.fromisoformat(text)
        assert times.wall[row] == (parsed.replace(tzinfo=None) - EPOCH) // timedelta(microseconds=1)
        assert times.offset[row] == (parsed.utcoffset() or timedelta(0)) // timedelta(microseconds=1)
        assert times.naive[row] == (parsed.tzinfo is None)


def test_no_rows() -> None:
    assert np.array_equal(read_times([]).wall, np.zeros(0))
