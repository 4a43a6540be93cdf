"""A grid of smoothing models beside each model by itself."""

import numpy as np
import pytest

from models.classical.exponential_smoothing import SmoothingModel
from models.classical.grid import Histories, SmoothingGrid, measure_slope

MODELS = (
    SmoothingModel(0.3),
    SmoothingModel(0.5, drift=0.5),
    SmoothingModel(0.4, 0.1, damping=0.9),
    SmoothingModel(0.2, 0.05, damping=1.0),
)
SEASONAL = (SmoothingModel(0.3, gamma=0.2), SmoothingModel(0.2, 0.05, 0.3, 0.95), SmoothingModel(0.6, 0.0, 0.1, 1.0))
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("models", "season", "length"), [(MODELS, 1, 30), (SEASONAL, 4, 32), (SEASONAL, 12, 48)])
def test_a_grid_is_its_models(models: tuple[SmoothingModel, ...], season: int, length: int) -> None:
    y = 50 + RNG.standard_normal((3, length)).cumsum(1) + 5 * np.sin(np.arange(length) * 2 * np.pi / max(season, 2))
    found = SmoothingGrid(models).run(Histories(y, np.ones_like(y), np.zeros(3, np.int64)), 7, season)
    for k, model in enumerate(models):
        np.testing.assert_allclose(found.errors[..., k], model.errors(y, season), atol=1e-9)
        np.testing.assert_allclose(found.forecasts[..., k], model.forecast(y, 7, season), atol=1e-9)


def test_a_history_begins_with_its_first_value() -> None:
    """What comes before it, and how much of that there is, changes nothing."""
    y = 20 + RNG.standard_normal((1, 24)).cumsum(1)
    grid = SmoothingGrid(SEASONAL)
    alone = grid.run(Histories(y, np.ones_like(y), np.array([0])), 5, 4)
    padded = np.concatenate([np.full((1, 9), 1e6), y], 1)
    observed = np.concatenate([np.zeros((1, 9)), np.ones_like(y)], 1)
    later = grid.run(Histories(padded, observed, np.array([9])), 5, 4)
    np.testing.assert_allclose(later.forecasts, alone.forecasts, atol=1e-9)
    np.testing.assert_allclose(later.errors[:, 9:], alone.errors, atol=1e-9)
    assert (later.errors[:, :9] == 0).all()


def test_the_slope_of_whole_waves_is_that_of_their_trend() -> None:
    steps = np.arange(30)
    y = (2.5 * steps + 40 * np.cos(2 * np.pi * steps / 12))[None]
    histories = Histories(y, np.ones_like(y), np.array([0]))
    assert measure_slope(histories, 12) == pytest.approx(2.5, abs=1e-9)
    assert abs(measure_slope(histories)[0] - 2.5) > 0.1
