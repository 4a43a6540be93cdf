"""Exponential smoothing models averaged by their likelihood in the context."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.classical.exponential_smoothing import SmoothingModel
from models.classical.families import BASIC
from models.config.model import Config
from models.network.ets import ETS, LEAST_VARIANCE, EtsForecast
from models.network.inputs import Normalise
from tests.models.examples import small

FAMILIES = {family.name: family.models for family in BASIC}
NAMES = [f"{space} {family}" for space in ("additive", "multiplicative") for family in FAMILIES]


def config_of(context: int, horizon: int, season: int = 1, models: str = "basic") -> Config:
    seasons = [season] if season > 1 else []
    return small(horizon, context_length=context, segment=1, season_lengths=seasons, ets=True, ets_models=models)


def forecasts(y: NDArray[np.float64], horizon: int, season: int = 1) -> dict[str, NDArray[np.float64]]:
    """Return each family's forecast (H,) of one context (T,), in original units."""
    config = config_of(len(y), horizon, season)
    context = Normalise(len(y), season, "standard")(torch.from_numpy(y[None]))
    found, record, _, unit = ETS(config, config.network)(context)
    assert unit.item() == 1.0
    assert found.shape == (1, horizon, len(NAMES))
    assert record.shape == (1, len(NAMES))
    raw = (found[0].double() * context.scale + context.loc).numpy()
    return dict(zip(NAMES, raw.T, strict=True))


def wandering(length: int, seed: int = 0) -> NDArray[np.float64]:
    return 50 + np.random.default_rng(seed).standard_normal(length).cumsum()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_averaged_by_the_likelihood_of_its_models(family: str) -> None:
    y = wandering(30)
    models = FAMILIES[family]
    variance = np.array([np.mean(model.errors(y, 1) ** 2) for model in models])
    likely = (variance + LEAST_VARIANCE["basic"] * y.var()) ** (-len(y) / 2)
    expected = np.average([model.forecast(y, 7, 1) for model in models], axis=0, weights=likely)
    np.testing.assert_allclose(forecasts(y, 7)[f"additive {family}"], expected, atol=1e-3 * y.std())


def test_errors_are_those_of_forecasts_one_step_ahead() -> None:
    y = wandering(12)
    for model in (SmoothingModel(0.3), SmoothingModel(0.4, 0.2, damping=1.0), SmoothingModel(0.6, 0.1, damping=0.9)):
        errors = model.errors(y, 1)
        level, trend = (y[0], 0.0) if not model.damping else (None, None)
        if level is None:
            slope, start = np.polyfit(np.arange(12), y, 1)
            level, trend = start - slope, slope
        for step, value in enumerate(y):
            error = value - level - model.damping * trend
            assert errors[step] == pytest.approx(error, abs=1e-9)
            level += model.damping * trend + model.alpha * error
            trend = model.damping * trend + model.beta * error


def test_growth_by_a_share_is_forecast_in_logarithms() -> None:
    y = 3 * 1.08 ** np.arange(40.0)
    found, truth = forecasts(y[:32], 8), y[32:]
    worst = {name: np.abs(values / truth - 1).max() for name, values in found.items()}
    assert worst["multiplicative trend"] < 0.7 * worst["additive trend"]
    assert worst["multiplicative theta"] < 0.7 * worst["additive theta"]


def test_a_forecast_in_logarithms_does_not_run_away() -> None:
    y = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 10.0, 100.0, 1000.0, 1e5, 1e7])
    found = forecasts(y, 50)
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["multiplicative trend"].max() <= 1e7 * (1e7 * np.exp(0.5)) * 1.01


def test_zeros_have_no_logarithms() -> None:
    y = np.abs(wandering(30)) * (np.arange(30) % 3 > 0)
    found = forecasts(y, 5)
    for family in FAMILIES:
        np.testing.assert_allclose(found[f"multiplicative {family}"], found[f"additive {family}"], rtol=1e-12)


def test_a_season_is_kept_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    noise, season = rng.standard_normal((200, 60)), 3 * np.sin(2 * np.pi * np.arange(60) / 12)
    ets = ETS(config_of(60, 12, 12), config_of(60, 12, 12).network)
    seen = torch.ones(200, 60)
    empty = ets.fit_profile(torch.from_numpy(noise).float(), seen)[1].numpy()
    whole = ets.fit_profile(torch.from_numpy(noise + season).float(), seen)[1].numpy()
    unshrunk = np.sqrt(1 / 5)  # the deviation of a mean of five seasons of noise
    assert np.abs(empty).mean() < 0.5 * unshrunk
    assert np.corrcoef(whole.mean(0), season[:12])[0, 1] > 0.999
    assert whole.std() == pytest.approx(season.std(), rel=0.1)


def test_one_season_is_no_pattern() -> None:
    config = config_of(24, 12, 12)
    y = torch.from_numpy(3 * np.sin(2 * np.pi * np.arange(24) / 12)[None]).float()
    seen = torch.ones(1, 24)
    seen[0, :4] = 0  # fewer than two seasons are left
    past, ahead = ETS(config, config.network).fit_profile(y * seen, seen)
    assert past.abs().max() == 0
    assert ahead.abs().max() == 0


def test_a_short_history_is_forecast_as_if_nothing_were_before_it() -> None:
    y = wandering(40)
    y[:24] = np.nan
    found, alone = forecasts(y, 6), forecasts(y[24:], 6)
    for name, values in found.items():
        np.testing.assert_allclose(values, alone[name], atol=0.35 * np.nanstd(y))
    assert np.abs(found["additive level"] - alone["additive level"]).max() < 0.05 * np.nanstd(y)


@pytest.mark.parametrize("value", [0.0, 7.0, -1e12, 1e-9])
def test_a_constant_is_forecast_as_itself(value: float) -> None:
    for found in forecasts(np.full(20, value), 4).values():
        np.testing.assert_allclose(found, value, rtol=1e-5)


def test_nothing_observed_gives_finite_numbers() -> None:
    for found in forecasts(np.full(20, np.nan), 4).values():
        assert np.isfinite(found).all()


def weighed(y: NDArray[np.float64], horizon: int, season: int = 1) -> tuple[NDArray[np.float64], float]:
    """Return what the wide families forecast without anything learned (H,), and their unit, in original units."""
    config = config_of(len(y), horizon, season, "wide")
    context = Normalise(len(y), season, "standard")(torch.from_numpy(y[None]))
    found: EtsForecast = ETS(config, config.network)(context)
    assert found.shares.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert found.forecasts.shape[-1] == found.shares.shape[-1] == found.log_errors.shape[-1]
    blended = (found.forecasts[0].double() * found.shares[0]).sum(-1)
    return (blended * context.scale[0] + context.loc[0]).numpy(), float(found.unit * context.scale)


@pytest.mark.parametrize("season", [1, 12])
@pytest.mark.parametrize(
    "y",
    [np.arange(1.0, 73.0), 250 - 0.5 * np.arange(72.0), 400 * 1.02 ** np.arange(72.0)],
    ids=["up", "down", "growth"],
)
def test_what_goes_on_without_noise_is_continued_exactly(y: NDArray[np.float64], season: int) -> None:
    known, ahead = y[:60], y[60:]
    forecast, unit = weighed(known, 12, season)
    np.testing.assert_allclose(forecast, ahead, rtol=1e-4)
    assert unit < 1e-3


def test_a_season_that_grows_with_the_level_is_a_multiplicative_one() -> None:
    months = np.arange(72)
    y = 100 * 1.01**months * (1 + 0.3 * np.sin(2 * np.pi * months / 12))
    forecast, _ = weighed(y[:60], 12, 12)
    assert np.abs(forecast - y[60:]).mean() < 0.03 * y[60:].mean()


def test_a_level_that_has_stepped_is_left_where_it_is_with_the_width_of_its_noise() -> None:
    noise = np.random.default_rng(1).normal(0, 2, 70)
    y = np.where(np.arange(70) < 26, 100.0, 200.0) + noise
    forecast, unit = weighed(y[:56], 14, 7)
    naive = np.abs(y[55] - y[56:]).mean()
    assert np.abs(forecast - y[56:]).mean() < 1.5 * naive
    assert 1.0 < unit < 4.0


def test_the_steps_before_the_first_value_change_nothing() -> None:
    y = np.concatenate([np.full(20, np.nan), wandering(40)])
    padded, unit = weighed(y, 6)
    whole, same = weighed(y[20:], 6)
    np.testing.assert_allclose(padded, whole, atol=0.5 * np.nanstd(y))
    assert unit == pytest.approx(same, rel=0.3)


def cycle(length: int, period: float, noise: float, seed: int = 0) -> NDArray[np.float64]:
    """Return an autoregression of two steps that swings with a period of no whole steps."""
    rng = np.random.default_rng(seed)
    damping = 0.97
    a, b = 2 * damping * np.cos(2 * np.pi / period), -(damping**2)
    y = np.zeros(length + 50)
    for t in range(2, len(y)):
        y[t] = a * y[t - 1] + b * y[t - 2] + noise * rng.standard_normal()
    return 100 + y[50:]


def shares_of(y: NDArray[np.float64]) -> dict[str, float]:
    """Return the share of each family in the forecast without anything learned."""
    config = config_of(len(y), 6, models="wide")
    module = ETS(config, config.network)
    shares = module(Normalise(len(y), 1, "standard")(torch.from_numpy(y[None]))).shares[0]
    return dict(zip(module.labels, shares.tolist(), strict=True))


def test_a_cycle_that_no_calendar_knows_is_continued() -> None:
    """As lynx in Canada do, every nine to ten years."""
    errors, naive = [], []
    for seed in range(20):
        y = cycle(66, 9.6, 3.0, seed)
        found, _ = weighed(y[:60], 6)
        errors.append(np.abs(found - y[60:]).mean())
        naive.append(np.abs(y[59] - y[60:]).mean())
    assert np.mean(errors) < 0.75 * np.mean(naive)


def test_what_does_not_swing_has_no_cycle() -> None:
    for y in (wandering(60), np.arange(60.0), 100 * 1.05 ** np.arange(60.0), np.full(60, 7.0)):
        shares = shares_of(y)
        assert shares["ets_additive_cycle"] + shares["ets_multiplicative_cycle"] < 0.05
    swinging = shares_of(cycle(60, 9.6, 3.0))
    assert swinging["ets_additive_cycle"] + swinging["ets_multiplicative_cycle"] > 0.3


def test_what_is_missing_before_a_cycle_changes_little() -> None:
    y = cycle(60, 9.6, 3.0)
    padded = np.concatenate([np.full(60, np.nan), y])
    np.testing.assert_allclose(weighed(y, 6)[0], weighed(padded, 6)[0], atol=0.35 * y.std())
