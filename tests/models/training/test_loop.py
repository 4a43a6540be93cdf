"""The training loop: it learns what it is shown, weighs errors as it is told, averages, and recovers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.config.model import Config
from models.config.training import TrainingConfig
from models.data.series import Panel
from models.data.windows import inputs_of
from models.errors import TrainingDataError
from models.evaluation import metrics
from models.training.fit import fit
from models.training.learner import LEAST_ERROR, RELATIVE_SHARE, Learner
from models.training.loop import TrainingHooks, learning_rate, train
from models.training.phase import PhaseState
from models.training.sampling import TensorBatch, fixed_batch, window_pool
from tests.models.examples import VARIANTS, hourly, hourly_panel, small

pytestmark = pytest.mark.training

CPU = torch.device("cpu")
SILENT = TrainingHooks(on_step=lambda state, loss: None, on_epoch=lambda state, arrays, best: None)
WEIGHTINGS = TrainingConfig.__annotations__["weighting"].__args__


def learner_of(config: Config) -> Learner:
    with torch.random.fork_rng():
        return Learner(config, CPU)


LONG = ("recursive", "recursive-plain")
"""whose 250 steps take ten seconds"""


@pytest.mark.parametrize(
    "variant", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in ("default", *VARIANTS)]
)
def test_overfits_one_batch(variant: str) -> None:
    network, training = VARIANTS.get(variant, ({}, {}))
    sizes = {"dropout": 0.0, "hidden": 48, "context_length": 48}
    config = small(12, training={"loss": "mae", **training}, **{**sizes, **network})
    panel = hourly_panel(400)
    origins = np.arange(60, 380, 40)
    batch = fixed_batch([panel.series[0]] * len(origins), origins, config, CPU)
    with torch.random.fork_rng():
        learner = Learner(config, CPU)
        errors = []
        for _ in range(250):
            learner.optimizer.zero_grad()
            total = torch.zeros(())
            for number in range(len(learner.network.members)):
                context, forecast = learner.network.forecast_member(number, **inputs_of(batch, config))
                total = total + learner.loss(context, forecast.quantiles, batch["target"], forecast.distribution)
            point = forecast.quantiles[..., 1] * context.scale + context.loc
            errors.append(float((point - batch["target"]).detach().abs().mean()))
            total.backward()
            learner.optimizer.step()
    assert errors[-1] < 0.2 * errors[0]


def windows(config: Config, *values: NDArray[np.float64]) -> tuple[Learner, TensorBatch]:
    """Return a learner, and the last window of each series."""
    panel = Panel.from_arrays({str(k): y for k, y in enumerate(values)}, "h", "2024-01-01")
    origins = np.array([len(y) - config.horizon - 1 for y in values])
    return learner_of(config), fixed_batch(panel.series, origins, config, CPU)


def loss_of(learner: Learner, batch: TensorBatch, *errors: float) -> float:
    """Return the loss of forecasts that are `errors` above what happened in each window."""
    context, _ = learner.network.forecast_scaled(**inputs_of(batch, learner.config))
    off = torch.tensor(errors, dtype=torch.float64)[:, None]
    quantiles = ((batch["target"] + off - context.loc) / context.scale)[..., None].expand(-1, -1, 3)
    return float(learner.loss(context, quantiles, batch["target"]))


def test_errors_are_measured_in_the_contexts_scale() -> None:
    y = hourly(60)
    learner, batch = windows(small(12, 60, {"loss": "mae", "weighting": "context"}, context_length=48), y)
    assert loss_of(learner, batch, 0.7) == pytest.approx(0.7 / y[:48].std(), rel=1e-4)


def test_windows_are_weighed_by_season_error_and_by_size() -> None:
    one, other = hourly(60, noise=2.0), 100 * hourly(60, seed=1, noise=4.0)  # too noisy for a floor
    one[[3, 30]] = np.nan
    learner, batch = windows(small(12, 60, {"loss": "mae", "weighting": "relative"}, context_length=48), one, other)
    expected = []
    for y in (one, other):
        size = np.maximum(np.abs(y[48:]), LEAST_ERROR * np.nanstd(y[:48]))
        expected.append(float(np.mean(0.5 / metrics.season_error(y[:48], 24) + 0.5 * RELATIVE_SHARE / size)))
    found = loss_of(learner, batch, 0.7, 0.0) / loss_of(learner, batch, 0.0, 0.7)
    assert found == pytest.approx(expected[0] / expected[1], rel=1e-3)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_no_weighting_depends_on_the_unit(weighting: str, scale: float) -> None:
    config = small(12, 60, {"loss": "mae", "weighting": weighting}, context_length=48)
    values = hourly(60), hourly(60, seed=1, noise=3.0)
    learner, batch = windows(config, *values)
    expected = loss_of(learner, batch, 0.7, 0.1)
    learner, batch = windows(config, *(y * scale for y in values))
    assert loss_of(learner, batch, 0.7 * scale, 0.1 * scale) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("y", [np.zeros(60), np.full(60, 7.0), np.r_[np.zeros(59), 1e9]], ids=["zero", "flat", "spike"])
def test_every_weight_is_finite(weighting: str, y: NDArray[np.float64]) -> None:
    learner, batch = windows(small(12, 60, {"weighting": weighting}, context_length=48), y)
    assert math.isfinite(learner.score(batch))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_weighting_trains(weighting: str) -> None:
    panel = Panel.from_arrays({"a": hourly(300), "b": np.r_[np.zeros(150), hourly(150)]}, "h", "2024-01-01")
    report = fit(panel, small(12, 300, {"weighting": weighting}, context_length=48)).report
    assert np.isfinite(report.loss_curve["val"]).all()


def weights_of(network: torch.nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("averaging", [0.0, 0.5, 0.98])
def test_what_is_scored_is_an_average_of_the_weights(averaging: float) -> None:
    config = small(12, 200, {"averaging": averaging}, context_length=48, lookbacks=[48, 24])
    pool = window_pool(hourly_panel(200).series, [200], config, CPU)
    assert pool is not None
    learner = learner_of(config)
    steps = [weights_of(learner.network)]
    for _ in range(4):
        learner.step(pool, 0.01)
        steps.append(weights_of(learner.network))
    expected = steps[0]
    for number, weights in enumerate(steps[1:], 1):
        # early steps count equally, or the initial weights would count for most
        expected = expected.lerp(weights, max(1 - averaging, 1 / (1 + number)))
    torch.testing.assert_close(weights_of(learner.averaged), expected)
    found = learner.weights()
    assert all(torch.equal(torch.from_numpy(found[k]), v) for k, v in learner.averaged.state_dict().items())


def test_each_member_learns_from_windows_of_its_own() -> None:
    config = small(12, 200, context_length=48, lookbacks=[48, 48])
    pool = window_pool(hourly_panel(200).series, [200], config, CPU)
    assert pool is not None
    learner, alone = learner_of(config), learner_of(replace(config, network=replace(config.network, lookbacks=())))
    first, second = learner.network.members
    second.load_state_dict(first.state_dict())
    learner.step(pool, 0.01)
    assert not torch.equal(weights_of(first), weights_of(second))
    alone.network.members[0].load_state_dict(second.state_dict())
    assert math.isfinite(alone.step(pool, 0.01))


def test_divergence_goes_back_and_then_gives_up() -> None:
    config = small(12, training={"epochs": 4, "steps_per_epoch": 3}, context_length=48)
    pool = window_pool(hourly_panel(200).series, [200], config, CPU)
    assert pool is not None
    with torch.random.fork_rng():
        learner = Learner(config, CPU)
        state = PhaseState("refit", 12)

        def poison(current: PhaseState, loss: float) -> None:
            if current.recoveries == 0 and current.step == 5:
                with torch.no_grad():
                    learner.network.members[0].decoder.output.weight.fill_(math.nan)

        train(learner, pool, None, state, {}, TrainingHooks(on_step=poison, on_epoch=SILENT.on_epoch))
        assert (state.recoveries, state.step, state.epoch) == (1, 12, 4)
        assert state.rate_factor == pytest.approx(0.3)
        assert all(torch.isfinite(p).all() for p in learner.network.parameters())
        with torch.no_grad():
            learner.network.members[0].decoder.output.weight.fill_(math.nan)
        with pytest.raises(TrainingDataError) as caught:
            train(learner, pool, None, PhaseState("refit", 12), {}, SILENT)
        assert caught.value.code == "diverged"


def test_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(step, 200, 1.0) for step in range(201)]
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 29
    assert rates[0] == pytest.approx(1 / 30)
    assert rates[-1] == pytest.approx(0.02)
