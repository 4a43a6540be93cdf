"""Seasons: their periods, their spectrum, and how their amplitude and phase wander."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic.seasons import PERIODS, add_seasons, draw_periods, draw_seasons, draw_waves


def measure_share(x: Floats, period: int) -> Floats:
    """Share of the power of series (N, L) that lies at multiples of the frequency of `period`."""
    power = np.abs(np.fft.rfft(x - x.mean(1, keepdims=True))) ** 2
    step = x.shape[1] // period
    shares: Floats = power[:, step::step].sum(1) / power.sum(1)
    return shares


def test_periods_of_a_series_differ_and_come_in_their_shares() -> None:
    periods = draw_periods(np.random.default_rng(0), 20_000)
    assert all(len(set(row)) == 3 for row in periods[:500].tolist())
    first = {period: np.mean(periods[:, 0] == period) for period in PERIODS}
    assert first[24] == pytest.approx(0.16 / 1.08, abs=0.01)
    assert first[168] == pytest.approx(0.13 / 1.08, abs=0.01)
    assert first[144] == pytest.approx(0.03 / 1.08, abs=0.005)


@pytest.mark.parametrize("period", [4, 24, 168])
def test_two_seasons_of_three_repeat_exactly(period: int) -> None:
    waves = draw_waves(np.random.default_rng(0), np.full(600, period), 10 * period)
    repeats = np.abs(waves[:, :-period] - waves[:, period:]).max(1) < 1e-9
    assert repeats.mean() == pytest.approx(0.65, abs=0.06)
    assert waves[repeats].std(1) == pytest.approx(1, abs=0.42 if period == 4 else 1e-9)
    assert measure_share(waves[repeats], period).min() > 1 - 1e-9


def test_what_wanders_stays_near_its_period_and_keeps_its_size() -> None:
    waves = draw_waves(np.random.default_rng(0), np.full(3000, 24), 960)
    wanders = np.abs(waves[:, :-24] - waves[:, 24:]).max(1) > 1e-9
    assert (waves[wanders] ** 2).mean() == pytest.approx(1, abs=0.05)
    near = np.mean(waves[wanders, :-24] * waves[wanders, 24:], axis=1) / np.mean(waves[wanders] ** 2, axis=1)
    assert np.median(near) > 0.85


def test_waves_of_more_harmonics_than_one_are_common() -> None:
    waves = draw_waves(np.random.default_rng(0), np.full(600, 24), 240)
    power = np.abs(np.fft.rfft(waves)) ** 2
    first = power[:, 8:13].sum(1) / power[:, 1:].sum(1)
    assert 0.1 < np.mean(first > 0.95) < 0.5
    assert np.mean(first < 0.7) > 0.2


def test_sums_have_a_standard_deviation_of_one() -> None:
    seasons = draw_seasons(np.random.default_rng(0), 1000, 2048)
    assert (seasons**2).mean() == pytest.approx(1, abs=0.05)
    assert seasons.std(1).min() > 0.3


def test_two_sums_of_five_repeat_exactly() -> None:
    seasons = draw_seasons(np.random.default_rng(0), 1000, 1000)
    repeats = [np.abs(seasons[:, :-period] - seasons[:, period:]).max(1) < 1e-9 for period in PERIODS]
    # half has one season, two thirds of which are steady; of two or three, one is at times a multiple of all
    assert np.any(repeats, axis=0).mean() == pytest.approx(0.39, abs=0.05)


def test_seasons_are_added_to_a_share_of_series() -> None:
    series = np.zeros((1000, 730))
    add_seasons(np.random.default_rng(0), series, 0.3, (0.5, 2.0))
    changed = np.abs(series).max(1) > 0
    assert changed.mean() == pytest.approx(0.3, abs=0.05)
    assert np.median(series[changed].std(1)) == pytest.approx(1, abs=0.1)


def test_short_series_are_parts_of_waves() -> None:
    seasons = draw_seasons(np.random.default_rng(0), 200, 16)
    assert seasons.shape == (200, 16)
    assert np.isfinite(seasons).all()
    assert seasons.std(1).min() > 0
