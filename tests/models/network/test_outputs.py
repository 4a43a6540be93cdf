"""What becomes of quantiles in original units: constants, whole numbers, means."""

import numpy as np
import pytest
import torch

from models.inference.means import compute_mean
from models.network.outputs import average_levels, find_constants, find_rare, find_whole, rank_history, round_levels

NAN = float("nan")
LEVELS = (0.1, 0.5, 0.9)


@pytest.mark.parametrize("value", [0.0, 3.3, -7.0, 1e15, 1e-9])
def test_a_constant_is_found_with_gaps_and_before_its_beginning(value: float) -> None:
    y = torch.full((3, 12), value, dtype=torch.float64)
    y[1, [0, 1, 7]] = NAN
    y[2, :-1] = NAN
    constants = find_constants(y)
    assert constants.found[:, 0].tolist() == [True, True, True]
    assert constants.value[:, 0].tolist() == [value] * 3


def test_what_moves_or_was_never_seen_is_no_constant() -> None:
    y = torch.zeros(2, 12, dtype=torch.float64)
    y[0, 5] = 1e-300
    y[1] = NAN
    assert find_constants(y).found[:, 0].tolist() == [False, False]


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([0, 3, NAN, 1000], True),
        ([0, 2.5, 1, 1], False),
        ([0, 1, 1, 1001], False),
        ([-4, 1, 0, 2], True),
        ([NAN, NAN, NAN, NAN], False),
    ],
)
def test_small_whole_numbers_are_found(values: list[float], whole: bool) -> None:
    assert find_whole(torch.tensor([values], dtype=torch.float64))[0, 0].item() is whole


def test_the_mean_is_the_formula_s_as_far_from_the_median_as_it_leans() -> None:
    quantiles = torch.tensor(np.random.default_rng(0).gamma(1.0, 2.0, (4, 6, 3))).sort(-1).values
    formula = np.stack([compute_mean(q.T.numpy(), LEVELS) for q in quantiles])
    np.testing.assert_allclose(average_levels(quantiles, LEVELS, torch.ones(())), formula)
    median = quantiles[..., 1].numpy()
    np.testing.assert_allclose(average_levels(quantiles, LEVELS, torch.tensor(1.5)), median + 1.5 * (formula - median))


def test_rare_counts_are_mostly_zero() -> None:
    rows = [[0, 0, NAN, 1], [0, 1, NAN, 2], [0, 0, 0.5, 0], [NAN] * 4, [1, 2, 3, 4]]
    assert find_rare(torch.tensor(rows, dtype=torch.float64))[:, 0].tolist() == [True, False, False, False, False]


def test_the_history_s_quantiles_are_values_that_were_seen() -> None:
    y = torch.tensor([[*[0.0] * 7, 1.0, 2.0, 5.0], [NAN] * 7 + [3.0, NAN, 4.0]], dtype=torch.float64)
    own = rank_history(y, (0.1, 0.5, 0.7, 0.75, 0.9))
    assert own.tolist() == [[0, 0, 0, 1, 2], [3, 3, 4, 4, 4]]


def test_counts_are_rounded_up_from_where_it_pays() -> None:
    quantiles = torch.tensor([[[-0.3, 0.55, 0.75], [0.4, 1.7, 2.5]]], dtype=torch.float64)
    assert round_levels(quantiles, torch.zeros(3)).tolist() == [[[0, 1, 1], [0, 2, 2]]]
    later = round_levels(quantiles, torch.tensor([0.0, 0.3, -0.3]))
    assert later.tolist() == [[[0, 0, 1], [0, 1, 3]]]
    assert not torch.signbit(later).any()
