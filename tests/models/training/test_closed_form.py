"""What is learned in closed form: scales of covariates, and the linear forecast by ridge regression."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.config.model import Config
from models.data.series import Panel
from models.network.network import Network
from models.training.closed_form import FIRST_PENALTY, PENALTIES, learn_scales, prepare
from models.training.sampling import TensorBatch, fixed_batch, window_pool
from tests.models.examples import covariate_panel, rich, small

CPU = torch.device("cpu")


def prepared(
    panel: Panel, config: Config, selection: TensorBatch | None = None, penalties: Sequence[float] | None = None
) -> tuple[Network, list[float]]:
    network, ends = Network(config), [len(one.y) for one in panel.series]
    pool = window_pool(panel.series, ends, config, CPU)
    assert pool is not None
    return network, prepare(network, panel.series, ends, pool, selection, penalties)


def find_windows(panel: Panel, config: Config, origins: range) -> TensorBatch:
    return fixed_batch([panel.series[0]] * len(origins), np.array(origins), config, CPU)


def linear_error(network: Network, batch: TensorBatch, number: int = 0) -> float:
    """Return the mean absolute error of a reader's linear forecast, in units of the context's scale."""
    reader = network.readers[number]
    linear = reader.candidates.linear
    skipped = batch["y"].shape[1] - reader.config.context_length
    context = reader.normalise(batch["y"][:, skipped:])
    starts = reader.calendar(batch["calendar"][:, skipped:][:, reader.candidates.starts])
    known = reader.covariates(batch["covariates"][:, skipped:]) if reader.covariates.columns else None
    found = linear(context.z, context.observed, starts, known)[0][..., 0]
    return float((found - (batch["target"] - context.loc) / context.scale).abs().mean())


def waves(length: int, noise: float = 0.0) -> Panel:
    """Return two waves that no season of the frequency fits: exactly linear in their own past."""
    t, rng = np.arange(length), np.random.default_rng(0)
    y = 50 + 3 * np.sin(t / 1.7) + 2 * np.cos(t / 4.3) + noise * rng.standard_normal(length)
    return Panel.from_arrays({"a": y}, "h", "2024-01-01")


def test_ridge_recovers_a_linear_process() -> None:
    config = small(12, 600, context_length=48, segment=12, linear=True, calendar=[])
    known, whole = waves(600), waves(900)
    network, _ = prepared(known, config, penalties=[1e-4])
    assert linear_error(network, find_windows(whole, config, range(600, 880, 7))) < 0.02


def test_ridge_recovers_a_covariates_effect() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(900)
    panel = Panel.from_arrays({"a": 5 + 2 * x}, "h", "2024-01-01")
    panel = replace(panel, series=(replace(panel.series[0], covariates={"temp": x}),))
    config = small(12, 600, context_length=48, segment=12, linear=True, calendar=[])
    config = replace(config, covariates=replace(config.covariates, known_future=("temp",)))
    known = replace(panel, series=(replace(panel.series[0], y=panel.series[0].y[:600]),))
    network, _ = prepared(known, config, penalties=[1e-4])
    assert linear_error(network, find_windows(panel, config, range(600, 880, 7))) < 0.1


def test_the_selection_chooses_the_penalty_of_each_reader() -> None:
    config = small(12, 300, context_length=48, segment=12, linear=True, lookbacks=[48, 24])
    panel, whole = waves(300, noise=3.0), waves(500, noise=3.0)
    selection = find_windows(whole, config, range(300, 480, 3))
    network, chosen = prepared(panel, config, selection)
    assert len(chosen) == 2
    assert set(chosen) <= set(PENALTIES)
    errors = [[linear_error(prepared(panel, config, None, [p, p])[0], selection, k) for p in PENALTIES] for k in (0, 1)]
    assert chosen == [PENALTIES[int(np.argmin(e))] for e in errors]
    assert linear_error(network, selection) == pytest.approx(min(errors[0]), rel=1e-6)


def test_penalties_that_were_chosen_before_are_kept() -> None:
    config = small(12, 300, context_length=48, segment=12, linear=True)
    assert prepared(waves(300), config, penalties=[0.1])[1] == [0.1]
    assert prepared(waves(300), config)[1] == [FIRST_PENALTY]
    assert prepared(waves(300), small(12, 300, context_length=48, segment=12))[1] == []


def test_targets_that_are_never_complete_teach_nothing() -> None:
    panel = waves(300)
    panel.series[0].y[::5] = np.nan
    network, _ = prepared(panel, small(12, 300, context_length=48, segment=12, linear=True))
    weight = network.readers[0].candidates.linear.weight
    assert torch.equal(weight, torch.zeros_like(weight))


def test_scales_are_those_of_the_values_before_the_ends() -> None:
    panel = covariate_panel(120, 2)
    config = rich(panel, lookbacks=[48, 24])
    network = Network(config)
    learn_scales(network, panel.series, [100, 60])
    flow = np.concatenate([one.covariates["flow"][:end] for one, end in zip(panel.series, (100, 60), strict=True)])
    column = config.covariates.temporal.index("flow")
    for reader in network.readers:
        assert reader.covariates.loc[column].item() == pytest.approx(np.nanmean(flow))
        assert reader.covariates.scale[column].item() == pytest.approx(np.nanstd(flow))
        assert reader.static.loc[0].item() == pytest.approx(5.0)
        assert reader.static.scale[0].item() == pytest.approx(2.0)


def test_constant_and_missing_covariates_have_the_scale_one() -> None:
    panel = covariate_panel(60, 1)
    columns = {**panel.series[0].covariates, "temp": np.full(160, 1e9), "flow": np.full(160, np.nan)}
    panel = replace(panel, series=(replace(panel.series[0], covariates=columns),))
    config = rich(panel)
    network = Network(config)
    learn_scales(network, panel.series, [60])
    covariates = network.readers[0].covariates
    columns_of = [config.covariates.temporal.index(name) for name in ("temp", "flow")]
    assert covariates.loc[columns_of].tolist() == [1e9, 0.0]
    assert covariates.scale[columns_of].tolist() == [1.0, 1.0]
