"""Training: it learns, leaks nothing, can be interrupted anywhere, and says what is wrong with the data."""

import copy
import math

import numpy as np
import pytest
import torch

from models.backtest import cut_windows, rolling_origins, score, score_gate, score_season_naive
from models.checkpoint import Checkpoint, CheckpointError
from models.config import Config, ConfigError
from models.defaults import choose
from models.fit import Fitted, TrainingDataError, fit
from models.optimise import Hooks, Learner, learning_rate, train
from models.phase import PhaseState
from models.report import Progress
from models.sampling import fixed_batch, window_pool
from models.windows import Panel
from tests.models.examples import hourly, hourly_panel, small

CPU = torch.device("cpu")
SILENT = Hooks(stepped=lambda state, loss: None, epoch_end=lambda state, arrays, best: None)


def state_of(fitted: Fitted) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in fitted.network.state_dict().items()}


def checkpoints(panel: Panel, config: Config) -> tuple[Fitted, list[Checkpoint]]:
    found: list[Checkpoint] = []
    return fit(panel, config, save_checkpoint=found.append), found


def select_weights(found: list[Checkpoint]) -> dict[str, bytes]:
    last = [c for c in found if c.record["state"]["name"] == "select"][-1]
    return {name: value.tobytes() for name, value in last.arrays.items() if not name.startswith("rng")}


@pytest.mark.parametrize("basis", [True, False])
def test_overfits_one_batch(basis: bool) -> None:
    config = small(12, training={"loss": "mae"}, basis=basis, dropout=0.0, hidden=48, context_length=48)
    panel = hourly_panel(400)
    origins = np.arange(60, 380, 40)
    batch = fixed_batch([panel.series[0]] * len(origins), origins, config, CPU)
    with torch.random.fork_rng():
        learner = Learner(config, CPU)
        before = learner.score(batch)
        for _ in range(300):
            learner.optimizer.zero_grad()
            learner.loss(batch).backward()
            learner.optimizer.step()
    assert learner.score(batch) < 0.15 * before


def test_beats_season_naive_on_what_it_has_not_seen() -> None:
    y = hourly(2400)
    known, whole = (Panel.from_arrays({"a": v}, "h", "2024-01-01") for v in (y[:2000], y))
    config = choose("h", 24, (0.1, 0.5, 0.9), [2000], training={"epochs": 8, "steps_per_epoch": 20})
    fitted = fit(known, config)
    windows = cut_windows(whole, {"a": rolling_origins(whole.series[0], 24, 15, 25)}, 24)
    assert windows.origins.min() >= 1999
    context = config.network.context_length
    ours = score(windows, fitted.runner, context_length=context, levels=config.quantiles)
    floor = score_season_naive(windows, whole, config.quantiles)
    assert ours["mae"] < 0.85 * floor["mae"]
    assert ours["wql"] < 0.6 * floor["wql"]
    assert 0.6 < ours["coverage_80"] < 0.95
    assert fitted.report.metrics["gate"]["mae"] < fitted.report.metrics["season_naive"]["mae"]


def test_gate_values_change_nothing_that_is_selected() -> None:
    panel, config = hourly_panel(), small()
    plain, first = checkpoints(panel, config)
    assert plain.report.gate is not None
    start = int(panel.series[0].grid.index(np.array(plain.report.gate.origins["a"]))[0]) + 1
    changed = copy.deepcopy(panel)
    changed.series[0].y[start:] += 1000 * np.random.default_rng(1).random(300 - start)
    other, second = checkpoints(changed, config)
    assert other.report.loss_curve == plain.report.loss_curve
    assert other.report.selected_steps == plain.report.selected_steps
    assert select_weights(first) == select_weights(second)
    assert other.report.metrics["gate"] != plain.report.metrics["gate"]
    assert state_of(other) != state_of(plain)


def test_selection_values_reach_no_gradient() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1})
    changed = copy.deepcopy(panel)
    changed.series[0].y[-100:] = np.nan
    pools = [window_pool(p.series, [200], config, CPU) for p in (panel, changed)]
    draws = [pool.draw(64, torch.Generator().manual_seed(0)) for pool in pools if pool is not None]
    for name in ("y", "target", "calendar"):
        assert torch.equal(draws[0][name].nan_to_num(), draws[1][name].nan_to_num())  # type: ignore[literal-required]


def test_drawn_windows_are_those_that_serving_cuts() -> None:
    panel = hourly_panel(300, 3)
    config = small(context_length=48)
    pool = window_pool(panel.series, [300, 250, 40], config, CPU)
    assert pool is not None
    drawn = pool.draw(200, torch.Generator().manual_seed(0))
    assert (~drawn["target"].isnan()).any(1).all()
    assert (~drawn["y"].isnan()).any(1).all()
    for row in range(0, 200, 10):
        last = drawn["y"][row, -1].item()
        name, origin = next((s, int(np.flatnonzero(s.y == last)[0])) for s in panel.series if (s.y == last).any())
        same = fixed_batch([name], np.array([origin]), config, CPU)
        assert torch.equal(same["y"][0].nan_to_num(), drawn["y"][row].nan_to_num())
        assert torch.equal(same["calendar"][0], drawn["calendar"][row])


@pytest.mark.parametrize(
    ("panel", "training"),
    [
        (hourly_panel(300, 2), {"epochs": 3, "patience": 2}),
        (hourly_panel(80), {"epochs": 2, "loss": "mse"}),
        (hourly_panel(40), {"epochs": 2, "optimizer": "adam"}),
    ],
    ids=["gate", "selection", "neither"],
)
def test_a_resumed_run_is_the_same_run(panel: Panel, training: dict[str, object]) -> None:
    config = small(24, len(panel.series[0].y), training, dropout=0.2)
    whole, found = checkpoints(panel, config)
    assert {c.record["state"]["name"] for c in found} == ({"select", "refit"} if len(found) > 2 else {"refit"})
    for at in found:
        resumed = fit(panel, config, resume=Checkpoint.from_bytes(at.to_bytes()))
        assert state_of(resumed) == state_of(whole)
        ours, theirs = resumed.report.to_dict(), whole.report.to_dict()
        for timed in ("seconds", "windows_per_second"):
            del ours[timed], theirs[timed]
        assert ours == theirs
        assert resumed.report.gate == whole.report.gate


def test_a_resumed_run_keeps_its_time_budget() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1000, "time_budget_s": 1.0})
    whole, found = checkpoints(panel, config)
    assert 0 < found[0].record["state"]["total_steps"] < 6000
    assert whole.report.seconds < 5
    resumed = fit(panel, config, resume=found[0])
    assert state_of(resumed) == state_of(whole)


def test_a_foreign_checkpoint_is_refused() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1})
    _, found = checkpoints(panel, config)
    with pytest.raises(CheckpointError, match="another"):
        fit(panel, small(training={"epochs": 2}), resume=found[0])
    with pytest.raises(CheckpointError, match="another"):
        fit(hourly_panel(301), config, resume=found[0])


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(hourly_panel(), small(training={"epochs": 1}))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(("length", "phases"), [(300, {"select", "refit"}), (40, {"refit"})])
def test_progress_never_falls(length: int, phases: set[str]) -> None:
    told: list[Progress] = []
    fit(hourly_panel(length), small(24, length, {"epochs": 3}), on_progress=told.append)
    fractions = [p.fraction for p in told]
    assert fractions == sorted(fractions)
    assert len({f for f in fractions if 0 < f < 1}) >= 3
    assert fractions[-1] == pytest.approx(0.95)
    assert {p.phase for p in told} == phases
    assert all(p.epoch <= p.epochs for p in told)


def test_score_gate_repeats_the_reported_windows() -> None:
    panel = hourly_panel(400, 3)
    fitted = fit(panel, small(12, 400, {"epochs": 1}))
    gate = fitted.report.gate
    assert gate is not None
    assert set(gate.origins) == {"a", "b", "c"}
    found = score_gate(
        panel,
        gate,
        fitted.runner,
        context_length=fitted.config.network.context_length,
        levels=fitted.config.quantiles,
    )
    assert set(found) == set(fitted.report.metrics["gate"])
    assert all(math.isfinite(value) for value in found.values())


def test_short_histories_go_without_spans() -> None:
    neither = fit(hourly_panel(40), small(24, 40)).report
    assert (neither.gate, neither.metrics, neither.warnings) == (None, {}, ["ungated"])
    selected = fit(hourly_panel(80), small(24, 80)).report
    assert set(selected.metrics) == {"selection", "season_naive"}
    assert selected.warnings == ["ungated"]
    mixed = Panel.from_arrays({"a": hourly(300), "b": [1.0, 2.0]}, "h", "2024-01-01")
    report = fit(mixed, small()).report
    assert report.warnings == ["short_series"]
    assert report.gate is not None


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "no_series"),
        ({"a": [np.nan] * 50, "b": [np.nan]}, "no_observations"),
        ({"a": [1.0, 2.0], "b": [np.nan] * 50}, "too_short"),
        ({"a": [1.0, np.inf, 2.0, 3.0]}, "not_finite"),
    ],
)
def test_untrainable_data(values: dict[str, list[float]], code: str) -> None:
    with pytest.raises(TrainingDataError) as caught:
        fit(Panel.from_arrays(values, "h", "2024-01-01"), small())
    assert caught.value.code == code


def test_three_values_can_be_trained_on() -> None:
    panel = Panel.from_arrays({"a": [1.0, 2.0, 3.0]}, "D", "2024-01-01")
    fitted = fit(panel, choose("D", 2, (0.5,), [3], training={"epochs": 1}))
    assert np.isfinite(fitted.predict(panel)[0].quantiles).all()


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_the_unit_of_a_series_changes_no_training(scale: float) -> None:
    y, config = hourly(300), small()
    base, moved = (fit(Panel.from_arrays({"a": v}, "h", "2024-01-01"), config) for v in (y, y * scale))
    assert moved.report.metrics["gate"]["mase"] == pytest.approx(base.report.metrics["gate"]["mase"], rel=1e-3)


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_constant_and_gappy_series_train(constant: float) -> None:
    gappy = hourly(300)
    gappy[np.random.default_rng(0).random(300) < 0.5] = np.nan
    panel = Panel.from_arrays({"a": np.full(300, constant), "b": gappy}, "h", "2024-01-01")
    flat, _ = fit(panel, small()).predict(panel)
    np.testing.assert_allclose(flat.yhat, constant, atol=0.5)


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
                    learner.network.decoder.output.weight.fill_(math.nan)

        train(learner, pool, None, state, {}, Hooks(stepped=poison, epoch_end=SILENT.epoch_end))
        assert (state.recoveries, state.step, state.epoch) == (1, 12, 4)
        assert state.rate_factor == pytest.approx(0.3)
        assert all(torch.isfinite(p).all() for p in learner.network.parameters())
        with torch.no_grad():
            learner.network.decoder.output.weight.fill_(math.nan)
        with pytest.raises(TrainingDataError) as caught:
            train(learner, pool, None, PhaseState("refit", 12), {}, SILENT)
        assert caught.value.code == "diverged"


def test_point_losses_take_their_levels_from_residuals() -> None:
    y = hourly(1500)
    panel = Panel.from_arrays({"a": y}, "h", "2024-01-01")
    training = {"epochs": 4, "steps_per_epoch": 20, "loss": "mse", "batch_size": 32}
    fitted = fit(panel, small(24, 1500, training))
    offsets = fitted.network.residuals.numpy()
    assert (offsets[:, 1] == 0).all()
    assert (offsets[:, 0] < 0).all()
    assert (offsets[:, 2] > 0).all()
    assert 0.6 < fitted.report.metrics["gate"]["coverage_80"] < 0.95


def test_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(step, 200, 1.0) for step in range(201)]
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 29
    assert rates[0] == pytest.approx(1 / 30)
    assert rates[-1] == pytest.approx(0.02)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a CUDA device")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        fit(hourly_panel(), small(), device="cuda")
    assert caught.value.field == "device"
