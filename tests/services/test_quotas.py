"""Quotas of projects: each way of adding something is held to them, and what is there can be read."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.scope import Right


class Team:
    """A project with quotas, and one without."""

    def __init__(self, client: TestClient, admin: str) -> None:
        self.client = client
        self.admin = {"authorization": f"Bearer {admin}"}
        self.quota()
        scopes = [right.value for right in Right]
        body = {"name": "k", "scopes": scopes, "project": "team"}
        self.key = {"authorization": f"Bearer {client.post('/keys', json=body, headers=self.admin).json()['key']}"}

    def quota(self, **quotas: int) -> Any:
        answer = self.client.put("/projects/team", json={"quotas": quotas}, headers=self.admin)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def call(self, method: str, path: str, body: Any = None, status: int | None = None, **more: Any) -> Any:
        headers = {**self.key, **more.pop("headers", {})}
        answer = self.client.request(method, path, json=body, headers=headers, **more)
        if status is not None:
            assert answer.status_code == status, answer.text
        if status == 403:
            assert answer.json()["code"] == "quota_exceeded"
        return answer.json() if answer.content else None

    def used(self) -> dict[str, int]:
        usage = self.call("GET", "/usage", status=200)
        return {name: value["used"] for name, value in usage.items() if name not in ("minute", "month")}


@pytest.fixture
def team(settings: Settings) -> Iterator[Team]:
    file = settings.data_dir / "key"
    file.write_text("gk_" + "b" * 40)
    with TestClient(create_app(settings.model_copy(update={"auth": "on", "bootstrap_key_file": file}))) as client:
        yield Team(client, file.read_text())


def days(first: int, last: int) -> dict[str, Any]:
    return {"ds": [f"2024-01-{d:02}" for d in range(first, last + 1)], "y": [float(d) for d in range(first, last + 1)]}


def test_usage_tells_what_there_is_beside_the_limits(team: Team) -> None:
    assert team.used() == dict.fromkeys(("observations", "series", "models", "jobs", "trainings_per_day"), 0)
    assert team.quota(series=5)["quotas"] == {"series": 5}
    team.call("POST", "/series", {"id": "a", "freq": "D"}, status=201)
    team.call("POST", "/series/a/observations", days(1, 30), status=200)
    team.call("POST", "/train", {"model": "m", "series": "all", "horizon": 3}, status=202)
    assert team.used() == {"observations": 30, "series": 1, "models": 1, "jobs": 1, "trainings_per_day": 1}
    assert team.call("GET", "/usage")["series"] == {"limit": 5, "used": 1}
    # without `quotas`, those that are set stay
    team.client.put("/projects/team", json={}, headers=team.admin)
    assert team.call("GET", "/usage")["series"]["limit"] == 5


def test_series_are_counted_however_they_come(team: Team) -> None:
    team.quota(series=2)
    team.call("POST", "/series", {"id": "a", "freq": "D"}, status=201)
    team.call("PUT", "/series/b", {"freq": "D"}, status=201)
    team.call("POST", "/series", {"id": "c", "freq": "D"}, status=403)
    team.call("PUT", "/series/c", {"freq": "D"}, status=403)
    team.call("PUT", "/series/b", {"freq": "D", "unit": "kW"}, status=200)
    table = "unique_id,ds,y\nc,2024-01-01,1\n"
    team.call("POST", "/series/import?freq=D", None, 403, content=table, headers={"content-type": "text/csv"})
    rule = {"match": {"__name__": "m"}, "freq": "D", "aggregate": "mean", "id": "{host}"}
    team.call("PUT", "/ingest/rules/r", rule, status=201)
    answer = team.client.post("/api/v2/write?precision=s", content="m,host=c v=1 1704067200", headers=team.key)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "may have 2 series" in answer.json()["message"]
    assert team.used()["series"] == 2
    team.call("DELETE", "/series/a", status=204)
    team.call("POST", "/series", {"id": "c", "freq": "D"}, status=201)


def test_observations_are_counted_and_rows_that_are_there_may_change(team: Team) -> None:
    team.quota(observations=10)
    for name in "ab":
        team.call("POST", "/series", {"id": name, "freq": "D"}, status=201)
    team.call("POST", "/series/a/observations", days(1, 8), status=200)
    team.call("POST", "/series/b/observations", days(1, 3), status=403)
    assert team.used()["observations"] == 8
    team.call("POST", "/observations", {"series": {"a": days(1, 9), "b": days(1, 2)}}, status=403)
    team.call("POST", "/observations", {"series": {"a": days(1, 8), "b": days(1, 2)}}, status=200)
    team.call("POST", "/series/a/observations", days(1, 8), status=200)
    table = "unique_id,ds,y\na,2024-01-09,1\n"
    team.call("POST", "/series/import", None, 403, content=table, headers={"content-type": "text/csv"})
    team.quota(observations=3)
    team.call("POST", "/series/a/observations", days(9, 9), status=403)
    # beyond a quota that was lowered, what adds nothing is taken
    team.call("POST", "/series/a/observations", days(1, 8), status=200)
    table = "unique_id,ds,y\na,2024-01-08,1\n"
    team.call("POST", "/series/import", None, 200, content=table, headers={"content-type": "text/csv"})
    team.call("DELETE", "/series/a/observations", status=204)
    assert team.used()["observations"] == 2


def test_models_jobs_and_trainings_are_counted(team: Team) -> None:
    team.call("POST", "/series", {"id": "a", "freq": "D"}, status=201)
    team.call("POST", "/series/a/observations", days(1, 30), status=200)
    body = {"series": "all", "horizon": 3}
    team.quota(models=1)
    job = team.call("POST", "/train", {"model": "m", **body}, status=202)
    team.call("POST", "/train", {"model": "n", **body}, status=403)
    assert team.used()["models"] == 1
    team.quota(jobs=1)
    team.call("POST", "/train", {"model": "m", **body}, status=403)
    team.call("POST", f"/jobs/{job['id']}/cancel", status=200)
    team.call("POST", "/train", {"model": "m", **body}, status=202)
    team.quota(trainings_per_day=2)
    team.call("POST", "/train", {"model": "m", **body}, status=403)
    assert team.used()["trainings_per_day"] == 2


@pytest.mark.one_database
def test_quotas_of_one_project_hold_for_no_other(team: Team) -> None:
    team.quota(series=0)
    team.call("POST", "/series", {"id": "a", "freq": "D"}, status=403)
    answer = team.client.post("/series", json={"id": "a", "freq": "D"}, headers=team.admin)
    assert answer.status_code == 201
    assert team.client.put("/projects/team", json={"quotas": {"series": -1}}, headers=team.admin).status_code == 422
    assert team.client.put("/projects/team", json={"quotas": {"sheep": 1}}, headers=team.admin).status_code == 422
