"""Bulk import of a long table: `unique_id, ds, y`, and any other column is a covariate."""

from dataclasses import replace
from typing import IO

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, RowError
from app.formats.csv import read_csv
from app.formats.table import Block, LongTable, convert_column
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.ingest.columns import check_numeric, drop_duplicates, find_numeric, parse_y
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.ingest.timestamps import add_series, check_grid, has_frequency, parse_ds, shows_no_frequency
from app.services.series.checks import write_points
from app.services.series.covariates import write_covariates
from app.services.series.ids import check_frequency, check_timezone, is_series_id
from app.storage import series
from app.storage.engine import Database


class _DryRun(Exception):
    """Rolls a transaction back whose report was asked for, not its effect."""


class ImportService:
    """What POST /series/import means."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, scope: Scope, lines: IO[str], options: ImportOptions, key: Idempotency | None) -> ServiceResponse:
        """Import a CSV in one transaction: whole, or with `on_error="skip"` less the rows that it names.

        Raises Invalid, which names the first bad rows; then nothing was changed.
        """
        if options.freq is not None:
            check_frequency(options.freq)
        if options.timezone is not None:
            check_timezone(options.timezone)
        reading = ImportReport(abort=options.on_error == "abort")
        table = read_csv(lines)
        blocks = _collect_blocks(table, reading)  # before the transaction: reading holds no lock
        report = reading

        def import_blocks(session: Session) -> ServiceResponse:
            nonlocal report
            # a transaction may be tried again
            report = replace(reading, errors=list(reading.errors), frequencies=set(), assumed={})
            numeric = find_numeric(session, scope, table.covariates, blocks)
            # those that show a frequency first: the others may take it
            for series_id in sorted(blocks, key=lambda i: (options.freq is None and shows_no_frequency(blocks[i]), i)):
                _import_series(session, scope, series_id, blocks[series_id], numeric, options, report)
            if options.dry_run:
                raise _DryRun
            return ServiceResponse(200, report.body())

        try:
            return respond_once(self._database, scope, None if options.dry_run else key, import_blocks)
        except _DryRun:
            return ServiceResponse(200, report.body())


def _collect_blocks(table: LongTable, report: ImportReport) -> dict[str, Block]:
    """Return a block by series id; rows that do not fit the table, or that no series may have, are rejected."""
    blocks: dict[str, Block] = {}
    for row in table.rows:
        report.rows += 1
        if isinstance(row, RowError):
            report.reject([row])
            continue
        block = blocks.get(row.series_id)
        if block is None:
            block = blocks[row.series_id] = Block(covariates=[[] for _ in table.covariates])
        block.add(row)
    for series_id in [i for i in blocks if not is_series_id(i)]:
        detail = f"{series_id[:60]!r} cannot be a series id"
        report.reject([RowError(r, ErrorCode.invalid_series_id, detail) for r in blocks.pop(series_id).rows])
    return blocks


def _import_series(
    session: Session,
    scope: Scope,
    series_id: str,
    block: Block,
    numeric: dict[str, bool],
    options: ImportOptions,
    report: ImportReport,
) -> None:
    """Check one series' rows and write the good ones."""
    row = series.get(session, scope, series_id, lock=True)
    rows = np.array(block.rows)
    ds = parse_ds(block, row, options)
    stamps = ds.stamps
    errors = ds.errors
    y, not_numbers = parse_y(block)
    errors += not_numbers
    errors += check_numeric(block, numeric)
    report.reject(errors)
    good = ~np.isin(rows, [error.row for error in errors])
    is_new = row is None
    if row is None and good.any():
        row = add_series(session, scope, series_id, ds.select(good), rows[good], options, report)
    if row is None or not has_frequency(row, rows[good], options, report):
        return
    off_grid = check_grid(row, ds.select(good), rows[good], options)
    report.reject(off_grid)
    good &= ~np.isin(rows, [error.row for error in off_grid])
    if is_new and not good.any():
        series.remove(session, scope, series_id)  # its frequency suits none of its rows
        return
    written = drop_duplicates(np.flatnonzero(good), stamps, y, rows, options, report)
    inserted, updated = write_points(session, row, stamps[written], y[written])
    columns = zip(numeric.items(), block.covariates, strict=True)
    values = {name: convert_column([c[i] for i in written], numeric=kind) for (name, kind), c in columns}
    write_covariates(session, scope, row, stamps[written], values)
    if len(written):
        series.bump_version(session, row)
        report.series += 1
    report.inserted += inserted
    report.updated += updated
