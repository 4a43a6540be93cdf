"""Locks of calls that must not run twice at once: in this process, and between processes where PostgreSQL is shared.

Of SQLite's there is one writer at a time anyway, and whoever comes second finds what the first has stored.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.storage.engine import Database

AT_ONCE = 5
"""calls of several transactions that hold a name at once; further ones wait"""
_HOLDERS = threading.BoundedSemaphore(AT_ONCE)
_LOCK = threading.Lock()
_HELD: set[tuple[str, int]] = set()
"""database and number of the names that this process holds"""


@contextmanager
def hold_here(database: Database, name: str) -> Iterator[bool]:
    """Yield whether nobody in this process holds a name; if so, hold it until the block ends."""
    held = (database.engine.url.render_as_string(), _number(name))
    with _LOCK:
        is_free = held not in _HELD
        if is_free:
            _HELD.add(held)
    try:
        yield is_free
    finally:
        if is_free:
            with _LOCK:
                _HELD.discard(held)


@contextmanager
def hold(database: Database, name: str) -> Iterator[bool]:
    """Yield whether nobody holds a name, in this process or another; if so, hold it until block or process ends.

    It keeps a connection of the pool, of which such calls have AT_ONCE at most.
    """
    with hold_here(database, name) as is_free:
        if not is_free or database.dialect != "postgresql":
            yield is_free
            return
        with _HOLDERS, database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            is_held = bool(connection.execute(select(func.pg_try_advisory_lock(_number(name)))).scalar_one())
            try:
                yield is_held
            finally:
                if is_held:
                    connection.invalidate()  # the server gives free what a connection that ends has held


def try_in(session: Session, name: str) -> bool:
    """Hold a name until a transaction ends, and say whether nobody else does."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.execute(select(func.pg_try_advisory_xact_lock(_number(name)))).scalar_one())


def _number(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
