"""Bulk import of a long table: `unique_id, ds, y`, and any other column is a covariate; without y these alone."""

from dataclasses import dataclass, replace
from typing import IO

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, RowError
from app.formats.csv import read_csv
from app.formats.table import Block, LongTable
from app.formats.text import open_text
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.ingest.blocks import collect_blocks
from app.services.ingest.columns import (
    BlockValues,
    find_kinds,
    list_values,
    merge_duplicates,
    read_block,
)
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.ingest.timestamps import add_series, check_grid, has_frequency, parse_ds, shows_no_frequency
from app.services.series.checks import write_points
from app.services.series.covariates import write_covariates
from app.services.series.ids import check_frequency, check_timezone
from app.storage import series
from app.storage.engine import Database
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.calendar.timestamps import Stamps


class _DryRun(Exception):
    """Rolls a transaction back whose report was asked for, not its effect."""


class ImportService:
    """What POST /series/import means."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, scope: Scope, file: IO[bytes], options: ImportOptions, key: Idempotency | None) -> ServiceResponse:
        """Import a CSV in one transaction: whole, or with `on_error="skip"` less the rows that it names.

        Raises Invalid, which names the first bad rows; then nothing was changed.
        """
        if options.freq is not None:
            check_frequency(options.freq)
        if options.timezone is not None:
            check_timezone(options.timezone)
        reading = ImportReport(abort=options.on_error == "abort")
        with open_text(file) as lines:
            table = read_csv(lines)
            blocks = collect_blocks(table, reading)  # before the transaction: reading holds no lock
        report = reading

        def import_blocks(session: Session) -> ServiceResponse:
            nonlocal report
            # a transaction may be tried again
            report = replace(reading, errors=list(reading.errors), frequencies=set(), assumed={})
            report.covariates = find_kinds(session, scope, table.covariates, blocks)
            run = _TableImport(session, scope, table, options, report)
            # those that show a frequency first: the others may take it
            for series_id in sorted(blocks, key=lambda i: (options.freq is None and shows_no_frequency(blocks[i]), i)):
                _import_series(run, series_id, blocks[series_id])
            if options.dry_run:
                raise _DryRun
            return ServiceResponse(200, report.body())

        try:
            return respond_once(self._database, scope, None if options.dry_run else key, import_blocks)
        except _DryRun:
            return ServiceResponse(200, report.body())


@dataclass(frozen=True)
class _TableImport:
    """What the import of each series of a table needs."""

    session: Session
    scope: Scope
    table: LongTable
    options: ImportOptions
    report: ImportReport

    @property
    def keeps_stored(self) -> bool:
        """Whether an empty cell leaves what is stored."""
        return self.options.keeps_stored(has_covariates=bool(self.table.covariates))


def _import_series(run: _TableImport, series_id: str, block: Block) -> None:
    """Check one series' rows and write the good ones."""
    session, options, report = run.session, run.options, run.report
    row = series.get(session, run.scope, series_id, lock=True)
    rows = np.array(block.rows)
    if row is None and not run.table.has_y:
        report.reject(RowError(r, ErrorCode.series_not_found, _explain_unknown(series_id)) for r in block.rows)
        return
    ds = parse_ds(block, row, options)
    stamps = ds.stamps
    values, not_values = read_block(block, report.covariates)
    errors = ds.errors + not_values
    report.reject(errors)
    good = ~np.isin(rows, [error.row for error in errors])
    is_new = row is None
    if row is None and good.any():
        row = add_series(session, run.scope, series_id, ds.select(good), rows[good], options, report)
    if row is None or not has_frequency(row, rows[good], options, report):
        return
    off_grid = check_grid(row, ds.select(good), rows[good], options)
    report.reject(off_grid)
    good &= ~np.isin(rows, [error.row for error in off_grid])
    if is_new and not good.any():
        series.remove(session, run.scope, series_id)  # its frequency suits none of its rows
        return
    keep = run.keeps_stored
    written = merge_duplicates(np.flatnonzero(good), stamps, values, rows, options, report, keep=keep)
    _write(run, row, stamps, values, written)


def _write(run: _TableImport, row: SeriesRow, stamps: Stamps, values: BlockValues, written: Ints) -> None:
    """Write the rows at the positions `written` of a locked series."""
    if not len(written):
        return
    session, report = run.session, run.report
    keep_y = run.keeps_stored or not run.table.has_y
    inserted, updated = write_points(session, row, stamps[written], values.y[written], keep=keep_y)
    columns = {name: list_values(column[written]) for name, column in values.covariates.items()}
    write_covariates(session, run.scope, row, stamps[written], columns, keep=run.keeps_stored)
    for name, column in columns.items():
        report.covariates[name].values += len(column) - column.count(None)
    series.bump_version(session, row)
    report.series += 1
    report.inserted += inserted
    report.updated += updated


def _explain_unknown(series_id: str) -> str:
    return (
        f"there is no series {series_id!r}, and a table without the column y writes covariates of stored series alone; "
        "if one of its columns is the target, name that y, else make the series first (POST /series)"
    )
