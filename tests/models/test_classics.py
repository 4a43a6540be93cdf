"""Series that everybody tries first, by the defaults: what benchmarks.classics holds the service to, in one process."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.classics import Forecast, Result
from benchmarks.classics_peers import naive, season_naive
from benchmarks.classics_rows import MADE, Classic, read_textbooks
from models.data.series import Panel
from models.planning.defaults import default_config
from models.training.fit import fit

DATA = Path(__file__).parents[3] / "shared" / "data"
QUICK = ("line", "growth", "step")
LEVELS = (0.1, 0.5, 0.9)

ROWS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MADE]


def forecast(row: Classic) -> Result:
    """Train on what the newest origin of a row knows, and forecast from there."""
    origin = row.origins[-1]
    panel = Panel.from_arrays({"a": row.y[:origin]}, row.freq, row.start[:10], timezone=row.timezone)
    torch.set_num_threads(1)
    fitted = fit(panel, default_config(panel, row.horizon, LEVELS))
    low, yhat, high = fitted.quantiles(panel.series, np.array([origin - 1]))[0].T
    peers = {one.__name__: [one(row.y[:origin], row.horizon, row.season, row.freq)] for one in (naive, season_naive)}
    judged = replace(row, windows=1, must=replace(row.must, warning=""), ranked=False)
    return Result(judged, [Forecast(yhat, low, high, ())], peers)


@pytest.mark.parametrize("name", ROWS)
def test_made_by_a_line_of_arithmetic(name: str) -> None:
    assert forecast(MADE[name]()).list_faults() == []


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not here")
def test_passengers_are_forecast_better_than_by_arima() -> None:
    found = forecast(next(row for row in read_textbooks(DATA) if row.name == "AirPassengers"))
    assert found.list_faults() == []
    assert found.mae < 18.5
