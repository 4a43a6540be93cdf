"""The HTTP client of the commands, against a real server that is scripted."""

import gzip
import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import zstandard

from gatecast_client.client import Client
from gatecast_client.errors import ClientError
from tests.scripted_service import LOST, ScriptedService, job, progress

TABLE = b"unique_id,ds,y\na,2024-01-01,1\n"
REPORT = {"series": 1, "rows": 1, "inserted": 1, "updated": 0, "rejected": []}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        yield running


@pytest.fixture
def client(service: ScriptedService) -> Iterator[Client]:
    with Client(service.url, "gk_secret") as made:
        yield made


def test_the_key_is_sent_as_a_bearer_token(service: ScriptedService, client: Client) -> None:
    service.on("GET", "/models/m", {"name": "m"})
    assert client.model("m") == {"name": "m"}
    assert service.asked[0].headers["authorization"] == "Bearer gk_secret"


def test_a_problem_document_becomes_an_error_that_keeps_its_words(service: ScriptedService, client: Client) -> None:
    errors = [{"field": "body.horizon", "code": "invalid_value", "detail": "must be 1 or more"}]
    service.problem("POST", "/train", 422, detail="one field is wrong", code="invalid_input", errors=errors)
    with pytest.raises(ClientError) as caught:
        client.train("m", "all", 0)
    assert caught.value.title == "Refused"
    assert caught.value.code == "invalid_input"
    assert caught.value.detail == "one field is wrong\n  body.horizon: must be 1 or more"


def test_a_refused_key_says_how_to_pass_one(service: ScriptedService, client: Client) -> None:
    service.problem("GET", "/models/m", 401, detail="unknown key", code="unauthorized")
    with pytest.raises(ClientError) as caught:
        client.model("m")
    assert "--key or GATECAST_KEY" in caught.value.hint


def test_a_service_that_is_not_there_says_how_to_start_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with Client(url) as client, pytest.raises(ClientError) as caught:
            client.model("m")
    assert caught.value.code == "unreachable"
    assert url in caught.value.detail
    assert "gatecast up" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>welcome"), (502, b"bad gateway"), (200, b"[1]"), (404, b"{}")]
)
def test_another_server_is_recognised(service: ScriptedService, client: Client, status: int, body: bytes) -> None:
    service.on("GET", "/models/m", body, status=status)
    with pytest.raises(ClientError) as caught:
        client.model("m")
    assert caught.value.code == "unexpected_answer"
    assert "--url" in caught.value.hint


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://[", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ClientError) as caught, Client(url) as client:
        client.model("m")
    assert "--url" in caught.value.hint


def test_an_environment_proxy_is_not_asked_for_this_machine(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    service.on("GET", "/models/m", {"name": "m"})
    with Client(service.url) as client:
        assert client.model("m") == {"name": "m"}


def test_an_import_sends_the_table_and_the_chosen_options(service: ScriptedService, client: Client) -> None:
    service.on("POST", "/series/import", REPORT)
    assert client.import_csv(TABLE, freq="D", ds_start=None, dry_run=True) == REPORT
    (asked,) = service.asked
    assert asked.body == TABLE
    assert asked.headers["content-type"] == "text/csv"
    assert asked.query == {"freq": ["D"], "dry_run": ["true"]}


@pytest.mark.parametrize(
    ("pack", "coding"),
    [(bytes, None), (gzip.compress, "gzip"), (zstandard.compress, "zstd")],
    ids=["plain", "gz", "zst"],
)
def test_a_file_is_sent_as_it_lies_there(
    service: ScriptedService, client: Client, pack: Callable[[bytes], bytes], coding: str | None
) -> None:
    service.on("POST", "/series/import", REPORT)
    table = pack(b"unique_id,ds,y\n" + b"".join(b"a,%d,1\n" % step for step in range(300_000)))
    client.import_csv(io.BytesIO(table))
    (asked,) = service.asked
    assert asked.body == table
    assert asked.headers.get("content-encoding") == coding
    assert asked.headers["content-length"] == str(len(table))


@pytest.mark.parametrize(
    ("name", "media_type", "query"),
    [
        ("a.csv", "text/csv", {}),
        ("a.TSV.gz", "text/csv", {"delimiter": ["tab"]}),
        ("a.b.jsonl", "application/x-ndjson", {}),
        ("a.ndjson.zst", "application/x-ndjson", {}),
        ("a.parquet", "application/vnd.apache.parquet", {}),
        ("a.feather", "application/vnd.apache.arrow.stream", {}),
        ("a.arrow.gz", "application/vnd.apache.arrow.stream", {}),
        ("a", "text/csv", {}),
    ],
)
def test_the_name_of_a_file_says_its_format(
    service: ScriptedService, client: Client, tmp_path: Path, name: str, media_type: str, query: dict[str, list[str]]
) -> None:
    service.on("POST", "/series/import", REPORT)
    (tmp_path / name).write_bytes(TABLE)
    client.import_table(tmp_path / name)
    assert service.asked[0].headers["content-type"] == media_type
    assert service.asked[0].query == query


def test_a_said_format_and_delimiter_win_over_the_name(
    service: ScriptedService, client: Client, tmp_path: Path
) -> None:
    service.on("POST", "/series/import", REPORT)
    file = tmp_path / "table.tsv"
    file.write_bytes(TABLE)
    client.import_table(str(file), delimiter="|")
    client.import_table(file, format="ndjson")
    bars, lines = service.asked
    assert bars.query == {"delimiter": ["|"]}
    assert (lines.query, lines.headers["content-type"]) == ({}, "application/x-ndjson")


def test_a_data_frame_is_sent_with_its_types(service: ScriptedService, client: Client) -> None:
    service.on("POST", "/series/import", REPORT)
    frame = pd.DataFrame({"unique_id": ["a"], "ds": pd.to_datetime(["2024-01-01"]), "y": [1.5]})
    client.import_table(frame)
    assert service.asked[0].headers["content-type"] == "application/vnd.apache.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(service.asked[0].body)), frame)


@pytest.mark.parametrize(
    "lost", [LOST, (503, {"detail": "starting"}), (502, b"bad gateway")], ids=["cut", "503", "502"]
)
def test_an_import_that_is_cut_off_is_sent_again_under_its_key(
    service: ScriptedService, client: Client, monkeypatch: pytest.MonkeyPatch, lost: object
) -> None:
    monkeypatch.setattr("gatecast_client.client.RETRY_SECONDS", 0.0)
    service.on("POST", "/series/import", lost, lost, REPORT)
    assert client.import_table(TABLE) == REPORT
    assert [asked.body for asked in service.asked] == [TABLE] * 3
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == 1


def test_an_import_that_is_refused_is_sent_once_and_another_has_another_key(
    service: ScriptedService, client: Client
) -> None:
    service.problem("POST", "/series/import", 422, detail="row 1 is bad", code="invalid_timestamp")
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            client.import_table(TABLE)
        assert caught.value.status == 422
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == len(service.asked) == 2


def test_an_import_gives_up_after_its_attempts(
    service: ScriptedService, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatecast_client.client.RETRY_SECONDS", 0.0)
    service.on("POST", "/series/import", LOST)
    with pytest.raises(ClientError, match="connection broke"):
        client.import_table(TABLE)
    assert len(service.asked) == 6


def test_a_file_that_is_not_there_is_told(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="cannot be read"):
        client.import_table(tmp_path / "none.csv")


def test_an_export_writes_the_file_that_its_name_asks_for(
    service: ScriptedService, client: Client, tmp_path: Path
) -> None:
    service.on("GET", "/series/export", TABLE)
    target = tmp_path / "all.parquet"
    size = client.export_table(target, ["a", "b/c"], labels={"city": "Ulm"}, start="2024-01-01")
    assert (target.read_bytes(), size) == (TABLE, len(TABLE))
    assert service.asked[0].query == {
        "series": ["a", "b/c"],
        "label": ["city:Ulm"],
        "start": ["2024-01-01"],
        "format": ["parquet"],
    }
    assert list(tmp_path.iterdir()) == [target]


def test_a_gz_export_is_gzip_where_the_service_does_not_compress(
    service: ScriptedService, client: Client, tmp_path: Path
) -> None:
    service.on("GET", "/series/export", TABLE * 1000)
    client.export_table(tmp_path / "all.csv.gz")
    assert service.asked[0].headers["accept-encoding"] == "gzip"
    assert gzip.decompress((tmp_path / "all.csv.gz").read_bytes()) == TABLE * 1000


def test_a_refused_export_leaves_what_lay_there(service: ScriptedService, client: Client, tmp_path: Path) -> None:
    service.problem("GET", "/series/export", 404, detail="there is no series 'x'", code="series_not_found")
    target = tmp_path / "all.csv"
    target.write_text("before")
    with pytest.raises(ClientError, match="no series 'x'"):
        client.export_table(target, ["x"])
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_many_series_are_observed_at_once(service: ScriptedService, client: Client) -> None:
    told = {"series": {"a": {"inserted": 1, "updated": 0, "version": 2}}}
    service.on("POST", "/observations", told)
    series = {"a": {"ds": ["2024-01-01"], "y": [None], "covariates": {"temp": [7.5]}}}
    assert client.observe_many(series) == told
    assert service.asked[0].json == {"series": series}


def test_observations_and_health_are_read_with_what_was_chosen(service: ScriptedService, client: Client) -> None:
    service.on("GET", "/series/a%2Fb/observations", {"ds": []})
    service.on("GET", "/series/a%2Fb/health", {"checks": []})
    assert client.read_observations("a/b", start="2024-01-01", points=100) == {"ds": []}
    assert client.health("a/b", horizon=7) == {"checks": []}
    assert [asked.query for asked in service.asked] == [
        {"start": ["2024-01-01"], "points": ["100"]},
        {"horizon": ["7"]},
    ]


def test_observations_go_to_their_series_a_missing_value_too(service: ScriptedService, client: Client) -> None:
    told = {"inserted": 1, "updated": 1, "version": 3}
    service.on("POST", "/series/a%2Fb/observations", told)
    assert client.observe("a/b", ["2024-01-01", "2024-01-02"], [1.5, None]) == told
    assert service.asked[0].json == {"ds": ["2024-01-01", "2024-01-02"], "y": [1.5, None]}


def test_covariates_go_along_with_observations_and_with_a_forecast(service: ScriptedService, client: Client) -> None:
    service.on("POST", "/series/a/observations", {"inserted": 1, "updated": 0, "version": 3})
    service.on("POST", "/forecast", {"forecasts": []})
    columns = {"temp": (7.5,), "weather": ("rain",)}
    client.observe("a", ["2024-01-01"], [1.5], covariates=columns)
    client.forecast("m", ["a"], future={"a": columns})
    sent = {"temp": [7.5], "weather": ["rain"]}
    observed, forecast = (asked.json for asked in service.asked)
    assert observed == {"ds": ["2024-01-01"], "y": [1.5], "covariates": sent}
    assert forecast == {"model": "m", "series": ["a"], "future": {"a": sent}}


def test_training_sends_what_was_chosen_and_nothing_else(service: ScriptedService, client: Client) -> None:
    service.on("POST", "/train", job("queued"), status=202)
    assert client.train("m", {"ids": ["a/b"]}, 24, quantiles=[0.1], promote=None)["id"] == "j1"
    assert service.asked[0].query == {}
    assert service.asked[0].json == {
        "model": "m",
        "series": {"ids": ["a/b"]},
        "horizon": 24,
        "quantiles": [0.1],
    }


def test_a_refresh_and_a_promotion_send_what_was_chosen(service: ScriptedService, client: Client) -> None:
    service.on("POST", "/models/a%2Fb/refresh", job("queued"), status=202)
    service.on("PUT", "/models/m/champion", {"champion": 7, "revision": 0})
    assert client.refresh("a/b")["id"] == "j1"
    client.refresh("a/b", priority=9, labels=None)
    assert client.promote("m", 7, 0)["champion"] == 7
    client.promote("m", 7)
    assert [asked.json for asked in service.asked] == [
        {},
        {"priority": 9},
        {"version": 7, "revision": 0},
        {"version": 7},
    ]


def test_a_preview_sends_what_the_training_would(service: ScriptedService, client: Client) -> None:
    told = {"estimate": {"rows": 7}, "checks": {"items": []}}
    service.on("POST", "/train", told)
    assert client.preview_training("m", "all", 24, promote=None) == told
    assert service.asked[0].query == {"dry_run": ["true"]}
    assert service.asked[0].json == {"model": "m", "series": "all", "horizon": 24}


def test_watching_ends_with_the_terminal_state(service: ScriptedService, client: Client) -> None:
    states = [job("queued"), job("running", progress=progress(1, 2)), job("succeeded", version=1)]
    service.on("GET", "/jobs/j1", *states)
    assert [state["status"] for state in client.watch("j1", poll_seconds=0)] == [
        "queued",
        "running",
        "succeeded",
    ]


def test_a_forecast_leaves_the_rest_to_the_service(service: ScriptedService, client: Client) -> None:
    service.on("POST", "/forecast", {"forecasts": []})
    client.forecast("m@2", ["a"], quantiles=[0.5])
    client.forecast("m", ["a"], point="mean")
    client.forecast("m", ["a"], aggregate={"over": "24h"}, paths=None)
    assert [asked.json for asked in service.asked] == [
        {"model": "m@2", "series": ["a"], "quantiles": [0.5]},
        {"model": "m", "series": ["a"], "point": "mean"},
        {"model": "m", "series": ["a"], "aggregate": {"over": "24h"}},
    ]


def test_names_cannot_leave_their_place_in_the_path(service: ScriptedService, client: Client) -> None:
    with pytest.raises(ClientError):
        client.version("../jobs", 1)
    assert service.asked[0].path == "/models/..%2Fjobs/versions/1"


def test_ready_is_told_without_an_error(service: ScriptedService, client: Client) -> None:
    assert not client.ready()
    service.on("GET", "/readyz", {"status": "ok"})
    assert client.ready()
