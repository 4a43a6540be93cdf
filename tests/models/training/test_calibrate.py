"""The calibrated forecast of a panel: its rows, its share, and that it sees nothing of the future."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.config.model import Config
from models.data.covariates import build_covariate_config
from models.data.series import Panel
from models.network.network import Network
from models.training.calibrate import LEAST_DAYS, Calibration, calibrate, choose_share, find_time
from models.training.closed_form import learn_scales
from models.training.fit import fit
from tests.models.examples import hourly_panel, random_network, small

DAYS = 130
AHEAD = 48


def make_panel(days: int = DAYS, series: int = 1, seed: int = 0) -> Panel:
    """Return hourly series that end with a day, moved by a covariate that is known ahead."""
    rng = np.random.default_rng(seed)

    def add_covariate(y: np.ndarray, temp: np.ndarray) -> np.ndarray:
        return y + 2 * temp[: len(y)]

    items = []
    for item in hourly_panel(24 * days, series).series:
        temp = rng.standard_normal(24 * days + AHEAD)
        items.append(replace(item, y=add_covariate(item.y, temp), covariates={"temp": temp}))
    return Panel(hourly_panel().frequency, tuple(items))


PANEL = make_panel()


def make_config(panel: Panel = PANEL, horizon: int = 24, training: dict[str, object] | None = None) -> Config:
    network: dict[str, object] = {"context_length": 192, "segment": 24, "hidden": 8, "basis": False, "calibrated": True}
    config = small(horizon, 5000, training, **network)
    return replace(config, covariates=build_covariate_config(panel, ("temp",)))


def make_network(panel: Panel = PANEL, horizon: int = 24) -> Network:
    """Return an untrained network whose covariates have their scales."""
    network = random_network(make_config(panel, horizon))
    learn_scales(network, panel.series, [2000] * len(panel.series))
    return network


def find_ends(panel: Panel) -> list[int]:
    return [len(item.y) for item in panel.series]


def weights_as_of(panel: Panel, day: int, horizon: int = 24) -> torch.Tensor:
    network = make_network(PANEL, horizon)
    calibration = Calibration(network, panel.series, find_ends(panel), 0)
    assert calibration.set_as_of(network, int(calibration.rows.day[0]) - 7 + day)
    assert network.calibrated is not None
    return network.calibrated.weight


def test_a_row_a_day_the_oldest_first() -> None:
    calibration = Calibration(make_network(), PANEL.series, [24 * DAYS], 0)
    rows = calibration.rows
    assert len(rows.day) == DAYS - 7
    assert (np.diff(rows.day) == 1).all()
    assert (rows.origin % 24 == 23).all()
    assert calibration.end == rows.day[-1] + 1
    assert find_time(PANEL.series, [24 * DAYS]) == 0
    assert find_time(PANEL.series, [24 * DAYS - 5]) == 19 * 3600


@pytest.mark.parametrize("horizon", [24, 40])
def test_nothing_past_the_day_is_seen(horizon: int) -> None:
    day = 120
    end = 24 * day
    item = PANEL.series[0]
    later = item.y.copy()
    later[end:] = -500.0
    temp = item.covariates["temp"].copy()
    temp[end + horizon :] = 1e4
    changed = Panel(PANEL.frequency, (replace(item, y=later, covariates={"temp": temp}),))
    truncated = Panel(PANEL.frequency, (replace(item, y=item.y[:end]),))
    expected = weights_as_of(PANEL, day, horizon)
    assert torch.equal(weights_as_of(changed, day, horizon), expected)
    assert torch.equal(weights_as_of(truncated, day, horizon), expected)
    assert not torch.equal(weights_as_of(changed, day + 1, horizon), expected)


def test_a_covariates_effect_is_learned_and_gets_a_share() -> None:
    network = make_network()
    calibrate(network, PANEL.series, [24 * DAYS], 0, [24 * 105])
    part = network.calibrated
    assert part is not None
    assert float(part.share) >= 0.75, "the network was never trained"
    assert int(part.until) == PANEL.series[0].stamps(24 * DAYS - 1, 24 * DAYS)[0]


def test_few_days_choose_no_share() -> None:
    network = make_network()
    calibrate(network, PANEL.series, [24 * DAYS], 0, [24 * (DAYS - LEAST_DAYS + 1)])
    assert network.calibrated is not None
    assert float(network.calibrated.share) == 0.0


def test_the_share_is_what_helps_and_of_nearly_equal_ones_the_larger() -> None:
    rng = np.random.default_rng(0)
    actual = rng.standard_normal((200, 24))
    ours, other, far = (actual + size * rng.standard_normal(actual.shape) for size in (1.0, 1.0, 5.0))
    assert choose_share(ours, other, actual) in (0.5, 0.625)
    assert choose_share(ours, far, actual) == 0.0
    assert choose_share(ours, actual, actual) == 1.0
    assert choose_share(actual, actual, actual) == 0.0, "there is nothing to gain"
    assert choose_share(ours, ours + 0.001, actual) == 0.0, "a hundredth must be gained"


def test_a_training_chooses_the_share_and_fits_on_everything() -> None:
    panel = make_panel(200)
    fitted = fit(panel, make_config(panel, 24, {"epochs": 1, "steps_per_epoch": 3}))
    part = fitted.network.calibrated
    assert part is not None
    assert float(part.share) >= 0.5, "three steps taught the network little"
    assert int(part.until) == panel.series[0].stamps(24 * 200 - 1, 24 * 200)[0]
    anew = copy.deepcopy(fitted.network)
    calibrate(anew, panel.series, find_ends(panel), 0, float(part.share))
    assert torch.equal(anew.state_dict()["calibrated.weight"], part.weight)


def test_series_share_a_matrix_whatever_their_units() -> None:
    panel = make_panel(series=3)
    network = make_network(panel)
    calibration = Calibration(network, panel.series, find_ends(panel), 0)
    scaled = [replace(item, y=item.y * unit) for item, unit in zip(panel.series, (1e-3, 1.0, 1e6), strict=True)]
    other = Calibration(network, scaled, find_ends(panel), 0)
    np.testing.assert_allclose(other.rows.inputs, calibration.rows.inputs, atol=1e-4)
    assert set(calibration.rows.series.tolist()) == {0, 1, 2}
    assert calibration.ridge.fit(calibration.end) is not None
