"""Ingest rules over HTTP."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

ONE = pytest.mark.one_database
RULE: dict[str, Any] = {
    "match": {"__name__": "load", "job": "~node|edge"},
    "freq": "5min",
    "aggregate": "mean",
    "id": "{__name__}/{host}",
}


def put(client: TestClient, name: str, status: int = 201, **changed: Any) -> Any:
    response = client.put(f"/ingest/rules/{name}", json=RULE | changed)
    assert response.status_code == status, response.text
    return response.json()


def test_a_rule_is_set_changed_listed_and_deleted(client: TestClient) -> None:
    made = put(client, "b")
    assert made == {
        "name": "b",
        **RULE,
        "timezone": "UTC",
        "labels": None,
        "create": True,
        "limit": 1000,
        "late": "1h",
        "samples": 0,
        "dropped": 0,
        "series": 0,
        "last_at": None,
        "problem": None,
    }
    changed = put(client, "b", 200, freq="60min", labels=["job", "job"], late="2h", create=False)
    assert (changed["freq"], changed["labels"], changed["late"], changed["create"]) == ("h", ["job"], "2h", False)
    put(client, "a", timezone="Europe/Berlin", limit=5)
    listed = client.get("/ingest/rules", params={"limit": 1}).json()
    assert [one["name"] for one in listed["items"]] == ["a"], "in the order in which they are tried"
    rest = client.get("/ingest/rules", params={"cursor": listed["next_cursor"]}).json()
    assert ([one["name"] for one in rest["items"]], rest["next_cursor"]) == (["b"], None)
    assert client.get("/ingest/rules/a").json()["timezone"] == "Europe/Berlin"
    assert client.delete("/ingest/rules/a").status_code == 204
    for method in ("GET", "DELETE"):
        answer = client.request(method, "/ingest/rules/a")
        assert (answer.status_code, answer.json()["code"]) == (404, "rule_not_found")


@ONE
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"match": {}}, "match"),
        ({"match": {"a": "~("}}, "match.a"),
        ({"match": {"a": 1}}, "match"),
        ({"freq": "5 parsecs"}, "freq"),
        ({"freq": "B"}, "freq"),
        ({"aggregate": "median"}, "aggregate"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"id": "   "}, "id"),
        ({"id": "{__name__"}, "id"),
        ({"id": "a}b{c"}, "id"),
        ({"late": "soon"}, "late"),
        ({"limit": 0}, "limit"),
        ({"labels": [""]}, "labels"),
        ({"unit": "x"}, "unit"),
    ],
)
def test_what_makes_no_rule_is_refused_with_its_field(client: TestClient, changed: dict[str, Any], field: str) -> None:
    answer = put(client, "r", 422, **changed)
    assert any(field in error["field"] for error in answer["errors"]), answer
    assert client.get("/ingest/rules").json()["items"] == []


@ONE
def test_names_and_numbers_of_rules_are_bounded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services.samples import rules

    monkeypatch.setattr(rules, "MOST_RULES", 2)
    assert client.put("/ingest/rules/a%20b", json=RULE).status_code == 422
    put(client, "a")
    put(client, "b")
    assert put(client, "c", 409)["code"] == "too_many_rules"
    put(client, "a", 200)
