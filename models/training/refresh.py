"""Refreshing a trained model: its closed-form parts are fitted anew on everything known, in about a second.

No trained weight changes. What is new is compared with what was there on the newest days, each of them forecast by a
matrix that was fitted before it, as if the model had been refreshed all along; then it is fitted on all of them.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from models.arrays import Floats, Ints
from models.config.model import Config
from models.data.aggregation import select_for_training
from models.data.series import Panel, observed_span
from models.errors import TrainingDataError
from models.evaluation.floors import MEASURE
from models.evaluation.scoring import Windows, cut_windows, measure_quantiles
from models.inference.predict import run_windows
from models.network.network import Network
from models.training.calibrate import Calibration
from models.training.fitted import Fitted, runner_of
from models.training.windowed_ridge import LATEST, STEP

MOST_JUDGED = 512
"""windows that a refreshed model is judged on, at most"""
TOLERANCE = 1.02
"""share of the error before that a refreshed one may have: on a few days, so much is chance"""
SAME = 1e-5
"""difference of weights that rounding may leave where the values are the same"""

NO_PART = "this model has no parts that can be refreshed; train it again"
NO_SHARE = "the forecast that a refresh fits did not help when this version was trained; train it again"
NOTHING_NEW = "there are no new values since it was fitted"
TOO_SHORT = "there is too little history at the time of the day that it was fitted for; train it again"


@dataclass(frozen=True, eq=False)
class Refreshed:
    """A model with closed-form parts that were fitted anew."""

    network: Network
    """the refreshed network; where nothing changed, the one that was given"""
    gate: Mapping[str, Mapping[str, float]]
    """`refreshed` and `before` -> measures on the newest days, of forecasts that had not seen them; empty where nothing
    changed"""
    better: bool
    """whether it may serve: it is not worse than the one before"""
    reason: str
    """why, for people"""
    changed: bool
    """whether anything was fitted anew"""
    data_end: Mapping[str, int]
    """series id -> stamp of its last observed value, microseconds UTC"""


def has_closed_form(config: Config) -> bool:
    """Say whether a model has parts that a refresh fits anew."""
    return config.network.calibrated


def refresh(fitted: Fitted, panel: Panel, *, on_progress: Callable[[float], None] | None = None) -> Refreshed:
    """Fit the closed-form parts of a model anew on everything that a panel holds.

    Args:
        on_progress: called with the share of the work that is done, 0 to 1.

    Raises TrainingDataError where no series can be read.
    """
    kept = select_for_training(panel, fitted.config.cleaning)[0]
    if not kept.series:
        raise TrainingDataError("no_series", "none of the series can be refreshed from: they have too many gaps")
    data_end = _find_ends(kept)
    report = on_progress or _ignore
    network = fitted.network.eval()
    part = network.calibrated
    if part is None:
        return _keep(fitted, data_end, NO_PART)
    if not float(part.share):
        return _keep(fitted, data_end, NO_SHARE)
    report(0.1)
    ends = [observed_span(item.y)[1] for item in kept.series]
    calibration = Calibration(network, kept.series, ends, int(part.time))
    report(0.4)
    refreshed = copy.deepcopy(network)
    if not calibration.set_as_of(refreshed, calibration.end):
        return _keep(fitted, data_end, TOO_SHORT)
    assert refreshed.calibrated is not None, "it is a copy of one that has it"
    is_old = int(refreshed.calibrated.until) <= int(part.until)
    if is_old and torch.allclose(refreshed.calibrated.weight, part.weight, rtol=SAME, atol=SAME):
        return _keep(fitted, data_end, NOTHING_NEW)
    report(0.7)
    gate = _judge(calibration, network, kept)
    better, reason = decide(gate)
    report(1.0)
    return Refreshed(refreshed, gate, better, reason, changed=True, data_end=data_end)


def _judge(calibration: Calibration, before: Network, panel: Panel) -> dict[str, dict[str, float]]:
    """Measure both on the newest days, which neither has seen; without such days there is nothing to measure."""
    assert before.calibrated is not None, "refresh asked for it"
    rows = calibration.rows
    begin = max(calibration.end - LATEST, calibration.find_day_after(int(before.calibrated.until)))
    chosen = np.flatnonzero(rows.day >= begin)
    chosen = chosen[:: -(-len(chosen) // MOST_JUDGED) or 1]
    if not chosen.size:
        return {}
    chosen = chosen[np.lexsort((rows.origin[chosen], rows.series[chosen]))]  # the order of `cut_windows`
    origins: dict[str, list[int]] = {}
    for k in chosen.tolist():
        origins.setdefault(panel.series[rows.series[k]].id, []).append(int(rows.origin[k]))
    windows = cut_windows(panel, origins, before.config.horizon)
    refreshed = _forecast_daily(calibration, before, windows, rows.day[chosen], begin)
    forecasts = {"refreshed": refreshed, "before": _forecast(before, windows)}
    return {name: measure_quantiles(windows, values, before.config.quantiles) for name, values in forecasts.items()}


def _forecast_daily(calibration: Calibration, network: Network, windows: Windows, days: Ints, begin: int) -> Floats:
    """Forecast windows (B,) of days (B,) by a network that is refreshed before each STEP of days: (B, H, Q)."""
    copied = copy.deepcopy(network)
    quantiles = np.empty((*windows.actual.shape, len(network.config.quantiles)))
    for first in range(begin, calibration.end, STEP):
        inside: Ints = np.flatnonzero((days >= first) & (days < first + STEP))
        if inside.size:
            calibration.set_as_of(copied, first)
            quantiles[inside] = _forecast(copied, windows.part(inside))
    return quantiles


def _forecast(network: Network, windows: Windows) -> Floats:
    """Forecast windows (B,): (B, H, Q)."""
    return run_windows(windows.series, windows.origins, runner_of(network), network.config)


def decide(gate: Mapping[str, Mapping[str, float]]) -> tuple[bool, str]:
    """Say whether a refreshed model may serve, and why."""
    if not gate:
        return True, "fitted on all values; too few of them are new for a comparison"
    measure = MEASURE if all(MEASURE in measures for measures in gate.values()) else "mae"
    after, before = gate["refreshed"].get(measure, np.nan), gate["before"].get(measure, np.nan)
    numbers = f"{measure} {after:.4g} against {before:.4g} on the newest days"
    if after <= TOLERANCE * before:
        return True, numbers
    return False, f"not as good as before: {numbers}"


def _keep(fitted: Fitted, data_end: Mapping[str, int], reason: str) -> Refreshed:
    """Return the model as it is."""
    return Refreshed(fitted.network, {}, better=False, reason=reason, changed=False, data_end=data_end)


def _find_ends(panel: Panel) -> dict[str, int]:
    """Return the stamp of the last observed value of each series that has one."""
    ends = {item.id: (item, observed_span(item.y)[1]) for item in panel.series}
    return {name: int(item.stamps(end - 1, end)[0]) for name, (item, end) in ends.items() if end}


def _ignore(share: float) -> None:
    pass
