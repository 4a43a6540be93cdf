"""The pretrained network: what it reads at each position, and what it must not."""

import numpy as np
import torch

from models.network.pretrained.forecast import forecast_windows
from models.network.pretrained.network import Positions, PretrainedConfig, PretrainedNetwork, scale_context
from models.pretrained.forecaster import LEVELS

SMALL = PretrainedConfig(width=16, inner=24, blocks=1)
RNG = np.random.default_rng(0)


def make_network() -> PretrainedNetwork:
    """Return a small network whose outputs depend on all that it reads."""
    torch.manual_seed(0)
    network = PretrainedNetwork(SMALL)
    with torch.no_grad():
        network.output.weight.normal_(0, 0.1)
    return network.eval()


def forecast_at(network: PretrainedNetwork, y: torch.Tensor, known: int, segments: list[int]) -> torch.Tensor:
    """Return the quantiles (B, P, H, Q) at some positions."""
    positions = Positions(torch.tensor(segments), (torch.tensor(segments) + 1) * 8)
    with torch.inference_mode():
        quantiles, _ = network(scale_context(y, known), known, torch.tensor([[24, 7]] * len(y)), positions)
    found: torch.Tensor = quantiles
    return found


def test_a_position_sees_nothing_after_itself() -> None:
    network = make_network()
    y = torch.tensor(RNG.normal(0, 1, (2, 160)))
    changed = y.clone()
    changed[:, 104:] += 5.0  # after the segment 12
    before, after = (forecast_at(network, one, 96, [11, 12, 15]) for one in (y, changed))
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


def test_scale_and_units_come_from_the_known_part_alone() -> None:
    y = torch.tensor(RNG.normal(0, 1, (1, 160)))
    changed = y.clone()
    changed[:, 96:] = 1e6
    first, second = scale_context(y, 96), scale_context(changed, 96)
    assert torch.equal(first.loc, second.loc)
    assert torch.equal(first.scale, second.scale)
    assert torch.equal(first.z[:, :96], second.z[:, :96])


def test_levels_ascend_and_windows_stand_alone() -> None:
    network = make_network()
    contexts = RNG.normal(0, 1, (5, 200)).cumsum(1)
    periods = np.array([[24, 7], [0, 0], [12, 0], [7, 90], [2, 3]], np.int64)
    together = forecast_windows(network, contexts, periods, 150)
    assert together.shape == (5, 150, len(LEVELS))
    assert (np.diff(together, axis=-1) >= 0).all()
    for row in range(5):
        alone = forecast_windows(network, contexts[row : row + 1], periods[row : row + 1], 150)
        assert np.abs(alone - together[row]).max() < 1e-5


def test_a_shorter_horizon_is_a_prefix() -> None:
    network = make_network()
    contexts, periods = RNG.normal(0, 1, (2, 96)), np.array([[24, 0]] * 2, np.int64)
    long = forecast_windows(network, contexts, periods, 64)
    assert np.array_equal(forecast_windows(network, contexts, periods, 10), long[:, :10])
