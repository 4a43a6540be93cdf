"""Samples of monitoring protocols, from a body to stored steps.

Bodies are read one at a time. What they hold waits for the next transaction, in which rules say whose the samples are.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.orm import Session

from app.errors import ErrorCode, ServiceError, TooLarge, Unreadable
from app.formats import line_protocol, remote_write
from app.formats.samples import Labels, SampleBatch, SampleError, SourceTable
from app.scope import Scope
from app.services.samples.book import RuleBook
from app.services.samples.committing import GroupCommit
from app.services.samples.writing import Outcome, write_samples
from app.storage import ingest_rules
from app.storage.engine import Database

MOST_PROJECTS = 100
"""whose sources and rules a process remembers"""
MOST_SAMPLES = {"sqlite": 100_000, "postgresql": 1_000_000}
"""of one transaction: on SQLite so many that its only writer is not held for long"""


class SampleProtocol(Enum):
    """How samples are sent."""

    remote_write_1 = "remote write 1.0"
    remote_write_2 = "remote write 2.0"
    lines = "line protocol"


DECODERS: dict[SampleProtocol, Callable[[Any], Labels]] = {
    SampleProtocol.remote_write_1: remote_write.decode_labels,
    SampleProtocol.remote_write_2: remote_write.decode_pairs,
    SampleProtocol.lines: line_protocol.decode_head,
}


@dataclass(eq=False)
class _Project:
    """What a process remembers of a project."""

    tables: dict[SampleProtocol, SourceTable[Any]] = field(default_factory=dict)
    book: RuleBook | None = None

    def find_table(self, protocol: SampleProtocol) -> SourceTable[Any]:
        """Return the table of a protocol's sources, a new one where it is full."""
        table = self.tables.get(protocol)
        if table is None or table.is_full:
            table = self.tables[protocol] = SourceTable(DECODERS[protocol])
            self.book = None  # it remembers the sources of tables that nobody fills any more
        return table


class SampleService:
    """The operations behind the write routes of other services' protocols."""

    def __init__(self, database: Database, most_bytes: int, counts: CollectorRegistry | None = None) -> None:
        """Set up the service; `most_bytes` is what a body may become when it is decompressed."""
        self._database = database
        self._most_bytes = most_bytes
        self._projects: OrderedDict[int, _Project] = OrderedDict()
        self._lock = threading.Lock()
        self._group = GroupCommit(self._commit, MOST_SAMPLES[database.dialect])
        self._counter = Counter(
            "gatecast_ingest_samples",
            "Samples that were sent: taken in, dropped by a rule's bounds, or matched by no rule.",
            ["outcome"],
            registry=counts,
        )

    async def write_remote(self, scope: Scope, protocol: SampleProtocol, block: bytes) -> int:
        """Store what a remote write brings; return how many samples that were.

        Raises Unreadable, TooLarge, and Unavailable where sending it again later may help.
        """
        return len((await self._group.read(scope, partial(self._read_remote, scope, protocol, block))).ts)

    async def write_lines(self, scope: Scope, content: bytes, nanoseconds: int, now: int) -> int:
        """Store what lines bring, all or none, as `write_remote`; return how many samples that were.

        Args:
            scope: whose they are
            content: the lines
            nanoseconds: of the unit in which timestamps are written
            now: microseconds UTC, the time of lines without one
        """
        return len((await self._group.read(scope, partial(self._read_lines, scope, content, nanoseconds, now))).ts)

    def _read_remote(self, scope: Scope, protocol: SampleProtocol, block: bytes) -> SampleBatch:
        table = self._find_project(scope).find_table(protocol)
        is_first = protocol is SampleProtocol.remote_write_1
        try:
            content = remote_write.decompress_snappy(block, self._most_bytes)
            return (remote_write.read_request if is_first else remote_write.read_request_2)(content, table)
        except SampleError as e:
            raise _misread(e) from e
        except OverflowError as e:
            detail = f"{e}, the limit is {self._most_bytes}; send fewer samples at once"
            raise TooLarge(ErrorCode.body_too_large, detail) from e

    def _read_lines(self, scope: Scope, content: bytes, nanoseconds: int, now: int) -> SampleBatch:
        table = self._find_project(scope).find_table(SampleProtocol.lines)
        try:
            return line_protocol.read_lines(content, nanoseconds, now, table)
        except SampleError as e:
            raise _misread(e) from e

    def _find_project(self, scope: Scope) -> _Project:
        with self._lock:
            project = self._projects.setdefault(scope.project_id, _Project())
            self._projects.move_to_end(scope.project_id)
            while len(self._projects) > MOST_PROJECTS:
                self._projects.popitem(last=False)
            return project

    def _commit(self, scope: Scope, batches: Sequence[SampleBatch]) -> None:
        outcome = self._database.write_with_retry(partial(self._store, scope=scope, batches=batches))
        for name in ("taken", "dropped", "unmatched"):
            self._counter.labels(name).inc(getattr(outcome, name))

    def _store(self, session: Session, scope: Scope, batches: Sequence[SampleBatch]) -> Outcome:
        return write_samples(session, scope, self._find_book(session, scope), batches)

    def _find_book(self, session: Session, scope: Scope) -> RuleBook:
        """Return the project's rules as they are now."""
        project = self._find_project(scope)
        revisions = ingest_rules.list_revisions(session, scope)
        if project.book is None or project.book.revisions != revisions:
            project.book = RuleBook(revisions, ingest_rules.list_all(session, scope))
        return project.book


def _misread(error: SampleError) -> ServiceError:
    return Unreadable(ErrorCode.bad_request, str(error))
