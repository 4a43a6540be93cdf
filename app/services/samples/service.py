"""Samples of monitoring protocols, from a body to stored steps.

Bodies are read one at a time, and rules say whose their samples are. These wait for the next transaction, which asks
whether the rules are still the same.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from app.errors import ErrorCode, TooLarge, Unavailable, Unreadable
from app.formats import remote_write
from app.formats.line_protocol import read_lines
from app.formats.samples import Known, ReadSamples, SampleError
from app.scope import Scope
from app.services.samples.book import RuleBook, SampleBatch, SampleProtocol
from app.services.samples.committing import GroupCommit
from app.services.samples.writing import RulesChanged, write_samples
from app.storage import ingest_rules
from app.storage.engine import Database

MOST_PROJECTS = 100
"""whose sources and rules a process remembers"""
MOST_SAMPLES = {"sqlite": 100_000, "postgresql": 1_000_000}
"""of one transaction: on SQLite so many that its only writer is not held for long"""
OUTCOMES = ("taken", "dropped", "unmatched")
ATTEMPTS = 5
"""at a body while its project's rules change"""


class SampleService:
    """The operations behind the write routes of other services' protocols."""

    def __init__(self, database: Database, most_bytes: int) -> None:
        """Set up the service; `most_bytes` is what a body may become when it is decompressed."""
        self._database = database
        self._most_bytes = most_bytes
        self._books: OrderedDict[int, RuleBook] = OrderedDict()
        self._lock = threading.Lock()
        self._group = GroupCommit(self._commit, MOST_SAMPLES[database.dialect])
        self.counts = dict.fromkeys(OUTCOMES, 0)
        """samples so far, by what became of them"""

    async def write_remote(self, scope: Scope, protocol: SampleProtocol, block: bytes) -> int:
        """Store what a remote write brings; return how many samples that were.

        Raises Unreadable, TooLarge, and Unavailable where sending it again later may help.
        """
        return await self._write(scope, protocol, partial(self._read_remote, protocol, block))

    async def write_lines(self, scope: Scope, content: bytes, nanoseconds: int, now: int) -> None:
        """Store what lines bring, all or none, as `write_remote`.

        Args:
            scope: whose they are
            content: the lines
            nanoseconds: of the unit in which timestamps are written
            now: microseconds UTC, the time of lines without one
        """
        await self._write(scope, SampleProtocol.lines, partial(read_lines, content, nanoseconds, now))

    async def _write(self, scope: Scope, protocol: SampleProtocol, read: Callable[[Known], ReadSamples]) -> int:
        for _ in range(ATTEMPTS):
            try:
                return len((await self._group.read(scope, partial(self._locate, scope, protocol, read))).ts)
            except RulesChanged:
                with self._lock:
                    self._books.pop(scope.project_id, None)
        detail = "the rules of this project are changing all the time; send it again in a second"
        raise Unavailable(ErrorCode.overloaded, detail, headers={"Retry-After": "1"})

    def _locate(self, scope: Scope, protocol: SampleProtocol, read: Callable[[Known], ReadSamples]) -> SampleBatch:
        book = self._find_book(scope)
        try:
            return book.locate(read(book.known[protocol]), protocol)
        except SampleError as e:
            raise Unreadable(ErrorCode.bad_request, str(e)) from e

    def _read_remote(self, protocol: SampleProtocol, block: bytes, known: Known) -> ReadSamples:
        is_first = protocol is SampleProtocol.remote_write_1
        try:
            content = remote_write.decompress_snappy(block, self._most_bytes)
        except OverflowError as e:
            detail = f"{e}, the limit is {self._most_bytes}; send fewer samples at once"
            raise TooLarge(ErrorCode.body_too_large, detail) from e
        return (remote_write.read_request if is_first else remote_write.read_request_2)(content, known)

    def _find_book(self, scope: Scope) -> RuleBook:
        """Return the project's rules as they were when this process last asked; a transaction says whether they hold.

        Bodies are read one at a time, and so is this called.
        """
        with self._lock:
            book = self._books.get(scope.project_id)
        if book is None or book.is_full:
            with self._database.read() as session:
                book = RuleBook.read(ingest_rules.list_all(session, scope))
        with self._lock:
            self._books[scope.project_id] = book
            self._books.move_to_end(scope.project_id)
            while len(self._books) > MOST_PROJECTS:
                self._books.popitem(last=False)
        return book

    def _commit(self, scope: Scope, batches: Sequence[SampleBatch]) -> None:
        outcome = self._database.write_with_retry(partial(write_samples, scope=scope, batches=batches))
        for name in OUTCOMES:
            self.counts[name] += getattr(outcome, name)
