"""`gatecast up`: everything in one command, restarted when it falls, gone after Ctrl-C."""

import re
import signal
import socket

import pytest
from uvicorn.config import STARTUP_FAILURE

from app.cli.up import STOP_SECONDS
from tests.e2e.conftest import store
from tests.e2e.processes import PATIENCE, Service, answers, family, free_port, lives, until
from tests.e2e.test_recovery import LONG, job_at_epoch, taken_over, train


@pytest.mark.one_database
def test_up_restarts_what_falls_and_stops_all(service: Service) -> None:
    (service.folder / "gatecast.db").unlink()  # up migrates by itself
    port = free_port()
    up = service.start("up", "up", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    until(lambda: answers(url + "/readyz"), PATIENCE, "the service is ready")
    until(lambda: "worker_started" in service.log("up"), PATIENCE, "the worker has started")
    for word in ("serve", "worker"):
        (part,) = [p for p in family(up.pid)[1:] if word in p.cmdline()]
        part.kill()
        until(lambda part=part: not lives(part), 5, f"{word} has fallen")  # type: ignore[misc]
    until(lambda: service.log("up").count("worker_started") == 2, PATIENCE, "the worker is back")
    until(lambda: answers(url + "/readyz"), PATIENCE, "the API is back")
    everything = family(up.pid)
    assert len(everything) == 5, "up, serve, worker, what its jobs are forked from, and what that one tidies up with"
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 0
    until(lambda: not any(map(lives, everything)), PATIENCE, "all processes are gone")  # one may be importing still


@pytest.mark.slow
@pytest.mark.one_database
def test_all_stop_when_up_is_killed(service: Service) -> None:
    """Nobody tells the API, the worker and the training that `up` is gone: they end by themselves, as at SIGTERM."""
    port = free_port()
    service.url = f"http://127.0.0.1:{port}"
    up = service.start("up", "up", "--port", str(port))
    until(lambda: answers(service.url + "/readyz"), PATIENCE, "the service is ready")
    store(service)
    job = train(service, **LONG)
    before = job_at_epoch(service, job, 2)
    everything = family(up.pid)
    assert len(everything) == 6, "up, serve, worker, what its jobs are forked from and tidied up with, and a job"
    up.kill()
    until(lambda: not any(map(lives, everything)), STOP_SECONDS, "all processes are gone")
    log = service.log("up")
    assert log.count("up_is_gone") == 2
    assert "job_handed_over" in log, "the training has written a checkpoint"
    assert "worker_stopped" in log
    service.start("again", "up", "--port", str(port))
    until(lambda: answers(service.url + "/readyz"), PATIENCE, "the service is ready again")
    taken_over(service, job, PATIENCE)
    after = job_at_epoch(service, job, before["progress"]["epoch"] + 1)
    assert after["attempt"] == 2
    (resumed,) = re.findall(r"training_continued .*epoch=(\d+)", service.log("again"))
    assert int(resumed) >= before["progress"]["epoch"] - 1, "from the checkpoint"
    service.call("POST", job + "/cancel")


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GATECAST_HOST": "0.0.0.0"}, "without keys"),
        ({"GATECAST_DATABASE_URL": "mysql://x"}, "sqlite:/// or postgresql://"),
        ({"GATECAST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "the database does not answer"),
        ({"GATECAST_PORT": "many"}, "GATECAST_PORT"),
    ],
)
def test_bad_settings_are_told_in_one_line(service: Service, environment: dict[str, str], words: str) -> None:
    service.environment |= environment
    assert service.start("up", "up").wait(30) == 1
    (line,) = service.log("up").strip().splitlines()
    assert line.startswith("gatecast: ")
    assert words in line


@pytest.mark.one_database
def test_a_port_that_is_taken_ends_the_api(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert service.start("serve", "serve", "--port", str(port)).wait(30) == STARTUP_FAILURE
    assert f"('127.0.0.1', {port})" in service.log("serve")
    assert "in use" in service.log("serve")
