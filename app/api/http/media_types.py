"""What a table is said to be: by `format=`, by its file's name, by its media type."""

from dataclasses import dataclass
from typing import NamedTuple

from app.errors import ErrorCode, FieldError, Invalid, Unsupported
from app.formats.signatures import HOW, MEDIA_TYPES
from app.formats.table import TableFormat

FORM = "multipart/form-data"
TABLES = {
    **{media_type: format for format, media_type in MEDIA_TYPES.items()},
    "application/csv": TableFormat.csv,
    "text/x-csv": TableFormat.csv,
    "text/comma-separated-values": TableFormat.csv,
    "text/tab-separated-values": TableFormat.csv,
    "application/ndjson": TableFormat.ndjson,
    "application/jsonl": TableFormat.ndjson,
    "application/x-jsonlines": TableFormat.ndjson,
    "application/jsonlines": TableFormat.ndjson,
    "application/x-jsonl": TableFormat.ndjson,
    "text/jsonl": TableFormat.ndjson,
    "application/parquet": TableFormat.parquet,
    "application/x-parquet": TableFormat.parquet,
    "application/vnd.apache.arrow.file": TableFormat.arrow,
    "application/vnd.apache.arrow": TableFormat.arrow,
}
"""media type → format"""
NEUTRAL = frozenset({"", "application/octet-stream", "binary/octet-stream", "text/plain", "application/vnd.ms-excel"})
"""media types that say nothing of a table; the last is what browsers call a CSV where Excel is installed"""
CURL = "application/x-www-form-urlencoded"
"""what curl calls every body that nobody calls anything"""
CODINGS = {
    "application/gzip": "gzip",
    "application/x-gzip": "gzip",
    "application/zstd": "zstd",
    "application/x-zstd": "zstd",
}
"""media type of a compressed file → its coding; what is in it its name or its first bytes say"""
_ENDINGS = {
    "csv": TableFormat.csv,
    "tsv": TableFormat.csv,
    "tab": TableFormat.csv,
    "ndjson": TableFormat.ndjson,
    "jsonl": TableFormat.ndjson,
    "parquet": TableFormat.parquet,
    "pq": TableFormat.parquet,
    "arrow": TableFormat.arrow,
    "arrows": TableFormat.arrow,
    "feather": TableFormat.arrow,
    "ipc": TableFormat.arrow,
}
"""ending of a file's name → format"""
_PACKED = (".gz", ".gzip", ".zst", ".zstd")
_TABBED = frozenset({"tsv", "tab"})
_HINTS = {
    "application/json": "POST /series/{id}/observations takes JSON, for one series; this call takes a table, "
    f"such as one object a line with Content-Type: {MEDIA_TYPES[TableFormat.ndjson]}",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "save the sheet as CSV",
}
"""media type → what to send instead"""


class Named(NamedTuple):
    """A format, and what said so."""

    format: TableFormat
    by: str


@dataclass(frozen=True)
class Description:
    """What is said of a table before its bytes are seen."""

    named: Named | None
    """None where its first bytes are asked"""
    delimiter: str | None
    """of tab-separated values"""
    encoding: str | None
    """the `charset` of its media type"""


def describe_table(format: TableFormat | None, file_name: str, content_type: str) -> Description:
    """Return what a parameter, a file's name and a media type say of a table.

    Raises Unsupported for a media type that is none of a table, and Invalid where two of them do not agree.
    """
    kind, parameters = _parse_media_type(content_type)
    ending = _find_ending(file_name)
    _check_media_type(kind, parameters)
    said = [Named(format, f"format={format}")] if format is not None else []
    if ending in _ENDINGS:
        said.append(Named(_ENDINGS[ending], f"the file's name {file_name[-60:]!r}"))
    if kind in TABLES:
        said.append(Named(TABLES[kind], f"Content-Type: {kind}"))
    for other in said[1:]:
        if other.format is not said[0].format:
            detail = f"{said[0].by} and {other.by} do not agree; send what the table is, in each of them"
            raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("query.format", "conflict", detail)])
    tabbed = ending in _TABBED or kind == "text/tab-separated-values"
    return Description(said[0] if said else None, "\t" if tabbed else None, parameters.get("charset"))


def find_coding(content_type: str) -> str | None:
    """Return the coding that a media type says a file is compressed with, or None."""
    return CODINGS.get(_parse_media_type(content_type)[0])


def is_form(content_type: str) -> bool:
    """Say whether a body is a form with a file in it."""
    return _parse_media_type(content_type)[0] == FORM


def refuse_unknown(content_type: str) -> Unsupported:
    """Return the error of a table that neither says nor shows what it is."""
    kind = _parse_media_type(content_type)[0]
    seen = f"Content-Type {kind[:100]!r} says nothing of the format" if kind else "it has no Content-Type"
    detail = f"the body is not read: {seen}, and its first line names neither unique_id nor ds; send "
    hint = f"format={', '.join(TableFormat)}, or its media type, for example with {HOW}"
    if kind == CURL:
        hint += "; curl --data and -d drop line breaks, --data-binary does not"
    return _unsupported(f"{detail}{hint}")


def _parse_media_type(content_type: str) -> tuple[str, dict[str, str]]:
    kind, *fields = [field.strip() for field in content_type.split(";")]
    pairs = [field.partition("=") for field in fields]
    return kind.lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _find_ending(file_name: str) -> str:
    """Return the ending of a file's name in lower case, without that of its compression."""
    name = file_name.lower().strip()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return name.rpartition(".")[2] if "." in name else ""


def _check_media_type(kind: str, parameters: dict[str, str]) -> None:
    """Raise Unsupported for what is no table; the detail says what seems to be meant."""
    if parameters.get("header", "").lower() == "absent":
        raise _unsupported("a table without a header is not read: its first line names the columns")
    if kind in TABLES or kind in NEUTRAL or kind in CODINGS or kind == CURL:
        return
    hint = _HINTS.get("application/json" if kind in ("text/json", "application/x-json") else kind)
    known = ", ".join(MEDIA_TYPES.values())
    raise _unsupported(f"Content-Type {kind[:100]!r} is not read here: {hint or f'a table is one of {known}'}")


def _unsupported(detail: str) -> Unsupported:
    return Unsupported(ErrorCode.unsupported_media_type, detail, headers={"Accept": ", ".join(MEDIA_TYPES.values())})
