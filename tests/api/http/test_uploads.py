"""Tables as they are sent to POST /series/import: formats, compression, forms, and what is said of them."""

import gzip
import io
import itertools
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pytest
import zstandard
from fastapi.testclient import TestClient

from app.api.http.media_types import TABLES
from app.config import Settings
from app.formats.signatures import MEDIA_TYPES
from app.formats.table import TableFormat
from app.main import create_app
from tests.formats.tables import FORMATS, LONG, write

pytestmark = pytest.mark.one_database  # what is read is the same; tests of the import itself write it to both

COLUMNS = {"unique_id": ["a"] * 5, "ds": [f"2024-01-0{day}" for day in range(1, 6)], "y": [1.5, 2, None, 4, 5]}
PACK = {"plain": bytes, "gzip": lambda body: gzip.compress(body, mtime=0), "zstd": zstandard.compress}
ENDINGS = {"plain": "", "gzip": ".gz", "zstd": ".zst"}
NAMES = {"csv": "csv", "ndjson": "jsonl", "parquet": "pq", "arrow": "feather"}


def send(client: TestClient, body: bytes, media_type: str | None = None, **params: str) -> Any:
    headers = {} if media_type is None else {"content-type": media_type}
    return client.post("/series/import", content=body, params=params, headers=headers)


def send_form(
    client: TestClient, body: bytes, name: str, media_type: str = "", field: str = "file", **params: str
) -> Any:
    return client.post("/series/import", files={field: (name, body, media_type)}, params=params)


def refuse(client: TestClient, response: Any, status: int, code: str) -> str:
    """Return the detail of a refusal, which has changed nothing."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert client.get("/series").json()["items"] == []
    detail: str = response.json()["detail"]
    return detail


def guesses(response: Any) -> dict[str, str]:
    assert response.status_code == 200, response.text
    return {guess["parameter"]: guess["value"] for guess in response.json()["guesses"]}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_taken_in_every_way(client: TestClient, format: TableFormat) -> None:
    for packing in PACK:
        check_ways(client, format, packing)
    assert client.get("/series/a/observations").json()["y"] == [1.5, 2, None, 4, 5]


def check_ways(client: TestClient, format: TableFormat, packing: str) -> None:
    """Check that a table is read the same in whatever way it is sent."""
    body = write(format, COLUMNS)
    packed = PACK[packing](body)
    name = f"x.{NAMES[format]}{ENDINGS[packing]}"
    coded = {"content-encoding": packing} if packing != "plain" else {}
    media_type = {"content-type": MEDIA_TYPES[format]}
    ways = [
        client.post("/series/import", content=packed, headers={**media_type, **coded}),
        send(client, packed, MEDIA_TYPES[format]),
        send(client, packed, format=format),
        send_form(client, packed, name, "application/octet-stream"),
        send_form(client, packed, "x", MEDIA_TYPES[format], field="upload"),
        send_form(client, packed, "x", format=format),
    ]
    if packing != "plain":
        ways.append(send_form(client, packed, name, f"application/{packing}"))
    assert [guesses(way) for way in ways] == [{}] * len(ways)
    assert [way.json()["rows"] for way in ways] == [5] * len(ways)
    shown = [send(client, packed), send_form(client, packed, "x")]
    assert [guesses(way) for way in shown] == [{"format": format}] * 2


def test_every_media_type_is_declared(client: TestClient) -> None:
    content = client.get("/openapi.json").json()["paths"]["/series/import"]["post"]["requestBody"]["content"]
    assert {*TABLES, "multipart/form-data", "application/octet-stream", "application/gzip", "application/zstd"} <= set(
        content
    )
    for media_type, format in TABLES.items():
        table = write(format, COLUMNS)
        if media_type == "text/tab-separated-values":
            table = table.replace(b",", b"\t")
        assert guesses(send(client, table, media_type)) == {}


def test_an_arrow_file_is_a_table(client: TestClient) -> None:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, pa.table(COLUMNS).schema) as writer:
        writer.write_table(pa.table(COLUMNS))
    assert guesses(send(client, sink.getvalue(), "application/vnd.apache.arrow.file")) == {}


def test_tabs_and_charsets_are_said_by_names_and_media_types(client: TestClient) -> None:
    tabbed = LONG.replace(",", "\t").encode()
    assert guesses(send_form(client, tabbed, "x.tsv", freq="D")) == {}
    assert guesses(send(client, tabbed, "text/tab-separated-values", freq="D")) == {}
    latin = LONG.replace("a,", "Zürich,").encode("latin-1")
    assert guesses(send(client, latin, "text/csv; charset=ISO-8859-1", freq="D")) == {}
    assert client.get("/series/Zürich").status_code == 200


def test_a_compressed_file_that_is_cut_off_is_refused(client: TestClient) -> None:
    for format, packing in itertools.product(FORMATS, ("gzip", "zstd")):
        cut = PACK[packing](write(format, COLUMNS))[:-5]
        coded = {"content-encoding": packing, "content-type": MEDIA_TYPES[format]}
        for response in (
            send(client, cut, format=format),
            send_form(client, cut, "x", format=format),
            client.post("/series/import", content=cut, headers=coded),
        ):
            refuse(client, response, 400, "body_corrupt")


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "zstd"}])
def test_a_table_that_becomes_very_many_times_as_large_is_refused_soon(
    client: TestClient, headers: dict[str, str]
) -> None:
    content = zstandard.ZstdCompressor().compress(LONG.encode() + b"\n" * 100_000_000)
    assert len(content) < 20_000
    response = client.post("/series/import", content=content, headers={"content-type": "text/csv", **headers})
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert "1000 times" in response.json()["detail"]


def test_a_table_over_the_limit_is_refused_before_it_is_whole(settings: Settings) -> None:
    table = b"unique_id,ds,y\n" + b"a,2024-01-01,1\n" * 100_000
    small = settings.model_copy(update={"max_import_bytes": 50_000})
    with TestClient(create_app(small)) as client:
        for pack in PACK.values():
            for response in (send(client, pack(table), "text/csv"), send_form(client, pack(table), "x.csv")):
                refuse(client, response, 413, "body_too_large")


CONFLICTS: list[tuple[str, str, dict[str, str], str]] = [
    ("x.csv", "", {"format": "parquet"}, "format=parquet and the file's name 'x.csv' do not agree"),
    ("x.parquet", "text/csv", {}, "the file's name 'x.parquet' and Content-Type: text/csv do not agree"),
    ("x", "text/csv", {"format": "ndjson"}, "format=ndjson and Content-Type: text/csv do not agree"),
    ("x.csv", "text/csv; charset=latin-1", {"encoding": "utf-8"}, "do not agree"),
    ("x.csv", "text/csv; charset=nonsense", {}, "no encoding"),
]
"""a file's name, its media type, the query, and what is said of them"""


def test_what_is_said_in_two_ways_must_agree(client: TestClient) -> None:
    for name, media_type, params, said in CONFLICTS:
        response = send_form(client, LONG.encode(), name, media_type, **params)
        assert said in refuse(client, response, 422, "invalid_input")


UNREAD = [
    ("image/png", "a table is one of text/csv"),
    ("application/json", "one object a line"),
    ("text/csv; header=absent", "without a header"),
]
"""a media type, and what is said of it"""


def test_other_media_types_are_refused(client: TestClient) -> None:
    for media_type, said in UNREAD:
        for response in (send(client, LONG.encode(), media_type), send_form(client, LONG.encode(), "x", media_type)):
            assert said in refuse(client, response, 415, "unsupported_media_type")


def test_a_text_that_shows_nothing_is_asked_for_its_format(client: TestClient) -> None:
    for body in (b"hello\nworld\n", b"\x00\x01\x02\x03"):
        assert "send format=" in refuse(client, send(client, body), 415, "unsupported_media_type")
    assert "Excel" in refuse(client, send_form(client, b"PK\x03\x04...", "x.xlsx"), 422, "table_malformed")
    assert "curl --data" in send(client, b"no table", "application/x-www-form-urlencoded").json()["detail"]


def form(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--x\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + end


FILE = 'Content-Disposition: form-data; name="file"; filename="x.csv"'


FORMS = [
    (b"", "ends too early"),
    (LONG.encode(), "no multipart form"),
    (form((FILE, LONG.encode()), end=b""), "ends too early"),
    (form(), "has no file"),
    (form((FILE, LONG.encode()), (FILE, LONG.encode())), "a second file, 'file'"),
    (form(('Content-Disposition: form-data; name="freq"', b"D"), (FILE, LONG.encode())), "?freq=…"),
    (form((f"{FILE}\r\nContent-Transfer-Encoding: base64", b"eA==")), "transfer encoding"),
    (form((f"{FILE}\r\nX: {'y' * 100_000}", LONG.encode())), "no multipart form"),
]
"""a form with the boundary x, and what is said of it"""


def test_a_form_that_is_no_table_says_why(client: TestClient) -> None:
    for body, said in FORMS:
        response = send(client, body, "multipart/form-data; boundary=x")
        assert said in refuse(client, response, 422, "invalid_input")
    for kind in ("multipart/form-data", f"multipart/form-data; boundary={'x' * 71}"):
        assert "boundary" in refuse(client, send(client, form(), kind), 422, "invalid_input")


def test_a_form_may_come_byte_by_byte(client: TestClient) -> None:
    body = form(('Content-Disposition: form-data; name="file"', PACK["gzip"](LONG.encode())))
    parts = (body[i : i + 1] for i in range(len(body)))
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = client.post("/series/import?freq=D&format=csv", content=parts, headers=headers)
    assert response.json()["inserted"] == 2


def test_a_repeated_call_is_the_same_with_another_boundary(client: TestClient) -> None:
    def repeat(body: bytes, boundary: str, query: str = "freq=D") -> Any:
        whole = form((FILE, body)).replace(b"--x", f"--{boundary}".encode())
        headers = {"content-type": f"multipart/form-data; boundary={boundary}", "idempotency-key": "k"}
        return client.post(f"/series/import?{query}", content=whole, headers=headers)

    assert repeat(LONG.encode(), "first").json()["inserted"] == 2
    assert repeat(LONG.encode(), "second").json()["inserted"] == 2
    assert repeat(LONG.replace("1\n", "2\n").encode(), "first").json()["code"] == "idempotency_key_reused"
    assert repeat(LONG.encode(), "first", "freq=D&on_error=skip").json()["code"] == "idempotency_key_reused"
