"""Bulk import of a long table: `unique_id, ds, y`, and any other column is a covariate."""

from dataclasses import replace
from typing import IO

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Invalid, RowError
from app.formats.csv import read_csv
from app.formats.table import Block, LongTable, convert_column, is_numeric, parse_number
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.checks import check_stamps, find_repeated, write_covariates, write_points
from app.services.series.ids import check_frequency, check_timezone, is_series_id
from app.storage import observations, series
from app.storage.engine import Database
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.infer_frequency import infer_frequency
from models.calendar.timestamps import EARLIEST, LATEST, Stamps, parse_stamps, read_stamps
from models.errors import FrequencyError, OffGridError, TimestampError


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
        check_timezone(options.timezone)
        reading = ImportReport(abort=options.on_error == "abort")
        table = read_csv(lines)
        blocks = _collect_blocks(table, reading)  # before the transaction: reading holds no lock
        report = reading

        def import_blocks(session: Session) -> ServiceResponse:
            nonlocal report
            report = replace(reading, errors=list(reading.errors))  # a transaction may be tried again
            numeric = _find_numeric(session, scope, table.covariates, blocks)
            for series_id in sorted(blocks):
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
    timezone = options.timezone if row is None else row.timezone
    stamps, y, errors = _parse(block, timezone, options)
    errors += _check_numeric(block, numeric)
    report.reject(errors)
    good = ~np.isin(rows, [error.row for error in errors])
    if row is None and good.any():
        row = _add_series(session, scope, series_id, stamps[good], rows[good], timezone, options, report)
    if row is None or not _has_frequency(row, rows[good], options, report):
        return
    off_grid = check_stamps(row, stamps[good], rows[good])
    report.reject(off_grid)
    good &= ~np.isin(rows, [error.row for error in off_grid])
    written = _drop_duplicates(np.flatnonzero(good), stamps, y, rows, options, report)
    inserted, updated = write_points(session, row, stamps[written], y[written])
    columns = zip(numeric.items(), block.covariates, strict=True)
    values = {name: convert_column([c[i] for i in written], numeric=kind) for (name, kind), c in columns}
    write_covariates(session, scope, row, stamps[written], values)
    if len(written):
        series.bump_version(session, row)
        report.series += 1
    report.inserted += inserted
    report.updated += updated


def _find_numeric(session: Session, scope: Scope, names: list[str], blocks: dict[str, Block]) -> dict[str, bool]:
    """Return {covariate: whether it is numeric}: as the project knows it, and by all of its cells where it is new."""
    stored = observations.get_covariates(session, scope, names)
    numeric = {}
    for i, name in enumerate(names):
        if name in stored:
            numeric[name] = stored[name].kind == "numeric"
        else:
            numeric[name] = all(is_numeric(block.covariates[i]) for block in blocks.values())
    return numeric


def _check_numeric(block: Block, numeric: dict[str, bool]) -> list[RowError]:
    """Return the rows with text in the column of a numeric covariate."""
    errors = []
    for (name, is_number), column in zip(numeric.items(), block.covariates, strict=True):
        for i, cell in enumerate(column if is_number else []):
            if parse_number(cell) is None:
                detail = f"the covariate {name!r} is numeric, and {cell[:60]!r} is not a number"
                errors.append(RowError(block.rows[i], ErrorCode.covariate_kind_conflict, detail))
    return errors


def _add_series(
    session: Session,
    scope: Scope,
    series_id: str,
    stamps: Stamps,
    rows: Ints,
    timezone: str,
    options: ImportOptions,
    report: ImportReport,
) -> SeriesRow | None:
    """Make a series that the table brings; None, and its rows rejected, where it shows no frequency."""
    try:
        freq = check_frequency(options.freq or infer_frequency(np.unique(stamps), timezone).alias)
    except FrequencyError as e:
        report.reject(RowError(r, ErrorCode.invalid_frequency, str(e)) for r in rows.tolist())
        return None
    fields = {"id": series_id, "freq": freq, "timezone": timezone, "labels": {}, "static": {}}
    return series.add(session, scope, [fields])[0]


def _has_frequency(row: SeriesRow, rows: Ints, options: ImportOptions, report: ImportReport) -> bool:
    """Say whether a series has the frequency that was asked for; its rows are rejected where not."""
    if options.freq is None or parse_frequency(options.freq).alias == row.freq:
        return True
    detail = f"the series {row.id!r} exists with frequency {row.freq!r}"
    report.reject(RowError(r, ErrorCode.frequency_mismatch, detail) for r in rows.tolist())
    return False


def _parse(block: Block, timezone: str, options: ImportOptions) -> tuple[Ints, Floats, list[RowError]]:
    """Return UTC microseconds (N,), values (N,), and the errors of rows of which either cannot be read."""
    stamps, errors = _parse_ds(block, timezone, options)
    y = np.full(len(block.y), np.nan)
    for i, text in enumerate(block.y):
        value = parse_number(text)
        if value is None:
            detail = f"{text[:60]!r} is not a finite number; leave the cell empty where a value is missing"
            errors.append(RowError(block.rows[i], ErrorCode.invalid_value, detail))
        else:
            y[i] = value
    return stamps, y, errors


def _parse_ds(block: Block, timezone: str, options: ImportOptions) -> tuple[Stamps, list[RowError]]:
    if options.ds_start is None:
        stamps, unreadable = read_stamps(block.ds, timezone)
        return stamps, [RowError(block.rows[e.row], e.code, e.detail) for e in unreadable]
    if options.freq is None:
        raise Invalid(ErrorCode.invalid_frequency, "ds_start maps integer steps to times, which needs freq= as well")
    frequency = parse_frequency(options.freq)
    try:
        grid = Grid(frequency, timezone, int(parse_stamps([options.ds_start], timezone)[0]))
    except (TimestampError, OffGridError) as e:
        raise Invalid(ErrorCode.invalid_timestamp, f"ds_start: {e.detail}") from e
    steps = np.zeros(len(block.ds), np.int64)
    errors = []
    for i, text in enumerate(block.ds):
        step = int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else None
        reached = None if step is None else grid.anchor + step * frequency.approximate_us
        if reached is None or not EARLIEST <= reached < LATEST:
            detail = f"{text[:60]!r} is not an integer step to a year from 1000 to 8999, which ds_start asks for"
            errors.append(RowError(block.rows[i], ErrorCode.invalid_timestamp, detail))
        else:
            steps[i] = step or 0
    try:
        return grid.stamps(steps), errors
    except OffGridError as e:
        raise Invalid(ErrorCode.off_grid, f"ds: {e.detail}") from e


def _drop_duplicates(
    good: Ints,
    stamps: Stamps,
    y: Floats,
    rows: Ints,
    options: ImportOptions,
    report: ImportReport,
) -> Ints:
    """Return the positions (M,) to write, one a timestamp; `y` takes the mean in place where that is asked for."""
    again = find_repeated(stamps[good], rows[good])
    if not len(again):
        return good
    if options.on_duplicate == "error":
        detail = "this timestamp stands in an earlier row"
        report.reject(RowError(r, ErrorCode.duplicate_timestamp, detail) for r in rows[good[again]].tolist())
        return np.delete(good, again)
    _, last = np.unique(stamps[good][::-1], return_index=True)
    kept = np.sort(good[::-1][last])
    if options.on_duplicate == "mean":
        y[kept] = _average(stamps[good], y[good], stamps[kept])
    return kept


def _average(stamps: Stamps, y: Floats, wanted: Stamps) -> Floats:
    """Return the mean of the observed y (N,) at each of the stamps `wanted` (M,); NaN where none is observed."""
    values, inverse = np.unique(stamps, return_inverse=True)
    seen = ~np.isnan(y)
    total = np.bincount(inverse[seen], y[seen], len(values))
    counts = np.bincount(inverse[seen], minlength=len(values))
    means = np.divide(total, counts, out=np.full(len(values), np.nan), where=counts > 0)
    averages: Floats = means[np.searchsorted(values, wanted)]
    return averages
