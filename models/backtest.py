"""Rolling origins, and the scores of any runner on them, beside season-naive on the same windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.baselines import season_naive
from models.calendar import season_lengths
from models.predict import Runner, run_windows
from models.windows import Panel, Series, actuals

Floats = NDArray[np.float64]


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
    """Forecast windows beside what happened."""

    series: tuple[Series, ...]
    """(B,) of each window"""
    origins: NDArray[np.int64]
    """(B,) positions in the series' y"""
    actual: Floats
    """(B, H)"""
    scale: Floats
    """(B, 1) season error of the history before the series' first window, the denominator of MASE"""


def windows_of(panel: Panel, gate: GateSpan) -> Windows:
    """Find the windows of `gate` in the panel. Raises OffGridError for an origin that is not on a grid."""
    by_id = {one.id: one for one in panel.series}
    positions = {
        name: by_id[name].grid.index(np.array(stamps, np.int64)) - by_id[name].start
        for name, stamps in gate.origins.items()
        if name in by_id
    }
    return cut_windows(panel, {name: found.tolist() for name, found in positions.items()}, gate.horizon)


def cut_windows(panel: Panel, positions: Mapping[str, Sequence[int]], horizon: int) -> Windows:
    """Return the windows at `positions` (series id -> origins)."""
    season = scoring_season(panel)
    series, origins, scales = [], [], []
    for one in panel.series:
        chosen = positions.get(one.id, ())
        if len(chosen):
            scale = metrics.season_error(one.y[: min(chosen) + 1], season)
            series += [one] * len(chosen)
            origins += list(chosen)
            scales += [scale if scale > 0 else np.nan] * len(chosen)
    index = np.array(origins, np.int64)
    return Windows(tuple(series), index, actuals(series, index, horizon), np.array(scales)[:, None])


def rolling_origins(series: Series, horizon: int, n_windows: int, step_size: int) -> tuple[int, ...]:
    """Return at most `n_windows` origins, `step_size` apart, the last ending with the series."""
    last = len(series.y) - horizon - 1
    return tuple(o for o in range(last - step_size * (n_windows - 1), last + 1, step_size) if o >= 0)


def scoring_season(panel: Panel) -> int:
    """Return the season that MASE and season-naive use: the shortest of the frequency, or 1."""
    seasons = season_lengths(panel.frequency)
    return seasons[0] if seasons else 1


def score_gate(
    panel: Panel, gate: GateSpan, runner: Runner, *, context_length: int, levels: Sequence[float]
) -> dict[str, float]:
    """Score a runner on exactly the gate windows.

    `context_length` and `levels` are those of the model behind `runner`; its horizon is the gate's.
    """
    return score(windows_of(panel, gate), runner, context_length=context_length, levels=levels)


def score(windows: Windows, runner: Runner, *, context_length: int, levels: Sequence[float]) -> dict[str, float]:
    """Run `windows` and return `measures` of the forecasts."""
    horizon = windows.actual.shape[1]
    quantiles = run_windows(windows.series, windows.origins, runner, context_length, horizon)
    return measures(windows, quantiles, levels)


def score_season_naive(windows: Windows, panel: Panel, levels: Sequence[float]) -> dict[str, float]:
    """Return `measures` of season-naive, whose every quantile is the point."""
    season = scoring_season(panel)
    point = np.stack(
        [
            season_naive(one.y[: origin + 1], windows.actual.shape[1], season)
            for one, origin in zip(windows.series, windows.origins.tolist(), strict=True)
        ]
    )  # (B, H)
    found = measures(windows, np.repeat(point[..., None], len(levels), axis=-1), levels)
    return {name: value for name, value in found.items() if not name.startswith("coverage")}


def measures(windows: Windows, quantiles: Floats, levels: Sequence[float]) -> dict[str, float]:
    """Return the measures of quantiles (B, H, Q); what cannot be measured is left out.

    `coverage_80` and its like stand for each pair of levels that is symmetric about the median.
    """
    actual, point = windows.actual, quantiles[..., list(levels).index(0.5)]
    found = {
        "mae": metrics.mae(actual, point),
        "rmse": metrics.rmse(actual, point),
        "mse": metrics.mse(actual, point),
        "smape": metrics.smape(actual, point),
        "mase": metrics.mase(actual, point, windows.scale),
        "pinball": metrics.pinball(actual, quantiles, levels),
        "wql": metrics.wql(actual, quantiles, levels),
    }
    for low in range(len(levels)):
        for high in range(low + 1, len(levels)):
            if abs(levels[low] + levels[high] - 1) < 1e-9:
                name = f"coverage_{100 * (levels[high] - levels[low]):.4g}"
                found[name] = metrics.coverage(actual, quantiles[..., low], quantiles[..., high])
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}
