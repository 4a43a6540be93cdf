"""Threshold autoregressions and chaotic maps: half each, with the rules that they follow."""

import numpy as np
import pytest

from models.training.synthetic import threshold
from models.training.synthetic.threshold import generate_threshold


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither seasons nor errors."""
    monkeypatch.setattr(threshold, "SEASON_SHARE", 0.0)
    monkeypatch.setattr(threshold, "READING_SHARE", 0.0)


@pytest.mark.usefixtures("bare")
def test_each_step_of_a_logistic_map_is_a_parabola_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "CHAOTIC_SHARE", 1.0)
    series = generate_threshold(np.random.default_rng(0), 200, 1000)
    misfit = []
    for x in series:
        parabola = np.polyfit(x[:-1], x[1:], 2)
        misfit.append(float(np.std(x[1:] - np.polyval(parabola, x[:-1]))))
    assert np.max(misfit[:100]) < 1e-6
    assert np.max(misfit[100:]) < 0.1  # a sine is nearly one
    assert np.median(misfit[100:]) > 1e-3


@pytest.mark.usefixtures("bare")
def test_maps_do_not_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "CHAOTIC_SHARE", 1.0)
    series = generate_threshold(np.random.default_rng(0), 300, 2048)
    distinct = np.array([len(np.unique(x[-500:].round(6))) for x in series])
    assert distinct.min() >= 2
    assert np.mean(distinct > 100) > 0.8  # the others are in windows of short cycles


@pytest.mark.usefixtures("bare")
def test_regimes_have_coefficients_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "CHAOTIC_SHARE", 0.0)
    monkeypatch.setattr(threshold, "MOST_DELAY", 1)
    monkeypatch.setattr(threshold, "standardise", lambda series: series)
    series = generate_threshold(np.random.default_rng(0), 400, 3000)
    apart = []
    for x in series:
        above = x[:-1] > 0
        if 0.1 < above.mean() < 0.9:
            slopes = [np.polyfit(x[:-1][side], x[1:][side], 1)[0] for side in (above, ~above)]
            apart.append(abs(slopes[0] - slopes[1]))
            assert -1.0 < min(slopes) < max(slopes) < 1.3
    # two uniform draws from -0.7..0.95 lie a third of that apart in the mean
    assert len(apart) > 200
    assert np.mean(apart) == pytest.approx(1.65 / 3, abs=0.06)


def test_half_of_the_series_have_a_season() -> None:
    series = generate_threshold(np.random.default_rng(0), 1000, 2048)
    assert np.mean(series.std(1) > 1.02) == pytest.approx(0.5, abs=0.08)
