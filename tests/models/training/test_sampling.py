"""Training windows: what is drawn is what serving cuts, in shares that let no series dominate."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.data.series import Panel
from models.data.windows import assemble
from models.planning.defaults import default_config
from models.training.sampling import TensorBatch, WindowPool, fixed_batch, window_pool
from tests.models.data.test_wall_clock import build
from tests.models.examples import covariate_panel, hourly, hourly_panel, rich, small

CPU = torch.device("cpu")


def drawn_from(pool: WindowPool | None, size: int, seed: int = 0) -> TensorBatch:
    assert pool is not None
    return pool.draw(size, torch.Generator().manual_seed(seed))


def test_selection_values_reach_no_gradient() -> None:
    panel, config = hourly_panel(), small(training={"epochs": 1})
    changed = copy.deepcopy(panel)
    changed.series[0].y[-100:] = np.nan
    pools = [window_pool(p.series, [200], config, CPU) for p in (panel, changed)]
    draws = [drawn_from(pool, 64) for pool in pools]
    for name in ("y", "target", "calendar"):
        assert torch.equal(draws[0][name].nan_to_num(), draws[1][name].nan_to_num())  # type: ignore[literal-required]


def test_drawn_windows_are_those_that_serving_cuts() -> None:
    panel = covariate_panel(300, 3)
    config = rich(panel, 24)
    drawn = drawn_from(window_pool(panel.series, [300, 250, 40], config, CPU), 200)
    assert (~drawn["target"].isnan()).any(1).all()
    assert (~drawn["y"].isnan()).any(1).all()
    for row in range(0, 200, 10):
        last = drawn["y"][row, -1].item()
        one, origin = next((s, int(np.flatnonzero(s.y == last)[0])) for s in panel.series if (s.y == last).any())
        same = fixed_batch([one], np.array([origin]), config, CPU)
        for name in ("y", "calendar", "covariates", "static"):
            assert torch.equal(same[name][0].nan_to_num(), drawn[name][row].nan_to_num()), name  # type: ignore[literal-required]
            assert torch.equal(same[name][0].isnan(), drawn[name][row].isnan()), name  # type: ignore[literal-required]


@pytest.mark.parametrize("change", ["2025-03-30T03:00:00", "2025-10-26T04:00:00"])
def test_windows_over_a_change_of_the_clocks_are_drawn_as_serving_cuts_them(change: str) -> None:
    one = build("Europe/Berlin", change, "h", ahead=10)
    one = replace(one, y=np.arange(len(one.y), dtype=float))
    config = small(24, len(one.y), context_length=336, segment=24, season_lengths=[24, 168])
    drawn = drawn_from(window_pool([one], [len(one.y)], config, CPU), 400)
    assert ((drawn["calendar"][..., 0].diff() % 86_400) == 3600).all()
    for row in range(0, 400, 20):
        origin = drawn["y"][row, -1].item()
        if origin == int(origin):  # the hour that is skipped is no origin of serving's
            same = fixed_batch([one], np.array([int(origin)]), config, CPU)
            for name in ("y", "calendar"):
                assert torch.equal(same[name][0].nan_to_num(), drawn[name][row].nan_to_num()), name  # type: ignore[literal-required]


def test_neither_long_nor_short_series_dominate() -> None:
    panel = Panel.from_arrays({"long": hourly(9000), "short": 1000 + hourly(120)}, "h", "2024-01-01")
    config = small(12, 9000, context_length=48)
    drawn = drawn_from(window_pool(panel.series, [9000, 120], config, CPU), 4000)
    share = float((drawn["y"][:, -1] > 500).double().mean())
    assert 3 * 120 / 9120 < share < 0.4


def test_the_same_seed_draws_the_same_windows() -> None:
    panel, config = hourly_panel(200, 2), small(12, 200, context_length=48)
    pool = window_pool(panel.series, [200, 200], config, CPU)
    first, same, other = (drawn_from(pool, 32, seed)["target"].nan_to_num() for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_series_on_several_grids_keep_their_calendars() -> None:
    frames = [
        Panel.from_arrays({name: hourly(90, seed)}, "h", start, timezone).series[0]
        for seed, (name, start, timezone) in enumerate(
            [
                ("a", "2024-01-01", "UTC"),
                ("b", "2024-03-30", "Europe/Berlin"),
                ("c", "2024-01-01T00:30:00", "UTC"),
                ("d", "2023-12-24", "UTC"),
            ]
        )
    ]
    config = small(12, 90, context_length=24)
    drawn = drawn_from(window_pool(frames, [90] * 4, config, CPU), 100)
    for row in range(100):
        last = drawn["y"][row, -1].item()
        one, origin = next((s, int(np.flatnonzero(s.y == last)[0])) for s in frames if (s.y == last).any())
        assert torch.equal(fixed_batch([one], np.array([origin]), config, CPU)["calendar"][0], drawn["calendar"][row])


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, 5.0, np.nan]])
def test_without_a_target_there_is_no_pool(values: list[float]) -> None:
    series = Panel.from_arrays({"a": values}, "h").series
    assert window_pool(series, [len(values)], small(12, context_length=48), CPU) is None


@pytest.mark.parametrize("gaps", ["linear", "season"])
def test_training_reads_contexts_as_serving_cleans_them(gaps: str) -> None:
    y = 20 + np.sin(np.arange(300.0)) + np.random.default_rng(0).normal(0, 0.3, 300)
    y[50:55] = np.nan
    y[123] = 1e5
    panel = Panel.from_arrays({"a": y}, "h")
    cleaning = {"gaps": gaps, "outliers": "clip"}
    config = default_config(panel, 12, network={"context_length": 48}, cleaning=cleaning)
    pool = window_pool(panel.series, [300], config, torch.device("cpu"))
    assert pool is not None
    positions = pool.origins - pool.origins[0]
    origins = (positions + 11).numpy()  # the first has a horizon of steps before it
    drawn = pool.cut(pool.origins, torch.zeros(len(origins), dtype=torch.int64))
    served = assemble(list(panel.series) * len(origins), origins, config)["y"]
    np.testing.assert_array_equal(drawn["y"].numpy(), served)
    assert np.nanmax(served) < 100
    targets = drawn["target"].numpy()
    assert np.nanmax(targets) == 1e5  # what is judged is as it was observed
    assert np.isnan(targets).any()
