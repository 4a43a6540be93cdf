"""Rolling-origin backtests: how a configuration would have done on the last windows of every series.

Origins are positions counted from the end of each series, as in statsforecast's cross-validation: where series
end at different times, one window of them does too. No forecast sees anything of its series past its origin, and
no network was trained on it. Shapes: B windows of all series together, H horizon, Q quantiles.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.config import Config
from models.fit import TrainingDataError, fit
from models.options import require
from models.report import Progress
from models.scoring import ALL, Windows, cut_windows, measures, point_measures, scoring_season, season_naive_points
from models.timestamps import Stamps
from models.windows import Panel, Series, observed_span

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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
    season_naive: Floats
    """(B, H) the floor"""
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
        """Return `model` and `season_naive`: their measures over all windows and steps.

        The model's have `owa` beside them, the overall weighted average in which season-naive is the reference.
        """
        return self._compare(np.arange(len(self.number)), ALL)

    def by_step(self) -> list[dict[str, Any]]:
        """Return `step` (from 1), `model` and `season_naive` for each step of the horizon."""
        rows = np.arange(len(self.number))
        steps = range(self.actual.shape[1])
        return [{"step": step + 1, **self._compare(rows, slice(step, step + 1))} for step in steps]

    def by_series(self) -> list[dict[str, Any]]:
        """Return `series_id`, `model` and `season_naive` for each series that has a window."""
        groups = _groups(self.series_ids)
        return [{"series_id": name, **self._compare(rows, ALL)} for name, rows in groups.items()]

    def by_window(self) -> list[dict[str, Any]]:
        """Return `window` (from 1), `first_origin`, `last_origin`, `model` and `season_naive` for each window.

        The origins are stamps: the earliest and the latest among the series, whose windows of that number they are.
        """
        origins, found = self.origins, []
        for number, rows in sorted(_groups(self.number.tolist()).items()):
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
        windows, naive, point = self.windows.part(rows, steps), self.season_naive[rows, steps], self.point[rows, steps]
        ours = measures(windows, self.quantiles[rows, steps], self.levels)
        owa = metrics.owa(windows.actual, point, naive, windows.scale)
        return {
            "model": ours | ({"owa": owa} if np.isfinite(owa) else {}),
            "season_naive": point_measures(windows, naive, self.levels),
        }


def backtest(
    panel: Panel,
    config: Config,
    *,
    n_windows: int,
    step_size: int | None = None,
    refit: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> Backtest:
    """Forecast the last `n_windows` windows of every series; a short series has fewer, or none.

    Args:
        step_size: steps between two origins; by default the horizon, so that windows do not overlap.
        refit: train anew before each window, on the data up to its origin. Otherwise one model is trained, on each
            series up to its first origin, and forecasts every window.
        device: where to train, as in `fit`.
        on_progress: called as `fit` does; fraction and time left are those of all fits together, the rest is that of
            the fit that runs.

    Raises ConfigError for numbers below 1, TrainingDataError where nothing can be forecast or trained on.
    """
    step = config.horizon if step_size is None else step_size
    require(n_windows >= 1, "n_windows", "must be at least 1")
    require(step >= 1, "step_size", "must be at least 1")
    positions = {one.id: rolling_origins(one, config.horizon, n_windows, step) for one in panel.series}
    windows = cut_windows(panel, positions, config.horizon)
    if not windows.series:
        raise TrainingDataError("too_short", "no series has a value before the horizon that ends with it")
    number = np.concatenate([np.arange(n_windows - len(found), n_windows) + 1 for found in positions.values()])
    runs = list(_groups(number.tolist()).values()) if refit else [np.arange(len(number))]
    started = time.monotonic()
    quantiles = np.empty((len(number), config.horizon, len(config.quantiles)))
    for done, rows in enumerate(runs):
        part = windows.part(rows)
        told = _share(on_progress, done, len(runs), started) if on_progress else None
        fitted = fit(_before(panel, part), config, device=device, on_progress=told)
        quantiles[rows] = fitted.quantiles(part.series, part.origins)
    naive = season_naive_points(windows, scoring_season(panel))
    return Backtest(windows=windows, number=number, quantiles=quantiles, season_naive=naive, levels=config.quantiles)


def rolling_origins(series: Series, horizon: int, n_windows: int, step_size: int) -> tuple[int, ...]:
    """Return at most `n_windows` origins, `step_size` apart, ascending.

    The last window ends with the last observed value; none begins before the first.
    """
    first, end = observed_span(series.y)
    last = end - horizon - 1
    return tuple(o for o in range(last - step_size * (n_windows - 1), last + 1, step_size) if o >= first)


def _before(panel: Panel, windows: Windows) -> Panel:
    """Return each series of the windows up to its first origin among them.

    Covariates stay whole, since known-future ones reach past the values.
    """
    ends: dict[str, int] = {}
    for one, origin in zip(windows.series, windows.origins.tolist(), strict=True):
        ends[one.id] = min(origin + 1, ends.get(one.id, origin + 1))
    return Panel(panel.frequency, tuple(replace(s, y=s.y[: ends[s.id]]) for s in panel.series if s.id in ends))


def _share(tell: Callable[[Progress], None], done: int, fits: int, started: float) -> Callable[[Progress], None]:
    """Return what tells the progress of one fit as that of all `fits`, of which `done` are over."""

    def share(one: Progress) -> None:
        fraction = (done + one.fraction) / fits
        elapsed = time.monotonic() - started
        tell(replace(one, fraction=fraction, eta_s=elapsed * (1 - fraction) / fraction if fraction > 0 else None))

    return share


def _groups(keys: Sequence[K]) -> dict[K, Ints]:
    """Return the positions of each key, in the order in which the keys first appear."""
    found: dict[K, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return {key: np.array(rows, np.int64) for key, rows in found.items()}
