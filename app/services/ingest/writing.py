"""The third walk over a table: what was checked is written, in transactions that hold no lock for long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode
from app.scope import Scope
from app.services.ingest.cells import find_runs
from app.services.ingest.checking import CheckedTable
from app.services.ingest.intake import name_covariates
from app.services.ingest.kinds import CovariateKinds
from app.services.ingest.plans import SeriesPlan
from app.services.ingest.report import CovariateReport
from app.services.quotas import hold_quota
from app.services.series.checks import check_stamps
from app.storage import series
from app.storage.bulk import BulkPoints, BulkValues, upsert_points, upsert_values
from app.storage.covariates import add_covariate, get_covariates
from app.storage.tables import Covariate, SeriesRow
from models.arrays import Ints

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = {"sqlite": 64_000, "postgresql": 500_000}
"""values that one transaction writes: on SQLite so many that its only writer is held for about a tenth of a second"""

PAUSE = {"sqlite": 0.02, "postgresql": 0.0}
"""seconds between two transactions, in which others may write: SQLite's writers ask again after 1 to 25 ms at first"""


@dataclass(frozen=True)
class Chunk:
    """Rows that one transaction writes, ascending by the ids of their series and by time."""

    batch: "pa.RecordBatch"
    is_last: bool


def cut_chunks(checked: CheckedTable, rows: int | None) -> Iterator[Chunk]:
    """Yield a table's rows in chunks of at most so many, None for all at once; none where there are no rows."""
    waiting = None
    for chunk in _gather(checked, rows):
        if waiting is not None:
            yield Chunk(waiting, is_last=False)
        waiting = chunk
    if waiting is not None:
        yield Chunk(waiting, is_last=True)


def _gather(checked: CheckedTable, rows: int | None) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    gathered: list[pa.RecordBatch] = []
    count = 0
    for batch in checked.read():
        at = 0
        while at < len(batch):
            room = len(batch) if rows is None else rows - count
            part = batch.slice(at, room)
            gathered.append(part)
            count += len(part)
            at += len(part)
            if rows is not None and count >= rows:
                yield pa.concat_batches(gathered)
                gathered = []
                count = 0
    if gathered:
        yield pa.concat_batches(gathered)


@dataclass(frozen=True)
class WrittenSeries:
    """What a chunk did to one series."""

    row: SeriesRow
    inserted: int
    updated: int


class ChunkWriter:
    """Writes chunks of a checked table."""

    def __init__(self, scope: Scope, checked: CheckedTable, kinds: CovariateKinds, *, keep_y: bool, keep: bool) -> None:
        self._scope = scope
        self._plans = checked.plans
        self._kinds = kinds
        self._keep_y = keep_y
        """whether a missing target leaves what is stored"""
        self._keep = keep
        """whether a missing value of a covariate does"""

    def write(self, session: Session, batch: "pa.RecordBatch") -> list[WrittenSeries]:
        """Write a chunk; return what was done to each series.

        Raises Conflict where a series or covariate has changed since the rows were checked.
        """
        code = batch.column("code").to_numpy()
        ts = batch.column("ts").to_numpy()
        runs = find_runs(code)
        codes = [int(code[start]) for start, _ in runs]
        rows = self._lock(session, codes)
        for number, (start, end) in zip(codes, runs, strict=True):
            self._check_plan(rows[number], self._plans[number], ts[start:end])
        counts = {number: rows[number].count for number in codes}
        keys = np.array([rows[number].pk for number in codes], np.int64)
        pk = np.repeat(keys, [end - start for start, end in runs])
        order = np.argsort(pk, kind="stable")
        ordered = sorted((rows[number] for number in codes), key=_get_pk)
        y = batch.column("y").to_numpy(zero_copy_only=False)
        upsert_points(session, ordered, BulkPoints(pk[order], ts[order], y[order]), keep=self._keep_y)
        self._write_covariates(session, batch, pk, ts, order)
        written = []
        for number, (start, end) in zip(codes, runs, strict=True):
            inserted = rows[number].count - counts[number]
            written.append(WrittenSeries(rows[number], inserted, end - start - inserted))
        new = sum(self._plans[number].pk is None for number in codes)
        hold_quota(session, self._scope, series=new, observations=sum(one.inserted for one in written))
        return written

    def _lock(self, session: Session, codes: Sequence[int]) -> dict[int, SeriesRow]:
        """Return the series, locked in the order of their ids; those that are new are made."""
        ids = [self._plans[code].id for code in codes]
        stored = series.get_many(session, self._scope, ids, lock=True)
        missing = [self._plans[code] for code in codes if self._plans[code].id not in stored]
        gone = next((plan for plan in missing if plan.pk is not None), None)
        if gone is not None:
            raise _conflict(f"the series {gone.id!r} was deleted")
        fields = [{"id": p.id, "freq": p.freq, "timezone": p.timezone, "labels": {}, "static": {}} for p in missing]
        if fields:
            series.insert_many(session, self._scope, fields)
            stored.update(series.get_many(session, self._scope, [plan.id for plan in missing]))
        return {code: stored[self._plans[code].id] for code in codes}

    def _check_plan(self, row: SeriesRow, plan: SeriesPlan, ts: Ints) -> None:
        """Give a series without observations its anchor, or check that it still is as it was when rows were checked."""
        if (row.freq, row.timezone) != (plan.freq, plan.timezone):
            raise _conflict(f"the series {row.id!r} was given another frequency or timezone")
        if row.anchor is None:
            row.anchor = plan.anchor
        elif row.anchor != plan.anchor and check_stamps(row, ts, np.arange(len(ts))):
            raise _conflict(f"the series {row.id!r} was given observations of another phase")

    def _write_covariates(self, session: Session, batch: "pa.RecordBatch", pk: Ints, ts: Ints, order: Ints) -> None:
        reports = self._kinds.reports
        if not reports:
            return
        stored = get_covariates(session, self._scope, sorted(reports), lock=True)
        columns = dict(zip(reports, name_covariates(len(reports)), strict=True))
        for name in sorted(reports):
            values = batch.column(columns[name]).to_numpy(zero_copy_only=False)
            covariate = self._find_covariate(session, name, reports[name], stored)
            if covariate is not None:
                upsert_values(session, covariate, BulkValues(pk[order], ts[order], values[order]), keep=self._keep)

    def _find_covariate(
        self, session: Session, name: str, report: CovariateReport, stored: dict[str, Covariate]
    ) -> Covariate | None:
        """Return a covariate, which is made where it is new; None where it is new and has no value."""
        covariate = stored.get(name)
        if covariate is None:
            if not report.values or report.kind is None:
                return None
            covariate = add_covariate(session, self._scope, name, report.kind)
        if report.values and covariate.kind != report.kind:
            raise _conflict(f"the covariate {name!r} was given the kind {covariate.kind!r}")
        return covariate


def _get_pk(row: SeriesRow) -> int:
    return row.pk


def _conflict(what: str) -> Conflict:
    detail = (
        f"{what} by another call while this one was running, so that only a part of the table is written; "
        "send it again, and the rest is written too"
    )
    return Conflict(ErrorCode.import_interrupted, detail)
