"""Series that a table adds to or brings: their frequency, timezone and phase."""

from dataclasses import dataclass

import numpy as np

from app.errors import ErrorCode, RowError
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.causes import explain_days, explain_offsets
from app.services.series.ids import check_frequency
from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.infer_frequency import FEWEST, infer_frequency
from models.calendar.iso import Mask, WrittenTimes
from models.calendar.timestamps import DAY, Stamps
from models.calendar.zones import has_offsets
from models.errors import FrequencyError


@dataclass
class SeriesPlan:
    """A series of the table: as it is stored, or as it is to be made."""

    id: str
    freq: str
    timezone: str
    anchor: int | None
    """None before the first observation"""
    pk: int | None = None
    """None where it is to be made"""
    count: int = 0
    """rows that are stored"""


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


def shows_no_frequency(times: WrittenTimes) -> bool:
    """Say whether a series has too few timestamps to infer a frequency from."""
    utc = times.wall - times.offset
    return len(np.unique(utc[: 10 * FEWEST])) < FEWEST and len(np.unique(utc)) < FEWEST


def plan_series(
    series_id: str, ds: ReadTimestamps, rows: Ints, options: ImportOptions, report: ImportReport
) -> SeriesPlan | None:
    """Plan a series that the table brings; None, and its rows rejected, where it shows no frequency or timezone."""
    cause = None if options.timezone is not None else _find_missing_timezone(ds, options.freq)
    if cause is not None:
        report.reject([RowError(r, ErrorCode.timezone_mismatch, cause) for r in rows.tolist()])
        return None
    timezone = get_timezone(None, options)
    try:
        freq = check_frequency(options.freq or _infer_frequency(series_id, ds, timezone, report))
    except FrequencyError as e:
        report.reject([RowError(r, ErrorCode.invalid_frequency, str(e)) for r in rows.tolist()])
        return None
    return SeriesPlan(series_id, freq, timezone, None)


def get_timezone(row: SeriesPlan | None, options: ImportOptions) -> str:
    """Return the timezone in which naive timestamps are read."""
    return options.timezone or ("UTC" if row is None else row.timezone)


def _infer_frequency(series_id: str, ds: ReadTimestamps, timezone: str, report: ImportReport) -> str:
    """Return the frequency that a new series shows, or that all others show where it has too few rows.

    Raises FrequencyError, whose message names the series.
    """
    stamps = np.unique(ds.stamps)
    if len(stamps) >= FEWEST:
        try:
            freq = infer_frequency(stamps, timezone).alias
        except FrequencyError as e:
            cause = explain_days(stamps, timezone) if lie_days_apart(stamps) else None
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
    days_apart = lie_days_apart(walls) or (midnight and len(walls) == 1)
    if not (days_apart if freq is None else parse_frequency(freq).is_daily):
        return None
    if not midnight and (offsets == offsets[0]).all() and (walls // DAY == stamps // DAY).all():
        return None
    return f"{explain_offsets(stamps, offsets)}, by whose clock days begin (timezone=UTC takes the days of UTC)"


def lie_days_apart(walls: Stamps) -> bool:
    """Say whether most steps between wall times (N,) are of a day or longer."""
    steps = np.diff(np.unique(walls))
    return bool(len(steps) and np.median(steps) >= DAY)
