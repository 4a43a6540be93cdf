"""Levels that cover as often as they say: factors and offsets measured on windows that training has not seen."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.arrays import ROUNDING
from models.config.model import Config
from models.data.series import Panel
from models.network.network import ConformalCorrection, Network
from models.training.conformal import SHRINKAGE, WIDEST, measure_correction
from models.training.sampling import TensorBatch, fixed_batch
from tests.models.examples import random_network, small

CPU = torch.device("cpu")
HORIZON = 12


def flat_network(loss: str = "quantile") -> Network:
    """Return an untrained network: its median is a mean of candidates, its levels stand at one distance."""
    return Network(small(HORIZON, training={"loss": loss}, context_length=48, segment=12)).eval()


def noise_batch(config: Config, deviation: float, windows: int = 400) -> TensorBatch:
    """Return windows of noise of deviation 1 whose horizon has another one."""
    rng = np.random.default_rng(0)
    values = {str(k): np.r_[rng.standard_normal(48), deviation * rng.standard_normal(HORIZON)] for k in range(windows)}
    series = Panel.from_arrays(values, "h", "2024-01-01").series
    return fixed_batch(series, np.full(windows, 47), config, CPU)


def covered(network: Network, batch: TensorBatch) -> float:
    """Return how often the target lies between the lowest and the highest level."""
    with torch.no_grad():
        found = network(batch["y"], batch["calendar"])
    return float(((batch["target"] >= found[..., 0]) & (batch["target"] <= found[..., -1])).double().mean())


@pytest.mark.parametrize("deviation", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("loss", ["quantile", "mse"])
def test_corrected_levels_cover_what_they_say(deviation: float, loss: str) -> None:
    network = flat_network(loss)
    batch = noise_batch(network.config, deviation)
    network.set_correction(measure_correction(network, [batch], network.config))
    assert covered(network, batch) == pytest.approx(0.8, abs=0.03)


def test_windows_of_several_spans_count_together() -> None:
    network = flat_network()
    calm, wild = noise_batch(network.config, 0.5), noise_batch(network.config, 2.0)
    network.set_correction(measure_correction(network, [calm, wild], network.config))
    both = np.mean([covered(network, calm), covered(network, wild)])
    assert both == pytest.approx(0.8, abs=0.03)
    assert covered(network, calm) > 0.9 > 0.7 > covered(network, wild)


def test_the_median_stays() -> None:
    for loss in ("quantile", "mse"):
        network = flat_network(loss)
        found = measure_correction(network, [noise_batch(network.config, 3.0)], network.config)
        assert (found.scale[:, 1] == 1).all()
        assert (found.offset[:, 1] == 0).all()


def test_few_windows_correct_little() -> None:
    network = flat_network()
    factors: list[NDArray[np.float32]] = []
    for windows in (1, SHRINKAGE, 400):
        found = measure_correction(network, [noise_batch(network.config, 2.5, windows)], network.config)
        factors.append(found.scale[0])
    assert 1 < factors[0][2] < factors[2][2]
    assert 1 < factors[0][0] < factors[2][0]


def test_nothing_that_was_observed_corrects_nothing() -> None:
    network = flat_network()
    batch = noise_batch(network.config, 2.0, 5)
    batch["target"][:] = torch.nan
    found = measure_correction(network, [batch], network.config)
    assert (found.scale == 1).all()
    assert np.abs(found.offset).max() == np.float32(ROUNDING)  # by which an interval holds a value that it is made of
    assert (found.offset[:, network.median] == 0).all()


def test_a_factor_is_bounded() -> None:
    network = flat_network()
    found = measure_correction(network, [noise_batch(network.config, 1e4)], network.config)
    assert found.scale.max() <= WIDEST


def test_a_widened_level_moves_from_the_median() -> None:
    network = random_network(small(HORIZON, context_length=48, segment=12))
    batch = noise_batch(network.config, 1.0, 20)
    unchanged = ConformalCorrection(np.zeros((HORIZON, 3), np.float32), np.ones((HORIZON, 3), np.float32))
    network.set_correction(unchanged)
    with torch.no_grad():
        before = network(batch["y"], batch["calendar"])
        network.widened.fill_(2.0)
        after = network(batch["y"], batch["calendar"])
    torch.testing.assert_close(after[..., 1], before[..., 1])
    torch.testing.assert_close(after - after[..., 1:2], 2 * (before - before[..., 1:2]), atol=1e-6, rtol=1e-6)
