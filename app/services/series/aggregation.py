"""Stored series on the grid that a model reads them on: their own, or a coarser one that they are aggregated to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.series import panels
from app.services.series.causes import GridFields
from app.services.series.checks import build_grid, is_of_frequency
from app.storage.bulk_read import load_points
from app.storage.observations import Points
from app.storage.tables import SeriesRow
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.nesting import build_coarse_grid, compute_edges, count_margin, locate_steps, nests
from models.config.cleaning import CleaningConfig
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.aggregation import aggregate_series
from models.data.series import Series, keep_last

Spans = Mapping[int, tuple[int, int]]
"""{series_pk: first and last step on the grid that a model reads}"""


def is_readable(row: GridFields, alias: str, cleaning: CleaningConfig) -> bool:
    """Say whether a model of a frequency reads a series: as it is, or aggregated."""
    return is_of_frequency(row, alias) or is_aggregated(row, alias, cleaning)


def is_aggregated(row: GridFields, alias: str, cleaning: CleaningConfig) -> bool:
    """Say whether a model of a frequency reads a series aggregated."""
    if cleaning.aggregate is None or is_of_frequency(row, alias):
        return False
    return nests(parse_frequency(row.freq), parse_frequency(cleaning.aggregate.freq))


def select_aggregated(rows: Sequence[SeriesRow], alias: str, cleaning: CleaningConfig) -> list[SeriesRow]:
    """Return the rows of the series that a model of a frequency reads aggregated."""
    return [row for row in rows if is_aggregated(row, alias, cleaning)] if cleaning.aggregate is not None else []


def build_read_grid(row: GridFields, alias: str, cleaning: CleaningConfig) -> Grid:
    """Return the grid on which a model of a frequency reads a series that has observations."""
    grid = build_grid(row)
    if cleaning.aggregate is None or not is_aggregated(row, alias, cleaning):
        return grid
    return build_coarse_grid(grid, parse_frequency(cleaning.aggregate.freq))


def count_read_steps(row: SeriesRow, steps: int, cleaning: CleaningConfig) -> int:
    """Return about how many steps a model reads of a series of so many: fewer, where it aggregates them."""
    if cleaning.aggregate is None:
        return steps
    share = parse_frequency(row.freq).approximate_us / parse_frequency(cleaning.aggregate.freq).approximate_us
    return int(steps * min(share, 1.0))


def find_last_moment(grid: Grid, limit: int) -> int:
    """Return the last microsecond of the newest step of a coarse grid whose stamp is not after a limit."""
    step = int(locate_steps(grid, np.array([limit], np.int64))[0])
    while int(grid.stamps(np.array([step + 1], np.int64))[0]) <= limit:
        step += 1
    while int(grid.stamps(np.array([step], np.int64))[0]) > limit:
        step -= 1
    return int(compute_edges(grid, step, step + 1)[1]) - 1


def aggregate_context(series: Series, cleaning: CleaningConfig, length: int) -> Series | None:
    """Return the last `length` steps of an aggregated series up to the last full one; None where no step is full."""
    whole = aggregate_series(series, cleaning).series
    if not len(whole.y):
        return None
    return keep_last(whole, length)


def load_aggregated_contexts(
    session: Session,
    scope: Scope,
    rows: Sequence[SeriesRow],
    origins: Mapping[int, int],
    config: Config,
) -> list[Series]:
    """Return what a model reads of series that it aggregates: its last steps up to the last full one, with covariates
    over the horizon; series without a full step are left out.

    Args:
        origins: {series_pk: stamp of the last value of its own frequency that may be seen}
    """
    cleaning = config.cleaning
    length = config.network.context_length
    contexts: list[Series] = []
    for row in rows:
        grid = _build_coarse_grid(row, cleaning)
        newest = int(locate_steps(grid, np.array([origins[row.pk]], np.int64))[0])
        # twice as many, since the newest steps may lack values, and are no origins
        first = _find_first_read(row, grid, newest - 2 * length, cleaning)
        span = {row.pk: (first, origins[row.pk])}
        ahead = _count_ahead(row, cleaning, config.horizon)
        loaded = panels.load_between(session, scope, [row], span, config.covariates, ahead)
        context = aggregate_context(loaded[0], cleaning, length) if loaded else None
        if context is not None:
            contexts.append(context)
    return contexts


def load_steps(
    session: Session,
    scope: Scope,
    rows: Sequence[SeriesRow],
    spans: Spans,
    alias: str,
    roles: CovariateConfig,
    cleaning: CleaningConfig,
    horizon: int,
) -> list[Series]:
    """Return some steps of each series as a model of a frequency reads them, with covariates so many steps further.

    Series without a value there are left out.
    """
    finer = select_aggregated(rows, alias, cleaning)
    coarse = {row.pk for row in finer}
    own = [row for row in rows if row.pk not in coarse]
    stamps = {row.pk: _find_stamps(build_grid(row), spans[row.pk]) for row in own}
    loaded = panels.load_between(session, scope, own, stamps, roles, horizon) if own else []
    for row in finer:
        grid = _build_coarse_grid(row, cleaning)
        first, last = spans[row.pk]
        begin = _find_first_read(row, grid, first, cleaning)
        end = int(compute_edges(grid, last, last + 1)[1]) - 1
        ahead = _count_ahead(row, cleaning, horizon)
        fine = panels.load_between(session, scope, [row], {row.pk: (begin, end)}, roles, ahead)
        if fine:
            whole = aggregate_series(fine[0], cleaning).series
            loaded += [_cut_before(whole, first)] if len(whole.y) and whole.start + len(whole.y) > first else []
    order = {row.id: number for number, row in enumerate(rows)}
    return sorted(loaded, key=lambda series: order[series.id])


def load_aggregated_points(
    session: Session, row: SeriesRow, stamps: tuple[int, int], cleaning: CleaningConfig
) -> Points:
    """Return the full steps of an aggregated series between two stamps of its coarse grid."""
    grid = _build_coarse_grid(row, cleaning)
    first, last = grid.locate(np.array(stamps, np.int64))[0].tolist()
    begin = _find_first_read(row, grid, first, cleaning)
    end = int(compute_edges(grid, last, last + 1)[1]) - 1
    points = load_points(session, {row.pk: (begin, end)})[row.pk]
    if not len(points.ts):
        return points
    whole = aggregate_series(panels.build_series(row, points), cleaning).series
    return Points(whole.stamps(0, len(whole.y)), whole.y)


def add_aggregated_covariates(
    session: Session, scope: Scope, row: SeriesRow, series: Series, config: Config, roles: CovariateConfig
) -> Series:
    """Return an aggregated series with the covariates of other roles, as they are stored now."""
    length = len(series.y)
    spans = {row.pk: (series.start, series.start + length - 1)}
    loaded = load_steps(session, scope, [row], spans, config.frequency, roles, config.cleaning, config.horizon)
    if not loaded:
        return series
    shift = loaded[0].start - series.start
    columns = {
        name: panels.spread(shift + np.arange(len(values)), values, length + config.horizon)
        for name, values in loaded[0].covariates.items()
    }
    return replace(series, covariates=columns, static=loaded[0].static)


def load_fine_histories(
    session: Session,
    scope: Scope,
    rows: Sequence[SeriesRow],
    roles: CovariateConfig,
    cleaning: CleaningConfig,
    horizon: int,
) -> list[Series]:
    """Return the whole of series that are to be aggregated, and their covariates up to so many coarse steps further."""
    ahead = max(_count_ahead(row, cleaning, horizon) for row in rows)
    return panels.load_histories(session, scope, rows, roles, ahead)


def _cut_before(series: Series, first: int) -> Series:
    """Return a series from a step of its grid on."""
    skipped = max(0, first - series.start)
    columns = {name: values[skipped:] for name, values in series.covariates.items()}
    return replace(series, y=series.y[skipped:], start=series.start + skipped, covariates=columns)


def _build_coarse_grid(row: SeriesRow, cleaning: CleaningConfig) -> Grid:
    assert cleaning.aggregate is not None, "the series is aggregated"
    return build_coarse_grid(build_grid(row), parse_frequency(cleaning.aggregate.freq))


def _find_first_read(row: SeriesRow, grid: Grid, step: int, cleaning: CleaningConfig) -> int:
    """Return the first stamp that the coarse steps from `step` on are made of: gaps are filled from a season before."""
    begin = int(compute_edges(grid, step, step + 1)[0])
    if cleaning.gaps != "season":
        return begin
    fine = build_grid(row)
    position = fine.locate_one(begin) - fine.frequency.season
    return int(fine.stamps(np.array([position], np.int64))[0])


def _count_ahead(row: SeriesRow, cleaning: CleaningConfig, horizon: int) -> int:
    """Return the fine steps in which covariates over a horizon of coarse ones lie."""
    assert cleaning.aggregate is not None, "the series is aggregated"
    return (horizon + 1) * count_margin(parse_frequency(row.freq), parse_frequency(cleaning.aggregate.freq))


def _find_stamps(grid: Grid, span: tuple[int, int]) -> tuple[int, int]:
    first, last = grid.stamps(np.array(span, np.int64)).tolist()
    return first, last
