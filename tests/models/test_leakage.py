"""Nothing past the origin is seen, and nothing past the horizon: by a forecast, by a batch, by a whole training."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.data.series import Panel, Series
from models.data.windows import assemble
from models.experiments.backtest import backtest
from models.inference.predict import run_windows
from models.training.fit import fit
from models.training.fitted import runner_of
from models.training.sampling import window_pool
from tests.models.examples import ROLES, checkpoints, covariate_panel, random_network, rich, state_of

pytestmark = pytest.mark.training

LENGTH, HORIZON = 220, 12
NUMERIC = ("temp", "flow", "size")
PANEL = covariate_panel(LENGTH, 2, ahead=50)


def changed(
    panel: Panel, target: int | None = None, past: int | None = None, future: int | None = None, **static: Any
) -> Panel:
    """Return the panel with other values from the given positions on: of the target, of past, of known-future ones."""

    def edit(one: Series) -> Series:
        y = one.y.copy()
        y[target if target is not None else len(y) :] = -500.0
        columns = dict(one.covariates)
        for role, start in (("past", past), ("known_future", future)):
            for name in ROLES[role] if start is not None else ():
                columns[name] = columns[name].copy()
                columns[name][start:] = 1e4 if name in NUMERIC else "new"
        return replace(one, y=y, covariates=columns, static={**one.static, **static})

    return Panel(panel.frequency, tuple(edit(one) for one in panel.series))


def truncated(panel: Panel, end: int) -> Panel:
    """Return what was known when the forecast that begins at `end` was made."""

    def cut(one: Series) -> Series:
        known = {name: v[: end + HORIZON * (name in ROLES["known_future"])] for name, v in one.covariates.items()}
        return replace(one, y=one.y[:end], covariates=known)

    return Panel(panel.frequency, tuple(cut(one) for one in panel.series))


def forecasts(panel: Panel, origin: int = 150, **network: object) -> NDArray[np.float64]:
    """Forecast every series from one origin, with all inputs and by random weights."""
    config = rich(PANEL, HORIZON, **network)
    return run_windows(panel.series, np.full(2, origin), runner_of(random_network(config)), config)


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"decoder": "last_step", "segment": 1},
        {"lookbacks": [48, 24]},
        {"bidirectional": True, "attention": 2, "convolution": 3},
        {"decoder": "recursive", "segment": 1},
    ],
)
@pytest.mark.parametrize(
    "edit", [{"target": 151}, {"past": 151}, {"future": 151 + HORIZON}, {"target": 151, "past": 151, "future": 163}]
)
def test_a_forecast_sees_nothing_that_comes_later(edit: dict[str, int], network: dict[str, object]) -> None:
    np.testing.assert_array_equal(forecasts(changed(PANEL, **edit), **network), forecasts(PANEL, **network))
    np.testing.assert_array_equal(forecasts(truncated(PANEL, 151), **network), forecasts(PANEL, **network))


@pytest.mark.parametrize("edit", [{"target": 150}, {"past": 150}, {"future": 162}, {"size": 9.0}, {"kind": "dock"}])
def test_a_forecast_sees_what_is_known_at_its_origin(edit: dict[str, Any]) -> None:
    assert (forecasts(changed(PANEL, **edit)) != forecasts(PANEL)).any()


def test_past_covariates_are_missing_over_the_horizon() -> None:
    config = rich(PANEL, HORIZON)
    context = config.network.context_length
    pool = window_pool(PANEL.series, [LENGTH] * 2, config, torch.device("cpu"))
    assert pool is not None
    drawn = pool.draw(256, torch.Generator().manual_seed(0))["covariates"].numpy()
    cut = assemble(PANEL.series, np.array([100, 219]), config)["covariates"]
    for covariates in (drawn, cut):
        assert np.isnan(covariates[:, context:, 2:]).all()
        assert 0.5 < np.isfinite(covariates[:, context:, :2]).mean() < 1
        assert 0.5 < np.isfinite(covariates[:, :context, 2:]).mean() < 1


def test_a_fit_sees_nothing_past_the_end_of_the_series() -> None:
    config = rich(PANEL, HORIZON)
    known = truncated(PANEL, 180)
    later = Panel(
        PANEL.frequency,
        tuple(replace(one, y=one.y[:180]) for one in changed(PANEL, past=180, future=180 + HORIZON, target=180).series),
    )
    first, second = fit(known, config), fit(later, config)
    assert state_of(first) == state_of(second)
    for one, other in zip(first.predict(known), second.predict(later), strict=True):
        np.testing.assert_array_equal(one.quantiles, other.quantiles)


def test_the_gate_changes_nothing_that_is_selected() -> None:
    config = rich(PANEL, HORIZON)
    plain, first = checkpoints(PANEL, config)
    assert plain.report.gate is not None
    stamps = np.array([stamps[0] for stamps in plain.report.gate.origins.values()], np.int64)
    begin = int(PANEL.series[0].grid.index(stamps).min()) + 1
    other, second = checkpoints(changed(PANEL, target=begin, past=begin, future=begin + HORIZON), config)
    assert other.report.loss_curve == plain.report.loss_curve
    assert other.report.selected_steps == plain.report.selected_steps
    selected = [[c for c in found if c.record["state"]["name"] == "select"] for found in (first, second)]
    assert len(selected[0]) == len(selected[1]) > 0
    for one, same in zip(*selected, strict=True):
        assert one.record["state"] == same.record["state"]
        for name, values in one.arrays.items():
            np.testing.assert_array_equal(same.arrays[name], values, err_msg=name)
    assert other.report.metrics["gate"] != plain.report.metrics["gate"]
    assert state_of(other) != state_of(plain)


@pytest.mark.parametrize("refit", [False, True])
def test_a_backtest_sees_nothing_past_its_origins(refit: bool) -> None:
    config = rich(PANEL, HORIZON, {"epochs": 1})
    first = LENGTH - 2 * HORIZON
    results = [
        backtest(panel, config, n_windows=2, refit=refit)
        for panel in (PANEL, changed(PANEL, target=first, past=first, future=first + HORIZON))
    ]
    rows = results[0].number == 1
    np.testing.assert_array_equal(results[0].quantiles[rows], results[1].quantiles[rows])
    assert (results[0].quantiles[~rows] != results[1].quantiles[~rows]).any()
