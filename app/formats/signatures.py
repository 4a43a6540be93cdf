"""What a body is by its first bytes: a table of some format, or something else that is sent by mistake."""

from dataclasses import dataclass

from app.errors import ErrorCode, Invalid
from app.formats.table import KEYS, TableFormat

HEAD = 4096
"""bytes that show what a body is"""
HOW = "curl --data-binary @table.csv -H 'Content-Type: text/csv'"
"""a call that sends a table as it is"""
MEDIA_TYPES = {
    TableFormat.csv: "text/csv",
    TableFormat.ndjson: "application/x-ndjson",
    TableFormat.parquet: "application/vnd.apache.parquet",
    TableFormat.arrow: "application/vnd.apache.arrow.stream",
}
NAMES = {
    TableFormat.csv: "CSV",
    TableFormat.ndjson: "NDJSON",
    TableFormat.parquet: "a Parquet file",
    TableFormat.arrow: "an Arrow stream",
}
"""format → what a table in it is called"""
_OTHERS: list[tuple[bytes, str]] = [
    (b"\x1f\x8b", "compressed with gzip more than once; compress it once"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd more than once; compress it once"),
    (b"PARE", "a Parquet file with an encrypted footer; write it without encryption"),
    (b"FEA1", "a Feather file of version 1; write version 2, or Parquet"),
    (b"PK\x03\x04", "an Excel workbook or a zip archive; save the sheet as CSV, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV"),
    (b"BZh", "compressed with bzip2; send it as it is, or with gzip or zstd"),
    (b"\xfd7zXZ", "compressed with xz; send it as it is, or with gzip or zstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4; send it as it is, or with gzip or zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive; unpack it"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV or Parquet"),
    (b"ORC", "an ORC file; write Parquet"),
    (b"Obj\x01", "an Avro file; write Parquet"),
    (b"\x89HDF", "an HDF5 file; write Parquet"),
    (b"\x93NUMPY", "a NumPy array; write a table as CSV or Parquet"),
    (b"\x80\x04\x95", "a pickle, which is not read; write Parquet"),
    (b"\x80\x05\x95", "a pickle, which is not read; write Parquet"),
    (b"%PDF", "a PDF; send the table as CSV"),
]
"""first bytes → what begins with them, and what to send"""
_BINARY = [
    (b"PAR1", TableFormat.parquet, "a Parquet file"),
    (b"ARROW1", TableFormat.arrow, "an Arrow (Feather) file"),
    (b"\xff\xff\xff\xff", TableFormat.arrow, "an Arrow stream"),
]
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MARKUP = "HTML or XML, perhaps an error page instead of the table; look into the file"
_ARRAY = "a JSON array; send one object a line (NDJSON), as `jq -c '.[]'` writes it"


@dataclass(frozen=True)
class Signature:
    """What a body is by its first bytes."""

    format: TableFormat | None
    """None for what is no table"""
    seen: str
    """what it is, and for what is no table what to send instead"""


def recognize(head: bytes) -> Signature | None:
    """Return what a body is by its first bytes; None where they do not show it."""
    if not head.strip() or head in _BYTE_ORDER_MARKS:
        return Signature(None, f"empty; send the table, for example by {HOW}")
    for signature, format, seen in _BINARY:
        if head.startswith(signature):
            return Signature(format, seen)
    for signature, seen in _OTHERS:
        if head.startswith(signature):
            return Signature(None, seen)
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"{":
        return Signature(TableFormat.ndjson, "JSON")
    if first == b"[":
        return Signature(None, _ARRAY)
    return Signature(None, _MARKUP) if first == b"<" else None


def find_format(head: bytes) -> TableFormat | None:
    """Return the format that the first bytes show beyond doubt, those of CSV by the names in its first line.

    Raises Invalid for what is no table.
    """
    seen = recognize(head)
    if seen is not None and seen.format is None:
        raise Invalid(ErrorCode.table_malformed, f"the body is {seen.seen}")
    if seen is not None:
        return seen.format
    if head.startswith(_BYTE_ORDER_MARKS):
        return TableFormat.csv
    line = next(iter(head.replace(b"\x00", b"").splitlines()), b"")
    for delimiter in (b",", b";", b"\t", b"|", b" "):
        cells = {cell.strip(b' "').decode("latin-1") for cell in line.split(delimiter)}
        if len(cells) > 1 and cells & set(KEYS):
            return TableFormat.csv
    return None


def check_signature(head: bytes, format: TableFormat) -> None:
    """Raise Invalid for a body that begins as something else than its format."""
    code = ErrorCode.csv_malformed if format is TableFormat.csv else ErrorCode.table_malformed
    seen = recognize(head)
    if seen is None:
        if format in (TableFormat.csv, TableFormat.ndjson):
            return
        detail = f"the body is no {NAMES[format].split(' ', 1)[1]}: it does not begin like one"
        if find_format(head) is TableFormat.csv:
            detail += f", but like CSV; send that with Content-Type: {MEDIA_TYPES[TableFormat.csv]}, or with format=csv"
        raise Invalid(code, detail)
    if seen.format is format:
        return
    if seen.format is None:
        raise Invalid(code, f"the body is {seen.seen}")
    hint = f"send it with Content-Type: {MEDIA_TYPES[seen.format]}, or with format={seen.format}"
    if seen.format is TableFormat.ndjson:
        hint += ", one object a line (one series in columns goes to POST /series/{id}/observations)"
    raise Invalid(code, f"the body is {seen.seen}, and was said to be {NAMES[format]}; {hint}")
