"""Arrays as parameters of PostgreSQL: a column of numbers or bytes goes to the database at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy.orm import Session

from app.storage.binary import encode_array, encode_bytes
from app.storage.dialects import use_driver
from models.arrays import Floats, Ints


class Int8Array:
    """Integers (N,) that go to the database as a bigint[], all at once."""

    def __init__(self, values: Ints) -> None:
        self.values = values


class Float8Array:
    """Numbers (N,) that go to the database as a double precision[], all at once."""

    def __init__(self, values: Floats) -> None:
        self.values = values


class BytesArray:
    """Byte strings (N,) that go to the database as a bytea[], all at once; None is NULL."""

    def __init__(self, values: Sequence[bytes | None]) -> None:
        self.values = values


class _Int8ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1016

    def dump(self, obj: Int8Array) -> bytes:
        return encode_array(obj.values, np.dtype(np.int64), 20)


class _Float8ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1022

    def dump(self, obj: Float8Array) -> bytes:
        return encode_array(obj.values, np.dtype(np.float64), 701)


class _BytesArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1001

    def dump(self, obj: BytesArray) -> bytes:
        return encode_bytes(obj.values)


_DUMPERS = {Int8Array: _Int8ArrayDumper, Float8Array: _Float8ArrayDumper, BytesArray: _BytesArrayDumper}


@contextmanager
def use_array_cursor(session: Session, *, binary: bool = False) -> Iterator[Any]:
    """Yield a cursor of the driver that takes arrays in the binary format, and with `binary` answers in it."""
    with use_driver(session) as driver, driver.cursor(binary=binary) as cursor:
        for kind, dumper in _DUMPERS.items():
            cursor.adapters.register_dumper(kind, dumper)
        yield cursor
