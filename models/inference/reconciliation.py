"""Forecasts that add up: minimum-trace reconciliation (MinT, Wickramasuriya et al. 2019) with a shrunk covariance.

Forecasts of series and of their groups are moved as little as possible, in units of how the errors of both varied
together, until every group is the sum of its series. Shapes: N series, G groups, M = N + G of both, H horizon, E
errors.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, find_missing
from models.config.covariates import CovariateConfig
from models.data.series import Series
from models.errors import OffGridError

LEAST_DEVIATION = 1e-3
"""of an error, beside the largest of all"""


def reconcile_mint(series: Floats, groups: Floats, members: Floats, errors: Floats) -> Floats:
    """Return forecasts of the series (N, H) that reconcile those with forecasts of their groups; sums of them are the
    groups'.

    Args:
        series: (N, H).
        groups: (G, H).
        members: (G, N), 1 where a series belongs to a group, else 0.
        errors: (E, M) of earlier forecasts, those of the series first.
    """
    count = len(series)
    covariance = shrink_covariance(errors)
    restrictions = np.concatenate([-members, np.eye(len(groups))], axis=1)  # (G, M), 0 where forecasts add up
    along = covariance @ restrictions.T  # (M, G)
    gap = groups - members @ series  # (G, H)
    # least squares, since groups of the same errors say the same twice
    moved: Floats = series - (along @ np.linalg.lstsq(restrictions @ along, gap, rcond=None)[0])[:count]
    return moved


def shrink_covariance(errors: Floats) -> Floats:
    """Return the second moments (M, M) of errors (E, M), whose correlations are brought nearer to 0 as far as they are
    uncertain (Schäfer and Strimmer 2005).

    Errors are not centred: a forecast that always errs to one side is as little reliable as one that errs to both. Ones
    that are always 0 have a moment that is small beside the others'.
    """
    deviations = np.sqrt((errors**2).mean(axis=0))
    least = max(float(deviations.max(initial=0.0)) * LEAST_DEVIATION, 1e-9)
    deviations = np.maximum(deviations, least)
    z = errors / deviations  # (E, M)
    count = len(z)
    correlation = z.T @ z / count
    squares = (z**2).T @ z**2 / count - correlation**2  # variance of each product
    off = ~np.eye(len(correlation), dtype=bool)
    denominator = float((correlation[off] ** 2).sum())
    share = min(1.0, float(squares[off].sum()) / max(1, count - 1) / denominator) if denominator > 0 else 1.0
    correlation = np.where(off, correlation * (1 - share), 1.0)
    covariance: Floats = correlation * deviations[:, None] * deviations
    return covariance


def sum_series(members: Sequence[Series], name: str, roles: CovariateConfig) -> Series | None:
    """Return the sum of series that end together, under a name; None where they do not, or lie on different grids.

    A series that begins later was 0 before; a step that one of them lacks is missing. Of known-future covariates that
    are numbers the sum has the mean, and of texts, as of static covariates, what all members share.
    """
    first = members[0]
    try:
        starts = [int(first.grid.index(one.stamps(0, 1))[0]) for one in members]
    except OffGridError:
        return None
    end = first.start + len(first.y)
    if any(start + len(one.y) != end for start, one in zip(starts, members, strict=True)):
        return None
    if any(one.grid.frequency != first.grid.frequency or one.grid.timezone != first.grid.timezone for one in members):
        return None
    begin = min(starts)
    total = np.zeros(end - begin)
    for start, one in zip(starts, members, strict=True):
        total[start - begin :] += one.y
    offsets = [start - begin for start in starts]
    columns = {
        name: _join_columns([one.covariates.get(name) for one in members], offsets) for name in roles.known_future
    }
    static = {key: value for key, value in first.static.items() if all(one.static.get(key) == value for one in members)}
    known = {key: values for key, values in columns.items() if values is not None}
    return replace(first, id=name, y=total, start=begin, covariates=known, static=static)


def _join_columns(columns: Sequence[NDArray[Any] | None], offsets: Sequence[int]) -> NDArray[Any] | None:
    """Return a covariate of a sum: the mean of numbers, or the text that all have; None where a member lacks it."""
    present = [column for column in columns if column is not None]
    if len(present) < len(columns):
        return None
    length = min(offset + len(column) for offset, column in zip(offsets, present, strict=True))
    if all(column.dtype == np.float64 for column in present):
        total, count = np.zeros(length), np.zeros(length)
        for offset, column in zip(offsets, present, strict=True):
            values = column[: length - offset]
            total[offset:] += np.nan_to_num(values)
            count[offset:] += ~np.isnan(values)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return _keep_shared(present, offsets, length)


def _keep_shared(columns: Sequence[NDArray[Any]], offsets: Sequence[int], length: int) -> NDArray[Any]:
    """Return texts that all columns have in common, None elsewhere."""
    shared = np.full(length, None, object)
    differs = np.zeros(length, bool)
    for offset, column in zip(offsets, columns, strict=True):
        values = column[: length - offset]
        part = shared[offset:]
        known = ~find_missing(values)
        differs[offset:] |= known & ~find_missing(part) & (part != values)
        part[known] = values[known]
    shared[differs] = None
    return shared
