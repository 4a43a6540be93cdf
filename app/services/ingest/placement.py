"""Where the rows of a series lie in time: their timestamps, its frequency, and the grid that it has or gets."""

from dataclasses import dataclass, replace

import numpy as np

from app.services.ingest.plans import SeriesPlan, plan_series
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.ingest.timestamps import check_grid, convert_ds, has_frequency
from models.arrays import Ints
from models.calendar.iso import Mask, WrittenTimes
from models.calendar.timestamps import Stamps

MOST_KNOWN = 1_000_000
"""rows of the calendars that are remembered"""
LONGEST_KNOWN = 10_000
"""rows of one of them"""


@dataclass(frozen=True)
class Placement:
    """The timestamps of a series' rows (N,), and what the series is or is to be."""

    plan: SeriesPlan
    stamps: Stamps
    """(N,) UTC microseconds"""
    good: Mask | None
    """(N,) the rows that are right; None where all are, and ascend"""


class Placer:
    """Places the rows of one series after another; series of one calendar, such as those of a panel, share the work."""

    def __init__(self, options: ImportOptions, report: ImportReport) -> None:
        self._options = options
        self._report = report
        self._known: dict[tuple[object, ...], Placement] = {}
        self._rows = 0

    def place(self, series_id: str, stored: SeriesPlan | None, rows: Ints, times: WrittenTimes) -> Placement | None:
        """Return where rows (N,) lie, or None where none can be; bad ones are rejected.

        `times.wall` holds integer steps where the options have `ds_start`. Raises Invalid for a bad `ds_start`.
        """
        if len(rows) > LONGEST_KNOWN:
            return self._place(series_id, stored, rows, times)
        key = _make_key(stored, times)
        known = self._known.get(key)
        if known is not None:
            plan = SeriesPlan(series_id, known.plan.freq, known.plan.timezone, known.plan.anchor)
            if stored is not None:
                plan = replace(stored, anchor=known.plan.anchor)
            return replace(known, plan=plan)
        placement = self._place(series_id, stored, rows, times)
        if placement is not None and placement.good is None and series_id not in self._report.assumed:
            self._remember(key, placement)
        return placement

    def _remember(self, key: tuple[object, ...], placement: Placement) -> None:
        self._rows += len(placement.stamps)
        if self._rows > MOST_KNOWN:
            self._known.clear()
            self._rows = len(placement.stamps)
        self._known[key] = placement

    def _place(self, series_id: str, stored: SeriesPlan | None, rows: Ints, times: WrittenTimes) -> Placement | None:
        options = self._options
        report = self._report
        ds = convert_ds(times, rows, stored, options)
        report.reject(ds.errors)
        good = ~np.isin(rows, [error.row for error in ds.errors]) if ds.errors else np.ones(len(rows), np.bool_)
        if not good.any():
            return None
        plan = stored
        if plan is None:
            plan = plan_series(series_id, ds.select(good), rows[good], options, report)
        if plan is None or not has_frequency(plan, rows[good], options, report):
            return None
        off_grid = check_grid(plan, ds.select(good), rows[good], options)
        report.reject(off_grid)
        if off_grid:
            good &= ~np.isin(rows, [error.row for error in off_grid])
        if not good.any():
            return None
        ascends = bool(good.all() and (np.diff(ds.stamps) > 0).all())
        return Placement(plan, ds.stamps, None if ascends else good)


def _make_key(stored: SeriesPlan | None, times: WrittenTimes) -> tuple[object, ...]:
    fields = None if stored is None else (stored.freq, stored.timezone, stored.anchor)
    return fields, times.wall.tobytes(), times.offset.tobytes(), times.naive.tobytes(), times.dates.tobytes()
