"""Smoothing families averaged by likelihood: the same as in a graph, and for histories of any length."""

import numpy as np
import pytest
import torch

from models.arrays import Floats
from models.classical.averaged import forecast_averaged
from models.network.ets import ETS
from models.network.inputs import Normalise
from tests.models.examples import small

RNG = np.random.default_rng(0)


def forecast_in_graph(y: Floats, horizon: int, season: int) -> Floats:
    """Return the forecast (H,) of a context (T,) by the network's module."""
    seasons = [season] if season > 1 else []
    config = small(
        horizon, context_length=len(y), segment=1, season_lengths=seasons, ets=True, ets_models="wide", anchor=1.0
    )
    context = Normalise(len(y), season, "standard")(torch.from_numpy(y[None]))
    found = ETS(config, config.network)(context)
    point = (found.forecasts * found.shares[:, None]).sum(-1)
    forecast: Floats = (point.double() * context.scale + context.loc)[0].numpy()
    return forecast


@pytest.mark.parametrize(("season", "length"), [(1, 40), (4, 44), (7, 140), (12, 96), (12, 144)])
@pytest.mark.parametrize("slope", [0.0, 1.0, -3.0])
def test_it_is_what_a_graph_computes(season: int, length: int, slope: float) -> None:
    steps = np.arange(length)
    y = 50 + 2 * RNG.standard_normal(length).cumsum() + 10 * np.sin(2 * np.pi * steps / season) + slope * steps
    np.testing.assert_allclose(
        forecast_averaged(y[None], season, 12)[0], forecast_in_graph(y, 12, season), atol=1e-4 * y.std()
    )


def test_gaps_in_front_change_nothing_and_those_within_little() -> None:
    y = 50 + 10 * np.sin(2 * np.pi * np.arange(60) / 12) + RNG.normal(0, 1, 60)
    padded = np.concatenate([np.full(40, np.nan), y])
    whole = forecast_averaged(y[None], 12, 12)
    np.testing.assert_allclose(forecast_averaged(padded[None], 12, 12), whole, atol=1e-9)
    holed = np.where(np.isin(np.arange(60), [7, 20, 33, 50]), np.nan, y)
    assert np.abs(forecast_averaged(holed[None], 12, 12) - whole).max() < 2


def test_few_values_and_constants() -> None:
    contexts = np.array([[np.nan, np.nan, np.nan, np.nan, 3.0], [1.0, np.nan, 2.0, 4.0, np.nan], [5.0] * 5])
    found = forecast_averaged(contexts, 12, 3)
    assert (found[:2] == [[3] * 3, [4] * 3]).all()  # of less than four values the last one
    np.testing.assert_allclose(found[2], 5.0)


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e12])
def test_forecasts_scale_with_the_values(factor: float) -> None:
    y = 50 + 10 * np.sin(2 * np.pi * np.arange(60) / 12) + np.arange(60)
    scaled = forecast_averaged(factor * y[None], 12, 12)
    np.testing.assert_allclose(scaled / factor, forecast_averaged(y[None], 12, 12), rtol=1e-6)
