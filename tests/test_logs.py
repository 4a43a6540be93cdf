"""Log lines of a process of its own: what they hold, and that they come whole."""

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import logging, sys, threading
import numpy as np
import structlog
from app import logs

logs.configure(sys.argv[1], "info")
ours, theirs = logs.get_logger("app.some"), logging.getLogger("uvicorn")
"""


def lines(program: str, log_format: str = "json") -> list[str]:
    """Run a program with logs configured; return what it writes to stderr, and nothing else."""
    command = [sys.executable, "-c", PROGRAM + program, log_format]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def events(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(program)]


def test_our_events_and_the_libraries_have_one_shape() -> None:
    found = events("""
structlog.contextvars.bind_contextvars(request_id="r1")
ours.info("request", method="GET", milliseconds=1.25)
theirs.warning("listening on %s", "x", extra={"port": 1})
ours.debug("too little to tell")
""")
    assert [list(one) for one in found] == [
        ["method", "milliseconds", "event", "request_id", "level", "timestamp"],
        ["event", "request_id", "level", "port", "timestamp"],
    ]
    assert (found[0]["event"], found[0]["milliseconds"], found[0]["level"]) == ("request", 1.25, "info")
    assert (found[1]["event"], found[1]["request_id"], found[1]["port"]) == ("listening on x", "r1", 1)
    assert all(one["timestamp"].endswith("Z") and "T" in one["timestamp"] for one in found)


def test_exceptions_are_text() -> None:
    program = """
for log in (ours, theirs):
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("failed")
"""
    for one in events(program):
        assert (one["event"], one["level"]) == ("failed", "error")
        assert "ZeroDivisionError: division by zero" in one["exception"]


def test_anything_can_be_told() -> None:
    (found,) = events("""
ours.warning("odd", big=2**80, text="\\ud800", keys={1: "a"}, share=np.float64(0.5), thing=object, none=float("nan"))
""")
    assert (found["big"], found["text"], found["keys"], found["share"]) == (2**80, "\ud800", {"1": "a"}, 0.5)
    assert found["thing"] == "<class 'object'>"


def test_lines_of_many_threads_come_whole() -> None:
    found = events("""
def tell(number):
    for step in range(200):
        ours.info("ours", number=number, step=step, text="x" * 300)
        theirs.warning("theirs %s %s %s", number, step, "y" * 300)

threads = [threading.Thread(target=tell, args=(n,)) for n in range(6)]
for one in threads: one.start()
for one in threads: one.join()
""")
    assert len(found) == 2 * 6 * 200
    assert {(one["number"], one["step"]) for one in found if one["event"] == "ours"} == {
        (n, step) for n in range(6) for step in range(200)
    }


def test_a_stream_that_is_replaced_is_followed() -> None:
    assert (
        events("""
import io
ours.info("first")
kept, sys.stderr = sys.stderr, io.TextIOWrapper(io.BytesIO())
ours.info("second")
aside = sys.stderr.buffer.getvalue()
sys.stderr = kept
assert b'"second"' in aside and b'"first"' not in aside
""")[0]["event"]
        == "first"
    )


REQUESTS = """
import asyncio

async def answer():
    requests = logs.RequestLines()
    for number, path in enumerate(("/a", "/\\ud800")):
        bound = logs.request_id.set(f"r{number}")
        requests.add("GET", path, 200 + number, 1.25)
        ours.warning("inside")
        logs.request_id.reset(bound)
    ours.warning("outside")
    await asyncio.sleep(0)  # the turn after

asyncio.run(answer())
"""


def test_lines_of_requests_have_the_shape_of_any_other() -> None:
    found = events(REQUESTS)
    assert [(one["event"], one.get("request_id")) for one in found] == [
        ("inside", "r0"),
        ("inside", "r1"),
        ("outside", None),
        ("request", "r0"),
        ("request", "r1"),
    ]
    assert [(one["path"], one["status"], one["milliseconds"]) for one in found[3:]] == [
        ("/a", 200, 1.25),
        ("/\ud800", 201, 1.25),
    ]
    assert list(found[3]) == [
        "method",
        "path",
        "status",
        "milliseconds",
        "event",
        "request_id",
        "level",
        "timestamp",
    ]
    assert all(one["level"] == "info" and one["timestamp"].endswith("Z") for one in found[3:])


def test_lines_of_requests_are_for_persons_too() -> None:
    found = lines(REQUESTS.replace('"/\\ud800"', '"/b"'), "console")
    assert len([one for one in found if "request_id=r1" in one and "path=/b" in one]) == 1


def test_a_level_above_info_tells_no_requests() -> None:
    quiet = 'logs.configure("json", "warning")\n' + REQUESTS
    assert {one["event"] for one in events(quiet)} == {"inside", "outside"}


def test_the_console_is_for_persons() -> None:
    (ours, theirs) = lines('ours.info("hello", name="x")\ntheirs.warning("there")\n', "console")
    assert "hello" in ours
    assert "name=x" in ours
    assert "there" in theirs


def test_no_write_of_requests_is_longer_than_a_pipe_takes_at_once() -> None:
    found = events("""
import asyncio, io, select
written = []

class Recorder(io.BytesIO):
    def write(self, line):
        written.append(bytes(line))
        return kept.buffer.write(line)

    def flush(self):
        kept.buffer.flush()

kept, sys.stderr = sys.stderr, io.TextIOWrapper(Recorder())

async def answer():
    requests = logs.RequestLines()
    for number in range(100):
        requests.add("GET", "/" + "x" * (5000 if number == 50 else 100), 200, number)
    await asyncio.sleep(0)

asyncio.run(answer())
sys.stderr = kept
assert all(one.endswith(b"\\n") for one in written)
assert sorted(map(len, written))[-2] <= select.PIPE_BUF < max(map(len, written)), "one line alone is longer"
assert len(written) < 12
""")
    assert [one["milliseconds"] for one in found] == list(range(100))


def test_lines_of_a_loop_that_has_died_are_written_by_the_next() -> None:
    found = events("""
import asyncio
requests = logs.RequestLines()

def turn(number, after):
    async def answer():
        requests.add("GET", "/", 200, number)
    loop = asyncio.new_event_loop()
    task = loop.create_task(answer())
    loop.call_soon(loop.stop)  # the turn after is never taken
    loop.run_forever()
    if after:
        loop.run_until_complete(asyncio.sleep(0, None))
    loop.close()

turn(1, False)
turn(2, True)
""")
    assert [one["milliseconds"] for one in found] == [1, 2]
