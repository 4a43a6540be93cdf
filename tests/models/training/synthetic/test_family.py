"""What holds for every family: its series are finite, vary, and are the same for the same seed."""

import numpy as np
import pytest

from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.mixture import FAMILIES
from models.training.synthetic.seasons import draw_seasons


@pytest.mark.parametrize(("start", "target"), [(-0.1, 0.5), (0.5, 1.1)])
def test_shares_that_are_none_are_refused(start: float, target: float) -> None:
    with pytest.raises(ValueError, match="shares of seasons"):
        SeriesFamily("seasons", start, target, draw_seasons)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("length", [16, 700])
def test_series_are_finite_and_vary_and_a_seed_repeats_them(family: SeriesFamily, length: int) -> None:
    series = family.generate(np.random.default_rng(3), 300, length)
    assert series.shape == (300, length)
    assert series.dtype == np.float64
    assert np.isfinite(series).all()
    assert (series.std(1) > 1e-6 * np.abs(series).mean(1)).all()
    assert np.array_equal(series, family.generate(np.random.default_rng(3), 300, length))
    assert not np.array_equal(series, family.generate(np.random.default_rng(4), 300, length))
    assert family.generate(np.random.default_rng(3), 0, length).shape == (0, length)
