"""The loss by which configurations compare: each series in its own units, whatever the context."""

from typing import Any

import numpy as np
import pytest
import torch

from models.config.model import Config
from models.data.series import Panel
from models.evaluation import metrics
from models.experiments.selection import SelectPhase, measure_loss
from models.inference.predict import run_windows
from models.network.network import Network
from models.training.fitted import runner_of
from models.training.learner import Learner
from models.training.sampling import fixed_batch
from tests.models.examples import hourly, hourly_panel, small

CPU = torch.device("cpu")
FIELDS: dict[str, Any] = {"context_length": 48, "segment": 12}


def panel_of(values: dict[str, np.ndarray]) -> Panel:
    return Panel.from_arrays(values, "h", "2024-01-01")


def trained(panel: Panel, config: Config) -> list[float]:
    """Return the loss after each epoch."""
    curve: list[float] = []
    with torch.random.fork_rng():
        SelectPhase(panel, config, CPU).train(config, lambda: None, curve.append)
    return curve


def untrained(panel: Panel, config: Config) -> float:
    selection = SelectPhase(panel, config, CPU)
    batch = fixed_batch(selection.windows.series, selection.windows.origins, config, CPU)
    with torch.random.fork_rng():
        return measure_loss(Learner(config, CPU), batch, selection.windows, selection.compared_by)


@pytest.mark.parametrize("loss", ["quantile", "mae", "mse"])
def test_the_loss_is_that_of_serving_in_season_errors(loss: str) -> None:
    panel, config = hourly_panel(300, 3), small(12, training={"loss": loss}, **FIELDS)
    selection = SelectPhase(panel, config, CPU)
    windows = selection.windows
    with torch.random.fork_rng():
        network: Network = Learner(config, CPU).averaged
    quantiles = run_windows(windows.series, windows.origins, runner_of(network), config)
    point = quantiles[..., 1]
    expected = {
        "quantile": 2
        * metrics.pinball(windows.actual / windows.scale, quantiles / windows.scale[..., None], (0.1, 0.5, 0.9)),
        "mae": metrics.mase(windows.actual, point, windows.scale),
        "mse": metrics.rmsse(windows.actual, point, windows.scale**2) ** 2,
    }
    assert untrained(panel, config) == pytest.approx(expected[loss], rel=1e-6)


def test_units_of_a_series_do_not_matter() -> None:
    config = small(12, **FIELDS)
    plain = {"a": hourly(300), "b": hourly(300, seed=1)}
    scaled = {"a": 1e9 * plain["a"], "b": 1e-9 * plain["b"]}
    assert trained(panel_of(scaled), config) == pytest.approx(trained(panel_of(plain), config), rel=1e-3)


def test_all_configurations_are_measured_on_the_same_windows() -> None:
    panel = hourly_panel(300, 2)
    found = [SelectPhase(panel, small(12, context_length=n, segment=12), CPU).windows for n in (24, 96)]
    assert np.array_equal(found[0].origins, found[1].origins)
    assert np.array_equal(found[0].scale, found[1].scale)


def test_a_constant_series_among_others_is_left_out() -> None:
    config = small(12, **FIELDS)
    alone, beside = ({"a": hourly(300)} | more for more in ({}, {"c": np.full(300, 7.0)}))
    assert untrained(panel_of(beside), config) == untrained(panel_of(alone), config)
    assert untrained(panel_of({"c": np.full(300, 7.0)}), config) == pytest.approx(0, abs=1e-3)


def test_a_periodic_series_does_not_outweigh_the_others() -> None:
    config = small(12, **FIELDS)
    periodic = np.tile(np.arange(24.0), 13)[:300]
    periodic[30] += 1e-6
    found = untrained(panel_of({"a": hourly(300), "p": periodic}), config)
    assert found < 5


def test_the_curve_is_that_of_the_kept_weights() -> None:
    config = small(12, training={"epochs": 6, "learning_rate": 0.5}, **FIELDS)
    curve = trained(hourly_panel(300, 2), config)
    assert len(curve) == 6
    assert len(set(curve)) < 6


def test_at_most_max_windows_are_measured() -> None:
    panel = hourly_panel(600, 3)
    many, few = (SelectPhase(panel, small(6, training={"max_windows": n}, **FIELDS), CPU).windows for n in (2048, 5))
    assert len(many.series) > len(few.series) == 5
    assert few.series[0].id == "a"
    assert few.series[-1].id == "c"


def test_nothing_from_the_gate_on_is_held() -> None:
    panel, config = hourly_panel(300), small(12, **FIELDS)
    selection = SelectPhase(panel, config, CPU)
    assert len(selection.panel.series[0].y) == selection.windows.origins.max() + 1 + 12 < 300
