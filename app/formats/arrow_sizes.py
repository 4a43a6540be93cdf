"""How large a message of an Arrow stream becomes, before it is decompressed.

A compressed buffer says so in its first eight bytes (Columnar.rst, "Compression"); where the buffers lie, the message's
metadata say, a flatbuffer (Message.fbs). pyarrow does not tell, and a few kilobytes may become any number of gigabytes.
"""

import struct
from typing import Any

_DICTIONARY = 2
_RECORD_BATCH = 3


def measure_message(metadata: bytes, body: Any) -> int:
    """Return how many bytes a message's buffers have when they are decompressed; 0 where they are not compressed.

    `body` is a buffer. Raises struct.error for what is no message.
    """
    message = struct.unpack_from("<I", metadata)[0]
    kind = _find_field(metadata, message, 1)
    header = _find_field(metadata, message, 2)
    if kind is None or header is None or metadata[kind] not in (_DICTIONARY, _RECORD_BATCH):
        return 0
    batch: int | None = _follow(metadata, header)
    if metadata[kind] == _DICTIONARY:
        data = _find_field(metadata, _follow(metadata, header), 1)
        batch = None if data is None else _follow(metadata, data)
    buffers = None if batch is None else _find_field(metadata, batch, 2)
    if batch is None or buffers is None or _find_field(metadata, batch, 3) is None:
        return 0
    return _add_sizes(metadata, _follow(metadata, buffers), memoryview(body))


def _add_sizes(metadata: bytes, vector: int, body: memoryview) -> int:
    """Return the sum of what the buffers become that a vector of (offset, length) lists."""
    total = 0
    for i in range(struct.unpack_from("<I", metadata, vector)[0]):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * i)
        if length > 0:
            # -1 says that this one buffer is not compressed
            total += max(0, struct.unpack_from("<q", body, max(0, offset))[0])
    return total


def _follow(data: bytes, at: int) -> int:
    """Return where an offset points."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _find_field(data: bytes, table: int, number: int) -> int | None:
    """Return where a field of a table lies, None where it has its default."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, fields)[0]
    if 4 + 2 * number + 2 > size:
        return None
    offset = struct.unpack_from("<H", data, fields + 4 + 2 * number)[0]
    return table + offset if offset else None
