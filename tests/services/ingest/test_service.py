"""/series/import over HTTP."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.api.http.responses import IN_MEMORY


def send(client: TestClient, text: str | bytes, **params: str) -> Any:
    body = text.encode() if isinstance(text, str) else text
    return client.post("/series/import", params=params, content=body, headers={"content-type": "text/csv"})


def table(*rows: str, header: str = "unique_id,ds,y") -> str:
    return "\n".join([header, *rows]) + "\n"


HOURS = [f"2024-01-01T{n:02d}:00:00Z" for n in range(10)]
GOOD = [f"a,{t},{i}" for i, t in enumerate(HOURS)] + [f"b c/d,{t}," for t in HOURS]


def test_makes_series_and_infers_their_frequency(client: TestClient) -> None:
    report = send(client, "\ufeff" + table(*GOOD)).json()
    assert report == {
        "series": 2,
        "rows": 20,
        "inserted": 20,
        "updated": 0,
        "assumed": [],
        "rejected_rows": 0,
        "rejected": [],
    }
    assert client.get("/series/a").json()["freq"] == "h"
    assert client.get("/series/a/observations").json()["y"] == list(range(10))
    again = send(client, table(*GOOD)).json()
    assert (again["inserted"], again["updated"]) == (0, 20)


def test_other_columns_are_covariates(client: TestClient) -> None:
    rows = [f"a,{t},{i},{i * 2.5},{'wet' if i % 2 else ''}" for i, t in enumerate(HOURS[:4])]
    assert send(client, table(*rows, header="unique_id,ds,y,temp,sky")).status_code == 200
    found = client.get("/series/a/observations").json()["covariates"]
    assert found == {"temp": [0, 2.5, 5, 7.5], "sky": [None, "wet", None, "wet"]}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("a,nonsense,1", "invalid_timestamp"),
        ("a,2024-01-01T20:07:00Z,1", "off_grid"),
        ("a,2024-01-01T20:00:00Z,inf", "invalid_value"),
        ("a,2024-01-01T20:00:00Z,1e999", "invalid_value"),
        ("a,2024-01-01T20:00:00Z,many", "invalid_value"),
        ("a,2024-01-01T03:00:00Z,1", "duplicate_timestamp"),
        ("a,2024-01-01T20:00:00Z", "csv_malformed"),
        ("import,2024-01-01T20:00:00Z,1", "invalid_series_id"),
    ],
)
def test_a_bad_row_aborts_all_or_is_skipped(client: TestClient, row: str, code: str) -> None:
    text = table(*GOOD[:5], row, *GOOD[5:])
    refused = send(client, text)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["errors"][0]["field"] == "row 6"
    assert client.get("/series").json()["items"] == []
    report = send(client, text, on_error="skip").json()
    assert (report["rows"], report["inserted"], report["rejected_rows"]) == (21, 20, 1)
    assert (report["rejected"][0]["row"], report["rejected"][0]["code"]) == (6, code)


def test_dry_run_changes_nothing(client: TestClient) -> None:
    assert send(client, table(*GOOD), dry_run="true").json()["inserted"] == 20
    assert client.get("/series").json()["items"] == []


def test_duplicates_by_rule(client: TestClient) -> None:
    rows = [*GOOD[:5], f"a,{HOURS[2]},8"]
    assert send(client, table(*rows), on_duplicate="mean").json()["inserted"] == 5
    assert client.get("/series/a/observations").json()["y"] == [0, 1, 5, 3, 4]
    assert send(client, table(*rows), on_duplicate="last").json()["updated"] == 5
    assert client.get("/series/a/observations").json()["y"] == [0, 1, 8, 3, 4]


def test_integer_steps(client: TestClient) -> None:
    text = table("a,0,1", "a,1,2", "a,3,4")
    assert send(client, text, freq="MS", ds_start="2024-01-01").json()["inserted"] == 3
    assert client.get("/series/a").json()["last_ds"] == "2024-04-01T00:00:00+00:00"
    assert send(client, text, ds_start="2024-01-01").json()["code"] == "invalid_frequency"
    assert send(client, table("b,9999999,1"), freq="YS", ds_start="2024-01-01").status_code == 422


def test_an_existing_series_keeps_its_frequency(client: TestClient) -> None:
    client.post("/series", json={"id": "a", "freq": "D"})
    assert send(client, table("a,2024-01-01T00:00:00Z,1"), freq="h").json()["code"] == "frequency_mismatch"
    assert send(client, table("a,2024-01-01T00:00:00Z,1")).json()["inserted"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a,b\n1,2\n",
        b"unique_id,ds,y,y\n",
        b"unique_id,ds,y\n\xff\xfe,1,2\n",
        b'unique_id,ds,y\n"a,1,2\n',
        b"PAR1\x00\x01{broken",
    ],
)
def test_bodies_that_are_no_table(client: TestClient, body: bytes) -> None:
    response = send(client, body)
    assert (response.status_code, response.json()["code"]) == (422, "csv_malformed")


def test_two_rows_show_no_frequency(client: TestClient) -> None:
    response = send(client, table(*GOOD[:2]))
    assert (response.status_code, response.json()["code"]) == (422, "invalid_frequency")
    assert "freq=" in response.json()["detail"]


def test_other_media_types(client: TestClient) -> None:
    response = client.post("/series/import", content=b"x", headers={"content-type": "image/png"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_idempotent_import(client: TestClient) -> None:
    headers = {"content-type": "text/csv", "idempotency-key": "k"}
    first = client.post("/series/import", content=table(*GOOD), headers=headers).json()
    assert client.post("/series/import", content=table(*GOOD), headers=headers).json() == first
    assert first["inserted"] == 20


def test_every_row_off_the_grid_is_rejected(client: TestClient) -> None:
    start = np.datetime64("2024-01-01T00:00:00")
    good = [f"a,{t}Z,1" for t in start + np.arange(2000).astype("m8[h]")]
    bad = [f"a,{t}Z,1" for t in start + np.timedelta64(7, "m") + np.arange(1200).astype("m8[h]")]
    report = send(client, table(*good, *bad), on_error="skip", freq="h").json()
    assert (report["inserted"], report["rejected_rows"], len(report["rejected"])) == (2000, 1200, 1000)
    assert client.get("/series/a").json()["count"] == 2000


def test_the_phase_is_the_one_that_most_rows_share(client: TestClient) -> None:
    stray = "a,2024-01-01T00:07:00Z,1"
    rows = [f"a,2024-01-01T{n:02d}:00:00Z,1" for n in range(1, 20)]
    report = send(client, table(stray, *rows), on_error="skip").json()
    assert (report["inserted"], [r["row"] for r in report["rejected"]]) == (19, [1])


def test_no_row_on_a_date_of_the_frequency(client: TestClient) -> None:
    mondays = [f"a,2024-01-{d:02d},1" for d in (1, 8, 15, 22, 29)]
    report = send(client, table(*mondays), freq="W-SUN", on_error="skip").json()
    assert (report["inserted"], report["rejected_rows"]) == (0, 5)


def test_a_covariates_kind_is_that_of_its_whole_column(client: TestClient) -> None:
    header = "unique_id,ds,y,c"
    rows = ["a1,2024-01-01,1,7", "a2,2024-01-01,1,x", "a2,2024-01-02,1,"]
    assert send(client, table(*rows, header=header), freq="D").status_code == 200
    assert client.get("/series/a1/observations").json()["covariates"] == {"c": ["7"]}
    assert send(client, table("a1,2024-01-02,1,8", header=header)).status_code == 200
    assert client.get("/series/a1/observations").json()["covariates"] == {"c": ["7", "8"]}
    number = "unique_id,ds,y,n"
    assert send(client, table("a1,2024-01-03,1,1.5", header=number)).status_code == 200
    report = send(client, table("a1,2024-01-04,1,warm", "a1,2024-01-05,1,2", header=number), on_error="skip").json()
    assert (report["inserted"], report["rejected"][0]["code"]) == (1, "covariate_kind_conflict")


@pytest.mark.parametrize("cell", ["a\x00b", "x" * 201])
def test_cells_that_cannot_be_kept(client: TestClient, cell: str) -> None:
    text = table(f"a,2024-01-01,1,{cell}", "a,2024-01-02,1,ok", header="unique_id,ds,y,c")
    report = send(client, text, freq="D", on_error="skip").json()
    assert (report["inserted"], report["rejected"][0]["code"]) == (1, "invalid_value")


@pytest.mark.parametrize(
    ("freq", "step"), [("D", "-1000000"), ("SME", "2000000"), ("YS", "9000"), ("h", "99999999999"), ("D", "1_0")]
)
def test_integer_steps_out_of_reach(client: TestClient, freq: str, step: str) -> None:
    params = {"freq": freq, "ds_start": "2024-01-31" if freq == "SME" else "2024-01-01", "timezone": "Europe/Berlin"}
    response = send(client, table(f"a,{step},1"), **params)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_timestamp")


def test_underscores_are_no_numbers(client: TestClient) -> None:
    assert send(client, table("a,2024-01-01,1_000"), freq="D").json()["code"] == "invalid_value"


@pytest.mark.one_database
def test_a_table_too_large_for_memory_is_read_from_disk(client: TestClient) -> None:
    hours = np.datetime64("2000-01-01T00:00:00") + np.arange(100_000).astype("m8[h]")
    text = table(*(f"a series of a long name,{t}Z,{i}" for i, t in enumerate(hours)))
    assert len(text) > IN_MEMORY
    report = send(client, text, freq="h").json()
    assert (report["rows"], report["inserted"]) == (100_000, 100_000)
    assert client.get("/series").json()["items"][0]["count"] == 100_000
