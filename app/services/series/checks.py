"""Checks of the observations that a client sends for one series, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, RowError
from app.formats.table import Column
from app.services.series.causes import GridFields, find_cause
from app.storage.bulk import BulkPoints, upsert_points
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency, share_dates
from models.calendar.grid import Grid
from models.calendar.iso import read_times
from models.calendar.phase import choose_grid
from models.calendar.timestamps import convert_times
from models.errors import OffGridError

MOST_EXPLAINED = 100
"""rows off the grid that get a full explanation; the rest get a short one"""


@dataclass(frozen=True)
class Upload:
    """Rows of one series, in columns of equal length; None is missing."""

    ds: Sequence[str]
    y: Sequence[float | None] | None
    """None where covariates are sent alone"""
    covariates: Mapping[str, Column]

    @property
    def values(self) -> Floats:
        """(N,) y, NaN where missing."""
        return np.full(len(self.ds), np.nan) if self.y is None else np.array(self.y, np.float64)


def check_lengths(upload: Upload, where: str = "body") -> None:
    """Raise Invalid where a column is not as long as `ds`; `where` is the upload's path in the request."""
    targets = {} if upload.y is None else {"y": upload.y}
    columns = targets | {f"covariates.{name}": values for name, values in upload.covariates.items()}
    wrong = {name: len(values) for name, values in columns.items() if len(values) != len(upload.ds)}
    if wrong:
        name, length = next(iter(wrong.items()))
        detail = (
            f"ds has {len(upload.ds)} rows and {name} has {length}; "
            "send one value for each timestamp, null where it is missing"
        )
        code = ErrorCode.length_mismatch
        raise Invalid(code, detail, errors=[FieldError(f"{where}.{n}", code, f"{k} values") for n, k in wrong.items()])


def build_grid(row: GridFields) -> Grid:
    """Return the grid of a series that has observations."""
    assert row.anchor is not None, "an empty series has no grid"
    return Grid(parse_frequency(row.freq), row.timezone, row.anchor)


def is_of_frequency(row: GridFields, alias: str) -> bool:
    """Say whether a series has a frequency, however either is spelt: each step of its grid is one of that frequency.

    Of a series without observations, whether a grid may be of both.
    """
    if row.freq == alias:
        return True
    own = parse_frequency(row.freq)
    frequency = parse_frequency(alias)
    if own == frequency or row.anchor is None:
        return share_dates(own, frequency, row.timezone)
    return build_grid(row).follows(frequency)


def check_stamps(row: GridFields, stamps: Ints, rows: Ints, offsets: Ints | None = None) -> list[RowError]:
    """Return a problem for each of the stamps (N,), numbered by `rows` (N,), that is not on the series' grid.

    A series without observations gets its anchor here: the earliest stamp of the phase that most of them share.

    Args:
        offsets: (N,) microseconds ahead of UTC as they were written; None where some were not
    """
    if not len(stamps):
        return []
    is_new = row.anchor is None
    try:
        grid = choose_grid(parse_frequency(row.freq), row.timezone, stamps) if is_new else build_grid(row)
        on_grid = grid.locate(stamps)[1]
    except OffGridError as e:
        cause = find_cause(row, stamps, np.zeros(len(stamps), np.bool_), offsets, is_new=is_new)
        return [RowError(r, ErrorCode.off_grid, e.detail + cause) for r in rows.tolist()]
    row.anchor = grid.anchor
    if on_grid.all():
        return []
    off = np.flatnonzero(~on_grid)
    cause = find_cause(row, stamps, on_grid, offsets, is_new=is_new)
    explained = [grid.explain(int(stamps[i])) + cause for i in off[:MOST_EXPLAINED]]
    details = explained + ["not on the series' grid"] * (len(off) - len(explained))
    return [RowError(int(rows[i]), ErrorCode.off_grid, d) for i, d in zip(off, details, strict=True)]


def find_repeated(stamps: Ints, rows: Ints) -> Ints:
    """Return the indices (M,) into `stamps` (N,) whose timestamp an earlier row has too."""
    order = np.lexsort((rows, stamps))
    duplicates = np.flatnonzero(np.diff(stamps[order]) == 0) + 1
    return np.sort(order[duplicates])


def read_rows(row: GridFields, ds: Sequence[str]) -> tuple[Ints, list[RowError]]:
    """Return the UTC microseconds of `ds` (N,), and every problem: unreadable, off the grid, or sent twice."""
    times = read_times(ds)
    stamps, unreadable = convert_times(times, ds, row.timezone, daily=parse_frequency(row.freq).is_daily)
    rows = np.delete(np.arange(len(ds)), [problem.row for problem in unreadable])
    problems = [RowError(problem.row, problem.code, problem.detail) for problem in unreadable]
    problems += check_stamps(row, stamps[rows], rows, None if times.naive[rows].any() else times.offset[rows])
    problems += [
        RowError(int(rows[i]), ErrorCode.duplicate_timestamp, f"{ds[rows[i]]!r} is sent twice")
        for i in find_repeated(stamps[rows], rows)
    ]
    return stamps, sorted(problems, key=lambda problem: problem.row)


def raise_problems(problems: Sequence[RowError], where: str = "body") -> None:
    """Raise Invalid where there are problems; it names the rows of the upload at `where` in the request."""
    if not problems:
        return
    first = problems[0]
    detail = f"row {first.row} (counted from 0): {first.detail}"
    if len(problems) > 1:
        detail += f"; {len(problems) - 1} more rows are wrong"
    errors = [FieldError(f"{where}.ds.{p.row}", p.code, p.detail) for p in problems[:100]]
    raise Invalid(ErrorCode(first.code), detail, errors=errors)


def write_points(
    session: Session, rows: Sequence[SeriesRow], pk: Ints, stamps: Ints, y: Floats, *, keep: bool = False
) -> tuple[int, int]:
    """Upsert checked points, in any order, of locked series, whose versions go up; return (inserted, updated).

    Where a value is missing the stored one goes, or stays with `keep`.
    """
    order = np.lexsort((stamps, pk))
    return upsert_points(session, rows, BulkPoints(pk[order], stamps[order], y[order]), keep=keep)
