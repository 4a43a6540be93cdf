"""Augmentations: what each does to the series that it picks, and how many it picks."""

from collections.abc import Callable

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic import augment as module
from models.training.synthetic.augment import (
    AUGMENTATIONS,
    STRIDE_SHARES,
    add_spikes,
    augment,
    blank,
    censor,
    flip_sign,
    flip_time,
    hold,
    mix,
    modulate,
    quantise,
    replace_rows,
)

LENGTH = 1024


def make_walks(count: int = 2000, length: int = LENGTH) -> Floats:
    return np.cumsum(np.random.default_rng(1).standard_normal((count, length)), 1)


def find_changed(before: Floats, after: Floats) -> float:
    """Share of series (N, L) in which any value has changed."""
    return float(np.mean((before != after).any(1)))


@pytest.mark.parametrize(
    ("change", "share"),
    [
        (mix, 0.3),
        (flip_time, 0.5),
        (flip_sign, 0.5),
        (modulate, 0.1),
        (add_spikes, 0.05),
        (censor, 0.06),
        (quantise, 0.07),
        (hold, 0.04),
        (blank, 0.1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_changes_its_share_of_series_and_not_its_input(
    change: Callable[[np.random.Generator, Floats], Floats], share: float
) -> None:
    x = make_walks()
    kept = x.copy()
    assert find_changed(x, change(np.random.default_rng(0), x)) == pytest.approx(share, abs=0.025)
    assert np.array_equal(x, kept)
    assert change in AUGMENTATIONS


def test_thinned_series_have_the_share_of_the_recipe() -> None:
    assert sum(STRIDE_SHARES) == pytest.approx(1)
    assert sum(STRIDE_SHARES[1:]) == pytest.approx(0.3)


def test_flips_turn_time_and_sign() -> None:
    x = make_walks(50)
    assert np.array_equal(flip_time(np.random.default_rng(0), x, 1.0), x[:, ::-1])
    assert np.array_equal(flip_sign(np.random.default_rng(0), x, 1.0), -x)


def test_mixtures_are_of_two_series_and_mostly_of_one() -> None:
    x = make_walks(2000, 128)
    mixed = mix(np.random.default_rng(0), x, 1.0)
    similar = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(x, mixed, strict=True)])
    # of weights by a beta distribution of 0.2 twice, 0.34 are above 0.9, and as many below 0.1
    assert np.mean(similar > 0.99) == pytest.approx(0.36, abs=0.04)
    assert np.mean(similar < 0.9) > 0.35
    assert np.abs(mixed).max() < 10  # in standard deviations


def test_envelopes_keep_the_mean_and_are_smooth() -> None:
    x = np.tile(np.where(np.arange(LENGTH) % 2, 6.0, 4.0), (300, 1))
    envelope = np.abs(modulate(np.random.default_rng(0), x, 1.0) - 5)
    assert envelope.min() > 0
    assert np.log(envelope).std() == pytest.approx(0.35, abs=0.06)
    assert np.abs(np.diff(envelope, 2, axis=1)).max() < 0.1


def test_spikes_are_rare_and_far() -> None:
    x = np.random.default_rng(0).standard_normal((300, LENGTH))
    spikes = add_spikes(np.random.default_rng(0), x, 1.0) - x
    assert np.mean(spikes != 0) == pytest.approx(0.0105, abs=0.001)
    sizes = np.abs(spikes[spikes != 0])
    assert sizes.mean() == pytest.approx(5, abs=0.2)
    assert sizes.min() > 1.8


def test_censored_values_lie_at_a_bound_of_the_first_steps() -> None:
    x = np.random.default_rng(0).standard_normal((500, 2 * LENGTH))
    cut = censor(np.random.default_rng(0), x, 1.0)
    below = cut.min(1) > x.min(1)
    assert np.mean(below) == pytest.approx(0.5, abs=0.1)
    bound = np.where(below, cut.min(1), cut.max(1))[:, None]
    at_bound = np.mean(cut == bound, axis=1)
    assert at_bound.mean() == pytest.approx(0.105, abs=0.01)
    assert at_bound.max() < 0.25


def test_quantised_values_have_few_levels_at_even_distances() -> None:
    x = np.random.default_rng(0).uniform(5, 6, (200, 4 * LENGTH))
    levels = [np.unique(row.round(9)) for row in quantise(np.random.default_rng(0), x, 1.0)]
    number = np.array([len(level) for level in levels])
    assert number.min() >= 16
    assert number.max() <= 256
    assert number.mean() == pytest.approx(136, abs=15)
    assert all(np.ptp(np.diff(level)) < 1e-8 for level in levels)
    assert all(0 <= level.min() - 5 < 0.01 for level in levels)


def test_held_values_stay_for_two_four_or_eight_steps() -> None:
    held = hold(np.random.default_rng(0), make_walks(600), 1.0)
    stays = np.mean(np.diff(held, axis=1) == 0, axis=1)
    for steps in (2, 4, 8):
        assert np.mean(np.abs(stays - (1 - 1 / steps)) < 0.01) == pytest.approx(1 / 3, abs=0.06)


def test_blocks_are_missing_and_half_of_each_series_is_left() -> None:
    x = make_walks(1000)
    missing = np.isnan(blank(np.random.default_rng(0), x, 1.0))
    assert missing.any(1).all()
    assert missing.mean(1).max() <= 0.5
    begins = missing[:, 1:] & ~missing[:, :-1]
    assert (begins.sum(1) + missing[:, 0]).max() <= module.MOST_BLOCKS
    assert not np.isnan(x).any()


def test_a_series_that_would_be_constant_is_left_alone() -> None:
    x = np.zeros((3, 50))
    x[:, 7] = 1
    assert np.array_equal(replace_rows(x, np.array([0]), np.ones((1, 50))), x)
    assert (np.ptp(censor(np.random.default_rng(0), x, 1.0), axis=1) > 0).all()
    assert (np.ptp(hold(np.random.default_rng(0), x, 1.0), axis=1) > 0).all()


@pytest.mark.parametrize("length", [1, 3, 64])
def test_all_together_keep_the_shape_and_no_value_is_infinite(length: int) -> None:
    x = make_walks(500, length)
    y = augment(np.random.default_rng(0), x)
    assert y.shape == x.shape
    assert not np.isinf(y).any()
    assert (~np.isnan(y)).any(1).all()
