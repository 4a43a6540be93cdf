"""What came of a backtest: its forecasts beside what happened, and their measures. Knows no torch."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps
from models.evaluation import metrics
from models.evaluation.scoring import ALL, Windows, measures, point_measures

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, eq=False, kw_only=True)
class Backtest:
    """The forecasts of a backtest beside what happened; its measures are plain JSON values."""

    windows: Windows
    """B windows, ordered by series and origin"""
    number: Ints
    """(B,) of each window within its series, from 1; the highest ends with the series"""
    quantiles: Floats
    """(B, H, Q) in original units"""
    references: Mapping[str, Floats]
    """(B, H) each: `season_naive`, the floor, and what else was asked for"""
    levels: tuple[float, ...]
    """(Q,)"""

    @property
    def series_ids(self) -> tuple[str, ...]:
        """(B,) whose window it is."""
        return tuple(one.id for one in self.windows.series)

    @property
    def origins(self) -> Stamps:
        """(B,) stamp of the last value that each forecast saw, microseconds UTC."""
        pairs = zip(self.windows.series, self.windows.origins.tolist(), strict=True)
        return np.array([one.stamps(origin, origin + 1)[0] for one, origin in pairs], np.int64)

    @property
    def actual(self) -> Floats:
        """(B, H) what happened, NaN where nothing was observed."""
        return self.windows.actual

    @property
    def point(self) -> Floats:
        """(B, H) the median."""
        point: Floats = self.quantiles[..., self.levels.index(0.5)]
        return point

    def overall(self) -> dict[str, Any]:
        """Return `model`, `season_naive` and the other references: their measures over all windows and steps.

        The model's have `owa` beside them, the overall weighted average in which season-naive is the reference.
        """
        return self._compare(np.arange(len(self.number)), ALL)

    def by_step(self) -> list[dict[str, Any]]:
        """Return `step` (from 1), `model` and the references for each step of the horizon."""
        rows = np.arange(len(self.number))
        steps = range(self.actual.shape[1])
        return [{"step": step + 1, **self._compare(rows, slice(step, step + 1))} for step in steps]

    def by_series(self) -> list[dict[str, Any]]:
        """Return `series_id`, `model` and the references for each series that has a window."""
        found = groups(self.series_ids)
        return [{"series_id": name, **self._compare(rows, ALL)} for name, rows in found.items()]

    def by_window(self) -> list[dict[str, Any]]:
        """Return `window` (from 1), `first_origin`, `last_origin`, `model` and the references for each window.

        The origins are stamps: the earliest and the latest among the series, whose windows of that number they are.
        """
        origins, found = self.origins, []
        for number, rows in sorted(groups(self.number.tolist()).items()):
            first, last = int(origins[rows].min()), int(origins[rows].max())
            found.append({"window": number, "first_origin": first, "last_origin": last, **self._compare(rows, ALL)})
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all measures as plain JSON values."""
        return {
            "overall": self.overall(),
            "by_step": self.by_step(),
            "by_series": self.by_series(),
            "by_window": self.by_window(),
        }

    def _compare(self, rows: Ints, steps: slice) -> dict[str, Any]:
        windows, point = self.windows.part(rows, steps), self.point[rows, steps]
        beside = {name: points[rows, steps] for name, points in self.references.items()}
        ours = measures(windows, self.quantiles[rows, steps], self.levels)
        owa = metrics.owa(windows.actual, point, beside["season_naive"], windows.scale)
        return {
            "model": ours | ({"owa": owa} if np.isfinite(owa) else {}),
            **{name: point_measures(windows, points, self.levels) for name, points in beside.items()},
        }


def groups(keys: Sequence[K]) -> dict[K, Ints]:
    """Return the positions of each key, in the order in which the keys first appear."""
    found: dict[K, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return {key: np.array(rows, np.int64) for key, rows in found.items()}
