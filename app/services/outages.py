"""Errors of the database and of full disks, as clients are told of them."""

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ErrorCode, Unavailable
from app.storage.engine import OUTAGE, READ_ONLY

DATABASE_ERRORS = (DBAPIError, PoolTimeout)
"""everything that the database raises, outages and bugs"""
RETRY_SECONDS = 2
FULL_RETRY_SECONDS = 60
"""someone has to free space first"""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_POSTGRESQL_FULL = "53100"
_PRIMARY = 0xFF
"""bits of SQLite's error code without its extension"""


def explain_outage(error: Exception) -> Unavailable | None:
    """Return what a client is told where the database is away or full; None where the error is a bug."""
    if isinstance(error, DBAPIError) and _is_full(error):
        detail = (
            "the disk of the database is full, and the transaction was undone; free space there, or DELETE what is no "
            "longer needed. What an import had written before stays: send it again, and it writes the rest"
        )
        return _full(detail)
    if not isinstance(error, OUTAGE):
        return None
    detail = "the database does not answer; try again in a few seconds"
    if isinstance(error, DBAPIError) and _is_read_only(error):
        detail = (
            "the database takes no writes now, and nothing was changed: its disk is read-only, or another server has "
            "taken its place; try again in a few seconds"
        )
    return Unavailable(ErrorCode.database_unavailable, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def explain_full_disk(error: OSError) -> Unavailable | None:
    """Return what a client is told where a file has found no room; None for any other error."""
    if error.errno not in _FULL:
        return None
    detail = (
        "the service has no room left on its disk, and nothing was changed; free space where temporary files lie "
        "(TMPDIR) and in GATECAST_DATA_DIR, then send it again, a large table in parts"
    )
    return _full(detail)


def _is_full(error: DBAPIError) -> bool:
    return _has_code(error, sqlite3.SQLITE_FULL, _POSTGRESQL_FULL)


def _is_read_only(error: DBAPIError) -> bool:
    return _has_code(error, sqlite3.SQLITE_READONLY, READ_ONLY)


def _has_code(error: DBAPIError, sqlite_code: int, sqlstate: str) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", 0)
    return code & _PRIMARY == sqlite_code or getattr(error.orig, "sqlstate", None) == sqlstate


def _full(detail: str) -> Unavailable:
    return Unavailable(ErrorCode.storage_full, detail, headers={"Retry-After": str(FULL_RETRY_SECONDS)})
