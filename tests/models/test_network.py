"""The network: its arithmetic, and what must hold for any weights and any context."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from models.basis import basis_forecasts
from models.calendar import Grid, parse_frequency
from models.defaults import ARTICLES_NETWORK, ARTICLES_TRAINING
from models.fitted import runner_of
from models.network import Network
from models.predict import predict
from models.windows import Batch, Series
from tests.models.examples import hourly, random_network, small, window

LEVELS = (0.1, 0.5, 0.9)
VARIANTS = [
    {"cell": cell, "decoder": decoder, "basis": basis, "context_length": 48, "segment": segment}
    for cell in ("lstm", "gru")
    for decoder in ("parallel", "last_step")
    for basis in (True, False)
    for segment in (1, 24)
]


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def test_lstm_follows_the_gate_equations() -> None:
    network = random_network(small(segment=12, context_length=72))
    cell = network.encoder.cell
    weights = {name: value.detach().double().numpy() for name, value in cell.named_parameters()}
    inputs = np.random.default_rng(0).standard_normal((3, 6, cell.input_size))
    hidden = memory = np.zeros((3, cell.hidden_size))
    states = []
    for step in range(6):
        gates = inputs[:, step] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
        gates += hidden @ weights["weight_hh_l0"].T + weights["bias_hh_l0"]
        input_gate, forget_gate, candidate, output_gate = np.split(gates, 4, axis=1)
        memory = sigmoid(forget_gate) * memory + sigmoid(input_gate) * np.tanh(candidate)
        hidden = sigmoid(output_gate) * np.tanh(memory)
        states.append(hidden)
    with torch.no_grad():
        ours, (last, cell_state) = cell(torch.from_numpy(inputs).float())
    np.testing.assert_allclose(ours.numpy(), np.stack(states, axis=1), atol=2e-6)
    np.testing.assert_allclose(last[0].numpy(), hidden, atol=2e-6)
    np.testing.assert_allclose(cell_state[0].numpy(), memory, atol=2e-6)


def test_the_articles_network_is_one_configuration() -> None:
    config = small(7, training=ARTICLES_TRAINING, **{**ARTICLES_NETWORK, "hidden": 16, "context_length": 48})
    network = Network(config).eval()
    lstm, linear = nn.LSTM(1, 16, 2, batch_first=True), nn.Linear(16, 7)
    weights = network.state_dict()
    lstm.load_state_dict({name: weights[f"encoder.cell.{name}"] for name in lstm.state_dict()})
    linear.load_state_dict({name: weights[f"decoder.output.{name}"] for name in linear.state_dict()})
    y = hourly(48)
    z = torch.from_numpy((y - y.mean()) / y.std()).float()
    with torch.no_grad():
        expected = linear(lstm(z[None, :, None])[0][:, -1])[0].double().numpy() * y.std() + y.mean()
    batch = window(y, config)
    point = runner_of(network)(batch["y"], batch["calendar"])[0, :, 1]
    np.testing.assert_allclose(point, expected, rtol=1e-6)
    assert set(dict(network.named_parameters())) == {
        *(f"encoder.cell.{name}" for name in lstm.state_dict()),
        *(f"decoder.output.{name}" for name in linear.state_dict()),
    }


def test_starts_from_the_mean_of_the_basis_forecasts() -> None:
    config = small(30, 2000)
    y = hourly(config.network.context_length)
    batch = window(y, config)
    found = runner_of(Network(config))(batch["y"], batch["calendar"])[0, :, 1]
    _, maps = basis_forecasts(len(y), 30, config.network.seasons)
    np.testing.assert_allclose(found, (y @ maps).mean(0), rtol=1e-5)


@pytest.mark.parametrize("network", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_variant_answers_any_context(network: dict[str, object]) -> None:
    config = small(31, **network)
    batch = hard_batch(config.network.context_length, config.horizon)
    found = runner_of(random_network(config))(batch["y"], batch["calendar"])
    assert found.shape == (6, 31, 3)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=-1) >= 0).all()


def hard_batch(length: int, horizon: int) -> Batch:
    y = np.tile(hourly(length), (6, 1))
    y[0] = np.nan
    y[1] = 5.0
    y[2] = 0.0
    y[3, :-1] = np.nan
    y[4, ::2] = np.nan
    y[5, : length // 2] = np.nan
    calendar = np.random.default_rng(0).integers(0, 7, (6, length + horizon, 4))
    return Batch(y=y, calendar=calendar)


@given(exponent=st.integers(-9, 12), shift=st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_forecast_moves_with_the_unit(exponent: int, shift: float) -> None:
    network = random_network(small(7, context_length=48))
    run, scale = runner_of(network), 10.0**exponent
    batch = window(hourly(48), network.config)
    base = run(batch["y"], batch["calendar"])
    moved = run((batch["y"] + shift) * scale, batch["calendar"])
    np.testing.assert_allclose(moved / scale - shift, base, atol=1e-4)


def test_constant_context_forecasts_itself() -> None:
    config = small(24, 2000)
    for constant in (1e-9, 3.5, -2e12):
        batch = window(np.full(config.network.context_length, constant), config)
        found = runner_of(random_network(config))(batch["y"], batch["calendar"])
        np.testing.assert_allclose(found, constant, rtol=1e-4)


def test_company_changes_no_answer() -> None:
    config = small(24, 2000)
    run, length = runner_of(random_network(config)), config.network.context_length
    rng = np.random.default_rng(0)
    y = np.stack([hourly(length, seed=k) for k in range(9)]) * 10.0 ** rng.integers(-6, 9, (9, 1))
    y[3, :200], y[4, ::7] = np.nan, np.nan
    calendar = rng.integers(0, 7, (9, length + 24, 4))
    scale = np.nanstd(y, axis=1)[:, None, None]
    together = run(y, calendar)
    order = rng.permutation(9)
    shuffled = run(y[order], calendar[order])
    alone = np.concatenate([run(y[k : k + 1], calendar[k : k + 1]) for k in range(9)])
    assert np.abs((shuffled - together[order]) / scale[order]).max() <= 2e-6
    assert np.abs((alone - together) / scale).max() <= 2e-6


def test_nothing_after_the_origin_is_seen() -> None:
    network = random_network(small(24, 2000))
    y = hourly(600)
    changed = y.copy()
    changed[500:] = 1e9
    grid = Grid(parse_frequency("h"), "UTC", 0)
    length = network.config.network.context_length
    forecasts = [
        predict(
            [Series("a", v, grid)],
            runner_of(network),
            context_length=length,
            horizon=24,
            levels=LEVELS,
            origins=[499],
        )
        for v in (y, changed)
    ]
    np.testing.assert_array_equal(forecasts[0][0].quantiles, forecasts[1][0].quantiles)


def test_gaps_are_filled_from_the_same_phase_of_near_seasons() -> None:
    config = small(24, 2000)
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(config.network.context_length) / 24)
    gappy = y.copy()
    gappy[np.random.default_rng(0).random(len(y)) < 0.3] = np.nan
    network = Network(config)
    with torch.no_grad():
        context = network.normalise(torch.from_numpy(gappy[None]))
    filled = (context.z.double() * context.scale + context.loc).numpy()[0]
    np.testing.assert_allclose(filled, y, atol=0.05)
    np.testing.assert_allclose(filled[~np.isnan(gappy)], y[~np.isnan(gappy)], atol=1e-5)


def test_a_phase_that_was_never_observed_takes_the_level() -> None:
    config = small(24, 2000)
    y = hourly(config.network.context_length) + 100
    y[np.arange(len(y)) % 24 < 8] = np.nan
    with torch.no_grad():
        context = Network(config).normalise(torch.from_numpy(y[None]))
    filled = (context.z.double() * context.scale + context.loc).numpy()[0]
    gaps = np.isnan(y)
    assert np.abs(filled[gaps] - np.nanmean(y)).max() < 2 * np.nanstd(y)
