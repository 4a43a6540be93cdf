"""A disk that is full or read-only beneath a running service: what is kept stays, and all goes on with more room."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import store
from tests.e2e.processes import ONE_JOB, PATIENCE, Service, answers, free_port, until
from tests.e2e.test_outage import TINY, ask, forecast
from tests.e2e.test_recovery import finished, train

MEGABYTES = 12
"""of the disk: database, checkpoints and a version take two"""
BLOCK = bytes(4096)


def may_mount() -> bool:
    """Whether this process may mount disks that only its children see."""
    return (
        shutil.which("unshare") is not None
        and shutil.which("nsenter") is not None
        and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    )


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not may_mount(), reason="mounting disks needs Linux, and to be root"),
]


class Disk:
    """A small disk that holds all of a service's data. Nobody else sees it."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._folder = folder

    @property
    def _root(self) -> Path:
        """The service's own view of the file system."""
        return Path(f"/proc/{self._service.process('up').pid}/root")

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(BLOCK)

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self._root / str(self._folder / "filler").lstrip("/")

    @contextlib.contextmanager
    def read_only(self, name: str) -> Iterator[None]:
        """Let a folder be read alone."""
        folder = str(self._folder / name)
        self._run("mount", "--bind", folder, folder)
        self._run("mount", "-o", "remount,bind,ro", folder)
        yield
        self._run("umount", folder)

    def _run(self, *command: str) -> None:
        enter = ["nsenter", "--target", str(self._service.process("up").pid), "--mount"]
        subprocess.run([*enter, *command], check=True)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """`gatecast up` on a small disk, with a model `m` and a series `a`."""
    folder = tmp_path / "data"
    folder.mkdir()
    service = Service(tmp_path, f"sqlite:///{folder / 'gatecast.db'}", **ONE_JOB)
    mounting = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs {folder} && exec "$0" "$@"'
    service.program = ("unshare", "--mount", "sh", "-c", mounting, sys.executable, "-m", "app")
    port = free_port()
    service.url = f"http://127.0.0.1:{port}"
    service.start("up", "up", "--port", str(port))
    until(lambda: answers(service.url + "/readyz"), PATIENCE, "the service is ready")
    store(service)
    assert finished(service, train(service, **TINY))["status"] == "succeeded"
    yield service
    service.stop()


@pytest.fixture
def disk(service: Service, tmp_path: Path) -> Disk:
    return Disk(service, tmp_path / "data")


def list_ids(service: Service) -> list[str]:
    return [one["id"] for one in service.call("GET", "/series?limit=1000")["items"]]


def write_until_refused(service: Service) -> tuple[list[str], tuple[int, dict[str, str], Any]]:
    """Make series until one is refused; return the ids of those that were made, and the refusal."""
    made: list[str] = []
    for number in range(1000):
        answer = ask(service, "POST", "/series", {"id": f"s{number}", "freq": "h", "description": "x" * 9_999})
        if answer[0] != 201:
            return made, answer
        made.append(f"s{number}")
    raise AssertionError("there is room for all of them")


def test_a_full_disk_loses_nothing(service: Service, disk: Disk) -> None:
    job = train(service, epochs=40, steps_per_epoch=60)
    until(lambda: (service.call("GET", job)["progress"]["epoch"] or 0) >= 1, PATIENCE, "the training runs")
    disk.fill()
    made, (status, headers, problem) = write_until_refused(service)
    assert (status, problem["code"], headers["retry-after"]) == (503, "storage_full", "60")
    assert set(list_ids(service)) == {"a", *made}, "what was answered is there, what was refused is not"
    status, _, answer = forecast(service, "a")
    assert (status, answer["forecasts"][0]["status"], answer["forecasts"][0]["stale"]) == (200, "ok", False)
    assert ask(service, "GET", "/readyz")[0] == 503
    assert ask(service, "GET", "/livez")[0] == 200
    until(lambda: "job_postponed" in service.log("up"), PATIENCE, "the training has met the full disk")

    disk.free()
    assert ask(service, "POST", "/series", {"id": "after", "freq": "h"})[0] == 201
    assert ask(service, "GET", "/readyz")[0] == 200
    end = finished(service, job)
    assert (end["status"], end["version"]) == ("succeeded", 2), end
    assert "Traceback" not in service.log("up")


def test_artifacts_that_cannot_be_written_postpone_a_training(service: Service, disk: Disk) -> None:
    with disk.read_only("artifacts"):
        job = train(service, **TINY)
        until(lambda: "job_postponed" in service.log("up"), PATIENCE, "the training has met the read-only disk")
        assert service.call("GET", job)["status"] == "running"
        assert forecast(service, "a")[0] == 200, "reading needs no writing"
        status, _, readiness = ask(service, "GET", "/readyz")
        assert (status, [c["name"] for c in readiness["checks"] if not c["ok"]]) == (503, ["artifacts"])
    end = finished(service, job)
    assert (end["status"], end["version"]) == ("succeeded", 2), end
    assert end["attempt"] >= 2
