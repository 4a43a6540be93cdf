"""What every route is held to by construction: its paths, methods, query parameters and bodies."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app

pytestmark = pytest.mark.one_database

JSON = {"content-type": "application/json"}
VERBS = ("get", "put", "post", "delete", "patch")


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    client.post("/series", json={"id": "a", "freq": "h"})
    body = {"ds": [f"2024-01-01T{hour:02}:00:00Z" for hour in range(5)], "y": [1, 2, 3, 4, 5]}
    assert client.post("/series/a/observations", json=body).json()["inserted"] == 5
    return client


def count(client: TestClient) -> int:
    number: int = client.get("/series/a").json()["count"]
    return number


def errors(response: httpx2.Response) -> list[tuple[str, str]]:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert (response.status_code, problem["status"]) == (422, 422), response.text
    return [(error["field"], error["code"]) for error in problem["errors"]]


def list_operations(client: TestClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of every operation that the document shows."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for verb, operation in methods.items():
            if verb in VERBS:
                yield verb.upper(), re.sub(r"{\w+}", "1", path), operation


def test_every_operation_refuses_a_parameter_that_it_does_not_know(client: TestClient) -> None:
    operations = list(list_operations(client))
    assert len(operations) > 35
    for method, path, _ in operations:
        assert errors(client.request(method, f"{path}?surely_not=1")) == [("query.surely_not", "unknown_parameter")]


def test_every_operation_takes_a_single_value_once(client: TestClient) -> None:
    checked = 0
    for method, path, operation in list_operations(client):
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "query" or '"array"' in str(parameter["schema"]).replace("'", '"'):
                continue
            name = parameter["name"]
            if path == "/forecast/chart" and name in ("expires", "key", "signature"):
                continue  # a link with one of them twice is refused as a link
            found = errors(client.request(method, f"{path}?{name}=1&{name}=1"))
            assert (f"query.{name}", "repeated_parameter") in found, (method, path, name)
            checked += 1
    assert checked > 30


def test_every_operation_without_a_body_refuses_one(client: TestClient) -> None:
    for method, path, operation in list_operations(client):
        if "requestBody" in operation or path == "/forecast":
            continue
        assert errors(client.request(method, path, content=b"{}", headers=JSON)) == [("body", "unexpected_body")], path

        def parts() -> Iterator[bytes]:
            yield b""
            yield b"{}"

        assert errors(client.request(method, path, content=parts())) == [("body", "unexpected_body")], path


@pytest.mark.parametrize(
    ("query", "field", "advice"),
    [
        ("from=2024-01-20", "query.from", "did you mean 'start'?"),
        ("until=2024-01-20", "query.until", "did you mean 'end'?"),
        ("Start=2024-01-20", "query.Start", "did you mean 'start'?"),
        ("strat=2024-01-20", "query.strat", "did you mean 'start'?"),
        ("horizon=3", "query.horizon", "known are start, end and covariate"),
        ("from", "query.from", "did you mean 'start'?"),
    ],
)
def test_a_misspelt_bound_deletes_nothing(stored: TestClient, query: str, field: str, advice: str) -> None:
    response = stored.delete(f"/series/a/observations?{query}")
    assert errors(response) == [(field, "unknown_parameter")]
    assert advice in response.json()["detail"]
    assert count(stored) == 5


def test_bounds_in_a_body_delete_nothing(stored: TestClient) -> None:
    response = stored.request("DELETE", "/series/a/observations", json={"start": "2024-01-01T03:00:00Z"})
    assert errors(response) == [("body", "unexpected_body")]
    assert "start, end and covariate" in response.json()["detail"]
    assert count(stored) == 5
    assert stored.request("DELETE", "/series/a/observations?start=2024-01-01T03:00:00Z").status_code == 204
    assert count(stored) == 3


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_compressed_body_is_a_body(stored: TestClient, coding: str) -> None:
    import gzip

    import zstandard

    packed = gzip.compress(b"{}") if coding == "gzip" else zstandard.compress(b"{}")
    headers = {"content-encoding": coding}
    assert errors(stored.request("DELETE", "/series/a/observations", content=packed, headers=headers))
    assert errors(stored.request("GET", "/forecast?model=m&series=a", content=packed, headers=headers))
    broken = stored.request("DELETE", "/series/a/observations", content=b"no", headers=headers)
    assert (broken.status_code, broken.json()["code"]) == (400, "body_corrupt")
    assert count(stored) == 5


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/jobs?state=failed", "status"),
        ("/series?labels=a:b", "label"),
        ("/forecast?model=m&series=a&h=3", "horizon"),
        ("/forecast/chart?model=m&series=a&h=3", "horizon"),
        ("/models/m/skill?since=2024-01-01", "start"),
        ("/models/m/archive?since=2024-01-01", "start"),
    ],
)
def test_other_services_names_lead_to_ours(client: TestClient, path: str, meant: str) -> None:
    assert f"did you mean {meant!r}?" in client.get(path).json()["detail"]


def test_an_import_with_a_misspelt_option_writes_nothing(stored: TestClient) -> None:
    table = "unique_id,ds,y\nnew,2024-01-01T00:00:00Z,1\n"
    response = stored.post("/series/import?dryrun=true&freq=h", content=table, headers={"content-type": "text/csv"})
    assert errors(response) == [("query.dryrun", "unknown_parameter")]
    assert "'dry_run'" in response.json()["detail"]
    assert stored.get("/series/new").status_code == 404


def test_of_very_many_mistakes_the_first_hundred_are_told(client: TestClient) -> None:
    names = [f"nonsense{number}" for number in range(3000)]
    query = client.get("/jobs?" + "&".join(names)).json()
    fields = client.post("/train", json={**dict.fromkeys(names, 1), "model": "m", "series": "all", "horizon": 1}).json()
    for problem in (query, fields):
        assert len(problem["errors"]) == 100
        assert problem["detail"].endswith(", and 2999 more")


def test_text_that_is_no_unicode_is_told_back(client: TestClient) -> None:
    assert errors(client.get("/jobs?%ff%00=1&=2")) == [
        ("query.\ufffd\x00", "unknown_parameter"),
        ("query.", "unknown_parameter"),
    ]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/series", "/models", "/series/a", "/docs", "/jobs"])
def test_head_is_get_without_its_body(stored: TestClient, path: str) -> None:
    plain = {"accept-encoding": "identity"}
    get = stored.get(path, headers=plain)
    head = stored.head(path, headers=plain)
    assert (head.status_code, head.content) == (200, b"")
    kept = {name: value for name, value in get.headers.items() if name != "x-request-id"}
    if path == "/metrics":  # it counts itself
        del kept["content-length"]
    assert {name: head.headers.get(name) for name in kept} == kept


def test_head_of_what_is_not_there(client: TestClient) -> None:
    assert client.head("/series/none").status_code == 404
    assert client.head("/forecast?model=m&series=a").status_code == 404
    assert client.head("/train").status_code == 405


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/series", "GET, HEAD, POST, OPTIONS"),
        ("/series/a", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/series/a/b", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/series/a/observations", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/series/import", "POST, OPTIONS"),
        ("/forecast", "GET, HEAD, POST, OPTIONS"),
        ("/forecast/chart", "GET, HEAD, POST, OPTIONS"),
        ("/models/m/schedule", "PUT, DELETE, OPTIONS"),
        ("/train", "POST, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ],
)
def test_allow_lists_all_methods_of_the_most_special_path(client: TestClient, path: str, allowed: str) -> None:
    for address in (path, f"{path}/"):
        options = client.options(address)
        assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")
        refused = client.patch(address)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert refused.json()["code"] == "method_not_allowed"
        assert allowed.rpartition(", ")[0] in refused.json()["detail"].replace(" and ", ", ")


@pytest.mark.parametrize("path", ["/series/import", "/train", "/forecast", "/series/a/observations"])
def test_an_uploaded_file_is_told_to_be_posted(client: TestClient, path: str) -> None:
    response = client.put(path, content=b"unique_id,ds,y\n")
    assert (response.status_code, "POST" in response.headers["allow"]) == (405, True)
    assert "curl --data-binary @FILE" in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/train/", 422),
        ("GET", "/series/", 200),
        ("GET", "/series/a/", 404),
        ("GET", "/series/a/observations/", 200),
        ("GET", "/jobs/none/", 404),
        ("POST", "/forecast/", 404),
        ("GET", "/docs/", 200),
        ("DELETE", "/series/", 405),
    ],
)
def test_no_slash_leads_elsewhere(stored: TestClient, method: str, path: str, status: int) -> None:
    body = {"model": "m", "series": ["a"]} if method == "POST" else None
    response = stored.request(method, path, json=body, follow_redirects=False, headers={"host": "elsewhere"})
    assert (response.status_code, "location" in response.headers) == (status, False)
    assert "elsewhere" not in response.text
    assert count(stored) == 5


def test_an_id_ends_in_no_word_of_the_api_and_a_slash(client: TestClient) -> None:
    for name in ("x/observations/", "import/", "health//"):
        response = client.post("/series", json={"id": name, "freq": "h"})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_series_id")


def test_an_import_behind_a_slash_may_be_as_large(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_body_bytes": 100}))) as client:
        table = "unique_id,ds,y\n" + "".join(f"b,2024-01-01T{hour:02}:00:00Z,1\n" for hour in range(9))
        response = client.post("/series/import/?freq=h", content=table, headers={"content-type": "text/csv"})
    assert response.json()["inserted"] == 9


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/Series", "/series"),
        ("/forecasts", "/forecast"),
        ("/forecast//chart", "/forecast/chart"),
        ("/v1/train", "/train"),
        ("/job/7", "/jobs/7"),
        ("/model/m/versions", "/models/m/versions"),
    ],
)
def test_a_path_that_is_not_there_names_the_one_that_is(client: TestClient, path: str, meant: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert f"did you mean {meant!r}?" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/train", "/forecast", "/series", "/series/a/observations", "/jobs/1/cancel"])
def test_a_body_says_that_it_is_json(client: TestClient, path: str) -> None:
    form = client.post(path, content=b'{"model": "m"}', headers={"content-type": "application/x-www-form-urlencoded"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    assert "'application/x-www-form-urlencoded'" in form.json()["detail"]
    assert "curl --json" in form.json()["detail"]
    bare = client.post(path, content=b'{"model": "m"}')
    assert errors(bare) == [("header.content-type", "missing")]
    assert "Content-Type: application/json" in bare.json()["detail"]


def test_a_call_whose_body_is_optional_needs_no_type(client: TestClient) -> None:
    assert client.post("/jobs/none/cancel").json()["code"] == "job_not_found"
    assert client.post("/jobs/none/cancel", content=iter(())).json()["code"] == "job_not_found"
    assert client.post("/jobs/none/cancel", json={"keep_best": True}).json()["code"] == "job_not_found"


@pytest.mark.parametrize("path", ["/train", "/forecast"])
def test_json_that_does_not_parse_is_located(client: TestClient, path: str) -> None:
    response = client.post(path, content=b'{"model": "m",\n "series": [,]}', headers=JSON)
    assert errors(response) == [("body", "json_invalid")]
    assert "line 2, column 13" in response.json()["detail"]


@pytest.mark.parametrize("plus", ["+", "%20", "%2B"])
@pytest.mark.parametrize("time", ["2024-01-01T03:00:00{}00:00", "2024-01-01 03:00{}0000", "2024-01-01T04:00:00{}01:00"])
def test_the_plus_of_an_offset_survives_a_query(stored: TestClient, time: str, plus: str) -> None:
    bound = time.format(plus).replace("01 0", "01%200")
    found = stored.get(f"/series/a/observations?start={bound}").json()
    assert found["y"] == [4.0, 5.0], found
    assert stored.get(f"/models/m/skill?start={bound}").json()["code"] == "model_not_found"


def test_a_blank_elsewhere_stays_one(stored: TestClient) -> None:
    assert stored.get("/series/a/observations?start=2024-01-01 03:00:00").json()["y"] == [4.0, 5.0]
    name = "2024-01-01T00:00:00 00:00"
    assert stored.post("/series", json={"id": name, "freq": "h"}).status_code == 201
    assert [item["id"] for item in stored.get(f"/series?prefix={quote(name)}").json()["items"]] == [name]
