"""Tables on their way to the service and back: what a file holds by its name, its bytes, and a data frame's."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from os import PathLike, fspath
from pathlib import PurePath
from typing import IO, Any, Literal, NamedTuple, Protocol, cast, runtime_checkable

from gatecast_client.errors import ClientError

Format = Literal["csv", "ndjson", "parquet", "arrow"]

CHUNK_BYTES = 1 << 20
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
}
CODINGS = {".gz": "gzip", ".zst": "zstd"}
"""ending of a compressed file → its Content-Encoding"""
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


class TableName(NamedTuple):
    """What the name of a table's file says."""

    format: Format | None
    """None where the name says none"""
    coding: str | None
    """gzip, zstd, or None for a file as it is"""
    delimiter: str | None
    """of a format that has one by its name"""


@runtime_checkable
class ArrowFrame(Protocol):
    """A data frame that pandas made."""

    def to_parquet(self) -> bytes:
        """Return it as Parquet."""

    def to_csv(self, *, index: bool) -> str:
        """Return it as CSV."""


@runtime_checkable
class StreamFrame(Protocol):
    """A data frame that polars made."""

    def write_ipc_stream(self, file: IO[bytes]) -> Any:
        """Write it as an Arrow stream."""


TableSource = bytes | str | PathLike[str] | IO[bytes] | ArrowFrame | StreamFrame
"""a table: its bytes, the path of its file, an open file, or a data frame of pandas or polars"""


class TableBody(NamedTuple):
    """A table as it is sent, from its beginning."""

    file: IO[bytes]
    format: Format
    coding: str | None
    delimiter: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request with it."""
        coding = {"content-encoding": self.coding} if self.coding else {}
        return {"content-type": MEDIA_TYPES[self.format], "content-length": str(self._count_bytes()), **coding}

    def _count_bytes(self) -> int:
        size = self.file.seek(0, io.SEEK_END)
        self.file.seek(0)
        return size

    def read_chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the first one on."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK_BYTES):
            yield chunk


def read_name(name: str) -> TableName:
    """Return what a file's name says of the table in it."""
    path = PurePath(name.lower())
    coding = CODINGS.get(path.suffix)
    suffix = path.with_suffix("").suffix if coding else path.suffix
    return TableName(SUFFIXES.get(suffix), coding, "tab" if suffix == ".tsv" else None)


@contextmanager
def open_table(table: TableSource, format: Format | None) -> Iterator[TableBody]:
    """Open a table for sending. `format`: of its rows; None is what its name says, or CSV.

    Files must be seekable. Raises ClientError for a file that cannot be read.
    """
    if isinstance(table, (ArrowFrame, StreamFrame)):
        table, format = _write_frame(table)
    name = read_name(_find_name(table))
    source = _open_source(table)
    with source as file:
        file.seek(0)
        start = file.read(4)
        coding = next((coding for coding, magic in _MAGIC.items() if start.startswith(magic)), None)
        delimiter = name.delimiter if format in (None, "csv") else None
        yield TableBody(file, format or name.format or "csv", coding, delimiter)


def _find_name(table: object) -> str:
    if isinstance(table, (str, PathLike)):
        return str(fspath(table))
    named = getattr(table, "name", "")
    return named if isinstance(named, str) else ""


def _open_source(table: bytes | str | PathLike[str] | IO[bytes]) -> Any:
    if isinstance(table, bytes):
        return io.BytesIO(table)
    if isinstance(table, (str, PathLike)):
        try:
            return open(table, "rb")
        except OSError as e:
            raise ClientError("The file cannot be read", str(e), "unreadable_file", "check its path") from e
    return nullcontext(table)  # its opener closes it


def _write_frame(frame: ArrowFrame | StreamFrame) -> tuple[bytes, Format]:
    """Return a data frame as bytes: as CSV where nothing is installed that writes types."""
    if isinstance(frame, StreamFrame):
        buffer = io.BytesIO()
        frame.write_ipc_stream(buffer)
        return buffer.getvalue(), "arrow"
    try:
        return frame.to_parquet(), "parquet"
    except ImportError:
        return frame.to_csv(index=any(cast(Any, frame).index.names)).encode(), "csv"
