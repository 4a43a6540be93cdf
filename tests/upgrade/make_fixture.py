"""Make the fixtures of a release, one on SQLite and one on PostgreSQL, for `test_upgrade`.

    git worktree add /tmp/release COMMIT
    python -m venv /tmp/release/.venv
    /tmp/release/.venv/bin/pip install -c /tmp/release/constraints.txt /tmp/release
    python -m tests.upgrade.make_fixture /tmp/release /tmp/release/.venv/bin/python

It runs that release's processes, calls them as a client does (see `world`), stops them, and writes
`releases/{commit}-{database}.tar.gz`: the data directory, the database, and `expected.json` with what the release
answered. Among the jobs are a training that was handed over in the middle and an anomaly scan that still waits.
The test takes up every fixture that lies there. One takes a minute or two, the most of it until a schedule is due.
"""

import argparse
import json
import signal
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.processes import PATIENCE, Service, until
from tests.e2e.servers import server
from tests.e2e.test_recovery import finished, job_at_epoch
from tests.upgrade import archive, world
from tests.upgrade.calls import post

KEY = "once"
STOP_SECONDS = 30


class Release(Service):
    """Processes of a release that is installed elsewhere."""

    def __init__(self, command: Path, folder: Path, database_url: str) -> None:
        # a safe path: `python -m` in a child of theirs must not import the code in this folder
        super().__init__(folder, database_url, GATECAST_CACHE_DIR=str(folder / "cache"), PYTHONSAFEPATH="1")
        self.program = (str(command),)

    def end(self, name: str) -> None:
        """Stop a process as an operator does, and wait until it has ended."""
        process = self.process(name)
        process.terminate()
        status = process.wait(STOP_SECONDS)
        assert status in (0, -signal.SIGTERM), f"{name} ended with {status}: {self.log(name)[-2000:]}"


def commit_of(checkout: Path) -> str:
    """Return the short hash of a checkout. Raises ValueError where its files are not those of the commit."""
    git = ["git", "-C", str(checkout)]
    if subprocess.check_output([*git, "status", "--porcelain", "--untracked-files=no"]):
        raise ValueError(f"{checkout} has changes that are not committed")
    return subprocess.check_output([*git, "rev-parse", "--short=7", "HEAD"], text=True).strip()


@contextmanager
def open_database(name: str, folder: Path) -> Iterator[str]:
    """The address of an empty database."""
    if name == "sqlite":
        yield f"sqlite:///{folder / archive.SQLITE}"
        return
    with server() as postgresql:
        yield postgresql.database(migrated=False)


def make(command: Path, commit: str, name: str) -> Path:
    """Make the fixture of a release on a database; return its path."""
    with tempfile.TemporaryDirectory() as kept, open_database(name, Path(kept)) as url:
        folder = Path(kept)
        service = Release(command, folder, url)
        try:
            assert service.start("migrate", "migrate").wait(120) == 0, service.log("migrate")
            service.serve()
            expected = {"release": commit, **fill(service)}
            service.end("api")
        finally:
            service.stop()
        (folder / archive.EXPECTED).write_text(json.dumps(expected))
        if name == "sqlite":
            archive.settle_sqlite(folder / archive.SQLITE)
        else:
            archive.dump_postgresql(url, folder / archive.POSTGRESQL)
        path = archive.archive_of(commit, name)
        archive.pack(folder, path)
    return path


def fill(service: Release) -> dict[str, Any]:
    """Fill a service; return the jobs that are of interest, and what it answers at the end."""
    for metadata, observations in world.make_series():
        service.call("POST", "/series", metadata)
        service.call("POST", f"/series/{quote_id(metadata['id'])}/observations", observations)
    service.worker("worker")
    repeated = train(service)
    backtest = run_job(service, "/backtest", world.BACKTEST)
    scanned = run_job(service, "/anomalies", world.SCAN)
    archive_a_forecast(service)
    interrupted, waiting = leave_unfinished(service)
    service.end("worker")
    assert service.call("GET", f"/jobs/{interrupted}")["status"] == "running", "the training has ended; make it longer"
    return {
        "repeated": repeated,
        "interrupted": interrupted,
        "scanned": scanned,
        "waiting": waiting,
        "answers": {path: service.call("GET", path) for path in list_paths(service, backtest, scanned)},
        "forecasts": [{"body": body, "answer": service.call("POST", "/forecast", body)} for body in world.FORECASTS],
    }


def train(service: Release) -> dict[str, Any]:
    """Train the versions; return the first call, which carried an Idempotency-Key."""
    calls = []
    for number, one in enumerate(world.TRAINED):
        body = {**world.TRAINING, **one}
        key = f"{KEY}-{number}"
        status, answer = post(service.url, "/train", body, idempotency_key=key)
        calls.append({"path": "/train", "key": key, "body": body, "status": status, "answer": answer})
        ended = finished(service, f"/jobs/{answer['id']}")
        assert ended["status"] == "succeeded", ended
    return calls[0]


def run_job(service: Release, path: str, body: object) -> str:
    """Ask for a job, wait until it has succeeded, and return its id."""
    _, job = post(service.url, path, body, prefer="respond-async")
    ended = finished(service, f"/jobs/{job['id']}")
    assert ended["status"] == "succeeded", ended
    return str(job["id"])


def archive_a_forecast(service: Release) -> None:
    """Let the schedule of a model archive a forecast."""
    service.call("PUT", "/models/plain/schedule", world.SCHEDULE)
    (job,) = until(lambda: service.call("GET", "/jobs?kind=forecast")["items"], PATIENCE, "a scheduled forecast")
    assert finished(service, f"/jobs/{job['id']}")["status"] == "succeeded"


def leave_unfinished(service: Release) -> tuple[str, str]:
    """Return the ids of a training that is in the middle of its epochs and of a scan that waits behind it."""
    _, training = post(service.url, "/train", world.LONG)
    job_at_epoch(service, f"/jobs/{training['id']}", 2)
    _, scan = post(service.url, "/anomalies", world.SCAN, prefer="respond-async")
    return training["id"], scan["id"]


def list_paths(service: Release, backtest: str, scan: str) -> list[str]:
    """Return what is read of a service: all that it has been given and has made."""
    series = [f"/series/{quote_id(metadata['id'])}" for metadata, _ in world.make_series()]
    models = [
        f"/models/{model['name']}" for model in service.call("GET", "/models")["items"] if not model.get("builtin")
    ]
    jobs = [f"/jobs/{job['id']}" for job in service.call("GET", "/jobs")["items"]]
    return [
        *("/series", "/models", "/jobs", "/models/plain/archive"),
        *series,
        *(f"{one}/observations?limit=1000" for one in series),
        *models,
        *(f"{one}/versions" for one in models),
        *jobs,
        f"/backtests/{backtest}",
        f"/anomalies/{scan}",
    ]


def quote_id(series_id: str) -> str:
    """Return a series' id as a part of a path."""
    return urllib.parse.quote(series_id, safe="")


def main() -> None:
    """Make the fixtures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a git checkout of the release")
    parser.add_argument("python", type=Path, help="the Python that has it installed, with `gatecast` beside it")
    arguments = parser.parse_args()
    commit = commit_of(arguments.checkout)
    command = arguments.python.absolute().parent / "gatecast"
    for name in ("sqlite", "postgresql"):
        path = make(command, commit, name)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
