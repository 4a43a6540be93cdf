"""The calibrated forecast: what it reads, when it speaks, and how it moves the answer."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.config.model import Config
from models.data.covariates import build_covariate_config
from models.data.windows import Batch, assemble, inputs_of
from models.network.calibrated import CalibratedForecast
from models.network.network import Network
from models.training.fitted import runner_of
from tests.models.examples import covariate_panel, hourly_panel, random_network, small

ORIGIN = 383
"""the last hour of a day, so that the horizon begins at midnight"""
PANEL = hourly_panel(500)


def make_config(horizon: int = 24, **network: Any) -> Config:
    return small(horizon, 5000, **{"context_length": 192, "segment": 24, "hidden": 8, "calibrated": True, **network})


def make_network(config: Config, share: float, time: int = 0) -> tuple[Network, CalibratedForecast]:
    network = random_network(config)
    part = network.calibrated
    assert part is not None
    part.share.fill_(share)
    part.time.fill_(time)
    return network, part


def cut(config: Config, origin: int = ORIGIN) -> Batch:
    return assemble(PANEL.series, np.array([origin]), config)


def forecast(network: Network, origin: int = ORIGIN) -> NDArray[np.float64]:
    return runner_of(network)(cut(network.config, origin))[0]


def test_without_a_share_nothing_changes() -> None:
    config = make_config()
    with_part, _ = make_network(config, 0.0)
    without = Network(replace(config, network=replace(config.network, calibrated=False))).eval()
    without.load_state_dict({k: v for k, v in with_part.state_dict().items() if not k.startswith("calibrated.")})
    np.testing.assert_array_equal(forecast(with_part), forecast(without))


def test_the_weights_of_the_same_hours_of_earlier_days_repeat_them() -> None:
    network, part = make_network(make_config(), 1.0)
    y = PANEL.series[0].y
    for back in (24, 48, 72, 168):
        first = part.steps.tolist().index(192 - back)
        part.weight.zero_()
        part.weight[first : first + 24] = torch.eye(24)
        np.testing.assert_allclose(forecast(network)[:, 1], y[ORIGIN + 1 - back :][:24], rtol=1e-5)


def test_the_answer_moves_by_the_share_and_its_distances_stay() -> None:
    config = make_config()
    values = {share: forecast(make_network(config, share)[0]) for share in (0.0, 0.25, 1.0)}
    moved = values[1.0][:, 1] - values[0.0][:, 1]
    assert np.abs(moved).max() > 0.1
    for share, quantiles in values.items():
        np.testing.assert_allclose(quantiles, values[0.0] + share * moved[:, None], atol=1e-6)


def test_it_is_silent_at_another_time_of_the_day() -> None:
    config = make_config()
    silent, speaking = make_network(config, 0.0)[0], make_network(config, 1.0)[0]
    for later in range(1, 24):
        np.testing.assert_array_equal(forecast(silent, ORIGIN + later), forecast(speaking, ORIGIN + later))
    assert (forecast(silent, ORIGIN + 24) != forecast(speaking, ORIGIN + 24)).any()


def test_a_longer_horizon_reads_as_many_days() -> None:
    _, part = make_network(make_config(100, context_length=336), 1.0)
    assert set(part.steps.tolist()) == {*range(336 - 5 * 24, 336), *range(336 - 168, 336 - 168 + 100)}


def test_covariates_are_read_at_the_horizon_and_a_day_and_a_week_before() -> None:
    panel = covariate_panel(500, 1, ahead=50)
    base = make_config()
    config = replace(base, covariates=build_covariate_config(panel, ("temp",)))
    network, part = make_network(config, 1.0)
    assert part.rows.tolist() == [192 - back + step for back in (0, 24, 168) for step in range(24)]
    batch = assemble(panel.series, np.array([ORIGIN]), config)
    y, calendar, covariates = (torch.from_numpy(values) for values in inputs_of(batch, config).values())
    reading = network.read(y, calendar, covariates)[0]
    assert reading.numbers is not None
    read = part.build_inputs(reading.context.z, calendar[:, 192], reading.numbers)[0, len(part.steps) : -8]
    local = torch.asinh(reading.numbers[0, part.rows, 1])  # z-scores in the training data, in the window, observed
    torch.testing.assert_close(read, local)
