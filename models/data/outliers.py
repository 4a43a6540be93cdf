"""Outliers that a network must not read: single values, or two or three in a row, far beyond all else in the context.

They are a sensor's faults, not the demand of a rare day: what has happened often in the context or comes with a season,
lasts longer than three steps, comes with a covariate that is out of the ordinary too, or begins the context, is left as
it is. Nothing after the origin is seen. Shapes: T context, B windows.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints, find_missing
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.series import Series
from models.data.windows import slice_padded

Mask = NDArray[np.bool_]

# By judgement, checked on real series: of 4000 origins each of 13 sets (loads, rentals, rates, weather, prices, sales)
# two at most are told, and what is hidden elsewhere are wind of -9999, prices of 2999 and a rate of another week.
LEAST_VALUES = 20
"""observed values of a context, from which on there is an ordinary"""
LONGEST_RUN = 3
"""outliers in a row: four are a new level"""
MOST_VALUES = 6
"""outliers of a context"""
FAR = 5.0
"""Ranges of all other values by which an outlier lies beyond them"""
FAR_AT_END = 1.5
"""the same for outliers that the context ends with, which harm most: that the largest comes last is rare"""
FAR_ALONE = 50.0
"""The same where the context holds no other value of the same phase of a season, so that it may come with that, and
where most values are zero, as in intermittent demand"""
FAR_FROM_USUAL = 20.0
"""Multiples of the commonest value, where most values equal it: its own size is the only measure"""
SPLITS = sorted(
    ((low, high) for low in range(MOST_VALUES + 1) for high in range(MOST_VALUES + 1 - low) if low + high),
    key=sum,
    reverse=True,
)
"""how many of the least and of the greatest values may be outliers, most of them first"""
REASON = 0.5
"""Ranges of a covariate's other numbers by which one lies beyond them that explains an outlier: a count of days, which
is always beyond, explains none"""
AT_ONCE = 256
"""contexts that are looked at together, for the sake of memory"""
AT_ORIGIN = 3
"""last steps in which an outlier is told to the user"""


class Company(Enum):
    """The values of the same phases of a season as those that may be outliers."""

    ordinary = auto()
    alike = auto()
    """half of them for some phase at least: the season has such values"""
    none = auto()
    """there are none for some phase"""


def hide_all(series: Sequence[Series], origins: Ints, config: Config) -> tuple[list[Series], Mask]:
    """Return the series of windows without the outliers of their contexts, and which had one near the origin (B,)."""
    hidden = list(series)
    near = np.zeros(len(hidden), np.bool_)
    length = config.network.context_length
    for first in range(0, len(hidden), AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        pairs = zip(hidden[rows], origins[rows].tolist(), strict=True)
        contexts = np.stack([slice_padded(item.y, o + 1 - length, o + 1) for item, o in pairs])  # (B, T)
        for row in (first + np.flatnonzero(may_have_spikes(contexts))).tolist():
            hidden[row], near[row] = hide_outliers(hidden[row], int(origins[row]), config)
    return hidden, near


def hide_outliers(series: Series, origin: int, config: Config) -> tuple[Series, bool]:
    """Return a series without the outliers of the context that ends at `origin`, and whether one is near that.

    A model that clips outliers reads them, and clips them.
    """
    begin = max(0, origin + 1 - config.network.context_length)
    outliers = find_spikes(series.y[begin : origin + 1], config.network.season_lengths)
    if not outliers.any():
        return series, False
    positions = begin + np.flatnonzero(outliers)
    if _has_reason(series, positions, begin, origin + 1, config.covariates):
        return series, False
    is_near = bool(positions[-1] > origin - AT_ORIGIN)
    if config.cleaning.outliers == "clip":
        return series, is_near
    y = series.y.copy()
    y[positions] = np.nan
    return replace(series, y=y), is_near


def _has_reason(series: Series, positions: Ints, begin: int, end: int, roles: CovariateConfig) -> bool:
    """Say whether a covariate is out of the ordinary at one of the positions, too: a text that it has nowhere else in
    the context, or a number well beyond all others."""
    for name in roles.known_future:
        column = series.covariates.get(name, np.empty(0))[begin:end]
        at = positions[positions < begin + len(column)] - begin
        there = column[at][~find_missing(column[at])]
        rest = np.delete(column, at)
        rest = rest[~find_missing(rest)]
        if rest.dtype != np.float64:
            if set(there.tolist()) - set(rest.tolist()):
                return True
        elif len(there) and len(rest):
            reach = REASON * (rest.max() - rest.min())
            if rest.min() - there.min() > reach or there.max() - rest.max() > reach:
                return True
    return False


def find_spikes(y: Floats, seasons: Sequence[int] = ()) -> Mask:
    """Find the outliers of a context (T,), of a frequency with seasons of so many steps: (T,)."""
    outliers = np.zeros(len(y), np.bool_)
    seen = np.flatnonzero(~np.isnan(y))
    values = y[seen]
    if len(values) < LEAST_VALUES or not np.isfinite(values).all():
        return outliers
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    for low, high in _list_splits(ordered):
        chosen = np.sort(np.concatenate([order[:low], order[len(order) - high :]]))
        if _are_spikes(ordered, low, high, chosen, _find_company(y, seen[chosen], seasons)):
            outliers[seen[chosen]] = True
            break
    return outliers


def may_have_spikes(y: Floats) -> Mask:
    """Say of contexts (B, T) whether any of their values lie as far from the others as an outlier must, (B,): a quick
    look at all of them, which few pass."""
    if y.shape[1] < LEAST_VALUES:
        return np.zeros(len(y), np.bool_)
    ordered = np.sort(y, axis=1)  # NaN last
    count = (~np.isnan(ordered)).sum(1)
    from_end = count[:, None] - 1 - np.arange(MOST_VALUES + 1)
    least = ordered[:, : MOST_VALUES + 1].T
    greatest = np.take_along_axis(ordered, from_end.clip(0), 1).T
    low, high = np.array(SPLITS).T  # (S,) each
    with np.errstate(invalid="ignore"):  # infinite values, which are an error of their own
        first = least[low]  # (S, B)
        last = greatest[high]
        usual = np.where(first == 0, np.inf, FAR_FROM_USUAL * np.abs(first))
        reach = np.where(last > first, FAR_AT_END * (last - first), usual)
        is_low = (low == 0)[:, None] | (first - least[low - 1] > reach)
        is_high = (high == 0)[:, None] | (greatest[high - 1] - last > reach)
    found: Mask = (is_low & is_high).any(0) & (count >= LEAST_VALUES)
    return found


def _list_splits(ordered: Floats) -> list[tuple[int, int]]:
    """List how many of the least and of the greatest values (N,) may be outliers, most of them first.

    All of them lie beyond a gap of FAR_AT_END ranges of the others at least.
    """
    splits: list[tuple[int, int]] = []
    for low, high in SPLITS:
        rest = ordered[low : len(ordered) - high]
        reach = FAR_AT_END * (rest[-1] - rest[0])
        is_low = low == 0 or rest[0] - ordered[low - 1] > reach
        is_high = high == 0 or ordered[len(ordered) - high] - rest[-1] > reach
        if is_low and is_high:
            splits.append((low, high))
    return splits


def _find_company(y: Floats, positions: Ints, seasons: Sequence[int]) -> Company:
    """Find what the values (T,) of the same phases as some positions are."""
    company = Company.ordinary
    taken = np.zeros(len(y), np.bool_)
    taken[positions] = True
    seen = ~np.isnan(y)
    for season in seasons:
        if season >= len(y):
            break
        for position in positions.tolist():
            phase = np.arange(position % season, len(y), season)
            others = phase[seen[phase] & (phase != position)]
            if not len(others):
                company = Company.none
            elif 2 * np.count_nonzero(taken[others]) >= len(others):
                return Company.alike
    return company


def _are_spikes(ordered: Floats, low: int, high: int, chosen: Ints, company: Company) -> bool:
    """Say whether so many of the least and of the greatest of all values (N,), which stand at the places `chosen` in
    time, are outliers."""
    runs = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    if chosen[0] == 0 or max(map(len, runs)) > LONGEST_RUN or company is Company.alike:
        return False
    rest = ordered[low : len(ordered) - high]
    distances = [rest[0] - ordered[low - 1]] if low else []
    distances += [ordered[len(ordered) - high] - rest[-1]] if high else []
    distance = float(min(distances))
    usual = float(np.median(rest))
    at_end = len(runs) == 1 and chosen[-1] == len(ordered) - 1
    ranges = FAR_AT_END if at_end else FAR
    if company is Company.none:
        ranges = FAR_ALONE
    if float(np.median(np.abs(rest - usual))) == 0:  # most values are the same
        if usual == 0:
            ranges = FAR_ALONE
            if np.count_nonzero(rest) < LEAST_VALUES // 2:
                return False
        elif distance < FAR_FROM_USUAL * abs(usual):
            return False
    return distance > ranges * float(rest[-1] - rest[0])
