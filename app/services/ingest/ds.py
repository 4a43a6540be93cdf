"""Reading the `ds` column of a table, whatever it holds: texts of any layout, numbers since 1970, and typed times."""

from typing import TYPE_CHECKING

import numpy as np

from app.errors import ErrorCode, Invalid
from app.formats.table import Guess
from app.services.ingest.ds_formats import DsFormat, DsFormatError, make_times, parse_ds_format
from app.services.ingest.ds_guesses import explain_cell, guess_formats
from models.calendar.iso import WrittenTimes, read_times

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE = 20_000
"""rows that show whether a column repeats its texts"""


class DsReader:
    """Reads a table's `ds` batch by batch. All cells have one layout: ISO 8601, `ds_format`, or the one that they show.

    What a cell shows by itself is never enough where it has two readings: the layout must read every cell that any
    other one reads. It is then kept for the batches that follow.
    """

    def __init__(self, ds_format: str | None) -> None:
        """Raise Invalid for a `ds_format` that cannot be followed."""
        self._sent: DsFormat | None = None
        self._guessed: list[DsFormat] = []
        """layouts that may be meant, best first: more than one as long as they read the same times"""
        self._example = ""
        self._is_iso = False
        self._is_compact = False
        """whether its ISO dates are nothing but digits"""
        if ds_format is not None:
            try:
                self._sent = parse_ds_format(ds_format)
            except DsFormatError as e:
                raise Invalid(ErrorCode.invalid_input, str(e)) from e

    @property
    def guesses(self) -> list[Guess]:
        """What was decided about the column without a `ds_format`, once it has been read."""
        if self._is_compact:
            return [Guess("ds_format", "%Y%m%d", "eight digits that are a date of the years 1900 to 2099")]
        if not self._example:
            return []
        name, *others = [layout.name for layout in self._guessed]
        why = f"{' and '.join(others)} read the same" if others else "no other layout reads as many cells of ds"
        return [Guess("ds_format", name, f"{why}; one of them is {self._example!r}")]

    def read(self, column: "pa.Array") -> WrittenTimes:
        """Read cells (N,) of strings, whole numbers, or timestamps with or without a timezone.

        `ds_format` is of strings and numbers; typed timestamps need none. A cell that is null, or that the column's
        layout does not read, is not readable.
        """
        import pyarrow as pa

        if isinstance(column, pa.DictionaryArray):
            return self._read_encoded(column)
        if pa.types.is_temporal(column.type):
            return _read_timestamps(column)
        if len(column.slice(0, _SAMPLE).unique()) * 2 > min(len(column), _SAMPLE):
            return self._read_texts(_cast_to_text(column))
        return self._read_encoded(column.dictionary_encode())

    def explain(self, text: str | None) -> tuple[ErrorCode, str]:
        """Say why a cell is not readable, and what to send instead."""
        return ErrorCode.invalid_timestamp, explain_cell(text, self._sent, self._guessed, is_iso=self._is_iso)

    def _read_encoded(self, column: "pa.DictionaryArray") -> WrittenTimes:
        """Read cells (N,) that repeat, each distinct one once."""
        import pyarrow as pa

        texts = _cast_to_text(column.dictionary)
        with_null = pa.concat_arrays([texts, pa.nulls(1, texts.type)])
        times = self._read_texts(with_null)
        rows = column.indices.cast(pa.int64()).fill_null(len(texts)).to_numpy()
        return WrittenTimes(
            times.wall[rows], times.offset[rows], times.readable[rows], times.naive[rows], times.dates[rows]
        )

    def _read_texts(self, texts: "pa.Array") -> WrittenTimes:
        """Read texts (N,)."""
        import pyarrow.compute as pc

        texts = pc.utf8_trim_whitespace(texts.fill_null(""))
        if self._sent is not None:
            return self._sent.read(texts)
        if not self._guessed:
            times = read_times(texts.to_pylist())
            if times.readable.any() or self._is_iso:
                self._note_iso(texts, times)
                return times
        guess = guess_formats(texts, self._guessed)
        self._guessed = guess.formats
        if not self._example and guess.times.readable.any():
            self._example = texts[int(np.argmax(guess.times.readable))].as_py()
        return guess.times

    def _note_iso(self, texts: "pa.Array", times: WrittenTimes) -> None:
        if not self._is_iso:
            self._is_iso = True
            self._is_compact = texts[int(np.argmax(times.readable))].as_py().isdecimal()


def _cast_to_text(column: "pa.Array") -> "pa.Array":
    """Return strings or numbers (N,) as strings, null where they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        known = pc.if_else(pc.less(pc.abs(column), 1e19), column, None)
        decimals = pc.cast(known, pa.decimal128(38, 6), safe=False)
        return pc.utf8_rtrim(pc.utf8_rtrim(pc.cast(decimals, pa.string()), "0"), ".")
    return pc.cast(column, pa.string())


def _read_timestamps(column: "pa.Array") -> WrittenTimes:
    """Read typed timestamps (N,): instants where they have a timezone, and wall times where not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    micros = pc.cast(pc.cast(column, pa.timestamp("us", zone), safe=False), pa.int64())
    readable = column.is_valid().to_numpy(zero_copy_only=False)
    return make_times(micros.fill_null(0).to_numpy(), readable, naive=zone is None)
