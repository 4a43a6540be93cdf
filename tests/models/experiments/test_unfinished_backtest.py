"""Backtests that were interrupted, and what their trainings know of the data after them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.config.model import Config
from models.data.covariates import build_covariate_config
from models.data.series import Panel
from models.errors import ConfigError
from models.experiments import backtest as module
from models.experiments.backtest import BacktestResume, backtest
from models.planning.defaults import default_config_for_lengths
from models.planning.values import find_signs
from models.training.checkpoint import Checkpoint
from tests.models.examples import LEVELS, hourly_panel

pytestmark = pytest.mark.training

HORIZON = 6
LENGTH = 160


def tiny(epochs: int = 2, horizon: int = HORIZON) -> Config:
    training = {"epochs": epochs, "steps_per_epoch": 3, "batch_size": 32}
    return default_config_for_lengths("h", horizon, LEVELS, [LENGTH], {"hidden": 8, "context_length": 48}, training)


class Interrupted(Exception):
    """The process has gone."""


class Keeper:
    """Keeps what a backtest leaves, and interrupts it after so many checkpoints."""

    def __init__(self, checkpoints: int) -> None:
        self.done: dict[int, NDArray[np.float64]] = {}
        self.last: Checkpoint | None = None
        self.left = checkpoints
        self.saved = 0
        self.ends: list[int] = []
        """checkpoints when each training had ended"""

    def fitted(self, number: int, quantiles: NDArray[np.float64]) -> None:
        self.done[number] = quantiles.copy()
        self.ends.append(self.saved)

    def save(self, checkpoint: Checkpoint) -> None:
        self.last = Checkpoint.from_bytes(checkpoint.to_bytes())
        self.left -= 1
        self.saved += 1
        if not self.left:
            raise Interrupted

    def to_resume(self) -> BacktestResume:
        return BacktestResume(
            finished=dict(self.done), checkpoint=self.last, on_fit=self.fitted, save_checkpoint=self.save
        )


@pytest.mark.parametrize("checkpoints", [1, 4, pytest.param(6, marks=pytest.mark.slow)])
def test_an_interrupted_backtest_ends_as_an_uninterrupted_one(checkpoints: int) -> None:
    panel, config = hourly_panel(LENGTH, 2), tiny()
    whole = Keeper(1000)
    base = backtest(panel, config, n_windows=3, refit=True, resume=whole.to_resume())
    assert sorted(whole.done) == [0, 1, 2]
    kept = Keeper(checkpoints)
    with pytest.raises(Interrupted):
        backtest(panel, config, n_windows=3, refit=True, resume=kept.to_resume())
    done = len(kept.done)
    kept.left = 1000
    again = backtest(panel, config, n_windows=3, refit=True, resume=kept.to_resume())
    np.testing.assert_array_equal(again.quantiles, base.quantiles)
    assert again.to_dict() == base.to_dict()
    assert sorted(kept.done) == [0, 1, 2]
    assert done == sum(end < checkpoints for end in whole.ends)
    assert 1000 - kept.left == whole.saved - checkpoints  # no epoch was trained twice


def test_a_fit_that_is_over_is_not_repeated() -> None:
    panel, config = hourly_panel(LENGTH), tiny(1)
    made_up = np.full((1, HORIZON, 3), 7.0)
    found = backtest(panel, config, n_windows=2, refit=True, resume=BacktestResume(finished={0: made_up}))
    np.testing.assert_array_equal(found.quantiles[0], made_up[0])
    assert (found.quantiles[1] != 7.0).all()


def test_a_checkpoint_of_another_fit_is_left_alone() -> None:
    panel, config = hourly_panel(LENGTH), tiny(1)
    kept = Keeper(1000)
    base = backtest(panel, config, n_windows=2, refit=True, resume=kept.to_resume())
    again = backtest(panel, config, n_windows=2, refit=True, resume=BacktestResume(checkpoint=kept.last))
    np.testing.assert_array_equal(again.quantiles, base.quantiles)


def seen_by(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Panel, Config]]:
    """Return the list that every training's data and configuration is added to."""
    seen: list[tuple[Panel, Config]] = []
    fit: Callable[..., object] = module.fit

    def told(panel: Panel, config: Config, **options: object) -> object:
        seen.append((panel, config))
        return fit(panel, config, **options)

    monkeypatch.setattr(module, "fit", told)
    return seen


def test_vocabularies_are_of_what_comes_before_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that appears only later has no code of its own yet."""
    seen = seen_by(monkeypatch)
    text = np.array(["work", "free"] * (LENGTH // 2), object)
    text[150:] = "strike"
    panel = hourly_panel(LENGTH)
    panel = replace(panel, series=(replace(panel.series[0], covariates={"day": text}),))
    config = replace(tiny(1), covariates=build_covariate_config(panel, (), ("day",), ()))
    assert config.covariates.levels["day"] == ("free", "strike", "work")
    found = backtest(panel, config, n_windows=2, refit=True)
    assert [len(one.series[0].y) for one, _ in seen] == [148, 154]
    assert [own.covariates.levels["day"] for _, own in seen] == [("free", "work"), ("free", "strike", "work")]
    assert np.isfinite(found.quantiles).all()


def test_a_floor_at_zero_is_learned_from_what_comes_before_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = seen_by(monkeypatch)
    panel = hourly_panel(LENGTH)
    later = panel.series[0].y.copy()
    later[0] = -1.0
    assert find_signs(panel) == {"nonnegative": True, "signed": ()}
    floored = replace(tiny(1), nonnegative=True)
    for one in (panel, replace(panel, series=(replace(panel.series[0], y=later),))):
        backtest(one, floored, n_windows=1)
    assert [own.nonnegative for _, own in seen] == [True, False]


def test_a_floor_is_not_taken_from_later_values(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = seen_by(monkeypatch)
    panel = hourly_panel(LENGTH)
    y = panel.series[0].y.copy()
    y[-1] = -1.0  # after the origin
    backtest(replace(panel, series=(replace(panel.series[0], y=y),)), replace(tiny(1), nonnegative=True), n_windows=1)
    assert seen[0][1].nonnegative


def test_a_shorter_horizon_is_the_beginning_of_the_whole_one() -> None:
    panel, config = hourly_panel(LENGTH), tiny(1)
    found = backtest(panel, config, n_windows=2, horizon=2)
    assert found.quantiles.shape == (2, 2, 3)
    assert found.windows.origins.tolist() == [155, 157]
    np.testing.assert_array_equal(found.actual[1], panel.series[0].y[158:])
    assert [row["step"] for row in found.by_step()] == [1, 2]


@pytest.mark.parametrize(
    ("field", "options"),
    [("horizon", {"horizon": 0}), ("horizon", {"horizon": 7}), ("baselines", {"baselines": ["naive", "mean"]})],
)
def test_what_cannot_be_asked_is_named(field: str, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        backtest(hourly_panel(LENGTH), tiny(1), n_windows=1, **options)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_baselines_are_measured_with_the_model_in_every_table() -> None:
    names = ("season_naive", "naive", "drift")
    found = backtest(hourly_panel(LENGTH), tiny(1), n_windows=2, baselines=names[1:])
    assert tuple(found.baselines) == names
    for row in (found.overall(), *found.by_step(), *found.by_series(), *found.by_window()):
        assert set(names) <= set(row)
        assert all(row[name]["mae"] > 0 for name in names)
