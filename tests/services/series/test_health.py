"""The preflight of series over HTTP."""

from typing import Any

import pytest
from fastapi.testclient import TestClient


def hours(count: int, day: int = 1) -> list[str]:
    return [f"2024-01-{day + n // 24:02d}T{n % 24:02d}:00:00+00:00" for n in range(count)]


def make(client: TestClient, series_id: str, y: list[float | None], **more: Any) -> None:
    client.put(f"/series/{series_id}", json={"freq": "h", "labels": {"kind": "test"}})
    body = {"ds": hours(len(y)), "y": y, **more}
    assert client.post(f"/series/{series_id}/observations", json=body).status_code == 200


def find(item: dict[str, Any], code: str) -> dict[str, Any]:
    (check,) = [check for check in item["checks"] if check["code"] == code]
    return dict(check)


def test_gaps_and_zeros_are_located(client: TestClient) -> None:
    make(client, "a", [0.0] * 5 + [float(n % 24) + 1 for n in range(195)])
    client.delete("/series/a/observations", params={"start": hours(50)[40], "end": hours(50)[43]})
    client.delete("/series/a/observations", params={"start": hours(101)[100], "end": hours(102)[101]})
    health = client.get("/series/a/health").json()
    assert (health["series_id"], health["freq"], health["count"], health["trainable"]) == ("a", "h", 196, True)
    gaps = find(health, "gaps")
    assert (gaps["severity"], gaps["audit"]) == ("info", "D002")
    assert gaps["where"] == [[hours(43)[40], hours(43)[42]], hours(101)[100]]
    assert find(health, "leading_zeros")["where"] == [[hours(1)[0], hours(5)[4]]]
    assert {check["code"] for check in health["checks"]} >= {
        "duplicates",
        "off_grid",
        "dst",
        "outliers",
        "short_history",
    }


def test_a_horizon_is_measured_against_history_and_covariates(client: TestClient) -> None:
    make(client, "a", [float(n) for n in range(48)] + [None] * 3, covariates={"temp": [1.0] * 51})
    near = client.get("/series/a/health", params={"horizon": 3}).json()
    far = client.get("/series/a/health", params={"horizon": 24}).json()
    assert (find(near, "future_missing")["severity"], find(far, "future_missing")["severity"]) == ("ok", "warning")
    assert "temp (3 steps)" in find(far, "future_missing")["detail"]
    assert (find(near, "short_history")["severity"], find(far, "short_history")["severity"]) == ("info", "warning")
    assert client.get("/series/a/health", params={"horizon": 0}).status_code == 422


def test_a_series_without_values_is_not_trainable(client: TestClient) -> None:
    client.put("/series/a", json={"freq": "D"})
    health = client.get("/series/a/health").json()
    assert health["trainable"] is False
    assert [(check["code"], check["severity"]) for check in health["checks"]] == [("short_history", "error")]


@pytest.mark.parametrize("selection", [["b", "a"], {"ids": ["a", "b"]}, {"labels": {"kind": "test"}}, "all"])
def test_a_selection_is_counted(client: TestClient, selection: Any) -> None:
    make(client, "a", [float(n % 24) for n in range(200)])
    make(client, "b", [3.0] * 200)
    report = client.post("/series/health", json={"series": selection, "horizon": 24}).json()
    assert [item["series_id"] for item in report["items"]] == ["a", "b"]
    assert report["counts"] == {"constant": 1, "leading_zeros": 1}


def test_what_is_not_there_is_named(client: TestClient) -> None:
    missing = client.get("/series/none/health")
    assert (missing.status_code, missing.json()["code"]) == (404, "series_not_found")
    several = client.post("/series/health", json={"series": ["none"]})
    assert (several.status_code, several.json()["code"]) == (404, "series_not_found")
    wrong = client.post("/series/health", json={"series": 5}).json()
    assert wrong["errors"][0] == {
        "field": "body.series",
        "code": "wrong_type",
        "detail": 'send a list of ids, {"labels": {…}} or "all"',
    }
