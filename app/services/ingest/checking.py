"""The second walk over a table, series by series: what its rows say is checked against the database, which stays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode, RowError
from app.scope import Scope
from app.services.ingest.cells import Values, find_runs
from app.services.ingest.duplicates import merge_duplicates
from app.services.ingest.intake import DATE, NAIVE, Intake, name_covariates
from app.services.ingest.kinds import CovariateKinds
from app.services.ingest.placement import Placer
from app.services.ingest.plans import SeriesPlan, shows_no_frequency
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.ingest.spill import Spill
from app.storage import series
from app.storage.bulk_read import load_points
from models.arrays import Ints, find_missing
from models.calendar.iso import Mask, WrittenTimes
from models.calendar.timestamps import Stamps

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 50_000
"""rows that are read back at once"""


@dataclass
class CheckedTable:
    """Rows that may be written, in parts that ascend by the ids of their series and by time."""

    plans: dict[int, SeriesPlan]
    """by the code of the series"""
    spill: Spill
    """batches with the columns code int32, ts int64, y float64, and c0, c1 … as float64 or string"""
    parts: int = 0

    def read(self) -> "Iterator[pa.RecordBatch]":
        """Yield the rows."""
        for part in range(self.parts):
            yield from self.spill.load(part)


@dataclass(frozen=True)
class _Rows:
    """Rows in columns, those of one series after those of another."""

    code: NDArray[np.int32]
    row: Ints
    times: WrittenTimes
    columns: list[Values]
    """y and the covariates"""

    def select(self, rows: slice | Ints) -> "_Rows":
        """Return some rows: those of a slice as views, those at positions as copies."""
        columns = [column[rows] for column in self.columns]
        return _Rows(self.code[rows], self.row[rows], self.times.select(rows), columns)


@dataclass
class _Good:
    """What is right of some rows."""

    code: list[NDArray[np.int32]] = field(default_factory=list)
    stamps: list[Stamps] = field(default_factory=list)
    columns: list[list[Values]] = field(default_factory=list)

    def add(self, rows: _Rows, stamps: Stamps, chosen: Ints | None) -> None:
        """Add the chosen rows of a series, None for all."""
        if chosen is None:
            self.code.append(rows.code)
            self.stamps.append(stamps)
            self.columns.append(rows.columns)
        else:
            self.code.append(rows.code[chosen])
            self.stamps.append(stamps[chosen])
            self.columns.append([column[chosen] for column in rows.columns])


class TableCheck:
    """Checks the rows of a table that was read."""

    def __init__(
        self,
        session: Session,
        scope: Scope,
        intake: Intake,
        kinds: CovariateKinds,
        options: ImportOptions,
        report: ImportReport,
        *,
        unknown: str | None,
        keep: bool,
    ) -> None:
        self._session = session
        self._scope = scope
        self._intake = intake
        self._kinds = kinds
        self._options = options
        self._report = report
        self._unknown = unknown
        """why series that do not exist are not made, and what to do; None where they are"""
        self._keep = keep
        """whether a missing value leaves what is stored"""
        self._placer = Placer(options, report)
        self._stored: dict[str, SeriesPlan] = {}
        self._late: list[_Rows] = []
        """the rows of series that show no frequency, and take that of the others"""

    def run(self, checked: CheckedTable) -> None:
        """Check everything, and put what may be written into `checked`.

        Raises Invalid where many rows of an import that is to be whole are bad, and for a bad `ds_start`.
        """
        ids = self._intake.ids
        for row in series.get_many(self._session, self._scope, ids).values():
            self._stored[row.id] = SeriesPlan(row.id, row.freq, row.timezone, row.anchor, row.pk, row.count)
        ranks = np.empty(len(ids), np.int64)
        ranks[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
        for batches in self._intake.rows.read():
            good = _Good()
            for rows in self._split(self._load(batches), ranks):
                self._check(rows, checked, good, late=False)
            self._keep_good(good, checked)
            self._report.stop_early()
        good = _Good()
        for rows in self._late:
            self._check(rows, checked, good, late=True)
        self._keep_good(good, checked)

    def _load(self, batches: "Sequence[pa.RecordBatch]") -> tuple[_Rows, Mask]:
        """Return the rows of a partition, and which of them have no cell of a wrong kind."""

        def join(name: str) -> NDArray[np.int64]:
            return np.concatenate([batch.column(name).to_numpy(zero_copy_only=False) for batch in batches])

        row = join("row")
        good = np.ones(len(row), np.bool_)
        columns: list[Values] = [join("y")]
        for name, column in zip(self._kinds.reports, name_covariates(len(self._kinds.reports)), strict=True):
            columns.append(self._kinds.read(name, [b.column(column) for b in batches], row, self._report, good))
        flags = join("flags")
        wall = join("wall")
        readable = np.ones(len(wall), np.bool_)
        times = WrittenTimes(wall, join("offset"), readable, (flags & NAIVE) > 0, (flags & DATE) > 0)
        return _Rows(join("code").astype(np.int32), row, times, columns), good

    def _split(self, loaded: tuple[_Rows, Mask], ranks: Ints) -> Iterator[_Rows]:
        """Yield the rows of each series, in the order of the ids."""
        rows, good = loaded
        rank = ranks[rows.code]
        order = np.argsort(rank, kind="stable")
        order = order[good[order]]
        if not len(order):
            return
        ordered = rows.select(order)
        for start, end in find_runs(ordered.code):
            yield ordered.select(slice(start, end))

    def _check(self, rows: _Rows, checked: CheckedTable, good: _Good, *, late: bool) -> None:
        """Check the rows of one series, and add the right ones to `good`."""
        code = int(rows.code[0])
        series_id = self._intake.ids[code]
        stored = self._stored.get(series_id)
        if stored is None and self._unknown is not None:
            self._reject_unknown(series_id, rows.row, self._unknown)
            return
        is_short = stored is None and self._options.freq is None and shows_no_frequency(rows.times)
        if is_short and not late:
            self._late.append(rows.select(np.arange(len(rows.row))))  # not views, which keep the partition
            return
        placement = self._placer.place(series_id, stored, rows.row, rows.times)
        if placement is None:
            return
        chosen = None
        if placement.good is not None:
            chosen = self._merge(rows, placement.stamps, np.flatnonzero(placement.good))
            if not len(chosen):
                return
        checked.plans[code] = placement.plan
        good.add(rows, placement.stamps, chosen)

    def _reject_unknown(self, series_id: str, rows: Ints, why: str) -> None:
        detail = f"there is no series {series_id!r}, and {why}"
        self._report.reject_rows(len(rows), lambda i: RowError(int(rows[i]), ErrorCode.series_not_found, detail))

    def _merge(self, rows: _Rows, stamps: Stamps, good: Ints) -> Ints:
        """Return the positions of the rows to write, ascending by time and one a timestamp."""
        chosen = merge_duplicates(good, stamps, rows.columns, rows.row, self._options, self._report, keep=self._keep)
        return chosen[np.argsort(stamps[chosen], kind="stable")]

    def _count(self, plans: dict[int, SeriesPlan], code: NDArray[np.int32], stamps: Stamps) -> None:
        """Count what a dry run would write of series, the rows of each of which ascend."""
        for start, end in find_runs(code):
            plan = plans[int(code[start])]
            ts = stamps[start:end]
            updated = 0
            if plan.pk is not None and plan.count:
                stored = load_points(self._session, {plan.pk: (int(ts[0]), int(ts[-1]))})[plan.pk]
                updated = int(np.isin(ts, stored.ts, assume_unique=True).sum())
            self._report.add(len(ts) - updated, updated)

    def _keep_good(self, good: _Good, checked: CheckedTable) -> None:
        """Put rows into `checked`, in pieces."""
        import pyarrow as pa

        if not good.code:
            return
        columns = [np.concatenate(parts) for parts in zip(*good.columns, strict=True)]
        for name, column in zip(self._kinds.reports, columns[1:], strict=True):
            self._kinds.reports[name].values += int((~find_missing(column)).sum())
        code = np.concatenate(good.code)
        stamps = np.concatenate(good.stamps)
        if self._options.dry_run:
            self._count(checked.plans, code, stamps)
            return
        arrays = [
            pa.array(code),
            pa.array(stamps),
            *(pa.array(column, pa.float64() if column.dtype == np.float64 else pa.string()) for column in columns),
        ]
        names = ["code", "ts", "y", *name_covariates(len(columns) - 1)]
        batch = pa.RecordBatch.from_arrays(arrays, names)
        for at in range(0, len(batch), PIECE):
            checked.spill.add(checked.parts, batch.slice(at, PIECE))
        checked.parts += 1
