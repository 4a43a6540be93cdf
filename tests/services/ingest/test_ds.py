from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Invalid
from app.services.ingest.ds import DsReader
from models.calendar.iso import WrittenTimes, read_times

NOON = 1_706_702_400_000_000
"""microseconds of 2024-01-31T12:00:00Z"""
FIELDS = ("wall", "offset", "readable", "naive", "dates")


def list_columns(times: WrittenTimes) -> list[list[int]]:
    """Return all five columns."""
    return [getattr(times, name).tolist() for name in FIELDS]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.one_of(
            st.datetimes(datetime(1000, 1, 2), datetime(8999, 12, 30)).map(datetime.isoformat),
            st.dates(datetime(1000, 1, 2).date(), datetime(8999, 12, 30).date()).map(str),
            st.datetimes(timezones=st.sampled_from([UTC])).map(datetime.isoformat),
            st.sampled_from(["", "soon", "2024-02-30", "2024-01-01T24:00", "2024-01-31T13+01", "20240131"]),
        ),
        min_size=1,
        max_size=30,
    ),
    encode=st.sampled_from([pa.array, lambda texts: pa.array(texts).dictionary_encode()]),
    repeats=st.sampled_from([1, 5]),
)
def test_iso_8601_is_read_as_everywhere(
    texts: list[str], encode: Callable[[list[str]], pa.Array], repeats: int
) -> None:
    expected = read_times(["2024-01-31", *texts] * repeats)
    assert list_columns(DsReader(None).read(encode(["2024-01-31", *texts] * repeats))) == list_columns(expected)


@pytest.mark.parametrize(
    ("column", "naive"),
    [
        (pa.array([NOON, None], pa.timestamp("us")), True),
        (pa.array([NOON // 1000, None], pa.timestamp("ms")), True),
        (pa.array([NOON * 1000 + 1, None], pa.timestamp("ns", "UTC")), False),
        (pa.array([NOON, None], pa.timestamp("us", "UTC")), False),
        (pa.array([NOON, None], pa.timestamp("us", "Europe/Berlin")), False),
        (pa.array([NOON // 1_000_000, None], pa.int64()), False),
        (pa.array([NOON / 1_000_000, None], pa.float64()), False),
        (pa.array([str(NOON), None], pa.string()), False),
        (pa.array(["2024-01-31 12:00", None], pa.large_string()), True),
        (pa.array(["2024-01-31 12:00", None]).dictionary_encode(), True),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["31/01/2024 12:00", None])), True),
        (pa.array([" 2024-01-31T12:00Z ", None]), False),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else str(value),
)
def test_a_column_of_any_type(column: pa.Array, *, naive: bool) -> None:
    times = DsReader(None).read(column)
    assert list_columns(times) == [[NOON, 0], [0, 0], [True, False], [naive, False], [False, False]]


def test_whole_numbers_are_dates_where_they_name_one() -> None:
    reader = DsReader(None)
    times = reader.read(pa.array([20240131, 20240201, None]))
    assert times.wall.view("M8[us]").astype("M8[D]").astype(str).tolist()[:2] == ["2024-01-31", "2024-02-01"]
    assert times.dates.tolist() == [True, True, False]
    assert [(guess.parameter, guess.value) for guess in reader.guesses] == [("ds_format", "%Y%m%d")]


def test_columns_without_a_time() -> None:
    for column in (pa.nulls(3), pa.nulls(3, pa.string()), pa.nulls(3, pa.string()).dictionary_encode()):
        reader = DsReader(None)
        assert not reader.read(column).readable.any()
        assert reader.explain(None)[1] == "ds is empty; give the row its timestamp"
    assert len(DsReader(None).read(pa.array([], pa.string())).wall) == 0


def test_ds_format_is_of_texts_and_numbers() -> None:
    assert DsReader("%d/%m/%Y").read(pa.array(["01/02/2024"])).wall.view("M8[us]")[0] == np.datetime64("2024-02-01")
    assert DsReader("%m/%d/%Y").read(pa.array(["01/02/2024"])).wall.view("M8[us]")[0] == np.datetime64("2024-01-02")
    assert DsReader("%Y%m%d").read(pa.array([20240131])).dates.tolist() == [True]
    assert DsReader("epoch_ms").read(pa.array([5])).wall.tolist() == [5000]
    assert DsReader("%d/%m/%Y").read(pa.array([NOON], pa.timestamp("us"))).wall.tolist() == [NOON]
    assert DsReader("%d/%m/%Y").guesses == []


def test_a_bad_ds_format_is_refused() -> None:
    with pytest.raises(Invalid) as e:
        DsReader("dd/mm/yyyy")
    assert (e.value.code, e.value.status) == ("invalid_input", 422)
    assert "send one such as %d/%m/%Y" in e.value.detail


@pytest.mark.parametrize("repeats", [1, 60])
def test_a_long_column_is_read_as_its_cells_are(repeats: int) -> None:
    """Both where texts repeat and where they do not: 2000 minutes, in a layout that is guessed."""
    minutes = np.datetime64("2024-01-20T22:00", "us") + np.arange(2000) * np.timedelta64(60_000_000, "us")
    texts = pc.strftime(pa.array(minutes), "%d/%m/%Y %H:%M")
    times = DsReader(None).read(pa.concat_arrays([texts] * repeats))
    assert np.array_equal(times.wall, np.tile(minutes.view(np.int64), repeats))
    assert times.readable.all()
