import numpy as np
import pyarrow as pa
import pytest

from app.services.ingest.ds import DsReader
from app.services.ingest.ds_formats import parse_ds_format
from app.services.ingest.ds_guesses import GUESSED, NAMED, explain_cell


def read(*batches: list[str]) -> tuple[list[str | None], list[str]]:
    """Return the UTC times of all cells, None where unreadable, and the values of the guesses."""
    reader = DsReader(None)
    texts: list[str | None] = []
    for batch in batches:
        times = reader.read(pa.array(batch))
        walls = np.datetime_as_string((times.wall - times.offset).view("M8[us]"), unit="m").tolist()
        texts += [wall if known else None for wall, known in zip(walls, times.readable, strict=True)]
    return texts, [guess.value for guess in reader.guesses]


def test_every_layout_can_be_sent() -> None:
    names = [*GUESSED, *NAMED]
    assert [parse_ds_format(name).name for name in names] == names


@pytest.mark.parametrize(
    ("cells", "expected", "guess"),
    [
        (["31/01/2024", "01/02/2024"], ["2024-01-31T00:00", "2024-02-01T00:00"], "%d/%m/%Y"),
        (["01/02/2024", "01/31/2024"], ["2024-01-02T00:00", "2024-01-31T00:00"], "%m/%d/%Y"),
        (["01-02-2024 13:00", "13-02-2024 9:30"], ["2024-02-01T13:00", "2024-02-13T09:30"], "%d-%m-%Y %H:%M"),
        (["1/2/2024 1:00 PM", "1/13/2024 12:00 AM"], ["2024-01-02T13:00", "2024-01-13T00:00"], "%m/%d/%Y %I:%M %p"),
        (["01.02.2024 13:00"], ["2024-02-01T13:00"], "%d.%m.%Y %H:%M"),
        (["2024/01/02"], ["2024-01-02T00:00"], "%Y/%m/%d"),
        (["2024-1-2"], ["2024-01-02T00:00"], "%Y-%m-%d"),
        (["31-Jan-2024"], ["2024-01-31T00:00"], "%d-%b-%Y"),
        (["Jan 31, 2024"], ["2024-01-31T00:00"], "%b %d, %Y"),
        (["May 2024", "Jun 2024"], ["2024-05-01T00:00", "2024-06-01T00:00"], "%b %Y"),
        (["2024-01", "2024-12"], ["2024-01-01T00:00", "2024-12-01T00:00"], "%Y-%m"),
        (["2024Q1", "2024Q4"], ["2024-01-01T00:00", "2024-10-01T00:00"], "%YQ%q"),
        (["2024-W05"], ["2024-01-29T00:00"], "%G-W%V"),
        (["2024-01-01 00:00:00 UTC"], ["2024-01-01T00:00"], "%Y-%m-%d %H:%M:%S %z"),
        (["20240131130000"], ["2024-01-31T13:00"], "%Y%m%d%H%M%S"),
        (["20240131"], ["2024-01-31T00:00"], "%Y%m%d"),
        (["1706706000"], ["2024-01-31T13:00"], "epoch_s"),
        (["1706706000.0"], ["2024-01-31T13:00"], "epoch_s"),
        (["1706706000000"], ["2024-01-31T13:00"], "epoch_ms"),
        (["1706706000000000"], ["2024-01-31T13:00"], "epoch_us"),
        (["1706706000000000000"], ["2024-01-31T13:00"], "epoch_ns"),
        (["2024013113", "1899999999"], ["2034-02-20T01:51", "2030-03-17T17:46"], "epoch_s"),
        (["05/05/2024"], ["2024-05-05T00:00"], "%d/%m/%Y"),
    ],
)
def test_a_layout_is_guessed_where_the_column_shows_one_alone(
    cells: list[str], expected: list[str], guess: str
) -> None:
    assert read(cells) == (expected, [guess])


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["01/02/2024"], "is 2024-02-01 with ds_format=%d/%m/%Y or 2024-01-02 with ds_format=%m/%d/%Y; send the one"),
        (["31/01/2024", "01/31/2024"], "is 2024-01-31 with ds_format=%d/%m/%Y; send that, if all of ds is meant so"),
        (["01-02-2024 00:00"], "2024-02-01 with ds_format=%d-%m-%Y %H:%M or 2024-01-02 with ds_format=%m-%d-%Y %H:%M"),
        (
            ["01/02/24"],
            "ds_format=%d/%m/%y or 2024-01-02 with ds_format=%m/%d/%y or 2001-02-24 with ds_format=%y/%m/%d",
        ),
        (["2024"], "is 2024-01-01 with ds_format=%Y; send that, if all of ds is meant so, or ds_start= and freq="),
        (
            ["200101"],
            "is 2001-01-01 with ds_format=%Y%m or 2020-01-01 with ds_format=%y%m%d; send the one that is meant",
        ),
        (
            ["2024013113"],
            "13:00:00 with ds_format=%Y%m%d%H or 2034-02-20T01:51:53 with ds_format=epoch_s; send the one",
        ),
        (
            ["202401311300"],
            "with ds_format=%Y%m%d%H%M or 1976-05-31T14:35:11.300000 with ds_format=epoch_ms; send the one",
        ),
        (["01022024"], "is 2024-02-01 with ds_format=%d%m%Y or 2024-01-02 with ds_format=%m%d%Y; send the one"),
        (["1", "2"], "ds_start= and freq= where ds counts steps"),
        (["1"], "or ds_format=epoch_s or epoch_ms or epoch_us or epoch_ns where it is a time since 1970"),
        (["45000"], "a serial number of Excel: 2023-03-15"),
        (["2024-01-01T24:00"], "the end of a day"),
        (["2016-12-31T23:59:60"], "is not an ISO 8601 timestamp"),
        (["2024-01-01 00:00 CET"], "the name of a timezone"),
        (["2024-01-01 00:00 Europe/Berlin"], "the name of a timezone"),
        (["now"], "is not an ISO 8601 timestamp"),
    ],
)
def test_what_has_two_readings_or_none_is_refused(cells: list[str], why: str) -> None:
    reader = DsReader(None)
    assert not reader.read(pa.array(cells)).readable.any()
    code, detail = reader.explain(cells[0])
    assert (code, reader.guesses) == ("invalid_timestamp", [])
    assert why in detail
    assert len(detail) < 400


def test_a_layout_is_kept_for_all_of_the_table() -> None:
    assert read(["31/01/2024"], ["01/02/2024"])[0] == ["2024-01-31T00:00", "2024-02-01T00:00"]
    assert read(["31/01/2024"], ["01/31/2024", "2024-01-31"])[0] == ["2024-01-31T00:00", None, None]
    assert read(["2024-01-31"], ["31/01/2024"])[0] == ["2024-01-31T00:00", None]
    assert read(["1706706000"], ["1706706000000"])[0] == ["2024-01-31T13:00", None]


def test_layouts_that_agree_stay_open_until_they_differ() -> None:
    """The first of a month that is the month's number; 13 can be no month."""
    assert read(["01/01/2024"], ["01/13/2024"], ["01/02/2024"]) == (
        ["2024-01-01T00:00", "2024-01-13T00:00", "2024-01-02T00:00"],
        ["%m/%d/%Y"],
    )
    assert read(["01/01/2024"], ["01/02/2024"])[0] == ["2024-01-01T00:00", None]


def test_one_bad_cell_does_not_hide_the_layout() -> None:
    reader = DsReader(None)
    assert reader.read(pa.array(["31/01/2024", "soon", "31/02/2024"])).readable.tolist() == [True, False, False]
    assert (
        reader.explain("31/02/2024")[1] == "'31/02/2024' is no time of ds_format=%d/%m/%Y, which other cells of ds have"
    )


def test_a_cell_of_another_layout_than_the_named_one_is_told_its_own() -> None:
    layout = parse_ds_format("%d/%m/%Y")
    assert explain_cell("2024-01-31", layout, [], is_iso=False).endswith("ISO 8601, which is read without ds_format")
    assert explain_cell("01/31/2024", layout, [], is_iso=False).endswith("it would fit ds_format=%m/%d/%Y")
    assert explain_cell("soon", layout, [], is_iso=False) == "'soon' is no time of ds_format=%d/%m/%Y"
    assert explain_cell("  ", layout, [], is_iso=False) == "ds is empty; give the row its timestamp"
