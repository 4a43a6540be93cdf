"""Checks of a series' steps: gaps, frequency, clock changes, and length."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats
from models.calendar.timestamps import to_local
from models.data.preflight import LEAST_VALUES
from models.data.series import Series
from models.health.check import Finding, find_runs, list_points, list_spans

MANY_GAPS = 0.2
"""share of missing steps from which on gaps are a warning; a judgement"""


@dataclass(frozen=True)
class HistoryNeeds:
    """What a model would need of a series."""

    horizon: int
    context_length: int


def check_duplicates() -> Finding:
    """Say that a stored series has none: the database keeps one row for each time."""
    return Finding("duplicates", "ok", "every timestamp stands once: a second value of a time replaces the first")


def check_gaps(y: Floats) -> Finding:
    """Find the missing steps of y (T,)."""
    runs = find_runs(np.isnan(y))
    missing = int(np.isnan(y).sum())
    if not missing:
        return Finding("gaps", "ok", "no step between the first and the last value is missing")
    longest = int((runs[:, 1] - runs[:, 0]).max()) + 1
    share = missing / len(y)
    where = f"in {len(runs)} gaps; the longest has {longest}" if len(runs) > 1 else "in one gap"
    detail = f"{missing} of {len(y)} steps are missing ({share:.1%}), {where}"
    return Finding(
        "gaps",
        "warning" if share > MANY_GAPS else "info",
        detail,
        list_spans(runs),
        "missing steps stay missing: the network reads which they are, and no error is computed there",
        "cleaning.gaps in POST /train fills them in what the network reads; POST /series/{id}/observations, where "
        "their values are known",
    )


def check_steps(series: Series) -> Finding:
    """Compare the frequency with the commonest distance of two observed values."""
    present = np.flatnonzero(~np.isnan(series.y))
    alias = series.grid.frequency.alias
    if len(present) < LEAST_VALUES:
        return Finding("off_grid", "ok", f"every value lies on the grid of {alias!r}")
    steps, counts = np.unique(np.diff(present), return_counts=True)
    common = int(steps[np.argmax(counts)])
    share = counts.max() / (len(present) - 1)
    if common == 1:
        detail = f"every value lies on the grid of {alias!r}, and {share:.1%} of the steps between values are one of it"
        return Finding("off_grid", "ok", detail)
    return Finding(
        "off_grid",
        "warning",
        f"the frequency is {alias!r}, but {share:.1%} of the values come {common} steps after the one before",
        (),
        "the steps between are taken as missing",
        "delete the observations, PUT /series/{id} with the longer freq, and send them again; cleaning.aggregate in "
        "POST /train, where only some values are so far apart",
    )


def check_clock_changes(series: Series) -> Finding:
    """List the steps after which the offset of the timezone differs."""
    grid = series.grid
    if grid.timezone == "UTC" or not len(series.y):
        return Finding("dst", "ok", f"the clock of {grid.timezone} never changes within the series")
    stamps = series.stamps(0, len(series.y))
    changed = np.flatnonzero(np.diff(to_local(stamps, grid.timezone) - stamps)) + 1
    if not len(changed):
        return Finding("dst", "ok", f"the clock of {grid.timezone} never changes within the series")
    tick = grid.frequency.kind == "tick"
    training = "steps are local days or longer: each begins at the same time of the clock"
    if tick:
        training = (
            "such a day has an hour more or less, and seasons follow the local clock, unless the changes show that the "
            "series does not, which config.off_clock of the version then names"
        )
    times = "once" if len(changed) == 1 else f"{len(changed)} times"
    detail = f"the clock of {grid.timezone} changes {times} within the series"
    option = "timezone of the series"
    if tick:
        option += "; cleaning.aggregate in POST /train makes whole local days of it"
    return Finding("dst", "info", detail, list_points(changed), training, option)


def check_length(y: Floats, needs: HistoryNeeds) -> Finding:
    """Compare the history with what horizon, context and the three spans need."""
    observed = int((~np.isnan(y)).sum())
    length = len(y)
    if observed < LEAST_VALUES:
        detail = f"{observed} observed values, and a training needs {LEAST_VALUES}"
        return Finding("short_history", "error", detail, (), "the series is left out", "send more observations")
    horizon = needs.horizon
    gated = max(2, min(horizon, length // 3)) + 3 * horizon
    if length < gated:
        return Finding(
            "short_history",
            "warning",
            f"{length} steps; with a horizon of {horizon}, {gated} are needed to hold data back for a judgement",
            (),
            "the first version goes live without having been judged on data that it has not seen, and says `ungated`",
            "a shorter horizon, or more history",
        )
    if length < needs.context_length + horizon:
        return Finding(
            "short_history",
            "info",
            f"{length} steps, fewer than a context of {needs.context_length} and a horizon of {horizon}",
            (),
            "contexts are filled up with missing values",
            "network.context_length in POST /train",
        )
    return Finding("short_history", "ok", f"{length} steps are enough for a horizon of {horizon}")
