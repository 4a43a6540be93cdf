"""Workers that are killed and hung while jobs run, and a database that restarts: what must hold in the end.

`Chaos` can be driven by longer runs too: it asks nothing of the jobs but that they are short.
"""

import json
import random
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import select

from app.config import Settings
from app.storage.engine import Database
from app.storage.jobs import ENDED
from app.storage.tables import JobEvent, JobRow, VersionRow
from tests.e2e.conftest import store
from tests.e2e.processes import JOB, PATIENCE, Service, children, lives, until

HUNG_SECONDS = 3.0
"""longer than a lease: others take its jobs meanwhile"""
STRIKE_SECONDS = (1.0, 3.0)
"""least and most between two strikes"""
LOOK_SECONDS = 0.25


@dataclass
class Chaos:
    """Keeps so many workers at work, and strikes at them."""

    service: Service
    workers: int
    restart: Callable[[], None] | None = None
    """restarts the database, once"""
    most: int = 6
    """strikes; without an end to them a slow machine would get nowhere"""
    seed: int = 0
    strikes: Counter[str] = field(default_factory=Counter)
    _names: list[str] = field(default_factory=list)
    _hung: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Start the workers."""
        for _ in range(self.workers):
            self._add()

    def until_all_ended(self, jobs: list[str], seconds: float) -> dict[str, dict[str, Any]]:
        """Strike every few seconds until every job has ended; return the jobs."""
        draw = random.Random(self.seed)
        began, due = time.monotonic(), time.monotonic() + draw.uniform(*STRIKE_SECONDS)
        left, ended = list(jobs), dict[str, dict[str, Any]]()
        while left:
            assert time.monotonic() - began < seconds, f"after {seconds} s these have not ended: {left}"
            self._revive()
            if time.monotonic() >= due and self.strikes.total() < self.most:
                self._strike(draw)
                due = time.monotonic() + draw.uniform(*STRIKE_SECONDS)
            ended |= {job["id"]: job for job in self._jobs() if job["status"] in ENDED}
            left = [job for job in jobs if job not in ended]
            time.sleep(LOOK_SECONDS)
        self._revive(everybody=True)
        return ended

    def _jobs(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self.service.call("GET", "/jobs?limit=1000")["items"]
        except (AssertionError, OSError):  # the database restarts
            return []
        return found

    def _strike(self, draw: random.Random) -> None:
        if self.restart is not None and self.strikes.total() >= 2 and not self.strikes["restart"]:
            self.strikes["restart"] += 1
            self.restart()
            return
        standing = [name for name in self._names if name not in self._hung]
        if not standing:
            return
        busy = [name for name in standing if children(self.service.process(name))]
        name = draw.choice(busy or standing)
        kind = draw.choice(("kill", "kill", "hang", "drain"))
        self.strikes[kind] += 1
        process = self.service.process(name)
        if kind == "hang":
            self.service.hang(process)
            self._hung[name] = time.monotonic() + HUNG_SECONDS
            return
        process.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
        if kind == "kill":
            process.wait(10)
        self._names.remove(name)
        self._add()

    def _revive(self, *, everybody: bool = False) -> None:
        for name, at in list(self._hung.items()):
            if everybody or time.monotonic() >= at:
                self.service.process(name).send_signal(signal.SIGCONT)
                del self._hung[name]

    def _add(self) -> None:
        name = f"chaos{len(self._names) + self.strikes.total()}-{time.monotonic_ns()}"
        self.service.start(name, "worker")
        self._names.append(name)


def short_jobs(service: Service, trainings: int, others: int) -> list[str]:
    """Ask for short jobs of several kinds; return their ids. The first training is waited for: others need it."""
    store(service, "a", n=40)
    body = {
        "model": "m",
        "series": {"ids": ["a"]},
        "horizon": 6,
        "promote": "always",
        "network": {"hidden": 8, "basis": False},
        "training": {"epochs": 1, "steps_per_epoch": 5},
    }
    first: dict[str, Any] = service.call("POST", "/train", body)
    until(
        lambda: service.call("GET", f"/jobs/{first['id']}")["status"] in ENDED, PATIENCE, "the first training has ended"
    )
    ids = [first["id"]]
    for number in range(max(trainings - 1, others)):
        if number < trainings - 1:
            ids.append(service.call("POST", "/train", {**body, "priority": number % 10})["id"])
        if number < others:
            ids.append(scan(service, {"model": "m@1", "series": ["a"]})["id"])
    return ids


def scan(service: Service, body: object) -> dict[str, Any]:
    """Ask for a scan that is made by a job."""
    headers = {"content-type": "application/json", "prefer": "respond-async"}
    request = urllib.request.Request(service.url + "/anomalies", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def ended_once(service: Service, jobs: list[str]) -> None:
    """Assert that every job has ended exactly once, and that there are as many versions as successes."""
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.read() as session:
        rows = {row.id: row for row in session.execute(select(JobRow)).scalars()}
        ends = Counter(session.execute(select(JobEvent.job_id).where(JobEvent.kind.in_(ENDED))).scalars())
        versions = session.execute(select(VersionRow)).scalars().all()
    database.dispose()
    assert set(rows) == set(jobs)
    assert {job: ends[job] for job in jobs} == dict.fromkeys(jobs, 1)
    succeeded = [row for row in rows.values() if row.kind == "train" and row.status == "succeeded"]
    assert sorted(v.job_id for v in versions) == sorted(row.id for row in succeeded)
    assert sorted(v.number for v in versions) == list(range(1, len(versions) + 1))


def nothing_is_left(service: Service) -> None:
    """Assert that no process of a job and no file of one is left, but for those of versions."""
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.read() as session:
        wanted = sorted(session.execute(select(VersionRow.artifact)).scalars())
    database.dispose()
    root = service.folder / "data" / "artifacts"

    def folders() -> list[str]:
        found = [*root.glob("*/jobs/*"), *root.glob("*/models/*/*")]
        return sorted(str(one.relative_to(root)) for one in found)

    until(lambda: not orphans(service), 15, "no process of a job is left")
    until(lambda: folders() == wanted, 15, f"no file is left, only {wanted}, not {folders()}")


def orphans(service: Service) -> list[psutil.Process]:
    """Return the living processes of jobs of this service."""
    home = service.environment["GATECAST_DATA_DIR"]
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.name() == JOB and process.environ().get("GATECAST_DATA_DIR") == home
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if mine and lives(process):
            found.append(process)
    return found
