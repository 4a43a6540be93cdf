"""Steps: levels that hold, how many, how far apart, and what changes with them."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic import steps
from models.training.synthetic.steps import generate_steps


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Floats:
    """Series (2000, 1000) of sudden levels and faint noise alone."""
    monkeypatch.setattr(steps, "SEASON_SHARE", 0.0)
    monkeypatch.setattr(steps, "GRADUAL_SHARE", 0.0)
    monkeypatch.setattr(steps, "draw_noise", lambda rng, count, length: 1e-6 * rng.standard_normal((count, length)))
    return generate_steps(np.random.default_rng(0), 2000, 1000)


def test_levels_change_once_to_ten_times_all_over_a_series(bare: Floats) -> None:
    changed = np.abs(np.diff(bare, axis=1)) > 1e-3
    assert changed.sum(1).max() <= 10
    assert changed.sum(1).min() >= 1
    assert changed.sum(1).mean() == pytest.approx(5.5, abs=0.2)
    assert np.nonzero(changed)[1].mean() == pytest.approx(500, abs=20)


def test_levels_lie_between_a_half_and_three_on_either_side(bare: Floats) -> None:
    size = np.abs(bare)
    assert size.min() == pytest.approx(0.5, abs=0.01)
    assert size.max() == pytest.approx(3.0, abs=0.01)
    assert np.mean(bare > 0) == pytest.approx(0.5, abs=0.04)


def test_gradual_changes_take_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "GRADUAL_SHARE", 1.0)
    monkeypatch.setattr(steps, "SEASON_SHARE", 0.0)
    monkeypatch.setattr(steps, "draw_noise", lambda rng, count, length: np.zeros((count, length)))
    series = generate_steps(np.random.default_rng(0), 500, 1000)
    largest = np.abs(np.diff(series, axis=1)).max(1) / np.ptp(series, axis=1)
    assert np.quantile(largest, 0.9) < 0.3
    assert np.median(largest) < 0.1


def test_the_noise_of_two_series_in_five_changes_with_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SEASON_SHARE", 0.0)
    series = np.diff(generate_steps(np.random.default_rng(0), 1000, 2000), axis=1)
    # medians, which the few changes of level do not reach
    loud = np.median(np.abs(series.reshape(1000, -1)[:, :1980].reshape(1000, 20, 99)), axis=2)
    ratio = loud.max(1) / loud.min(1)
    assert np.mean(ratio > 2.2) == pytest.approx(0.37, abs=0.06)
