"""Pulses and sensors: rhythms, excited events, teeth, relaxation and bounds."""

import numpy as np
import pytest

from models.training.synthetic.pulses import (
    add_noise,
    draw_drives,
    draw_excited,
    draw_marks,
    draw_pulses,
    draw_rhythms,
    draw_sawteeth,
    draw_thermostats,
    draw_turns,
    relax,
)


def test_periods_lie_between_sixteen_steps_and_an_eighth_of_the_series() -> None:
    periods = draw_rhythms(np.random.default_rng(0), 1000, 1024)
    assert periods.min() == pytest.approx(16, abs=1)
    assert periods.max() == pytest.approx(128, abs=1)
    assert draw_rhythms(np.random.default_rng(0), 1000, 16).max() <= 8


def test_pulses_repeat() -> None:
    x = draw_pulses(np.random.default_rng(0), 500, 1024)
    z = x - x.mean(1, keepdims=True)
    power = np.abs(np.fft.rfft(z, 2048)) ** 2
    correlation = np.fft.irfft(power)[:, :129] / np.mean(z**2, 1, keepdims=True) / 1024
    assert np.mean(correlation[:, 14:].max(1) > 0.5) > 0.8


def test_noise_of_a_sensor_is_small() -> None:
    x = np.broadcast_to(np.sin(np.arange(512.0)), (300, 512))
    noise = (add_noise(np.random.default_rng(0), x) - x).std(1) / x.std(1)
    assert noise.mean() == pytest.approx(0.0525, abs=0.005)
    assert noise.max() < 0.12
    assert (np.ptp(add_noise(np.random.default_rng(0), np.ones((5, 9))), axis=1) > 0).all()


@pytest.mark.parametrize("branching", [0.0, 0.5, 0.8])
def test_excited_events_have_the_mean_and_the_dispersion_of_a_hawkes_process(branching: float) -> None:
    count = 400
    x = draw_excited(
        np.random.default_rng(0), np.full(count, 0.2), np.full(count, branching), np.full(count, 0.5), 2048
    )
    assert x.mean() == pytest.approx(0.2 / (1 - branching), rel=0.05)
    # over long spans the variance is the mean times 1 / (1 - branching)² (Hawkes 1971)
    sums = x.reshape(count, -1, 256).sum(2)
    assert sums.var() / sums.mean() == pytest.approx((1 - branching) ** -2, rel=0.15)


def test_events_are_counts_or_marks() -> None:
    x = draw_marks(np.random.default_rng(0), 500, 1024)
    assert np.mean((x == np.floor(x)).all(1)) == pytest.approx(0.4, abs=0.06)


def test_turns_grow_by_one_a_period() -> None:
    turns = draw_turns(np.random.default_rng(0), 500, 1024)
    assert (np.diff(turns, axis=1) > 0).all()
    assert 1024 / 130 * 0.6 < (turns[:, -1] - turns[:, 0]).mean() < 1024 / 16
    assert turns[:, 0].max() < 1.2


def test_sawteeth_go_by_and_by_to_one_side_and_at_once_to_the_other() -> None:
    x = draw_sawteeth(np.random.default_rng(0), 300, 1024)
    steps = np.diff(x, axis=1)
    skewness = np.mean((steps - steps.mean(1, keepdims=True)) ** 3, 1) / steps.std(1) ** 3
    assert np.mean(np.abs(skewness) > 2) > 0.95
    assert np.mean(skewness > 0) == pytest.approx(0.5, abs=0.1)


def test_what_is_driven_comes_near_its_target_by_all_but_a_third_in_its_response() -> None:
    targets = np.zeros((2, 100))
    targets[:, 1:] = 1
    x = relax(targets, np.array([5.0, 20.0]))
    assert x[0, 5] == pytest.approx(1 - np.exp(-1))
    assert x[1, 20] == pytest.approx(1 - np.exp(-1))


def test_drives_stay_at_set_points() -> None:
    x = draw_drives(np.random.default_rng(0), 300, 1024)
    assert np.median(np.abs(np.diff(x, axis=1)), axis=1).mean() < 0.15 * x.std(1).mean()


def test_thermostats_stay_near_their_bounds_and_go_between_them() -> None:
    x = draw_thermostats(np.random.default_rng(0), 300, 1024)
    assert np.quantile(x, 0.001) > -2
    assert np.quantile(x, 0.999) < 2
    assert np.mean(x.max(1) > 0.4) > 0.98
    assert np.mean(x.min(1) < -0.4) > 0.98
