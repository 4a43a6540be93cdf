"""Mixture: shares of families, and batches of them."""

import numpy as np
import pytest

from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.mixture import FAMILIES, compute_shares, draw_batch, draw_series

START, TARGET = 0.95 + 0.1, 1.0 + 0.2
"""sums of the shares: those of the recipe without real series, and that of what goes by the clock"""


def test_names_are_different_and_what_goes_by_the_clock_joins_the_shares_of_the_recipe() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) == 12
    assert sum(family.start for family in FAMILIES) == pytest.approx(START)
    assert sum(family.target for family in FAMILIES) == pytest.approx(TARGET)


def test_shares_go_from_start_to_target() -> None:
    first = FAMILIES[0]
    assert compute_shares(0.0)[0] == pytest.approx(first.start / START)
    assert compute_shares(1.0)[0] == pytest.approx(first.target / TARGET)
    middle = compute_shares(0.5)
    assert middle[0] == pytest.approx((first.start + first.target) / (START + TARGET))
    assert sum(middle) == pytest.approx(1)


@pytest.mark.parametrize("progress", [-0.01, 1.01, float("nan")])
def test_progress_beyond_its_range_is_refused(progress: float) -> None:
    with pytest.raises(ValueError, match="progress is"):
        compute_shares(progress)


def test_a_batch_has_each_family_in_its_share_thinned_or_not() -> None:
    def mark(value: float, start: float, target: float) -> SeriesFamily:
        return SeriesFamily(
            str(value), start, target, lambda rng, count, length: value + np.zeros((count, 1)) + np.arange(length)
        )

    families = (mark(0, 0.8, 0.1), mark(1000, 0.2, 0.3))
    for progress, share in ((0.0, 0.2), (1.0, 0.75)):
        x = draw_series(np.random.default_rng(0), 1000, 16, progress, families)
        assert x.shape == (1000, 16)
        assert np.mean(x[:, 0] == 1000) == pytest.approx(share, abs=0.005)
        assert np.bincount((x[:, 1] - x[:, 0]).astype(int)).tolist() == [0, 700, 100, 100, 100]
        assert np.mean(x[:500, 0] == 1000) == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize(("count", "length"), [(0, 16), (1, 16), (7, 33), (300, 128)])
def test_batches_of_any_size_are_seeded_finite_and_vary(count: int, length: int) -> None:
    x = draw_batch(np.random.default_rng(2), count, length, 0.3)
    assert x.shape == (count, length)
    assert not np.isinf(x).any()
    assert (np.nanmax(x, axis=1, initial=-np.inf) > np.nanmin(x, axis=1, initial=np.inf)).all()
    assert np.array_equal(x, draw_batch(np.random.default_rng(2), count, length, 0.3), equal_nan=True)
