"""Content types of the bodies that are no JSON, and what to send where one is not read."""

from app.errors import ErrorCode, Unsupported
from app.formats.text import HOW

CSV = "text/csv"
_HINTS = {
    "": f"it has no Content-Type; send the table as {CSV}, for example with {HOW}",
    "application/x-www-form-urlencoded": "curl --data and -d call it a form, and drop line breaks; " + HOW,
    "multipart/form-data": "curl -F sends a form with a file in it; send the file alone: " + HOW,
    "application/json": "POST /series/{id}/observations takes JSON, for one series; this call takes a CSV table",
    "application/gzip": f"a compressed table is Content-Type: {CSV} with Content-Encoding: gzip",
    "application/zstd": f"a compressed table is Content-Type: {CSV} with Content-Encoding: zstd",
    "text/tab-separated-values": f"separate the cells by commas, and send it as {CSV}",
}
"""media type → what to send instead"""
_ALIASES = {
    "application/x-gzip": "application/gzip",
    "application/x-json": "application/json",
    "text/json": "application/json",
}


def check_media_type(content_type: str) -> None:
    """Raise Unsupported for a table that is not sent as CSV; the detail says what seems to be meant."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == CSV:
        return
    hint = _HINTS.get(_ALIASES.get(kind, kind), f"send the table as {CSV}, for example with {HOW}")
    seen = f"Content-Type {kind[:100]!r} is not read here: " if kind else "the body is not read: "
    raise Unsupported(ErrorCode.unsupported_media_type, f"{seen}{hint}")
