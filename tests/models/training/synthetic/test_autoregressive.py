"""Autoregressive series: half of them return to a mean, and the others wander as far as they are long."""

import numpy as np
import pytest

from models.training.synthetic import autoregressive
from models.training.synthetic.autoregressive import generate_autoregressive


def test_half_of_the_series_wander() -> None:
    series = generate_autoregressive(np.random.default_rng(0), 1000, 2048)
    blocks = series.reshape(1000, 8, 256)
    between = blocks.mean(2).std(1) / series.std(1)
    assert np.mean(between > 0.45) == pytest.approx(0.5, abs=0.08)


def test_some_series_are_smooth_and_some_are_read_with_errors() -> None:
    series = generate_autoregressive(np.random.default_rng(0), 1000, 2048)
    size = series.std(1)
    bend = np.diff(series, 2, axis=1).std(1) / size
    # integrated (a half) with a velocity or twice (45 %), neither a season (a half) nor errors (70 %)
    assert np.mean(bend < 0.01) == pytest.approx(0.5 * 0.45 * 0.5 * 0.7, abs=0.04)
    assert np.mean(bend > 1) > 0.2


def test_two_series_of_three_have_a_season_or_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoregressive, "INTEGRATED_SHARE", 1.0)
    series = generate_autoregressive(np.random.default_rng(0), 1000, 256)
    assert np.mean(np.abs(series.std(1) - 1) > 1e-9) == pytest.approx(1 - 0.5 * 0.7, abs=0.05)
