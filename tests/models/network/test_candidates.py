"""Candidate forecasts: by hand on small contexts, and how well each has lately done."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.classical.linear_maps import build_basis
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.candidates import LEAST_ERROR, Candidates, RecentErrors
from models.network.inputs import ScaledContext
from models.network.ridge import WIDEST_LINEAR, LinearForecast
from models.network.smoothing import FIRST_RATES, Smoothing
from tests.models.examples import GATED, hourly, random_network, small


def seasonless(context: int, horizon: int, **network: object) -> Config:
    return small(horizon, context_length=context, segment=1, season_lengths=[], **network)


def recent_of(config: Config) -> tuple[tuple[str, ...], RecentErrors]:
    candidates = Candidates(config, config.network, 0)
    return candidates.names, candidates.recent


def tensor(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values).float()


def test_a_seasonal_context_trusts_its_season() -> None:
    rng = np.random.default_rng(0)
    z = tensor(np.tile(rng.standard_normal(24), 4)[None])
    names, recent = recent_of(small(12, context_length=96, segment=24, season_lengths=[24]))
    error = dict(zip(names, recent(z, torch.ones_like(z))[0].tolist(), strict=True))
    assert error["season"] == pytest.approx(min(error.values()), abs=1e-5)
    assert error["season"] < 0.1 * error["last"]


def test_a_line_trusts_its_drift() -> None:
    z = tensor(np.arange(16.0)[None] / 5)
    names, recent = recent_of(seasonless(16, 4))
    assert names[int(recent(z, torch.ones_like(z))[0].argmin())] == "drift"


def test_recent_errors_by_hand() -> None:
    z = np.array([0.0, 1.0, 3.0, 2.0, 4.0, 4.5, 1.0, 7.0])
    names, recent = recent_of(seasonless(8, 2))  # tried on the last two and on the two before them
    last = [2.0, 2.5, 3.5, 2.5]  # |4 - 2|, |4.5 - 2|, |1 - 4.5|, |7 - 4.5|
    slopes = 2.0 / 3, (4.5 - 3.0) / 3
    drift = [
        *(abs(2 + slopes[0] * h - actual) for h, actual in ((1, 4.0), (2, 4.5))),
        *(abs(4.5 + slopes[1] * h - actual) for h, actual in ((1, 1.0), (2, 7.0))),
    ]
    for observed in ([1.0] * 8, [1.0] * 6 + [0.0, 1.0]):
        seen = np.array(observed[4:])
        errors = [float((np.array(e) * seen).sum() / seen.sum()) for e in (last, drift)]
        found = recent(tensor(z[None]), tensor(np.array([observed])))[0]
        assert [float(found[names.index(name)]) for name in ("last", "drift")] == pytest.approx(errors, abs=1e-5)


def test_a_record_is_the_log_of_an_error_over_the_mean() -> None:
    config = seasonless(8, 2)
    candidates = Candidates(config, config.network, 0)
    z = tensor(np.array([[0.0, 1.0, 3.0, 2.0, 4.0, 4.5, 1.0, 7.0]]))
    context = unit(z)
    sizes = torch.log(candidates.recent(z, context.observed) + LEAST_ERROR)
    record = candidates(context, torch.zeros(1, 0, 0), None)[1]
    torch.testing.assert_close(record, sizes - sizes.mean())


def unit(z: torch.Tensor) -> ScaledContext:
    """Return contexts (B, T) without gaps that are in units of themselves."""
    zero = torch.zeros(len(z), 1, dtype=torch.float64)
    return ScaledContext(z, torch.ones_like(z), zero, zero + 1)


def test_candidates_without_a_record_are_neither_trusted_nor_distrusted() -> None:
    config = small(24, context_length=336, segment=24, **GATED)
    candidates = Candidates(config, config.network, 0)
    z = tensor(hourly(336)[None])
    record = candidates(unit(z), torch.zeros(1, 4, 0), None)[1][0]
    shorter, _ = build_basis(candidates.recent.length, 24, (24, 168))
    known = torch.tensor([name in shorter for name in candidates.names])
    assert not known.all()  # two weeks do not fit before the tried windows
    assert (record[: candidates.fixed][~known] == 0).all()
    assert (record[: candidates.fixed][known] != 0).all()
    assert record[-2:].tolist() == [0.0] * 2  # the pooled ones


def test_a_context_that_was_not_observed_has_no_record() -> None:
    names, recent = recent_of(seasonless(16, 4))
    assert torch.equal(recent(torch.zeros(2, 16), torch.zeros(2, 16)), torch.zeros(2, len(names)))


def test_smoothing_starts_from_its_first_rates() -> None:
    config = seasonless(6, 3, smoothing=2)
    z = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0])
    found = Smoothing(config, config.network)(tensor(z[None]), torch.randn(1, 16))
    assert found.shape == (1, 3, 2)
    for number, rate in enumerate(FIRST_RATES[:2]):
        weights = (1 - rate) ** np.arange(6)[::-1]
        np.testing.assert_allclose(found[0, :, number].detach(), [weights @ z / weights.sum()] * 3, rtol=1e-5)


def test_smoothing_continues_a_season_on_its_level() -> None:
    config = small(30, context_length=96, segment=24, season_lengths=[24], smoothing=3)
    day = np.abs(np.arange(24) - 11.5)  # mirrored, so that no line lies in it
    found = Smoothing(config, config.network)(tensor(np.tile(day, 4)[None]), torch.randn(1, 16))[0].detach()
    for column in found.T:
        np.testing.assert_allclose(column, np.tile(day, 2)[:30], atol=1e-4)


def test_rates_follow_the_state() -> None:
    network = random_network(seasonless(12, 3, smoothing=1, hidden=4))
    smoothing = network.members[0].head.smoothing
    z = tensor(np.arange(12.0)[None].repeat(2, 0))
    found = smoothing(z, torch.tensor([[1.0, -1, 1, 0], [-1, 1, 1, 0]]) * 3)
    assert found[0, 0, 0] != found[1, 0, 0]
    assert ((found > 0) & (found < 11)).all()


def linear_of(known_future: int, context: int = 48, horizon: int = 12, tried: int = 0) -> LinearForecast:
    config = small(horizon, context_length=context, segment=12, linear=True)
    names = tuple(f"k{n}" for n in range(known_future))
    beside = CovariateConfig(known_future=names, past=("p",))
    return LinearForecast(replace(config, covariates=beside), config.network, 5, tried)


@pytest.mark.parametrize("back", [0, 12, 24])
def test_the_linear_forecast_reads_context_calendar_and_what_is_known_ahead(back: int) -> None:
    linear = linear_of(2, tried=2)
    known = torch.arange(60.0)[None, :, None] + torch.arange(9.0) * 100  # (1, T + H, 3 * 3): whole, window, observed
    z, start = torch.randn(1, 48), torch.randn(1, 5)
    inputs, end = linear.build_inputs(z, start, known, back)[0], 48 - back
    assert len(inputs) == linear.width == 24 + 5 + 1 + 2 * 36
    assert torch.equal(inputs[:24].argsort(), z[0, end - 24 : end].argsort())
    assert torch.equal(inputs[24:29], start[0])
    assert inputs[29] == 1
    # the z-scores in the window of the two known-future ones, step after step; the past one is left out
    assert torch.equal(inputs[30:], known[0, end - 24 : end + 12, [3, 4]].flatten())


@pytest.mark.parametrize("known_future", [0, 5, 30, 100])
def test_the_linear_forecast_stays_solvable(known_future: int) -> None:
    linear = linear_of(known_future, 480, 24, tried=3)
    assert linear.width <= WIDEST_LINEAR + 5 + 1  # beside the calendar and the constant
    known = torch.zeros(2, 504, 3 * (known_future + 1))
    z = torch.zeros(2, 480)
    found, error = linear(z, torch.ones_like(z), torch.zeros(2, 4, 5), known)
    assert found.shape == (2, 24, 3)
    assert error.shape == (2, 1)


def test_a_fresh_linear_forecast_is_the_mean_of_the_context() -> None:
    z = torch.randn(3, 48)
    found, error = linear_of(1)(z, torch.ones_like(z), torch.randn(3, 1, 5), torch.randn(3, 60, 6))
    assert torch.equal(found, torch.zeros(3, 12, 1))
    assert error.shape == (3, 0)


def test_the_linear_forecast_moves_by_what_it_lately_missed() -> None:
    linear = linear_of(0, tried=2)
    z = torch.randn(1, 48)
    seen = torch.ones_like(z)
    seen[0, 40] = 0
    missed, there = z[0, 24:].reshape(2, 12), seen[0, 24:].reshape(2, 12)  # weights are 0, so is what it forecasts
    found, error = linear(z, seen, torch.randn(1, 3, 5), None)
    torch.testing.assert_close(found[0, :, 0], torch.zeros(12))
    torch.testing.assert_close(found[0, :, 1], (missed * there).sum(0) / there.sum(0))
    torch.testing.assert_close(found[0, :, 2], ((missed * there).sum() / 23).expand(12))
    assert error.item() == pytest.approx(float((missed * there).abs().sum() / 23), abs=1e-6)


def test_candidates_stand_in_the_order_of_their_names() -> None:
    config = small(7, context_length=48, segment=12, **GATED)
    network = random_network(config)
    reader = network.readers[0]
    candidates = reader.candidates
    z = tensor(hourly(48)[None] - 20)
    found, record, _, _ = candidates(unit(z), torch.zeros(1, len(candidates.starts), reader.calendar.width), None)
    own: NetworkConfig = config.network
    assert candidates.count == len(candidates.names) + candidates.ets.count + own.statistical + candidates.linear.count
    assert found.shape == (1, 7, candidates.count)
    assert record.shape == (1, candidates.count)
    np.testing.assert_allclose(found[0, :, candidates.names.index("last")].detach(), [float(z[0, -1])] * 7, rtol=1e-5)
