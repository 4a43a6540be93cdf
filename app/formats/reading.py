"""Tables as they are sent, in any format: `open_table` is the one entry."""

from collections.abc import Iterator
from typing import BinaryIO

from app.errors import Invalid
from app.formats.arrow import ArrowSource
from app.formats.csv import LINE_BREAKS, CsvSource
from app.formats.header import ColumnPlaces, place_columns
from app.formats.long import read_long
from app.formats.ndjson import NdjsonSource
from app.formats.parquet import ParquetSource
from app.formats.signatures import HEAD, check_signature
from app.formats.source import TableSource
from app.formats.table import DataTable, TableBatch, TableFormat, TableOptions
from app.formats.wide import read_wide

MOST_ROWS = 500_000_000
"""long rows of a table: more than the largest text has, and an end to a small file that says it has any number"""


def open_table(file: BinaryIO, format: TableFormat, options: TableOptions) -> DataTable:
    """Return the table that a file holds, from its beginning; the file stays open while the batches are read.

    Raises Invalid for what is no table of this format, at once or while its batches are read.
    """
    file.seek(0)
    check_signature(file.read(HEAD), format)
    source = _open_source(file, format, options)
    try:
        places, guesses = place_columns(source.names, options, source.code)
    except Invalid as e:
        if not source.hint:
            raise
        raise Invalid(e.code, f"{e.detail}. {source.hint}") from e
    told = [*source.guesses, *guesses]
    if isinstance(places, ColumnPlaces):
        batches = _require_rows(source, read_long(source, places))
        has_y = places.y is not None
        return DataTable("long", has_y, list(places.covariates), source.has_types, told, batches)
    return DataTable("wide", True, [], source.has_types, told, _require_rows(source, read_wide(source, places)))


def _open_source(file: BinaryIO, format: TableFormat, options: TableOptions) -> TableSource:
    match format:
        case TableFormat.csv:
            return CsvSource(file, options)
        case TableFormat.ndjson:
            return NdjsonSource(file)
        case TableFormat.parquet:
            return ParquetSource(file)
        case TableFormat.arrow:
            return ArrowSource(file)


def _require_rows(source: TableSource, batches: Iterator[TableBatch]) -> Iterator[TableBatch]:
    """Yield the batches. Raises Invalid for too many rows, and behind the last batch for none."""
    rows = 0
    values = 0
    for batch in batches:
        rows += batch.count
        values += len(batch.rows) + len(batch.errors)
        if values > MOST_ROWS:
            raise Invalid(source.code, f"the table has more than {MOST_ROWS} rows; send it in parts")
        yield batch
    if rows == 0:
        hint = f". {LINE_BREAKS}" if isinstance(source, CsvSource) else ""
        raise Invalid(source.code, f"the table has a header and no rows{hint}")
