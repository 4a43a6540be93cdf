"""The HTTP client of the commands, against a real server that is scripted."""

import gzip
import io
import socket
from collections.abc import Callable, Iterator

import pytest

from gatecast_client.client import Client, ClientError
from tests.scripted_service import ScriptedService, job, progress

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


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_file_is_sent_as_it_reads(service: ScriptedService, client: Client, pack: Callable[[bytes], bytes]) -> None:
    service.on("POST", "/series/import", REPORT)
    table = b"unique_id,ds,y\n" + b"".join(b"a,%d,1\n" % step for step in range(300_000))
    client.import_csv(io.BytesIO(pack(table)))
    assert service.asked[0].body == table
    assert "content-encoding" not in service.asked[0].headers


def test_a_damaged_file_is_told(service: ScriptedService, client: Client) -> None:
    with pytest.raises(ClientError, match="damaged"):
        client.import_csv(io.BytesIO(gzip.compress(TABLE)[:-9]))


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
    assert service.asked[0].json == {
        "model": "m",
        "series": {"ids": ["a/b"]},
        "horizon": 24,
        "quantiles": [0.1],
    }


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
    assert service.asked[0].json == {"model": "m@2", "series": ["a"], "quantiles": [0.5]}


def test_names_cannot_leave_their_place_in_the_path(service: ScriptedService, client: Client) -> None:
    with pytest.raises(ClientError):
        client.version("../jobs", 1)
    assert service.asked[0].path == "/models/..%2Fjobs/versions/1"


def test_ready_is_told_without_an_error(service: ScriptedService, client: Client) -> None:
    assert not client.ready()
    service.on("GET", "/readyz", {"status": "ok"})
    assert client.ready()
