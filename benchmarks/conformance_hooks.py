"""Loaded by Schemathesis: bodies that are tables, and what all cases of benchmarks.conformance stand on is kept."""

import gzip
import io
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import schemathesis
import zstandard
from hypothesis import strategies as st

from benchmarks.conformance_seed import MODEL, SERIES, SPARES
from tests.e2e.conftest import stamps

KEY = "CONFORMANCE_KEY"
"""variable with the number of the key that asks"""
DEFAULT = "default"
"""the project that the key is of"""
KEPT = {
    ("DELETE", "/keys/{number}"): ("number", os.environ.get(KEY)),
    ("POST", "/keys/{number}/rotate"): ("number", os.environ.get(KEY)),
    ("PUT", "/projects/{name}"): ("name", DEFAULT),
    ("DELETE", "/models/{name}"): ("name", MODEL),
    ("DELETE", "/models/{name}/versions/{number}"): ("number", "1"),
    ("DELETE", "/series/{series_id}"): ("series_id", SERIES[0]),
    ("DELETE", "/series/{series_id}/observations"): ("series_id", SERIES[0]),
}
"""by operation: a path parameter, and what no case may send in it"""
INSTEAD = 2_000_000_000
"""a number or a name that there is not"""
MOST_ROWS = 5


UPLOADS = (("POST", "/series/import"), ("POST", "/observations"))
LINK = ("expires", "key", "signature")
"""parameters of a chart's signed link, which has all of them"""


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """Keep the seed, and leave out parameters that the document cannot say what they go with."""
    label = (case.method, case.operation.path)
    _keep(case.path_parameters, *KEPT.get(label, (None, None)))
    query: Any = case.query
    if not isinstance(query, dict):  # a case that is to be refused may have anything there
        return
    if label in UPLOADS and isinstance(case.body, bytes):
        if len(case.body) % 2:
            query.clear()  # half of the tables say of themselves what they are
    elif label == ("POST", "/observations"):
        query.clear()  # they say how a table is read
    if label == ("GET", "/forecast/chart") and not set(LINK) <= set(query):
        for name in LINK:
            query.pop(name, None)


def _keep(sent: Any, name: str | None, value: str | None) -> None:
    """Send what would delete the seed, or set a quota of the project that all is asked in, to something else."""
    if isinstance(sent, dict) and name is not None and str(sent.get(name)) == value:
        sent[name] = INSTEAD if str(value).isdigit() else str(INSTEAD)


def write_csv(table: pa.Table) -> bytes:
    """Return a table as CSV."""
    file = io.BytesIO()
    pyarrow.csv.write_csv(table, file)
    return file.getvalue()


def write_tabs(table: pa.Table) -> bytes:
    """Return a table with tabs between its columns."""
    file = io.BytesIO()
    pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(delimiter="\t"))
    return file.getvalue()


def write_lines(table: pa.Table) -> bytes:
    """Return a table as lines of JSON."""
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def write_parquet(table: pa.Table) -> bytes:
    """Return a table as Parquet."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def write_stream(table: pa.Table) -> bytes:
    """Return a table as a stream of Arrow."""
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def write_file(table: pa.Table) -> bytes:
    """Return a table as a file of Arrow."""
    file = io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


WRITERS: dict[str, Callable[[pa.Table], bytes]] = {
    "application/csv": write_csv,
    "text/x-csv": write_csv,
    "text/comma-separated-values": write_csv,
    "application/vnd.ms-excel": write_csv,
    "text/plain": write_csv,
    "application/octet-stream": write_csv,
    "binary/octet-stream": write_parquet,
    "text/tab-separated-values": write_tabs,
    "application/ndjson": write_lines,
    "application/jsonl": write_lines,
    "application/x-jsonlines": write_lines,
    "application/jsonlines": write_lines,
    "application/x-jsonl": write_lines,
    "text/jsonl": write_lines,
    "application/vnd.apache.parquet": write_parquet,
    "application/parquet": write_parquet,
    "application/x-parquet": write_parquet,
    "application/vnd.apache.arrow.stream": write_stream,
    "application/vnd.apache.arrow.file": write_file,
    "application/vnd.apache.arrow": write_stream,
    "application/gzip": lambda table: gzip.compress(write_csv(table)),
    "application/x-gzip": lambda table: gzip.compress(write_csv(table)),
    "application/zstd": lambda table: zstandard.compress(write_csv(table)),
    "application/x-zstd": lambda table: zstandard.compress(write_csv(table)),
}
"""by media types of bodies: the tables of uploads"""


def make_table(rows: Sequence[tuple[str, str, float | None]]) -> pa.Table:
    """Return rows of an upload as a table."""
    ids, times, values = zip(*rows, strict=True)
    columns = {"unique_id": list(ids), "ds": list(times), "y": pa.array(list(values), pa.float64())}
    return pa.table(columns)


ROWS = st.lists(
    st.tuples(
        st.sampled_from((*SERIES, *SPARES)),
        st.sampled_from(stamps(24)),
        st.none() | st.floats(-1e6, 1e6),
    ),
    min_size=1,
    max_size=MOST_ROWS,
    unique_by=lambda row: row[:2],
)
for kind, write in WRITERS.items():
    schemathesis.openapi.media_type(kind, ROWS.map(make_table).map(write) | st.binary(max_size=100))


@schemathesis.serializer(*WRITERS, "application/x-ndjson")
def send_table(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Return the bytes of a body that is a table, or of what was made in its place to be refused."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
