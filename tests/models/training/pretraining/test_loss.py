"""The loss of a pretraining, by hand."""

import pytest
import torch

from models.training.pretraining.loss import LARGEST, compute_loss

LEVELS = torch.tensor([0.1, 0.5, 0.9])


def test_it_is_the_mean_pinball_in_units_of_the_season_error() -> None:
    quantiles = torch.zeros(1, 1, 8, 3)
    actual = torch.full((1, 1, 8), 4.0)
    loss = compute_loss(quantiles, actual, LEVELS, torch.tensor([[2.0]]), 8)
    assert float(loss) == pytest.approx(2 * (0.1 + 0.5 + 0.9) / 3 * 4 / 2)


def test_missing_values_and_far_steps_of_short_contexts_do_not_count() -> None:
    quantiles = torch.zeros(1, 1, 64, 3)
    actual = torch.full((1, 1, 64), 1.0)
    actual[..., 3] = torch.nan
    actual[..., 16:] = 1e6
    loss = compute_loss(quantiles, actual, LEVELS, torch.ones(1, 1), 16)
    assert float(loss) == pytest.approx(1.0)


def test_one_window_does_not_outweigh_the_others() -> None:
    quantiles = torch.zeros(9, 1, 8, 3)
    actual = torch.ones(9, 1, 8)
    actual[0] = 1e9
    loss = compute_loss(quantiles, actual, LEVELS, torch.ones(9, 1), 8)
    assert float(loss) == pytest.approx((8 + LARGEST) / 9)
