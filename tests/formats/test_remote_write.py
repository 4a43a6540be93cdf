"""Remote write: bodies of both versions, the quick way for labels that are known, and bodies that are none."""

import math
import random
from collections.abc import Callable, Hashable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats.prometheus import remote_write_1_pb2 as v1
from app.formats.prometheus import remote_write_2_pb2 as v2
from app.formats.remote_write import (
    decompress_snappy,
    measure_snappy,
    read_request,
    read_request_2,
)
from app.formats.samples import FIRST_NEW, LONGEST_LABELS, MOST_SAMPLES, Known, Labels, ReadSamples, SampleError

T0 = 1_704_067_200_000
Series = list[tuple[dict[str, str], list[tuple[int, float]]]]


def encode(series: Series) -> bytes:
    request = v1.WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in labels.items():
            one.labels.add(name=name, value=value)
        for time, value in samples:
            one.samples.add(timestamp=time, value=value)
    return bytes(request.SerializeToString())


def encode_2(series: Series) -> bytes:
    request = v2.Request(symbols=[""])
    for labels, samples in series:
        one = request.timeseries.add()
        for text in (text for pair in labels.items() for text in pair):
            if text not in request.symbols:
                request.symbols.append(text)
            one.labels_refs.append(list(request.symbols).index(text))
        for time, value in samples:
            one.samples.add(timestamp=time, value=value)
    return bytes(request.SerializeToString())


Spread = list[tuple[tuple[tuple[str, str], ...], int, float]]


class Reader:
    """Reads bodies one after the other, and knows the sources of those before."""

    def __init__(self, read: Callable[[bytes, Known], ReadSamples] = read_request) -> None:
        self._read = read
        self.labels: list[Labels] = []
        self.known: dict[Hashable, int] = {}

    def read(self, content: bytes) -> ReadSamples:
        found = self._read(content, self.known)
        begin = len(self.labels)
        self.labels += found.new.labels
        self.known |= {key: begin + FIRST_NEW - number for key, number in found.new.numbers.items()}
        is_new = found.sources <= FIRST_NEW
        found.sources[is_new] = begin + FIRST_NEW - found.sources[is_new]
        return found

    def spread(self, content: bytes) -> Spread:
        """Return (labels, microseconds, value) of every sample, in a fixed order."""
        found = self.read(content)
        rows = zip(found.sources.tolist(), found.ts.tolist(), found.values.tolist(), strict=True)
        return sorted((tuple(sorted(self.labels[source].items())), ts, value) for source, ts, value in rows)


def expect(series: Series) -> list[tuple[tuple[tuple[str, str], ...], int, float]]:
    return sorted((tuple(sorted(labels.items())), 1000 * time, v) for labels, some in series for time, v in some)


UP = {"__name__": "up", "instance": "a:9100", "job": "node"}
LOAD = {"__name__": "node_load1", "instance": "b:9100", "job": "node"}
BODY: Series = [(UP, [(T0, 1.0)]), (LOAD, [(T0, 0.25), (T0 + 15_000, -3.5)]), (UP, [(T0 + 15_000, 0.0)]), (UP, [])]


@pytest.mark.parametrize("version", [1, 2])
def test_samples_of_both_versions_are_read(version: int) -> None:
    reader = Reader(read_request if version == 1 else read_request_2)
    content = encode(BODY) if version == 1 else encode_2(BODY)
    for _ in range(2):
        assert reader.spread(content) == expect(BODY)
    assert reader.labels == [UP, LOAD], "a source is known by its labels, however often it comes"


LABELS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), min_size=1, max_size=4)
TIMES = st.integers(-(2**40), 2**44) | st.sampled_from([0, T0, T0 + 15_000])
SAMPLES = st.lists(st.tuples(TIMES, st.floats(allow_nan=False)), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(LABELS, SAMPLES), min_size=1, max_size=5))
def test_known_labels_change_nothing_in_what_is_read(series: Series) -> None:
    reader = Reader()
    content = encode(series)
    assert reader.spread(content) == expect(series)
    assert reader.spread(content) == expect(series), "the second time by the quick way"


def test_bits_of_a_value_stay_as_they_are() -> None:
    stale = float(np.array([0x7FF0000000000002], np.uint64).view(np.float64)[0])
    reader = Reader()
    content = encode([(UP, [(T0, stale)])])
    for _ in range(2):
        batch = reader.read(content)
        assert batch.values.view(np.uint64).tolist() == [0x7FF0000000000002]
        assert math.isnan(batch.values[0])


def test_fields_that_are_not_known_are_left_out() -> None:
    content = encode(BODY)
    # field 3 of a request is metadata, field 3 of a 2.0 sample the time at which a counter began
    assert Reader().spread(content + b"\x1a\x02\x08\x01") == expect(BODY)
    sample = b"\x09" + np.float64(2.5).tobytes() + b"\x10" + b"\x80\x90\xd3\xa6\xcc\x31" + b"\x18\x05"
    series = b"\x0a\x02\x01\x02" + b"\x12" + bytes([len(sample)]) + sample
    body = b"".join(b"\x22" + bytes([len(s)]) + s for s in (b"", b"__name__", b"up"))
    found = Reader(read_request_2).spread(body + b"\x2a" + bytes([len(series)]) + series)
    assert [(labels, value) for labels, _, value in found] == [((("__name__", "up"),), 2.5)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"nonsense", "no prometheus"),
        (encode([({"a": "b"}, [(T0, 1.0)])])[:-3], "no prometheus"),
        (b"\x0a\x06\x0a\x04\x0a\x02\xff\xfe", "no prometheus"),  # a name that is not UTF-8
        (encode([({"": "b"}, [(T0, 1.0)])]), "a name of its own"),
        (b"\x0a\x1c" + 2 * b"\x0a\x06\x0a\x01a\x12\x01b" + b"\x12\x0a\x09" + bytes(8) + b"\x10", "no prometheus"),
        (encode([(UP, [(2**62, 1.0)])]), "no time"),
    ],
)
def test_what_is_no_request_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(SampleError, match=why):
        read_request(content, {})


def test_a_name_twice_is_refused_in_both_versions() -> None:
    twice = v1.WriteRequest()
    one = twice.timeseries.add()
    for value in ("x", "y"):
        one.labels.add(name="a", value=value)
    one.samples.add(timestamp=T0, value=1.0)
    with pytest.raises(SampleError, match="a name of its own"):
        read_request(twice.SerializeToString(), {})
    request = v2.Request(symbols=["", "a", "x"])
    request.timeseries.add(labels_refs=[1, 2, 1, 2]).samples.add(timestamp=T0, value=1.0)
    with pytest.raises(SampleError, match="a name of its own"):
        read_request_2(request.SerializeToString(), {})


def test_references_must_be_pairs_of_symbols() -> None:
    for refs, why in (([1, 9], "beyond the 3"), ([1], "odd number")):
        request = v2.Request(symbols=["", "a", "x"])
        request.timeseries.add(labels_refs=refs).samples.add(timestamp=T0, value=1.0)
        with pytest.raises(SampleError, match=why):
            read_request_2(request.SerializeToString(), {})


def test_snappy_blocks_are_measured_before_they_are_read() -> None:
    block = pa.compress(b"x" * 100_000, codec="snappy", asbytes=True)
    assert measure_snappy(block) == 100_000
    assert decompress_snappy(block, 100_000) == b"x" * 100_000
    with pytest.raises(OverflowError, match="100000 bytes"):
        decompress_snappy(block, 99_999)
    assert decompress_snappy(b"\x00", 10) == b""
    for bad in (block[:-10], b"", b"\xff\xff\xff\xff\xff\xff", b"\x05\xff\xff"):
        with pytest.raises(SampleError):
            decompress_snappy(bad, 100_000)


def test_random_bytes_are_refused_or_read_and_nothing_else() -> None:
    chance = random.Random(0)
    good = encode(BODY)
    known = dict.fromkeys(read_request(good, {}).new.numbers, 0)
    for _ in range(3000):
        content = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        for read in (read_request, read_request_2):
            try:
                found = read(bytes(content), known)
            except SampleError:
                continue
            assert len(found.ts) == len(found.sources) == len(found.values)


def test_labels_are_bounded_before_they_are_put_together() -> None:
    request = v2.Request(symbols=["", "x" * 1000])
    request.timeseries.add(labels_refs=[1] * 1000).samples.add(timestamp=T0, value=1.0)
    with pytest.raises(SampleError, match=f"the limit is {LONGEST_LABELS}"):
        read_request_2(request.SerializeToString(), {})
    with pytest.raises(SampleError, match="the limit is"):
        read_request(encode([({"a": "x" * LONGEST_LABELS}, [(T0, 1.0)])]), {})


def test_many_time_series_of_one_long_symbol_are_refused_before_it_is_written_for_each() -> None:
    request = v2.Request(symbols=["", "x" * 60_000, *map(str, range(2000))])
    for k in range(2000):
        request.timeseries.add(labels_refs=[1, 2 + k]).samples.add(timestamp=T0, value=1.0)
    content = request.SerializeToString()
    assert len(content) < 200_000
    with pytest.raises(SampleError, match="more than 67108864 characters"):
        read_request_2(content, {})


@pytest.mark.parametrize(
    ("read", "content", "what"),
    [
        (read_request, b"\x0a\x00" * (MOST_SAMPLES + 1), "time series"),
        (read_request, v1.EncodedRequest(timeseries=[b"\x12\x00" * (MOST_SAMPLES + 1)]).SerializeToString(), "samples"),
        (read_request_2, v2.Request(symbols=[""] * (MOST_SAMPLES + 1)).SerializeToString(), "symbols"),
        (read_request_2, v2.Request(timeseries=[{}] * (MOST_SAMPLES + 1)).SerializeToString(), "time series"),
    ],
)
def test_a_body_of_very_many_parts_is_refused_before_they_are_read(
    read: Callable[[bytes, Known], ReadSamples], content: bytes, what: str
) -> None:
    with pytest.raises(SampleError, match=f"more than {MOST_SAMPLES} {what}"):
        read(content, {})


def test_a_time_series_without_labels_is_refused_and_a_short_one_is_read() -> None:
    with pytest.raises(SampleError, match="a name of its own"):
        read_request(encode([({}, [(T0, 1.0)])]), {})
    with pytest.raises(SampleError):
        read_request(b"\x0a\x03\x12\x10\x09", {b"": 0})


def test_labels_that_were_refused_are_refused_again() -> None:
    reader = Reader()
    for _ in range(2):
        with pytest.raises(SampleError, match="a name of its own"):
            reader.read(encode([({"": "b"}, [(T0, 1.0)]), (UP, [(T0, 1.0)])]))
