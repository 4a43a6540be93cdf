"""Series that go by the clock: days alike, work days and days off, nights without sun, weather that lasts."""

import numpy as np
import pytest

from models.arrays import Floats
from models.training.synthetic import calendars
from models.training.synthetic.calendars import (
    Clock,
    draw_activity,
    draw_clock,
    draw_load,
    draw_rest,
    draw_rhythm,
    draw_sunshine,
    draw_temperature,
    generate_calendar,
)

LENGTH = 24 * 7 * 6
HOURS = (24, 48, 96, 144, 288)


@pytest.fixture
def hourly(monkeypatch: pytest.MonkeyPatch) -> None:
    """All series have steps of an hour."""
    monkeypatch.setattr(calendars, "STEPS_A_DAY", (24,))
    monkeypatch.setattr(calendars, "STEP_SHARES", (1.0,))


def correlate(x: Floats, lag: int) -> Floats:
    """Autocorrelation of each series (N, L) at a lag."""
    z = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    correlation: Floats = np.mean(z[:, lag:] * z[:, :-lag], axis=1)
    return correlation


def test_a_clock_counts_days_and_hours() -> None:
    clock = draw_clock(np.random.default_rng(0), 300, 700)
    assert set(clock.steps[:, 0].tolist()) == set(HOURS)
    share = np.mean(clock.steps[:, 0] == 24)
    assert 0.4 < share < 0.6
    assert clock.day.max() < clock.days
    assert ((clock.hour >= 0) & (clock.hour < 1)).all()
    assert (np.diff(clock.day, axis=1) == (clock.hour[:, 1:] == 0)).all()


def test_most_series_rest_a_day_or_two_a_week() -> None:
    rest = draw_rest(np.random.default_rng(0), 2000, 70)
    full = (rest == 1).mean(1)
    assert np.mean(full == 0) == pytest.approx(0.25, abs=0.03)
    worked = full > 0
    assert full[worked].mean() == pytest.approx(1 / 7 + 0.02 * 6 / 7, abs=0.01)
    assert ((rest >= 0) & (rest <= 1)).all()


@pytest.mark.usefixtures("hourly")
def test_a_rhythm_without_noise_repeats_each_week_but_for_holidays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "HOLIDAYS", (0.0, 0.0))
    rng = np.random.default_rng(0)
    clock = draw_clock(rng, 100, LENGTH)
    rhythm = draw_rhythm(rng, clock)
    np.testing.assert_allclose(rhythm[:, 168:], rhythm[:, :-168])
    by_day = np.abs(rhythm[:, 24:] - rhythm[:, :-24]).max(1)
    assert np.mean(by_day < 1e-9) == pytest.approx(0.25, abs=0.1)


@pytest.mark.usefixtures("hourly")
def test_activity_has_a_day_and_a_week() -> None:
    x = draw_activity(np.random.default_rng(0), 500, LENGTH)
    assert x.min() >= 0
    assert np.median(correlate(x, 24)) > np.median(correlate(x, 17)) + 0.3
    assert np.mean(correlate(x, 168) > correlate(x, 72)) > 0.7
    counted = (x == np.floor(x)).all(1)
    assert np.mean(counted) == pytest.approx(calendars.COUNT_SHARE, abs=0.06)


@pytest.mark.usefixtures("hourly")
def test_there_is_no_sun_at_night() -> None:
    x = draw_sunshine(np.random.default_rng(0), 300, LENGTH)
    assert x.min() == 0
    assert 0.3 < np.mean(x == 0) < 0.65
    assert np.median(correlate(x, 24)) > 0.6


@pytest.mark.usefixtures("hourly")
def test_weather_lasts_for_hours_to_days() -> None:
    rng = np.random.default_rng(0)
    x = draw_temperature(rng, draw_clock(rng, 500, LENGTH))
    assert np.median(correlate(x, 1)) > 0.95
    assert np.median(correlate(x, 24)) > np.median(correlate(x, 12))


@pytest.mark.usefixtures("hourly")
def test_a_load_answers_to_cold_and_heat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without activity and noise it is 0 between the turning points, and grows with the distance from them."""
    monkeypatch.setattr(calendars, "draw_rhythm", lambda rng, clock: np.zeros(clock.day.shape))
    monkeypatch.setattr(calendars, "NOISE", (1e-9, 1e-8))
    seen: list[Floats] = []

    def keep(rng: np.random.Generator, clock: Clock) -> Floats:
        seen.append(draw_temperature(rng, clock))
        return seen[0]

    monkeypatch.setattr(calendars, "draw_temperature", keep)
    load = draw_load(np.random.default_rng(0), 200, LENGTH)
    warmest = seen[0].argmax(1)
    middle = np.abs(seen[0] - np.median(seen[0], 1, keepdims=True)).argmin(1)
    rows = np.arange(200)
    assert np.mean(load[rows, warmest] >= load[rows, middle]) > 0.85
    assert load.min() >= 0


@pytest.mark.parametrize(("count", "length"), [(1, 16), (40, 100), (300, 1088)])
def test_series_are_finite_vary_and_are_seeded(count: int, length: int) -> None:
    x = generate_calendar(np.random.default_rng(3), count, length)
    assert x.shape == (count, length)
    assert np.isfinite(x).all()
    assert (np.ptp(x, axis=1) > 0).all()
    assert np.array_equal(x, generate_calendar(np.random.default_rng(3), count, length))
