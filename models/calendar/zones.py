"""Which timezones have given offsets at given times."""

from zoneinfo import available_timezones

import numpy as np

from models.arrays import Ints
from models.calendar.timestamps import DAY, Stamps, to_local
from models.errors import TimezoneError

_COMMON = (
    *("Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Istanbul", "Europe/Moscow"),
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix"),
    *("America/Sao_Paulo", "America/Bogota", "America/Santiago", "America/Halifax", "America/Anchorage"),
    *("Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Asia/Singapore", "Asia/Dubai", "Asia/Jerusalem"),
    *("Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Pacific/Auckland", "Africa/Johannesburg"),
)
"""the zones that most data come from: they are suggested before others of the same rules"""
_SAMPLED = 1000
"""stamps that are compared with each zone"""


def suggest_timezones(stamps: Stamps, offsets: Ints, most: int = 2) -> list[str]:
    """Return timezones whose clocks were ahead of UTC by `offsets` (N,), microseconds, at the stamps (N,), N >= 1.

    Zones of few people are named where no common one fits.
    """
    changes = np.flatnonzero(np.diff(offsets)) + 1  # the rows around a change tell most
    spread = np.linspace(0, len(stamps) - 1, _SAMPLED // 2).astype(np.int64)
    sample = np.unique(np.concatenate([changes[: _SAMPLED // 4], changes[: _SAMPLED // 4] - 1, spread]))
    fitting: list[str] = []
    for name in (*_COMMON, *sorted(available_timezones() - set(_COMMON))):
        if len(fitting) == most or (fitting and name not in _COMMON):
            break
        if has_offsets(name, stamps[sample], offsets[sample]):
            fitting.append(name)
    return fitting


def find_timezone_of_midnights(stamps: Stamps, timezone: str) -> str | None:
    """Return a common timezone in which all stamps (N,) are midnight; None where there is none.

    None also where they are of one time of day in the given timezone, which then is as good.
    """
    if len(np.unique(to_local(stamps, timezone) % DAY)) == 1:
        return None
    return next((name for name in _COMMON if not (to_local(stamps, name) % DAY).any()), None)


def has_offsets(timezone: str, stamps: Stamps, offsets: Ints) -> bool:
    """Say whether a timezone's clocks were ahead of UTC by `offsets` (N,), microseconds, at the stamps (N,)."""
    try:
        return bool((to_local(stamps, timezone) - stamps == offsets).all())
    except TimezoneError:
        return False
