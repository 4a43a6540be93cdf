"""Stored series as the engine's panels: values on every step of the grid, NaN where none was observed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.services.rows import grid_of
from app.storage import observations
from app.storage.observations import Points
from app.storage.tables import SeriesRow
from models.windows import Series

EVERYTHING = -(2**63)


def load(session: Session, rows: Sequence[SeriesRow], steps: int | None = None) -> list[Series]:
    """Return the observed part of each series, or only its last `steps` steps; every row must have a value."""
    starts = {row.pk: EVERYTHING if steps is None else _start(row, steps) for row in rows}
    points = observations.since(session, starts)
    return [series_of(row, points[row.pk]) for row in rows]


def _start(row: SeriesRow, steps: int) -> int:
    """Return the stamp that lies `steps` - 1 grid steps before the last observed value."""
    assert row.last_ts is not None
    grid = grid_of(row)
    last = grid.index(np.array([row.last_ts], np.int64))
    return int(grid.stamps(last - steps + 1)[0])


def series_of(row: SeriesRow, points: Points) -> Series:
    """Return the series of some points, up to the last observed value."""
    assert row.last_ts is not None
    kept = points.ts <= row.last_ts
    grid = grid_of(row)
    index = grid.index(points.ts[kept])
    return Series(row.id, _spread(index, points.y[kept]), grid, int(index[0]))


def _spread(index: NDArray[np.int64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    full = np.full(int(index[-1] - index[0]) + 1, np.nan)
    full[index - index[0]] = y
    return full
