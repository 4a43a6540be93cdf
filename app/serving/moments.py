"""The time around an origin: what windows that cover the same time share, made once for all of them."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.serving.lru import Lru
from models.arrays import Ints
from models.calendar.timestamps import Stamps, format_stamps
from models.config.model import Config
from models.data.series import Series
from models.data.windows import calendar_key, cut_calendars

BYTES = 64_000_000
STAMP_BYTES = 200
"""of a stamp's texts"""


@dataclass(frozen=True, eq=False)
class Moment:
    """The calendar of a window, and the stamps of its horizon."""

    calendar: Ints
    """(1, T + H, C)"""
    origin: str
    """RFC 3339, with the series' offset"""
    stamps: Stamps
    """(H,) of the horizon, microseconds UTC"""
    ds: list[str]
    """(H,) of the horizon"""
    _written: dict[int, orjson.Fragment] = field(default_factory=dict)

    def written(self, horizon: int) -> orjson.Fragment:
        """Return the stamps of a shorter horizon, or all, as they stand in JSON."""
        found = self._written.get(horizon)
        if found is None:
            found = self._written[horizon] = orjson.Fragment(orjson.dumps(self.ds[:horizon]))
        return found


class Moments:
    """Moments that were used lately."""

    def __init__(self) -> None:
        self._held: Lru[Moment] = Lru(BYTES)

    def of(self, series: Sequence[Series], config: Config) -> list[Moment]:
        """Return the moment of each series' end."""
        shape = (config.network.context_length, config.horizon, config.country)
        keys: list[Hashable] = [(shape, calendar_key(one, len(one.y) - 1)) for one in series]
        found = {key: self._held.get(key) for key in keys}
        missing = {key: one for key, one in zip(keys, series, strict=True) if found[key] is None}
        if missing:
            found |= self._made(missing, config)
        return [moment for key in keys if (moment := found[key]) is not None]

    def _made(self, missing: dict[Hashable, Series], config: Config) -> dict[Hashable, Moment]:
        series = list(missing.values())
        calendar = cut_calendars(series, np.array([len(one.y) - 1 for one in series], np.int64), config)
        made: dict[Hashable, Moment] = {}
        for row, (key, one) in enumerate(missing.items()):
            moment = _moment(one, calendar[row : row + 1].copy(), config.horizon)
            self._held.put(key, moment, moment.calendar.nbytes + STAMP_BYTES * config.horizon)
            made[key] = moment
        return made


def _moment(one: Series, calendar: NDArray[Any], horizon: int) -> Moment:
    end = len(one.y)
    stamps = one.stamps(end - 1, end + horizon)
    origin, *ds = format_stamps(stamps, one.grid.timezone)
    return Moment(calendar, origin, stamps[1:], ds)
