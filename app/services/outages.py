"""Errors of the database, as clients are told of them."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ErrorCode, Unavailable
from app.storage.engine import OUTAGE

DATABASE_ERRORS = (DBAPIError, PoolTimeout)
"""everything that the database raises, outages and bugs"""
RETRY_SECONDS = 2


def explain_outage(error: Exception) -> Unavailable | None:
    """Return what a client is told where the database is away; None where the error is a bug."""
    if not isinstance(error, OUTAGE):
        return None
    detail = "the database does not answer; try again in a few seconds"
    return Unavailable(ErrorCode.database_unavailable, detail, headers={"Retry-After": str(RETRY_SECONDS)})
