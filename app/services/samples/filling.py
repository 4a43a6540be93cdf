"""Filling the steps of series: what they had is read, samples are taken in, and what that makes is written.

The step of a series that is being filled stands in `fed_steps` alone. It becomes an observation with the first sample
of a later step, or when `closing` finds that nothing more has come: so no model ever reads half a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.services.durations import SECOND_US
from app.services.samples.book import Rule
from app.services.samples.folding import (
    RATE,
    FilledSeries,
    FoldedSteps,
    NewSamples,
    StepKeys,
    find_repeated,
    fold,
    join_steps,
    select_steps,
)
from app.services.samples.steps import StepTimes, locate_times, make_grid
from app.storage import fed_steps
from app.storage.bulk import BulkPoints, upsert_points
from app.storage.bulk_cells import NEVER
from app.storage.fed_steps import StepRows
from app.storage.ingest_rules import LockedSeries
from models.arrays import Floats, Ints
from models.calendar.grid import Grid

CLOSING_PRECISION = 60 * SECOND_US
"""closing times are rounded up to that, so that most stay as they are from one write to the next"""


@dataclass(frozen=True)
class FedBy:
    """A locked series, and the rule that feeds it now."""

    row: LockedSeries
    rule: Rule

    @property
    def grid(self) -> tuple[str, str, int]:
        """What `make_grid` makes its grid of."""
        assert self.row.anchor is not None, "a series that is fed has a grid"
        return self.row.freq, self.row.timezone, self.row.anchor


class Filling:
    """The steps of some locked series, into which samples come."""

    def __init__(self, session: Session, fed: Sequence[FedBy], moment: int) -> None:
        """Read what the series have; `moment` is now."""
        self._session = session
        self._moment = moment
        self._fed = sorted(fed, key=lambda one: one.row.pk)
        self.pk = np.array([one.row.pk for one in self._fed], np.int64)
        """of the series (S,), ascending"""
        self._late = np.array([one.rule.late for one in self._fed], np.int64)
        self._aggregate = np.array([one.rule.aggregate for one in self._fed], np.str_)
        self._grids, self._grid_of = _group_by_grid(self._fed)
        self._newest = self._load_newest()
        at = np.searchsorted(self.pk, self._newest.pk)
        self._newest_step = np.full(len(self.pk), NEVER)
        self._newest_time = np.full(len(self.pk), NEVER)
        self._final_before = np.full(len(self.pk), NEVER)
        self._newest_step[at] = self._newest.ts
        self._newest_time[at] = np.minimum(self._newest.newest, moment)  # a clock that is fast makes no other late
        self._final_before[at] = self._newest.final_before

    def run(self, place: Ints, source: Ints, ts: Ints, values: Floats) -> NDArray[np.bool_]:
        """Take samples (N,) in; return which of them (N,) are too late for that.

        Args:
            place: of their series in `pk`
            source: digests of their labels
            ts: microseconds UTC
            values: finite
        """
        times = self._locate(ts, place)
        limit = np.where(self._newest_time == NEVER, NEVER, self._newest_time - self._late)
        is_late: NDArray[np.bool_] = (ts < limit[place]) | (times.ts < self._final_before[place])
        new = NewSamples(place, times.ts, times.end, times.before, times.after, source, ts, values)
        stored = self._load_stored(new.select(~is_late))
        is_late |= find_repeated(stored, new, self.pk)
        if not is_late.all():
            self._store(stored, new.select(~is_late))
        return is_late

    def _locate(self, times: Ints, place: Ints) -> StepTimes:
        """Return the steps of times (N,) of the series at places (N,)."""
        if len(self._grids) == 1:
            return locate_times(self._grids[0], times)
        columns = [np.empty(len(times), np.int64) for _ in range(4)]
        for number, grid in enumerate(self._grids):
            mine = np.flatnonzero(self._grid_of[place] == number)
            if len(mine):
                found = locate_times(grid, times[mine])
                for column, part in zip(columns, (found.ts, found.end, found.before, found.after), strict=True):
                    column[mine] = part
        return StepTimes(*columns)

    def _load_newest(self) -> StepRows:
        """Return the newest step of each series. One that is on no step of the grid any more is deleted: somebody has
        deleted all observations, and sent others of another phase."""
        rows = fed_steps.load_newest(self._session, self.pk)
        is_on = self._locate(rows.ts, np.searchsorted(self.pk, rows.pk)).ts == rows.ts
        if is_on.all():
            return rows
        off = rows.pk[~is_on]
        fed_steps.remove_before(self._session, off, np.full(len(off), np.iinfo(np.int64).max))
        return select_steps(rows, is_on)

    def _load_stored(self, new: NewSamples) -> StepRows:
        """Return the newest steps, and of the others those that samples come into; of a rate those beside them too."""
        pk = self.pk[new.place]
        newest = self._newest_step[new.place]
        is_rate = self._aggregate[new.place] == RATE
        wanted = [(new.step, new.step < newest)]
        if is_rate.any():
            wanted += [(beside, is_rate & (beside < newest)) for beside in (new.before, new.after)]
        keys = StepKeys(
            np.concatenate([pk[chosen] for _, chosen in wanted]),
            np.concatenate([ts[chosen] for ts, chosen in wanted]),
        )
        if not len(keys.pk):
            return self._newest
        return join_steps(self._newest, fed_steps.load_at(self._session, keys.pk, keys.ts))

    def _store(self, stored: StepRows, new: NewSamples) -> None:
        latest = self._newest_time.copy()
        np.maximum.at(latest, new.place, np.minimum(new.ts, self._moment))
        cut = latest - self._late
        steps = fold(stored, new, FilledSeries(self.pk, self._aggregate, cut))
        closes_at = self._find_closings(steps, new.end)
        forgotten_before = self._find_forgotten(steps, cut)
        is_new = steps.changed | (closes_at != steps.rows.closes_at)
        rows = replace(steps.rows, closes_at=closes_at, final_before=forgotten_before[steps.of_series])
        is_kept = rows.ts >= forgotten_before[steps.of_series]
        fed_steps.upsert(self._session, select_steps(rows, is_new & is_kept))
        moved = np.flatnonzero(forgotten_before > self._final_before)
        fed_steps.remove_before(self._session, self.pk[moved], forgotten_before[moved])
        is_observed = is_new & (closes_at == 0) & np.isfinite(rows.y)
        points = BulkPoints(rows.pk[is_observed], rows.ts[is_observed], rows.y[is_observed])
        upsert_points(self._session, [one.row for one in self._fed], points)

    def _find_closings(self, steps: FoldedSteps, end: Ints) -> Ints:
        """Return when each step (R,) closes, 0 where it is closed: each but the last of its series, and that too where
        it was closed before. `end` (N,) is where the step of each new sample ends."""
        rows = steps.rows
        is_last = np.append(np.diff(rows.pk) != 0, True)
        ends = np.zeros(len(rows.pk), np.int64)
        ends[steps.of_new] = end
        is_touched = np.zeros(len(rows.pk), np.bool_)
        is_touched[steps.of_new] = True
        was_newest = rows.ts == self._newest_step[steps.of_series]
        is_filling = is_last & is_touched & ~(was_newest & (rows.closes_at == 0))
        closes_at: Ints = np.where(is_last, rows.closes_at, 0)
        due = np.maximum(ends, self._moment) + self._late[steps.of_series]
        closes_at[is_filling] = (-(-due // CLOSING_PRECISION) * CLOSING_PRECISION)[is_filling]
        return closes_at

    def _find_forgotten(self, steps: FoldedSteps, cut: Ints) -> Ints:
        """Return the stamps (S,) before which what steps were made of is forgotten: where a series has a new step, that
        is all but the step in which a sample may still come, and the one before it, from which a rate goes on."""
        last = np.full(len(self.pk), NEVER)
        np.maximum.at(last, steps.of_series, steps.rows.ts)
        ahead = np.flatnonzero(last > self._newest_step)
        forgotten = np.full(len(self.pk), NEVER)
        forgotten[ahead] = self._locate(cut[ahead], ahead).before
        forgotten_before: Ints = np.maximum(forgotten, self._final_before)
        return forgotten_before


def _group_by_grid(fed: Sequence[FedBy]) -> tuple[list[Grid], Ints]:
    """Return the distinct grids of series (S,), and the number of each one's (S,)."""
    numbers: dict[tuple[str, str, int], int] = {}
    of_series = [numbers.setdefault(one.grid, len(numbers)) for one in fed]
    return [make_grid(*key) for key in numbers], np.array(of_series, np.int64)
