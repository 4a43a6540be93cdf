"""Bulk import of a long table: `unique_id, ds, y`, and any other column is a covariate."""

from dataclasses import replace
from typing import IO

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Invalid
from app.formats.csv import read_csv
from app.formats.table import Block, is_numeric, number, typed
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.ingest.report import ImportOptions, Report
from app.services.series.checks import RowProblem, check_stamps, find_repeated, write_covariates, write_points
from app.services.series.ids import check_frequency, check_timezone
from app.storage import observations, series
from app.storage.engine import Database
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.infer_frequency import infer_frequency
from models.calendar.timestamps import EARLIEST, LATEST, Stamps, parse_stamps, read_stamps
from models.errors import FrequencyError, OffGridError, TimestampError


class DryRun(Exception):
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
        report = table = Report(abort=options.on_error == "abort")
        covariates, blocks = read_csv(lines, table)  # before the transaction: reading holds no lock

        def make(session: Session) -> ServiceResponse:
            nonlocal report
            report = replace(table, problems=list(table.problems))
            numeric = _kinds(session, scope, covariates, blocks)
            for series_id in sorted(blocks):
                _import_series(session, scope, series_id, blocks[series_id], numeric, options, report)
            if options.dry_run:
                raise DryRun
            return ServiceResponse(200, report.body())

        try:
            return respond_once(self._database, scope, None if options.dry_run else key, make)
        except DryRun:
            return ServiceResponse(200, report.body())


def _import_series(
    session: Session,
    scope: Scope,
    series_id: str,
    block: Block,
    numeric: dict[str, bool],
    options: ImportOptions,
    report: Report,
) -> None:
    """Check one series' rows and write the good ones."""
    row = series.get(session, scope, series_id, lock=True)
    rows = np.array(block.rows)
    timezone = options.timezone if row is None else row.timezone
    stamps, y, problems = _parse(block, timezone, options)
    problems += _not_numbers(block, numeric)
    report.reject(problems)
    good = ~np.isin(rows, [p.row for p in problems])
    if row is None and good.any():
        row = _made(session, scope, series_id, stamps[good], rows[good], timezone, options, report)
    if row is None or not _same_frequency(row, rows[good], options, report):
        return
    off = check_stamps(row, stamps[good], rows[good])
    report.reject(off)
    good &= ~np.isin(rows, [p.row for p in off])
    places = _without_duplicates(np.flatnonzero(good), stamps, y, rows, options, report)
    inserted, updated = write_points(session, row, stamps[places], y[places])
    columns = zip(numeric.items(), block.covariates, strict=True)
    values = {name: typed([c[i] for i in places], numeric=kind) for (name, kind), c in columns}
    write_covariates(session, scope, row, stamps[places], values)
    if len(places):
        series.bump_version(session, row)
        report.series += 1
    report.inserted += inserted
    report.updated += updated


def _kinds(session: Session, scope: Scope, names: list[str], blocks: dict[str, Block]) -> dict[str, bool]:
    """Return {covariate: whether it is numeric}: as the project knows it, and by all of its cells where it is new."""
    known = observations.get_covariates(session, scope, names)
    numeric = {}
    for i, name in enumerate(names):
        cells_are = all(is_numeric(block.covariates[i]) for block in blocks.values())
        numeric[name] = known[name].kind == "numeric" if name in known else cells_are
    return numeric


def _not_numbers(block: Block, numeric: dict[str, bool]) -> list[RowProblem]:
    """Return the rows with text in the column of a numeric covariate."""
    problems = []
    for (name, is_number), column in zip(numeric.items(), block.covariates, strict=True):
        for i, cell in enumerate(column if is_number else []):
            if number(cell) is None:
                detail = f"the covariate {name!r} is numeric, and {cell[:60]!r} is no number"
                problems.append(RowProblem(block.rows[i], ErrorCode.covariate_kind_conflict, detail))
    return problems


def _made(
    session: Session,
    scope: Scope,
    series_id: str,
    stamps: Stamps,
    rows: Ints,
    timezone: str,
    options: ImportOptions,
    report: Report,
) -> SeriesRow | None:
    """Make a series that the table brings; None, and its rows rejected, where it shows no frequency."""
    try:
        freq = check_frequency(options.freq or infer_frequency(np.unique(stamps), timezone).alias)
    except FrequencyError as e:
        report.reject(RowProblem(r, ErrorCode.invalid_frequency, str(e)) for r in rows.tolist())
        return None
    fields = {"id": series_id, "freq": freq, "timezone": timezone, "labels": {}, "static": {}}
    return series.add(session, scope, [fields])[0]


def _same_frequency(row: SeriesRow, rows: Ints, options: ImportOptions, report: Report) -> bool:
    """Say whether a series has the frequency that was asked for; its rows are rejected where not."""
    if options.freq is None or parse_frequency(options.freq).alias == row.freq:
        return True
    detail = f"the series {row.id!r} exists with frequency {row.freq!r}"
    report.reject(RowProblem(r, ErrorCode.frequency_mismatch, detail) for r in rows.tolist())
    return False


def _parse(block: Block, timezone: str, options: ImportOptions) -> tuple[Ints, Floats, list[RowProblem]]:
    """Return stamps (N,), values (N,) and the rows of which one cannot be read."""
    stamps, unread = _read_ds(block.ds, timezone, options)
    problems = [RowProblem(block.rows[p.row], p.code, p.detail) for p in unread]
    y = np.full(len(block.y), np.nan)
    for i, text in enumerate(block.y):
        value = number(text)
        if value is None:
            detail = f"{text[:60]!r} is not a finite number; leave the cell empty where a value is missing"
            problems.append(RowProblem(block.rows[i], ErrorCode.invalid_value, detail))
        else:
            y[i] = value
    return stamps, y, problems


def _read_ds(ds: list[str], timezone: str, options: ImportOptions) -> tuple[Stamps, list[TimestampError]]:
    if options.ds_start is None:
        return read_stamps(ds, timezone)
    if options.freq is None:
        raise Invalid(ErrorCode.invalid_frequency, "ds_start maps integer steps to times, which needs freq= as well")
    frequency = parse_frequency(options.freq)
    try:
        grid = Grid(frequency, timezone, int(parse_stamps([options.ds_start], timezone)[0]))
    except (TimestampError, OffGridError) as e:
        raise Invalid(ErrorCode.invalid_timestamp, f"ds_start: {e.detail}") from e
    steps = np.zeros(len(ds), np.int64)
    problems = []
    for i, text in enumerate(ds):
        step = int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else None
        reached = None if step is None else grid.anchor + step * frequency.approximate_us
        if reached is None or not EARLIEST <= reached < LATEST:
            detail = f"{text[:60]!r} is not an integer step to a year from 1000 to 8999, which ds_start asks for"
            problems.append(TimestampError(i, ErrorCode.invalid_timestamp, detail))
        else:
            steps[i] = step or 0
    try:
        return grid.stamps(steps), problems
    except OffGridError as e:
        raise Invalid(ErrorCode.off_grid, f"ds: {e.detail}") from e


def _without_duplicates(
    places: Ints,
    stamps: Stamps,
    y: Floats,
    rows: Ints,
    options: ImportOptions,
    report: Report,
) -> Ints:
    """Return the places to write, one a timestamp; `y` takes the mean in place where that is asked for."""
    again = find_repeated(stamps[places], rows[places])
    if not len(again):
        return places
    if options.on_duplicate == "error":
        detail = "this timestamp stands in an earlier row"
        report.reject(RowProblem(r, ErrorCode.duplicate_timestamp, detail) for r in rows[places[again]].tolist())
        return np.delete(places, again)
    _, last = np.unique(stamps[places][::-1], return_index=True)
    kept = np.sort(places[::-1][last])
    if options.on_duplicate == "mean":
        y[kept] = _means(stamps[places], y[places], stamps[kept])
    return kept


def _means(stamps: Stamps, y: Floats, wanted: Stamps) -> Floats:
    """Return the mean of the observed y (N,) at each of the stamps `wanted` (M,); NaN where none is observed."""
    values, inverse = np.unique(stamps, return_inverse=True)
    seen = ~np.isnan(y)
    total = np.bincount(inverse[seen], y[seen], len(values))
    counts = np.bincount(inverse[seen], minlength=len(values))
    means = np.divide(total, counts, out=np.full(len(values), np.nan), where=counts > 0)
    found: Floats = means[np.searchsorted(values, wanted)]
    return found
