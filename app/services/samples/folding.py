"""Taking samples into steps: what the steps of some series have, with new samples, and what that makes."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from app.services.samples.summaries import (
    Placed,
    aggregate,
    combine,
    decode,
    encode,
    find_newest,
    join,
    sort_samples,
    summarise,
)
from app.storage.bulk_cells import NEVER
from app.storage.fed_steps import SAMPLE, SUMMARY, StepRows
from models.arrays import Floats, Ints

RATE = "rate"
"""the aggregate that reads the step before, too"""
FOLDED_ABOVE = 512
"""samples of a step, above which those too old to come again are summarised: a day of 15 seconds has 5760"""


@dataclass(frozen=True)
class NewSamples:
    """Samples (N,) of series that are locked."""

    place: Ints
    """of their series among all that are filled"""
    step: Ints
    """stamps of their steps"""
    end: Ints
    """where those end"""
    before: Ints
    """stamps of the steps before them"""
    after: Ints
    """stamps of the steps after them"""
    source: Ints
    ts: Ints
    """microseconds UTC"""
    values: Floats

    def select(self, kept: NDArray[np.bool_]) -> "NewSamples":
        """Return some of them."""
        return NewSamples(*(getattr(self, column.name)[kept] for column in fields(self)))


@dataclass(frozen=True)
class FilledSeries:
    """Series (S,) that are filled, in the order of their keys."""

    pk: Ints
    aggregate: NDArray[np.str_]
    """what the samples of a step make"""
    cut: Ints
    """times before which no sample is taken in from now on"""


@dataclass(frozen=True)
class FoldedSteps:
    """Steps (R,) with their samples, ascending by series and time."""

    rows: StepRows
    """open or closed as they were, and as final"""
    of_series: Ints
    """(R,) the place of each one's series"""
    changed: NDArray[np.bool_]
    """(R,) those that samples have changed"""
    of_new: Ints
    """(N,) where the step of each new sample stands"""


class StepKeys:
    """Finds steps by series and stamp."""

    def __init__(self, pk: Ints, ts: Ints) -> None:
        """Number the distinct steps among (N,) keys, ascending by series and time; `row` (N,) is each one's number."""
        self._series, number = np.unique(pk, return_inverse=True)
        self._stamps, place = np.unique(ts, return_inverse=True)
        self._keys, self.row = np.unique(number * len(self._stamps) + place, return_inverse=True)
        number, place = np.divmod(self._keys, max(1, len(self._stamps)))
        self.pk = self._series[number]
        """(R,)"""
        self.ts = self._stamps[place]
        """(R,)"""

    def find(self, pk: Ints, ts: Ints) -> Ints:
        """Return the numbers (M,) of steps (M,), -1 where one is not among them."""
        if not len(self._keys):
            return np.full(len(pk), -1)
        number = np.minimum(np.searchsorted(self._series, pk), len(self._series) - 1)
        place = np.minimum(np.searchsorted(self._stamps, ts), len(self._stamps) - 1)
        wanted = number * len(self._stamps) + place
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        is_there = (self._series[number] == pk) & (self._stamps[place] == ts) & (self._keys[at] == wanted)
        return np.where(is_there, at, -1)


def find_repeated(stored: StepRows, new: NewSamples, pk: Ints) -> NDArray[np.bool_]:
    """Say which of the new samples (N,) are not newer than what their step has summarised; `pk` (S,) are the series."""
    folded = decode([content or b"" for content in stored.folded], SUMMARY)
    if not len(folded.row):
        return np.zeros(len(new.ts), np.bool_)
    steps = StepKeys(stored.pk, stored.ts)
    ends = np.full(len(steps.pk), NEVER)
    np.maximum.at(ends, steps.row[folded.row], folded.records["last_ts"])
    at = steps.find(pk[new.place], new.step)
    found: NDArray[np.bool_] = (at >= 0) & (new.ts <= ends[at])
    return found


def fold(stored: StepRows, new: NewSamples, series: FilledSeries) -> FoldedSteps:
    """Take new samples, none of which `find_repeated` tells of, into the steps of their series.

    Args:
        stored: the steps that samples come into, where they are there; of `rate` those before and after them too
        new: what comes
        series: those that the samples and the steps are of
    """
    new_pk = series.pk[new.place]
    steps = StepKeys(np.append(stored.pk, new_pk), np.append(stored.ts, new.step))
    of_stored, of_new = np.split(steps.row, [len(stored.pk)])
    of_series = np.searchsorted(series.pk, steps.pk)
    count = len(steps.pk)
    records = np.empty(len(new.ts), SAMPLE)
    records["source"], records["ts"], records["value"] = new.source, new.ts, new.values
    old = decode(list(stored.samples), SAMPLE)
    samples = sort_samples(join(Placed(of_stored[old.row], old.records), Placed(of_new, records)))
    folded = decode([content or b"" for content in stored.folded], SUMMARY)
    order = np.argsort(of_stored[folded.row], kind="stable")
    folded = Placed(of_stored[folded.row][order], folded.records[order])
    samples, folded = _fold_old(samples, folded, series.cut[of_series])
    summaries = combine(folded, summarise(samples))
    kinds = series.aggregate[of_series]
    before, is_touched, is_after = _relate(steps, of_new, new_pk, new)
    changed = is_touched | (is_after & (kinds == RATE))
    y = np.full(count, np.nan)
    y[of_stored] = stored.y
    for kind in np.unique(kinds).tolist():
        mine = changed & (kinds == kind)
        y[mine] = aggregate(kind, summaries, before)[mine]
    closes_at = np.zeros(count, np.int64)
    closes_at[of_stored] = stored.closes_at
    newest = find_newest(summaries, count)
    contents = [content or None for content in encode(folded, count)]
    final_before = np.full(count, NEVER)
    final_before[of_stored] = stored.final_before
    rows = StepRows(steps.pk, steps.ts, y, newest, closes_at, final_before, encode(samples, count), contents)
    return FoldedSteps(rows, of_series, changed, of_new)


def join_steps(one: StepRows, other: StepRows) -> StepRows:
    """Return the steps of both."""
    return StepRows(
        np.append(one.pk, other.pk),
        np.append(one.ts, other.ts),
        np.append(one.y, other.y),
        np.append(one.newest, other.newest),
        np.append(one.closes_at, other.closes_at),
        np.append(one.final_before, other.final_before),
        [*one.samples, *other.samples],
        [*one.folded, *other.folded],
    )


def select_steps(rows: StepRows, kept: NDArray[np.bool_]) -> StepRows:
    """Return some steps."""
    at = np.flatnonzero(kept).tolist()
    return replace(
        rows,
        pk=rows.pk[kept],
        ts=rows.ts[kept],
        y=rows.y[kept],
        newest=rows.newest[kept],
        closes_at=rows.closes_at[kept],
        final_before=rows.final_before[kept],
        samples=[rows.samples[i] for i in at],
        folded=[rows.folded[i] for i in at],
    )


def _relate(
    steps: StepKeys, of_new: Ints, pk: Ints, new: NewSamples
) -> tuple[Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the number of the step right before each step (R,), -1 where none is known; which of them have new
    samples (R,), and which come right after one that has (R,). The samples are of the series `pk` (N,)."""
    count = len(steps.pk)
    before = np.full(count, -1)
    is_touched = np.zeros(count, np.bool_)
    is_after = np.zeros(count, np.bool_)
    is_touched[of_new] = True
    after = steps.find(pk, new.after)
    is_there = after >= 0
    before[after[is_there]] = of_new[is_there]
    is_after[after[is_there]] = True
    before[of_new] = steps.find(pk, new.before)
    return before, is_touched, is_after


def _fold_old(samples: Placed, folded: Placed, cut: Ints) -> tuple[Placed, Placed]:
    """Summarise the samples before the cut (R,) of each step, in the steps that have many."""
    many = np.bincount(samples.row, minlength=len(cut)) > FOLDED_ABOVE
    if not many.any():
        return samples, folded
    is_old = many[samples.row] & (samples.records["ts"] < cut[samples.row])
    return samples.select(~is_old), combine(folded, summarise(samples.select(is_old)))
