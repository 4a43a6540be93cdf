"""PostgreSQL's binary format from numpy arrays and back, without a Python object a number."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
ARRAY_HEADER = np.dtype([(name, ">i4") for name in ("dimensions", "has_null", "oid", "length", "first_index")])
_BYTEA = 17
"""PostgreSQL's number of the type"""
_PIECE = 16 << 20
"""bytes of rows that are encoded at a time, at most"""
_ROWS = 10_000
"""rows that are encoded at a time, at most"""


def encode_copy(columns: Sequence[NDArray[Any]]) -> Iterator[bytes]:
    """Yield the pieces of a COPY … FROM STDIN (FORMAT BINARY) of C columns (N,).

    They are int64, float64 with NaN for NULL, or text as an array of objects.
    """
    yield COPY_HEADER
    at = 0
    while at < len(columns[0]):
        rows = [column[at : at + _ROWS] for column in columns]
        count = max(1, min(_ROWS, _PIECE // sum(_find_width(column) for column in rows)))
        yield _encode_rows([column[:count] for column in rows])
        at += count
    yield COPY_END


def _find_width(column: NDArray[Any]) -> int:
    """Return the most bytes that a value takes."""
    return 4 * max(1, *map(len, column)) if column.dtype == object else 8


def _encode_rows(columns: Sequence[NDArray[Any]]) -> bytes:
    """Return rows, each the number of its fields and then size and bytes of each field."""
    pairs = [_encode_column(column) for column in columns]
    fields: list[Any] = [("fields", ">i2")]
    for i, (_, values) in enumerate(pairs):
        fields += [(f"size{i}", ">i4"), (f"value{i}", values.dtype)]
    rows = np.empty(len(columns[0]), fields)
    rows["fields"] = len(columns)
    for i, (sizes, values) in enumerate(pairs):
        rows[f"size{i}"] = sizes
        rows[f"value{i}"] = values
    return _drop_padding(rows, [sizes for sizes, _ in pairs])


def _encode_column(column: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the sizes (N,) of fields, -1 for NULL, and their bytes (N,), all of one width."""
    if column.dtype == object:
        texts = [text.encode() for text in column]
        return np.fromiter(map(len, texts), np.int64, len(texts)), np.array(texts, np.bytes_)
    if column.dtype == np.float64:
        return np.where(np.isnan(column), -1, 8), column.astype(">f8")
    return np.full(len(column), 8), column.astype(">i8")


def _drop_padding(rows: NDArray[Any], sizes: Sequence[NDArray[np.int64]]) -> bytes:
    """Return the bytes of rows without those of a field (N,) that go beyond its size."""
    kept = np.ones((len(rows), rows.dtype.itemsize), np.bool_)
    is_padded = False
    for i, size in enumerate(sizes):
        kind, offset = rows.dtype.fields[f"value{i}"][:2]  # type: ignore[index]
        if (size != kind.itemsize).any():
            kept[:, offset : offset + kind.itemsize] = np.arange(kind.itemsize) < size[:, None]
            is_padded = True
    return rows.view(np.uint8).reshape(kept.shape)[kept].tobytes() if is_padded else rows.tobytes()


def encode_array(values: NDArray[Any], kind: np.dtype[Any], oid: int) -> bytes:
    """Return numbers (N,) as an array of a type of eight bytes, of which `oid` is PostgreSQL's; NaN stays NaN."""
    header = np.array([(1, 0, oid, len(values), 1)], ARRAY_HEADER)
    elements = np.empty(len(values), [("size", ">i4"), ("value", kind.newbyteorder(">"))])
    elements["size"] = 8
    elements["value"] = values
    return header.tobytes() + elements.tobytes()


def encode_bytes(values: Sequence[bytes | None]) -> bytes:
    """Return byte strings (N,) as an array of bytea, None as NULL."""
    header = np.array([(1, 1, _BYTEA, len(values), 1)], ARRAY_HEADER)
    sizes = np.array([-1 if value is None else len(value) for value in values], ">i4").tobytes()
    parts = [part for i, value in enumerate(values) for part in (sizes[4 * i : 4 * i + 4], value or b"")]
    return header.tobytes() + b"".join(parts)


def decode_array(data: bytes | memoryview, kind: np.dtype[Any]) -> NDArray[Any]:
    """Return the elements (N,) of a one-dimensional array without NULL, of a type of eight bytes."""
    pairs = np.dtype([("size", ">i4"), ("value", kind.newbyteorder(">"))])
    return np.frombuffer(data, pairs, offset=ARRAY_HEADER.itemsize)["value"].astype(kind)
