"""Checks of a series' values: constant stretches, zeros, negative values, sparse demand and outliers."""

import numpy as np
import pandas as pd

from models.arrays import Floats, Ints
from models.health.check import Finding, find_runs, list_points, list_spans

OUTLIER_DEVIATIONS = 10.0
"""standard deviations from the local median that make an outlier; far, since demand has heavy tails"""
LEAST_WINDOW = 25
"""steps of the window of the local median at least"""
LEAST_CONSTANT = 24
"""steps of a stretch of one value at least"""
SPARSE_INTERVAL = 1.32
"""mean steps between two values that are not zero from which on a series is intermittent (Syntetos, Boylan and Croston
2005, "On the categorization of demand patterns")"""
NORMAL_MAD = 1.4826
"""standard deviations of a normal distribution in its median absolute deviation, inverted"""


def check_constant(y: Floats, season: int) -> Finding:
    """Find stretches of one value, zeros aside, that last two seasons and 24 steps at least."""
    present = np.flatnonzero(~np.isnan(y))
    values = y[present]
    if len(values) > 1 and (values == values[0]).all():
        detail = f"all {len(values)} values are {values[0]:g}"
        training = "the forecast is that value, with an interval of no width"
        return Finding("constant", "warning", detail, ((int(present[0]), int(present[-1])),), training, None)
    least = max(LEAST_CONSTANT, 2 * season)
    same = find_runs((np.diff(values) == 0) & (values[1:] != 0)) if len(values) > 1 else np.empty((0, 2), np.int64)
    long = same[same[:, 1] - same[:, 0] + 2 >= least]
    if not len(long):
        return Finding("constant", "ok", f"no value other than zero stays the same for {least} steps")
    runs = np.stack([present[long[:, 0]], present[long[:, 1] + 1]], axis=1)
    longest = int((long[:, 1] - long[:, 0]).max()) + 2
    return Finding(
        "constant",
        "info",
        f"{len(runs)} stretches of one value, the longest of {longest}; a sensor that hangs looks like this",
        list_spans(runs),
        "they count as any other values",
        "DELETE /series/{id}/observations with start and end, where they are no real values",
    )


def check_leading_zeros(y: Floats) -> Finding:
    """Find zeros before the first value that is not zero."""
    nonzero = np.flatnonzero((y != 0) & ~np.isnan(y))
    first = int(nonzero[0]) if len(nonzero) else 0
    if first == 0:
        return Finding("leading_zeros", "ok", "the series does not begin with zeros")
    return Finding(
        "leading_zeros",
        "info",
        f"the series begins with zeros or nothing ({first} of {len(y)} steps), as before a product is sold",
        ((0, first - 1),),
        "zeros count as values",
        "DELETE /series/{id}/observations with end, where they mean that nothing was there yet",
    )


def check_negative(y: Floats) -> Finding:
    """Find values below zero."""
    negative = np.flatnonzero(y < 0)
    if not len(negative):
        return Finding("negative", "ok", "no value is negative", (), "no forecast is negative either")
    return Finding(
        "negative",
        "info",
        f"{len(negative)} values are negative, the least is {np.nanmin(y):g}",
        list_spans(find_runs(y < 0)),
        "forecasts may be negative",
        "bounds in POST /train",
    )


def check_intermittent(y: Floats) -> Finding:
    """Compute the mean interval between values that are not zero."""
    observed = ~np.isnan(y)
    demands = int((y[observed] != 0).sum())
    interval = int(observed.sum()) / demands if demands else 1.0
    if interval <= SPARSE_INTERVAL:
        return Finding("intermittent", "ok", "most values are not zero")
    zeros = 1 - demands / int(observed.sum())
    return Finding(
        "intermittent",
        "info",
        f"{zeros:.0%} of the values are zero; a value that is not comes every {interval:.1f} steps",
        (),
        "the median may be zero throughout; the upper quantiles tell of demand",
        "quantiles in POST /train, or cleaning.aggregate for sums of longer steps",
    )


def check_outliers(y: Floats, season: int) -> Finding:
    """Find values far from the median of a window around them, as the Hampel filter does."""
    outliers = find_outliers(y, season)
    if not len(outliers):
        return Finding("outliers", "ok", f"no value lies {OUTLIER_DEVIATIONS:g} deviations from the median around it")
    return Finding(
        "outliers",
        "info",
        f"{len(outliers)} values lie more than {OUTLIER_DEVIATIONS:g} deviations from the median around them",
        list_points(outliers),
        "they count as any other values; the loss and the scalers are robust against single ones",
        "cleaning.outliers in POST /train clips them in what the network reads; DELETE /series/{id}/observations with "
        "start and end, where they are no real values",
    )


def find_outliers(y: Floats, season: int) -> Ints:
    """Return the positions (M,) of values more than OUTLIER_DEVIATIONS from the median of the window around them.

    The deviation is the median absolute one of these distances, in units of a normal distribution's (Hampel 1974). What
    comes back every season, such as a spike on each Saturday, is taken off first.
    """
    distances = y - compute_local_median(y, season)
    if season > 1:
        distances = distances - compute_season_medians(distances, season)
    spread = NORMAL_MAD * float(np.nanmedian(np.abs(distances))) if np.isfinite(distances).any() else 0.0
    if not spread > 0:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.abs(distances) > OUTLIER_DEVIATIONS * spread)


def compute_local_median(y: Floats, season: int) -> Floats:
    """Return the median (T,) of the observed values in a window of two seasons, LEAST_WINDOW at least, around each."""
    window = max(LEAST_WINDOW, 2 * season + 1)
    median: Floats = pd.Series(y).rolling(window, center=True, min_periods=1).median().to_numpy()
    return median


def compute_season_medians(y: Floats, season: int) -> Floats:
    """Return for each step (T,) the median of the observed values at its place in the season."""
    seasons = -(-len(y) // season)
    table = np.full(seasons * season, np.nan)
    table[: len(y)] = y
    medians = pd.DataFrame(table.reshape(seasons, season)).median().to_numpy()  # (season,)
    repeated: Floats = np.tile(medians, seasons)[: len(y)]
    return repeated
