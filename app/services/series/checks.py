"""Checking what a client sends as observations of one series, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.formats.table import Column
from app.scope import Scope
from app.storage import observations
from app.storage.observations import Points
from app.storage.tables import Covariate, SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import DAY, read_stamps, to_local
from models.errors import OffGridError

EXPLAINED = 100
"""rows whose problem is told in full"""


@dataclass(frozen=True)
class Upload:
    """Rows of one series, in columns of equal length; None is missing."""

    ds: Sequence[str]
    y: Sequence[float | None]
    covariates: Mapping[str, Column]

    @property
    def values(self) -> Floats:
        """(N,) y, NaN where missing."""
        return np.array(self.y, np.float64)


class GridFields(Protocol):
    """The fields that place timestamps on a grid: of a stored series, or of one that comes with a request."""

    freq: str
    timezone: str
    anchor: int | None
    """None before the first observation"""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row; `row` counts from 0 in the columns that were checked."""

    row: int
    code: str
    detail: str


def check_lengths(upload: Upload, where: str = "body") -> None:
    """Raise Invalid where a column is not as long as `ds`; `where` is the upload's place in the request."""
    columns = {"y": upload.y, **{f"covariates.{name}": values for name, values in upload.covariates.items()}}
    wrong = {name: len(values) for name, values in columns.items() if len(values) != len(upload.ds)}
    if wrong:
        name, length = next(iter(wrong.items()))
        detail = f"ds has {len(upload.ds)} rows and {name} has {length}; send one value a timestamp, null if missing"
        code = ErrorCode.length_mismatch
        raise Invalid(code, detail, errors=[FieldError(f"{where}.{n}", code, f"{k} values") for n, k in wrong.items()])


def grid_of(row: GridFields) -> Grid:
    """Return the grid of a series that has observations."""
    assert row.anchor is not None, "an empty series has no grid"
    return Grid(parse_frequency(row.freq), row.timezone, row.anchor)


def check_stamps(row: GridFields, stamps: Ints, rows: Ints) -> list[Problem]:
    """Return which of the stamps (N,), sent as `rows` (N,), do not lie on the series' grid.

    A series without observations takes the phase that most of them share, and its earliest stamp as its anchor.
    """
    if not len(stamps):
        return []
    try:
        grid = grid_of(row) if row.anchor is not None else _first_grid(row, stamps)
        off = np.flatnonzero(~grid.locate(stamps)[1])
    except OffGridError as e:
        return [Problem(r, ErrorCode.off_grid, e.detail) for r in rows.tolist()]
    row.anchor = grid.anchor
    shown = [grid.explain(int(stamps[i])) for i in off[:EXPLAINED]]
    details = shown + ["not on the series' grid"] * (len(off) - len(shown))
    return [Problem(int(rows[i]), ErrorCode.off_grid, d) for i, d in zip(off, details, strict=True)]


def _first_grid(row: GridFields, stamps: Ints) -> Grid:
    """Return the grid of new observations (N,): on the commonest phase. Raises OffGridError where it has no date."""
    frequency = parse_frequency(row.freq)
    phases = stamps % frequency.step if frequency.kind == "tick" else to_local(stamps, row.timezone) % DAY
    values, counts = np.unique(phases, return_counts=True)
    earliest = phases[np.argmin(stamps)]
    common = earliest if counts[values == earliest] == counts.max() else values[np.argmax(counts)]
    ordered = np.sort(stamps[phases == common])
    for stamp in ordered[:EXPLAINED].tolist():
        try:
            return Grid(frequency, row.timezone, stamp)
        except OffGridError:
            continue
    return Grid(frequency, row.timezone, int(ordered[0]))


def repeated(stamps: Ints, rows: Ints) -> Ints:
    """Return the places (M,) in `stamps` (N,) whose timestamp stood in an earlier row."""
    order = np.lexsort((rows, stamps))
    again = np.flatnonzero(np.diff(stamps[order]) == 0) + 1
    return np.sort(order[again])


def read_rows(row: GridFields, ds: Sequence[str]) -> tuple[Ints, list[Problem]]:
    """Return the UTC microseconds of `ds` (N,), and every problem: unreadable, off the grid, or sent twice."""
    stamps, unreadable = read_stamps(ds, row.timezone)
    problems = [Problem(p.row, p.code, p.detail) for p in unreadable]
    if not problems:
        rows = np.arange(len(ds))
        problems = check_stamps(row, stamps, rows) + [
            Problem(int(i), ErrorCode.duplicate_timestamp, f"{ds[i]!r} is sent twice") for i in repeated(stamps, rows)
        ]
    return stamps, sorted(problems, key=lambda p: p.row)


def refuse(problems: Sequence[Problem], where: str = "body") -> None:
    """Raise Invalid, which names the rows of the upload at `where` in the request, where there are problems."""
    if problems:
        first = problems[0]
        raise Invalid(
            ErrorCode(first.code),
            f"row {first.row} (counted from 0): {first.detail}"
            + (f"; {len(problems) - 1} more rows are wrong" if len(problems) > 1 else ""),
            errors=[FieldError(f"{where}.ds.{p.row}", p.code, p.detail) for p in problems[:100]],
        )


def write_points(session: Session, row: SeriesRow, stamps: Ints, y: Floats) -> tuple[int, int]:
    """Upsert checked points, in any order, of a locked series; return (inserted, updated)."""
    if not len(stamps):
        return 0, 0
    order = np.argsort(stamps)
    return observations.upsert(session, row, Points(stamps[order], y[order]))


def kind_of(values: Column) -> str | None:
    """Return what a covariate column holds: `numeric`, `categorical`, or None where all is missing.

    Raises TypeError for a mixture.
    """
    kinds = {isinstance(v, str) for v in values if v is not None}
    if len(kinds) > 1:
        raise TypeError("numbers and text in one column")
    return {True: "categorical", False: "numeric"}[kinds.pop()] if kinds else None


def write_covariates(
    session: Session, scope: Scope, row: SeriesRow, stamps: Ints, columns: Mapping[str, Column]
) -> None:
    """Upsert covariate columns, each as long as `stamps` (N,). Raises Invalid where a column's kind is not the
    covariate's."""
    known = observations.covariates(session, scope, list(columns))
    for name, values in sorted(columns.items()):
        covariate = _covariate(session, scope, known.get(name), name, values)
        if covariate is not None:
            observations.upsert_covariate(session, row, covariate, stamps, values)


def _covariate(session: Session, scope: Scope, known: Covariate | None, name: str, values: Column) -> Covariate | None:
    try:
        kind = kind_of(values)
    except TypeError as e:
        raise _conflict(name, f"the covariate {name!r} mixes numbers and text; send one or the other") from e
    if known is None and kind is None:
        return None
    if known is None and kind is not None:
        known = observations.add_covariate(session, scope, name, kind)
    assert known is not None
    if kind not in (None, known.kind):
        raise _conflict(name, f"the covariate {name!r} is {known.kind} in this project, and {kind} values were sent")
    return known


def _conflict(name: str, detail: str) -> Invalid:
    code = ErrorCode.covariate_kind_conflict
    return Invalid(code, detail, errors=[FieldError(f"covariates.{name}", code, detail)])
