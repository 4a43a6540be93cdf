"""Live skill: measures of archived forecasts whose horizon has passed, and drift of a model.

Shapes: N forecasts, H horizon, Q quantiles, O distinct origins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from models.arrays import ROUNDING, Floats, Ints
from models.config.model import median_position
from models.evaluation.metrics import central_intervals
from models.evaluation.scoring import ALL, Windows, measure_points, measure_quantiles

# The limits of drift were chosen by judgement.
LEAST_ORIGINS = 8
"""forecast origins with actual values before drift is judged"""
WORSE = 1.3
"""ratio of the live error to the gate's above which a model drifts"""
UNCOVERED = 0.1
"""loss of coverage against the gate above which a model drifts"""
CERTAIN = 3.0
"""standard errors over origins by which the difference must exceed zero"""


@dataclass(frozen=True, eq=False)
class ForecastOutcomes:
    """Archived forecasts and the actual values."""

    origins: Ints
    """(N,) stamps, microseconds UTC"""
    quantiles: Floats
    """(N, H, Q) in original units"""
    season_naive: Floats
    """(N, H) point forecasts of season-naive"""
    actual: Floats
    """(N, H) NaN where nothing was observed yet"""
    scale: Floats
    """(N,) season error before the origin, NaN without one"""
    levels: tuple[float, ...]
    """(Q,)"""

    @cached_property
    def size(self) -> Floats:
        """(N,) mean absolute value of the last season before the origin, as far as the horizon repeats it."""
        size: Floats = np.nan_to_num(np.abs(self.season_naive)).mean(1)
        return size

    @cached_property
    def unit(self) -> Floats:
        """(N,) the season error, NaN where it is rounding: earlier releases archived that too."""
        return np.where(self.scale > ROUNDING * self.size, self.scale, np.nan)

    def measure(self, rows: Ints | slice = ALL, steps: slice = ALL) -> dict[str, Any]:
        """Return `n`, the number of actual values, and the measures of `model` and `season_naive` on them."""
        actual = self.actual[rows, steps]
        scale = self.unit[rows, None]
        unknown = np.full_like(scale, np.nan)
        windows = Windows(
            series=(),
            origins=self.origins[rows],
            actual=actual,
            last=unknown,
            scale=scale,
            square_scale=unknown,
            size=self.size[rows, None],
            spread=unknown,
        )
        return {
            "n": int((~np.isnan(actual)).sum()),
            "model": measure_quantiles(windows, self.quantiles[rows, steps], self.levels),
            "season_naive": measure_points(windows, self.season_naive[rows, steps], self.levels),
        }

    def by_step(self) -> list[dict[str, Any]]:
        """Return `step` (from 1) and `measure` for each step of the horizon with an actual value."""
        steps = range(self.actual.shape[1])
        rows = [{"step": step + 1, **self.measure(steps=slice(step, step + 1))} for step in steps]
        return [row for row in rows if row["n"]]

    def rolling(self, groups: int) -> list[dict[str, Any]]:
        """Return `first_origin`, `last_origin` and `measure` of at most so many runs of origins, the oldest first."""
        distinct = np.unique(self.origins)
        parts = np.array_split(distinct, min(groups, len(distinct))) if len(distinct) else []
        periods = []
        for part in parts:
            first, last = int(part[0]), int(part[-1])
            rows = np.flatnonzero((self.origins >= first) & (self.origins <= last))
            periods.append({"first_origin": first, "last_origin": last, **self.measure(rows)})
        return [period for period in periods if period["n"]]


@dataclass(frozen=True)
class Drift:
    """The comparison of a live model with its gate."""

    status: Literal["unknown", "steady", "drifting"]
    detail: str
    measures: Mapping[str, float]


def detect_drift(outcomes: ForecastOutcomes, gate: Mapping[str, float] | None) -> Drift:
    """Compare live error and coverage with those of the gate.

    A difference counts where it is large and, over the origins, unlikely to be chance: forecasts of one origin share
    the events after it, so that origins are independent, and values are not.
    """
    if not gate or "mase" not in gate:
        return Drift("unknown", "the version was not judged on a gate in units of its season error", {})
    errors = _by_origin(outcomes, np.abs(outcomes.actual - _median(outcomes)) / outcomes.unit[:, None])
    if len(errors) < LEAST_ORIGINS:
        return Drift("unknown", f"{len(errors)} forecast origins have come true, {LEAST_ORIGINS} are needed", {})
    live = {"mase": float(errors.mean()), "gate_mase": gate["mase"]}
    reasons = []
    if live["mase"] > WORSE * gate["mase"] and _certain(errors - gate["mase"]):
        reasons.append(f"MASE is {live['mase']:.3g}, on the gate it was {gate['mase']:.3g}")
    name, covered = _compute_coverage(outcomes)
    if name in gate and len(covered):
        live |= {name: float(covered.mean()), f"gate_{name}": gate[name]}
        if gate[name] - live[name] > UNCOVERED and _certain(gate[name] - covered):
            reasons.append(f"{name} is {live[name]:.3g}, on the gate it was {gate[name]:.3g}")
    if reasons:
        return Drift("drifting", "; ".join(reasons), live)
    return Drift("steady", "error and coverage are about those of the gate", live)


def _median(outcomes: ForecastOutcomes) -> Floats:
    """Return the point forecasts (N, H)."""
    median: Floats = outcomes.quantiles[..., median_position(outcomes.levels)]
    return median


def _compute_coverage(outcomes: ForecastOutcomes) -> tuple[str, Floats]:
    """Compute the coverage (O,) of the widest interval at each origin; return its name too, empty without one."""
    pairs: Sequence[tuple[int, int]] = central_intervals(outcomes.levels)
    if not pairs:
        return "", np.empty(0)
    low, high = pairs[0]
    inside = (outcomes.actual >= outcomes.quantiles[..., low]) & (outcomes.actual <= outcomes.quantiles[..., high])
    share = np.where(np.isnan(outcomes.actual), np.nan, inside.astype(np.float64))
    return f"coverage_{100 * (outcomes.levels[high] - outcomes.levels[low]):.4g}", _by_origin(outcomes, share)


def _by_origin(outcomes: ForecastOutcomes, values: Floats) -> Floats:
    """Return the mean of values (N, H) at each origin that has any, (O,)."""
    present = np.isfinite(values)
    _, group = np.unique(outcomes.origins, return_inverse=True)
    count = np.bincount(group, present.sum(1))
    total = np.bincount(group, np.where(present, values, 0.0).sum(1))
    mean: Floats = total[count > 0] / count[count > 0]
    return mean


def _certain(excess: Floats) -> bool:
    """Say whether the mean of excesses (O,) is above zero by far more than their spread explains."""
    error = excess.std(ddof=1) / np.sqrt(len(excess))
    return bool(excess.mean() > CERTAIN * error)
