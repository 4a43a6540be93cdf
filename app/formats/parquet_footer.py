"""What the footer of a Parquet file says of its columns' bytes, read without pyarrow (parquet.thrift, `FileMetaData`).

pyarrow's own objects of a column end the process where what they find is no column: their constructor throws, and
nothing between it and Python catches that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DEEPEST = 8
"""structs within structs"""
_TAIL = 8
"""bytes of the length of the footer, and the signature behind it"""
_TRUE, _FALSE, _BYTE, I16, I32, I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, STRUCT = range(1, 13)
_WHOLE = frozenset({I16, I32, I64})
_ROW_GROUPS, _COLUMNS, _ROWS, _META_DATA = 4, 1, 3, 3
_DECOMPRESSED, _COMPRESSED, _DATA, _DICTIONARY = 6, 7, 9, 11


@dataclass(frozen=True)
class ColumnChunk:
    """The bytes of one column in one row group."""

    start: int
    size: int
    decompressed: int
    """bytes, as the footer says"""


@dataclass(frozen=True)
class RowGroup:
    """Rows that stand together."""

    rows: int
    chunks: tuple[ColumnChunk, ...]
    """of each column of the file"""


class ThriftReader:
    """Bytes in Thrift's compact protocol, read once from front to back. Raises ValueError for what is none."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.at = 0

    def list_fields(self) -> Iterator[tuple[int, int]]:
        """Yield (number, type) of the fields of a struct; who is given one reads or skips it before the next."""
        field = 0
        while (head := self._read_byte()) != 0:
            field = field + (head >> 4) if head >> 4 else self.read_number()
            yield field, head & 0x0F

    def read_struct(self, kind: int, depth: int = 0) -> dict[int, int]:
        """Return the whole numbers of one type in a struct by field; its other fields are passed over."""
        if depth > DEEPEST:
            raise ValueError("a page or column is nested too deeply")
        numbers: dict[int, int] = {}
        for field, found in self.list_fields():
            if found == kind:
                numbers[field] = self.read_number()
            else:
                self.skip(found, depth)
        return numbers

    def list_structs(self) -> Iterator[int]:
        """Yield the numbers of the structs of a list, each of which is read before the next."""
        count, kind = self._read_list()
        if kind != STRUCT and count:
            raise ValueError("a list of columns has something else")
        yield from range(count)

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over a value."""
        if kind in (_TRUE, _FALSE):
            return
        if kind == _BYTE:
            self._move(1)
        elif kind in _WHOLE:
            self._read_varint()
        elif kind == _DOUBLE:
            self._move(8)
        elif kind == _BINARY:
            self._move(self._read_varint())
        elif kind == STRUCT:
            self.read_struct(0, depth + 1)
        elif kind in (_LIST, _SET):
            self._skip_list(depth + 1)
        else:
            raise ValueError("a page or column has a field that none has")

    def _skip_list(self, depth: int) -> None:
        count, kind = self._read_list()
        if depth > DEEPEST:
            raise ValueError("a page or column is nested too deeply")
        if kind in (_TRUE, _FALSE):  # a byte each, where they are a field's type elsewhere
            self._move(count)
            return
        for _ in range(count):
            self.skip(kind, depth)

    def _read_list(self) -> tuple[int, int]:
        """Return how many values of which type a list has."""
        head = self._read_byte()
        count = head >> 4
        return self._read_varint() if count == 0x0F else count, head & 0x0F

    def _move(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise ValueError("a page or column ends too early")

    def _read_byte(self) -> int:
        self._move(1)
        return self._data[self.at - 1]

    def _read_varint(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            byte = self._read_byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ValueError("a page or column has a number without an end")

    def read_number(self) -> int:
        """Return a whole number."""
        number = self._read_varint()
        return (number >> 1) ^ -(number & 1)


def read_row_groups(file: Any) -> list[RowGroup]:
    """Return the row groups of a file, a buffer that pyarrow has opened. Raises ValueError for what is none."""
    content = memoryview(file).cast("B")
    size = int.from_bytes(content[-_TAIL:-4], "little")
    reader = ThriftReader(content[max(0, len(content) - _TAIL - size) : -_TAIL])
    groups: list[RowGroup] = []
    for field, kind in reader.list_fields():
        if field == _ROW_GROUPS and kind == _LIST:
            groups = [_read_group(reader) for _ in reader.list_structs()]
        else:
            reader.skip(kind)
    return groups


def _read_group(reader: ThriftReader) -> RowGroup:
    rows = 0
    chunks: tuple[ColumnChunk, ...] = ()
    for field, kind in reader.list_fields():
        if field == _COLUMNS and kind == _LIST:
            chunks = tuple(_read_chunk(reader) for _ in reader.list_structs())
        elif field == _ROWS and kind == I64:
            rows = reader.read_number()
        else:
            reader.skip(kind)
    return RowGroup(rows, chunks)


def _read_chunk(reader: ThriftReader) -> ColumnChunk:
    numbers: dict[int, int] = {}
    for field, kind in reader.list_fields():
        if field == _META_DATA and kind == STRUCT:
            numbers |= reader.read_struct(I64)
        else:
            reader.skip(kind)
    if not {_DECOMPRESSED, _COMPRESSED, _DATA} <= set(numbers):
        raise ValueError("the footer does not say where a column lies")
    start = numbers[_DATA]
    if 0 < numbers.get(_DICTIONARY, 0) < start:
        start = numbers[_DICTIONARY]
    return ColumnChunk(start, numbers[_COMPRESSED], numbers[_DECOMPRESSED])
