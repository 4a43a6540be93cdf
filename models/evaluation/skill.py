"""How forecasts that were told in advance have come true, and whether a model drifts. Knows no torch.

Shapes: N forecasts, H horizon, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.arrays import Floats, Ints
from models.evaluation.metrics import central_intervals
from models.evaluation.scoring import ALL, Windows, measures, point_measures

LEAST_ORIGINS = 8
"""forecast origins that must have come true before drift is told"""
WORSE = 1.3
"""live error over the gate's, from which on it is drift"""
UNCOVERED = 0.1
"""share of values outside of the interval beyond what the gate had"""
CERTAIN = 3.0
"""standard errors, over origins, that the difference must be"""


@dataclass(frozen=True, eq=False)
class Told:
    """Archived forecasts beside what happened."""

    origins: Ints
    """(N,) stamps"""
    quantiles: Floats
    """(N, H, Q)"""
    season_naive: Floats
    """(N, H)"""
    actual: Floats
    """(N, H), NaN where nothing was observed yet"""
    scale: Floats
    """(N,) season error before the origin, NaN for none"""
    levels: tuple[float, ...]
    """(Q,)"""

    def measured(self, rows: Ints | slice = ALL, steps: slice = ALL) -> dict[str, Any]:
        """Return `n` values that came true, and measures of `model` and `season_naive` on them."""
        actual = self.actual[rows, steps]
        scale = self.scale[rows, None]
        unknown = np.full_like(scale, np.nan)
        windows = Windows((), self.origins[rows], actual, unknown, scale, unknown)
        return {
            "n": int((~np.isnan(actual)).sum()),
            "model": measures(windows, self.quantiles[rows, steps], self.levels),
            "season_naive": point_measures(windows, self.season_naive[rows, steps], self.levels),
        }

    def by_step(self) -> list[dict[str, Any]]:
        """Return `step` (from 1) and `measured` for each step of the horizon that has come true for some forecast."""
        steps = range(self.actual.shape[1])
        found = [{"step": step + 1, **self.measured(steps=slice(step, step + 1))} for step in steps]
        return [one for one in found if one["n"]]

    def rolling(self, groups: int) -> list[dict[str, Any]]:
        """Return `first_origin`, `last_origin` and `measured` of at most so many runs of origins, the oldest first."""
        distinct = np.unique(self.origins)
        parts = np.array_split(distinct, min(groups, len(distinct))) if len(distinct) else []
        found = []
        for part in parts:
            first, last = int(part[0]), int(part[-1])
            rows = np.flatnonzero((self.origins >= first) & (self.origins <= last))
            found.append({"first_origin": first, "last_origin": last, **self.measured(rows)})
        return [one for one in found if one["n"]]


@dataclass(frozen=True)
class Drift:
    """Whether a model does worse than it was judged to do before it went live."""

    status: Literal["unknown", "steady", "drifting"]
    detail: str
    measures: Mapping[str, float]


def drift(told: Told, gate: Mapping[str, float] | None) -> Drift:
    """Compare live error and coverage with those of the gate.

    A difference counts where it is large and, over the origins, unlikely to be chance: forecasts of one origin share
    what happened after it, so that origins, not values, are what is independent.
    """
    if not gate or "mase" not in gate:
        return Drift("unknown", "the version was not judged on a gate in units of its season error", {})
    errors = _by_origin(told, np.abs(told.actual - _median(told)) / told.scale[:, None])
    if len(errors) < LEAST_ORIGINS:
        return Drift("unknown", f"{len(errors)} forecast origins have come true, {LEAST_ORIGINS} are needed", {})
    live = {"mase": float(errors.mean()), "gate_mase": gate["mase"]}
    reasons = []
    if live["mase"] > WORSE * gate["mase"] and _certain(errors - gate["mase"]):
        reasons.append(f"MASE is {live['mase']:.3g}, on the gate it was {gate['mase']:.3g}")
    name, covered = _covered(told)
    if name in gate and len(covered):
        live |= {name: float(covered.mean()), f"gate_{name}": gate[name]}
        if gate[name] - live[name] > UNCOVERED and _certain(gate[name] - covered):
            reasons.append(f"{name} is {live[name]:.3g}, on the gate it was {gate[name]:.3g}")
    if reasons:
        return Drift("drifting", "; ".join(reasons), live)
    return Drift("steady", "error and coverage are about those of the gate", live)


def _median(told: Told) -> Floats:
    median: Floats = told.quantiles[..., told.levels.index(0.5)]
    return median


def _covered(told: Told) -> tuple[str, Floats]:
    """Return the name of the widest interval, and its coverage at each origin."""
    pairs: Sequence[tuple[int, int]] = central_intervals(told.levels)
    if not pairs:
        return "", np.empty(0)
    low, high = pairs[0]
    inside = (told.actual >= told.quantiles[..., low]) & (told.actual <= told.quantiles[..., high])
    share = np.where(np.isnan(told.actual), np.nan, inside.astype(np.float64))
    return f"coverage_{100 * (told.levels[high] - told.levels[low]):.4g}", _by_origin(told, share)


def _by_origin(told: Told, values: Floats) -> Floats:
    """Return the mean of values (N, H) at each origin that has any, (O,)."""
    known = np.isfinite(values)
    _, group = np.unique(told.origins, return_inverse=True)
    count = np.bincount(group, known.sum(1))
    total = np.bincount(group, np.where(known, values, 0.0).sum(1))
    mean: Floats = total[count > 0] / count[count > 0]
    return mean


def _certain(excess: Floats) -> bool:
    """Say whether the mean of excesses (O,) is above zero by far more than their spread explains."""
    error = excess.std(ddof=1) / np.sqrt(len(excess))
    return bool(excess.mean() > CERTAIN * error)
