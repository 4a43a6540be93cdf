"""Tables of many series: `unique_id, ds, y`, and any other column is a covariate; without y these alone.

A table is walked over three times. `intake` reads its cells; `checking` looks at the rows of each series, in a snapshot
of the database; only when nothing is left to refuse does `writing` begin, in one short transaction after another. So
what is refused changes nothing. What a crash interrupts has written whole rows, and the same call writes the others.
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.formats.reading import open_table
from app.formats.table import DataTable
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once, respond_to_long
from app.services.ingest.checking import CheckedTable, TableCheck
from app.services.ingest.intake import TableIntake
from app.services.ingest.kinds import CovariateKinds
from app.services.ingest.options import TableUpload
from app.services.ingest.plans import SeriesPlan
from app.services.ingest.report import NAMED, ImportOptions, ImportReport
from app.services.ingest.spill import PartitionedRows, Spill
from app.services.ingest.writing import MOST_VALUES, PAUSE, Chunk, ChunkWriter, cut_chunks
from app.services.series.ids import check_frequency, check_timezone
from app.storage.covariates import get_covariates
from app.storage.engine import Database


class ImportService:
    """What POST /series/import means, and POST /observations with a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(
        self, scope: Scope, upload: TableUpload, options: ImportOptions, key: Idempotency | None
    ) -> ServiceResponse:
        """Import a table: whole, or with `on_error="skip"` less the rows that it names; series are made as needed.

        Raises Invalid, which names the first bad rows, and then nothing was changed; and Conflict where others
        change the same series in the meantime.
        """
        if options.dry_run:
            key = None

        def import_all() -> ServiceResponse:
            with ExitStack() as stack:
                run = self._check(scope, upload, options, stack, creates=True)
                if options.dry_run:
                    return ServiceResponse(200, run.report.body())
                return self._write(run, key)

        return respond_to_long(self._database, scope, key, import_all)

    def upsert(
        self, scope: Scope, upload: TableUpload, options: ImportOptions, key: Idempotency | None
    ) -> ServiceResponse:
        """Write a table of series that exist, in one transaction. Raises as `run` does."""
        return respond_to_long(self._database, scope, key, lambda: self._upsert(scope, upload, options, key))

    def _upsert(
        self, scope: Scope, upload: TableUpload, options: ImportOptions, key: Idempotency | None
    ) -> ServiceResponse:
        with ExitStack() as stack:
            run = self._check(scope, upload, options, stack, creates=False)
            chunk = next(cut_chunks(run.checked, None), None)

            def write(session: Session) -> ServiceResponse:
                written = [] if chunk is None else run.writer.write(session, chunk.batch)
                counts = {
                    w.row.id: {"inserted": w.inserted, "updated": w.updated, "version": w.row.version} for w in written
                }
                return ServiceResponse(200, {"series": counts})

            return respond_once(self._database, scope, key, write, is_held=True)

    def _check(
        self, scope: Scope, upload: TableUpload, options: ImportOptions, stack: ExitStack, *, creates: bool
    ) -> "_Run":
        """Read and check a table; what waits for its turn is closed with `stack`. Raises Invalid."""
        if options.freq is not None:
            check_frequency(options.freq)
        if options.timezone is not None:
            check_timezone(options.timezone)
        report = ImportReport(abort=options.on_error == "abort", guesses=list(upload.guesses))
        table = open_table(upload.file, upload.format, upload.options)
        rows = PartitionedRows()
        stack.callback(rows.close)
        checked = CheckedTable({}, Spill())
        stack.callback(checked.spill.close)
        keep = options.keeps_stored(has_covariates=bool(table.covariates))
        with self._database.read() as session:
            stored = get_covariates(session, scope, table.covariates)
        kinds = CovariateKinds(table.covariates, stored, has_types=table.has_types)
        intake = TableIntake(table, kinds, options, report).read(rows)
        with self._database.read() as session:
            unknown = _explain_unknown(has_y=table.has_y, creates=creates)
            TableCheck(session, scope, intake, kinds, options, report, unknown=unknown, keep=keep).run(checked)
        rows.close()
        report.stop()
        report.covariates = kinds.reports
        _name_series(list(checked.plans.values()), report)
        keep_y = keep or not table.has_y
        return _Run(table, checked, report, ChunkWriter(scope, checked, kinds, keep_y=keep_y, keep=keep), scope)

    def _write(self, run: "_Run", key: Idempotency | None) -> ServiceResponse:
        """Write chunk by chunk; the last transaction stores the response too."""
        rows = MOST_VALUES[self._database.dialect] // (1 + len(run.table.covariates))
        pause = PAUSE[self._database.dialect]
        response = None
        free_since = -pause
        for chunk in cut_chunks(run.checked, rows):
            step = _Step(run, chunk)
            time.sleep(max(0.0, free_since + pause - time.monotonic()))
            if chunk.is_last:
                response = respond_once(self._database, run.scope, key, step.finish, is_held=True)
            else:
                run.report.add(*self._database.write_with_retry(step.write))
                free_since = time.monotonic()
        if response is None:  # there is nothing to write
            body = run.report.body()
            response = respond_once(self._database, run.scope, key, lambda _: ServiceResponse(200, body), is_held=True)
        return response


@dataclass(frozen=True)
class _Run:
    """A table that may be written."""

    table: DataTable
    checked: CheckedTable
    report: ImportReport
    writer: ChunkWriter
    scope: Scope


@dataclass(frozen=True)
class _Step:
    """One transaction of an import; it may run again where it loses a race."""

    run: _Run
    chunk: Chunk

    def write(self, session: Session) -> tuple[int, int]:
        """Write the rows; return how many were inserted and how many were there already."""
        written = self.run.writer.write(session, self.chunk.batch)
        return sum(w.inserted for w in written), sum(w.updated for w in written)

    def finish(self, session: Session) -> ServiceResponse:
        """Write the rows, and return the response to the whole import."""
        report = replace(self.run.report)
        report.add(*self.write(session))
        return ServiceResponse(200, report.body())


def _name_series(plans: Sequence[SeriesPlan], report: ImportReport) -> None:
    report.series = len(plans)
    report.ids = [plan.id for plan in plans[:NAMED]]
    report.grids = Counter((plan.freq, plan.timezone) for plan in plans if plan.pk is None)


def _explain_unknown(*, has_y: bool, creates: bool) -> str | None:
    """Return why series that do not exist are not made, as the end of a sentence; None where they are."""
    if not creates:
        return (
            "this call writes series that exist; make it first (POST /series), or send the table to POST /series/import"
        )
    if has_y:
        return None
    return (
        "a table without the column y writes covariates of stored series alone; "
        "if one of its columns is the target, name that y, else make the series first (POST /series)"
    )
