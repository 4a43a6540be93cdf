"""How good the pretrained network is, while it is trained: on families that it has not seen, and on real series.

Of real series only what their files call training is read, so that no choice is made by what benchmarks judge.

Shapes: N windows, T steps, H horizon, Q levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.arrays import Floats, Ints
from models.network.pretrained.forecast import forecast_windows
from models.network.pretrained.network import PretrainedNetwork
from models.pretrained.forecaster import LEVELS
from models.pretrained.periods import find_periods
from models.training.synthetic.mixture import HELD_BACK, draw_batch

LONGEST = 1024
"""steps of a context"""
SYNTHETIC = 256
"""windows of unseen families"""
SYNTHETIC_HORIZON = 48
REAL = 48
"""windows of a file"""


@dataclass(frozen=True, eq=False)
class JudgedWindows:
    """Contexts, and what came after them."""

    contexts: Floats
    """(N, T), NaN where missing"""
    actual: Floats
    """(N, H)"""
    season: int
    """steps of season-naive's, 1 for the last value"""
    periods: Ints
    """(N, 2)"""


REAL_ROWS: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "m4_hourly": (24, 48, (24, 168)),
    "vic_elec": (48, 48, (48, 336)),
    "gefcom2012_load": (24, 24, (24, 168)),
    "metro_traffic": (24, 24, (24, 168)),
    "bike_sharing": (24, 24, (24, 168)),
    "etth1": (24, 96, (24, 168)),
    "ettm1": (96, 96, (96,)),
    "us_births": (7, 28, (7, 365)),
    "m4_yearly": (1, 6, ()),
}
"""file -> steps of a season, of the horizon, and seasons that its frequency suggests"""


def draw_unseen(seed: int) -> JudgedWindows:
    """Draw windows of the families that are held back."""
    rng = np.random.default_rng((seed, 3))
    y = draw_batch(rng, SYNTHETIC, LONGEST // 2 + SYNTHETIC_HORIZON, 1.0, HELD_BACK)
    contexts = y[:, : LONGEST // 2]
    return JudgedWindows(contexts, y[:, LONGEST // 2 :], 1, find_periods(contexts))


def read_real(folder: Path) -> dict[str, JudgedWindows]:
    """Read the last windows of the training part of each file that is there."""
    return {
        name: _read(folder / f"{name}.parquet", *row)
        for name, row in REAL_ROWS.items()
        if (folder / f"{name}.parquet").is_file()
    }


def _read(path: Path, season: int, horizon: int, hints: Sequence[int]) -> JudgedWindows:
    frame = pd.read_parquet(path, columns=["unique_id", "y", "split"])
    grouped = frame[frame["split"] == "train"].groupby("unique_id", observed=True)["y"]
    series = [y.to_numpy(np.float64) for _, y in grouped]
    series = [y for y in series if len(y) >= 2 * (horizon + season)]
    series = [series[k] for k in np.linspace(0, len(series) - 1, min(len(series), REAL)).astype(int)]
    each = max(1, REAL // len(series))
    step = 3 * horizon + season // 4  # an origin at other phases of the season
    cuts = [(y, len(y) - horizon - k * step) for y in series for k in range(each)]
    cuts = [(y, end) for y, end in cuts if end >= horizon + season]
    contexts = np.full((len(cuts), LONGEST), np.nan)
    for row, (y, end) in enumerate(cuts):
        known = y[max(0, end - LONGEST) : end]
        contexts[row, LONGEST - len(known) :] = known
    actual = np.array([y[end : end + horizon] for y, end in cuts])
    return JudgedWindows(contexts, actual, season, find_periods(contexts, hints))


def judge(network: PretrainedNetwork, windows: JudgedWindows) -> tuple[float, float]:
    """Return the scaled error of the medians, and the loss of all levels, as shares of season-naive's."""
    horizon = windows.actual.shape[1]
    quantiles = forecast_windows(network, windows.contexts, windows.periods, horizon)  # (N, H, Q)
    repeated = np.stack([_repeat(context, windows.season, horizon) for context in windows.contexts])
    lag = windows.season
    scale = np.nanmean(np.abs(windows.contexts[:, lag:] - windows.contexts[:, :-lag]), 1)
    scale = np.where(scale > 0, scale, np.nan)[:, None]
    levels = np.array(LEVELS)
    missed = windows.actual[..., None] - quantiles
    pinball = 2 * np.maximum(levels * missed, (levels - 1) * missed).mean(-1)
    naive = np.abs(windows.actual - repeated)
    error = np.nanmean(np.abs(missed[..., len(LEVELS) // 2]) / scale) / np.nanmean(naive / scale)
    return float(error), float(np.nanmean(pinball / scale) / np.nanmean(naive / scale))


def _repeat(context: Floats, season: int, horizon: int) -> Floats:
    """Repeat the last season of a context (T,), its gaps filled with the mean: (H,)."""
    last = np.where(np.isnan(context), np.nanmean(context), context)[-season:]
    return np.resize(last, horizon)
