"""The timestamps of a table: reading them, and the frequency of the series that it makes or adds to."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Invalid, RowError
from app.formats.table import Block
from app.scope import Scope
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.causes import explain_days, explain_offsets
from app.services.series.checks import build_grid, check_stamps, is_of_frequency
from app.services.series.ids import check_frequency
from app.storage import series
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.calendar.frequency import Frequency, parse_frequency
from models.calendar.grid import Grid
from models.calendar.infer_frequency import FEWEST, infer_frequency
from models.calendar.iso import Mask, read_times
from models.calendar.timestamps import (
    DAY,
    EARLIEST,
    LATEST,
    Stamps,
    convert_times,
    format_stamp,
    is_same_timezone,
    parse_stamps,
    to_local,
)
from models.calendar.zones import has_offsets
from models.errors import FrequencyError, OffGridError, TimestampError


@dataclass(frozen=True)
class ReadTimestamps:
    """The timestamps of one series' rows."""

    stamps: Stamps
    """(N,) UTC microseconds, 0 where there is an error"""
    offsets: Ints
    """(N,) microseconds ahead of UTC as they were written, 0 where none was"""
    naive: Mask
    """(N,) whether they were written without an offset"""
    errors: list[RowError]

    @property
    def written_offsets(self) -> Ints | None:
        """The offsets (N,), None where some rows have none."""
        return None if self.naive.any() else self.offsets

    def select(self, rows: Mask) -> "ReadTimestamps":
        """Return those of the rows (N,) that are chosen, without errors."""
        return ReadTimestamps(self.stamps[rows], self.offsets[rows], self.naive[rows], [])


def shows_no_frequency(block: Block) -> bool:
    """Say whether a series has too few timestamps to infer a frequency from."""
    if len(set(block.ds[: 10 * FEWEST])) >= FEWEST and len(block.ds) > 10 * FEWEST:
        return False
    times = read_times(block.ds)
    return len(np.unique((times.wall - times.offset)[times.readable])) < FEWEST


def parse_ds(block: Block, row: SeriesRow | None, options: ImportOptions) -> ReadTimestamps:
    """Read the timestamps of a series, `row` if it exists; naive ones are of the timezone that is named, or its own.

    Raises Invalid for a bad `ds_start`.
    """
    timezone = _get_timezone(row, options)
    if options.ds_start is not None:
        return _count_steps(block, row, options.ds_start, timezone, options)
    times = read_times(block.ds)
    freq = options.freq if row is None else row.freq
    daily = _lie_days_apart(times.wall[times.naive]) if freq is None else parse_frequency(freq).is_daily
    infer = options.ambiguous == "infer"
    stamps, unreadable = convert_times(times, block.ds, timezone, daily=daily, infer_ambiguous=infer)
    errors = [RowError(block.rows[e.row], e.code, e.detail + _hint_at_order(e, options)) for e in unreadable]
    return ReadTimestamps(stamps, times.offset, times.naive, errors)


def add_series(
    session: Session,
    scope: Scope,
    series_id: str,
    ds: ReadTimestamps,
    rows: Ints,
    options: ImportOptions,
    report: ImportReport,
) -> SeriesRow | None:
    """Make a series that the table brings; None, and its rows rejected, where it shows no frequency or timezone."""
    cause = None if options.timezone is not None else _find_missing_timezone(ds, options.freq)
    if cause is not None:
        report.reject(RowError(r, ErrorCode.timezone_mismatch, cause) for r in rows.tolist())
        return None
    timezone = _get_timezone(None, options)
    try:
        freq = check_frequency(options.freq or _infer_frequency(series_id, ds, timezone, report))
    except FrequencyError as e:
        report.reject(RowError(r, ErrorCode.invalid_frequency, str(e)) for r in rows.tolist())
        return None
    fields = {"id": series_id, "freq": freq, "timezone": timezone, "labels": {}, "static": {}}
    return series.add(session, scope, [fields])[0]


def has_frequency(row: SeriesRow, rows: Ints, options: ImportOptions, report: ImportReport) -> bool:
    """Say whether a series has the frequency that was asked for; its rows are rejected where not."""
    if options.freq is None or is_of_frequency(row, options.freq):
        return True
    detail = f"the series {row.id!r} exists with frequency {row.freq!r}, and freq={options.freq} was sent; leave it out"
    report.reject(RowError(r, ErrorCode.frequency_mismatch, detail) for r in rows.tolist())
    return False


def check_grid(row: SeriesRow, ds: ReadTimestamps, rows: Ints, options: ImportOptions) -> list[RowError]:
    """Return a problem for each timestamp (N,), numbered by `rows` (N,), that is not on the series' grid.

    Where the timezone that they were read in is another than the series', that is named as the cause.
    """
    if options.timezone is None or is_same_timezone(options.timezone, row.timezone):
        return check_stamps(row, ds.stamps, rows, ds.written_offsets)
    if row.anchor is None and parse_frequency(row.freq).is_daily:
        moved = ds.naive & (to_local(ds.stamps, row.timezone) != to_local(ds.stamps, options.timezone))
        if moved.any():
            return [_refuse_timezone(row, int(ds.stamps[i]), int(rows[i]), options) for i in np.flatnonzero(moved)]
    naive_rows = dict(zip(rows[ds.naive].tolist(), ds.stamps[ds.naive].tolist(), strict=True))
    return [
        _refuse_timezone(row, naive_rows[error.row], error.row, options) if error.row in naive_rows else error
        for error in check_stamps(row, ds.stamps, rows, ds.written_offsets)
    ]


def _get_timezone(row: SeriesRow | None, options: ImportOptions) -> str:
    """Return the timezone in which naive timestamps are read."""
    return options.timezone or ("UTC" if row is None else row.timezone)


def _refuse_timezone(row: SeriesRow, stamp: int, number: int, options: ImportOptions) -> RowError:
    assert options.timezone is not None
    detail = (
        f"the series {row.id!r} exists in {row.timezone}, and timezone={options.timezone} was sent: "
        f"{format_stamp(stamp, options.timezone)} is {format_stamp(stamp, row.timezone)} there, which is no step of "
        f"its frequency {row.freq!r}; leave timezone= out, or import into a new series"
    )
    return RowError(number, ErrorCode.timezone_mismatch, detail)


def _hint_at_order(error: TimestampError, options: ImportOptions) -> str:
    if error.code != ErrorCode.ambiguous_time or options.ambiguous == "infer":
        return ""
    return ", or ambiguous=infer, which tells the two apart by the order of the rows"


def _infer_frequency(series_id: str, ds: ReadTimestamps, timezone: str, report: ImportReport) -> str:
    """Return the frequency that a new series shows, or that all others show where it has too few rows.

    Raises FrequencyError, whose message names the series.
    """
    stamps = np.unique(ds.stamps)
    if len(stamps) >= FEWEST:
        try:
            freq = infer_frequency(stamps, timezone).alias
        except FrequencyError as e:
            cause = explain_days(stamps, timezone) if _lie_days_apart(stamps) else None
            offsets = ds.written_offsets
            if offsets is not None and offsets.any() and not has_offsets(timezone, ds.stamps, offsets):
                cause = explain_offsets(ds.stamps, offsets)
            detail = f"series {series_id!r}: {e}" if cause is None else f"series {series_id!r}: {cause}"
            raise FrequencyError(detail) from e
        report.frequencies.add(freq)
        return freq
    if len(report.frequencies) == 1:
        (freq,) = report.frequencies
        report.assumed[series_id] = freq
        return freq
    others = f", and the others have {' and '.join(sorted(report.frequencies))}" if report.frequencies else ""
    raise FrequencyError(
        f"series {series_id!r} has {len(stamps)} distinct timestamp{'s' if len(stamps) > 1 else ''}, from which no "
        f"frequency can be inferred{others}; name it with freq="
    )


def _find_missing_timezone(ds: ReadTimestamps, freq: str | None) -> str | None:
    """Say why a new series of days or longer needs its timezone; None where the days of UTC are its own.

    They are not where the offsets vary, and where days of another offset begin with midnight or are other dates in UTC.
    """
    stamps = ds.stamps[~ds.naive]
    offsets = ds.offsets[~ds.naive]
    walls = stamps + offsets
    midnight = bool(len(walls) and (walls % DAY == 0).all())
    if not offsets.any():
        return None
    days_apart = _lie_days_apart(walls) or (midnight and len(walls) == 1)
    if not (days_apart if freq is None else parse_frequency(freq).is_daily):
        return None
    if not midnight and (offsets == offsets[0]).all() and (walls // DAY == stamps // DAY).all():
        return None
    return f"{explain_offsets(stamps, offsets)}, by whose clock days begin (timezone=UTC takes the days of UTC)"


def _lie_days_apart(walls: Stamps) -> bool:
    """Say whether most steps between wall times (N,) are of a day or longer."""
    steps = np.diff(np.unique(walls))
    return bool(len(steps) and np.median(steps) >= DAY)


def _count_steps(
    block: Block, row: SeriesRow | None, ds_start: str, timezone: str, options: ImportOptions
) -> ReadTimestamps:
    """Read integer steps from `ds_start` on. Raises Invalid."""
    if options.freq is None:
        raise Invalid(ErrorCode.invalid_frequency, "ds_start maps integer steps to times, which needs freq= as well")
    frequency = parse_frequency(options.freq)
    try:
        start = int(parse_stamps([ds_start], timezone, daily=frequency.is_daily)[0])
        grid = Grid(frequency, timezone if row is None else row.timezone, start)
    except (TimestampError, OffGridError) as e:
        raise Invalid(ErrorCode.invalid_timestamp, f"ds_start: {e.detail}") from e
    steps = np.zeros(len(block.ds), np.int64)
    errors = _read_steps(block, grid, frequency, steps)
    if row is not None and row.anchor is not None and is_of_frequency(row, options.freq):
        stored = build_grid(row)
        if not stored.locate(np.array([start], np.int64))[1][0]:
            detail = f"ds_start: {stored.explain(start)} of the series {row.id!r}; send a ds_start on its grid"
            errors = [RowError(number, ErrorCode.off_grid, detail) for number in block.rows]
    try:
        stamps = grid.stamps(steps)
    except OffGridError as e:
        raise Invalid(ErrorCode.off_grid, f"ds: {e.detail}") from e
    count = len(stamps)
    return ReadTimestamps(stamps, np.zeros(count, np.int64), np.ones(count, np.bool_), errors)


def _read_steps(block: Block, grid: Grid, frequency: Frequency, steps: Ints) -> list[RowError]:
    """Fill in the integers (N,) of the rows, and return the errors of those that have none."""
    errors = []
    for i, text in enumerate(block.ds):
        step = int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else None
        reached = None if step is None else grid.anchor + step * frequency.approximate_us
        if reached is None or not EARLIEST <= reached < LATEST:
            detail = f"{text[:60]!r} is not an integer step to a year from 1000 to 8999, which ds_start asks for"
            errors.append(RowError(block.rows[i], ErrorCode.invalid_timestamp, detail))
        else:
            steps[i] = step or 0
    return errors
