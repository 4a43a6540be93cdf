"""Statistical candidates: they forecast as statsforecast does, and those that serve best are kept."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.classical.exponential_smoothing import SmoothingModel, theta
from models.classical.pooled import LONGEST_SEASON, SAMPLED_SERIES, fit_pooled_models
from models.classical.statistical_models import fit_smoothing_models
from models.data.series import Panel
from models.network.network import Network
from models.network.reader import Reader
from models.training.closed_form import set_models
from tests.models.examples import hourly, hourly_panel, small

HORIZON = 8


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def wandering(length: int = 240, seed: int = 0) -> NDArray[np.float64]:
    """Return a series whose level and slope both wander, so that their smoothing rates are not near 0."""
    rng = np.random.default_rng(seed)
    return 50 + np.cumsum(np.cumsum(0.1 * rng.standard_normal(length))) + rng.standard_normal(length)


def seasonal(length: int = 240) -> NDArray[np.float64]:
    """Return a wandering series whose season of four steps changes quickly."""
    season = np.cumsum(3 * np.random.default_rng(0).standard_normal((60, 4)), axis=0)
    return (wandering() + season.ravel())[:length]


@pytest.mark.parametrize(
    ("model", "damped", "y", "season"),
    [
        ("ANN", False, wandering(), 1),
        ("AAN", False, wandering(), 1),
        ("AAN", True, wandering(), 1),
        ("ANA", False, seasonal(), 4),
        ("AAA", False, seasonal(), 4),
    ],
)
def test_exponential_smoothing_equals_statsforecast(
    model: str, damped: bool, y: NDArray[np.float64], season: int
) -> None:
    from statsforecast.ets import ets_f, forecast_ets

    fitted = ets_f(y, season, model=model, damped=damped)
    alpha, beta, gamma, phi = (float(v) for v in fitted["par"][:4])
    trend = model[1] == "A"
    own = SmoothingModel(alpha, np.nan_to_num(beta), np.nan_to_num(gamma), (phi if damped else 1.0) if trend else 0.0)
    # they begin from other states, whose share fades
    np.testing.assert_allclose(own.forecast(y, HORIZON, season), forecast_ets(fitted, HORIZON)["mean"], rtol=2e-3)


@pytest.mark.parametrize("length", [30, 240])
def test_theta_equals_statsforecast(length: int) -> None:
    from statsforecast.models import AutoTheta, SimpleExponentialSmoothing, Theta

    y = wandering(length)
    for chosen in (AutoTheta, Theta):
        fitted = chosen(season_length=1, decomposition_type="additive").fit(y)
        parameters = {name: float(value) for name, value in fitted.model_["par"].items()}
        own = SmoothingModel(parameters["alpha"], drift=1 - 1 / parameters["theta"])
        np.testing.assert_allclose(own.forecast(y, HORIZON, 1), fitted.predict(HORIZON)["mean"], rtol=1e-4)
    np.testing.assert_allclose(theta(y, HORIZON, parameters["alpha"]), fitted.predict(HORIZON)["mean"], rtol=1e-4)
    flat = SimpleExponentialSmoothing(alpha=0.4).fit(y).predict(HORIZON)["mean"]
    np.testing.assert_allclose(SmoothingModel(0.4).forecast(y, HORIZON, 1), flat, rtol=1e-9)


@pytest.mark.parametrize("season", [1, 4])
def test_what_is_found_can_be_a_map(season: int) -> None:
    models = fit_smoothing_models([seasonal() if season > 1 else wandering(), wandering(60, 1)], season)
    assert len(models) >= 2
    assert all(model.is_sound for model in models)
    for model in models:
        maps = model.forecast(np.eye(30), HORIZON, season)
        np.testing.assert_allclose(maps.sum(0), 1.0, atol=1e-9)
        y = wandering(30, 3)
        np.testing.assert_allclose(y @ maps, model.forecast(y, HORIZON, season), atol=1e-8)


def test_models_are_found_on_what_comes_before_the_ends() -> None:
    panel = hourly_panel(200, 3)
    later = Panel.from_arrays({one.id: np.r_[one.y[:150], np.full(50, 1e6)] for one in panel.series}, "h", "2024-01-01")
    found = [fit_pooled_models(p.series, [150] * 3, 24, 0) for p in (panel, later)]
    assert found[0] == found[1] != []


def test_a_sample_is_drawn_by_the_seed() -> None:
    panel = Panel.from_arrays({str(k): wandering(40, k) for k in range(3 * SAMPLED_SERIES)}, "YS", "1980-01-01")
    ends = [40] * len(panel.series)
    first, same, other = (fit_pooled_models(panel.series, ends, 1, seed) for seed in (0, 0, 1))
    assert first == same != other
    assert len(first) <= 2 * SAMPLED_SERIES


@pytest.mark.parametrize(
    ("values", "season"),
    [(np.full(90, 7.0), 1), (np.full(90, np.nan), 1), (hourly(9), 1), (hourly(90), LONGEST_SEASON + 1)],
    ids=["constant", "missing", "short", "long season"],
)
def test_what_cannot_be_modelled_is_left_out(values: NDArray[np.float64], season: int) -> None:
    panel = Panel.from_arrays({"a": values}, "h")
    assert fit_pooled_models(panel.series, [len(values)], season, 0) == []


def reader(count: int) -> Reader:
    return Network(small(HORIZON, context_length=24, segment=12, season_lengths=[], statistical=count)).readers[0]


def maps_of(one: Reader, count: int) -> NDArray[np.float64]:
    return one.candidates.pooled.reshape(24, HORIZON, count).double().numpy()


def test_the_models_that_serve_the_windows_together_are_kept() -> None:
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.standard_normal((60, 24)))
    models = [SmoothingModel(0.01), SmoothingModel(1.0), SmoothingModel(0.5, 0.9, damping=1.0), SmoothingModel(0.1)]
    target = torch.from_numpy(models[1].forecast(z.numpy(), HORIZON, 1))
    target[:20] = torch.from_numpy(models[3].forecast(z[:20].numpy(), HORIZON, 1))
    target[0, 2:] = torch.nan
    one = reader(2)
    set_models(one, [(one.config.statistical, models)], z, target)
    for number, chosen in enumerate((1, 3)):
        expected = models[chosen].forecast(np.eye(24), HORIZON, 1)
        np.testing.assert_allclose(maps_of(one, 2)[..., number], expected, atol=1e-6)


@pytest.mark.parametrize(("models", "alpha"), [([], 1.0), ([SmoothingModel(0.3)], 0.3)])
def test_too_few_models_fill_the_room(models: list[SmoothingModel], alpha: float) -> None:
    one = reader(3)
    z = torch.randn(20, 24, generator=torch.Generator().manual_seed(0))
    set_models(one, [(one.config.statistical, models)], z, z[:, :HORIZON])
    expected = SmoothingModel(alpha).forecast(np.eye(24), HORIZON, 1)
    for number in range(3):
        np.testing.assert_allclose(maps_of(one, 3)[..., number], expected, atol=1e-6)
