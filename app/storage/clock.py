"""The database's clock, in microseconds UTC: the only clock that all processes share."""

from typing import Any

from sqlalchemy import BigInteger, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement


class now_us(FunctionElement[int]):
    """SQL function: the time at which the statement runs."""

    type = BigInteger()
    inherit_cache = True


def now(session: Session) -> int:
    """Return the present time in microseconds UTC."""
    return session.execute(select(now_us())).scalar_one()


@compiles(now_us, "sqlite")
def _sqlite(_element: now_us, _compiler: Any, **_kw: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"


@compiles(now_us, "postgresql")
def _postgresql(_element: now_us, _compiler: Any, **_kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
