"""The timestamps of a table: reading them, and the frequency of the series that it makes or adds to."""

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Invalid, RowError
from app.formats.table import Block
from app.scope import Scope
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.ids import check_frequency
from app.storage import series
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.infer_frequency import infer_frequency
from models.calendar.timestamps import EARLIEST, LATEST, Stamps, parse_stamps, read_stamps
from models.errors import FrequencyError, OffGridError, TimestampError


def parse_ds(block: Block, timezone: str, options: ImportOptions) -> tuple[Stamps, list[RowError]]:
    """Return UTC microseconds (N,), and the errors of rows whose timestamp cannot be read. Raises Invalid."""
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


def add_series(
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


def has_frequency(row: SeriesRow, rows: Ints, options: ImportOptions, report: ImportReport) -> bool:
    """Say whether a series has the frequency that was asked for; its rows are rejected where not."""
    if options.freq is None or parse_frequency(options.freq).alias == row.freq:
        return True
    detail = f"the series {row.id!r} exists with frequency {row.freq!r}"
    report.reject(RowError(r, ErrorCode.frequency_mismatch, detail) for r in rows.tolist())
    return False
