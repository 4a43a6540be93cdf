"""What the values of a panel say of its forecasts: signs, counts, repetition."""

from typing import Any

import numpy as np

from models.arrays import ROUNDING, Floats, measure_size
from models.data.series import Panel


def find_signs(panel: Panel) -> dict[str, Any]:
    """Return the fields `nonnegative` and `signed` of a Config: whether any series of a panel has no value below zero,
    and then which others have one."""
    signed = tuple(series.id for series in panel.series if bool((series.y < 0).any()))
    nonnegative = len(signed) < len(panel.series)
    return {"nonnegative": nonnegative, "signed": signed if nonnegative else ()}


def is_whole(panel: Panel) -> bool:
    """Say whether all observed values of a panel are whole numbers, as counts are."""
    return all(bool((np.isnan(series.y) | (series.y == np.rint(series.y))).all()) for series in panel.series)


def is_intermittent(panel: Panel) -> bool:
    """Say whether most values of a panel of whole numbers are zero."""
    observed = np.concatenate([series.y[~np.isnan(series.y)] for series in panel.series])
    zeros = int((observed == 0).sum())
    return is_whole(panel) and len(observed) > zeros > 0.5 * len(observed) and bool((observed >= 0).all())


def is_repeating(panel: Panel) -> bool:
    """Say whether every series of a panel repeats itself each season, up to rounding."""
    season = panel.frequency.season
    return all(_is_repeating(series.y, season) for series in panel.series)


def _is_repeating(y: Floats, season: int) -> bool:
    changes = np.abs(y[season:] - y[:-season])
    seen = changes[~np.isnan(changes)]
    return bool(seen.size) and float(seen.max()) <= ROUNDING * measure_size(y)
