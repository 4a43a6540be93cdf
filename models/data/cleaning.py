"""Cleaning of contexts: what a shift of level has made past is hidden, outliers are clipped, then gaps are filled, each
context by its own values alone.

The same function cleans the windows of training and those of serving, and sees nothing after an origin: a value that
would end a gap is not there before its time has come. Shapes: B windows, T context, N seasons of m steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.data.level_shifts import hide_before_shifts
from models.data.series import Panel, Series, observed_span

CLIP_DEVIATIONS = 10.0
"""standard deviations from the median of its phase beyond which a value is clipped: as far as those that the preflight
calls outliers, since demand has heavy tails"""
NORMAL_MAD = 1.4826
"""standard deviations of a normal distribution in its median absolute deviation, inverted"""
LEAST_VALUES = 8
"""observed values of a context from which on it has limits"""
LEAST_SEASONS = 3
"""seasons of a context from which on each phase has a median of its own: of two, an outlier moves it halfway"""
WINDOWS_AT_ONCE = 1024
"""contexts that are cleaned at once, for the sake of memory"""


def clean_contexts(y: Floats, cleaning: CleaningConfig, season: int) -> Floats:
    """Clean contexts (B, T), NaN where missing, of a frequency whose season has so many steps.

    What was observed is returned as it is where nothing is to be cleaned, without a copy. Nothing is filled before the
    first observed value.
    """
    if cleaning.outliers == "clip":
        y = _clip(y, season)
    if cleaning.gaps == "leave" or not np.isnan(y).any():
        return y
    started = np.logical_or.accumulate(~np.isnan(y), axis=1)
    filled = _fill_by_season(y, season) if cleaning.gaps == "season" else y
    filled = np.where(started, filled, np.nan)
    return _draw_lines(filled)


def clean_for(y: Floats, config: Config) -> Floats:
    """Clean contexts (B, T) as the model of a configuration reads them."""
    if config.level_shifts:
        y = hide_before_shifts(y, config.network.season_in_context)
    if not config.cleaning.changes_contexts:
        return y
    return clean_contexts(y, config.cleaning, config.network.season)


def find_limits(y: Floats, season: int) -> tuple[Floats, Floats]:
    """Return the least and the greatest ordinary value of each step of contexts (B, T): (B, T) each, NaN where none.

    They lie CLIP_DEVIATIONS robust standard deviations around the median of the step's phase in the season. That
    deviation is the median absolute one from these medians, in units of a normal distribution's: the identifier of
    Hampel (1974, "The influence curve and its role in robust estimation"), after the season is taken off. A context of
    which more than half repeats itself, such as one of mostly zeros, has no limits.
    """
    centre = _find_medians(y)[:, None]  # (B, 1)
    seasons = y.shape[1] // season
    middle = np.broadcast_to(centre, y.shape)
    if season > 1 and seasons >= LEAST_SEASONS:
        phases = _find_medians(_fold(y, season).swapaxes(1, 2))  # (B, m)
        phases = np.where(np.isnan(phases), centre, phases)
        middle = np.tile(phases, (1, seasons + 1))[:, -y.shape[1] :]
    spread = NORMAL_MAD * _find_medians(np.abs(y - middle))[:, None]
    limited = (spread > 0) & ((~np.isnan(y)).sum(1, keepdims=True) >= LEAST_VALUES)
    reach = np.where(limited, CLIP_DEVIATIONS * spread, np.nan)
    return middle - reach, middle + reach


def _clip(y: Floats, season: int) -> Floats:
    low, high = find_limits(y, season)
    clipped: Floats = np.fmin(np.fmax(y, low), high)  # a limit that is NaN is none
    return np.where(np.isnan(y), y, clipped)


def _fold(y: Floats, season: int) -> Floats:
    """Fold contexts (B, T) into seasons (B, N, m), missing values before the first."""
    padding = -y.shape[1] % season
    return np.pad(y, ((0, 0), (padding, 0)), constant_values=np.nan).reshape(len(y), -1, season)


def _find_medians(values: Floats) -> Floats:
    """Return the median of the observed values along the last axis, NaN without any."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = (~np.isnan(values)).sum(-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), -1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), -1)
    medians: Floats = np.where(count > 0, (low + high) / 2, np.nan)[..., 0]
    return medians


def _fill_by_season(y: Floats, season: int) -> Floats:
    """Fill gaps of contexts (B, T) by lines between the values of the same phase; beyond those, by the nearest one."""
    folded = _fold(y, season)  # (B, N, m)
    columns = folded.swapaxes(1, 2).reshape(-1, folded.shape[1])  # (B * m, N)
    filled = _draw_lines(columns, hold=True).reshape(len(y), season, -1).swapaxes(1, 2)
    return filled.reshape(len(y), -1)[:, -y.shape[1] :]


def _draw_lines(values: Floats, *, hold: bool = False) -> Floats:
    """Fill each gap of rows (B, T) by the line between the values on both sides.

    A row's missing end takes the nearest value with `hold`, and stays missing without.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    length = values.shape[1]
    position = np.broadcast_to(np.arange(length), values.shape)
    before = np.maximum.accumulate(np.where(missing, -1, position), axis=1)
    after = np.minimum.accumulate(np.where(missing, length, position)[:, ::-1], axis=1)[:, ::-1]
    left = np.where(before < 0, after, before) if hold else before
    right = np.where(after >= length, before, after) if hold else after
    fillable = missing & (left >= 0) & (left < length) & (right >= 0) & (right < length)
    left = np.clip(left, 0, length - 1)
    right = np.clip(right, 0, length - 1)
    low = np.take_along_axis(values, left, 1)
    high = np.take_along_axis(values, right, 1)
    share = (position - left) / np.maximum(right - left, 1)
    return np.where(fillable, low + (high - low) * share, values)


@dataclass(frozen=True)
class CleaningCounts:
    """What cleaning does to the series of a panel."""

    filled: Mapping[str, int]
    """series id -> steps"""
    clipped: Mapping[str, int]
    """series id -> values"""


def count_cleaned(panel: Panel, config: Config) -> CleaningCounts:
    """Count the steps that are filled and the values that are clipped in each series, every step once: as they are read
    by the context that ends with the series, the one that ends where that begins, and so on."""
    filled: dict[str, int] = {}
    clipped: dict[str, int] = {}
    for item in panel.series:
        first, end = observed_span(item.y)
        windows = _tile(item.y[first:end], config.network.context_length)
        filled[item.id] = 0
        clipped[item.id] = 0
        for at in range(0, len(windows), WINDOWS_AT_ONCE):
            before = windows[at : at + WINDOWS_AT_ONCE]
            after = clean_for(before, config)
            missing = np.isnan(before)
            filled[item.id] += int((missing & ~np.isnan(after)).sum())
            clipped[item.id] += int((~missing & ~np.isnan(after) & (after != before)).sum())
    return CleaningCounts(filled, clipped)


def _tile(y: Floats, length: int) -> NDArray[np.float64]:
    """Cut y (T',) into contexts (B, length) that end with it, missing values before its first."""
    padding = -len(y) % length
    return np.pad(y, (padding, 0), constant_values=np.nan).reshape(-1, length)


def explain_missing(series: Series, cleaning: CleaningConfig) -> str | None:
    """Say why a series has too many gaps to be trained on; None where it has not, or gaps are left."""
    first, end = observed_span(series.y)
    missing = int(np.isnan(series.y[first:end]).sum())
    if cleaning.gaps == "leave" or missing <= cleaning.max_filled * (end - first):
        return None
    return (
        f"{missing} of {end - first} steps are missing ({missing / (end - first):.1%}), and cleaning.max_filled allows "
        f"{cleaning.max_filled:.1%}; raise it, or send gaps: leave"
    )


def refuse_incomplete(series: Sequence[Series], cleaning: CleaningConfig) -> tuple[list[Series], dict[str, str]]:
    """Return the series that have no more gaps than may be filled, and why the others have too many, by id."""
    problems = {item.id: explain_missing(item, cleaning) for item in series}
    refused = {name: problem for name, problem in problems.items() if problem is not None}
    return [item for item in series if item.id not in refused], refused
