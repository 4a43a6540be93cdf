"""Tables as bytes in every format, and what is read of them."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import pytest

from app.errors import Invalid, RowError
from app.formats.reading import open_table
from app.formats.table import DataTable, TableFormat, TableOptions

LONG = "unique_id,ds,y\na,2024-01-01,1\nb,2024-01-02,2\n"
FORMATS = list(TableFormat)


def write(format: str, columns: Mapping[str, Any]) -> bytes:
    """Return a table of columns in a format, as its own library writes it."""
    table = pa.table(dict(columns))
    sink = io.BytesIO()
    match TableFormat(format):
        case TableFormat.csv:
            pa.csv.write_csv(table, sink)
        case TableFormat.ndjson:
            for row in table.to_pylist():
                sink.write(json.dumps(row, default=str).encode() + b"\n")
        case TableFormat.parquet:
            pa.parquet.write_table(table, sink)
        case TableFormat.arrow:
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
    return sink.getvalue()


def read(
    body: str | bytes, format: str = "csv", **options: Any
) -> tuple[DataTable, list[tuple[Any, ...]], list[RowError]]:
    """Return a table, its rows (number, id, ds, y, covariates …), and the rows that do not fit."""
    data = body.encode() if isinstance(body, str) else body
    table = open_table(io.BytesIO(data), TableFormat(format), TableOptions(**options))
    rows: list[tuple[Any, ...]] = []
    errors: list[RowError] = []
    for batch in table.batches:
        y = [None] * len(batch.rows) if batch.y is None else batch.y.to_pylist()
        columns = [batch.unique_id, batch.ds, *batch.covariates]
        ids, ds, *covariates = [column.to_pylist() for column in columns]
        rows += zip(batch.rows.tolist(), ids, ds, y, *covariates, strict=True)
        errors += batch.errors
    return table, rows, errors


def refuse(body: str | bytes, format: str = "csv", **options: Any) -> str:
    """Return the detail of the refusal of a table that must be refused."""
    with pytest.raises(Invalid) as refused:
        read(body, format, **options)
    assert refused.value.code == ("csv_malformed" if format == "csv" else "table_malformed")
    return refused.value.detail


def tell(table: DataTable) -> dict[str, str]:
    """Return the guesses of a table, by parameter."""
    return {guess.parameter: guess.value for guess in table.guesses}
