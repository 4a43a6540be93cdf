"""Training that begins from another trained network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.calendar.frequency import parse_frequency
from models.data.series import Panel
from models.errors import CheckpointError, ConfigError
from models.network.network import Network
from models.planning.transfer import transfer_config
from models.training.fit import fine_tune, fit
from models.training.fitted import Fitted
from models.training.learner import Learner
from models.training.warm_start import adopt, digest_weights
from tests.models.examples import GATED, checkpoints, covariate_panel, hourly, hourly_panel, random_network, rich, small

pytestmark = pytest.mark.training

CPU = torch.device("cpu")
SHIFTS = (3, 9, 15, 20)


def bent(length: int, shift: int, seed: int) -> NDArray[np.float64]:
    """Return hours whose next day follows the last one's mean by a rule that takes more than a few days to learn."""
    rng = np.random.default_rng(seed)
    days = length // 24 + 1
    level = np.zeros(days)
    for day in range(1, days):
        level[day] = 1.8 * np.sin(2.2 * level[day - 1]) + 0.1 * rng.standard_normal()
    hours = np.arange(length)
    wave = np.sin(2 * np.pi * (hours + shift) / 24)
    return 10 + np.repeat(level, 24)[:length] * (1.5 + wave) + 0.05 * rng.standard_normal(length)


@pytest.fixture(scope="module")
def source() -> Fitted:
    """A model of four long series that share the rule."""
    panel = Panel.from_arrays({str(k): bent(6000, shift, k) for k, shift in enumerate(SHIFTS)}, "h", "2024-01-01")
    training = {"epochs": 8, "steps_per_epoch": 60, "batch_size": 64, "loss": "mae"}
    return fit(panel, small(24, 6000, training, context_length=48, segment=12, hidden=48))


def error_of(fitted: Fitted, y: NDArray[np.float64], start: int) -> float:
    """Return the mean absolute error of a day's forecast from each midnight after `start`."""
    panel = Panel.from_arrays({"a": y}, "h", "2024-01-01")
    horizon = fitted.config.horizon
    origins = np.arange(start, len(y) - horizon, 24) - 1
    found = fitted.quantiles([panel.series[0]] * len(origins), origins)[..., fitted.config.quantiles.index(0.5)]
    return float(np.abs(found - np.stack([y[o + 1 : o + 1 + horizon] for o in origins])).mean())


@pytest.mark.parametrize("freeze_encoder", [False, True])
@pytest.mark.slow
def test_a_start_helps_where_history_is_short(source: Fitted, freeze_encoder: bool) -> None:
    y = bent(24 * 60, 6, 99)
    short = Panel.from_arrays({"a": y[: 24 * 14]}, "h", "2024-01-01")  # two weeks
    training = {"epochs": 4, "steps_per_epoch": 20}
    fresh = fit(short, replace(source.config, training=replace(source.config.training, epochs=4)))
    tuned = fine_tune(source, short, freeze_encoder=freeze_encoder, training=training)
    assert error_of(tuned, y, 24 * 14) < 0.93 * error_of(fresh, y, 24 * 14)
    assert error_of(tuned, y, 24 * 14) < 1.05 * error_of(source, y, 24 * 14)


def test_a_frozen_encoder_stays(source: Fitted) -> None:
    panel = hourly_panel(400)
    tuned = fine_tune(source, panel, freeze_encoder=True, training={"epochs": 2, "steps_per_epoch": 5, "patience": 9})
    before, after = source.network.state_dict(), tuned.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if ".encoder." in name)
    if tuned.report.selected_steps:
        assert any(not torch.equal(before[name], after[name]) for name in before if ".decoder." in name)


def test_another_horizon_begins_from_what_fits(source: Fitted) -> None:
    config = transfer_config(source.config, hourly_panel(400), 36)
    assert (config.horizon, config.network.context_length) == (36, 48)
    network = Network(config)
    afresh = adopt(network, source.network)
    assert not any(".encoder." in name or ".decoder.cell." in name for name in afresh)
    own, other = network.state_dict(), source.network.state_dict()
    assert torch.equal(own["members.0.decoder.position"][:2], other["members.0.decoder.position"])
    assert torch.equal(own["members.0.decoder.position"][2], other["members.0.decoder.position"][1])
    tuned = fine_tune(source, hourly_panel(400), 36, training={"epochs": 1, "steps_per_epoch": 4})
    assert tuned.predict(hourly_panel(400))[0].quantiles.shape == (36, 3)


def test_scales_and_candidates_come_along() -> None:
    panel = covariate_panel(200)
    config = rich(panel)
    begun = random_network(config)
    for reader in begun.readers:
        reader.covariates.loc.fill_(3.0)
    network = Network(config)
    assert adopt(network, begun) == []
    assert digest_weights(network) == digest_weights(begun)
    learner = Learner(config, CPU, begun)
    assert (learner.network.readers[0].covariates.loc == 3.0).all()
    assert digest_weights(learner.averaged) == digest_weights(begun)


def test_nothing_to_gain_keeps_the_start() -> None:
    panel = hourly_panel(400)
    training = {"epochs": 3, "steps_per_epoch": 6, "learning_rate": 1.0, "clip_norm": 1e9, "patience": 2}
    good = fit(panel, small(24, 400, {"epochs": 12, "steps_per_epoch": 20}, context_length=48, segment=12))
    tuned = fine_tune(good, panel, training=training)
    assert tuned.report.selected_steps == 0
    before, after = good.network.state_dict(), tuned.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name not in ("added", "widened"))


def test_a_checkpoint_belongs_to_its_start() -> None:
    panel, config = hourly_panel(200), small(12, 200, {"epochs": 1}, context_length=48)
    _, found = checkpoints(panel, config)
    with pytest.raises(CheckpointError):
        fit(panel, config, resume=found[0], start=random_network(config))


def test_a_start_is_resumed_to_the_same_weights() -> None:
    panel, config = hourly_panel(200), small(12, 200, {"epochs": 2}, context_length=48, segment=12, **GATED)
    start, found = random_network(config), []
    whole = fit(panel, config, start=start, save_checkpoint=found.append)
    again = fit(panel, config, start=start, resume=found[1])
    assert digest_weights(whole.network) == digest_weights(again.network)


@pytest.mark.parametrize(
    ("freq", "training", "field"),
    [("D", {}, "warm_start"), ("h", {"loss": "mse"}, "training.loss"), ("h", {"epochs": 0}, "training.epochs")],
)
def test_what_cannot_be_followed_is_said(freq: str, training: dict[str, object], field: str) -> None:
    panel = Panel.from_arrays({"a": hourly(300)}, freq, "2024-01-01")
    assert panel.frequency == parse_frequency(freq)
    with pytest.raises(ConfigError) as caught:
        transfer_config(small(), panel, training=training)
    assert caught.value.field == field


def test_another_encoder_is_no_start() -> None:
    with pytest.raises(ConfigError, match="another encoder") as caught:
        adopt(Network(small(hidden=16)), Network(small(hidden=8)))
    assert caught.value.field == "warm_start"
