"""The network: its arithmetic, and what must hold for any weights and any context."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from models.classical.linear_maps import build_basis
from models.config.model import Config
from models.data.windows import Batch
from models.network.candidates import LEAST_ERROR
from models.network.network import Network
from models.planning.presets import ARTICLES_NETWORK, ARTICLES_TRAINING
from models.training.fitted import runner_of
from tests.models.examples import GATED, covariate_panel, hourly, random_network, rich, small, window

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
    cell = network.members[0].encoder.cell
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
    lstm.load_state_dict({name: weights[f"members.0.encoder.cell.{name}"] for name in lstm.state_dict()})
    linear.load_state_dict({name: weights[f"members.0.decoder.output.{name}"] for name in linear.state_dict()})
    y = hourly(48)
    z = torch.from_numpy((y - y.mean()) / y.std()).float()
    with torch.no_grad():
        expected = linear(lstm(z[None, :, None])[0][:, -1])[0].double().numpy() * y.std() + y.mean()
    point = runner_of(network)(window(y, config))[0, :, 1]
    np.testing.assert_allclose(point, expected, rtol=1e-6)
    assert set(dict(network.named_parameters())) == {
        *(f"members.0.encoder.cell.{name}" for name in lstm.state_dict()),
        *(f"members.0.decoder.output.{name}" for name in linear.state_dict()),
    }


def test_the_articles_recursion_is_one_configuration() -> None:
    one_step = {"decoder": "recursive", "layers": 1, "hidden": 50, "context_length": 24}
    config = small(7, training=ARTICLES_TRAINING, **{**ARTICLES_NETWORK, **one_step})
    network = Network(config).eval()
    lstm, dense = nn.LSTM(1, 50, batch_first=True), nn.Linear(50, 1)
    weights = network.state_dict()
    lstm.load_state_dict({name: weights[f"members.0.encoder.cell.{name}"] for name in lstm.state_dict()})
    dense.load_state_dict({name: weights[f"members.0.decoder.output.{name}"] for name in dense.state_dict()})
    y = hourly(24)
    known, expected = torch.from_numpy((y - y.mean()) / y.std()).float(), []
    with torch.no_grad():
        for _ in range(7):  # the whole past again for every step
            expected.append(float(dense(lstm(known[None, :, None])[0][:, -1])))
            known = torch.cat([known, torch.tensor(expected[-1:])])
    found = runner_of(network)(window(y, config))[0, :, 1]
    np.testing.assert_allclose(found, np.array(expected) * y.std() + y.mean(), rtol=1e-6)


def test_starts_from_the_candidates_that_have_lately_done_well() -> None:
    config = small(30, 2000, context_length=336, segment=24)
    network = Network(config)
    y = hourly(336)
    found = runner_of(network)(window(y, config))[0, :, 1]
    names, maps = build_basis(336, 30, (24, 168))
    trust = network.members[0].head.trust
    errors = recent_errors((y - y.mean()) / y.std(), names, 30)
    known = ~np.isnan(errors)
    record = np.where(known, np.log(errors) - np.log(errors[known]).mean(), 0.0)
    weights = np.exp(-trust.item() * record)
    np.testing.assert_allclose(found, weights @ (y @ maps) / weights.sum(), rtol=1e-4)


def recent_errors(z: NDArray[np.float64], names: tuple[str, ...], horizon: int) -> NDArray[np.float64]:
    """Return how far each candidate was off on the last three horizons (K,), NaN where it needs a longer context."""
    length = len(z) - 3 * horizon
    found, maps = build_basis(length, horizon, (24, 168))
    misses = [
        np.abs(z[s : s + length] @ maps - z[s + length : s + length + horizon]).mean(-1)
        for s in (0, horizon, 2 * horizon)
    ]
    errors = dict(zip(found, np.mean(misses, axis=0) + LEAST_ERROR, strict=True))
    return np.array([errors.get(name, np.nan) for name in names])


def hard_batch(config: Config) -> Batch:
    length, horizon = config.network.context_length, config.horizon
    y = np.tile(hourly(length), (6, 1))
    y[0] = np.nan
    y[1] = 5.0
    y[2] = 0.0
    y[3, :-1] = np.nan
    y[4, ::2] = np.nan
    y[5, : length // 2] = np.nan
    calendar = np.random.default_rng(0).integers(0, 4, (6, length + horizon, 5))
    covariates, static = np.full((6, length + horizon, len(config.covariates.temporal)), np.nan), np.zeros((6, 2))
    covariates[::2] = 1e12
    covariates[1, 7] = 0.0
    static[:3] = np.nan
    return Batch(y=y, calendar=calendar, covariates=covariates, static=static)


@pytest.mark.parametrize("network", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_variant_answers_any_context(network: dict[str, object]) -> None:
    config = small(31, **network)
    assert_sound(runner_of(random_network(config))(hard_batch(config)), (6, 31, 3))


@pytest.mark.parametrize("scaler", ["standard", "mean_abs", "recent", "none"])
@pytest.mark.parametrize("lookbacks", [[], [48, 24, 12]], ids=["alone", "ensemble"])
@pytest.mark.parametrize("decoder", ["parallel", "last_step"])
def test_every_input_and_candidate_answers_any_context(decoder: str, lookbacks: list[int], scaler: str) -> None:
    config = rich(covariate_panel(), 31, decoder=decoder, lookbacks=lookbacks, scaler=scaler)
    assert_sound(runner_of(random_network(config))(hard_batch(config)), (6, 31, 3))


@pytest.mark.parametrize("context", [2, 3, 5])
@pytest.mark.parametrize("seasons", [[], [2]])
def test_the_shortest_contexts_are_answered(context: int, seasons: list[int]) -> None:
    config = small(7, context_length=context, segment=1, season_lengths=seasons, **GATED)
    assert_sound(runner_of(random_network(config))(hard_batch(config)), (6, 7, 3))


def assert_sound(quantiles: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    assert quantiles.shape == shape
    assert quantiles.dtype == np.float64
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


MOVED = {
    ets: random_network(small(7, context_length=48, lookbacks=[48, 24], **{**GATED, "ets": ets, "anchor": 0.3 * ets}))
    for ets in (False, True)
}


@pytest.mark.parametrize("ets", [False, True])
@given(exponent=st.integers(-9, 12), shift=st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_forecast_moves_with_the_unit(ets: bool, exponent: int, shift: float) -> None:
    run, scale = runner_of(MOVED[ets]), 10.0**exponent
    batch = window(hourly(48), MOVED[ets].config)
    moved = shift if not ets else 0.0  # logarithms know where zero is
    found = run(Batch(**{**batch, "y": (batch["y"] + moved) * scale}))
    np.testing.assert_allclose(found / scale - moved, run(batch), atol=1e-4)


def test_constant_context_forecasts_itself() -> None:
    config = small(24, 2000)
    for constant in (1e-9, 3.5, -2e12):
        batch = window(np.full(config.network.context_length, constant), config)
        found = runner_of(random_network(config))(batch)
        np.testing.assert_allclose(found, constant, rtol=1e-4)


def test_gaps_are_filled_from_the_same_phase_of_near_seasons() -> None:
    config = small(24, 2000)
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(config.network.context_length) / 24)
    gappy = y.copy()
    gappy[np.random.default_rng(0).random(len(y)) < 0.3] = np.nan
    with torch.no_grad():
        context = Network(config).readers[0].normalise(torch.from_numpy(gappy[None]))
    filled = (context.z.double() * context.scale + context.loc).numpy()[0]
    np.testing.assert_allclose(filled, y, atol=0.05)
    np.testing.assert_allclose(filled[~np.isnan(gappy)], y[~np.isnan(gappy)], atol=1e-5)


def test_a_phase_that_was_never_observed_takes_the_level() -> None:
    config = small(24, 2000)
    y = hourly(config.network.context_length) + 100
    y[np.arange(len(y)) % 24 < 8] = np.nan
    with torch.no_grad():
        context = Network(config).readers[0].normalise(torch.from_numpy(y[None]))
    filled = (context.z.double() * context.scale + context.loc).numpy()[0]
    gaps = np.isnan(y)
    assert np.abs(filled[gaps] - np.nanmean(y)).max() < 2 * np.nanstd(y)


@pytest.mark.parametrize("seasons", [[], [24, 168]], ids=["no season", "two seasons"])
def test_a_context_of_ten_thousand_steps_fits_into_memory(seasons: list[int]) -> None:
    config = small(24, context_length=10_000, segment=50, season_lengths=seasons, smoothing=2, linear=True)
    network = random_network(config)
    held = sum(value.numel() * value.element_size() for value in (*network.parameters(), *network.buffers()))
    assert held < 40e6  # a full map of such a context would be 400 MB
    y = hourly(10_000)
    y[3_000:3_100] = np.nan
    assert_sound(runner_of(network)(window(y, config)), (1, 24, 3))


def test_many_seasons_fill_a_gap_as_few_do() -> None:
    y = np.sin(np.arange(4_000) / 50)
    y[1_000:1_004] = np.nan
    far, near = (
        Network(small(4, context_length=len(part), segment=1, season_lengths=[]))
        .readers[0]
        .normalise(torch.from_numpy(part[None]))
        for part in (y, y[900:1_100])
    )
    filled = [(one.z.double() * one.scale + one.loc)[0].numpy() for one in (far, near)]
    np.testing.assert_allclose(filled[0][1_000:1_004], filled[1][100:104], atol=0.02)
    np.testing.assert_allclose(filled[0][1_000:1_004], np.sin(np.arange(1_000, 1_004) / 50), atol=0.02)
