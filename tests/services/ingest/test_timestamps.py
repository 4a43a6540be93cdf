"""The timestamps of imported tables, over HTTP: timezones, clock changes, and the frequencies of new series."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from app.services.series.checks import MOST_EXPLAINED

pytestmark = pytest.mark.one_database  # what is read is the same; tests of the import itself write it to both


def send(client: TestClient, ds: Sequence[str] | dict[str, Sequence[str]], **params: str) -> Any:
    """Import series of the value 1: `a`, or those of a dictionary."""
    tables = ds if isinstance(ds, dict) else {"a": ds}
    rows = [f"{name},{text},1" for name, texts in tables.items() for text in texts]
    text = "\n".join(["unique_id,ds,y", *rows]) + "\n"
    return client.post("/series/import", params=params, content=text, headers={"content-type": "text/csv"})


def read_ds(client: TestClient, name: str = "a") -> list[str]:
    ds: list[str] = client.get(f"/series/{name}/observations").json()["ds"]
    return ds


def refuse(client: TestClient, ds: Sequence[str] | dict[str, Sequence[str]], **params: str) -> tuple[str, str]:
    """Return code and detail of an import that must be refused, and leave nothing."""
    before = client.get("/series").json()["items"]
    response = send(client, ds, **params)
    assert response.status_code == 422, response.text
    assert client.get("/series").json()["items"] == before
    return response.json()["code"], response.json()["detail"]


def spell_days(start: str, periods: int, timezone: str, freq: str = "D") -> list[str]:
    """Return dates as `DataFrame.to_csv` writes them in a timezone, with their offsets."""
    return [str(day) for day in pd.date_range(start, periods=periods, freq=freq, tz=timezone)]


@pytest.mark.parametrize(
    ("ds", "meaning"),
    [
        ("45292", "serial number of Excel: 2024-01-01"),
        ("01/02/2024", "2024-02-01 with ds_format=%d/%m/%Y or 2024-01-02 with ds_format=%m/%d/%Y"),
        ("3", "ds_start="),
        ("", "ds is empty"),
        ("  ", "ds is empty"),
    ],
)
def test_what_is_no_timestamp_is_named(client: TestClient, ds: str, meaning: str) -> None:
    code, detail = refuse(client, [ds], freq="D")
    assert (code, meaning in detail) == ("invalid_timestamp", True), detail


@pytest.mark.parametrize(
    ("ds", "guess", "meaning"),
    [
        ("1704121200000", "epoch_ms", "2024-01-01T15:00:00+00:00"),
        ("1704121200", "epoch_s", "2024-01-01T15:00:00+00:00"),
        ("31.01.2024", "%d.%m.%Y", "2024-01-31T00:00:00+00:00"),
    ],
)
def test_a_layout_that_can_be_read_in_one_way_is_a_guess(client: TestClient, ds: str, guess: str, meaning: str) -> None:
    response = send(client, [ds], freq="h")
    assert [(g["parameter"], g["value"]) for g in response.json()["guesses"]] == [("ds_format", guess)]
    assert read_ds(client) == [meaning]


@pytest.mark.parametrize(
    ("timezone", "day", "first"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"),
        ("America/Havana", "2024-03-10", "2024-03-10T01:00:00-04:00"),
        ("America/Havana", "2024-11-03", "2024-11-03T00:00:00-04:00"),
        ("Asia/Beirut", "2024-03-31", "2024-03-31T01:00:00+03:00"),
        ("Africa/Cairo", "2024-04-26", "2024-04-26T01:00:00+03:00"),
        ("Asia/Tehran", "2022-03-22", "2022-03-22T01:00:00+04:30"),
    ],
)
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"])
@pytest.mark.parametrize("freq", ["D", None])
def test_days_whose_midnight_is_skipped_or_repeated(
    client: TestClient, timezone: str, day: str, first: str, form: str, freq: str | None
) -> None:
    days = pd.date_range(pd.Timestamp(day) - pd.Timedelta("4D"), periods=9).strftime(form).tolist()
    params = {"timezone": timezone} | ({} if freq is None else {"freq": freq})
    assert send(client, days, **params).json()["inserted"] == 9
    assert client.get("/series/a").json()["freq"] == "D"
    assert read_ds(client)[4] == first


def test_weeks_and_months_begin_on_days_without_midnight(client: TestClient) -> None:
    sundays = [str(day.date()) for day in pd.date_range("2018-10-14", periods=6, freq="W-SUN")]
    assert send(client, sundays, timezone="America/Sao_Paulo", freq="W").json()["inserted"] == 6
    assert read_ds(client)[3] == "2018-11-04T01:00:00-02:00"


def test_a_missing_midnight_of_an_hourly_series_is_refused(client: TestClient) -> None:
    hours = ["2018-11-03 23:00", "2018-11-04 00:00", "2018-11-04 02:00"]
    code, detail = refuse(client, hours, timezone="America/Sao_Paulo", freq="h")
    assert code == "nonexistent_time"
    assert "row 2" in detail


@pytest.mark.parametrize(
    ("ds", "zone"),
    [
        (spell_days("2024-03-18", 30, "Europe/Berlin"), "Europe/Berlin"),
        (spell_days("2024-03-01", 30, "America/New_York"), "America/New_York"),
        (spell_days("2024-03-18", 30, "Europe/London"), "Europe/London"),
        (spell_days("2023-11-01", 4, "Europe/Berlin", "MS"), "Europe/Berlin"),  # one offset: not the ends of months
        (spell_days("2024-01-01", 12, "Europe/Berlin", "W-MON"), "Europe/Berlin"),
        (spell_days("2024-01-01", 12, "Asia/Kolkata"), "Asia/Kolkata"),
        (spell_days("2024-03-18 08:00", 30, "Europe/Berlin"), "Europe/Berlin"),
    ],
)
@pytest.mark.parametrize("freq", [None, "own"])
def test_days_with_offsets_need_their_timezone(client: TestClient, ds: list[str], zone: str, freq: str | None) -> None:
    step = pd.infer_freq(pd.DatetimeIndex([text[:19] for text in ds]))
    params = {} if freq is None else {"freq": str(step)}
    code, detail = refuse(client, ds, **params)
    assert code == "timezone_mismatch"
    assert f"timezone={zone}" in detail
    assert send(client, ds, timezone=zone, **params).json()["inserted"] == len(ds)
    assert client.get("/series/a").json()["freq"] == step
    assert [text.replace("T", " ") for text in read_ds(client)] == ds


@pytest.mark.parametrize(
    ("ds", "freq"),
    [
        ([str(h) for h in pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Berlin")], "h"),
        ([f"2024-01-{day:02d}T00:00:00+00:00" for day in range(1, 10)], "D"),
        ([f"2024-01-{day:02d}T08:00:00+01:00" for day in range(1, 10)], "D"),
    ],
)
def test_offsets_that_leave_the_days_of_utc_alone(client: TestClient, ds: list[str], freq: str) -> None:
    assert send(client, ds).json()["inserted"] == len(ds)
    assert client.get("/series/a").json() | {"freq": freq, "timezone": "UTC"} == client.get("/series/a").json()


def test_a_timezone_that_contradicts_the_offsets_is_named(client: TestClient) -> None:
    days = spell_days("2024-03-18", 30, "Europe/Berlin")
    code, detail = refuse(client, days, timezone="UTC")
    assert (code, "timezone=Europe/Berlin" in detail) == ("invalid_frequency", True)
    code, detail = refuse(client, days, timezone="UTC", freq="D")
    assert (code, "timezone=Europe/Berlin" in detail) == ("off_grid", True)


@pytest.mark.parametrize("freq", [None, "D"])
def test_midnights_that_are_written_in_utc_name_their_timezone(client: TestClient, freq: str | None) -> None:
    days = [str(day) for day in pd.date_range("2024-03-18", periods=30, freq="D", tz="Europe/Berlin").tz_convert("UTC")]
    params = {} if freq is None else {"freq": freq}
    assert "timezone=Europe/Berlin" in refuse(client, days, **params)[1]
    assert send(client, days, timezone="Europe/Berlin", **params).json()["inserted"] == 30


def test_days_across_a_clock_change_are_not_24_hours(client: TestClient) -> None:
    days = [f"2024-03-{day}" for day in (28, 29, 30, 31)] + ["2024-04-01"]
    code, detail = refuse(client, days, timezone="Europe/Berlin", freq="24h")
    assert (code, "name freq=D" in detail) == ("off_grid", True)


def test_naive_hours_are_read_in_the_timezone_that_is_named(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "h", "timezone": "UTC"})
    hours = ["2024-07-01 12:00", "2024-07-01 13:00"]
    assert send(client, hours, timezone="Europe/Berlin").json()["inserted"] == 2
    assert read_ds(client) == ["2024-07-01T10:00:00+00:00", "2024-07-01T11:00:00+00:00"]
    assert send(client, ["2024-07-01T12:00:00Z"], timezone="Europe/Berlin").json()["inserted"] == 1
    assert send(client, ["2024-07-01 13:00"]).json()["inserted"] == 1  # the series' own where none is named
    assert read_ds(client)[2:] == ["2024-07-01T12:00:00+00:00", "2024-07-01T13:00:00+00:00"]


@pytest.mark.parametrize("filled", [True, False])
def test_days_of_another_timezone_are_refused(client: TestClient, filled: bool) -> None:
    client.post("/series", json={"id": "a", "freq": "D", "timezone": "UTC"})
    if filled:
        assert send(client, ["2024-01-01", "2024-01-02"]).json()["inserted"] == 2
    code, detail = refuse(client, ["2024-01-03"], timezone="Europe/Berlin")
    assert code == "timezone_mismatch"
    assert "leave timezone= out" in detail
    assert send(client, ["2024-01-03"], timezone="Etc/UTC").json()["inserted"] == 1
    assert send(client, ["2024-01-04T00:00:00Z"], timezone="Europe/Berlin").json()["inserted"] == 1


def test_half_hours_of_another_timezone_leave_an_hourly_grid(client: TestClient) -> None:
    assert send(client, ["2024-01-01T00:00", "2024-01-01T01:00"], freq="h").json()["inserted"] == 2
    assert refuse(client, ["2024-01-02T00:00"], timezone="Asia/Kolkata")[0] == "timezone_mismatch"


AUTUMN = {
    "hours": ["01:00", "02:00", "02:00", "03:00"],
    "half hours": ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"],
    "a gap": ["01:30", "02:00", "02:30", "02:30", "03:00"],
    "newest first": ["03:00", "02:30", "02:00", "02:30", "02:00", "01:30"],
}


@pytest.mark.parametrize("name", AUTUMN)
def test_the_order_of_rows_tells_the_hour_that_exists_twice(client: TestClient, name: str) -> None:
    ds = [f"2024-10-27 {time}" for time in AUTUMN[name]]
    freq = "h" if name == "hours" else "30min"
    code, detail = refuse(client, ds, timezone="Europe/Berlin", freq=freq)
    assert (code, "ambiguous=infer" in detail) == ("ambiguous_time", True)
    report = send(client, ds, timezone="Europe/Berlin", freq=freq, ambiguous="infer").json()
    assert report["inserted"] == len(ds)
    stored = read_ds(client)
    assert [text[11:16] for text in stored] == (AUTUMN[name][::-1] if name == "newest first" else AUTUMN[name])
    assert [text[19:] for text in stored if text[11:13] == "02"] == sorted(
        (text[19:] for text in stored if text[11:13] == "02"), reverse=True
    )


@pytest.mark.parametrize(
    "times",
    [
        ["01:00", "02:00", "03:00"],  # one of the two
        ["02:00", "02:30", "02:00", "02:30", "02:00"],  # twice back
        ["02:30", "02:00", "01:00", "02:30", "02:00"],  # not in order
        ["03:00", "02:00", "02:00", "04:00"],
    ],
)
def test_an_order_that_does_not_tell_is_refused(client: TestClient, times: list[str]) -> None:
    ds = [f"2024-10-27 {time}" for time in times]
    code, detail = refuse(client, ds, timezone="Europe/Berlin", freq="30min", ambiguous="infer")
    assert (code, "order of the rows does not tell" in detail) == ("ambiguous_time", True)


def test_rows_with_offsets_may_leave_one_possibility(client: TestClient) -> None:
    ds = ["2024-10-27T02:30:00+02:00", "2024-10-27 02:00", "2024-10-27 03:00"]
    assert send(client, ds, timezone="Europe/Berlin", freq="30min", ambiguous="infer").json()["inserted"] == 3
    assert read_ds(client)[1] == "2024-10-27T02:00:00+01:00"


@pytest.mark.parametrize(
    ("stray", "rows", "freq"),
    [
        ("2024-01-01", pd.date_range("2024-02-01", periods=12, freq="3MS"), "3MS"),
        ("2024-01-01", pd.date_range("2024-01-02", periods=12, freq="2D"), "2D"),
        ("2024-01-01", pd.date_range("2024-01-08", periods=12, freq="2W-MON"), "2W-MON"),
        ("2024-01-01", pd.date_range("2024-01-02", periods=12, freq="2B"), "2B"),
    ],
)
def test_a_stray_first_row_is_rejected_and_no_other(
    client: TestClient, stray: str, rows: pd.DatetimeIndex, freq: str
) -> None:
    report = send(client, [stray, *(str(day.date()) for day in rows)], freq=freq, on_error="skip").json()
    assert (report["inserted"], [r["row"] for r in report["rejected"]]) == (12, [1])


def test_five_working_days_are_days(client: TestClient) -> None:
    assert send(client, [f"2024-01-0{day}" for day in range(1, 6)]).json()["inserted"] == 5
    assert client.get("/series/a").json()["freq"] == "D"
    assert send(client, ["2024-01-06"]).json()["inserted"] == 1


@pytest.mark.parametrize(
    ("freq", "ds", "cause"),
    [
        ("W", ["2024-01-01", "2024-01-08", "2024-01-15"], "these are Mondays: name freq=W-MON"),
        ("W", ["2024-01-01"], "these are Mondays: name freq=W-MON"),
        ("QE", ["2024-01-01", "2024-04-01"], "name freq=QS-JAN"),
        ("MS", ["2024-01-31", "2024-02-29"], "name freq=ME"),
        ("YS", ["2023-04-01", "2024-04-01"], "name freq=YS-APR"),
    ],
)
def test_the_frequency_that_the_rows_have_is_named(client: TestClient, freq: str, ds: list[str], cause: str) -> None:
    code, detail = refuse(client, ds, freq=freq)
    assert (code, cause in detail) == ("off_grid", True), detail
    assert send(client, ds, freq=freq, on_error="skip").json()["rejected_rows"] == len(ds)
    assert client.get("/series").json()["items"] == []  # a series of a wrong frequency would be in the way
    assert send(client, ds, freq=cause.rpartition("=")[2]).json()["inserted"] == len(ds)


def test_a_short_series_takes_the_frequency_of_all_others(client: TestClient) -> None:
    days = [f"2024-01-{day:02d}" for day in range(1, 11)]
    report = send(client, {"a new one": days[:1], "b": days, "c": days[3:], "d": days[:1] * 2}, on_duplicate="last")
    assert report.json()["assumed"] == [{"series_id": "a new one", "freq": "D"}, {"series_id": "d", "freq": "D"}]
    assert report.json()["inserted"] == 19
    assert client.get("/series/a new one").json()["freq"] == "D"


def test_a_short_series_among_several_frequencies_is_named(client: TestClient) -> None:
    days = [f"2024-01-{day:02d}" for day in range(1, 11)]
    hours = [f"2024-01-01T{hour:02d}:00" for hour in range(10)]
    code, detail = refuse(client, {"new": days[:1], "b": days, "c": hours})
    assert code == "invalid_frequency"
    assert "series 'new' has 1 distinct timestamp" in detail
    assert "D and h" in detail
    assert "freq=" in detail
    report = send(client, {"new": days[:1], "b": days, "c": hours}, on_error="skip").json()
    assert (report["inserted"], report["assumed"], [r["row"] for r in report["rejected"]]) == (20, [], [1])


@pytest.mark.parametrize(
    ("stored", "named"),
    [("h", "60min"), ("QE", "QE-MAR"), ("3MS", "QS"), ("QS", "3MS"), ("24h", "D"), ("W", "7D"), ("12MS", "YS-JAN")],
)
def test_another_name_of_a_frequency_is_the_same(client: TestClient, stored: str, named: str) -> None:
    dates = [day.isoformat() for day in pd.date_range("2024-01-01", periods=8, freq=stored)]
    assert send(client, dates[:4], freq=stored).json()["inserted"] == 4
    assert send(client, dates[4:], freq=named).json()["inserted"] == 4
    assert refuse(client, dates, freq="B")[0] == "frequency_mismatch"


def test_integer_steps_of_a_series_that_exists(client: TestClient) -> None:
    assert send(client, ["2024-01-01T00:00", "2024-01-01T01:00"], freq="h").json()["inserted"] == 2
    assert send(client, ["0", "1"], ds_start="2024-01-01T02:00", freq="h").json()["inserted"] == 2
    code, detail = refuse(client, ["0", "1"], ds_start="2024-01-01T02:30", freq="h")
    assert (code, "ds_start" in detail) == ("off_grid", True)
    assert refuse(client, ["0"], ds_start="2024-01-01T02:00", freq="D")[0] == "frequency_mismatch"


def test_integer_steps_begin_on_a_day_without_midnight(client: TestClient) -> None:
    report = send(client, ["0", "1"], ds_start="2018-11-04", freq="D", timezone="America/Sao_Paulo").json()
    assert report["inserted"] == 2
    assert read_ds(client)[0] == "2018-11-04T01:00:00-02:00"


def test_many_rows_off_the_grid_get_short_messages(client: TestClient) -> None:
    hours = [f"{h}Z" for h in pd.date_range("2024-01-01", periods=400, freq="h").strftime("%Y-%m-%dT%H:%M")]
    off = [h.replace(":00Z", ":07Z") for h in hours[: MOST_EXPLAINED + 50]]
    report = send(client, [*hours, *off], freq="h", on_error="skip").json()
    assert report["rejected"][-1]["detail"] == "not on the series' grid"
