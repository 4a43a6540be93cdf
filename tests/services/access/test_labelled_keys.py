"""Keys with labels: they are about the series that have them, and about nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app

ADMIN = "gk_" + "b" * 40
DAYS = {"ds": [f"2024-01-{day:02}" for day in range(1, 31)], "y": [float(day) for day in range(30)]}
ABOUT_SERIES = {
    ("DELETE", "/series/{series_id}"),
    ("DELETE", "/series/{series_id}/observations"),
    ("GET", "/access"),
    ("GET", "/forecast"),
    ("GET", "/forecast/chart"),
    ("GET", "/labels"),
    ("GET", "/series"),
    ("GET", "/series/export"),
    ("GET", "/series/{series_id}"),
    ("GET", "/series/{series_id}/health"),
    ("GET", "/series/{series_id}/observations"),
    ("POST", "/forecast"),
    ("POST", "/forecast/chart"),
    ("POST", "/observations"),
    ("POST", "/series"),
    ("POST", "/series/health"),
    ("POST", "/series/{series_id}/observations"),
    ("PUT", "/series/{series_id}"),
}


class Team:
    """A service with a series of each of two teams, and a key that is about those of one."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        for name, team in (("a", "bikes"), ("b", "trains")):
            self.call("POST", "/series", {"id": name, "freq": "D", "labels": {"team": team, "n": name}}, 201, ADMIN)
            self.call("POST", f"/series/{name}/observations", DAYS, key=ADMIN)
        asked = {"name": "bikes", "scopes": ["read", "forecast", "write"], "labels": {"team": "bikes"}}
        self.made = self.call("POST", "/keys", asked, 201, ADMIN)
        self.key: str = self.made["key"]

    def call(self, method: str, path: str, body: Any = None, status: int = 200, key: str | None = None) -> Any:
        headers = {"authorization": f"Bearer {key or self.key}"}
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        is_json = answer.headers.get("content-type", "").startswith("application/")
        return answer.json() if answer.content and is_json else answer.text

    def list_ids(self, path: str = "/series") -> list[str]:
        return [item["id"] for item in self.call("GET", path)["items"]]


@pytest.fixture
def team(settings: Settings) -> Iterator[Team]:
    file = settings.data_dir / "key"
    file.write_text(ADMIN)
    with TestClient(create_app(settings.model_copy(update={"auth": "on", "bootstrap_key_file": file}))) as client:
        yield Team(client)


def test_it_sees_the_series_with_its_labels(team: Team) -> None:
    assert team.made["labels"] == {"team": "bikes"}
    assert team.call("GET", "/access")["labels"] == {"team": "bikes"}
    assert team.list_ids() == ["a"]
    assert (
        team.list_ids("/series?label=n:b")
        == team.list_ids("/series?prefix=b")
        == team.list_ids("/series?q=trains")
        == []
    )
    assert [item["value"] for item in team.call("GET", "/labels")["items"]] == ["a", "bikes"]
    assert len(team.call("GET", "/series/a/observations")["y"]) == 30
    exported = team.call("GET", "/series/export")
    assert exported.count('"a",') == 30
    assert '"b",' not in exported
    health = team.call("POST", "/series/health", {"series": "all"})
    assert [item["series_id"] for item in health["items"]] == ["a"]
    for method, path in (
        ("GET", "/series/b"),
        ("GET", "/series/b/observations"),
        ("GET", "/series/b/observations?points=5"),
        ("GET", "/series/b/observations?format=csv"),
        ("GET", "/series/b/health"),
        ("GET", "/series/export?series=b"),
        ("DELETE", "/series/b"),
        ("DELETE", "/series/b/observations"),
    ):
        missing = team.call(method, path, status=404)
        unknown = team.call(method, path.replace("/b", "/c").replace("=b", "=c"), status=404)
        assert missing["detail"].replace("'b'", "'c'") == unknown["detail"]
    assert team.call("POST", "/series/b/observations", DAYS, 404)["code"] == "series_not_found"
    refused = team.call("POST", "/observations", {"series": {"a": DAYS, "b": DAYS}}, 422)
    assert [error["field"] for error in refused["errors"]] == ["body.series.b"]
    assert team.call("POST", "/observations", {"series": {"a": DAYS}})["series"]["a"]["updated"] == 30
    assert len(team.call("GET", "/series/b/observations", key=ADMIN)["y"]) == 30


def test_it_makes_and_keeps_series_with_its_labels(team: Team) -> None:
    new = {"id": "c", "freq": "D"}
    for labels in ({}, {"team": "trains"}, {"other": "bikes"}):
        refused = team.call("POST", "/series", new | {"labels": labels}, 403)
        assert "team:bikes" in refused["detail"]
        team.call("PUT", "/series/c", {"freq": "D", "labels": labels}, 403)
        team.call("PUT", "/series/a", {"freq": "D", "labels": labels}, 403)
    own = {"team": "bikes", "more": "yes"}
    assert team.call("POST", "/series", new | {"labels": own}, 201)["labels"] == own
    team.call("PUT", "/series/c", {"freq": "D", "labels": own | {"n": "1"}})
    for method, path, body in (("POST", "/series", {"id": "b"}), ("PUT", "/series/b", {})):  # it is another's
        taken = team.call(method, path, body | {"freq": "D", "labels": own}, 409)
        assert taken["code"] == "series_exists"
    team.call("DELETE", "/series/c", status=204)
    assert team.list_ids() == ["a"]


def forecast(team: Team, series: Any, key: str | None = None, **more: Any) -> list[tuple[str, str | None]]:
    body = {"model": "auto", "series": series, "horizon": 3, **more}
    found = team.call("POST", "/forecast", body, key=key)["forecasts"]
    return [(one["series_id"], (one.get("error") or {}).get("code")) for one in found]


def test_it_forecasts_the_series_with_its_labels(team: Team) -> None:
    for _ in range(2):  # what another key has put into the caches is not the way around
        assert forecast(team, ["a", "b"], ADMIN) == [("a", None), ("b", None)]
        assert forecast(team, ["a", "b"]) == [("a", None), ("b", "series_not_found")]
        assert forecast(team, {"labels": {"n": "a"}}) == [("a", None)]
        for key, status, error in ((ADMIN, 200, None), (None, 404, "series_not_found")):
            polled = team.call("GET", "/forecast?model=auto&series=b&horizon=3&max_age=3600", status=status, key=key)
            assert polled.get("code") == error
    team.call("POST", "/forecast", {"model": "auto", "series": {"labels": {"n": "b"}}, "horizon": 3}, 404)
    team.call("GET", "/forecast/chart?model=auto&series=a&horizon=3")
    team.call("GET", "/forecast/chart?model=auto&series=b&horizon=3", status=404)
    link = team.call("POST", "/forecast/chart", {"model": "auto", "series": ["b"], "horizon": 3, "expires_in": 60})
    signed = team.client.get(link["url"])
    assert (signed.status_code, signed.json()["code"]) == (404, "series_not_found")


@pytest.mark.one_database
def test_a_series_that_is_labelled_otherwise_is_gone_at_once(team: Team) -> None:
    assert forecast(team, ["a"]) == [("a", None)]
    team.call("PUT", "/series/a", {"freq": "D", "labels": {"team": "trains"}}, key=ADMIN)
    gone = team.call("POST", "/forecast", {"model": "auto", "series": ["a"], "horizon": 3}, 404)
    assert gone["code"] == "series_not_found"
    assert team.list_ids() == []


@pytest.mark.one_database
def test_it_makes_no_other_calls(team: Team) -> None:
    """Every operation that asks for a key, with one that has labels and every scope that such a key may have."""
    document = team.client.get("/openapi.json").json()
    names = {
        "series_id": "none",
        "name": "none",
        "number": "999",
        "job_id": "none",
        "backtest_id": "none",
        "scan_id": "none",
    }
    open_to: set[tuple[str, str]] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scope = operation["x-scope"]
            if scope == "none" or path == "/metrics":  # open on loopback
                continue
            filled = path
            for name, value in names.items():
                filled = filled.replace(f"{{{name}}}", value)
            headers = {"authorization": f"Bearer {team.key}", "content-type": "application/json"}
            content = b"{}" if "requestBody" in operation else None
            answer = team.client.request(method, filled, headers=headers, content=content)
            if answer.status_code != 403 or "labels" not in answer.text:
                open_to.add((method.upper(), path))
    assert open_to == ABOUT_SERIES


@pytest.mark.one_database
def test_only_scopes_about_series_go_with_labels(team: Team) -> None:
    for scopes in (["read", "train"], ["admin"]):
        refused = team.call("POST", "/keys", {"name": "x", "scopes": scopes, "labels": {"team": "bikes"}}, 422, ADMIN)
        assert refused["errors"][0]["field"] == "body.scopes"
    for labels in ({"": "x"}, {"team": 1}, {"a" * 1000: "x"}, [], "team:bikes"):
        team.call("POST", "/keys", {"name": "x", "scopes": ["read"], "labels": labels}, 422, ADMIN)


@pytest.mark.one_database
def test_a_rotated_key_keeps_its_labels(team: Team) -> None:
    rotated = team.call("POST", f"/keys/{team.made['id']}/rotate", status=201, key=ADMIN)
    assert rotated["labels"] == {"team": "bikes"}
    team.key = rotated["key"]
    assert team.list_ids() == ["a"]
