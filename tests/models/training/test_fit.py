"""Training: it learns, leaks nothing, can be interrupted anywhere, and says what is wrong with the data."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.data.series import Panel
from models.errors import ConfigError
from models.evaluation.scoring import cut_windows, find_windows, score, score_season_naive
from models.experiments.backtest import plan_origins
from models.planning.defaults import default_config, default_config_for_lengths
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.progress import Progress
from tests.models.data.test_wall_clock import build
from tests.models.examples import hourly, hourly_panel, small, state_of

pytestmark = pytest.mark.training

CPU = torch.device("cpu")


def test_beats_season_naive_on_what_it_has_not_seen() -> None:
    y = hourly(2400)
    known, whole = (Panel.from_arrays({"a": v}, "h", "2024-01-01") for v in (y[:2000], y))
    config = default_config_for_lengths("h", 24, (0.1, 0.5, 0.9), [2000], training={"epochs": 8, "steps_per_epoch": 20})
    fitted = fit(known, config)
    windows = cut_windows(whole, {"a": plan_origins(whole.series[0], 24, 15, 25)}, 24)
    assert windows.origins.min() >= 1999
    ours = score(windows, fitted.runner, config)
    floor = score_season_naive(windows, whole, config.quantiles)
    assert ours["mae"] < 0.85 * floor["mae"]
    assert ours["wql"] < 0.6 * floor["wql"]
    assert 0.6 < ours["coverage_80"] < 0.95
    assert fitted.report.metrics["gate"]["mae"] < fitted.report.metrics["season_naive"]["mae"]


def test_office_hours_are_forecast_over_a_change_of_the_clocks() -> None:
    whole = build("Europe/Berlin", "2025-03-30T03:00:00", "h", days=60, ahead=10)
    begin = 60 * 24  # the first step after the change
    known = Panel(whole.grid.frequency, (replace(whole, y=whole.y[: begin - 24]),))
    network = {"context_length": 168, "segment": 24, "hidden": 16, "lookbacks": []}
    config = default_config(known, 24, network=network, training={"epochs": 2, "steps_per_epoch": 20})
    fitted = fit(known, config)
    windows = cut_windows(Panel(known.frequency, (whole,)), {"a": list(range(begin - 20, begin + 200, 11))}, 24)
    ours = score(windows, fitted.runner, config)
    assert ours["mae"] < 1
    assert fitted.config.off_clock == ()


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


def test_the_gate_span_repeats_the_reported_windows() -> None:
    panel = hourly_panel(400, 3)
    fitted = fit(panel, small(12, 400, {"epochs": 1}))
    gate = fitted.report.gate
    assert gate is not None
    assert set(gate.origins) == {"a", "b", "c"}
    found = score(find_windows(panel, gate), fitted.runner, fitted.config)
    assert set(found) == set(fitted.report.metrics["gate"])
    assert all(math.isfinite(value) for value in found.values())


def test_short_histories_go_without_spans() -> None:
    neither = fit(hourly_panel(40), small(24, 40)).report
    assert (neither.gate, neither.metrics, neither.warnings) == (None, {}, ["ungated"])
    selected = fit(hourly_panel(80), small(24, 80)).report
    assert set(selected.metrics) == {"selection", "season_naive", "naive", "drift", "season_mean", "theta"}
    assert selected.warnings == ["ungated"]
    mixed = Panel.from_arrays({"a": hourly(300), "b": [1.0, 2.0]}, "h", "2024-01-01")
    report = fit(mixed, small()).report
    assert report.warnings == ["short_series"]
    assert report.gate is not None


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


def test_point_losses_take_their_levels_from_residuals() -> None:
    y = hourly(1500)
    panel = Panel.from_arrays({"a": y}, "h", "2024-01-01")
    training = {"epochs": 4, "steps_per_epoch": 20, "loss": "mse", "batch_size": 32}
    fitted = fit(panel, small(24, 1500, training))
    offsets = fitted.network.added.numpy()
    assert (offsets[:, 1] == 0).all()
    assert (offsets[:, 0] < 0).all()
    assert (offsets[:, 2] > 0).all()
    assert 0.6 < fitted.report.metrics["gate"]["coverage_80"] < 0.95


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a CUDA device")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        fit(hourly_panel(), small(), device="cuda")
    assert caught.value.field == "device"


class After:
    """Says stop from the n-th time on that it is asked."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


STOPPABLE = {"epochs": 3, "steps_per_epoch": 6}


def test_a_stopped_selection_gives_its_best_so_far() -> None:
    panel, config = hourly_panel(), small(training=STOPPABLE)
    found = fit(panel, config, stop=After(8))
    whole = fit(panel, config)
    assert (found.report.warnings, whole.report.warnings) == (["stopped"], [])
    assert found.report.epochs_trained == 2
    assert found.report.selected_steps in (6, 8)
    assert len(found.report.loss_curve["val"]) == 2
    assert found.report.loss_curve["val"][0] == whole.report.loss_curve["val"][0]
    assert set(found.report.metrics) >= {"gate", "season_naive"}
    assert found.gate_quantiles is not None


def test_a_stopped_refit_gives_what_was_selected() -> None:
    """The same network as one that was stopped with the last step of the selection, judged by the same gate."""
    panel, config = hourly_panel(), small(training=STOPPABLE)
    kept: list[Checkpoint] = []
    whole, selected = fit(panel, config), fit(panel, config, stop=After(18))
    stopped = fit(panel, config, stop=After(20), save_checkpoint=kept.append)
    assert state_of(stopped) == state_of(selected)
    assert state_of(stopped) != state_of(whole)
    assert stopped.report.metrics == selected.report.metrics == whole.report.metrics
    assert stopped.report.warnings == selected.report.warnings == ["stopped"]
    resumed = fit(panel, config, resume=Checkpoint.from_bytes(kept[-1].to_bytes()))
    assert state_of(resumed) == state_of(stopped)
    assert resumed.report.warnings == ["stopped"]


def test_without_a_selection_a_stopped_run_gives_what_it_has() -> None:
    panel, config = hourly_panel(40), small(24, 40, STOPPABLE)
    found = fit(panel, config, stop=After(4))
    assert found.report.warnings == ["ungated", "stopped"]
    assert found.report.selected_steps == 4
    (forecast,) = found.predict(panel)
    assert np.isfinite(forecast.quantiles).all()


def test_never_stopping_changes_nothing() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1})
    assert state_of(fit(panel, config, stop=lambda: False)) == state_of(fit(panel, config))
