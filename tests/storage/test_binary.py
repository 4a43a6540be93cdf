"""PostgreSQL's binary format, byte by byte; `test_bulk.py` and `test_bulk_read.py` send it to a server."""

import struct

import numpy as np
import pytest

from app.storage import binary
from app.storage.binary import decode_array, encode_array, encode_copy

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def test_numbers_and_null() -> None:
    pieces = encode_copy([np.array([7, -1]), np.array([2**62, -(2**62)]), np.array([0.5, np.nan])])
    first = struct.pack(">hiqiqid", 3, 8, 7, 8, 2**62, 8, 0.5)
    second = struct.pack(">hiqiqi", 3, 8, -1, 8, -(2**62), -1)
    assert b"".join(pieces) == HEADER + first + second + b"\xff\xff"


def test_texts_of_any_length() -> None:
    texts = np.array(["", "Grüße", "x" * 300], object)
    rows = [struct.pack(">hiqi", 2, 8, i, len(text.encode())) + text.encode() for i, text in enumerate(texts)]
    assert b"".join(encode_copy([np.arange(3), texts])) == HEADER + b"".join(rows) + b"\xff\xff"


def test_no_rows() -> None:
    assert b"".join(encode_copy([np.empty(0, np.int64), np.empty(0)])) == HEADER + b"\xff\xff"


def test_long_texts_come_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "_PIECE", 1000)
    texts = np.array(["x" * 100] * 20, object)
    pieces = list(encode_copy([np.arange(20), texts]))
    assert max(map(len, pieces)) < 1000
    assert b"".join(pieces).count(b"x" * 100) == 20


def test_arrays_there_and_back() -> None:
    numbers = np.array([0.1, np.nan, -np.finfo(np.float64).max])
    stamps = np.array([0, -(2**62), 2**62])
    encoded = encode_array(stamps, np.dtype(np.int64), 20)
    assert encoded[:20] == struct.pack(">iiiii", 1, 0, 20, 3, 1)
    assert decode_array(encoded, stamps.dtype).tolist() == stamps.tolist()
    assert np.array_equal(decode_array(encode_array(numbers, numbers.dtype, 701), numbers.dtype), numbers, True)
