"""A table in CSV."""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from app.errors import ErrorCode, FieldError, Invalid, RowError
from app.formats.csv_dialect import DELIMITERS, SAMPLED, WORDS, find_decimal, find_delimiter, read_separator_line
from app.formats.csv_text import CsvText, PartLines, explain_bytes, find_encoding
from app.formats.signatures import HEAD, HOW
from app.formats.source import SourceBatch
from app.formats.table import KEYS, Guess, TableOptions

if TYPE_CHECKING:
    import pyarrow as pa

LINE_BREAKS = f"curl's --data and -d drop line breaks; {HOW} does not"
_WHOLE = re.compile(r"[+-]?\d+")
_DECIMALS = re.compile(r"\d+")
_WITH_COMMA = r"^(\s*[+-]?\d*),(\d+(?:[eE][+-]?\d+)?\s*)$"
_WITH_POINT = r"^\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*$"


class CsvSource:
    """A CSV, of which pyarrow parses the parts that are plain, and Python those with hard quotation marks or NUL."""

    code = ErrorCode.csv_malformed
    has_types = False
    is_columnar = False

    def __init__(self, file: BinaryIO, options: TableOptions) -> None:
        """Read the header, and some rows that show how cells are written. Raises Invalid."""
        file.seek(0)
        self._file = file
        self._encoding, encoding = find_encoding(file.read(HEAD), options.encoding)
        lines = PartLines(CsvText(file, self._encoding).read_parts(), "surrogateescape")
        sample = list(islice(lines, SAMPLED))
        told = read_separator_line(sample[0]) if sample else None
        if told is not None and options.delimiter not in (None, told):
            detail = (
                f"the first line says sep={told}, and delimiter={options.delimiter} was sent; leave one of them out"
            )
            raise Invalid(self.code, detail)
        start = 0 if told is None else 1
        start += next((i for i, line in enumerate(sample[start:]) if line.strip("\r\n")), 0)
        delimiter = None
        self._delimiter = told or ","
        if told is None:
            self._delimiter, delimiter = find_delimiter(sample[start:], options)
        header, rows, length = self._parse_sample(sample[start:], lines)
        self._header_lines = start + length
        self.names: Sequence[str] = [name.strip() for name in header]
        self.hint = f"The body is a single line. {LINE_BREAKS}" if len(sample) == 1 else ""
        self._check_header(header)
        roles = [options.columns.get(name, name) for name in self.names]
        self._keys = {i for i, role in enumerate(roles) if role in KEYS}
        cells = [
            cell.strip() for row in rows for role, cell in zip(roles, row, strict=False) if role not in ("", *KEYS)
        ]
        self._decimal, decimal = find_decimal(cells, self._delimiter, options)
        self.guesses: Sequence[Guess] = [guess for guess in (encoding, delimiter, decimal) if guess is not None]
        quoted = rf'(?<![^\n\r{re.escape(self._delimiter)}])"[^"\r\n]*"(?![^\n\r{re.escape(self._delimiter)}])'
        self._quoted = re.compile(quoted.encode())

    def _parse_sample(self, sample: list[str], more: Iterator[str]) -> tuple[list[str], list[list[str]], int]:
        """Return the header, some rows that are whole, and the lines of the header. Raises Invalid."""
        reader = csv.reader(chain(sample, more), delimiter=self._delimiter, strict=True)
        try:
            header = next(reader, [])
        except csv.Error as e:
            raise Invalid(self.code, _explain_stop("the header", e)) from e
        length = reader.line_num
        rows: list[list[str]] = []
        with suppress(csv.Error):  # it is told with its row, when that is read
            rows.extend(islice(reader, max(0, len(sample) - length)))
        return header, rows, length

    def _check_header(self, header: list[str]) -> None:
        """Raise Invalid for names that are no UTF-8, and for a header that another delimiter separates."""
        try:
            " ".join(header).encode(errors="surrogateescape").decode()
        except UnicodeDecodeError as e:
            raise Invalid(self.code, explain_bytes(e, 1)) from e
        other = next((mark for mark in DELIMITERS if len(header) == 1 and mark in header[0]), None)
        if other is not None:
            detail = f"the header is one column, {header[0][:100]!r}: its names are separated by {DELIMITERS[other]}"
            raise Invalid(self.code, f"{detail}; send delimiter={WORDS.get(other, other)}, or leave it out")

    def read(self, positions: Sequence[int]) -> Iterator[SourceBatch]:
        """Yield the rows; empty lines are no rows and have no number. Raises Invalid."""
        text = CsvText(self._file, self._encoding)
        parts = text.read_parts(skip=self._header_lines)
        number = 0
        for part in parts:
            try:
                if self._is_plain(part):
                    batch = self._parse_plain(part, positions, number)
                else:
                    batch = self._parse_hard(PartLines(chain([part], parts)), positions, number)
            except UnicodeDecodeError as e:
                raise Invalid(self.code, explain_bytes(e, text.first_line)) from e
            number += batch.count
            yield self._read_decimals(batch) if self._decimal == "," else batch

    def _is_plain(self, part: bytes) -> bool:
        if b"\x00" in part:
            return False
        marks = part.count(b'"')
        return marks == 0 or marks == 2 * len(self._quoted.findall(part))

    def _parse_plain(self, part: bytes, positions: Sequence[int], number: int) -> SourceBatch:
        """Parse a part without line ends and quotation marks in cells; `number` rows came before it."""
        import pyarrow as pa
        import pyarrow.csv

        wrong = []

        def skip(row: Any) -> str:
            wrong.append(row)
            return "skip"

        names = [str(i) for i in range(len(self.names))]
        wanted = [str(i) for i in positions]
        whole = pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(part) + 1)
        cells = pa.csv.ParseOptions(
            delimiter=self._delimiter, quote_char='"' if b'"' in part else False, invalid_row_handler=skip
        )
        texts = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False, include_columns=wanted
        )
        try:
            table = pa.csv.read_csv(pa.BufferReader(part), whole, cells, texts)
        except pa.ArrowInvalid as e:
            part.decode()  # raises where that is the cause
            if part.strip(b"\r\n"):
                raise Invalid(self.code, f"the table cannot be read behind row {number}: {str(e)[:200]}") from e
            return SourceBatch(0, np.empty(0, np.int64), {i: pa.array([], pa.string()) for i in positions}, [])
        count = table.num_rows + len(wrong)
        rows = np.delete(np.arange(number + 1, number + 1 + count), [row.number - 1 for row in wrong])
        errors = [
            RowError(
                number + row.number,
                self.code,
                self._explain_width(next(csv.reader([row.text], delimiter=self._delimiter))),
            )
            for row in wrong
        ]
        columns = {i: _join(table.column(k)) for k, i in enumerate(positions)}
        return SourceBatch(count, rows, columns, errors)

    def _parse_hard(self, lines: PartLines, positions: Sequence[int], number: int) -> SourceBatch:
        """Parse a part, and beyond its end what belongs to its last row; `number` rows came before it."""
        import pyarrow as pa

        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        good: list[list[str]] = []
        rows = []
        errors = []
        row = number
        try:
            while not lines.at_end:
                cells = next(reader, [])
                if not cells:
                    continue
                row += 1
                if len(cells) == len(self.names):
                    good.append(cells)
                    rows.append(row)
                else:
                    errors.append(RowError(row, self.code, self._explain_width(cells)))
        except csv.Error as e:
            detail = _explain_stop(f"row {row + 1} (counted from 1 below the header)", e)
            field = FieldError(f"row {row + 1}", self.code, detail)
            raise Invalid(self.code, detail, errors=[field]) from e
        columns = {i: pa.array([cells[i] for cells in good], pa.string()) for i in positions}
        return SourceBatch(row - number, np.array(rows, np.int64), columns, errors)

    def _explain_width(self, cells: list[str]) -> str:
        return _explain_width(cells, len(self.names), self._delimiter)

    def _read_decimals(self, batch: SourceBatch) -> SourceBatch:
        """Write the numbers of all columns but the keys with a decimal point; those that have one are errors."""
        import pyarrow.compute as pc

        columns = dict(batch.columns)
        reasons: dict[int, str] = {}
        for i in columns.keys() - self._keys:
            pointed = np.flatnonzero(pc.match_substring_regex(columns[i], _WITH_POINT))
            for k in pointed.tolist():
                seen = f"{self.names[i]}: {columns[i][k].as_py()[:60]!r} has a point, and decimals stand behind a comma"
                reasons[k] = f"{seen} here; send it without a thousands separator, or decimal=. for the table"
            columns[i] = pc.replace_substring_regex(columns[i], _WITH_COMMA, r"\1.\2")
        errors = [RowError(int(batch.rows[k]), ErrorCode.invalid_value, reason) for k, reason in reasons.items()]
        kept = np.delete(np.arange(len(batch.rows)), list(reasons))
        if errors:
            columns = {i: column.take(kept) for i, column in columns.items()}
        return SourceBatch(batch.count, batch.rows[kept], columns, [*batch.errors, *errors])


def _join(column: "pa.ChunkedArray") -> "pa.Array":
    """Return a column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _explain_width(cells: list[str], width: int, delimiter: str) -> str:
    """Say what seems to be wrong with a row that is longer or shorter than the header."""
    counted = f"{len(cells)} cells where the header has {width}"
    if len(cells) < width:
        return f"{counted}; write one for each column, an empty one where a value is missing"
    if not any(cells[width:]):
        mark = {",": "comma", ";": "semicolon", "\t": "tab"}.get(delimiter, "delimiter")
        return f"{counted}; the row ends in a {mark} too many"
    if delimiter != ",":
        return f'{counted}; put a cell that holds {delimiter!r} into quotation marks, as in "a{delimiter} b"'
    for left, right in pairwise(cells):
        if _WHOLE.fullmatch(left) and _DECIMALS.fullmatch(right):
            shown = f"{left},{right}"[:60]
            return (
                f"{counted}; {shown} looks like one number with a comma: send a decimal point, no thousands separator"
            )
    return f'{counted}; put a cell that holds a comma into quotation marks: "a, b"'


def _explain_stop(where: str, cause: csv.Error) -> str:
    """Say why the text cannot be read on at `where`."""
    if "unexpected end of data" in str(cause):
        return f"{where} opens a quotation mark that is not closed; double those that belong to a cell"
    if "field limit" in str(cause):
        return f"a cell of {where} is too long; perhaps a quotation mark before it is not closed"
    return f"{where} has a quotation mark out of place ({cause}); put the cell in quotes and double those within"
