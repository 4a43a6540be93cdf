"""How large a page of a Parquet column becomes, before it is decompressed.

The head of each page says so (parquet.thrift, `PageHeader`), in Thrift's compact protocol. pyarrow does not tell, the
footer tells the sum for a column at best, and a few kilobytes may become a page of two gigabytes.
"""

from typing import Any

LONGEST_HEAD = 1024 * 1024
"""bytes of a page's head: its statistics hold two values"""
DEEPEST = 8
"""structs within structs"""
_UNCOMPRESSED = 2
_COMPRESSED = 3
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_WHOLE = frozenset({_I16, _I32, _I64})


def measure_largest_page(file: Any, start: int, size: int) -> int:
    """Return how many bytes the largest page of a column chunk has when it is decompressed.

    `file` is a buffer; the chunk has `size` bytes from `start` on. Raises ValueError for what is no chunk.
    """
    end = start + size
    if start < 0 or size < 0 or end > len(file):
        raise ValueError("a column lies beyond the end of the file")
    content = memoryview(file).cast("B")
    largest = 0
    at = start
    while at < end:
        head = _Head(content[at : min(end, at + LONGEST_HEAD)])
        sizes = head.read_struct()
        uncompressed = sizes.get(_UNCOMPRESSED, -1)
        compressed = sizes.get(_COMPRESSED, -1)
        if uncompressed < 0 or compressed < 0:
            raise ValueError("the head of a page does not say how large it is")
        largest = max(largest, uncompressed)
        at += head.at + compressed
    return largest


class _Head:
    """The bytes from a page's head on, read once from front to back."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.at = 0

    def read_struct(self, depth: int = 0) -> dict[int, int]:
        """Return the whole numbers of a struct by field; its other fields are passed over. Raises ValueError."""
        if depth > DEEPEST:
            raise ValueError("the head of a page is nested too deeply")
        numbers: dict[int, int] = {}
        field = 0
        while (head := self._read_byte()) != 0:
            kind = head & 0x0F
            field = field + (head >> 4) if head >> 4 else self._read_number()
            if kind in _WHOLE:
                numbers[field] = self._read_number()
            else:
                self._skip(kind, depth)
        return numbers

    def _skip(self, kind: int, depth: int) -> None:
        if kind in (_TRUE, _FALSE):
            return
        if kind == _BYTE:
            self._move(1)
        elif kind in _WHOLE:
            self._read_number()
        elif kind == _DOUBLE:
            self._move(8)
        elif kind == _BINARY:
            self._move(self._read_varint())
        elif kind == _STRUCT:
            self.read_struct(depth + 1)
        else:
            raise ValueError("the head of a page has a field that none has")

    def _move(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise ValueError("the head of a page ends too early")

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
        raise ValueError("the head of a page has a number without an end")

    def _read_number(self) -> int:
        number = self._read_varint()
        return (number >> 1) ^ -(number & 1)
