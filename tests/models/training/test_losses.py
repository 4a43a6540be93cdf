"""Losses: the formulas, and that missing targets weigh nothing."""

import numpy as np
import pytest
import torch
from scipy import stats

from models.network.distributions import LEAST_FREEDOM, StudentT
from models.training.losses import LOSSES, student_t

LEVELS = torch.tensor([0.1, 0.5, 0.9])
QUANTILES = torch.tensor([[[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]])
TARGET = torch.tensor([[4.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quantile", 2 * (0.1 * 3 + 0.5 * 2 + 0.9 * 1 + 0.9 * 1 + 0.5 * 1 + 0.1 * 1) / 6),
        ("mae", 1.5),
        ("mse", 2.5),
        ("huber", (2 - 0.5 + 0.5) / 2),
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


@pytest.mark.parametrize("freedom", [2.2, 3.0, 7.5, 40.0])
def test_the_law_is_students(freedom: float) -> None:
    law = torch.tensor([[[1.7, 1 / freedom], [0.2, 1 / freedom]]])
    point, target = torch.tensor([[3.0, -1.0]]), torch.tensor([[5.0, -1.3]])
    expected = -stats.t.logpdf(target.numpy(), freedom, loc=point.numpy(), scale=[[1.7, 0.2]])
    assert float(student_t(point, law, target, torch.ones(1, 2))) == pytest.approx(expected.mean(), rel=1e-4)
    assert float(student_t(point, law, target, torch.tensor([[1.0, 0.0]]))) == pytest.approx(expected[0, 0], rel=1e-4)


@pytest.mark.parametrize("freedom", [LEAST_FREEDOM, 2.5, 5.0, 30.0, 1e6])
def test_its_quantiles_are_students(freedom: float) -> None:
    levels = (0.01, 0.1, 0.5, 0.9, 0.99)
    found = StudentT(levels).compute_distances(torch.tensor([[[2.0, 1 / freedom]]]))[0, 0].numpy()
    np.testing.assert_allclose(found, 2.0 * stats.t.ppf(levels, freedom), atol=4e-3)


def test_the_law_stays_proper() -> None:
    law = StudentT((0.5,)).build_parameters(torch.tensor([[[-1e4, -1e4], [1e4, 1e4]]]))
    assert (law[..., 0] > 0).all()
    assert (law[..., 1] > 0).all()
    assert (law[..., 1] <= 1 / LEAST_FREEDOM + 1e-6).all()
    assert torch.isfinite(law).all()
