"""Imports that are killed midway, and sent again."""

import io
import signal
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.processes import PATIENCE, Service, until

SERIES = 1500
STEPS = 500
TYPE = "application/vnd.apache.parquet"


def make_table() -> bytes:
    """Return a table whose values are all different."""
    days = np.datetime64("2023-01-01", "D") + np.arange(STEPS)
    columns = {
        "unique_id": pa.array(np.repeat([f"s{i:04d}" for i in range(SERIES)], STEPS)),
        "ds": pa.array(np.tile(days, SERIES), pa.date32()),
        "y": pa.array(np.arange(SERIES * STEPS, dtype=np.float64)),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def send(url: str, body: bytes) -> int | None:
    """Import a table and return the status; None where the connection breaks."""
    request = urllib.request.Request(f"{url}/series/import?freq=D", body, method="POST")
    request.add_header("content-type", TYPE)
    request.add_header("idempotency-key", "the-one-import")
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            response.read()
            return int(response.status)
    except (urllib.error.URLError, HTTPException, OSError):
        return None


def list_series(service: Service, url: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        page = service.call("GET", f"/series?limit=1000{cursor}", url=url)
        found |= {item["id"]: item for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.slow
def test_a_killed_import_is_completed_by_the_same_call(service: Service) -> None:
    body = make_table()
    url = service.serve()
    answers: list[int | None] = []
    thread = threading.Thread(target=lambda: answers.append(send(url, body)))
    thread.start()
    until(lambda: service.call("GET", "/series?limit=1")["items"], PATIENCE, "the first series is written")
    service.process("api").send_signal(signal.SIGKILL)
    thread.join()
    assert answers == [None]
    again = service.serve("again")
    before = list_series(service, again)
    assert 0 < len(before) < SERIES
    assert send(again, body) == 200
    after = list_series(service, again)
    assert len(after) == SERIES
    assert {item["count"] for item in after.values()} == {STEPS}
    for number in (0, len(before) - 1, len(before), SERIES - 1):
        found = service.call("GET", f"/series/s{number:04d}/observations?limit=1000", url=again)
        assert found["y"] == list(range(number * STEPS, (number + 1) * STEPS))
    versions = {item["version"] for item in after.values()}
    assert send(again, body) == 200  # answered from what was stored, without writing
    assert {item["version"] for item in list_series(service, again).values()} == versions
