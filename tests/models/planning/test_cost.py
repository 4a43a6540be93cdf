"""What a training is estimated to take: counted exactly where it can be, and never less for more of anything."""

from dataclasses import replace

import pytest

from models.config.model import Config
from models.data.splits import shortest_context
from models.planning.cost import BASE_BYTES, estimate_cost
from models.planning.defaults import default_config_for_lengths


def config(training: dict[str, object] | None = None, **network: object) -> Config:
    chosen = {"context_length": 48, "segment": 12, "hidden": 16, "lookbacks": [], **network}
    return default_config_for_lengths(
        "h", 12, (0.1, 0.5, 0.9), [400], chosen, {"epochs": 3, "steps_per_epoch": 10, **(training or {})}
    )


def test_rows_windows_and_steps_are_counted() -> None:
    found = estimate_cost(config(), [400, 100], trainings=2)
    assert found.rows == 500
    assert shortest_context(12, 400) == shortest_context(12, 100) == 12
    assert found.windows == (400 - 12 - 12 + 1) + (100 - 12 - 12 + 1)
    assert found.steps == 2 * 2 * 3 * 10
    assert found.to_dict() == {
        "rows": 500,
        "windows": found.windows,
        "steps": 120,
        "memory_bytes": found.memory_bytes,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"hidden": 64},
        {"layers": 3},
        {"lookbacks": [48, 24, 12]},
        {"context_length": 96},
        {"segment": 1},
        {"training": {"batch_size": 4096}},
    ],
)
def test_larger_networks_and_batches_take_more_memory(more: dict[str, object]) -> None:
    assert estimate_cost(config(**more), [4000]).memory_bytes > estimate_cost(config(), [4000]).memory_bytes  # type: ignore[arg-type]


def test_more_data_takes_more_memory() -> None:
    sizes = [estimate_cost(config(), [10_000] * n).memory_bytes for n in (0, 1, 10, 100, 1000)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= BASE_BYTES
    with_covariates = [estimate_cost(config(), [10_000], covariates).memory_bytes for covariates in range(4)]
    assert with_covariates == sorted(set(with_covariates))


def test_repeated_trainings_take_more_steps_but_no_more_memory() -> None:
    once, often = estimate_cost(config(), [400]), estimate_cost(config(), [400], trainings=7)
    assert often == replace(once, steps=7 * once.steps)


@pytest.mark.parametrize("lengths", [[], [0], [1], [12], [3, 5]])
def test_series_too_short_for_a_window_have_none(lengths: list[int]) -> None:
    found = estimate_cost(config(), lengths)
    assert (found.rows, found.windows) == (sum(lengths), 0)
    assert found.memory_bytes >= BASE_BYTES
