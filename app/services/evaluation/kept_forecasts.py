"""The forecasts of a backtest as they are kept in the artifact store. Shapes: B windows, H horizon, Q quantiles."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from app.storage.pages import Page, decode_cursor, encode_cursor
from models.arrays import Floats, Ints
from models.calendar.timestamps import format_stamp, format_stamps
from models.config.model import median_position
from models.experiments.backtest_result import Backtest
from models.inference.published import read_header

MOST_VALUES = 2_000_000
"""quantile values of a backtest that are kept, 16 MB: a page of them is read with all of them"""


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptForecasts:
    """The forecasts of a backtest, ordered by series and origin."""

    timezones: dict[str, str]
    """of each series, by its id"""
    series: Ints
    """(B,) position of each window's series in `timezones`"""
    window: Ints
    """(B,) number of each window within its series, from 1"""
    origins: Ints
    """(B,) microseconds UTC"""
    ds: Ints
    """(B, H) microseconds UTC"""
    quantiles: Floats
    """(B, H, Q) in original units"""
    levels: tuple[float, ...]
    """(Q,)"""

    @staticmethod
    def of(result: Backtest) -> "KeptForecasts":
        """Take the forecasts of a backtest."""
        windows = result.windows
        timezones = {series.id: series.grid.timezone for series in windows.series}
        position = {name: n for n, name in enumerate(timezones)}
        pairs = zip(windows.series, windows.origins.tolist(), strict=True)
        horizon = result.quantiles.shape[1]
        return KeptForecasts(
            timezones=timezones,
            series=np.array([position[name] for name in result.series_ids], np.int64),
            window=result.number.astype(np.int64),
            origins=result.origins,
            ds=np.stack([series.stamps(origin + 1, origin + 1 + horizon) for series, origin in pairs]),
            quantiles=result.quantiles,
            levels=result.levels,
        )

    def to_bytes(self) -> bytes:
        """Write them as safetensors with a JSON header."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        header = {"timezones": json.dumps(self.timezones), "levels": json.dumps(self.levels)}
        return save(arrays, metadata=header)

    @staticmethod
    def from_bytes(data: bytes) -> "KeptForecasts":
        """Read what `to_bytes` wrote."""
        header = read_header(data)
        levels = tuple(json.loads(header["levels"]))
        return KeptForecasts(timezones=json.loads(header["timezones"]), levels=levels, **load(data))

    def list_page(self, series_id: str | None, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return forecasts as clients see them: of one series, which must be there, or of all. Raises CursorError."""
        names = list(self.timezones)
        mine = self.series >= 0 if series_id is None else self.series == names.index(series_id)
        after = -1 if cursor is None else int(decode_cursor(cursor, int)[0])
        rows = np.flatnonzero(mine & (np.arange(len(mine)) > after))[: limit + 1].tolist()
        items = [self._describe(row, names) for row in rows[:limit]]
        return Page(items, encode_cursor(rows[limit - 1]) if len(rows) > limit else None)

    def _describe(self, row: int, names: list[str]) -> dict[str, Any]:
        name = names[int(self.series[row])]
        timezone = self.timezones[name]
        quantiles = self.quantiles[row]
        return {
            "series_id": name,
            "window": int(self.window[row]),
            "origin": format_stamp(int(self.origins[row]), timezone),
            "ds": format_stamps(self.ds[row], timezone),
            "yhat": quantiles[:, median_position(self.levels)].tolist(),
            "quantiles": {repr(level): quantiles[:, i].tolist() for i, level in enumerate(self.levels)},
        }


ARRAYS = ("series", "window", "origins", "ds", "quantiles")
"""fields of KeptForecasts that are arrays"""
