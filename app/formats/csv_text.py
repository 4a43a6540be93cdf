"""A CSV's bytes as UTF-8, whatever encoding they came in, in parts that end with a line."""

import codecs
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from app.errors import ErrorCode, Invalid
from app.formats.table import Guess

PART = 2 * 1024 * 1024
"""bytes that are read at once: tens of thousands of rows"""
LONGEST_LINE = 16 * 1024 * 1024
"""bytes of a line: tens of thousands of columns with long names"""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
"""byte order mark → the encoding that it belongs to"""
_NO_TEXT = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"})


def check_encoding(name: str) -> str:
    """Return the name of an encoding of text as Python's codecs spell it. Raises ValueError."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError) as e:
        raise ValueError(f"{name!r} is no encoding; utf-8, utf-16, latin-1 and windows-1252 are some") from e
    plain = found.name.replace("_", "-")
    if not found._is_text_encoding or plain in _NO_TEXT or found.incrementaldecoder is None:
        raise ValueError(f"{name!r} is no encoding of tables; utf-8, utf-16, latin-1 and windows-1252 are some")
    return found.name


def find_encoding(head: bytes, encoding: str | None) -> tuple[str, Guess | None]:
    """Return the encoding of a text by its first bytes, or as it was told, and what was guessed. Raises Invalid."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is not None:
        family = marked.replace("-", "")
        if encoding is not None and not encoding.replace("-", "").replace("_", "").startswith(family):
            detail = f"the body begins with the byte order mark of {marked}, and encoding={encoding} was sent"
            raise Invalid(ErrorCode.csv_malformed, f"{detail}; send encoding={marked}, or leave it out")
        if marked == "utf-8":
            return "utf-8-sig", None
        return marked, _guess(encoding, marked, "the body begins with its byte order mark")
    unmarked = None
    if len(head) >= 4 and head[0:1] != b"\x00" and head[1:2] == b"\x00" == head[3:4] and head[2:3] != b"\x00":
        unmarked = "utf-16-le"
    elif len(head) >= 4 and head[0:1] == b"\x00" == head[2:3] and head[1:2] != b"\x00":
        unmarked = "utf-16-be"
    if encoding in (None, "utf-16") and unmarked is not None:
        return unmarked, _guess(encoding, unmarked, "every other byte of its first line is 0")
    return encoding or "utf-8", None


def _guess(encoding: str | None, found: str, detail: str) -> Guess | None:
    return None if encoding is not None else Guess("encoding", found, detail)


class CsvText:
    """A text in UTF-8 without a byte order mark, read in parts that end with a line."""

    def __init__(self, file: BinaryIO, encoding: str, code: ErrorCode = ErrorCode.csv_malformed) -> None:
        file.seek(len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0)
        self._file = file
        self._code = code
        self._encoding = encoding
        self._decoder = None if encoding in ("utf-8", "utf-8-sig") else codecs.getincrementaldecoder(encoding)()
        self._lines = 0
        self._skip = 0
        self.first_line = 1
        """number of the line in which the part that came last begins"""

    def read_parts(self, skip: int = 0) -> Iterator[bytes]:
        """Yield the text without its first lines, each part but the last one up to a line end.

        Raises Invalid for a line that is too long, and for bytes that are no text of another encoding than UTF-8.
        """
        rest = b""
        self._skip = skip
        while True:
            read = self._read()
            if not read:
                break
            rest += read
            end = _find_line_end(rest)
            if end:
                yield self._count(rest[:end])
                rest = rest[end:]
            if len(rest) > LONGEST_LINE:
                raise Invalid(self._code, _explain_long_line(self._lines + 1))
        if rest:
            yield self._count(rest)

    def _read(self) -> bytes:
        """Return the next bytes in UTF-8; none at the end."""
        while True:
            data = self._file.read(PART)
            if self._decoder is None:
                return data
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeError as e:
                raise Invalid(ErrorCode.csv_malformed, self._explain(e)) from e
            if text or not data:
                return text.encode()

    def _count(self, part: bytes) -> bytes:
        """Return a part without the lines that are skipped, and count its lines."""
        self.first_line = self._lines + 1
        self._lines += part.count(b"\n") or part.count(b"\r")
        if not self._skip:
            return part
        ends = [match.end() for match in islice(_LINE_END.finditer(part), self._skip)]
        self.first_line += len(ends)
        self._skip -= len(ends)
        return part[ends[-1] :] if ends and not self._skip else b""

    def _explain(self, error: UnicodeError) -> str:
        if not isinstance(error, UnicodeDecodeError):  # of UTF-16, which begins with a mark
            return f"the body is not {self._encoding} ({error}); send the encoding that the table has"
        byte = error.object[error.start]
        where = f"behind line {self._lines} the body holds the byte 0x{byte:02X}"
        return f"{where}, which is not {self._encoding} ({error.reason}); send the encoding that the table has"


class PartLines:
    """The lines of a text that comes in parts, with their ends."""

    def __init__(self, parts: Iterator[bytes], errors: str = "strict") -> None:
        self._parts = parts
        self._errors = errors
        self._lines: list[str] = []
        self._next = 0
        self._load()

    @property
    def at_end(self) -> bool:
        """Whether the part that was read last has no further line."""
        return self._next == len(self._lines)

    def _load(self) -> bool:
        part = next(self._parts, b"")
        self._lines = list(io.StringIO(part.decode(errors=self._errors), newline=""))
        self._next = 0
        return bool(part)

    def __iter__(self) -> "PartLines":
        return self

    def __next__(self) -> str:
        if self.at_end and not self._load():
            raise StopIteration
        self._next += 1
        return self._lines[self._next - 1]


def _find_line_end(data: bytes) -> int:
    """Return where the last whole line ends; 0 where none does."""
    end = data.rfind(b"\n") + 1
    if end:
        return end
    # line ends of old Macintoshes; one at the very end may be the first half of another
    return data.rfind(b"\r", 0, len(data) - 1) + 1


def _explain_long_line(line: int) -> str:
    return f"line {line} of the body has more than {LONGEST_LINE} bytes; a table has a row a line"


def explain_bytes(error: UnicodeDecodeError, line: int) -> str:
    """Say which byte is no UTF-8; `line` is the number of the line in which the decoder's input began."""
    line += error.object[: error.start].count(b"\n")
    byte = error.object[error.start]
    character = bytes([byte]).decode("cp1252", "replace")
    return (
        f"line {line} of the body holds the byte 0x{byte:02X}, which is not UTF-8 ({character!r} in Windows-1252); "
        "save the table as UTF-8, or send the encoding it has, as in encoding=windows-1252"
    )
