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
from app.formats.samples import (
    LONGEST_LABELS,
    Known,
    Labels,
    NewSources,
    ReadSamples,
    SampleError,
    check_count,
    gather_samples,
)
from models.arrays import Floats, Ints

M = TypeVar("M", v1.EncodedRequest, v1.TimeSeries, v1.Sample, v2.Request)

MILLISECOND = 1000
"""microseconds"""
FARTHEST = 2**53
"""milliseconds; what lies beyond is no time, and would not fit into microseconds"""
TAIL = 18
"""bytes of a sample as almost all are: field 2 of 16 bytes, a double, and a varint of 6 (1973 to 2109)"""
LONGEST_WRITTEN = 64 * 1024 * 1024
"""characters of all labels of a body of 2.0, in which many time series may name one symbol"""
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


def read_request(content: bytes, known: Known) -> ReadSamples:
    """Read a WriteRequest of 1.0. Raises SampleError.

    A time series is its labels and a sample. Where the bytes of the labels are known, only the sample is read.
    """
    sources: list[int] = []
    tails: list[bytes] = []
    others: list[bytes] = []
    series_of_body = _parse(v1.EncodedRequest, content).timeseries
    check_count(len(series_of_body), "time series")
    for series in series_of_body:
        source = known.get(series[:-TAIL])
        if source is None or len(series) <= TAIL or not series.startswith(_TAIL_STARTS, len(series) - TAIL):
            others.append(series)
        else:
            sources.append(source)
            tails.append(series[-TAIL:])
    values, stamps = _read_tails(b"".join(tails))
    is_read = stamps >= 0
    if not others and is_read.all():
        return ReadSamples(np.array(sources, np.int64), stamps, values, NewSources())
    slow = _read_each(others, known)
    for at in np.flatnonzero(~is_read).tolist():  # of known sources, at unusual times
        sample = _parse(v1.Sample, tails[at][2:])
        stamps[at] = _check_time(sample.timestamp) * MILLISECOND
    return ReadSamples(
        np.append(np.array(sources, np.int64), slow.sources),
        np.append(stamps, slow.ts),
        np.append(values, slow.values),
        slow.new,
    )


def _read_tails(tails: bytes) -> tuple[Floats, Ints]:
    """Return values (N,) and microseconds (N,) of tails, -1 where one is not quite of the usual form."""
    rows = np.frombuffer(tails, np.uint8).reshape(-1, TAIL)
    values = np.ascontiguousarray(rows[:, 3:11]).view("<f8").reshape(-1)
    time = rows[:, _TIME_AT + 1 :]
    usual = (rows[:, _TIME_AT] == 0x10) & (time[:, :-1] >= 0x80).all(axis=1) & (time[:, -1] < 0x80)
    groups = (time & 0x7F).astype(np.int64) << (7 * np.arange(time.shape[1]))
    return values, np.where(usual, groups.sum(axis=1) * MILLISECOND, -1)


def _read_each(encoded: Sequence[bytes], known: Known) -> ReadSamples:
    new = NewSources()
    sources: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    for content in encoded:
        series = _parse(v1.TimeSeries, content)
        if not series.samples:
            continue
        check_count(len(stamps) + len(series.samples), "samples")
        key = v1.TimeSeries(labels=series.labels).SerializeToString()
        source = known.get(key, new.find(key))
        if source is None:
            source = new.add(key, _check_labels([text for pair in series.labels for text in (pair.name, pair.value)]))
        for sample in series.samples:
            sources.append(source)
            stamps.append(_check_time(sample.timestamp) * MILLISECOND)
            values.append(sample.value)
    return gather_samples(sources, stamps, values, new)


def read_request_2(content: bytes, known: Known) -> ReadSamples:
    """Read a Request of 2.0. Raises SampleError."""
    request = _parse(v2.Request, content)
    check_count(len(request.timeseries), "time series")
    check_count(len(request.symbols), "symbols")
    symbols = list(request.symbols)
    sizes = list(map(len, symbols))
    new = NewSources()
    sources: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    written = 0
    for series in request.timeseries:
        if not series.samples:
            continue
        refs = series.labels_refs
        check_count(len(stamps) + len(series.samples), "samples")
        _check_size(len(refs))
        if refs and max(refs) >= len(symbols):
            raise SampleError(f"labels_refs names symbols beyond the {len(symbols)} that were sent")
        size = sum(sizes[ref] for ref in refs)
        _check_size(size)
        written += size
        if written > LONGEST_WRITTEN:
            raise SampleError(
                f"the labels of the time series have more than {LONGEST_WRITTEN} characters; send fewer at once"
            )
        texts = [symbols[ref] for ref in refs]
        key = orjson.dumps(texts)
        source = known.get(key, new.find(key))
        if source is None:
            source = new.add(key, _check_labels(texts))
        for sample in series.samples:
            sources.append(source)
            stamps.append(_check_time(sample.timestamp) * MILLISECOND)
            values.append(sample.value)
    return gather_samples(sources, stamps, values, new)


def _parse(message: type[M], content: bytes) -> M:
    try:
        return message.FromString(content)
    except DecodeError as e:
        raise SampleError(f"the body is no {message.DESCRIPTOR.full_name} in protobuf") from e


def _check_labels(texts: Sequence[str]) -> Labels:
    """Return names and values as labels. Raises SampleError for those that the specification forbids."""
    _check_size(sum(map(len, texts)))
    if len(texts) % 2:
        raise SampleError("labels_refs names an odd number of symbols: send a name and a value for each label")
    labels = dict(zip(texts[::2], texts[1::2], strict=True))
    if not labels or "" in labels or len(labels) < len(texts) // 2:
        raise SampleError(f"a time series has labels {', '.join(texts[::2])[:200]!r}: each needs a name of its own")
    return labels


def _check_size(size: int) -> None:
    if size > LONGEST_LABELS:
        raise SampleError(f"the labels of a time series have {size} characters, the limit is {LONGEST_LABELS}")


def _check_time(timestamp: int) -> int:
    if not abs(timestamp) <= FARTHEST:
        raise SampleError(f"{timestamp} is no time in milliseconds since 1970")
    return timestamp
