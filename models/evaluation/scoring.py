"""Scores of forecasts on given windows, beside season-naive on the same windows. Knows no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.frequency import season_lengths
from models.classical.baselines import season_naive
from models.config.model import Config
from models.data.series import Panel, Series
from models.data.windows import actuals
from models.evaluation import metrics
from models.inference.predict import Runner, run_windows

ALL = slice(None)


@dataclass(frozen=True, kw_only=True)
class GateSpan:
    """The windows on which versions are compared. Stamps, so that they hold for a panel loaded later."""

    horizon: int
    origins: Mapping[str, tuple[int, ...]]
    """series id -> stamps (microseconds UTC) of the last value that a model may see"""

    @property
    def n_windows(self) -> int:
        """Number of windows over all series."""
        return sum(map(len, self.origins.values()))


@dataclass(frozen=True, eq=False)
class Windows:
    """Forecast windows beside what happened, and what the measures compare with."""

    series: tuple[Series, ...]
    """(B,) of each window"""
    origins: Ints
    """(B,) positions in the series' y"""
    actual: Floats
    """(B, H)"""
    last: Floats
    """(B, 1) last observed value up to the origin: what a direction starts from; NaN without any"""
    scale: Floats
    """(B, 1) season error of the history before the series' first window, the denominator of MASE; NaN for 0"""
    square_scale: Floats
    """(B, 1) squared season error of the same history, the denominator of RMSSE; NaN for 0"""

    def part(self, rows: Ints, steps: slice = ALL) -> "Windows":
        """Return the windows at `rows`, cut to some steps of the horizon."""
        return replace(
            self,
            series=tuple(self.series[row] for row in rows.tolist()),
            origins=self.origins[rows],
            actual=self.actual[rows, steps],
            last=self.last[rows],
            scale=self.scale[rows],
            square_scale=self.square_scale[rows],
        )


def windows_of(panel: Panel, gate: GateSpan) -> Windows:
    """Find the windows of `gate` in the panel. Raises OffGridError for an origin that is not on a grid."""
    by_id = {one.id: one for one in panel.series}
    positions = {
        name: by_id[name].grid.index(np.array(stamps, np.int64)) - by_id[name].start
        for name, stamps in gate.origins.items()
        if name in by_id
    }
    return cut_windows(panel, {name: found.tolist() for name, found in positions.items()}, gate.horizon)


def chosen_windows(panel: Panel, origins: Sequence[Sequence[int]], horizon: int, most: int) -> Windows | None:
    """Return at most `most` windows, evenly spread over those at `origins` of each series; None without a value."""
    pairs = [(one.id, origin) for one, chosen in zip(panel.series, origins, strict=True) for origin in chosen]
    if len(pairs) > most:
        pairs = [pairs[k] for k in np.linspace(0, len(pairs) - 1, most).astype(int)]
    by_id: dict[str, list[int]] = {}
    for name, origin in pairs:
        by_id.setdefault(name, []).append(origin)
    windows = cut_windows(panel, by_id, horizon)
    return windows if bool((~np.isnan(windows.actual)).any()) else None


def cut_windows(panel: Panel, positions: Mapping[str, Sequence[int]], horizon: int) -> Windows:
    """Return the windows at `positions` (series id -> origins), ordered by series as the panel is."""
    season = scoring_season(panel)
    chosen = [(one, positions[one.id]) for one in panel.series if len(positions.get(one.id, ()))]
    series = tuple(one for one, origins in chosen for _ in origins)
    index = np.array([origin for _, origins in chosen for origin in origins], np.int64)
    rows = [row for one, origins in chosen for row in _references(one.y, origins, season)]
    last, scale, square_scale = np.array(rows, np.float64).reshape(-1, 3, 1).swapaxes(0, 1)  # each (B, 1)
    return Windows(series, index, actuals(series, index, horizon), last, scale, square_scale)


def _references(y: Floats, origins: Sequence[int], season: int) -> list[tuple[float, float, float]]:
    """Return (last value, season error, squared season error) for each origin, NaN where there is none."""
    before = y[: min(origins) + 1]
    errors = (metrics.season_error(before, season), metrics.season_squared_error(before, season))
    scale, square_scale = (error if error > 0 else np.nan for error in errors)
    present = np.flatnonzero(~np.isnan(y))
    found = np.searchsorted(present, np.asarray(origins), side="right") - 1
    return [(float(y[present[at]]) if at >= 0 else np.nan, scale, square_scale) for at in found.tolist()]


def scoring_season(panel: Panel) -> int:
    """Return the season that MASE and season-naive use: the shortest of the frequency, or 1."""
    seasons = season_lengths(panel.frequency)
    return seasons[0] if seasons else 1


def score_gate(panel: Panel, gate: GateSpan, runner: Runner, config: Config) -> dict[str, float]:
    """Score a runner on exactly the gate windows; `config` is that of the model behind it, its horizon the gate's."""
    return score(windows_of(panel, gate), runner, config)


def score(windows: Windows, runner: Runner, config: Config) -> dict[str, float]:
    """Run `windows` and return `measures` of the forecasts."""
    quantiles = run_windows(windows.series, windows.origins, runner, config)
    return measures(windows, quantiles, config.quantiles)


def score_season_naive(windows: Windows, panel: Panel, levels: Sequence[float]) -> dict[str, float]:
    """Return `point_measures` of season-naive."""
    return point_measures(windows, season_naive_points(windows, scoring_season(panel)), levels)


def season_naive_points(windows: Windows, season: int) -> Floats:
    """Return the season-naive forecast of each window, (B, H)."""
    horizon = windows.actual.shape[1]
    pairs = zip(windows.series, windows.origins.tolist(), strict=True)
    found = [season_naive(one.y[: origin + 1], horizon, season) for one, origin in pairs]
    return np.array(found, np.float64).reshape(windows.actual.shape)


def point_measures(windows: Windows, point: Floats, levels: Sequence[float]) -> dict[str, float]:
    """Return `measures` of a point forecast (B, H) whose every quantile is the point, without its empty intervals."""
    found = measures(windows, np.repeat(point[..., None], len(levels), axis=-1), levels)
    return {name: value for name, value in found.items() if not name.startswith(("coverage_", "width_"))}


def measures(windows: Windows, quantiles: Floats, levels: Sequence[float]) -> dict[str, float]:
    """Return the measures of quantiles (B, H, Q), whose median is the point; what cannot be measured is left out.

    `coverage_80`, `width_80` and their like stand for each pair of levels that is symmetric about the median.
    """
    actual, point = windows.actual, quantiles[..., list(levels).index(0.5)]
    found = {
        "mae": metrics.mae(actual, point),
        "rmse": metrics.rmse(actual, point),
        "mse": metrics.mse(actual, point),
        "mape": metrics.mape(actual, point),
        "smape": metrics.smape(actual, point),
        "mase": metrics.mase(actual, point, windows.scale),
        "rmsse": metrics.rmsse(actual, point, windows.square_scale),
        "directional_accuracy": metrics.directional_accuracy(actual, point, windows.last),
        "directional_precision": metrics.directional_precision(actual, point, windows.last),
        "directional_recall": metrics.directional_recall(actual, point, windows.last),
        "directional_f1": metrics.directional_f1(actual, point, windows.last),
        "pinball": metrics.pinball(actual, quantiles, levels),
        "wql": metrics.wql(actual, quantiles, levels),
        "wis": metrics.weighted_interval_score(actual, quantiles, levels),
    }
    for low, high in metrics.central_intervals(levels):
        name = f"{100 * (levels[high] - levels[low]):.4g}"
        bounds = quantiles[..., low], quantiles[..., high]
        found[f"coverage_{name}"] = metrics.coverage(actual, *bounds)
        found[f"width_{name}"] = metrics.interval_width(actual, *bounds)
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}
