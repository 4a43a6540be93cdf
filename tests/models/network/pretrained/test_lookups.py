"""What the past says of steps ahead."""

import numpy as np
import pytest
import torch

from models.network.pretrained.lookups import COUNT, fill_forward, look_up, measure_units

RNG = np.random.default_rng(0)


def test_gaps_take_the_value_before() -> None:
    z = torch.tensor([[0.0, 1.0, 0.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0, 0.0, 4.0]])
    observed = (z != 0).float()
    assert fill_forward(z, observed).tolist() == [[0, 1, 1, 1, 2, 2], [3, 3, 3, 3, 3, 4]]


def test_candidates_are_what_they_are_called() -> None:
    y = torch.tensor(RNG.normal(0, 1, (1, 64)), dtype=torch.float32)
    origin, ahead = torch.tensor([48]), torch.arange(16)[None]
    first = torch.zeros(1, 1, dtype=torch.int64)
    found = look_up(y, first, torch.tensor([[6, 10]]), origin, ahead)[0, 0].numpy()  # (S, K)
    past = y[0].numpy()
    assert found.shape == (16, COUNT)
    for step in range(16):
        six, ten = (48 + step - m * (step // m + 1) for m in (6, 10))
        level, before = past[42:48].mean(), past[36:42].mean()
        assert found[step, 0] == past[47]
        assert found[step, 1] == pytest.approx(level, abs=1e-5)
        assert found[step, 2] == pytest.approx(past[47] + (level - before) / 6 * (step + 1), abs=1e-5)
        assert found[step, 3] == past[six]
        assert found[step, 4] == pytest.approx(past[six - 6 * np.arange(4)].mean(), abs=1e-5)
        assert found[step, 5] == pytest.approx(past[six] + (level - before) * (step // 6 + 1), abs=1e-5)
        assert found[step, 6] == past[ten]
        assert found[step, 7] == pytest.approx(past[ten - 10 * np.arange(4)].mean(), abs=1e-5)


def test_nothing_after_the_origin_is_looked_up() -> None:
    y = torch.tensor(RNG.normal(0, 1, (1, 64)), dtype=torch.float32)
    changed = y.clone()
    changed[:, 40:] = 99.0
    arguments = (
        torch.zeros(1, 1, dtype=torch.int64),
        torch.tensor([[7, 12]]),
        torch.tensor([40]),
        torch.arange(30)[None],
    )
    assert torch.equal(look_up(y, *arguments), look_up(changed, *arguments))


def test_without_a_season_the_last_value_stands_for_it() -> None:
    y = torch.tensor(RNG.normal(0, 1, (1, 16)), dtype=torch.float32)
    found = look_up(
        y, torch.zeros(1, 1, dtype=torch.int64), torch.tensor([[0, 0]]), torch.tensor([16]), torch.arange(8)[None]
    )
    assert (found[..., [3, 4, 5, 6, 7, 8]] == y[0, -1]).all()


def test_the_unit_is_the_least_change() -> None:
    steps = np.arange(96)
    y = torch.tensor(np.sin(2 * np.pi * steps / 12)[None] + RNG.normal(0, 0.01, (1, 96)), dtype=torch.float32)
    units = measure_units(y, torch.ones_like(y), torch.tensor([[12, 0]]))
    assert float(units.unit) == pytest.approx(0.01 * 2 / np.sqrt(np.pi), rel=0.2)
    assert float(units.season) == float(units.unit)
    alone = measure_units(y, torch.ones_like(y), torch.tensor([[0, 0]]))
    assert float(alone.season) == pytest.approx(float((y[:, 1:] - y[:, :-1]).abs().mean()), rel=1e-5)
