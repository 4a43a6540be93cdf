"""The first walk over a table: its cells are read, and its rows wait for those of the same series."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.errors import ErrorCode, RowError
from app.formats.cells import SHOWN, explain_number
from app.formats.table import DataTable, TableBatch
from app.services.ingest.cells import encode_texts, number_cells, show_cell
from app.services.ingest.ds import DsReader
from app.services.ingest.kinds import CovariateKinds
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.ingest.spill import PartitionedRows
from app.services.series.ids import MISSING_IDS, is_series_id
from models.arrays import Floats, Ints
from models.calendar.iso import Mask
from models.calendar.timestamps import DAY, EARLIEST, LATEST

if TYPE_CHECKING:
    import pyarrow as pa

NAIVE = 1
"""flag of a time without an offset"""
DATE = 2
"""flag of a time that is a date alone"""
Flags = NDArray[np.uint8]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Intake:
    """A table that is read, and whose rows wait for those of the same series."""

    ids: list[str]
    """of the series; the code of one is its place"""
    rows: PartitionedRows
    """batches with the columns code int32, row int64, wall int64, offset int64, flags uint8, y float64, and c0, c1 …"""


class TableIntake:
    """Reads a table batch by batch."""

    def __init__(self, table: DataTable, kinds: CovariateKinds, options: ImportOptions, report: ImportReport) -> None:
        self._table = table
        self._kinds = kinds
        self._options = options
        self._report = report
        self._ds = DsReader(options.ds_format)
        self._codes: dict[str, int] = {}

    def read(self, rows: PartitionedRows) -> Intake:
        """Read the whole table into `rows`.

        Raises Invalid for what is no table, and where many rows of an import that is to be whole are bad.
        """
        for batch in self._table.batches:
            self._report.rows += batch.count
            self._report.reject(batch.errors)
            if len(batch.rows):
                rows.add(self._read_batch(batch))
            self._report.stop_early()
        self._kinds.decide()
        self._report.guesses += [*self._table.guesses, *self._ds.guesses]
        return Intake(list(self._codes), rows)

    def _read_batch(self, batch: TableBatch) -> "pa.RecordBatch":
        """Return the good rows of a batch; the others are rejected."""
        import pyarrow as pa

        code, good = self._encode_ids(batch)
        wall, offset, flags = self._read_ds(batch, good)
        y = self._read_y(batch, good)
        for name, column in zip(self._table.covariates, batch.covariates, strict=True):
            self._kinds.count(name, column)
        columns = {"code": code, "row": batch.rows, "wall": wall, "offset": offset, "flags": flags, "y": y}
        arrays = [*(pa.array(column) for column in columns.values()), *batch.covariates]
        rows = pa.RecordBatch.from_arrays(arrays, [*columns, *name_covariates(len(batch.covariates))])
        return rows if good.all() else rows.filter(pa.array(good))

    def _encode_ids(self, batch: TableBatch) -> tuple[Codes, Mask]:
        """Return the codes (N,) of the rows' series, and which rows (N,) have one; the others are rejected."""
        texts, index = encode_texts(batch.unique_id)
        code = np.array([self._encode_id(text) for text in texts], np.int32)[index]
        wrong = np.flatnonzero(code < 0)

        def explain(i: int) -> RowError:
            detail = _explain_id(texts[index[wrong[i]]])
            return RowError(int(batch.rows[wrong[i]]), ErrorCode.invalid_series_id, detail)

        self._report.reject_rows(len(wrong), explain)
        return code, code >= 0

    def _encode_id(self, text: str) -> int:
        """Return the code of a series' id, -1 where it is none."""
        series_id = text.strip()
        if series_id.lower() in MISSING_IDS or not is_series_id(series_id):
            return -1
        return self._codes.setdefault(series_id, len(self._codes))

    def _read_ds(self, batch: TableBatch, good: Mask) -> tuple[Ints, Ints, Flags]:
        """Return wall times or integer steps (N,), offsets (N,) and flags (N,); rows without a time are rejected."""
        if self._options.ds_start is not None:
            return self._read_steps(batch, good)
        times = self._ds.read(batch.ds)
        utc = times.wall - times.offset
        readable = times.readable & (utc >= EARLIEST - DAY) & (utc < LATEST + DAY)
        wrong = np.flatnonzero(~readable & good)

        def explain(i: int) -> RowError:
            code, detail = self._ds.explain(show_cell(batch.ds, int(wrong[i])))
            return RowError(int(batch.rows[wrong[i]]), code, detail)

        self._report.reject_rows(len(wrong), explain)
        good &= readable
        flags = np.where(times.naive, NAIVE, 0) + np.where(times.dates, DATE, 0)
        return times.wall, times.offset, flags.astype(np.uint8)

    def _read_steps(self, batch: TableBatch, good: Mask) -> tuple[Ints, Ints, Flags]:
        steps, readable = read_steps(batch.ds)
        wrong = np.flatnonzero(~readable & good)

        def explain(i: int) -> RowError:
            cell = show_cell(batch.ds, int(wrong[i]))
            detail = f"{cell[:60]!r} is not an integer step to a year from 1000 to 8999, which ds_start asks for"
            return RowError(int(batch.rows[wrong[i]]), ErrorCode.invalid_timestamp, detail)

        self._report.reject_rows(len(wrong), explain)
        good &= readable
        return steps, np.zeros(len(steps), np.int64), np.full(len(steps), NAIVE, np.uint8)

    def _read_y(self, batch: TableBatch, good: Mask) -> Floats:
        """Return the targets (N,), NaN where missing; rows with a cell that is no number are rejected."""
        cells = batch.y
        if cells is None:
            return np.full(len(batch.rows), np.nan)
        numbers, not_numbers = number_cells(cells)
        wrong = not_numbers[good[not_numbers]]

        def explain(i: int) -> RowError:
            position = int(wrong[i])
            column = show_cell(batch.unique_id, position)[:SHOWN] if self._table.layout == "wide" else "y"
            detail = f"{column}: {explain_number(show_cell(cells, position))}"
            return RowError(int(batch.rows[wrong[i]]), ErrorCode.invalid_value, detail)

        self._report.reject_rows(len(wrong), explain)
        good[wrong] = False
        return numbers


def name_covariates(count: int) -> list[str]:
    """Return the names that the columns of covariates have while the rows wait."""
    return [f"c{i}" for i in range(count)]


def read_steps(cells: "pa.Array") -> tuple[Ints, Mask]:
    """Return the integers (N,) of cells, 0 where there is none, and which of them (N,) are such."""
    import pyarrow as pa

    if pa.types.is_integer(cells.type):
        return cells.cast(pa.int64()).fill_null(0).to_numpy(), cells.is_valid().to_numpy(zero_copy_only=False)
    texts, index = encode_texts(cells)
    distinct = [_read_step(text) for text in texts]
    steps = np.array([step or 0 for step in distinct], np.int64)
    return steps[index], np.array([step is not None for step in distinct], np.bool_)[index]


def _read_step(text: str) -> int | None:
    stripped = text.strip()
    return int(stripped) if stripped.removeprefix("-").isdecimal() and len(stripped) < 12 else None


def _explain_id(text: str) -> str:
    """Return why a cell names no series."""
    stripped = text.strip()
    if stripped.lower() in MISSING_IDS:
        seen = f"is {stripped!r}" if stripped else "is empty"
        return f"unique_id {seen}, which is how a missing id is written; give the row the id of its series"
    return f"{stripped[:60]!r} cannot be a series id"
