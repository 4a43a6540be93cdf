"""Parsers of bytes: what monitoring sends, compressed bodies, and forms."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import zstandard

from app.api.http.decompression import recognize_coding
from app.api.http.forms import FileForm
from app.errors import ServiceError
from app.formats import remote_write
from app.formats.line_protocol import read_lines
from app.formats.prometheus import remote_write_1_pb2 as v1
from app.formats.prometheus import remote_write_2_pb2 as v2
from app.formats.samples import ReadSamples, SampleError
from app.services.samples.book import RuleBook, SampleProtocol
from app.storage.tables import IngestRule
from benchmarks.fuzzing_inputs import Grammar, damage, encode, of_grammar
from benchmarks.fuzzing_run import MB, Opener, Parse, Target, always

NOW = 1_764_374_400_000_000
"""microseconds: of lines without a time"""
LARGEST_BODY = 16 * MB
"""bytes that a body may become when it is decompressed"""


def build_remote(random: Random) -> bytes:
    """Return a request of remote write 1.0."""
    request = v1.WriteRequest()
    for _ in range(random.randrange(4)):
        series = request.timeseries.add()
        for name in random.sample(("__name__", "instance", "job", "", "a", "é"), random.randrange(4)):
            series.labels.add(name=name, value=random.choice(("up", "", "x", "\x00", "y" * 300, "日本")))
        for _ in range(random.choice((0, 1, 1, 3))):
            series.samples.add(
                timestamp=random.choice(_STAMPS), value=random.choice((1.5, float("nan"), float("inf"), 0.0))
            )
    return damage(random, bytes(request.SerializeToString()))


def build_remote_2(random: Random) -> bytes:
    """Return a request of remote write 2.0."""
    request = v2.Request(symbols=random.choice((["", "__name__", "up", "a", "b"], [], ["x" * 40_000, "y"], ["", ""])))
    for _ in range(random.randrange(4)):
        refs = [random.choice((0, 1, 2, 3, 4, 1, 2, 2**32 - 1)) for _ in range(random.choice((0, 2, 2, 4, 3)))]
        series = request.timeseries.add(labels_refs=refs)
        for _ in range(random.choice((0, 1, 1, 3))):
            series.samples.add(timestamp=random.choice(_STAMPS), value=1.5)
    return damage(random, bytes(request.SerializeToString()))


def build_block(random: Random) -> bytes:
    """Return a body of remote write as it comes."""
    import pyarrow as pa

    content = build_remote(random) or b"a"
    return damage(random, pa.compress(content, "snappy", asbytes=True))


_STAMPS = (1_704_067_200_000, 1_704_067_200_001, 0, -1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1)


def open_samples(protocol: SampleProtocol, read: Callable[[bytes, Any], ReadSamples]) -> Opener:
    """Return what opens a reader of samples, which then belong to series by some rules."""

    def make_book() -> RuleBook:
        fields: dict[str, Any] = {
            "aggregate": "mean",
            "timezone": "UTC",
            "revision": 1,
            "most_series": 1000,
            "late": "10min",
        }
        rules = [
            IngestRule(pk=1, name="a", match={"__name__": "~up|cpu.*"}, freq="min", template="{__name__}/{instance}",
            labels=None, create=True, **fields),
            IngestRule(pk=2, name="b", match={"job": ""}, freq="h", template="{__name__}", labels=["host"],
            create=False, **fields),
        ]  # fmt: skip
        return RuleBook.read(rules)

    @contextmanager
    def open_parser() -> Iterator[Parse]:
        books = [make_book()]

        def parse(data: bytes) -> None:
            if books[0].is_full:
                books[0] = make_book()
            samples = read(data, books[0].known[protocol])
            assert len(samples.ts) == len(samples.values) == len(samples.sources)
            books[0].locate(samples, protocol)

        yield parse

    return open_parser


def read_block(block: bytes, known: Any) -> ReadSamples:
    """Read a body of remote write as it comes: a snappy block of protobuf. Raises SampleError, OverflowError."""
    content = remote_write.decompress_snappy(block, LARGEST_BODY)
    assert len(content) <= LARGEST_BODY
    return remote_write.read_request(content, known)


def make_remote_seeds() -> list[bytes]:
    """Return requests of remote write 1.0, in protobuf."""
    requests = []
    for count in (1, 3):
        request = v1.WriteRequest()
        for i in range(count):
            series = request.timeseries.add()
            for name, value in (("__name__", "up"), ("instance", f"host:{i}"), ("job", "node")):
                series.labels.add(name=name, value=value)
            for step in range(1 + i):
                series.samples.add(timestamp=1_704_067_200_000 + step, value=1.5 * step)
        requests.append(bytes(request.SerializeToString()))
    return [*requests, b""]


def make_remote_seeds_2() -> list[bytes]:
    """Return requests of remote write 2.0, in protobuf."""
    request = v2.Request(symbols=["", "__name__", "up", "instance", "host:1", "job", "node"])
    for i in range(3):
        series = request.timeseries.add(labels_refs=[1, 2, 3, 4, 5, 6][: 2 * i])
        series.samples.add(timestamp=1_704_067_200_000, value=2.5)
    return [bytes(request.SerializeToString()), b""]


def make_snappy_seeds() -> list[bytes]:
    """Return bodies of remote write 1.0 as they come."""
    import pyarrow as pa

    contents = [*make_remote_seeds(), b"a" * 100_000]
    return [pa.compress(content, "snappy", asbytes=True) for content in contents if content]


def read_influx(data: bytes, known: Any) -> ReadSamples:
    """Read lines."""
    return read_lines(data, (1, 1000, 60_000_000_000)[len(data) % 3], NOW, known)


_LINES: Grammar = {
    "start": ["cpu,host=a value=1 1704067200000000000", "<line>", "<line>\n<line>\n<line>",
              "<line>\r\n\r\n# comment\n<line>"],
    "line": ["<name>,<tags> <fields> <time>", "<name> <fields>", "<name>,<tags>  <fields>",
             "<name>,<tags> <fields> <time> <time>", "<name>"],
    "name": ["cpu", "up", "a\\ b", "a\\,b", "\"a\"", "", "_", "日本", "a\\\\", "#a"],
    "tags": ["host=a", "host=a,b=c", "host=", "=a", "a\\=b=c", "host=a,host=b", "a", "host=\"x y\"", "h=\\"],
    "fields": ["value=1", "value=<value>", "a=<value>,b=<value>", "value=", "=1", "a=<value>,a=<value>", "a", ""],
    "value": ["1", "1.5", "1i", "2u", "t", "TRUE", "false", "\"text\"", "\"a b\\\"c\"", "\"line\nbreak\"", "\"",
              "1e400", "nan", "9223372036854775808i", "-", "1.5.2", "18446744073709551615u"],
    "time": ["1704067200000000000", "0", "-1", "9223372036854775807", "9223372036854775808", "1.5", "x", "1704067200",
             "9" * 40],
}  # fmt: skip


def unpack(data: bytes) -> None:
    """Decompress a file as it comes, up to what a body may become. Raises zlib.error, ZstdError, OverflowError."""
    decoder = recognize_coding(data[:4])
    if decoder is None:
        return
    total = 0
    for piece in decoder.pieces(data):
        total += len(piece)
        if total > LARGEST_BODY:
            raise OverflowError("too large")


def make_packed_seeds() -> list[bytes]:
    """Return files that are compressed."""
    contents = (b"unique_id,ds,y\na,2024-01-01,1\n", b"", bytes(1_000_000))
    gzip = [zlib.compress(content, wbits=31) for content in contents]
    zstd = [zstandard.compress(content) for content in contents]
    return [*gzip, *zstd, gzip[0] + gzip[1], zstd[2] + zstd[0]]


class _Sink:
    """Takes the bytes of a file, and keeps none."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""


def read_form(data: bytes) -> None:
    """Read a form with a file, whose Content-Type is the first line; it comes in two parts."""
    kind, _, body = data.partition(b"\n")
    form = FileForm(kind.decode("latin-1"), _Sink())
    form.write(body[: len(body) // 2])
    form.write(body[len(body) // 2 :])
    form.close()


def make_form_seeds() -> list[bytes]:
    """Return forms with a file."""
    kind = b"multipart/form-data; boundary=xyz\n"
    disposition = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\n'
    part = disposition + b"Content-Type: text/csv\r\n\r\na,b\n1,2\r\n"
    starred = part.replace(b'filename="t.csv"', b"filename*=UTF-8''%e4%bd%a0.csv")
    return [kind + part + b"--xyz--\r\n", kind + starred + b"--xyz--", kind + part + part + b"--xyz--\r\n"]


SAMPLE_ERRORS = (SampleError, OverflowError)
TARGETS = (
    Target(
        "remote write, blocks",
        open_samples(SampleProtocol.remote_write_1, read_block),
        make_snappy_seeds,
        SAMPLE_ERRORS,
        build_block,
        is_text=False,
    ),
    Target(
        "remote write 1.0",
        open_samples(SampleProtocol.remote_write_1, remote_write.read_request),
        make_remote_seeds,
        SAMPLE_ERRORS,
        build_remote,
        is_text=False,
    ),
    Target(
        "remote write 2.0",
        open_samples(SampleProtocol.remote_write_2, remote_write.read_request_2),
        make_remote_seeds_2,
        SAMPLE_ERRORS,
        build_remote_2,
        is_text=False,
    ),
    Target(
        "line protocol",
        open_samples(SampleProtocol.lines, read_influx),
        lambda: [b"cpu,host=a value=1.5,n=2i 1704067200000000000\nup value=t\n", encode('a\\ b,c="d" e="f\ng",h=1')],
        SAMPLE_ERRORS,
        of_grammar(_LINES),
        is_text=False,
    ),
    Target(
        "compressed bodies",
        always(unpack),
        make_packed_seeds,
        (zlib.error, zstandard.ZstdError, OverflowError),
        is_text=False,
    ),
    Target("forms", always(read_form), make_form_seeds, (ServiceError,), is_text=False),
)
"""parsers of bytes"""
