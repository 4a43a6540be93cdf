"""The grid of a new series: of a frequency's possible phases, the one on which most of its timestamps lie."""

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.arrays import Ints
from models.calendar.frequency import Frequency, is_date, parse_frequency, parse_offset
from models.calendar.grid import Grid, find_edges_of_months
from models.calendar.iso import Mask
from models.calendar.timestamps import DAY, Stamps, format_stamp, to_local
from models.errors import OffGridError


def choose_grid(frequency: Frequency, timezone: str, stamps: Stamps) -> Grid:
    """Return the grid of a frequency on which most of the stamps (N,), N >= 1, lie, anchored at the earliest of them.

    Of two phases that are as common, it is that of the earliest stamp. Raises OffGridError where no stamp is a date of
    the frequency, or a grid of it cannot reach them all.
    """
    if frequency.kind == "tick":
        phases = stamps % frequency.step
        return Grid(frequency, timezone, int(stamps[phases == _find_commonest(phases, stamps)].min()))
    walls = to_local(stamps, timezone)
    dated = find_dated(frequency, walls)
    if not dated.any():
        first = format_stamp(int(stamps.min()), timezone)
        raise OffGridError(int(np.argmin(stamps)), f"{first} is not a date of the frequency {frequency.alias!r}")
    times = walls % DAY
    usual = dated & (times == _find_commonest(times[dated], stamps[dated]))
    # every phase has one unit in common: the grid of single steps, which counts what `step` of them make
    unit = Grid(_get_unit(frequency), timezone, int(stamps[usual].min()))
    index, on_unit = unit.locate(stamps)
    phases = index % parse_offset(frequency.alias).n
    common = on_unit & (phases == _find_commonest(phases[on_unit], stamps[on_unit]))
    # a time that a clock change has moved lies on the grid, but does not show its time of day
    anchors = stamps[common & usual] if (common & usual).any() else stamps[common]
    return Grid(frequency, timezone, int(anchors.min()))


def find_dated(frequency: Frequency, walls: Stamps) -> Mask:
    """Say which wall times (N,) lie on dates of the frequency, whatever their phase and time of day."""
    days, inverse = np.unique(walls // DAY, return_inverse=True)
    return _find_dates(frequency, days.astype("M8[D]"))[inverse]


def _find_dates(frequency: Frequency, days: NDArray[np.datetime64]) -> Mask:
    match frequency.kind:
        case "tick" | "day":
            return np.ones(len(days), np.bool_)
        case "business":
            return np.asarray(np.is_busday(days), np.bool_)
        case "month":
            edges = find_edges_of_months(type(parse_offset(frequency.alias)).__name__, days.astype("M8[M]"))
            dated = np.asarray(days == edges, np.bool_)
            dated[dated] = _ask_pandas(frequency, days[dated])
            return dated
    return _ask_pandas(frequency, days)


def _ask_pandas(frequency: Frequency, days: NDArray[np.datetime64]) -> Mask:
    return np.array([is_date(frequency, pd.Timestamp(day.astype("M8[us]"))) for day in days], np.bool_)


@lru_cache(maxsize=1024)
def _get_unit(frequency: Frequency) -> Frequency:
    """Return the frequency of which the given one is a multiple."""
    return parse_frequency(str(parse_offset(frequency.alias).base.freqstr))


def _find_commonest(values: Ints, stamps: Stamps) -> int:
    """Return the commonest of the values (N,); of several, that of the earliest stamp (N,)."""
    distinct, first, counts = np.unique(values, return_inverse=True, return_counts=True)
    earliest = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(earliest, first, stamps)
    return int(distinct[np.lexsort((earliest, -counts))[0]])
