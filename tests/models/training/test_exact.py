"""Candidates that are exact are given the gates' lead, and data without one are trained as before."""

import numpy as np
import torch

from models.data.series import Panel
from models.data.splits import plan_spans
from models.network.head import EXACT_LEAD
from models.network.network import Network
from models.planning.defaults import default_config
from models.training.exact import lead_with_exact
from models.training.fit import fit
from models.training.sampling import window_pool

STEPS = np.arange(240)
SINE = 20 + 6 * np.sin(2 * np.pi * STEPS / 24)
NOISY = SINE + np.random.default_rng(0).normal(0, 0.1, 240)


def prepare(y: np.ndarray) -> tuple[Network, Network]:
    """Return a fresh network before and after `lead_with_exact`."""
    panel = Panel.from_arrays({"a": y}, "h")
    config = default_config(panel, 12, (0.5,), network={"hidden": 8})
    pool = window_pool(panel.series, [s.end for s in plan_spans(panel, config)], config, torch.device("cpu"))
    assert pool is not None
    before, after = Network(config), Network(config)
    after.load_state_dict(before.state_dict())
    lead_with_exact(after, pool.draw(256, torch.Generator().manual_seed(0)))
    return before, after


def test_seasonal_candidates_lead_on_exact_repetition() -> None:
    before, after = prepare(SINE)
    member = after.members[0]
    gained = (member.decoder.output.bias - before.members[0].decoder.output.bias).view(-1, member.head.width)
    leading = {member.head.labels[k] for k in (gained[0] == EXACT_LEAD).nonzero()[:, 0].tolist()}
    assert "season" in leading
    assert "last" not in leading


def test_noisy_data_change_nothing() -> None:
    before, after = prepare(NOISY)
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name]), name


def test_a_short_training_forecasts_exact_repetition() -> None:
    panel = Panel.from_arrays({"a": SINE}, "h")
    config = default_config(panel, 12, (0.5,), network={"hidden": 8}, training={"epochs": 1, "steps_per_epoch": 5})
    assert config.network.anchor == 0
    (forecast,) = fit(panel, config).predict(panel)
    expected = 20 + 6 * np.sin(2 * np.pi * np.arange(240, 252) / 24)
    assert np.abs(forecast.yhat - expected).max() < 0.05
