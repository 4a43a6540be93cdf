"""A body's bytes as text: what they are, where they are no text, and which byte is wrong."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from app.errors import ErrorCode, Invalid
from app.formats.signatures import HOW as HOW

_HEAD = 512
"""bytes that show what a body is"""
_AS_CSV = "send the table as CSV, such as DataFrame.to_csv(index=False) writes it"
_SIGNATURES: list[tuple[bytes, str]] = [
    (b"\x1f\x8b", "compressed with gzip; send it with Content-Encoding: gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; send it with Content-Encoding: zstd"),
    (b"PAR1", f"a Parquet file; {_AS_CSV}"),
    (b"ARROW1", f"an Arrow (Feather) file; {_AS_CSV}"),
    (b"\xff\xff\xff\xff", f"an Arrow stream; {_AS_CSV}"),
    (b"PK\x03\x04", "an Excel workbook or a zip archive; save the sheet as CSV in UTF-8, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV in UTF-8"),
    (b"BZh", "compressed with bzip2; send it as it is, or with Content-Encoding: gzip or zstd"),
    (b"\xfd7zXZ", "compressed with xz; send it as it is, or with Content-Encoding: gzip or zstd"),
    (b"SQLite format 3", f"an SQLite database; {_AS_CSV}"),
    (b"%PDF", f"a PDF; {_AS_CSV}"),
]
"""first bytes → what begins with them, and what to send"""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_JSON = "JSON; POST /series/{id}/observations takes JSON, this call a CSV table"
_MARKUP = "HTML or XML, perhaps an error page instead of the table; look into the file"


@contextmanager
def open_text(file: IO[bytes]) -> Iterator[IO[str]]:
    """Open a body as UTF-8 text, from its beginning, with or without a byte order mark.

    Raises Invalid for what is no such text by its first bytes.
    """
    file.seek(0)
    seen = _recognize(file.read(_HEAD))
    if seen is not None:
        raise Invalid(ErrorCode.csv_malformed, f"the body is {seen}")
    file.seek(0)
    lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        yield lines
    finally:
        lines.detach()  # closing it would close the file, which is not ours


def _recognize(head: bytes) -> str | None:
    """Return what a body is by its first bytes, and what to send instead; None for text."""
    if not head.strip():
        return f"empty; send the table, for example by {HOW}"
    for signature, seen in _SIGNATURES:
        if head.startswith(signature):
            return seen
    if head.startswith(_UTF_16) or b"\x00" in head[:2]:
        return "UTF-16 text; save the table as UTF-8, such as Excel's 'CSV UTF-8'"
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first in (b"{", b"["):
        return _JSON
    return _MARKUP if first == b"<" else None
