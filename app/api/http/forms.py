"""A form with one file in it (multipart/form-data), whose bytes are handed on while it is read."""

from typing import Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import ErrorCode, Invalid, invalid

FILE = "file"
"""name of the part that is the file where it has no file name"""
LONGEST_BOUNDARY = 70
"""as RFC 2046 has it"""
_PLAIN = frozenset({"", "binary", "8bit", "7bit"})


class FileSink(Protocol):
    """Takes the bytes of a file."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""


class FileForm:
    """Reads a form in parts, and writes the file in it into a sink."""

    def __init__(self, content_type: str, sink: FileSink) -> None:
        """Raise Invalid for a Content-Type without its boundary."""
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary or len(boundary) > LONGEST_BOUNDARY:
            detail = f"its Content-Type names no boundary of 1 to {LONGEST_BOUNDARY} characters"
            raise _malformed(f"{detail}; curl -F and browsers send one by themselves")
        self.file_name: str | None = None
        """None where no file has come"""
        self.content_type = ""
        """of the file"""
        self._sink = sink
        self._ended = False
        self._header = [bytearray(), bytearray()]
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_part,
                "on_part_data": lambda data, start, end: self._sink.write(data[start:end]),
                "on_end": self._end,
            },
        )

    def write(self, data: bytes) -> None:
        """Read the next bytes of the form. Raises Invalid for what is no form, and for a part that is no file."""
        try:
            self._parser.write(data)
        except MultipartParseError as e:
            raise _malformed(str(e)[:200]) from e

    def close(self) -> None:
        """Raise Invalid for a form that is cut off, or has no file."""
        if not self._ended:
            raise _malformed("it ends too early")
        if self.file_name is None:
            raise _malformed("it has no file; send one, as curl -F file=@table.csv does")

    def _end_header(self) -> None:
        field, value = self._header
        self._headers[bytes(field).lower()] = bytes(value)
        field.clear()
        value.clear()

    def _begin_part(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        name = options.get(b"name", b"").decode(errors="replace")
        file_name = options.get(b"filename")
        if file_name is None and name != FILE:
            detail = f"the form has a part {name[:100]!r} that is no file: parameters go into the query"
            raise invalid(f"body.{name[:100]}", ErrorCode.invalid_input, f"{detail}, as in ?{name[:40] or 'freq'}=…")
        if self.file_name is not None:
            detail = f"the form has a second file, {name[:100]!r}; send one table a call"
            raise invalid(f"body.{name[:100]}", ErrorCode.invalid_input, detail)
        if self._headers.get(b"content-transfer-encoding", b"").decode("latin-1").lower() not in _PLAIN:
            raise _malformed("its file is written in a transfer encoding; send its bytes as they are")
        self.file_name = (file_name or b"").decode(errors="replace")
        self.content_type = self._headers.get(b"content-type", b"").decode("latin-1")

    def _end(self) -> None:
        self._ended = True


def _malformed(why: str) -> Invalid:
    return invalid("body", ErrorCode.invalid_input, f"the body is no multipart form with a file: {why}")
