"""The built-in model explained: its parts add up to what it forecasts, with the seasons of each window."""

import numpy as np
import pytest

from app.services.registry.builtin import build_config
from app.serving.pretrained import forecast_contexts
from models.explain.builtin import explain_builtin
from models.pretrained.periods import find_periods
from tests.models.examples import hourly


def test_windows_of_different_seasons_add_up_to_their_own_forecasts() -> None:
    config = build_config("h", 8)
    length = config.network.context_length
    rng = np.random.default_rng(0)
    other = 40 + 5 * np.sin(2 * np.pi * np.arange(length) / 30) + rng.normal(0, 0.2, length)
    y = np.stack([hourly(length), other])
    y[0, : length - 200] = np.nan
    periods = find_periods(y, config.network.season_lengths)
    assert periods[:, 0].tolist() == [24, 30]
    batch = {"y": y, "calendar": np.zeros((2, length + config.horizon, 5), np.int32)}
    served = forecast_contexts(y, config)[..., config.median]  # (2, H)
    for row, explanation in enumerate(explain_builtin(config, periods.tolist(), batch, 3)):
        assert explanation.forecast == pytest.approx(served[row, :3], rel=5e-3)
        total = explanation.baseline + explanation.lags.sum(-1) + explanation.remainder
        assert total == pytest.approx(explanation.forecast, rel=1e-9)
        assert np.abs(explanation.remainder).max() < 0.01 * np.abs(explanation.forecast).max()
        assert (explanation.lags[:, np.isnan(y[row])] == 0).all()
