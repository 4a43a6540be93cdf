"""Volatility: unrest that comes in spells, tails that are heavy, regimes that hold."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic import volatility
from models.training.synthetic.sizes import standardise
from models.training.synthetic.volatility import generate_volatility


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No seasons."""
    monkeypatch.setattr(volatility, "SEASON_SHARE", 0.0)


def draw_changes(spread: float) -> Floats:
    """Draw series with unrest of one spread, and return their changes (500, 4095), standardised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volatility, "REGIME_SHARE", 0.0)
        patch.setattr(volatility, "UNREST_SPREAD", (spread, spread))
        patch.setattr(volatility, "UNREST_PERSISTENCE", (0.95, 0.95))
        return standardise(np.diff(generate_volatility(np.random.default_rng(0), 500, 4096), axis=1))


def test_a_third_of_the_series_has_heavy_tails() -> None:
    kurtosis = (draw_changes(0.0) ** 4).mean(1)
    assert np.median(kurtosis) == pytest.approx(3.1, abs=0.2)
    assert np.mean(kurtosis > 4) == pytest.approx(0.35, abs=0.06)


def test_unrest_comes_in_spells() -> None:
    changes = draw_changes(0.5)
    # of normal shocks, 3 exp(4 0.5^2) = 8.2 in a series without end
    assert np.quantile((changes**4).mean(1), 0.35) == pytest.approx(8.2, abs=1.5)
    sizes = standardise(np.abs(changes))
    spells = (sizes[:, 5:] * sizes[:, :-5]).mean(1)
    assert np.median((changes[:, 5:] * changes[:, :-5]).mean(1)) == pytest.approx(0, abs=0.03)
    assert np.median(spells) > 0.1


def test_a_third_each_is_fast_slow_and_very_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volatility, "REGIME_SHARE", 0.0)
    x = standardise(generate_volatility(np.random.default_rng(0), 600, 16_384))
    near = (x[:, 1:] * x[:, :-1]).mean(1)
    assert np.mean(near < 0.982) == pytest.approx(1 / 3, abs=0.06)
    assert np.mean(near > 0.9965) == pytest.approx(1 / 3, abs=0.08)


def test_calm_and_wild_regimes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volatility, "REGIME_SHARE", 1.0)
    monkeypatch.setattr(volatility, "STAY", (0.995, 0.995))
    x = generate_volatility(np.random.default_rng(0), 500, 2000)
    loud = np.diff(x, axis=1)[:, :1980].reshape(500, 20, 99).std(2)
    # sizes of shocks are as 1.5 to 0.3 in the median
    assert np.median(loud.max(1) / loud.min(1)) == pytest.approx(5, abs=1.5)


def test_regimes_hold_as_long_as_they_should() -> None:
    rng = np.random.default_rng(0)
    wild = volatility._draw_regimes(rng, 2000, 4000)
    assert wild.mean() == pytest.approx(0.5, abs=0.03)
    leaving = (wild[1:] != wild[:-1]).mean(0)
    assert leaving.mean() == pytest.approx(1 - (0.85 + 0.999) / 2, abs=0.004)
    assert leaving.min() < 0.003
    assert leaving.max() == pytest.approx(0.15, abs=0.02)


def test_series_begin_as_they_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volatility, "REGIME_SHARE", 1.0)
    x = generate_volatility(np.random.default_rng(0), 3000, 1024)
    assert (x[:, 0] ** 2).mean() == pytest.approx((x[:, -1] ** 2).mean(), rel=0.1)
