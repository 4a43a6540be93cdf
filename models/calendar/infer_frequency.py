"""Guessing the frequency of timestamps that may have gaps."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from models.arrays import Ints
from models.calendar.frequency import SECOND, Frequency, parse_frequency, parse_offset, spell_tick
from models.calendar.grid import Grid
from models.calendar.phase import choose_grid
from models.calendar.timestamps import DAY, Stamps, to_local
from models.errors import FrequencyError, OffGridError

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_CALENDAR = (
    *(f"{y}-{m}" for y in ("YS", "YE", "BYS", "BYE") for m in MONTHS),
    *(f"{q}-{m}" for q in ("QS", "QE", "BQS", "BQE") for m in MONTHS[:3]),
    *("MS", "ME", "BMS", "BME"),
    *("SMS", "SME"),
    *(f"W-{day}" for day in WEEKDAYS),
    *("B", "D"),
)
"""Calendar frequencies, longest step first: the first on whose grid every stamp lies is taken."""

FEWEST = 3
"""timestamps that show a frequency"""
ONE_PHASE = 0.9
"""Share of the stamps that must lie on one grid; the others are errors of the data."""
LONGEST_TICK = 23 * DAY // 24
"""Microseconds below which a step is absolute time: 23 hours are a daily step across a clock change."""


def infer_frequency(stamps: Stamps, timezone: str) -> Frequency:
    """Return the frequency of distinct ascending UTC microseconds (N,), N >= 3; gaps are allowed.

    Steps below a day: the commonest difference, where nine tenths of the stamps share one grid of it; the
    others are then off that grid. Otherwise the longest calendar frequency whose grid holds every stamp, or else
    nine tenths of them. Business days are told from days by a weekend that has none. At last, every so many months,
    weeks or days, where most steps are as long as the shortest.
    Raises FrequencyError where there is no such frequency.
    """
    if len(stamps) < FEWEST:
        raise FrequencyError("a frequency cannot be inferred from fewer than three timestamps; name it with freq=")
    steps = np.diff(stamps)
    values, counts = np.unique(steps, return_counts=True)
    common = int(values[np.argmax(counts)])
    if SECOND <= common < LONGEST_TICK and _share_of_one_phase(stamps, common) >= ONE_PHASE:
        if common % SECOND:
            raise FrequencyError("the timestamps are finer than a second; name the frequency with freq=")
        return parse_frequency(spell_tick(common))
    # a typical step must be one step of the grid, or daily data of one Monday a week would be weekly at best
    candidates = [f for f in map(parse_frequency, _CALENDAR) if f.approximate_us < common * 1.5]
    for share in (1.0, ONE_PHASE):
        for frequency in candidates:
            if _fits(frequency, stamps, timezone, share):
                return frequency
    multiple = _infer_multiple(stamps, timezone)
    if multiple is not None:
        return multiple
    raise FrequencyError("the timestamps follow no frequency that could be inferred; name it with freq=")


def _infer_multiple(stamps: Stamps, timezone: str) -> Frequency | None:
    """Return the frequency of so many months, weeks or (business) days whose grid holds every stamp (N,), or None."""
    for alias in ("MS", "ME", "BMS", "BME", *(f"W-{day}" for day in WEEKDAYS), "B", "D"):
        try:
            index, on_grid = Grid(parse_frequency(alias), timezone, int(stamps[0])).locate(stamps)
        except OffGridError:
            continue
        gaps = np.diff(index)
        count = int(gaps.min())
        if alias == "B" and not _spans_weekend(stamps, timezone):
            continue
        if on_grid.all() and count > 1 and (gaps % count == 0).all() and 2 * (gaps == count).sum() > len(gaps):
            with suppress(FrequencyError):  # of more than a year
                return parse_frequency(f"{count}{alias}")
    return None


def suggest_frequency(frequency: Frequency, stamps: Stamps, timezone: str) -> Frequency | None:
    """Return a frequency on whose grid all the stamps (N,) lie that are off that of the given one; None without any.

    It has the same step where there is one, so that two stamps suffice.
    """
    first = int(stamps.min())
    for alias in _list_alternatives(frequency, to_local(np.array([first], np.int64), timezone)):
        other = parse_frequency(alias)
        if other != frequency and _count_on_grid(other, stamps, timezone) == len(stamps):
            return other
    try:
        inferred = infer_frequency(np.unique(stamps), timezone)
    except FrequencyError:
        return None
    return None if inferred == frequency else inferred


def _list_alternatives(frequency: Frequency, wall: Ints) -> Iterator[str]:
    """Yield frequencies of the same step whose dates may include a wall time (1,)."""
    multiple = parse_offset(frequency.alias).n
    day = (wall // DAY).astype("M8[D]")
    if frequency.kind == "week":
        yield f"{multiple}W-{WEEKDAYS[int((day.astype(np.int64)[0] + 3) % 7)]}"
    if frequency.kind == "business" or (frequency.kind == "tick" and frequency.step % DAY == 0):
        yield f"{multiple if frequency.kind == 'business' else frequency.step // DAY}D"
    if frequency.kind != "month":
        return
    month = MONTHS[int(day.astype("M8[M]").astype(np.int64)[0] % 12)]
    edges = ("S", "E")
    for business in ("", "B"):
        if frequency.step % 12 == 0:
            yield from (f"{frequency.step // 12}{business}Y{edge}-{month}" for edge in edges)
        if frequency.step % 3 == 0:
            yield from (f"{frequency.step // 3}{business}Q{edge}-{month}" for edge in edges)
        yield from (f"{frequency.step}{business}M{edge}" for edge in edges)


def _count_on_grid(frequency: Frequency, stamps: Stamps, timezone: str) -> int:
    try:
        return int(choose_grid(frequency, timezone, stamps).locate(stamps)[1].sum())
    except OffGridError:
        return 0


def _share_of_one_phase(stamps: Stamps, step: int) -> float:
    """Compute the largest share of the stamps (N,) that lie on one grid of `step` microseconds."""
    _, counts = np.unique(stamps % step, return_counts=True)
    return float(counts.max() / len(stamps))


def _fits(frequency: Frequency, stamps: Stamps, timezone: str, share: float) -> bool:
    """Say whether a share of the stamps lies on one grid of `frequency`, two of them one step apart.

    Of business days, there must be a weekend without any between two of them.
    """
    try:
        whole = share == 1.0
        grid = Grid(frequency, timezone, int(stamps[0])) if whole else choose_grid(frequency, timezone, stamps)
        index, on_grid = grid.locate(stamps)
    except OffGridError:
        return False
    if on_grid.mean() < share or not (np.diff(index[on_grid]) == 1).any():
        return False
    return frequency.kind != "business" or _spans_weekend(stamps[on_grid], timezone)


def _spans_weekend(stamps: Stamps, timezone: str) -> bool:
    """Say whether a day that is none of business lies between the first and the last of ascending stamps (N,)."""
    first, last = (to_local(stamps[[0, -1]], timezone) // DAY).astype("M8[D]")
    return bool(np.busday_count(first, last) < (last - first).astype(np.int64))
