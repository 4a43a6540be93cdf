"""The timestamps of a table: reading them, and the frequency of the series that it makes or adds to."""

from collections.abc import Sequence
from typing import overload

import numpy as np

from app.errors import ErrorCode, Invalid, RowError
from app.services.ingest.plans import ReadTimestamps, SeriesPlan, get_timezone, lie_days_apart
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.checks import build_grid, check_stamps, is_of_frequency
from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.iso import WrittenTimes
from models.calendar.timestamps import (
    EARLIEST,
    LATEST,
    convert_times,
    format_stamp,
    is_same_timezone,
    parse_stamps,
    to_local,
)
from models.errors import OffGridError, TimestampError


class WallTexts(Sequence[str]):
    """Wall times (N,) as texts, which are made when they are asked for."""

    def __init__(self, walls: Ints) -> None:
        self._walls = walls

    def __len__(self) -> int:
        return len(self._walls)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return WallTexts(self._walls[index])
        return str(np.datetime64(int(self._walls[index]), "us"))


def convert_ds(times: WrittenTimes, rows: Ints, plan: SeriesPlan | None, options: ImportOptions) -> ReadTimestamps:
    """Return the timestamps of a series' rows (N,); naive ones are of the timezone that is named, or its own.

    With `ds_start`, `times.wall` holds integer steps. Raises Invalid for a bad `ds_start`.
    """
    timezone = get_timezone(plan, options)
    if options.ds_start is not None:
        return _count_steps(times.wall, rows, plan, options.ds_start, timezone, options)
    freq = options.freq if plan is None else plan.freq
    daily = lie_days_apart(times.wall[times.naive]) if freq is None else parse_frequency(freq).is_daily
    infer = options.ambiguous == "infer"
    texts = WallTexts(times.wall)
    stamps, unreadable = convert_times(times, texts, timezone, daily=daily, infer_ambiguous=infer)
    errors = [RowError(int(rows[e.row]), e.code, e.detail + _hint_at_order(e, options)) for e in unreadable]
    return ReadTimestamps(stamps, times.offset, times.naive, errors)


def has_frequency(row: SeriesPlan, rows: Ints, options: ImportOptions, report: ImportReport) -> bool:
    """Say whether a series has the frequency that was asked for; its rows are rejected where not."""
    if options.freq is None or is_of_frequency(row, options.freq):
        return True
    detail = f"the series {row.id!r} exists with frequency {row.freq!r}, and freq={options.freq} was sent; leave it out"
    report.reject([RowError(r, ErrorCode.frequency_mismatch, detail) for r in rows.tolist()])
    return False


def check_grid(row: SeriesPlan, ds: ReadTimestamps, rows: Ints, options: ImportOptions) -> list[RowError]:
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


def _refuse_timezone(row: SeriesPlan, stamp: int, number: int, options: ImportOptions) -> RowError:
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


def _count_steps(
    steps: Ints, rows: Ints, plan: SeriesPlan | None, ds_start: str, timezone: str, options: ImportOptions
) -> ReadTimestamps:
    """Read integer steps (N,) from `ds_start` on. Raises Invalid."""
    if options.freq is None:
        raise Invalid(ErrorCode.invalid_frequency, "ds_start maps integer steps to times, which needs freq= as well")
    frequency = parse_frequency(options.freq)
    try:
        start = int(parse_stamps([ds_start], timezone, daily=frequency.is_daily)[0])
        grid = Grid(frequency, timezone if plan is None else plan.timezone, start)
    except (TimestampError, OffGridError) as e:
        raise Invalid(ErrorCode.invalid_timestamp, f"ds_start: {e.detail}") from e
    reached = grid.anchor + steps * float(frequency.approximate_us)
    far = (reached < EARLIEST) | (reached >= LATEST)
    errors = [
        RowError(int(rows[i]), ErrorCode.invalid_timestamp, f"step {steps[i]} is not in a year from 1000 to 8999")
        for i in np.flatnonzero(far).tolist()
    ]
    if plan is not None and plan.anchor is not None and is_of_frequency(plan, options.freq):
        stored = build_grid(plan)
        if not stored.locate(np.array([start], np.int64))[1][0]:
            detail = f"ds_start: {stored.explain(start)} of the series {plan.id!r}; send a ds_start on its grid"
            errors = [RowError(r, ErrorCode.off_grid, detail) for r in rows.tolist()]
    try:
        stamps = grid.stamps(np.where(far, 0, steps))
    except OffGridError as e:
        raise Invalid(ErrorCode.off_grid, f"ds: {e.detail}") from e
    count = len(stamps)
    return ReadTimestamps(stamps, np.zeros(count, np.int64), np.ones(count, np.bool_), errors)
