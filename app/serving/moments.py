"""The time around an origin, computed once for all windows that cover the same time."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson

from app.serving.lru import LruCache
from models.arrays import Ints
from models.calendar.timestamps import Stamps, format_stamps
from models.config.model import Config
from models.data.series import Series
from models.data.windows import calendar_key, cut_calendars

MAX_BYTES = 64_000_000
"""bytes of moments that a process keeps"""
STAMP_BYTES = 200
"""bytes of a stamp's texts"""


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
    """(H,) of the horizon, RFC 3339"""
    _fragments: dict[int, orjson.Fragment] = field(default_factory=dict)
    """`ds` in JSON, by horizon"""

    def to_json(self, horizon: int) -> orjson.Fragment:
        """Return the first `horizon` of `ds` as JSON."""
        fragment = self._fragments.get(horizon)
        if fragment is None:
            fragment = self._fragments[horizon] = orjson.Fragment(orjson.dumps(self.ds[:horizon]))
        return fragment


class MomentCache:
    """Moments that were used lately."""

    def __init__(self) -> None:
        self._moments: LruCache[Moment] = LruCache(MAX_BYTES)

    def get_all(self, series: Sequence[Series], config: Config) -> list[Moment]:
        """Return the moment of each series' end."""
        window = (config.network.context_length, config.horizon, config.country)
        keys: list[Hashable] = [(window, calendar_key(context, len(context.y) - 1)) for context in series]
        cached = {key: self._moments.get(key) for key in keys}
        missing = {key: context for key, context in zip(keys, series, strict=True) if cached[key] is None}
        if missing:
            cached |= self._compute(missing, config)
        return [moment for key in keys if (moment := cached[key]) is not None]

    def _compute(self, missing: Mapping[Hashable, Series], config: Config) -> dict[Hashable, Moment]:
        series = list(missing.values())
        calendar = cut_calendars(series, np.array([len(context.y) - 1 for context in series], np.int64), config)
        moments: dict[Hashable, Moment] = {}
        for row, (key, context) in enumerate(missing.items()):
            moment = _build_moment(context, calendar[row : row + 1].copy(), config.horizon)
            self._moments.put(key, moment, moment.calendar.nbytes + STAMP_BYTES * config.horizon)
            moments[key] = moment
        return moments


def extend_moment(moment: Moment, series: Series, horizon: int) -> Moment:
    """Return the moment of a series' end with the stamps of a longer horizon."""
    return _build_moment(series, moment.calendar, horizon)


def _build_moment(series: Series, calendar: Ints, horizon: int) -> Moment:
    end = len(series.y)
    stamps = series.stamps(end - 1, end + horizon)
    origin, *ds = format_stamps(stamps, series.grid.timezone)
    return Moment(calendar, origin, stamps[1:], ds)
