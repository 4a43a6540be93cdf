"""Kernels: their values where they are known, and processes of their sums and products."""

import numpy as np
import pytest

from models.training.synthetic.circulant import draw_tapered, list_lags
from models.training.synthetic.kernels import BANK, KERNELS, PERIODS, draw_composed, draw_kernels

LAGS = np.arange(101.0)


@pytest.mark.parametrize(
    ("kind", "parameter", "value"),
    [
        ("squared exponential", 0.1, np.exp(-2)),
        ("rational quadratic", 1.0, 1 / 1.02),
        ("exponential", 0.1, np.exp(-2)),
        ("matern 3/2", 0.1, (1 + np.sqrt(12)) * np.exp(-np.sqrt(12))),
        ("matern 5/2", 0.1, (1 + np.sqrt(20) + 20 / 3) * np.exp(-np.sqrt(20))),
        ("periodic", 80.0, np.exp(-1)),
        ("periodic", 20.0, 1.0),
        ("white", 0.1, 0.0),
        ("constant", 1.0, 1.0),
    ],
)
def test_kernels_have_the_value_of_their_formula_at_a_fifth_of_the_length(
    kind: str, parameter: float, value: float
) -> None:
    kernel = np.broadcast_to(KERNELS[kind](LAGS, 100, np.array([[parameter]])), (1, 101))
    assert kernel[0, 20] == pytest.approx(value)


def test_every_kernel_of_the_bank_has_a_function_and_is_drawn() -> None:
    assert {kind for kind, _ in BANK} == set(KERNELS)
    stationary, factor = draw_kernels(np.random.default_rng(0), 3000, 50)
    assert stationary.shape == (3000, 201)
    assert (np.abs(stationary) <= stationary[:, :1] + 1e-12).all()
    assert factor.mean() == pytest.approx(3 / len(BANK), abs=0.02)


def test_a_periodic_process_repeats() -> None:
    x = draw_tapered(np.random.default_rng(0), KERNELS["periodic"](list_lags(500), 500, np.full((400, 1), 24.0)), 500)
    assert (x**2).mean() == pytest.approx(1, abs=0.15)
    assert np.mean(x[:, 24:] * x[:, :-24]) == pytest.approx(1, abs=0.15)
    assert np.std(x[:, 24:] - x[:, :-24]) < 0.1


def test_composed_processes_repeat_by_the_periods_of_the_bank() -> None:
    x = draw_composed(np.random.default_rng(0), 3000, 256, 1)
    spectrum = np.abs(np.fft.rfft(x - x.mean(1, keepdims=True))) ** 2
    rhythmic = np.mean(spectrum[:, 5:].max(1) > 0.2 * spectrum.sum(1))
    short = sum(period <= 256 / 5 for period in PERIODS)
    assert rhythmic == pytest.approx(short / len(BANK), abs=0.1)


@pytest.mark.parametrize("most", [1, 5, 7])
def test_composed_processes_are_finite_and_vary(most: int) -> None:
    x = draw_composed(np.random.default_rng(0), 500, 300, most)
    assert x.shape == (500, 300)
    assert np.isfinite(x).all()
    assert (x.std(1) > 1e-3 * np.abs(x).max(1)).all()


def test_linear_kernels_give_trends() -> None:
    x = draw_composed(np.random.default_rng(0), 4000, 128, 5)
    steps = np.arange(128)
    r = np.array([abs(np.corrcoef(row, steps)[0, 1]) for row in x])
    assert 0.03 < np.mean(r > 0.9) < 0.2
