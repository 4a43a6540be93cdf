"""Reference forecasts: what a model is judged beside, on the same windows. Knows no torch."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.arrays import Floats
from models.classical import baselines
from models.evaluation.scoring import Windows, point_measures

Reference = Callable[[Floats, int, int], Floats]
"""history (T,) up to the origin, horizon, season -> (H,)"""

REFERENCES: Mapping[str, Reference] = {
    "season_naive": baselines.season_naive,
    "naive": lambda history, horizon, season: baselines.naive(history, horizon),
    "drift": lambda history, horizon, season: baselines.drift(history, horizon),
    "season_mean": baselines.season_mean,
    "theta": baselines.theta,
    "ets": baselines.ets,
}
COST: Mapping[str, tuple[float, float]] = {"theta": (8e-3, 1e-5), "ets": (3e-2, 7.5e-5)}
"""seconds a window of those that fit a model to each: at no season, and more with its square"""
BUDGET_SECONDS = 20.0
"""that each of them is worth where nobody asked for it by name"""


def usual(n_windows: int, season: int, budget_s: float = BUDGET_SECONDS) -> tuple[str, ...]:
    """Return the references that are worth their time on so many windows of a season."""
    return tuple(name for name in REFERENCES if n_windows * _seconds(name, season) <= budget_s)


def _seconds(name: str, season: int) -> float:
    once, more = COST.get(name, (0.0, 0.0))
    return once + more * (season if season <= baselines.LONGEST_FITTED else 1) ** 2


def reference_points(windows: Windows, season: int, names: Sequence[str]) -> dict[str, Floats]:
    """Return the forecasts (B, H) of each reference that is named."""
    shape = windows.actual.shape
    pairs = list(zip(windows.series, windows.origins.tolist(), strict=True))
    return {
        name: np.array(
            [REFERENCES[name](one.y[: origin + 1], shape[1], season) for one, origin in pairs], np.float64
        ).reshape(shape)
        for name in names
    }


def score_references(
    windows: Windows, season: int, names: Sequence[str], levels: Sequence[float]
) -> dict[str, dict[str, float]]:
    """Return `point_measures` of each reference that is named."""
    points = reference_points(windows, season, names)
    return {name: point_measures(windows, found, levels) for name, found in points.items()}
