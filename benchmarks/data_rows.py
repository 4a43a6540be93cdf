"""Rows of benchmarks.data, each beside its limit in the same run, on one kind of database."""

import math
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from benchmarks.data_raw import count_written, read_both_ways, summarize, write_raw
from benchmarks.data_service import HOT, Stage, forecasting, sample_memory
from benchmarks.data_table import SalesTable
from benchmarks.serving_report import Row
from benchmarks.serving_servers import NotMeasured, Place, Server

MEMORY_MB = 400.0
CSV_SHARE = 0.6
SLOWER_FORECASTS = 3.0
QUIET_SECONDS = 5.0
KILLED_AT = 0.5
"""share of the series that are written, or of a whole import's time, after which the process is killed"""
KEY = "benchmark"
SAME_SUM = 1e-9
"""relative: the database adds in another order"""


@dataclass(frozen=True)
class Limits:
    """The least ratios of one kind of database; None where a row only tells."""

    new_rows: float
    overwriting: float | None
    reading: float


LIMITS = {"postgresql": Limits(0.5, 0.15, 3.0), "sqlite": Limits(0.5, None, 1.0)}
REFERENCES = {"postgresql": "binary COPY", "sqlite": "executemany"}


@dataclass(frozen=True)
class DatabaseRun:
    """What is measured on one kind of database."""

    kind: str
    folder: Path
    table: SalesTable
    formats: tuple[str, ...]
    """the first one is imported for all rows but those that compare the others with it"""
    make: Callable[[], str]
    """makes an empty migrated database and returns its address"""

    def stage(self, name: str) -> Stage:
        """Make a data directory with a database."""
        place = Place(self.folder / name)
        place.folder.mkdir(parents=True)
        return Stage(place, self.make())

    def row(self, name: str, rate: float, reference: float, target: float | None, against: str) -> Row:
        """Return a row of two rates of rows a second."""
        ratio = rate / reference
        return Row(f"{self.kind}: {name}", rate, "rows/s", ratio, target, "at least", reference, against)


def measure(run: DatabaseRun) -> Iterator[Row]:
    """Measure every row."""
    first = run.formats[0]
    stage = run.stage("whole")
    os.sync()
    raw = run.table.rows / write_raw(run.make(), run.table)
    new, over, memory = import_twice(run, stage)
    limits = LIMITS[run.kind]
    yield run.row(f"import as {first}, new rows", new, raw, limits.new_rows, REFERENCES[run.kind])
    yield run.row(f"import as {first}, overwriting", over, raw, limits.overwriting, REFERENCES[run.kind])
    yield memory
    arrays, tuples = (run.table.rows / seconds for seconds in read_both_ways(stage.url, run.table))
    yield run.row("reading as training arrays", arrays, tuples, limits.reading, "fetchall")
    for other in run.formats[1:]:
        yield run.row(f"import as {other}", import_new(run, other), new, CSV_SHARE, first)
    yield from import_killed(run, run.table.rows / new)


def import_twice(run: DatabaseRun, stage: Stage) -> tuple[float, float, Row]:
    """Import new rows, and all of them again; return both rates, and the memory that it took."""
    path = run.table.files[run.formats[0]]
    with stage.serve() as server, sample_memory(server) as memory:
        time.sleep(1)
        idle = memory.figures[-1]
        os.sync()  # or the disk would still be writing what was measured before
        new, _ = stage.upload(server, path, run.formats[0])
        os.sync()
        over, _ = stage.upload(server, path, run.formats[0])
    _require_whole(run, stage)
    peak = max(memory.figures) - idle
    more = {"idle_mb": idle, "samples": len(memory.figures)}
    row = Row(f"{run.kind}: peak memory of the API over idle", peak, "MB", peak, MEMORY_MB, "at most", more=more)
    return run.table.rows / new, run.table.rows / over, row


def import_new(run: DatabaseRun, format_name: str) -> float:
    """Import the table into an empty database; return the rate."""
    stage = run.stage(format_name)
    with stage.serve() as server:
        os.sync()
        seconds, _ = stage.upload(server, run.table.files[format_name], format_name)
    _require_whole(run, stage)
    return run.table.rows / seconds


def import_killed(run: DatabaseRun, seconds: float) -> Iterator[Row]:
    """Forecast while an import runs, kill the API in the middle of it, and send the table again with the same key."""
    stage = run.stage("killed")
    path = run.table.files[run.formats[0]]
    with stage.serve() as server:
        stage.make_hot(server)
        with forecasting(stage, server) as quiet:
            time.sleep(QUIET_SECONDS)
        with forecasting(stage, server) as busy:
            written = _kill_midway(stage, server, path, run, seconds)
    yield _compare_forecasts(run, quiet.figures, busy.figures)
    with stage.serve() as server:
        _, report = stage.upload(server, path, run.formats[0], KEY)
    differing = _find_differences(run, stage)
    more = {
        "series_written_at_kill": written,
        "series": len(run.table.ids),
        "repeated": report,
        "differing": differing[:5],
    }
    name = f"{run.kind}: series harmed by a SIGKILL"
    yield Row(name, len(differing), "series", len(differing), 0, "at most", more=more)


def _kill_midway(stage: Stage, server: Server, path: Path, run: DatabaseRun, seconds: float) -> int:
    """Kill the API once half of the series are there, or half of the time is over; return how many were there."""
    failures: list[Exception] = []

    def send() -> None:
        try:
            stage.upload(server, path, run.formats[0], KEY)
        except Exception as e:  # the connection is lost, as it should be
            failures.append(e)

    thread = Thread(target=send)
    thread.start()
    deadline = time.monotonic() + KILLED_AT * seconds
    while time.monotonic() < deadline and count_written(stage.url) < KILLED_AT * len(run.table.ids):
        time.sleep(0.1)
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    thread.join()
    if not failures or isinstance(failures[0], NotMeasured):
        raise NotMeasured(f"the import had ended before the API was killed: {failures}; take more rows")
    return count_written(stage.url) - 1  # the hot one


def _compare_forecasts(run: DatabaseRun, quiet: list[float], busy: list[float]) -> Row:
    """Compare the medians of forecasts without and with an import beside them."""
    if len(busy) < 2:
        raise NotMeasured("the import was too short to forecast beside it; take more rows")
    alone, beside = statistics.median(quiet), statistics.median(busy)
    more = {"forecasts": len(busy), "slowest_ms": max(busy), "slowest_without_ms": max(quiet)}
    name = f"{run.kind}: p50 of GET /forecast meanwhile"
    return Row(name, beside, "ms", beside / alone, SLOWER_FORECASTS, "at most", alone, "without", more)


def _require_whole(run: DatabaseRun, stage: Stage) -> None:
    """Raise NotMeasured where a table that was imported is not what was sent."""
    if differing := _find_differences(run, stage):
        raise NotMeasured(f"{len(differing)} series are not stored as they were sent, such as {differing[0]}")


def _find_differences(run: DatabaseRun, stage: Stage) -> list[str]:
    """Return the series whose count, first or last time or sum is not that of the table, and those it has not."""
    sent, stored = run.table.summarize(), summarize(stage.url)
    stored.pop(HOT, None)
    strangers = sorted(stored.keys() - sent.keys())
    return strangers + [one for one, told in sent.items() if one not in stored or not _agree(told, stored[one])]


def _agree(sent: tuple[int, int, int, float], stored: tuple[int, int, int, float]) -> bool:
    return sent[:3] == stored[:3] and math.isclose(sent[3], stored[3], rel_tol=SAME_SUM, abs_tol=SAME_SUM)
