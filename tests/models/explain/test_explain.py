"""Explanations add up to the forecast, name what moved it, and see nothing that the forecast does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.data.series import Panel, Series
from models.data.windows import Batch, assemble
from models.explain.explain import Explanation, explain
from models.export.export import export
from models.export.load import load_weights
from models.inference.published import WEIGHTS
from models.network.network import Network
from models.training.fit import fit
from tests.kept import GRAPHS
from tests.models.examples import GATED, VARIANTS, covariate_panel, hourly_panel, random_network, rich, small, window

pytestmark = pytest.mark.training

ORIGINS = np.array([250, 190], np.int64)


def raw(network: Network, batch: Batch) -> np.ndarray:
    """The point forecast before levels are ordered, corrected and bounded: (B, H)."""
    with torch.inference_mode():
        inputs = {name: torch.from_numpy(batch[name]) for name in network.config.inputs}  # type: ignore[literal-required]
        context, quantiles = network.forecast_scaled(**inputs)
        return (quantiles[..., network.median] * context.scale + context.loc).numpy()


def check(one: Explanation, expected: np.ndarray) -> None:
    """Both sums give the forecast, within 1 % of what moved it."""
    moved = np.abs(expected - one.baseline)
    size = 0.01 * np.maximum(moved, moved.mean())
    assert one.forecast == pytest.approx(expected, rel=1e-6)
    told = one.baseline + one.lags.sum(-1) + sum(one.covariates.values())
    assert (np.abs(told - expected) <= size).all()
    assert told + one.remainder == pytest.approx(expected, rel=1e-9)
    chosen = sum(candidate.weight * candidate.forecast for candidate in one.candidates.values())
    assert chosen + one.correction == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", VARIANTS)
def test_contributions_add_up_for_every_network(name: str) -> None:
    network, training = VARIANTS[name]
    config = small(12, 300, training, **{"hidden": 8, **network})
    model = random_network(config)
    panel = hourly_panel(300, 2)
    panel.series[0].y[240:245] = np.nan
    batch = assemble(panel.series, ORIGINS, config)
    found = explain(model, batch)
    for one, expected in zip(found, raw(model, batch), strict=True):
        check(one, expected)
        total = sum(candidate.weight for candidate in one.candidates.values())
        assert not one.candidates or total == pytest.approx(np.ones(12), abs=1e-5)
    seen = np.isnan(batch["y"][0])
    assert seen.sum() == 5
    assert (found[0].lags[:, seen] == 0).all()


def test_covariates_of_every_role_are_told_of() -> None:
    panel = covariate_panel(300)
    config = rich(panel)
    fitted = fit(panel, replace(config, training=replace(config.training, steps_per_epoch=30)))
    batch = assemble(panel.series, np.array([250, 260]), config)
    found = explain(fitted.network, batch)
    names = {"temp", "day", "flow", "state", "size", "kind"}
    for one, expected in zip(found, raw(fitted.network, batch), strict=True):
        check(one, expected)
        assert set(one.covariates) == names
    assert all(np.abs(found[0].covariates[name]).max() > 0 for name in names)
    # a covariate that is missing everywhere says nothing
    batch["covariates"][:, :, config.covariates.temporal.index("flow")] = np.nan
    batch["static"][:, config.covariates.static.index("kind")] = np.nan
    for one in explain(fitted.network, batch):
        assert (one.covariates["flow"] == 0).all()
        assert (one.covariates["kind"] == 0).all()


def test_what_moved_the_forecast_is_found() -> None:
    """A target that follows a covariate at every step: the forecast is explained by it."""
    rng, n = np.random.default_rng(0), 1200
    switch = rng.choice([-1.0, 1.0], n + 12)
    y = 10 + 4 * switch[:n] + rng.normal(0, 0.1, n)
    base = hourly_panel(10).series[0]
    panel = Panel(base.grid.frequency, (Series("a", y, base.grid, covariates={"switch": switch}),))
    training = {"epochs": 5, "steps_per_epoch": 60}
    config = small(12, n, training, context_length=96, segment=12, linear=True)
    config = replace(config, covariates=replace(config.covariates, known_future=("switch",)))
    fitted = fit(panel, config)
    batch = assemble(panel.series * 2, np.array([979, 1039]), config)
    for one, at in zip(explain(fitted.network, batch), (980, 1040), strict=True):
        moved = one.covariates["switch"]
        assert np.sign(moved).tolist() == switch[at : at + 12].tolist()
        assert np.abs(moved).mean() > 2.0
        assert np.abs(one.forecast - y[at : at + 12]).mean() < 1.5


def test_one_at_a_time_or_together_and_a_part_of_the_horizon() -> None:
    config = small(12, 300)
    model, panel = random_network(config), hourly_panel(300, 2)
    together = explain(model, assemble(panel.series, ORIGINS, config), horizon=3)
    for row, one in enumerate(together):
        alone = explain(model, assemble(panel.series[row : row + 1], ORIGINS[row : row + 1], config), horizon=3)[0]
        assert one.lags.shape == (3, config.network.context_length)
        assert one.lags == pytest.approx(alone.lags, abs=1e-5)


def test_the_network_is_left_as_it_was(tmp_path) -> None:  # type: ignore[no-untyped-def]
    panel = hourly_panel(300, 1)
    fitted = fit(panel, small(12))
    export(fitted, tmp_path, GRAPHS)
    network = load_weights((tmp_path / WEIGHTS).read_bytes())
    batch = window(panel.series[0].y, fitted.config)
    before = raw(network, batch)
    first, second = explain(network, batch)[0], explain(network, batch)[0]
    assert (first.lags == second.lags).all()
    assert (raw(network, batch) == before).all()
    assert all(not module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(("scale", "level"), [(1e-9, 0.0), (1e12, 0.0), (1.0, 1e6), (1.0, -20.0)])
def test_tiny_and_huge_values_and_those_far_from_zero(scale: float, level: float) -> None:
    config = small(12, 300, **GATED)
    model = random_network(config)
    batch = window(hourly_panel(300, 1).series[0].y * scale + level, config)
    check(explain(model, batch)[0], raw(model, batch)[0])
