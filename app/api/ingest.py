"""Tables of many series: POST /series/import takes one, and so does POST /observations."""

import csv
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.deps import IdempotencyKey, ServicesDep, WriteScope, checked_key
from app.api.http.media_types import CODINGS, FORM, NEUTRAL, TABLES
from app.api.http.responses import created
from app.api.http.uploads import received, run_import
from app.api.schemas.base import QueryTime
from app.api.schemas.series import Imported
from app.config import Settings
from app.errors import ErrorCode, invalid
from app.formats.csv_text import check_encoding
from app.formats.table import TableFormat, TableOptions
from app.services.ingest.report import ImportOptions

router = APIRouter(prefix="/series", tags=["series"])

IMPORT = """Import a table: CSV, NDJSON, Parquet, or Arrow as a stream or file (Feather), each plain, gzip or zstd, as
the body or as the one file of a form (`curl -F file=@table.csv`). Its format is `format=`, else what the file's name or
`Content-Type` says, else what its first bytes show.

A long table has the columns `unique_id, ds, y`; others are covariates, and without `y` these alone are written. A wide
one has `ds` and a column a series. `columns=date:ds,value:y` gives columns their names, and `columns=note:` leaves one
out. What nobody said and the reader decided stands in `guesses`.

Series are made as needed where there is a `y`. A new covariate is numeric where nine in ten of its cells are numbers
(the others are rejected rows), else categorical; the report says which, with `dry_run=true` before anything is written.
`true` and `false` are 1 and 0 in numbers. Where a number is missing the cell is empty or says NaN, NA or null; in text
only the empty cell is missing. Blanks around ids and texts are left out.

An empty cell, of `y` or of a covariate, keeps what is stored where the table has covariates, unless `empty_y=missing`;
in a table of `y` alone it removes the value, unless `empty_y=keep`. Rows of new timestamps are inserted either way."""
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "bar": "|", "pipe": "|"}
"""how a delimiter may be called"""
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_EXAMPLES = {
    "text/csv": "unique_id,ds,y,temp\nbikes,2024-03-01T00:00:00Z,41,7.5\n",
    "application/x-ndjson": '{"unique_id": "bikes", "ds": "2024-03-01T00:00:00Z", "y": 41, "temp": 7.5}\n',
}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary", "description": "the table"}},
        "required": ["file"],
    }
}


def describe_bodies() -> dict[str, Any]:
    """Return the media types that a table may have, as OpenAPI lists them."""
    texts = {name: {"schema": {"type": "string"}, "example": example} for name, example in _EXAMPLES.items()}
    binary = dict.fromkeys([*TABLES, *sorted(NEUTRAL - {""}), *CODINGS], _BYTES)
    return {**texts, FORM: _FORM, **{name: body for name, body in binary.items() if name not in texts}}


def read_table_options(
    layout: Annotated[
        Literal["long", "wide"] | None, Query(description="a row a series and timestamp, or a column a series")
    ] = None,
    delimiter: Annotated[
        str | None,
        Query(max_length=20, description="of CSV: one character, or `tab`", examples=[";"]),
    ] = None,
    decimal: Annotated[Literal[".", ","] | None, Query(description="of CSV: what stands before decimals")] = None,
    encoding: Annotated[
        str | None, Query(max_length=40, description="of CSV that is not UTF-8", examples=["windows-1252"])
    ] = None,
    columns: Annotated[
        str | None,
        Query(
            max_length=20_000,
            description="name:is,…; an empty right side leaves the column out, quotation marks hold a comma",
            examples=["date:ds,value:y,note:"],
        ),
    ] = None,
) -> TableOptions:
    """Return how a table's bytes are to be read. Raises Invalid."""
    names = {} if columns is None else _read_columns(columns)
    return TableOptions(layout, _read_delimiter(delimiter), decimal, _read_encoding(encoding), names)


def _read_delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    mark = _WORDS.get(text.lower(), text)
    if len(mark) != 1 or mark.isalnum() or mark in "\"'\r\n\x00." or not mark.isascii():
        hint = "send one character such as ; or |, or tab"
        raise invalid("query.delimiter", ErrorCode.invalid_input, f"{text[:20]!r} is no delimiter: {hint}")
    return mark


def _read_encoding(name: str | None) -> str | None:
    try:
        return None if name is None else check_encoding(name)
    except ValueError as e:
        raise invalid("query.encoding", ErrorCode.invalid_input, str(e)) from e


def _read_columns(text: str) -> dict[str, str]:
    """Return {column: what it is here} of `date:ds,value:y`. Raises Invalid."""
    try:
        (pairs,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as e:
        raise _refuse_columns(f"it cannot be read ({e})") from e
    if not pairs:
        raise _refuse_columns("it is empty")
    names: dict[str, str] = {}
    for pair in pairs:
        source, colon, name = pair.rpartition(":")
        if not colon:
            raise _refuse_columns(f"{pair[:60]!r} has no colon")
        if source.strip() in names:
            raise _refuse_columns(f"it names {source[:60]!r} twice")
        names[source.strip()] = name.strip()
    return names


def _refuse_columns(why: str) -> Exception:
    detail = f"columns= is name:is,… as in columns=date:ds,value:y,note: and {why}"
    return invalid("query.columns", ErrorCode.invalid_input, detail)


DsFormat = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=100,
        description="how timestamps are written: directives of strptime, or epoch_s, epoch_ms, epoch_us, epoch_ns; "
        "found out when absent",
        examples=["%d.%m.%Y %H:%M"],
    ),
]
OnDuplicate = Annotated[
    Literal["error", "last", "mean"],
    Query(description="rows of one timestamp: refuse them, take the last, or the mean of numbers and the last text"),
]
Ambiguous = Annotated[
    Literal["raise", "infer"],
    Query(description="local times that exist twice: refuse them, or tell them by the order of the rows"),
]
EmptyY = Annotated[
    Literal["missing", "keep"] | None,
    Query(description="an empty cell where a value is stored; `keep` where the table has covariates, when absent"),
]


def read_import_options(
    freq: Annotated[str | None, Query(max_length=40, description="of new series; inferred when absent")] = None,
    timezone: Annotated[
        str | None, Query(max_length=64, description="of naive timestamps, and of new series; UTC when absent")
    ] = None,
    ds_start: Annotated[
        QueryTime | None,
        Query(description="timestamp of step 0, where ds holds integers; needs freq"),
    ] = None,
    ds_format: DsFormat = None,
    dry_run: bool = False,
    on_error: Literal["abort", "skip"] = "abort",
    on_duplicate: OnDuplicate = "error",
    ambiguous: Ambiguous = "raise",
    empty_y: EmptyY = None,
) -> ImportOptions:
    """Return what is to be done with a table."""
    return ImportOptions(
        freq, timezone, ds_start, dry_run, on_error, on_duplicate, ambiguous, empty_y, ds_format=ds_format
    )


def read_rows_options(
    ds_format: DsFormat = None,
    on_duplicate: OnDuplicate = "error",
    ambiguous: Ambiguous = "raise",
    empty_y: EmptyY = None,
) -> ImportOptions:
    """Return what is to be done with a table of stored series, which is written whole."""
    return ImportOptions(None, None, None, False, "abort", on_duplicate, ambiguous, empty_y, ds_format=ds_format)


@router.post(
    "/import",
    response_model=Imported,
    description=IMPORT,
    openapi_extra={"requestBody": {"required": True, "content": describe_bodies()}},
)
async def import_series(
    request: Request,
    scope: WriteScope,
    services: ServicesDep,
    table: Annotated[TableOptions, Depends(read_table_options)],
    options: Annotated[ImportOptions, Depends(read_import_options)],
    idempotency_key: IdempotencyKey = None,
    format: Annotated[
        TableFormat | None, Query(description="of the table; by its name, media type or first bytes when absent")
    ] = None,
) -> Response:
    """Import a table."""
    settings: Settings = request.app.state.settings
    async with received(request, format, table, settings.max_import_bytes) as body:
        once = None if idempotency_key is None else checked_key(request, idempotency_key, body.digest)
        return created(await run_import(services.imports.run, scope, body.upload, options, once))
