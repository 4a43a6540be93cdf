"""/series/import over HTTP."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.api.http.uploads import IN_MEMORY


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
        "series_ids": ["a", "b c/d"],
        "new_series": [{"freq": "h", "timezone": "UTC", "series": 2}],
        "rows": 20,
        "inserted": 20,
        "updated": 0,
        "assumed": [],
        "covariates": [],
        "guesses": [],
        "rejected_rows": 0,
        "rejected": [],
    }
    assert client.get("/series/a").json()["freq"] == "h"
    assert client.get("/series/a/observations").json()["y"] == list(range(10))
    again = send(client, table(*GOOD)).json()
    assert (again["inserted"], again["updated"], again["new_series"]) == (0, 20, [])


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
@pytest.mark.one_database
def test_bodies_that_are_no_table(client: TestClient, body: bytes) -> None:
    response = send(client, body)
    assert (response.status_code, response.json()["code"]) == (422, "csv_malformed")


@pytest.mark.one_database
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
@pytest.mark.one_database
def test_cells_that_cannot_be_kept(client: TestClient, cell: str) -> None:
    text = table(f"a,2024-01-01,1,{cell}", "a,2024-01-02,1,ok", header="unique_id,ds,y,c")
    report = send(client, text, freq="D", on_error="skip").json()
    assert (report["inserted"], report["rejected"][0]["code"]) == (1, "invalid_value")


@pytest.mark.parametrize(
    ("freq", "step"), [("D", "-1000000"), ("SME", "2000000"), ("YS", "9000"), ("h", "99999999999"), ("D", "1_0")]
)
@pytest.mark.one_database
def test_integer_steps_out_of_reach(client: TestClient, freq: str, step: str) -> None:
    params = {"freq": freq, "ds_start": "2024-01-31" if freq == "SME" else "2024-01-01", "timezone": "Europe/Berlin"}
    response = send(client, table(f"a,{step},1"), **params)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_timestamp")


@pytest.mark.one_database
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


BESIDE = "unique_id,ds,y,temp,sky"


def kinds(report: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = report.json()["covariates"]
    return found


@pytest.mark.parametrize("cell", ["-", "#N/A", "inf", '"7,5"', '"1,234"', "7%"])
@pytest.mark.one_database
def test_a_cell_that_is_no_number_does_not_make_a_column_text(client: TestClient, cell: str) -> None:
    rows = [f"a,2024-01-{d:02d},1,{d}.5" for d in range(1, 28)] + [f"a,2024-01-28,1,{cell}"]
    text = table(*rows, header="unique_id,ds,y,temp")
    refused = send(client, text)
    assert (refused.status_code, refused.json()["code"]) == (422, "covariate_kind_conflict")
    assert refused.json()["errors"][0]["field"] == "row 28"
    assert client.get("/covariates").json()["items"] == []
    for dry_run in ("true", "false"):
        report = send(client, text, on_error="skip", dry_run=dry_run)
        assert kinds(report) == [{"name": "temp", "kind": "numeric", "new": True, "values": 27}]
        assert [r["row"] for r in report.json()["rejected"]] == [28]
    assert kinds(send(client, text, on_error="skip"))[0]["new"] is False


def test_a_column_of_text_with_some_numbers_is_text(client: TestClient) -> None:
    cells = ["NA", "none", "null", " EU", "7", "", "EU ", "nan"]
    rows = [f"a,2024-01-{d:02d},1,{cell}" for d, cell in enumerate(cells, 1)]
    report = send(client, table(*rows, header="unique_id,ds,y,region"))
    assert kinds(report) == [{"name": "region", "kind": "categorical", "new": True, "values": 7}]
    stored = client.get("/series/a/observations").json()["covariates"]["region"]
    assert stored == ["NA", "none", "null", "EU", "7", None, "EU", "nan"]


def test_a_column_without_values_fixes_no_kind(client: TestClient) -> None:
    report = send(client, table("a,2024-01-01,1,", "a,2024-01-02,1,NaN", header="unique_id,ds,y,temp"), freq="D")
    assert kinds(report) == [{"name": "temp", "kind": None, "new": False, "values": 0}]
    assert client.get("/covariates").json()["items"] == []


def test_truth_values_are_numbers(client: TestClient) -> None:
    rows = ["a,2024-01-01,True,true", "a,2024-01-02,FALSE,False", "a,2024-01-03,2,"]
    report = send(client, table(*rows, header="unique_id,ds,y,holiday"))
    assert kinds(report)[0]["kind"] == "numeric"
    stored = client.get("/series/a/observations").json()
    assert (stored["y"], stored["covariates"]) == ([1, 0, 2], {"holiday": [1, 0, None]})


def test_a_table_without_y_writes_covariates_alone(client: TestClient) -> None:
    send(client, table(*(f"a,2024-01-0{d},{d}" for d in range(1, 6))), freq="D")
    rows = [f"a,2024-01-0{d},{d * 10}" for d in range(4, 8)]
    report = send(client, table(*rows, header="unique_id,ds,temp")).json()
    assert (report["inserted"], report["updated"]) == (2, 2)
    stored = client.get("/series/a/observations").json()
    assert stored["y"] == [1, 2, 3, 4, 5, None, None]
    assert stored["covariates"] == {"temp": [None, None, None, 40, 50, 60, 70]}
    meta = client.get("/series/a").json()
    assert (meta["count"], meta["last_ds"]) == (7, "2024-01-05T00:00:00+00:00")


def test_a_table_without_y_makes_no_series(client: TestClient) -> None:
    refused = send(client, table("a,2024-01-01,5", header="unique_id,ds,sales"), freq="D").json()
    assert refused["code"] == "series_not_found"
    assert "if one of its columns is the target, name that y" in refused["detail"]


@pytest.mark.parametrize(
    ("header", "empty_y", "y", "temp"),
    [
        (BESIDE, None, [1, 2], [10, 20]),
        (BESIDE, "keep", [1, 2], [10, 20]),
        (BESIDE, "missing", [None, None], [None, None]),
        ("unique_id,ds,y", None, [None, None], [10, 20]),
        ("unique_id,ds,y", "missing", [None, None], [10, 20]),
        ("unique_id,ds,y", "keep", [1, 2], [10, 20]),
    ],
)
def test_what_an_empty_cell_does(
    client: TestClient, header: str, empty_y: str | None, y: list[float | None], temp: list[float | None]
) -> None:
    send(client, table("a,2024-01-01,1,10,wet", "a,2024-01-02,2,20,wet", header=BESIDE), freq="D")
    empty = [f"a,2024-01-0{d}," + (",,dry" if header == BESIDE else "") for d in (1, 2)]
    params = {} if empty_y is None else {"empty_y": empty_y}
    report = send(client, table(*empty, header=header), **params).json()
    assert (report["inserted"], report["updated"]) == (0, 2)
    stored = client.get("/series/a/observations").json()
    assert stored["y"] == y
    assert stored["covariates"].get("temp", [None, None]) == temp
    assert stored["covariates"]["sky"] == ["dry" if header == BESIDE else "wet"] * 2


def test_ids_are_the_same_with_and_without_blanks_around_them(client: TestClient) -> None:
    rows = ["spc,2024-01-01,1", " spc,2024-01-02,2", '"spc ",2024-01-03,3']
    assert send(client, table(*rows)).json()["series"] == 1
    assert client.get("/series/spc").json()["count"] == 3


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN"])
@pytest.mark.one_database
def test_a_missing_id_is_a_rejected_row(client: TestClient, cell: str) -> None:
    report = send(client, table("a,2024-01-01,1", f"{cell},2024-01-01,1"), freq="D", on_error="skip").json()
    assert (report["inserted"], report["rejected"][0]["row"]) == (1, 2)
    assert report["rejected"][0]["code"] == "invalid_series_id"
    assert "how a missing id is written" in report["rejected"][0]["detail"]


def test_the_mean_of_duplicates_is_of_covariates_too(client: TestClient) -> None:
    rows = ["a,2024-01-01,1,10,wet", "a,2024-01-01,3,,dry", "a,2024-01-01,,40,", "a,2024-01-02,5,,"]
    send(client, table(*rows, header=BESIDE), freq="D", on_duplicate="mean")
    stored = client.get("/series/a/observations").json()
    assert (stored["y"], stored["covariates"]) == ([2, 5], {"temp": [25, None], "sky": ["dry", None]})


def test_the_last_of_duplicates_leaves_what_it_does_not_say(client: TestClient) -> None:
    rows = ["a,2024-01-01,1,10,wet", "a,2024-01-01,,20,"]
    for empty_y, y, sky in (("keep", [1], {"sky": ["wet"]}), ("missing", [None], {})):
        send(client, table(*rows, header=BESIDE), freq="D", on_duplicate="last", empty_y=empty_y)
        stored = client.get("/series/a/observations").json()
        assert (stored["y"], stored["covariates"]) == (y, {"temp": [20], **sky})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,2024-01-01,7,5"], "7,5 looks like one number with a comma: send a decimal point"),
        (["a,2024-01-01,1,"], "the row ends in a comma too many"),
        (["a,2024-01-01"], "2 cells where the header has 3; write one for each column"),
        (["a,b,2024-01-01,1"], "into quotation marks"),
        (['a,2024-01-01,"7,5"'], "y: '7,5' has a decimal comma; send 7.5"),
        (["a,2024-01-01,1", 'b "c",2024-01-01,1', 'c,"2024"x,1'], "row 3 (counted from 1 below the header) has a quot"),
        ([], "a header and no rows"),
    ],
)
@pytest.mark.one_database
def test_a_row_that_does_not_fit_says_why(client: TestClient, rows: list[str], said: str) -> None:
    response = send(client, table(*rows), freq="D")
    assert response.status_code == 422
    assert said in response.json()["detail"]


def test_a_body_whose_line_breaks_were_dropped(client: TestClient) -> None:
    for body in ("unique_id,ds,ya,2024-01-01,1b,2024-01-02,2", "unique_id,y,dsa,1,2024-01-01b,2,2024-01-02"):
        assert "curl's --data and -d drop line breaks" in send(client, body).json()["detail"]


@pytest.mark.parametrize(
    ("media_type", "status", "code", "said"),
    [
        ("multipart/form-data; boundary=x", 422, "invalid_input", "no multipart form with a file"),
        ("application/json", 415, "unsupported_media_type", "POST /series/{id}/observations takes JSON"),
        ("application/gzip", 400, "body_corrupt", "the file is not compressed"),
        ("application/vnd.apache.parquet", 422, "table_malformed", "the body is no Parquet file"),
    ],
)
@pytest.mark.one_database
def test_a_body_of_another_type_is_told_what_to_send(
    client: TestClient, media_type: str, status: int, code: str, said: str
) -> None:
    headers = {"content-type": media_type}
    response = client.post("/series/import", content=table(*GOOD).encode(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert said in response.json()["detail"]
    assert client.get("/series").json()["items"] == []


@pytest.mark.parametrize("media_type", [None, "application/x-www-form-urlencoded", "application/octet-stream"])
def test_a_table_that_nobody_calls_anything_is_known_by_its_names(client: TestClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    report = client.post("/series/import", content=table(*GOOD).encode(), headers=headers).json()
    assert report["inserted"] == 20
    assert [(guess["parameter"], guess["value"]) for guess in report["guesses"]] == [("format", "csv")]
