"""Stored series as the engine's series: values and covariates on every step of the grid, NaN where one is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.series.checks import build_grid
from app.storage.bulk_read import load_covariate_points, load_points
from app.storage.covariates import get_covariates
from app.storage.observations import CovariatePoints, Points
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.series import Series
from models.data.wall_clock import count_repeated

EARLIEST = -(2**63)
"""the first stamp that the database can hold"""

Loaded = list[tuple[SeriesRow, Series]]
"""rows of the database with the series that were made of them"""


def load_histories(
    session: Session, scope: Scope, rows: Sequence[SeriesRow], roles: CovariateConfig, horizon: int
) -> list[Series]:
    """Return the whole observed part of each series, and its covariates up to `horizon` steps after it.

    Every row must have a value.
    """
    spans = {row.pk: (EARLIEST, row.last_ts) for row in rows if row.last_ts is not None}
    return load_between(session, scope, rows, spans, roles, horizon)


def load_contexts(
    session: Session, scope: Scope, rows: Sequence[SeriesRow], origins: Mapping[int, int], config: Config
) -> list[Series]:
    """Return what a model reads of each series: its last steps up to the origin, with covariates over the horizon too.

    Args:
        origins: {series_pk: stamp of an observed value}
    """
    spans = {row.pk: _context_span(row, origins[row.pk], config) for row in rows}
    return load_between(session, scope, rows, spans, config.covariates, config.horizon)


def load_between(
    session: Session,
    scope: Scope,
    rows: Sequence[SeriesRow],
    stamps: Mapping[int, tuple[int, int]],
    roles: CovariateConfig,
    horizon: int,
) -> list[Series]:
    """Return the part of each series between two stamps, {series_pk: (first, last)}; series without rows there are
    left out."""
    points = load_points(session, stamps)
    loaded = [(row, build_series(row, points[row.pk])) for row in rows if len(points[row.pk].ts)]
    return add_covariates(session, scope, loaded, roles, horizon)


def add_covariates(
    session: Session, scope: Scope, loaded: Loaded, roles: CovariateConfig, horizon: int
) -> list[Series]:
    """Return the series with their stored covariates: past ones (T,) as long as `y`, known-future ones (T + H,)."""
    covariates = get_covariates(session, scope, roles.temporal) if roles.temporal else {}
    spans = {row.pk: _covariate_span(series, horizon) for row, series in loaded} if covariates else {}
    points_by_series = load_covariate_points(session, spans, list(covariates.values()))
    return [
        replace(
            series,
            covariates={
                name: _build_column(series, points, len(series.y) + (0 if name in roles.past else horizon))
                for name, points in points_by_series.get(row.pk, {}).items()
            },
            static={name: row.static[name] for name in roles.static if row.static.get(name) is not None},
        )
        for row, series in loaded
    ]


def build_series(row: SeriesRow, points: Points) -> Series:
    """Return a series of some of its points, of which there is one at least."""
    grid = build_grid(row)
    index = grid.index(points.ts)
    first = int(index[0])
    return Series(row.id, spread(index - first, points.y, int(index[-1]) - first + 1), grid, first)


def spread(index: Ints, values: NDArray[Any], length: int) -> NDArray[Any]:
    """Return (length,) with `values` (N,), numbers or text, at the positions `index` (N,); others are left out."""
    full = np.full(length, np.nan) if values.dtype == np.float64 else np.full(length, None, object)
    inside = (index >= 0) & (index < length)
    full[index[inside]] = values[inside]
    return full


def _context_span(row: SeriesRow, origin: int, config: Config) -> tuple[int, int]:
    """Return the stamps of the first and last step of the context that ends with the origin."""
    grid = build_grid(row)
    last = grid.index(np.array([origin], np.int64))
    steps = config.network.context_length + count_repeated(grid, int(last[0]), config)
    return int(grid.stamps(last - steps + 1)[0]), origin


def _covariate_span(series: Series, horizon: int) -> tuple[int, int]:
    """Return the first stamp of a series, and the last of the horizon after it."""
    first, last = series.grid.stamps(series.start + np.array([0, len(series.y) - 1 + horizon], np.int64)).tolist()
    return first, last


def _build_column(series: Series, points: CovariatePoints, length: int) -> NDArray[Any]:
    # the series may have begun anew on another grid since `one` was read
    index, on_grid = series.grid.locate(points.ts)
    return spread(index[on_grid] - series.start, points.values[on_grid], length)
