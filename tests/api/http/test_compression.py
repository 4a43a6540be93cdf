"""Compressed requests and answers."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import numpy as np
import pytest
import zstandard
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from app.api.http import problems
from app.api.http.compression import MINIMUM, chosen
from app.api.http.decompression import PIECE
from app.api.http.middleware import Limits, Metrics, RequestContext
from app.config import Settings
from app.main import create_app
from tests.services.stored import hours, store

pytestmark = pytest.mark.one_database

Pack = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def unzstd(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data) as reader:
        return reader.read()


PACKED: dict[str, Pack] = {"gzip": gzip.compress, "zstd": zstd}
UNPACKED: dict[str, Pack] = {"gzip": gzip.decompress, "zstd": unzstd}
CODINGS = sorted(PACKED)
ROWS = [f"a,{t},{i}" for i, t in enumerate(hours(0, 3000))]
TABLE = "\n".join(["unique_id,ds,y", *ROWS]).encode() + b"\n"
NEW = {"id": "a", "freq": "h"}

on_sqlite = pytest.mark.one_database


def send(client: TestClient, body: Any, coding: str | None, path: str = "/series", **headers: str) -> Any:
    kind = "text/csv" if path == "/series/import" else "application/json"
    found = {"content-type": kind, **({} if coding is None else {"content-encoding": coding}), **headers}
    return client.post(path, content=body, headers=found)


def ask(client: TestClient, path: str, accept: str | None, **headers: str) -> tuple[Any, bytes]:
    """Return an answer and its bytes as they were sent."""
    with client.stream("GET", path, headers={"accept-encoding": accept or "", **headers}) as response:
        return response, b"".join(response.iter_raw())


def refused(response: Any) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


class TestRequests:
    """Bodies that are sent compressed."""

    @pytest.mark.parametrize("coding", CODINGS)
    def test_json_and_imports(self, client: TestClient, coding: str) -> None:
        assert send(client, PACKED[coding](json.dumps(NEW).encode()), coding).status_code == 201
        report = send(client, PACKED[coding](TABLE), coding, "/series/import").json()
        assert (report["rows"], report["inserted"]) == (3000, 3000)
        assert client.get("/series/a").json()["count"] == 3000

    @on_sqlite
    @pytest.mark.parametrize("coding", ["identity", "GZIP", "x-gzip", "identity, gzip"])
    def test_spellings(self, client: TestClient, coding: str) -> None:
        body = json.dumps(NEW).encode()
        assert send(client, body if coding == "identity" else gzip.compress(body), coding).status_code == 201

    @on_sqlite
    @pytest.mark.parametrize("path", ["/series", "/series/import"])
    @pytest.mark.parametrize("coding", ["br", "deflate", "gzip, zstd", "gzip, gzip"])
    def test_other_codings_are_told_what_is_read(self, client: TestClient, path: str, coding: str) -> None:
        response = send(client, b"x", coding, path)
        assert refused(response) == (415, "unsupported_media_type")
        assert response.headers["accept-encoding"] == "gzip, zstd"
        assert "gzip or zstd" in response.json()["detail"]

    @on_sqlite
    @pytest.mark.parametrize("coding", CODINGS)
    @pytest.mark.parametrize("size", [1, 7, 1000])
    def test_parts_of_any_size_and_several_members(self, client: TestClient, coding: str, size: int) -> None:
        pack, half = PACKED[coding], TABLE[:40_000]
        body = pack(half) + pack(b"") + pack(TABLE[40_000:])

        def parts() -> Iterator[bytes]:
            yield from (body[at : at + size] for at in range(0, len(body), size))

        assert send(client, parts(), coding, "/series/import").json()["inserted"] == 3000

    @on_sqlite
    def test_frames_to_be_skipped(self, client: TestClient) -> None:
        skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
        assert send(client, skipped + zstd(json.dumps(NEW).encode()), "zstd").status_code == 201

    @on_sqlite
    @pytest.mark.parametrize("coding", CODINGS)
    @pytest.mark.parametrize("path", ["/series", "/series/import"])
    def test_what_is_cut_off_or_corrupt(self, client: TestClient, coding: str, path: str) -> None:
        whole = PACKED[coding](TABLE)
        broken = whole[: len(whole) // 2], whole[:-1], whole + b"rubbish", whole[:50] + b"\x00" * 50 + whole[100:], b"x"
        for body in broken:
            assert refused(send(client, body, coding, path)) == (400, "body_corrupt")
        assert client.get("/series").json()["items"] == []

    @on_sqlite
    @pytest.mark.parametrize("coding", CODINGS)
    def test_no_body_needs_no_frame(self, client: TestClient, coding: str) -> None:
        assert refused(send(client, b"", coding)) == (422, "invalid_input")

    @on_sqlite
    def test_a_window_that_needs_much_memory(self, client: TestClient) -> None:
        wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
        frame = zstandard.ZstdCompressor(compression_params=wide).compressobj()
        assert refused(send(client, frame.compress(TABLE) + frame.flush(), "zstd")) == (400, "body_corrupt")

    @on_sqlite
    def test_an_idempotency_key_goes_with_the_body_not_with_its_coding(self, client: TestClient) -> None:
        body = json.dumps(NEW).encode()
        answers = [
            send(client, p(body), c, **{"idempotency-key": "k"}) for c, p in [("identity", bytes), *PACKED.items()]
        ]
        assert [a.status_code for a in answers] == [201] * 3

    @on_sqlite
    @pytest.mark.parametrize("coding", CODINGS)
    def test_limits_hold_for_what_is_sent_and_for_what_it_becomes(self, settings: Settings, coding: str) -> None:
        pack, noise = PACKED[coding], np.random.default_rng(0).bytes(3000)
        small = settings.model_copy(update={"max_body_bytes": 2000, "max_import_bytes": 50_000})
        with TestClient(create_app(small)) as client:
            for body in (pack(b" " * 2001), pack(noise), iter([pack(noise)]), pack(b" " * 1001) * 2):
                assert refused(send(client, body, coding)) == (413, "body_too_large")
            assert refused(send(client, pack(b" " * 2000), coding)) == (422, "invalid_input")
            assert refused(send(client, pack(TABLE), coding, "/series/import")) == (413, "body_too_large")
            assert send(client, pack(TABLE[:2000].rpartition(b"\n")[0]), coding, "/series/import").status_code == 200
            assert [one["count"] for one in client.get("/series").json()["items"]] == [TABLE[:2000].count(b"\n") - 1]


class Bench:
    """The middleware around an application that reads a body and counts its bytes, without a server."""

    def __init__(self, limit: int = 1 << 40) -> None:
        self.largest = self.taken = 0
        self.app = RequestContext(self.read, Metrics(CollectorRegistry()), Limits(limit, limit, limit))

    async def read(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            async for piece in Request(scope, receive).stream():
                self.taken += len(piece)
                self.largest = max(self.largest, len(piece))
        except problems.BodyRefused as e:
            await problems.response(e.error)(scope, receive, send)

    def send(self, body: bytes, coding: str, part: int = 65_536) -> list[Any]:
        """Send a body in parts; return the messages of the answer."""
        messages = [
            {"type": "http.request", "body": body[at : at + part], "more_body": at + part < len(body)}
            for at in range(0, len(body), part)
        ]
        told: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def answer(message: Any) -> None:
            told.append(message)

        headers = [(b"content-encoding", coding.encode())]
        anyio.run(self.app, {"type": "http", "method": "POST", "path": "/", "headers": headers}, receive, answer)
        return told


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_comes_in_pieces_of_bounded_size(coding: str) -> None:
    size = 200_000_000
    bench, stream = (
        Bench(),
        zlib.compressobj(9, wbits=31) if coding == "gzip" else zstandard.ZstdCompressor().compressobj(),
    )
    noise = np.random.default_rng(0)
    parts = (bytes(998_700) + noise.bytes(1300) for _ in range(size // 1_000_000))  # it may grow by no more
    body = b"".join(map(stream.compress, parts)) + stream.flush()
    assert len(body) < size / 400
    assert bench.send(body, coding) == []
    assert bench.taken == size
    assert bench.largest <= (2 * PIECE if coding == "gzip" else 17_000_000)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_refused_before_it_is_made(coding: str) -> None:
    bench = Bench(limit=1_000_000)
    start, _ = bench.send(PACKED[coding](bytes(50_000_000)), coding)
    assert start["status"] == 413
    assert bench.taken <= 1_000_000


class TestAnswers:
    """Answers that are compressed."""

    @pytest.fixture
    def client(self, client: TestClient) -> TestClient:
        store(client, "a", np.arange(200.0))
        return client

    @pytest.mark.parametrize("coding", CODINGS)
    def test_are_the_same_document_in_fewer_bytes(self, client: TestClient, coding: str) -> None:
        plain, body = ask(client, "/series/a/observations", None)
        response, packed = ask(client, "/series/a/observations", coding)
        assert response.headers["content-encoding"] == coding
        assert response.headers["content-length"] == str(len(packed))
        assert response.headers.get_list("vary") == plain.headers.get_list("vary") == ["Accept", "Accept-Encoding"]
        assert UNPACKED[coding](packed) == body
        assert len(packed) < len(body) / 5
        assert "content-encoding" not in plain.headers

    @on_sqlite
    def test_small_ones_and_problems_stay_as_they_are(self, client: TestClient) -> None:
        for path in ("/series/a", "/series/none"):
            response, body = ask(client, path, "gzip, zstd")
            assert "content-encoding" not in response.headers
            assert response.headers["vary"] == "Accept-Encoding"
            json.loads(body)

    @on_sqlite
    def test_large_ones(self, client: TestClient) -> None:
        store(client, "long", np.random.default_rng(0).normal(size=10_000))
        for coding in CODINGS:
            _, body = ask(client, "/series/long/observations?limit=10000", coding)
            assert len(json.loads(UNPACKED[coding](body))["y"]) == 10_000

    @on_sqlite
    def test_other_routes(self, client: TestClient) -> None:
        script = "/static-offline-docs/swagger-ui-bundle.js"
        for path in ("/metrics", "/openapi.json", script):
            response, body = ask(client, path, "zstd")
            assert (response.headers["content-encoding"], response.status_code) == ("zstd", 200)
            assert unzstd(body) == ask(client, path, None)[1] or path == "/metrics"
        again, body = ask(client, script, "zstd", **{"if-none-match": response.headers["etag"]})
        assert (again.status_code, body) == (304, b"")


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZIP;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0.2, zstd;q=0.2", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.1", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("br, deflate", None),
        ("", None),
        ("gzip;q=many", None),
        ("gzip;;q=0.5,,;", "gzip"),
    ],
)
def test_weights(accept: str, coding: str | None) -> None:
    assert chosen(accept.encode()) == coding


@pytest.fixture
def small() -> TestClient:
    """An application whose answers are of every kind."""
    app = FastAPI()

    @app.get("/kind")
    def kind(of: str, size: int = 5000) -> Response:
        return Response(b"a" * size, media_type=of)

    @app.get("/headers")
    def headers(name: str, value: str) -> Response:
        return Response(b"a" * 5000, media_type="text/plain", headers={name: value})

    @app.get("/tagged")
    def tagged(request: Request, tag: str) -> Response:
        asked = request.headers.get("if-none-match", "")
        return Response(
            b"a" * 5000 if tag not in asked else b"", 304 if tag in asked else 200, {"etag": tag}, "text/plain"
        )

    @app.get("/stream")
    def stream(of: str = "text/plain") -> Response:
        return StreamingResponse((f"line {i}\n" for i in range(1000)), media_type=of)

    app.add_middleware(RequestContext, metrics=Metrics(CollectorRegistry()), limits=Limits(10**6, 10**6, 10**6))
    return TestClient(app)


@pytest.mark.parametrize(
    ("kind", "yes"),
    [
        ("application/json", True),
        ("text/csv", True),
        ("application/problem+json", True),
        ("Application/JSON;charset=utf-8", True),
        ("application/vnd.apache.arrow.stream", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/zip", False),
        ("text/event-stream", False),
        ("application/vnd.apache.parquet", False),
    ],
)
def test_kinds(small: TestClient, kind: str, yes: bool) -> None:
    response, body = ask(small, f"/kind?of={kind.replace('+', '%2B')}", "zstd")
    assert (response.headers.get("content-encoding"), response.headers.get("vary")) == (
        ("zstd", "Accept-Encoding") if yes else (None, None)
    )
    assert (unzstd(body) if yes else body) == b"a" * 5000


def test_from_a_size_on(small: TestClient) -> None:
    for size, coding in ((MINIMUM - 1, None), (MINIMUM, "gzip")):
        response, _ = ask(small, f"/kind?of=text/plain&size={size}", "gzip")
        assert response.headers.get("content-encoding") == coding


@pytest.mark.parametrize(
    ("name", "value"),
    [("content-encoding", "br"), ("cache-control", "no-transform"), ("content-range", "bytes 0-9/10")],
)
def test_what_must_not_be_touched(small: TestClient, name: str, value: str) -> None:
    response, body = ask(small, f"/headers?name={name}&value={value}", "gzip")
    assert (response.headers[name], body) == (value, b"a" * 5000)


def test_answers_without_a_body(small: TestClient) -> None:
    response = small.head("/docs", headers={"accept-encoding": "gzip"})
    assert (response.status_code, response.headers.get("content-encoding")) == (200, None)


@pytest.mark.parametrize("coding", [None, *CODINGS])
@pytest.mark.parametrize("tag", ['"v1"', 'W/"v1"'])
def test_entity_tags_name_what_is_sent_and_match_again(small: TestClient, coding: str | None, tag: str) -> None:
    path = "/tagged?tag=" + tag.replace('"', "%22")
    response, _ = ask(small, path, coding)
    found = response.headers["etag"]
    strong = tag.startswith('"') and coding
    assert found == (f'"v1-{coding}"' if strong else tag)
    again, body = ask(small, path, coding, **{"if-none-match": f'"other", {found}'})
    assert (again.status_code, body, again.headers["etag"]) == (304, b"", found)
    assert again.headers["vary"] == "Accept-Encoding"
    assert ask(small, path, coding, **{"if-none-match": '"v2"'})[0].status_code == 200


def test_a_tag_of_another_coding_is_another_representation(small: TestClient) -> None:
    response, _ = ask(small, "/tagged?tag=%22v1%22", "gzip", **{"if-none-match": '"v1-zstd"'})
    assert (response.status_code, response.headers["etag"]) == (200, '"v1-gzip"')


@pytest.mark.parametrize("coding", CODINGS)
def test_streams_are_compressed_as_they_come(small: TestClient, coding: str) -> None:
    response, body = ask(small, "/stream", coding)
    assert response.headers["content-encoding"] == coding
    assert "content-length" not in response.headers
    assert UNPACKED[coding](body) == b"".join(b"line %d\n" % i for i in range(1000))
    plain, body = ask(small, "/stream?of=text/event-stream", coding)
    assert "content-encoding" not in plain.headers
    assert body.startswith(b"line 0\n")


@pytest.mark.parametrize("coding", CODINGS)
def test_each_part_of_a_stream_can_be_read_when_it_was_sent(coding: str) -> None:
    told: list[bytes] = []

    async def parts(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/csv"), (b"content-length", b"6")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in (b"ab", b"", b"cd", b"ef"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            seen.append(unpacked.decompress(b"".join(told)))
            told.clear()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        told.append(message.get("body", b""))

    async def receive() -> Any:
        raise AssertionError("there is no body to read")

    seen: list[bytes] = []
    unpacked: Any = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    app = RequestContext(parts, Metrics(CollectorRegistry()), Limits(10, 10, 10))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", coding.encode())]}
    anyio.run(app, scope, receive, send)
    assert seen == [b"ab", b"", b"cd", b"ef"]
    unpacked.decompress(b"".join(told))
    assert unpacked.eof
