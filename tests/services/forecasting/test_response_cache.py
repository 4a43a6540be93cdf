"""Answers that are remembered: the same again only while version, series, arguments and key are the same."""

import gc
import hashlib
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from app.config import Settings
from app.main import create_app
from app.scope import Scope
from app.services.access.keys import KeyService
from app.services.forecasting import response_cache
from app.serving.runtime import LoadedVersion
from app.storage import keys
from app.storage.engine import Database
from app.storage.tables import ModelRow, Project
from tests.services.held import forecasts_of, until
from tests.services.stored import hours, store
from tests.trained import Trained, publish, values

pytestmark = pytest.mark.one_database

PLAIN = {"accept-encoding": "identity"}
"""a compressed answer has a tag of its own"""


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    client.headers.update(PLAIN)
    store(client, "a", values())
    return client


@pytest.fixture
def other(served: TestClient, settings: Settings) -> Iterator[TestClient]:
    """Another process of the same service."""
    with TestClient(create_app(settings), headers=PLAIN) as other:
        yield other


def got(client: TestClient, *series: str, tag: str | None = None, headers: Any = None, **more: Any) -> Any:
    asked = {**(headers or {}), **({} if tag is None else {"if-none-match": tag})}
    return client.get("/forecast", params={"model": "m", "series": list(series or "a"), **more}, headers=asked)


def write(client: TestClient, hour: int, value: float = 25.0, series: str = "a") -> None:
    body = {"ds": hours(hour, hour + 1), "y": [value]}
    assert client.post(f"/series/{series}/observations", json=body).status_code == 200


def origin(response: Any) -> str:
    assert response.status_code == 200, response.text
    found: str = response.json()["forecasts"][0]["origin"]
    return found


def test_a_tag_that_holds_is_304(served: TestClient) -> None:
    first = got(served)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert first.headers["cache-control"] == "private, no-cache"
    for match in (tag, f"W/{tag}", f'"x", {tag}', f'"x",W/{tag} , "y"', "*"):
        response = got(served, tag=match)
        assert (response.status_code, response.content) == (304, b""), match
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == "private, no-cache"
        assert "accept" in response.headers["vary"].lower()
    for match in ('"x"', tag.strip('"'), f'"x{tag[1:]}', '"*"'):
        again = got(served, tag=match)
        assert (again.status_code, again.content) == (200, first.content), match


def test_a_tag_needs_no_answer_before(served: TestClient, other: TestClient) -> None:
    assert got(other, tag=got(served).headers["etag"]).status_code == 304, "it is the same in every process"


def test_a_post_is_always_answered(served: TestClient) -> None:
    tag = got(served).headers["etag"]
    response = served.post("/forecast", json={"model": "m", "series": ["a"]}, headers={"if-none-match": tag})
    assert response.status_code == 200
    assert response.content == got(served).content


def test_other_arguments_have_other_tags(served: TestClient) -> None:
    store(served, "b", values(seed=1))
    asked: list[dict[str, Any]] = [
        {},
        {"horizon": 3},
        {"quantiles": "0.1"},
        {"quantiles": "0.1,0.2"},
        {"origin": hours(399, 400)[0]},
        {"origin": hours(200, 201)[0]},
        {"covariate_fill": "last"},
        {"on_missing": "season_naive"},
        {"headers": {"accept": "text/csv"}},
        {"headers": {"accept": "application/vnd.apache.arrow.stream"}},
    ]
    tags = [got(served, **one).headers["etag"] for one in asked]
    tags += [got(served, *names).headers["etag"] for names in (("b",), ("a", "b"), ("b", "a"), ("a", "a"), ("c",))]
    assert len(set(tags)) == len(tags)
    assert [got(served, **one).headers["etag"] for one in asked] == tags[: len(asked)]


def test_a_write_changes_the_tag_and_the_answer(served: TestClient) -> None:
    first = got(served)
    write(served, 400)
    second = got(served, tag=first.headers["etag"])
    assert origin(second) == hours(400, 401)[0]
    assert second.headers["etag"] != first.headers["etag"]
    write(served, 10, 99.0)  # far before the context: the version of the series counts
    assert got(served, tag=second.headers["etag"]).status_code == 200
    served.delete("/series/a/observations", params={"start": hours(400, 401)[0]})
    assert origin(got(served, tag=first.headers["etag"])) == hours(399, 400)[0]


def test_a_series_that_appears_changes_the_tag(served: TestClient) -> None:
    first = got(served, "a", "late")
    assert first.json()["forecasts"][1]["status"] == "error"
    assert got(served, "a", "late", tag=first.headers["etag"]).status_code == 304
    store(served, "late", values(seed=2))
    second = got(served, "a", "late", tag=first.headers["etag"])
    assert [f["status"] for f in second.json()["forecasts"]] == ["ok", "ok"]


def test_a_series_that_is_made_again_is_another_one(served: TestClient) -> None:
    """SQLite gives the newest series' key again, and the number of writes is the same."""
    store(served, "z", values(seed=1))
    before = got(served, "z")
    before_pinned = got(served, "z", model="m@1")
    number = served.get("/series/z").json()["version"]
    served.delete("/series/z")
    assert got(served, "z").json()["forecasts"][0]["error"]["code"] == "series_not_found"
    store(served, "z", values(seed=2) + 50)
    assert served.get("/series/z").json()["version"] == number
    for old, model in ((before, "m"), (before_pinned, "m@1")):
        after = got(served, "z", tag=old.headers["etag"], model=model)
        assert after.status_code == 200
        assert after.headers["etag"] != old.headers["etag"]
        assert np.mean(after.json()["forecasts"][0]["yhat"]) > np.mean(old.json()["forecasts"][0]["yhat"]) + 30


def test_a_series_that_is_made_again_without_a_question_between(served: TestClient) -> None:
    store(served, "z", values(seed=1))
    before = got(served, "z")
    served.delete("/series/z")
    store(served, "z", values(seed=2) + 50)
    after = got(served, "z", tag=before.headers["etag"])
    assert after.status_code == 200
    assert np.mean(after.json()["forecasts"][0]["yhat"]) > np.mean(before.json()["forecasts"][0]["yhat"]) + 30


def test_a_write_through_another_process_counts_at_once(served: TestClient, other: TestClient) -> None:
    for k in range(400, 410):
        tag = got(other).headers["etag"]
        write(served, k)
        assert origin(got(other, tag=tag)) == hours(k, k + 1)[0]


def test_a_deletion_through_another_process_counts_at_once(served: TestClient, other: TestClient) -> None:
    assert got(other).status_code == 200
    served.delete("/series/a")
    assert got(other).json()["forecasts"][0]["error"]["code"] == "series_not_found"


def test_another_champion_has_another_tag(
    served: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    first = got(served)
    publish(database, settings, trained)
    until(lambda: got(served).json()["version"] == 2)
    second = got(served, tag=first.headers["etag"])
    assert (second.status_code, second.json()["version"]) == (200, 2)
    assert got(served, tag=second.headers["etag"]).status_code == 304
    assert served.put("/models/m/champion", json={"version": 1}).status_code == 200
    third = got(served, tag=second.headers["etag"])
    assert (third.json()["version"], third.headers["etag"]) == (1, first.headers["etag"])


def test_another_champion_is_served_once_it_is_loaded(
    served: TestClient, other: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    """The version before answers until the new one is in memory, and never again after that."""
    assert got(other).json()["version"] == 1
    publish(database, settings, trained)
    seen: list[int] = []

    def is_new() -> bool:
        answer = got(other)
        assert answer.status_code == 200
        seen.append(answer.json()["version"])
        return seen[-1] == 2

    until(is_new)
    seen += [got(other).json()["version"] for _ in range(5)]
    assert seen == sorted(seen)
    assert got(other, model="m@1").json()["version"] == 1
    served.put("/models/m/champion", json={"version": 1})
    assert got(other).json()["version"] == 1, "what is in memory serves at once"


def test_a_model_that_is_deleted_answers_no_more(served: TestClient, database: Database) -> None:
    assert got(served).status_code == got(served, model="m@1").status_code == 200
    with database.write() as session:
        session.execute(delete(ModelRow).where(ModelRow.name == "m"))
    for model in ("m", "m@1"):
        response = got(served, model=model)
        assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "bad",
    [
        {"horizon": 99},
        {"quantiles": [0.99]},
        {"series": {"labels": {"k": "none"}}},
        {"origin": "2024-03-31T02:30:00", "series": ["berlin"]},
        {"model": "m@1", "horizon": 99},
    ],
)
def test_a_refused_first_request_spoils_no_later_one(served: TestClient, bad: dict[str, Any]) -> None:
    store(served, "berlin", values(2200), timezone="Europe/Berlin")
    asked = {"model": "m", "series": ["a"]} | bad
    for _ in range(2):
        assert served.post("/forecast", json=asked).status_code in (404, 422)
    assert got(served, model=asked["model"]).status_code == 200


def test_remembering_nothing_gives_the_same_answers(served: TestClient, settings: Settings) -> None:
    without = settings.model_copy(update={"rendered_cache_bytes": 0, "context_cache_bytes": 0})
    with TestClient(create_app(without), headers=PLAIN) as client:
        for more in ({}, {"horizon": 3}, {"quantiles": "0.3"}, {"max_age": 60}, {"headers": {"accept": "text/csv"}}):
            answers = [got(one, **more) for one in (served, client) for _ in range(2)]
            assert len({one.content for one in answers}) == 1, more
            assert len({one.headers["etag"] for one in answers}) == 1
        tag = got(served).headers["etag"]
        assert got(client, tag=tag).status_code == 304
        write(served, 400)
        assert origin(got(client, tag=tag)) == hours(400, 401)[0]
        assert got(client).content == got(served).content


# an answer's age


class Clock:
    """The time of day, which a test moves."""

    def __init__(self) -> None:
        self.now = 1_767_226_200.0  # 2026-01-01T00:10:00Z: the next hourly value is due in 3000 seconds

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(response_cache, "time", SimpleNamespace(time=clock.time))
    return clock


def lasts(response: Any) -> int:
    """Return the max-age of an answer, 0 where there is none."""
    kind, _, age = response.headers["cache-control"].removeprefix("private, ").partition("=")
    assert kind == ("max-age" if age else "no-cache")
    return int(age or 0)


def test_within_max_age_an_older_answer_will_do(served: TestClient, clock: Clock) -> None:
    first = got(served, max_age=600)
    assert (lasts(first), "age" in first.headers) == (600, False)
    write(served, 400)
    clock.now += 200
    again = got(served, max_age=600)
    assert (again.content, again.headers["age"]) == (first.content, "200")
    assert again.headers["etag"] == first.headers["etag"]
    assert got(served, max_age=600, tag=first.headers["etag"]).status_code == 304
    assert origin(got(served)) == hours(400, 401)[0], "whoever does not ask for it is given the newest"
    assert origin(got(served, max_age=100)) == hours(400, 401)[0], "younger than that"


def test_beyond_max_age_it_will_not(served: TestClient, clock: Clock) -> None:
    got(served, max_age=600)
    write(served, 400)
    clock.now += 601
    assert origin(got(served, max_age=600)) == hours(400, 401)[0]


def test_an_answer_from_the_future_will_not_do(served: TestClient, clock: Clock) -> None:
    """The machine's clock goes back after an answer was made."""
    got(served, max_age=600)
    write(served, 400)
    clock.now -= 100
    assert origin(got(served, max_age=600)) == hours(400, 401)[0]


def test_no_answer_lives_beyond_the_next_step(served: TestClient, clock: Clock) -> None:
    first = got(served, max_age=86_400)
    assert lasts(first) == 3000
    write(served, 400)
    clock.now += 2999
    assert origin(got(served, max_age=86_400)) == hours(399, 400)[0]
    clock.now += 1
    after = got(served, max_age=86_400)
    assert (origin(after), lasts(after)) == (hours(400, 401)[0], 3600)


def test_a_clients_cache_keeps_what_is_left(served: TestClient, clock: Clock) -> None:
    """RFC 9111: an answer is fresh while its age is below max-age, so that max-age counts from when it was made."""
    got(served, max_age=600)
    clock.now += 200
    again = got(served, max_age=600)
    assert lasts(again) - int(again.headers["age"]) == 400


def test_max_age_is_for_the_same_question(served: TestClient, clock: Clock) -> None:
    got(served, max_age=600)
    write(served, 400)
    for more in ({"horizon": 3}, {"quantiles": "0.1"}, {"model": "m@1"}):
        assert origin(got(served, max_age=600, **more)) == hours(400, 401)[0]
    table = got(served, max_age=600, headers={"accept": "text/csv"}).text
    assert hours(401, 402)[0] in table.split("\n")[1]


def test_a_failure_is_not_kept_for_a_while(served: TestClient, clock: Clock) -> None:
    assert got(served, "late", max_age=600).json()["forecasts"][0]["status"] == "error"
    store(served, "late", values(seed=2))
    assert got(served, "late", max_age=600).json()["forecasts"][0]["status"] == "ok"


def test_without_max_age_nothing_may_be_kept(served: TestClient, clock: Clock) -> None:
    for more in ({}, {"max_age": 0}):
        assert got(served, **more).headers["cache-control"] == "private, no-cache"


@pytest.mark.one_database
@pytest.mark.parametrize("value", ["-1", "86401", "nan", "inf", "soon", ""])
def test_bad_max_age(served: TestClient, value: str) -> None:
    assert got(served, max_age=value).status_code == 422


# keys


@pytest.fixture
def secured(served: TestClient, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"auth": "on"})), headers=PLAIN) as client:
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_a_revoked_key_is_refused_at_once(secured: TestClient, database: Database) -> None:
    service = KeyService(database, auth=True)
    key, another = service.create("one", read_only=True), service.create("two", read_only=True)
    calls: list[dict[str, Any]] = [{}, {"max_age": 600}, {"horizon": 3}, {"origin": hours(300, 301)[0]}]
    for _ in range(2):
        tags = [got(secured, headers=bearer(key.secret), **more).headers["etag"] for more in calls]
    many = {"model": "m", "series": ["a"] * 100}
    assert secured.post("/forecast", json=many, headers=bearer(key.secret)).status_code == 200
    service.revoke(key.number)
    for more, tag in zip(calls, tags, strict=True):
        for match in (None, tag):
            response = got(secured, headers=bearer(key.secret), tag=match, **more)
            assert (response.status_code, response.json()["code"]) == (401, "unauthorized"), more
            assert response.headers["www-authenticate"] == "Bearer"
    assert secured.post("/forecast", json=many, headers=bearer(key.secret)).status_code == 401
    assert got(secured, headers=bearer(another.secret)).status_code == 200


def test_a_key_that_was_found_revoked_is_refused_in_an_outage(secured: TestClient, database: Database) -> None:
    service = KeyService(database, auth=True)
    key = service.create("one", read_only=True)
    assert got(secured, headers=bearer(key.secret)).status_code == 200
    service.revoke(key.number)
    assert got(secured, headers=bearer(key.secret)).status_code == 401
    forecasts_of(secured).contexts.note_outage()
    assert got(secured, headers=bearer(key.secret)).status_code in (401, 503)


def test_no_key_and_bad_keys(secured: TestClient) -> None:
    assert got(secured).status_code == 401
    for value in ("Bearer ", "Bearer nonsense", "Basic abc", "nonsense"):
        assert got(secured, headers={"authorization": value}).status_code == 401


def test_no_answer_is_another_projects(secured: TestClient, database: Database) -> None:
    secret = "gk_" + "x" * 30
    with database.write() as session:
        project = Project(name="other")
        session.add(project)
        session.flush()
        scope = Scope(project.pk, keys.ALL_RIGHTS)
        keys.create(
            session, scope.project_id, "k", secret[:9], hashlib.sha256(secret.encode()).digest(), list(keys.ALL_RIGHTS)
        )
    mine = KeyService(database, auth=True).create("one").secret
    for more in ({}, {"max_age": 600}):
        tag = got(secured, headers=bearer(mine), **more).headers["etag"]
        for match in (None, tag):
            assert got(secured, headers=bearer(secret), tag=match, **more).status_code == 404
        assert got(secured, headers=bearer(mine), tag=tag, **more).status_code == 304


# the bounds of what is remembered, and the batch


@pytest.mark.one_database
def test_versions_that_are_no_longer_used_leave_memory(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    """GATECAST_MODEL_CACHE_BYTES bounds the versions in memory, whatever else remembers them."""
    for name in "mnopq":
        publish(database, settings, trained, name)
    store(client, "a", values())
    gc.collect()
    before = sum(type(one) is LoadedVersion for one in gc.get_objects())
    with TestClient(create_app(settings.model_copy(update={"model_cache_bytes": 1}))) as small:
        for _ in range(2):
            for name in "mnopq":
                assert got(small, model=name).status_code == 200
        gc.collect()
        held = sum(type(one) is LoadedVersion for one in gc.get_objects()) - before
    assert held <= 2, "the newest always stays"


def test_a_series_is_forecast_the_same_alone_and_among_others(served: TestClient, settings: Settings) -> None:
    names = [f"s{k}" for k in range(40)]
    for k, name in enumerate(names):
        store(served, name, values(60 + 7 * k, seed=k) * (1 + k))
    fresh = settings.model_copy(update={"rendered_cache_bytes": 0})
    found: dict[str, list[Any]] = {name: [] for name in names}
    with TestClient(create_app(fresh)) as client:
        alone = {name: got(client, name).json()["forecasts"][0] for name in names}
        start = threading.Barrier(len(names))

        def work(name: str) -> None:
            start.wait()
            found[name] = [got(client, name).json()["forecasts"][0] for _ in range(5)]

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for k, name in enumerate(names):
        assert len(found[name]) == 5
        for one in found[name]:
            assert (one["origin"], one["ds"]) == (alone[name]["origin"], alone[name]["ds"])
            for level in ("0.1", "0.5", "0.9"):
                expected = alone[name]["quantiles"][level]
                np.testing.assert_allclose(one["quantiles"][level], expected, rtol=0, atol=1e-6 * 6 * (1 + k))
