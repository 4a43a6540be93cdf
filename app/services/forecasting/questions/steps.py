"""The steps of a request's forecasts as answers name them: those that series share, and the spans of sums."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.errors import ErrorCode, invalid
from app.services.durations import SECOND_US, parse_duration
from app.services.forecasting.questions.futures import SeriesFuture
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import DAY, format_stamps


class SharedSteps(NamedTuple):
    """The steps that several forecasts share."""

    ds: list[str]
    """(H,) RFC 3339"""
    ends: list[str]
    """(H,) the step after each"""
    offsets: list[int]
    """position of the first of them in each forecast"""

    @property
    def steps(self) -> int:
        """H."""
        return len(self.ds)


def find_shared_steps(futures: Sequence[SeriesFuture], field: str) -> SharedSteps:
    """Return the steps that forecasts share, whose series may end at different times. Raises Invalid for none."""
    stamps = [one.result.stamps for one in futures]
    first = max((int(one[0]) for one in stamps), default=0)
    last = min((int(one[-1]) for one in stamps), default=-1)
    offsets = [int(np.searchsorted(one, first)) for one in stamps]
    counts = [int(np.searchsorted(one, last, "right")) - offset for one, offset in zip(stamps, offsets, strict=True)]
    shared = futures[0].result.stamps[offsets[0] : offsets[0] + counts[0]] if futures else np.empty(0, np.int64)
    is_shared = all(
        np.array_equal(one[offset : offset + count], shared)
        for one, offset, count in zip(stamps, offsets, counts, strict=True)
    )
    if not len(shared) or not is_shared:
        detail = (
            "the forecasts of these series have no common steps, since the series end at different times or lie on "
            "different grids; send an origin that all of them reach"
        )
        raise invalid(field, ErrorCode.invalid_input, detail)
    ends = list_ends(futures[0])[offsets[0] : offsets[0] + counts[0]]
    return SharedSteps(futures[0].result.ds[offsets[0] : offsets[0] + counts[0]], ends, offsets)


def list_ends(future: SeriesFuture) -> list[str]:
    """Return when each step of a forecast ends: the beginning of the next one."""
    series = future.context.series
    end = len(series.y)
    return format_stamps(series.stamps(end + 1, end + 1 + future.result.horizon), series.grid.timezone)


def count_steps(over: str, frequency: str, field: str) -> int:
    """Return the steps of a duration such as `24h`. Raises Invalid for one that is no whole number of steps."""
    duration = parse_duration(over, field)
    parsed = parse_frequency(frequency)
    lengths = {"tick": parsed.step, "day": parsed.step * DAY, "week": parsed.step * 7 * DAY}
    length = lengths.get(parsed.kind)
    if length is None:
        detail = f"steps of {frequency!r} differ in length; send horizon, and a horizon of as many steps as are summed"
        raise invalid(field, ErrorCode.invalid_duration, detail)
    if duration % length:
        seconds = length // SECOND_US
        detail = f"{over} is no whole number of steps of {frequency!r}, which have {seconds} seconds"
        raise invalid(field, ErrorCode.invalid_duration, detail)
    return duration // length
