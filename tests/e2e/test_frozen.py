"""A process that is halted in the middle of a write to SQLite: others are told to come again, and reading goes on."""

import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from app.config import Settings
from app.storage.engine import BUSY_SECONDS, Database
from tests.e2e.conftest import stamps, store
from tests.e2e.processes import PATIENCE, Service, until
from tests.services.held import Call
from tests.trained import Trained, publish

pytestmark = [pytest.mark.slow, pytest.mark.one_database]

SERIES, ROWS = 200, 1000
AT_ONCE_SECONDS = 3.0
"""for what waits for nobody, on a loaded machine"""


@pytest.fixture
def writer_url(service: Service, settings: Settings, trained: Trained) -> str:
    """Start two API processes with a model; return the address of the second, which is to be halted."""
    database = Database(settings.database)
    publish(database, settings.model_copy(update={"data_dir": service.folder / "data"}), trained)
    database.dispose()
    service.serve()
    store(service)
    return service.serve("writer")


def ask(url: str, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], Any, float]:
    """Return status, headers, decoded body and seconds of an answer, errors too."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kind = "text/csv" if isinstance(body, bytes) else "application/json"
    request = urllib.request.Request(url + path, data, {"content-type": kind}, method=method)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read()), time.monotonic() - began
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), json.loads(e.read()), time.monotonic() - began


def write_table(name: str) -> bytes:
    """Return a table that takes seconds to import."""
    ds = stamps(ROWS)
    rows = (f"{name}{n},{moment},{n}\n" for n in range(SERIES) for moment in ds)
    return b"unique_id,ds,y\n" + "".join(rows).encode()


def hang_in_write(service: Service, process: subprocess.Popen[bytes]) -> None:
    """Halt a process at a moment at which it holds SQLite's lock."""

    def within() -> bool:
        process.send_signal(signal.SIGSTOP)
        if not service.writable():
            return True
        process.send_signal(signal.SIGCONT)
        return False

    until(within, PATIENCE, "it hangs in a transaction")


def check_others(service: Service) -> None:
    """Check that reading goes on at once, and that a write is given up in time."""
    writing = Call(lambda: ask(service.url, "PUT", "/series/new", {"freq": "h"}))
    for method, path, body in (
        ("POST", "/forecast", {"model": "m", "series": ["a"]}),
        ("GET", "/series/a", None),
        ("GET", "/readyz", None),
    ):
        status, _, answer, seconds = ask(service.url, method, path, body)
        assert (status, seconds < AT_ONCE_SECONDS) == (200, True), (path, status, seconds)
        if path == "/forecast":
            assert not answer["forecasts"][0]["stale"], "reads never wait for a writer"
    status, headers, problem, seconds = writing.result(PATIENCE)
    assert (status, problem["code"], headers["retry-after"]) == (503, "database_unavailable", "2")
    assert BUSY_SECONDS - 1 <= seconds < BUSY_SECONDS + AT_ONCE_SECONDS


def test_a_writer_that_hangs_and_goes_on(service: Service, writer_url: str) -> None:
    writer = service.process("writer")
    importing = Call(lambda: ask(writer_url, "POST", "/series/import", write_table("s")))
    until(lambda: service.call("GET", "/series?prefix=s&limit=1")["items"], PATIENCE, "it writes")
    hang_in_write(service, writer)
    check_others(service)
    writer.send_signal(signal.SIGCONT)
    status, _, report, _ = importing.result(PATIENCE)
    assert (status, report["inserted"]) == (200, SERIES * ROWS), report
    assert ask(service.url, "PUT", "/series/new", {"freq": "h"})[0] == 201


def test_a_writer_that_hangs_and_is_killed(service: Service, writer_url: str) -> None:
    writer = service.process("writer")
    table = write_table("s")
    failed = threading.Event()

    def send() -> None:
        try:
            ask(writer_url, "POST", "/series/import", table)
        except OSError:  # nobody answers any more
            failed.set()

    threading.Thread(target=send, daemon=True).start()
    until(lambda: service.call("GET", "/series?prefix=s&limit=1")["items"], PATIENCE, "it writes")
    hang_in_write(service, writer)
    writing = Call(lambda: ask(service.url, "PUT", "/series/new", {"freq": "h"}))
    writer.kill()
    status, _, _, seconds = writing.result(PATIENCE)
    assert (status, seconds < AT_ONCE_SECONDS) == (201, True), "its lock has gone with it"
    assert failed.wait(PATIENCE)
    report = ask(service.url, "POST", "/series/import", table)[2]
    assert report["inserted"] + report["updated"] == SERIES * ROWS, report
    assert report["inserted"] > 0, "the transaction in which it was killed has left nothing"
