"""Two tenants of one service: an owner who has a bit of everything, and strangers who must not even notice it."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import pyarrow as pa
from fastapi.testclient import TestClient
from sqlalchemy import Select, select, update

from app.config import Settings
from app.main import Application, create_app
from app.scope import Right, Scope
from app.services.access.secrets import SHOWN, digest_secret, make_secret
from app.storage import alarms, archive, jobs, keys, projects, registry, series
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.pages import encode_cursor
from app.storage.tables import AlertRow, AlertState, ApiKey, JobResult, JobRow, ModelRow, RevisionRow, Table, VersionRow
from tests.api import isolation_cases as cases
from tests.api.isolation_cases import CASES, Ask
from tests.e2e.processes import PATIENCE, until

THEIRS = "alpha"
"""what all names of the owner's begin with"""
NOBODYS = "omega"
"""as long, so that lengths tell nothing"""
TEAM = "alpha-team"
GLOBAL = {"worker_leases"}
"""tables that belong to no project"""
COUNTERS = {"last_used_at", "requests", "requests_month"}
"""columns that a project's own calls write, a while after them"""
UNSAID = {"date", "x-request-id", "server-timing", "content-length", "etag"}
"""headers that differ from answer to answer, or with the project"""
VOLATILE = [
    (re.compile(r"gk_\w+"), "SECRET"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"20(2[5-9]|[3-9]\d)-\d\d-\d\dT[\d:.]+(\+00:00|Z)?"), "NOW"),
    (re.compile(r'("last_used_at":)(null|"NOW")'), r"\1NOTED"),
    (re.compile(r"\bother-\d+"), "ME"),
    (re.compile(r'("(?:id|key|target)":"?)\d+'), r"\1N"),
    (re.compile(r"\b(expires|key|signature)=[\w-]+"), r"\1=SIGNED"),
]
"""what two answers to one call differ in: secrets, ids, moments, who asks, numbers that count for all projects"""


class Tenant:
    """A project with a key that may do everything in it."""

    def __init__(self, client: TestClient, secret: str, scope: Scope) -> None:
        self._client = client
        self.secret = secret
        self.scope = scope

    def send(self, ask: Ask, method: str, things: Mapping[str, str] | None = None) -> Any:
        """Send a call, in which things stand for their names in angle brackets, and return its answer."""
        path, body, content, headers = (
            fill_in(part, things or {}) for part in (ask.path, ask.json, ask.content, ask.headers)
        )
        if headers.get("content-encoding") == "snappy":
            content = pa.compress(content, codec="snappy", asbytes=True)
        more = {"json": body} if body is not None else {"content": content}
        headers |= {"authorization": f"Bearer {self.secret}"}
        return self._client.request(ask.method or method, path, headers=headers, **more)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call what must succeed, and return its document."""
        return self._succeed(Ask(path, json=body), method)

    def begin(self, method: str, template: str) -> Any:
        """Send the first call of the script of an operation, which must succeed, and return its document."""
        return self._succeed(CASES[method, template][0], method)

    def _succeed(self, ask: Ask, method: str) -> Any:
        answer = self.send(ask, method)
        assert answer.status_code < 300, (method, ask.path, answer.text)
        return answer.json() if answer.content else None


class TwoProjects:
    """A service with its owner, and as many strangers as are asked for."""

    def __init__(self, client: TestClient, app: Application, settings: Settings, database: Database) -> None:
        self.client = client
        self.app = app
        self.database = database
        self._store = ArtifactStore(settings.artifacts)
        self._folder = settings.data_dir / "artifacts"
        self._numbers = itertools.count(1)
        self.owner = self._add_tenant(TEAM, f"{THEIRS}-key")
        self.things = _give_everything(self.owner, self.database, self._store)
        self.nothings = {name: _resemble(name, value) for name, value in self.things.items()}
        self.marks = (THEIRS, str(cases.MARK), *(value for value in self.things.values() if len(value) > 20))
        """texts that stand in no answer to others, unless they have sent them"""
        until(self._is_key_noted, PATIENCE, "the use of the owner's key is noted")
        self.untouched = self.take_snapshot()

    def add_stranger(self) -> Tenant:
        """Return somebody of a project that has nothing."""
        name = f"other-{next(self._numbers)}"
        return self._add_tenant(name, name)

    def take_snapshot(self) -> dict[str, list[str]]:
        """Return all rows of the owner's project by table, and its files."""
        project = self.owner.scope.project_id
        with self.database.read() as session:
            rows = {
                name: sorted(repr(tuple(row)) for row in session.execute(query))
                for name, query in select_rows(project).items()
            }
        paths = [path for path in sorted((self._folder / str(project)).rglob("*")) if path.is_file()]
        return rows | {"files": [f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths]}

    def _add_tenant(self, project: str, key: str) -> Tenant:
        secret = make_secret()
        with self.database.write() as session:
            row = projects.add(session, project)
            made = keys.create(session, row.pk, key, secret[:SHOWN], digest_secret(secret), list(Right))
            scope = keys.make_scope(made)
        return Tenant(self.client, secret, scope)

    def _is_key_noted(self) -> bool:
        query = select(ApiKey.last_used_at).where(ApiKey.pk == self.owner.scope.key)
        with self.database.read() as session:
            return session.execute(query).scalar_one() is not None


@contextmanager
def open_two_projects(settings: Settings) -> Iterator[TwoProjects]:
    """Start a service that asks for keys, on an empty database."""
    app = create_app(settings.model_copy(update={"auth": "on"}))
    with TestClient(app, raise_server_exceptions=False) as client:
        database = Database(settings.database)
        try:
            yield TwoProjects(client, app, settings, database)
        finally:
            database.dispose()


def select_rows(project: int) -> dict[str, Select[Any]]:
    """Return for each table the query of a project's rows, found by the columns that lead to the project."""
    queries = {}
    for table in Table.metadata.sorted_tables:
        if table.name not in GLOBAL:
            columns = [column for column in table.columns if column.name not in COUNTERS]
            queries[table.name] = select(*columns).where(_belongs_to(table, project))
    return queries


def blur(answer: Any, sent: Ask, things: Mapping[str, str], word: str) -> tuple[int, str, str]:
    """Return status, body and headers of an answer, without what the call has named and what differs anyway."""
    headers = {name: value for name, value in answer.headers.items() if name not in UNSAID}
    told = [answer.text, orjson.dumps({**headers, "tagged": "etag" in answer.headers}).decode()]
    for name, value in things.items():
        if name in repr(sent):
            told = [re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", name, text) for text in told]
    for pattern, plain in VOLATILE:
        told = [pattern.sub(plain, text) for text in told]
    return answer.status_code, told[0].replace(word, "NAME"), told[1].replace(word, "NAME")


def rename(ask: Ask) -> Ask:
    """Return the same call with names that nobody has."""
    return Ask(_rename(ask.path), ask.status, _rename(ask.json), _rename(ask.content), _rename(ask.headers), ask.method)


def fill_in(part: Any, things: Mapping[str, str]) -> Any:
    """Return a part of a call with things for their names in angle brackets."""
    if isinstance(part, str):
        for name, value in things.items():
            part = part.replace(name, value)
        return part
    if isinstance(part, Mapping):
        return {key: fill_in(value, things) for key, value in part.items()}
    return [fill_in(one, things) for one in part] if isinstance(part, list) else part


def _rename(part: Any) -> Any:
    if isinstance(part, str):
        return part.replace(THEIRS, NOBODYS)
    if isinstance(part, bytes):
        return part.replace(THEIRS.encode(), NOBODYS.encode())
    if isinstance(part, Mapping):
        return {_rename(key): _rename(value) for key, value in part.items()}
    return [_rename(one) for one in part] if isinstance(part, list) else part


def _resemble(name: str, value: str) -> str:
    """Return what is nobody's, in the shape of a thing of the owner's. A cursor is a place, and may be anybody's."""
    if name.endswith("_cursor>"):
        return value
    return "987654321" if value.isdigit() else hashlib.sha256(value.encode()).hexdigest()[:32]


def _belongs_to(table: Any, project: int) -> Any:
    if table.name == "projects":
        return table.c.pk == project
    if "project_id" in table.c:
        return table.c.project_id == project
    # a row belongs to what its own key names, or else to what it must name
    owner = min(table.foreign_keys, key=lambda one: (not one.parent.primary_key, one.parent.nullable, one.parent.name))
    return owner.parent.in_(select(owner.column).where(_belongs_to(owner.column.table, project)))


def _give_everything(owner: Tenant, database: Database, store: ArtifactStore) -> dict[str, str]:
    """Give the owner something of every kind, by calls that strangers repeat word for word; return what has no name."""
    owner.begin("POST", "/series")
    owner.call("PUT", "/covariates/alpha-temp", {"kind": "numeric"})
    owner.begin("POST", "/series/{series_id}/observations")
    owner.begin("POST", "/series/import")
    owner.begin("POST", "/observations")
    owner.call("PUT", "/models/auto:h/schedule", cases.SCHEDULE)
    _name_model(owner.scope, database)
    owner.call("PUT", f"{cases.MODEL}/watch", cases.WATCH)
    owner.begin("POST", "/anomalies/verdicts")
    owner.call("PUT", "/alerts/alpha-alert", cases.ALERT)
    owner.begin("POST", "/alerts/{name}/test")
    owner.call("POST", "/alerts/alpha-alert/test")
    for keep in (cases.KEEP, cases.KEEP | {"series": "all"}):
        owner.call("PUT", "/retention", keep)
    owner.call("PUT", "/ingest/rules/alpha-rule", cases.RULE)
    owner.begin("POST", "/api/v2/write")
    owner.begin("POST", "/forecast")
    owner.begin("POST", "/forecast/chart")
    etag = owner.send(CASES["GET", "/forecast"][0], "GET").headers["etag"]
    ended = owner.call("POST", "/train", cases.TRAIN | {"model": "alpha-ended"})["id"]
    owner.call("POST", f"/jobs/{ended}/cancel")
    owner.begin("POST", "/models/{name}/refresh")
    things = {
        "<ended>": ended,
        "<job>": owner.begin("POST", "/train")["id"],
        "<backtest>": owner.begin("POST", "/backtest")["id"],
        "<scan>": owner.begin("POST", "/anomalies")["id"],
        "<key>": str(owner.call("POST", "/keys", {"name": "alpha-second", "scopes": ["read"]})["id"]),
        "<etag>": etag,
        "<models_cursor>": encode_cursor("alpha-model"),
    }
    _add_findings(owner.scope, database, ended)
    store.put(f"{owner.scope.project_id}/models/1/files/graph.onnx", b"alpha's network")
    for name, path in (
        ("<series_cursor>", "/series"),
        ("<rows_cursor>", f"{cases.HALL}/observations"),
        ("<jobs_cursor>", "/jobs"),
        ("<keys_cursor>", "/keys"),
        ("<events_cursor>", "/alerts/alpha-alert/events"),
        ("<audit_cursor>", "/audit"),
    ):
        things[name] = owner.call("GET", f"{path}?limit=1")["next_cursor"]
    return things


def _name_model(scope: Scope, database: Database) -> None:
    """Make the built-in network a model of the owner's: training one would take long."""
    with database.write() as session:
        session.execute(update(ModelRow).where(ModelRow.project_id == scope.project_id).values(name="alpha-model"))
        session.execute(update(JobRow).where(JobRow.project_id == scope.project_id).values(model="alpha-model"))


def _add_findings(scope: Scope, database: Database, job: str) -> None:
    """Add what workers would."""
    with database.write() as session:
        model = registry.get(session, scope, "alpha-model")
        row = series.get(session, scope, "alpha/hall 1")
        assert model is not None
        assert row is not None
        found = {"ts": row.last_ts, "y": cases.MARK, "expected": 20.0, "lower": 18.0, "upper": 22.0, "score": 9.0}
        alarms.add_alarms(session, scope, model.pk, row.pk, [found | {"alarm": True}])
        forecast = {"levels": [0.5], "quantiles": [[20.0]] * 12, "season_naive": [20.0] * 12}
        made = {"model_pk": model.pk, "version": 1, "revision": 0, "series_pk": row.pk, "series_version": row.version}
        archive.add(session, [{**made, "origin": row.last_ts, "scale": 1.0, "forecast": forecast}])
        version = registry.get_version(session, model, 1)
        alert = session.execute(select(AlertRow).where(AlertRow.project_id == scope.project_id)).scalar_one()
        assert isinstance(version, VersionRow)
        refused = {"number": 1, "promoted": False, "reason": "alpha's was better", "metrics": {}}
        session.add(RevisionRow(version_pk=version.pk, **refused))
        state = {"active": True, "firing": True, "changed_at": 1, "since": 1, "labels": {}}
        session.add(AlertState(alert_pk=alert.pk, key="alpha/hall 1", **state))
        session.add(JobResult(job_id=job, document={"alpha": cases.MARK}))
        jobs.add_event(session, job, jobs.LOG, {"attempt": 0, "lines": ["alpha's log"]})
