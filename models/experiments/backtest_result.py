"""The result of a backtest: forecasts, actual values and measures. It imports no torch.

Shapes: B windows of all series together, H horizon, Q quantiles.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps
from models.config.model import median_position
from models.evaluation import metrics
from models.evaluation.scoring import ALL, Windows, measure_points, measure_quantiles

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, eq=False, kw_only=True)
class Backtest:
    """The forecasts of a backtest and the actual values; its measures are plain JSON values."""

    windows: Windows
    """the B windows, ordered by series and origin"""
    number: Ints
    """(B,) number of each window within its series, from 1; the highest ends with the series"""
    quantiles: Floats
    """(B, H, Q) in original units"""
    baselines: Mapping[str, Floats]
    """name -> (B, H) point forecasts; `season_naive` is always among them"""
    levels: tuple[float, ...]
    """(Q,)"""

    @property
    def series_ids(self) -> tuple[str, ...]:
        """(B,) the series of each window."""
        return tuple(series.id for series in self.windows.series)

    @property
    def origins(self) -> Stamps:
        """(B,) origins as stamps, microseconds UTC."""
        pairs = zip(self.windows.series, self.windows.origins.tolist(), strict=True)
        return np.array([series.stamps(origin, origin + 1)[0] for series, origin in pairs], np.int64)

    @property
    def actual(self) -> Floats:
        """(B, H) actual values, NaN where nothing was observed."""
        return self.windows.actual

    @property
    def point(self) -> Floats:
        """(B, H) the point forecasts."""
        point: Floats = self.quantiles[..., median_position(self.levels)]
        return point

    def overall(self) -> dict[str, Any]:
        """Return the measures of `model`, `season_naive` and the other baselines over all windows and steps.

        Those of the model include `owa`, the overall weighted average relative to season-naive.
        """
        return self._compare(np.arange(len(self.number)), ALL)

    def by_step(self) -> list[dict[str, Any]]:
        """Return `step` (from 1), `model` and the baselines for each step of the horizon."""
        rows = np.arange(len(self.number))
        steps = range(self.actual.shape[1])
        return [{"step": step + 1, **self._compare(rows, slice(step, step + 1))} for step in steps]

    def by_series(self) -> list[dict[str, Any]]:
        """Return `series_id`, `model` and the baselines for each series that has a window."""
        by_name = group_rows(self.series_ids)
        return [{"series_id": name, **self._compare(rows, ALL)} for name, rows in by_name.items()]

    def by_window(self) -> list[dict[str, Any]]:
        """Return `window` (from 1), `first_origin`, `last_origin`, `model` and the baselines for each window number.

        The origins are stamps: the earliest and the latest among the windows of that number.
        """
        origins = self.origins
        tables = []
        for number, rows in sorted(group_rows(self.number.tolist()).items()):
            first, last = int(origins[rows].min()), int(origins[rows].max())
            tables.append({"window": number, "first_origin": first, "last_origin": last, **self._compare(rows, ALL)})
        return tables

    def to_dict(self) -> dict[str, Any]:
        """Return all measures as plain JSON values."""
        return {
            "overall": self.overall(),
            "by_step": self.by_step(),
            "by_series": self.by_series(),
            "by_window": self.by_window(),
        }

    def _compare(self, rows: Ints, steps: slice) -> dict[str, Any]:
        """Measure the model and the baselines on some windows (rows) and steps of the horizon."""
        windows = self.windows.part(rows, steps)
        baselines = {name: points[rows, steps] for name, points in self.baselines.items()}
        model = measure_quantiles(windows, self.quantiles[rows, steps], self.levels)
        owa = metrics.owa(windows.actual, self.point[rows, steps], baselines["season_naive"], windows.scale)
        if np.isfinite(owa):
            model["owa"] = owa
        return {
            "model": model,
            **{name: measure_points(windows, points, self.levels) for name, points in baselines.items()},
        }


def group_rows(keys: Sequence[K]) -> dict[K, Ints]:
    """Group the positions of equal keys, in the order in which the keys first appear."""
    positions: dict[K, list[int]] = {}
    for row, key in enumerate(keys):
        positions.setdefault(key, []).append(row)
    return {key: np.array(rows, np.int64) for key, rows in positions.items()}
