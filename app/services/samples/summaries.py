"""Samples of steps, summarised by source; and what a step's summaries make.

A step is numbered by its row. Records ascend by row and source, samples within them by time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.storage.fed_steps import SUMMARY
from models.arrays import Floats, Ints

Records = NDArray[Any]
SECOND = 1_000_000
"""microseconds"""


@dataclass(frozen=True)
class Placed:
    """Records (N,) of steps."""

    row: Ints
    """(N,)"""
    records: Records
    """(N,) of SAMPLE or SUMMARY"""

    def select(self, kept: NDArray[np.bool_]) -> "Placed":
        """Return some of them."""
        return Placed(self.row[kept], self.records[kept])


def join(*parts: Placed) -> Placed:
    """Return the records of several parts, one part after the other."""
    return Placed(np.concatenate([p.row for p in parts]), np.concatenate([p.records for p in parts]))


def decode(contents: list[bytes], kind: np.dtype[Any]) -> Placed:
    """Return the records of the steps 0, 1, … from the bytes of each."""
    sizes = np.fromiter(map(len, contents), np.int64, len(contents)) // kind.itemsize
    return Placed(np.repeat(np.arange(len(contents)), sizes), np.frombuffer(b"".join(contents), kind))


def encode(placed: Placed, rows: int) -> list[bytes]:
    """Return the bytes of each of so many steps."""
    edges = np.searchsorted(placed.row, np.arange(rows + 1)) * placed.records.dtype.itemsize
    content = placed.records.tobytes()
    return [content[start:end] for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]


def sort_samples(samples: Placed) -> Placed:
    """Return samples in their order; of several of one source at one time, the last stays."""
    records = samples.records
    order = np.lexsort((records["ts"], records["source"], samples.row))
    row = samples.row[order]
    ordered = records[order]
    kept = np.ones(len(row), np.bool_)
    kept[:-1] = (np.diff(row) != 0) | (np.diff(ordered["source"]) != 0) | (np.diff(ordered["ts"]) != 0)
    return Placed(row[kept], ordered[kept])


def rise_between(before: Floats, after: Floats) -> Floats:
    """Return by how much a counter has risen: one that fell was reset, and has counted from zero since."""
    with np.errstate(over="ignore"):
        return np.where(after >= before, after - before, after)


def _add(values: Floats, starts: Ints) -> Floats:
    """Return the sums of parts, infinite where one is beyond all numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums: Floats = np.add.reduceat(values, starts)
    return sums


def summarise(samples: Placed) -> Placed:
    """Return the summaries of sorted samples, one for each step and source."""
    row, records = samples.row, samples.records
    if not len(row):
        return Placed(row, np.empty(0, SUMMARY))
    is_first = np.ones(len(row), np.bool_)
    is_first[1:] = (np.diff(row) != 0) | (np.diff(records["source"]) != 0)
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(row)) - 1
    value = np.ascontiguousarray(records["value"])
    found = np.empty(len(starts), SUMMARY)
    found["source"] = records["source"][starts]
    found["count"] = ends - starts + 1
    found["sum"] = _add(value, starts)
    found["least"] = np.minimum.reduceat(value, starts)
    found["greatest"] = np.maximum.reduceat(value, starts)
    found["first_ts"] = records["ts"][starts]
    found["first"] = value[starts]
    found["last_ts"] = records["ts"][ends]
    found["last"] = value[ends]
    rises = np.zeros(len(row))
    rises[1:] = rise_between(value[:-1], value[1:])
    rises[starts] = 0.0
    found["rise"] = _add(rises, starts)
    return Placed(row[starts], found)


def combine(older: Placed, newer: Placed) -> Placed:
    """Return summaries of steps as one for each source, where those of `older` end before those of `newer` begin."""
    if not len(older.row):
        return newer
    both = join(older, newer)
    order = np.lexsort((both.records["source"], both.row))  # stable: the older of two stays before the newer
    row, records = both.row[order], both.records[order]
    is_second = np.zeros(len(row), np.bool_)
    is_second[1:] = (np.diff(row) == 0) & (np.diff(records["source"]) == 0)
    second = np.flatnonzero(is_second)
    one, other = records[second - 1], records[second]
    with np.errstate(over="ignore", invalid="ignore"):
        one["rise"] += rise_between(one["last"], other["first"]) + other["rise"]
        one["sum"] += other["sum"]
    one["count"] += other["count"]
    one["least"] = np.minimum(one["least"], other["least"])
    one["greatest"] = np.maximum(one["greatest"], other["greatest"])
    one["last_ts"] = other["last_ts"]
    one["last"] = other["last"]
    records[second - 1] = one
    return Placed(row[~is_second], records[~is_second])


def find_newest(summaries: Placed, rows: int) -> Ints:
    """Return the time (R,) of the newest sample of each step, none of which is empty."""
    starts = np.searchsorted(summaries.row, np.arange(rows))
    return np.maximum.reduceat(summaries.records["last_ts"], starts) if rows else np.empty(0, np.int64)


def aggregate(kind: str, summaries: Placed, before: Ints) -> Floats:
    """Return what the samples of each step make, (R,), NaN where that is nothing.

    Args:
        kind: `mean`, `last`, `sum`, `min`, `max`, or `rate`: what counters rise by in a second, summed over sources
        summaries: of every step, none of which is empty
        before: (R,) row of the step right before each, -1 where there is none
    """
    rows = len(before)
    if not rows:
        return np.empty(0)
    records = summaries.records
    starts = np.searchsorted(summaries.row, np.arange(rows))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        match kind:
            case "mean":
                values = np.add.reduceat(records["sum"], starts) / np.add.reduceat(records["count"], starts)
            case "sum":
                values = np.add.reduceat(records["sum"], starts)
            case "min":
                values = np.minimum.reduceat(records["least"], starts)
            case "max":
                values = np.maximum.reduceat(records["greatest"], starts)
            case "last":
                order = np.lexsort((records["source"], records["last_ts"], summaries.row))
                values = records["last"][order][np.append(starts[1:], len(records)) - 1]
            case "rate":
                values = _compute_rates(summaries, before, starts)
            case _:
                raise AssertionError(f"no aggregate is called {kind}")
    return np.where(np.isfinite(values), values, np.nan)


def _compute_rates(summaries: Placed, before: Ints, starts: Ints) -> Floats:
    """Return rates (R,): of each source what it rose by since its last sample of the step before, or else its first
    of this one, in the time between; a step in which no source has two samples has none."""
    records = summaries.records
    sources, number = np.unique(records["source"], return_inverse=True)
    keys = summaries.row * len(sources) + number
    previous = before[summaries.row]
    wanted = previous * len(sources) + number
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    has_previous = (previous >= 0) & (keys[at] == wanted)
    begin = np.where(has_previous, records["last_ts"][at], records["first_ts"])
    bridge = np.where(has_previous, rise_between(records["last"][at], records["first"]), 0.0)
    seconds = (records["last_ts"] - begin) / SECOND
    has_rate = seconds > 0
    rates = np.where(has_rate, (records["rise"] + bridge) / np.where(has_rate, seconds, 1.0), 0.0)
    return np.where(np.logical_or.reduceat(has_rate, starts), np.add.reduceat(rates, starts), np.nan)
