"""Measures of forecasts on given windows. Shapes: B windows, H horizon, Q quantiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import ROUNDING, Floats, Ints, measure_size
from models.classical.on_clock import season_naive_on_clock
from models.config.model import Config, median_position
from models.data.series import Panel, Series
from models.data.windows import cut_actuals
from models.evaluation import metrics
from models.inference.predict import Runner, run_windows

ALL = slice(None)
"""every row, or every step of the horizon"""


@dataclass(frozen=True, kw_only=True)
class GateSpan:
    """The windows on which versions are compared, by stamps, so that they hold for a panel loaded later."""

    horizon: int
    origins: Mapping[str, tuple[int, ...]]
    """series id -> origins, microseconds UTC"""

    @property
    def n_windows(self) -> int:
        """Number of windows over all series."""
        return sum(map(len, self.origins.values()))


@dataclass(frozen=True, eq=False)
class Windows:
    """Forecast windows: their actual values, and the scales of the measures."""

    series: tuple[Series, ...]
    """(B,) the series of each window"""
    origins: Ints
    """(B,) positions of the origins in the series' y"""
    actual: Floats
    """(B, H) values after the origin, NaN where missing"""
    last: Floats
    """(B, 1) last observed value up to the origin, where a direction starts; NaN without any"""
    scale: Floats
    """(B, 1) season error of the history before the series' first window, the denominator of MASE; NaN for rounding"""
    square_scale: Floats
    """(B, 1) squared season error of the same history, the denominator of RMSSE; NaN for rounding"""
    size: Floats
    """(B, 1) mean absolute value of the same history, beside which much smaller values are rounding"""
    spread: Floats
    """(B, 1) standard deviation of the same history, 0 for rounding"""

    def part(self, rows: Ints, steps: slice = ALL) -> "Windows":
        """Select the windows at `rows`, cut to some steps of the horizon."""
        return replace(
            self,
            series=tuple(self.series[row] for row in rows.tolist()),
            origins=self.origins[rows],
            actual=self.actual[rows, steps],
            last=self.last[rows],
            scale=self.scale[rows],
            square_scale=self.square_scale[rows],
            size=self.size[rows],
            spread=self.spread[rows],
        )


def find_windows(panel: Panel, gate: GateSpan) -> Windows:
    """Find the windows of `gate` in the panel. Raises OffGridError for an origin that is not on a grid."""
    by_id = {series.id: series for series in panel.series}
    positions = {
        name: by_id[name].grid.index(np.array(stamps, np.int64)) - by_id[name].start
        for name, stamps in gate.origins.items()
        if name in by_id
    }
    return cut_windows(panel, {name: index.tolist() for name, index in positions.items()}, gate.horizon)


def choose_windows(panel: Panel, origins: Sequence[Sequence[int]], horizon: int, most: int) -> Windows | None:
    """Choose at most `most` windows, evenly spread over those at `origins` of each series; None without a value."""
    pairs = [(series.id, origin) for series, listed in zip(panel.series, origins, strict=True) for origin in listed]
    if len(pairs) > most:
        pairs = [pairs[k] for k in np.linspace(0, len(pairs) - 1, most).astype(int)]
    by_id: dict[str, list[int]] = {}
    for name, origin in pairs:
        by_id.setdefault(name, []).append(origin)
    windows = cut_windows(panel, by_id, horizon)
    return windows if bool((~np.isnan(windows.actual)).any()) else None


def cut_windows(panel: Panel, positions: Mapping[str, Sequence[int]], horizon: int) -> Windows:
    """Cut the windows at `positions` (series id -> origins), in the order of the panel's series."""
    season = panel.frequency.season
    chosen = [(item, positions[item.id]) for item in panel.series if len(positions.get(item.id, ()))]
    series = tuple(item for item, origins in chosen for _ in origins)
    index = np.array([origin for _, origins in chosen for origin in origins], np.int64)
    last = [value for item, origins in chosen for value in _find_last(item.y, origins)]
    rows = [row for item, origins in chosen for row in [_compute_scales(item.y, origins, season)] * len(origins)]
    scale, square_scale, size, spread = np.array(rows, np.float64).reshape(-1, 4, 1).swapaxes(0, 1)  # each (B, 1)
    return Windows(
        series=series,
        origins=index,
        actual=cut_actuals(series, index, horizon),
        last=np.array(last, np.float64)[:, None],
        scale=scale,
        square_scale=square_scale,
        size=size,
        spread=spread,
    )


def _find_last(y: Floats, origins: Sequence[int]) -> list[float]:
    """Find the last value up to each origin, NaN where there is none."""
    present = np.flatnonzero(~np.isnan(y))
    latest = np.searchsorted(present, np.asarray(origins), side="right") - 1  # -1: none
    return [float(y[present[k]]) if k >= 0 else np.nan for k in latest.tolist()]


def _compute_scales(y: Floats, origins: Sequence[int], season: int) -> tuple[float, float, float, float]:
    """Compute season error and squared season error, NaN for none, size and spread of y up to the first origin."""
    history = y[: min(origins) + 1]
    errors = (metrics.season_error(history, season), metrics.season_squared_error(history, season))
    scale, square_scale = (error if error > 0 else np.nan for error in errors)
    size = measure_size(history)
    observed = history[~np.isnan(history)]
    spread = float(observed.std()) if observed.size else 0.0
    return scale, square_scale, size, spread if spread > ROUNDING * size else 0.0


def score(windows: Windows, runner: Runner, config: Config) -> dict[str, float]:
    """Forecast windows and measure the forecasts by `measure_quantiles`; `config` is that of the runner's model."""
    quantiles = run_windows(windows.series, windows.origins, runner, config)
    return measure_quantiles(windows, quantiles, config.quantiles)


def score_season_naive(windows: Windows, panel: Panel, levels: Sequence[float]) -> dict[str, float]:
    """Measure season-naive by `measure_points`."""
    return measure_points(windows, forecast_season_naive(windows, panel.frequency.season), levels)


def forecast_season_naive(windows: Windows, season: int) -> Floats:
    """Forecast each window by season-naive: (B, H)."""
    horizon = windows.actual.shape[1]
    pairs = zip(windows.series, windows.origins.tolist(), strict=True)
    points = [season_naive_on_clock(item, origin, horizon, season) for item, origin in pairs]
    return np.array(points, np.float64).reshape(windows.actual.shape)


def measure_points(windows: Windows, point: Floats, levels: Sequence[float]) -> dict[str, float]:
    """Measure a point forecast (B, H) as quantiles that all equal the point, without the measures of intervals."""
    measures = measure_quantiles(windows, np.repeat(point[..., None], len(levels), axis=-1), levels)
    return {name: value for name, value in measures.items() if not name.startswith(("coverage_", "width_"))}


def measure_quantiles(windows: Windows, quantiles: Floats, levels: Sequence[float]) -> dict[str, float]:
    """Measure quantiles (B, H, Q), whose median is the point forecast; a measure without a value is left out.

    `coverage_80`, `width_80` and their like are those of each pair of levels that is symmetric about the median.
    """
    actual = windows.actual
    rounded = metrics.drop_rounding(actual, windows.size)
    point = quantiles[..., median_position(levels)]
    measures = {
        "mae": metrics.mae(actual, point),
        "rmse": metrics.rmse(actual, point),
        "mse": metrics.mse(actual, point),
        "mape": metrics.mape(rounded, point),
        "smape": metrics.smape(actual, point),
        "mase": metrics.mase(actual, point, windows.scale),
        "rmsse": metrics.rmsse(actual, point, windows.square_scale),
        "directional_accuracy": metrics.directional_accuracy(actual, point, windows.last),
        "directional_precision": metrics.directional_precision(actual, point, windows.last),
        "directional_recall": metrics.directional_recall(actual, point, windows.last),
        "directional_f1": metrics.directional_f1(actual, point, windows.last),
        "pinball": metrics.pinball(actual, quantiles, levels),
        "wql": metrics.wql(rounded, quantiles, levels),
        "wis": metrics.weighted_interval_score(actual, quantiles, levels),
    }
    for low, high in metrics.central_intervals(levels):
        name = f"{100 * (levels[high] - levels[low]):.4g}"
        lower, upper = quantiles[..., low], quantiles[..., high]
        measures[f"coverage_{name}"] = metrics.coverage(actual, lower, upper)
        measures[f"width_{name}"] = metrics.interval_width(actual, lower, upper)
    return {name: float(value) for name, value in measures.items() if np.isfinite(value)}
