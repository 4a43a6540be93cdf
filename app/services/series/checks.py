"""Checks of the observations that a client sends for one series, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, RowError
from app.formats.table import Column
from app.storage import observations
from app.storage.observations import Points
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import DAY, read_stamps, to_local
from models.errors import OffGridError

MOST_EXPLAINED = 100
"""rows off the grid that get a full explanation, and stamps that are tried as the anchor; the rest get a short one"""


class GridFields(Protocol):
    """The fields that place timestamps on a grid: of a stored series, or of one that comes with a request."""

    freq: str
    timezone: str
    anchor: int | None
    """None before the first observation"""


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


def check_stamps(row: GridFields, stamps: Ints, rows: Ints) -> list[RowError]:
    """Return a problem for each of the stamps (N,), numbered by `rows` (N,), that is not on the series' grid.

    A series without observations gets its anchor here: the earliest stamp of the phase that most of them share.
    """
    if not len(stamps):
        return []
    try:
        grid = build_grid(row) if row.anchor is not None else _choose_grid(row, stamps)
        off = np.flatnonzero(~grid.locate(stamps)[1])
    except OffGridError as e:
        return [RowError(r, ErrorCode.off_grid, e.detail) for r in rows.tolist()]
    row.anchor = grid.anchor
    explained = [grid.explain(int(stamps[i])) for i in off[:MOST_EXPLAINED]]
    details = explained + ["not on the series' grid"] * (len(off) - len(explained))
    return [RowError(int(rows[i]), ErrorCode.off_grid, d) for i, d in zip(off, details, strict=True)]


def _choose_grid(row: GridFields, stamps: Ints) -> Grid:
    """Return the grid of new observations (N,), on their commonest phase. Raises OffGridError where it has no date."""
    frequency = parse_frequency(row.freq)
    phases = stamps % frequency.step if frequency.kind == "tick" else to_local(stamps, row.timezone) % DAY
    values, counts = np.unique(phases, return_counts=True)
    earliest = phases[np.argmin(stamps)]
    common = earliest if counts[values == earliest] == counts.max() else values[np.argmax(counts)]
    ordered = np.sort(stamps[phases == common])
    for stamp in ordered[:MOST_EXPLAINED].tolist():
        try:
            return Grid(frequency, row.timezone, stamp)
        except OffGridError:
            continue
    return Grid(frequency, row.timezone, int(ordered[0]))


def find_repeated(stamps: Ints, rows: Ints) -> Ints:
    """Return the indices (M,) into `stamps` (N,) whose timestamp an earlier row has too."""
    order = np.lexsort((rows, stamps))
    duplicates = np.flatnonzero(np.diff(stamps[order]) == 0) + 1
    return np.sort(order[duplicates])


def read_rows(row: GridFields, ds: Sequence[str]) -> tuple[Ints, list[RowError]]:
    """Return the UTC microseconds of `ds` (N,), and every problem: unreadable, off the grid, or sent twice."""
    stamps, unreadable = read_stamps(ds, row.timezone)
    problems = [RowError(p.row, p.code, p.detail) for p in unreadable]
    if not problems:
        rows = np.arange(len(ds))
        problems = check_stamps(row, stamps, rows) + [
            RowError(int(i), ErrorCode.duplicate_timestamp, f"{ds[i]!r} is sent twice")
            for i in find_repeated(stamps, rows)
        ]
    return stamps, sorted(problems, key=lambda p: p.row)


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


def write_points(session: Session, row: SeriesRow, stamps: Ints, y: Floats, *, keep: bool = False) -> tuple[int, int]:
    """Upsert checked points, in any order, of a locked series; return (inserted, updated).

    Where a value is missing the stored one goes, or stays with `keep`.
    """
    if not len(stamps):
        return 0, 0
    order = np.argsort(stamps)
    return observations.upsert(session, row, Points(stamps[order], y[order]), keep=keep)
