"""Losses: the formulas, and that missing targets weigh nothing."""

import pytest
import torch

from models.losses import LOSSES

LEVELS = torch.tensor([0.1, 0.5, 0.9])
QUANTILES = torch.tensor([[[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]])
TARGET = torch.tensor([[4.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quantile", 2 * (0.1 * 3 + 0.5 * 2 + 0.9 * 1 + 0.9 * 1 + 0.5 * 1 + 0.1 * 1) / 6),
        ("mae", 1.5),
        ("mse", 2.5),
    ],
)
def test_by_hand(name: str, expected: float) -> None:
    loss = LOSSES[name](QUANTILES, TARGET, torch.ones(1, 2), LEVELS)
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("name", LOSSES)
def test_missing_targets_have_no_weight(name: str) -> None:
    mask = torch.tensor([[1.0, 0.0]])
    found = LOSSES[name](QUANTILES, TARGET, mask, LEVELS)
    changed = LOSSES[name](QUANTILES, torch.tensor([[4.0, 99.0]]), mask, LEVELS)
    assert float(found) == float(changed)
    assert float(LOSSES[name](QUANTILES, TARGET, torch.zeros(1, 2), LEVELS)) == 0.0
