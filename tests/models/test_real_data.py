"""Real series: the bicycles of the demo, whose last weeks the default network forecasts better than season-naive."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import app.data
from app.serving.runtime import load_version
from models.data.series import Panel
from models.data.windows import assemble
from models.evaluation.scoring import cut_windows, score, score_season_naive
from models.experiments.backtest import plan_origins
from models.export.export import export
from models.export.load import load_weights
from models.inference.published import WEIGHTS
from models.planning.defaults import default_config
from models.training.fit import fit
from tests.kept import GRAPHS
from tests.models.examples import PLAIN, VARIANTS

pytestmark = pytest.mark.training

LONG = (
    "attention",
    "attention-last-step",
    "bidirectional",
    "bidirectional-gru",
    "convolution",
    "ensemble",
    "everything",
    "gru",
    "huber",
    "mae",
    "mse",
    "pretrained",
    "prophet",
    "recursive",
    "recursive-plain",
    "smoothing",
    "statistical",
    "stacked",
    "stepwise",
    "student-t",
    "wide-ets",
    "without-basis",
)
"""whose training and graph take more than ten seconds together"""


@pytest.fixture(scope="module")
def rentals() -> NDArray[np.float64]:
    """Hourly rentals of two years."""
    (folder,) = app.data.__path__
    return pd.read_csv(Path(folder) / "bike_sharing.csv.gz")["y"].to_numpy(np.float64)


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("freq", "horizon", "known", "seen"), [("h", 24, 1400, 400), pytest.param("D", 7, 600, 130, marks=pytest.mark.slow)]
)
def test_beats_season_naive(
    rentals: NDArray[np.float64], cell: str, freq: str, horizon: int, known: int, seen: int
) -> None:
    y = rentals if freq == "h" else rentals.reshape(-1, 24).sum(1)
    tail = y[-known - seen :]
    training, whole = (Panel.from_arrays({"bikes": v}, freq, "2012-01-01") for v in (tail[:known], tail))
    config = default_config(training, horizon, network={"cell": cell, "hidden": 32}, training={"epochs": 8})
    fitted = fit(training, config)
    windows = cut_windows(whole, {"bikes": plan_origins(whole.series[0], horizon, 14, horizon + 1)}, horizon)
    assert windows.origins.min() >= known - 1
    ours = score(windows, fitted.runner, config)
    floor = score_season_naive(windows, whole, config.quantiles)
    assert ours["mae"] < 0.95 * floor["mae"]
    assert ours["rmse"] < 0.95 * floor["rmse"]
    assert ours["wql"] < 0.8 * floor["wql"]


@pytest.mark.parametrize("variant", [pytest.param(v, marks=pytest.mark.slow) if v in LONG else v for v in VARIANTS])
def test_every_network_beats_season_naive_and_serves_its_forecasts(
    rentals: NDArray[np.float64], variant: str, tmp_path: Path
) -> None:
    network, options = VARIANTS[variant]
    horizon = 4 if network.get("decoder") == "recursive" else 12  # each step of a recursion is a part of the graph
    known, seen = 1200, 330
    tail = rentals[-known - seen :]
    training, whole = (Panel.from_arrays({"bikes": v}, "h", "2012-01-01") for v in (tail[:known], tail))
    sizes = {"hidden": 24, "context_length": 48, "segment": 12, **PLAIN}
    budget = {"epochs": 10, "steps_per_epoch": 30, "batch_size": 64, "learning_rate": 5e-3}
    config = default_config(training, horizon, network={**sizes, **network}, training={**budget, **options})
    fitted = fit(training, config)
    windows = cut_windows(whole, {"bikes": plan_origins(whole.series[0], horizon, 24, horizon + 1)}, horizon)
    ours, floor = score(windows, fitted.runner, config), score_season_naive(windows, whole, config.quantiles)
    measure = "rmse" if options.get("loss") == "mse" else "mae"  # what it learns
    assert ours[measure] < floor[measure]
    manifest = export(fitted, tmp_path, GRAPHS)
    digest = hashlib.sha256((tmp_path / "manifest.json").read_bytes()).hexdigest()
    served = load_version(digest, lambda name: (tmp_path / name).read_bytes())
    assert served.config == config
    assert manifest.config == config.to_dict()
    batch = assemble(windows.series, windows.origins, config)
    expected = fitted.runner(batch)
    scale = expected[..., -1].max() - expected[..., 0].min()
    np.testing.assert_allclose(served.run(batch), expected, atol=1e-4 * scale)
    torch.testing.assert_close(
        load_weights((tmp_path / WEIGHTS).read_bytes()).state_dict(), fitted.network.cpu().state_dict(), rtol=0, atol=0
    )
