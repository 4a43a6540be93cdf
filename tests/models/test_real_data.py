"""Real series: the bicycles of the demo, whose last weeks the default network forecasts better than season-naive."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import app.data
from models.backtest import rolling_origins
from models.defaults import choose_for
from models.fit import fit
from models.scoring import cut_windows, score, score_season_naive
from models.windows import Panel


@pytest.fixture(scope="module")
def rentals() -> NDArray[np.float64]:
    """Hourly rentals of two years."""
    (folder,) = app.data.__path__
    return pd.read_csv(Path(folder) / "bike_sharing.csv.gz")["y"].to_numpy(np.float64)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("freq", "horizon", "known", "seen"), [("h", 24, 1400, 400), ("D", 7, 600, 130)])
def test_beats_season_naive(
    rentals: NDArray[np.float64], cell: str, freq: str, horizon: int, known: int, seen: int
) -> None:
    y = rentals if freq == "h" else rentals.reshape(-1, 24).sum(1)
    tail = y[-known - seen :]
    training, whole = (Panel.from_arrays({"bikes": v}, freq, "2012-01-01") for v in (tail[:known], tail))
    config = choose_for(training, horizon, network={"cell": cell, "hidden": 32}, training={"epochs": 8})
    fitted = fit(training, config)
    windows = cut_windows(whole, {"bikes": rolling_origins(whole.series[0], horizon, 14, horizon + 1)}, horizon)
    assert windows.origins.min() >= known - 1
    ours = score(windows, fitted.runner, config)
    floor = score_season_naive(windows, whole, config.quantiles)
    assert ours["mae"] < 0.95 * floor["mae"]
    assert ours["rmse"] < 0.95 * floor["rmse"]
    assert ours["wql"] < 0.8 * floor["wql"]
