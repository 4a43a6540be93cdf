"""The seasons that a context is told to have."""

import numpy as np
import pytest

from models.arrays import Floats
from models.pretrained.periods import compute_autocorrelation, find_periods

RNG = np.random.default_rng(0)


def wave(period: int, steps: int = 512, noise: float = 0.2) -> Floats:
    """Return a series that repeats a random profile, with noise."""
    profile = RNG.normal(0, 1, period)
    return np.resize(profile, steps) + RNG.normal(0, noise, steps)


@pytest.mark.parametrize("period", [4, 7, 12, 24, 48, 96, 168])
def test_a_repeated_profile_is_found(period: int) -> None:
    assert find_periods(wave(period)[None])[0, 0] == period


def test_a_day_is_told_beside_a_week() -> None:
    day, week = np.resize(RNG.normal(0, 1, 24), 1024), np.resize(RNG.normal(0, 0.8, 168), 1024)
    assert find_periods((day + week)[None])[0].tolist() == [168, 24]


@pytest.mark.parametrize("y", [RNG.normal(0, 1, 512), np.arange(512.0), np.full(512, 3.0), RNG.normal(0, 1, 3)])
def test_noise_lines_constants_and_a_few_values_have_none(y: Floats) -> None:
    assert find_periods(y[None])[0].tolist() == [0, 0]


def test_gaps_and_a_trend_hide_no_season() -> None:
    y = wave(24) + 0.05 * np.arange(512)
    y[RNG.random(512) < 0.3] = np.nan
    y[:100] = np.nan
    assert find_periods(y[None])[0, 0] == 24


def test_what_the_frequency_suggests_corrects_a_neighbour() -> None:
    """Of three noisy days the highest lag may be one step off."""
    y = np.stack([np.sin(2 * np.pi * np.arange(72) / 24) + RNG.normal(0, 0.5, 72) for _ in range(200)])
    alone, told = find_periods(y)[:, 0], find_periods(y, (24,))[:, 0]
    assert (told == 24).sum() > (alone == 24).sum() + 20


def test_autocorrelation_is_that_of_the_definition() -> None:
    y = RNG.normal(0, 1, 64).cumsum()
    steps = np.arange(64)
    rest = y - np.polyval(np.polyfit(steps, y, 1), steps)
    found = compute_autocorrelation(y[None])[0]
    for lag in (1, 5, 20):
        wanted = (rest[lag:] * rest[:-lag]).mean() / rest.var()
        assert found[lag] == pytest.approx(wanted, abs=1e-9)


def test_only_the_context_is_read() -> None:
    """A row says nothing of another, and what is scaled or moved has the same seasons."""
    y = np.stack([wave(24), wave(7)])
    together = find_periods(y)
    assert (together == np.concatenate([find_periods(y[:1]), find_periods(y[1:])])).all()
    assert (together == find_periods(1e9 + 1e6 * y)).all()
