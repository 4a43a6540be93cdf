"""Checking what a client sends as observations of one series, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.storage import observations
from app.storage.observations import Points
from app.storage.scope import Scope
from app.storage.tables import Covariate, SeriesRow
from models.calendar import Grid, OffGridError, parse_frequency
from models.timestamps import read_stamps

Column = Sequence[float | str | None]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row; `row` counts from 0 in the columns that were checked."""

    row: int
    code: str
    detail: str


def grid_of(row: SeriesRow, first: int | None = None) -> Grid:
    """Return a series' grid; `first` is the phase of one that has no observation yet. Raises OffGridError."""
    anchor = row.anchor if row.anchor is not None else first
    assert anchor is not None, "an empty series has no grid"
    return Grid(parse_frequency(row.freq), row.timezone, anchor)


def check_stamps(row: SeriesRow, stamps: NDArray[np.int64], rows: NDArray[np.int64]) -> list[Problem]:
    """Return which of the stamps (N,), sent as `rows` (N,), do not lie on the series' grid.

    The earliest stamp of a series without observations becomes its anchor.
    """
    if not len(stamps):
        return []
    first = int(np.argmin(stamps))
    try:
        grid = grid_of(row, int(stamps[first]))
    except OffGridError as e:
        return [Problem(int(rows[first]), ErrorCode.off_grid, e.detail)]
    off = np.flatnonzero(~grid.locate(stamps)[1])
    return [Problem(int(rows[i]), ErrorCode.off_grid, grid.explain(int(stamps[i]))) for i in off[:1000]]


def repeated(stamps: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places (M,) in `stamps` (N,) whose timestamp stood in an earlier row."""
    order = np.lexsort((rows, stamps))
    again = np.flatnonzero(np.diff(stamps[order]) == 0) + 1
    return np.sort(order[again])


def read_rows(row: SeriesRow, ds: Sequence[str]) -> tuple[NDArray[np.int64], list[Problem]]:
    """Return the UTC microseconds of `ds` (N,), and every problem: unreadable, off the grid, or sent twice."""
    stamps, unreadable = read_stamps(ds, row.timezone)
    problems = [Problem(p.row, p.code, p.detail) for p in unreadable]
    if not problems:
        rows = np.arange(len(ds))
        problems = check_stamps(row, stamps, rows) + [
            Problem(int(i), ErrorCode.duplicate_timestamp, f"{ds[i]} is sent twice") for i in repeated(stamps, rows)
        ]
    return stamps, sorted(problems, key=lambda p: p.row)


def refuse(problems: Sequence[Problem], field: str = "ds") -> None:
    """Raise Invalid, which names the rows, where there are problems."""
    if problems:
        first = problems[0]
        raise Invalid(
            ErrorCode(first.code),
            f"row {first.row} (counted from 0): {first.detail}"
            + (f"; {len(problems) - 1} more rows are wrong" if len(problems) > 1 else ""),
            errors=[FieldError(f"body.{field}.{p.row}", p.code, p.detail) for p in problems[:100]],
        )


def write_points(
    session: Session, row: SeriesRow, stamps: NDArray[np.int64], y: NDArray[np.float64]
) -> tuple[int, int]:
    """Upsert checked points, in any order, of a locked series; return (inserted, updated)."""
    if not len(stamps):
        return 0, 0
    order = np.argsort(stamps)
    if row.anchor is None:
        row.anchor = int(stamps[order[0]])
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
    session: Session, scope: Scope, row: SeriesRow, stamps: NDArray[np.int64], columns: Mapping[str, Column]
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
    if known is None:
        return None if kind is None else observations.add_covariate(session, scope, name, kind)
    if kind not in (None, known.kind):
        raise _conflict(name, f"the covariate {name!r} is {known.kind} in this project, and {kind} values were sent")
    return known


def _conflict(name: str, detail: str) -> Invalid:
    code = ErrorCode.covariate_kind_conflict
    return Invalid(code, detail, errors=[FieldError(f"covariates.{name}", code, detail)])
