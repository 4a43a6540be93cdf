"""Bodies of Prometheus remote write: snappy blocks of protobuf, of version 1.0 and 2.0.

https://prometheus.io/docs/specs/prw/remote_write_spec/ and …/remote_write_spec_2_0/. Samples are read; metadata,
exemplars and native histograms are not.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import orjson
from google.protobuf.message import DecodeError

from app.formats.prometheus import remote_write_1_pb2 as v1
from app.formats.prometheus import remote_write_2_pb2 as v2
from app.formats.samples import Labels, SampleBatch, SampleError, SourceTable, build_batch
from models.arrays import Floats, Ints

M = TypeVar("M", v1.EncodedRequest, v1.TimeSeries, v2.Request)

MILLISECOND = 1000
"""microseconds"""
FARTHEST = 2**53
"""milliseconds; what lies beyond is no time, and would not fit into microseconds"""
TAIL = 18
"""bytes of a sample as almost all are: field 2 of 16 bytes, a double, and a varint of 6 (1973 to 2109)"""
_TAIL_STARTS = b"\x12\x10\x09"
_TIME_AT = 11
_LONGEST_HEAD = 5
"""bytes of the varint at the head of a snappy block: 32 bits in groups of 7"""


def measure_snappy(block: bytes) -> int:
    """Return how many bytes a snappy block holds, as its head says. Raises SampleError."""
    size = 0
    for position, byte in enumerate(block[:_LONGEST_HEAD]):
        size |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return size
    raise SampleError("the body is no snappy block; send the block format, and Content-Encoding: snappy")


def decompress_snappy(block: bytes, limit: int) -> bytes:
    """Return what a snappy block of at most `limit` bytes holds. Raises SampleError, and OverflowError beyond."""
    import pyarrow as pa  # costs a tenth of a second, and most processes never need it

    size = measure_snappy(block)
    if size > limit:
        raise OverflowError(f"the decompressed body has {size} bytes")
    if not size:
        return b""
    try:
        content: bytes = pa.decompress(block, decompressed_size=size, codec="snappy", asbytes=True)
    except (OSError, pa.ArrowException) as e:
        raise SampleError(f"the body cannot be decompressed ({str(e)[:100]}); send it whole") from e
    return content


def decode_labels(key: bytes) -> Labels:
    """Return the labels of a source of version 1.0: its key is a TimeSeries of labels alone."""
    return {label.name: label.value for label in v1.TimeSeries.FromString(key).labels}


def read_request(content: bytes, table: SourceTable[bytes]) -> SampleBatch:
    """Read a WriteRequest of 1.0. Raises SampleError.

    A time series is its labels and a sample. Where the labels are known by their bytes, only the sample is read.
    """
    encoded = _parse(v1.EncodedRequest, content).timeseries
    known = table.slots
    slots: list[int] = []
    tails: list[bytes] = []
    others: list[bytes] = []
    for series in encoded:
        slot = known.get(series[:-TAIL])
        if slot is None or not series.startswith(_TAIL_STARTS, len(series) - TAIL):
            others.append(series)
        else:
            slots.append(slot)
            tails.append(series[-TAIL:])
    values, stamps = _read_tails(b"".join(tails))
    fast = SampleBatch(table, np.array(slots, np.int64), stamps, values)
    if not others and (stamps >= 0).all():
        return fast
    odd = np.flatnonzero(stamps < 0).tolist()
    slow = _read_each([*others, *(table.keys[slots[i]] + tails[i] for i in odd)], table)
    kept = stamps >= 0
    return SampleBatch(
        table,
        np.concatenate([fast.slots[kept], slow.slots]),
        np.concatenate([fast.ts[kept], slow.ts]),
        np.concatenate([fast.values[kept], slow.values]),
    )


def _read_tails(tails: bytes) -> tuple[Floats, Ints]:
    """Return values (N,) and microseconds (N,) of tails, -1 where one is not quite of the usual form."""
    rows = np.frombuffer(tails, np.uint8).reshape(-1, TAIL)
    values = np.ascontiguousarray(rows[:, 3:11]).view("<f8").reshape(-1)
    time = rows[:, _TIME_AT + 1 :]
    usual = (rows[:, _TIME_AT] == 0x10) & (time[:, :-1] >= 0x80).all(axis=1) & (time[:, -1] < 0x80)
    groups = (time & 0x7F).astype(np.int64) << (7 * np.arange(time.shape[1]))
    return values, np.where(usual, groups.sum(axis=1) * MILLISECOND, -1)


def _read_each(encoded: Sequence[bytes], table: SourceTable[bytes]) -> SampleBatch:
    slots: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    for content in encoded:
        series = _parse(v1.TimeSeries, content)
        if not series.samples:
            continue
        slot = table.add(v1.TimeSeries(labels=series.labels).SerializeToString())
        if slot == len(table.keys) - 1:
            _check_labels([label.name for label in series.labels])
        for sample in series.samples:
            slots.append(slot)
            stamps.append(_check_time(sample.timestamp) * MILLISECOND)
            values.append(sample.value)
    return build_batch(table, slots, stamps, values)


def decode_pairs(key: bytes) -> Labels:
    """Return the labels of a source of version 2.0: its key is a JSON list of names and values."""
    texts = orjson.loads(key)
    return dict(zip(texts[::2], texts[1::2], strict=True))


def read_request_2(content: bytes, table: SourceTable[bytes]) -> SampleBatch:
    """Read a Request of 2.0. Raises SampleError."""
    request = _parse(v2.Request, content)
    symbols = list(request.symbols)
    slots: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    for series in request.timeseries:
        if not series.samples:
            continue
        try:
            texts = [symbols[ref] for ref in series.labels_refs]
        except IndexError as e:
            raise SampleError(f"labels_refs names symbols beyond the {len(symbols)} that were sent") from e
        if len(texts) % 2:
            raise SampleError("labels_refs names an odd number of symbols: send a name and a value for each label")
        slot = table.add(orjson.dumps(texts))
        if slot == len(table.keys) - 1:
            _check_labels(texts[::2])
        for sample in series.samples:
            slots.append(slot)
            stamps.append(_check_time(sample.timestamp) * MILLISECOND)
            values.append(sample.value)
    return build_batch(table, slots, stamps, values)


def _parse(message: type[M], content: bytes) -> M:
    try:
        return message.FromString(content)
    except DecodeError as e:
        raise SampleError(f"the body is no {message.DESCRIPTOR.full_name} in protobuf") from e


def _check_labels(names: Sequence[str]) -> None:
    """Raise SampleError for labels that the specification forbids."""
    if "" in names or len(set(names)) < len(names):
        raise SampleError(f"a time series has labels {', '.join(names)[:200]!r}: each needs a name of its own")


def _check_time(timestamp: int) -> int:
    if not abs(timestamp) <= FARTHEST:
        raise SampleError(f"{timestamp} is no time in milliseconds since 1970")
    return timestamp
