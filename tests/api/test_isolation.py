"""Projects: whatever a stranger asks, they read, change and notice nothing of another project's.

Every operation has a script in `isolation_cases`. A stranger sends it with the owner's names and ids, another one with
names that nobody has: both are told the same, word for word, and afterwards each row of the owner is as it was.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select, update

from app.api import compat
from app.config import Settings
from app.services.alerts import service as alert_service
from app.services.samples import rules as rule_service
from app.storage import keys
from app.storage.engine import Database
from app.storage.tables import IdempotencyRecord, JobRow, LinkSecret, ModelRow, Project
from tests.api import isolation_cases as cases
from tests.api.isolation_cases import CASES, Ask, Operation
from tests.api.two_projects import NOBODYS, THEIRS, TwoProjects, blur, open_two_projects, rename
from tests.kept import KEPT
from tests.services.stored import hours, numbers
from tests.trained import Trained, altered, publish, values

NAMELESS = {"/livez", "/readyz", "/metrics", "/usage", "/jobs/{job_id}/losses", "/jobs/{job_id}/trials"}
NAMELESS |= {"/api/v1/labels", "/api/v1/status/buildinfo"}
"""operations whose answers name nothing of anybody's"""
NOT_BY_KEYS = {"login_sessions"}
"""tables of which no key makes a row"""
OF_A_PROJECT = {"series", "observations", "models", "jobs", "trainings_per_day"}
DEFAULT_ALONE = {("PUT", "/projects/{name}"), ("DELETE", "/projects/{name}")}
"""operations of the project `default`"""


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoProjects]:
    folder = tmp_path_factory.mktemp("isolation")
    shutil.copy(sqlite_template, folder / "gatecast.db")
    with open_two_projects(Settings(data_dir=folder, cache_dir=KEPT)) as world:
        yield world


def name_operation(operation: Operation) -> str:
    return " ".join(operation)


def check_answers(world: TwoProjects, operation: Operation) -> None:
    """Run a script of an operation as a stranger, and beside it with names that nobody has."""
    method, template = operation
    stranger, control = world.add_stranger(), world.add_stranger()
    sent = ""
    for ask in CASES[operation]:
        other = rename(ask)
        sent += repr(other)
        theirs = stranger.send(ask, method, world.things)
        nobodys = control.send(other, method, world.nothings)
        assert theirs.status_code == ask.status, (ask.path, theirs.text[:1000])
        assert [mark for mark in world.marks if mark in nobodys.text and mark not in sent] == [], ask.path
        if template != "/metrics":  # it counts all calls
            assert blur(theirs, ask, world.things, THEIRS) == blur(nobodys, other, world.nothings, NOBODYS)


@pytest.mark.parametrize("operation", CASES, ids=name_operation)
def test_a_stranger_reads_changes_and_notices_nothing(world: TwoProjects, operation: Operation) -> None:
    check_answers(world, operation)
    before, world.untouched = world.untouched, world.take_snapshot()
    assert world.untouched == before


@pytest.mark.one_database("postgresql")
def test_nor_on_postgresql(settings: Settings) -> None:
    """Whose statements are others; the words of the answers are the same."""
    with open_two_projects(settings) as world:
        for operation, script in CASES.items():
            stranger = world.add_stranger()
            answers = [stranger.send(ask, operation[0], world.things).status_code for ask in script]
            assert answers == [ask.status for ask in script], operation
        assert world.take_snapshot() == world.untouched


def test_every_operation_has_a_script(world: TwoProjects) -> None:
    """A new operation needs one, in `isolation_cases`."""
    document = world.client.get("/openapi.json").json()
    shown = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    foreign = {
        (method, item.template)
        for item in world.app.operations
        for method, operation in item.operations.items()
        if isinstance(operation.route, APIRoute) and operation.route.endpoint.__module__.startswith(compat.__name__)
    }
    assert foreign, "protocols of other services are not in the document"
    assert set(CASES) == shown | foreign


def test_scripts_ask_the_operations_that_they_are_of(world: TwoProjects) -> None:
    for (method, template), script in CASES.items():
        own = [ask.path.partition("?")[0] for ask in script if ask.method is None]
        assert own, template
        for path in own:
            found = world.app.operations.find(path.replace("%2F", "/").replace("%20", " "))
            assert found is not None
            assert found[0].template.replace(":path}", "}") == template, path
            assert method in found[0].operations


def test_the_owner_has_something_of_every_kind(world: TwoProjects) -> None:
    assert {name for name, rows in world.take_snapshot().items() if not rows} <= NOT_BY_KEYS


def is_once(ask: Ask) -> bool:
    return cases.ONCE.items() <= ask.headers.items()


def test_idempotency_keys_of_the_owner_are_sent_to_each_route_that_takes_one(world: TwoProjects) -> None:
    """A stranger who was given the owner's answer would not find what they have made."""
    document = world.client.get("/openapi.json").json()
    taking = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "idempotency-key" in {parameter["name"] for parameter in operation.get("parameters", ())}
    }
    assert {operation for operation, script in CASES.items() if any(is_once(ask) for ask in script)} == taking
    query = select(IdempotencyRecord.route).where(IdempotencyRecord.project_id == world.owner.scope.project_id)
    with world.database.read() as session:
        routes = {tuple(route.split(" ", 1)) for route in session.execute(query).scalars()}
    assert len(routes) == len(taking), routes


def test_the_owner_is_answered_and_told_no_secret(sqlite_template: Path, tmp_path: Path) -> None:
    """The scripts begin with calls that the owner may send: it is the project that they are refused for."""
    shutil.copy(sqlite_template, tmp_path / "gatecast.db")
    with open_two_projects(Settings(data_dir=tmp_path, cache_dir=KEPT, chart_seconds=60)) as world:
        with world.database.read() as session:
            (link_secret,) = session.execute(select(LinkSecret.secret)).scalars()
        hidden = (world.owner.secret, cases.TARGET["secret"], link_secret.hex())
        for method, template in sorted(CASES, key=_order):
            ask = CASES[method, template][0]
            answer = world.owner.send(ask, method, world.things)
            refused = (method, template) in DEFAULT_ALONE
            assert (answer.status_code in (403, 404)) is refused, (method, template, answer.text[:500])
            assert answer.status_code < 500, (method, template, answer.text[:500])
            assert [secret for secret in hidden if secret in answer.text] == [], template
            if method == "GET" and template not in NAMELESS:
                assert THEIRS in answer.text or not is_json(answer), (template, answer.text[:500])


def is_json(answer: Any) -> bool:
    return bool(answer.headers["content-type"] == "application/json")


def _order(operation: Operation) -> tuple[bool, int]:
    """Deletions come last, those of parts before those of the whole."""
    is_deletion = operation[0] == "DELETE"
    return is_deletion, -operation[1].count("/") if is_deletion else 0


def read_values(answer: Any) -> list[float]:
    """Return the values of an answer: of one forecast, or of thinned observations."""
    document = answer.json()
    found: list[float] = document["forecasts"][0]["yhat"] if "forecasts" in document else document["y"]
    return found


def test_answers_in_memory_are_not_given_to_others(world: TwoProjects) -> None:
    """Of the same model and a series of the same id, by every way that remembers something."""
    aged = Ask(f"/forecast?{cases.AUTO_QUERY}&max_age=3600", 200)
    fresh = Ask(f"/forecast?{cases.AUTO_QUERY}", 200)
    thinned = Ask(f"{cases.HALL}/observations?points=10", 200)
    stranger = world.add_stranger()
    for one in cases.TWIN:
        assert stranger.send(one, "POST").status_code < 300
    for ask in (aged, fresh, thinned, fresh, aged):  # in turns, so that each finds what the other has left
        mine, theirs = (read_values(tenant.send(ask, "GET")) for tenant in (world.owner, stranger))
        assert max(mine) < min(theirs), "all values of the stranger's are higher"
    for ask in (aged, fresh):
        tag = world.owner.send(ask, "GET").headers["etag"]
        tagged = Ask(ask.path, headers={"if-none-match": tag})
        assert world.owner.send(tagged, "GET").status_code == 304
        answer = stranger.send(tagged, "GET")
        assert answer.status_code == 200, "the owner's tag is none of theirs"
        assert answer.headers["etag"] != tag


def test_what_the_owner_has_counts_for_nobody_else(world: TwoProjects) -> None:
    """In numbers that hold for a project: strangers who all had one more would not differ from each other."""
    stranger = world.add_stranger()
    for one in cases.TWIN:
        assert stranger.send(one, "POST").status_code < 300
    used = {name: count["used"] for name, count in stranger.call("GET", "/usage").items() if name in OF_A_PROJECT}
    assert used == {"series": 1, "observations": cases.LENGTH, "models": 0, "jobs": 0, "trainings_per_day": 0}
    day = stranger.call("PUT", "/retention?dry_run=true", {"series": "all", "keep": "1D"})
    assert day["expired"] == {"series": 1, "rows": cases.LENGTH - 25}, "by no policy and no model of the owner's"


def test_limits_count_what_is_ones_own(world: TwoProjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner has one of each; a stranger who may have one may make it, and no second one."""
    monkeypatch.setattr(alert_service, "MOST_ALERTS", 1)
    monkeypatch.setattr(rule_service, "MOST_RULES", 1)
    stranger = world.add_stranger()
    with world.database.write() as session:
        row = session.get(Project, stranger.scope.project_id)
        assert row is not None
        row.quotas = {"series": 1, "observations": cases.LENGTH, "models": 1, "jobs": 1, "trainings_per_day": 1}
    ones = (*cases.TWIN, cases.OWN_ALERT, cases.OWN_RULE, cases.post("/train", 202, cases.TRAIN))
    for one in ones:
        answer = stranger.send(one, "POST")
        assert answer.status_code == one.status, (one.path, answer.text)
    more = [
        ("PUT", "/series/b", {"freq": "h"}),
        ("POST", f"{cases.HALL}/observations", {"ds": hours(cases.LENGTH, cases.LENGTH + 1), "y": [1.0]}),
        ("PUT", "/alerts/b", cases.ALERT),
        ("PUT", "/ingest/rules/b", cases.RULE),
        ("POST", "/train", cases.TRAIN | {"model": "b"}),
    ]
    for method, path, body in more:
        answer = stranger.send(Ask(path, json=body), method)
        assert answer.status_code in (403, 409), (path, answer.text)


@pytest.mark.one_database
def test_models_of_one_name_are_two(settings: Settings, trained: Trained, tmp_path: Path) -> None:
    """One project's network, in memory or not, answers for no other project's model of that name."""
    versions = (trained, altered(trained, tmp_path / "altered", 2.0))
    body = {"history": {"x": {"ds": hours(0, 400), "y": numbers(values())}}}
    with open_two_projects(settings) as world:
        tenants = (world.owner, world.add_stranger())
        for tenant, version in zip(tenants, versions, strict=True):
            publish(world.database, settings, version, "shared", ended=True)
            _give_to(world.database, tenant.scope.project_id)
        for model in ("shared", "shared@1", "shared"):
            one, other = (tenant.call("POST", "/forecast", body | {"model": model}) for tenant in tenants)
            first, second = (answer["forecasts"][0]["yhat"] for answer in (one, other))
            assert second == pytest.approx([2 * value for value in first], rel=1e-3)


def _give_to(database: Database, project: int) -> None:
    """Move the model "shared" of the project `default` to another one, with its job."""
    with database.write() as session:
        default = keys.get_default_scope(session).project_id
        for table in (ModelRow, JobRow):
            session.execute(update(table).where(table.project_id == default).values(project_id=project))


def test_a_link_opens_what_its_maker_has_alone(world: TwoProjects) -> None:
    stranger = world.add_stranger()
    body = {"model": "alpha-model", "series": cases.HALL_ONLY}
    theirs, mine = (one.call("POST", "/forecast/chart", body)["url"] for one in (stranger, world.owner))
    found = world.client.get(theirs)
    assert (found.status_code, found.json()["code"]) == (404, "model_not_found")
    pairs = dict(parse_qsl(mine.partition("?")[2]))
    for changed in ({"key": str(stranger.scope.key)}, {"series": "alpha/yard"}, {"key": "0"}):
        link = f"/forecast/chart?{urlencode(pairs | changed)}"
        for headers in ({}, {"authorization": f"Bearer {stranger.secret}"}):
            refused = world.client.get(link, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "link_invalid"), changed
    forged = dict(parse_qsl(theirs.partition("?")[2])) | {"key": str(world.owner.scope.key)}
    assert world.client.get(f"/forecast/chart?{urlencode(forged)}").status_code == 403
