"""Guessing the frequency of timestamps that may have gaps."""

import numpy as np

from models.calendar.frequency import SECOND, Frequency, parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import DAY, Stamps
from models.errors import FrequencyError, OffGridError

_CALENDAR = (
    *("YS", "YE", "BYS", "BYE"),
    *(f"{q}-{m}" for q in ("QS", "QE", "BQS", "BQE") for m in ("JAN", "FEB", "MAR")),
    *("MS", "ME", "BMS", "BME"),
    *(f"W-{day}" for day in ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")),
    *("B", "D"),
)
"""Calendar frequencies, longest step first: the first on whose grid every stamp lies is taken."""

ONE_PHASE = 0.9
"""Share of the stamps that must lie on one grid of the commonest difference; the others are errors of the data."""
LONGEST_TICK = 23 * DAY // 24
"""Microseconds below which a step is absolute time: 23 hours are a daily step across a clock change."""


def infer_frequency(stamps: Stamps, timezone: str) -> Frequency:
    """Return the frequency of distinct ascending UTC microseconds (N,), N >= 3; gaps are allowed.

    Steps below a day: the commonest difference, where nine tenths of the stamps share one grid of it; the
    others are then off that grid. Otherwise the longest calendar frequency whose grid holds every stamp.
    Raises FrequencyError where none does.
    """
    if len(stamps) < 3:
        raise FrequencyError("a frequency cannot be inferred from fewer than three timestamps; name it with freq=")
    steps = np.diff(stamps)
    values, counts = np.unique(steps, return_counts=True)
    common = int(values[np.argmax(counts)])
    if SECOND <= common < LONGEST_TICK and _share_of_one_phase(stamps, common) >= ONE_PHASE:
        return parse_frequency(_tick_alias(common))
    for alias in _CALENDAR:
        frequency = parse_frequency(alias)
        # a typical step must be one step of the grid, or daily data of one Monday a week would be weekly at best
        if frequency.approximate_us < common * 1.5 and _fits(frequency, stamps, timezone):
            return frequency
    raise FrequencyError("the timestamps follow no frequency that could be inferred; name it with freq=")


def _share_of_one_phase(stamps: Stamps, step: int) -> float:
    """Compute the largest share of the stamps (N,) that lie on one grid of `step` microseconds."""
    _, counts = np.unique(stamps % step, return_counts=True)
    return float(counts.max() / len(stamps))


def _tick_alias(step: int) -> str:
    """Write `step` microseconds as a pandas alias. Raises FrequencyError below a second."""
    for unit, length in (("h", 3600 * SECOND), ("min", 60 * SECOND), ("s", SECOND)):
        if step % length == 0:
            n = step // length
            return unit if n == 1 else f"{n}{unit}"
    raise FrequencyError("the timestamps are finer than a second; name the frequency with freq=")


def _fits(frequency: Frequency, stamps: Stamps, timezone: str) -> bool:
    """Say whether all stamps lie on one grid of `frequency`, and two of them one step apart."""
    try:
        index, on_grid = Grid(frequency, timezone, int(stamps[0])).locate(stamps)
    except OffGridError:
        return False
    return bool(on_grid.all() and (np.diff(index) == 1).any())
