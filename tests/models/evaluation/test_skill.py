"""Skill of archived forecasts by hand, and when it is called drift."""

from dataclasses import replace

import numpy as np
import pytest

from models.evaluation.skill import LEAST_ORIGINS, Drift, ForecastOutcomes, detect_drift

LEVELS = (0.1, 0.5, 0.9)
NAN = np.nan


def told(actual: list[list[float]], width: float = 2.0, scale: float = 4.0) -> ForecastOutcomes:
    """Return forecasts of 0, season-naive forecasts of 1, with an interval of +-width; one origin each, 10 apart."""
    values = np.array(actual, float)
    n, horizon = values.shape
    quantiles = np.broadcast_to(np.array([-width, 0.0, width]), (n, horizon, 3))
    return ForecastOutcomes(
        origins=10 * np.arange(n, dtype=np.int64),
        quantiles=quantiles,
        season_naive=np.ones((n, horizon)),
        actual=values,
        scale=np.full(n, scale),
        levels=LEVELS,
    )


def test_measures_by_hand() -> None:
    found = told([[1, -3], [NAN, 4]]).measure()
    assert found["n"] == 3
    assert found["model"]["mae"] == pytest.approx(8 / 3)
    assert found["model"]["rmse"] == pytest.approx(np.sqrt(26 / 3))
    assert found["model"]["mase"] == pytest.approx(8 / 3 / 4)
    assert found["model"]["coverage_80"] == pytest.approx(1 / 3)
    assert found["model"]["width_80"] == pytest.approx(4)
    # 1: .1*3 + .5*1 + .1*1, -3: .9*1 + .5*3 + .1*5, 4: .1*6 + .5*4 + .9*2, over three levels each
    assert found["model"]["pinball"] == pytest.approx((0.9 + 2.9 + 4.4) / 9)
    assert found["season_naive"]["mae"] == pytest.approx((0 + 4 + 3) / 3)
    assert "coverage_80" not in found["season_naive"]


def test_a_forecast_without_a_scale_has_no_mase_but_an_error() -> None:
    one = replace(told([[1.0], [3.0]]), scale=np.array([NAN, 2.0]))
    assert one.measure()["model"]["mae"] == 2
    assert one.measure()["model"]["mase"] == pytest.approx(1.5)


def test_steps_are_told_once_they_have_come_true() -> None:
    steps = told([[1, 2, NAN], [3, NAN, NAN]]).by_step()
    assert [(one["step"], one["n"], one["model"]["mae"]) for one in steps] == [(1, 2, 2.0), (2, 1, 2.0)]


def test_rolling_skill_is_that_of_runs_of_origins() -> None:
    one = told([[float(k)] for k in range(7)])
    parts = one.rolling(3)
    assert [(part["first_origin"], part["last_origin"], part["n"]) for part in parts] == [
        (0, 20, 3),
        (30, 40, 2),
        (50, 60, 2),
    ]
    assert [part["model"]["mae"] for part in parts] == [1.0, 3.5, 5.5]
    assert [part["n"] for part in one.rolling(20)] == [1] * 7
    assert told([[1.0], [NAN]]).rolling(2) == one_origin(1.0)


def one_origin(y: float) -> list[dict[str, object]]:
    return [{"first_origin": 0, "last_origin": 0, **told([[y]]).measure()}]


def test_nothing_archived_is_nothing_told() -> None:
    nothing = told(np.empty((0, 3)).tolist() or [[NAN]])
    assert nothing.measure() == {"n": 0, "model": {}, "season_naive": {}}
    assert nothing.by_step() == nothing.rolling(4) == []


def noisy(size: float, origins: int = 40, seed: int = 0, horizon: int = 6) -> list[list[float]]:
    found: list[list[float]] = np.random.default_rng(seed).normal(0, size, (origins, horizon)).tolist()
    return found


GATE = {"mase": 0.4, "coverage_80": 0.8}
"""what a normal law of standard deviation 2 has in units of 4 with the interval of an 80 % normal law"""
WIDTH = 2 * 1.2816


@pytest.mark.parametrize("seed", range(5))
def test_what_is_as_on_the_gate_is_steady(seed: int) -> None:
    found = detect_drift(told(noisy(2.0, seed=seed), WIDTH), GATE)
    assert found.status == "steady"
    assert found.measures["mase"] == pytest.approx(0.4, rel=0.15)
    assert found.measures["gate_mase"] == 0.4
    assert found.measures["coverage_80"] == pytest.approx(0.8, abs=0.07)


def test_twice_the_error_is_drift() -> None:
    found = detect_drift(told(noisy(4.0), 2 * WIDTH), GATE)
    assert found.status == "drifting"
    assert found.measures["mase"] == pytest.approx(0.8, rel=0.15)
    assert "MASE is 0.8" in found.detail or "MASE is 0.7" in found.detail
    assert "coverage" not in found.detail


def test_intervals_that_no_longer_hold_are_drift() -> None:
    found = detect_drift(told(noisy(2.0), 0.5 * WIDTH), GATE)
    assert found.status == "drifting"
    assert found.detail.startswith("coverage_80 is 0.4")
    assert found.measures["gate_coverage_80"] == 0.8


def test_smaller_errors_and_wider_intervals_are_no_drift() -> None:
    assert detect_drift(told(noisy(0.5), 9.0), GATE).status == "steady"


def test_one_bad_origin_among_many_is_no_drift() -> None:
    """Its mean is far beyond the gate's, but the other origins say that it is chance."""
    rows = noisy(2.0)
    rows[3] = [1000.0] * 6
    found = detect_drift(told(rows, WIDTH), GATE)
    assert found.measures["mase"] > 1.3 * 0.4
    assert found.status == "steady"


def test_values_of_one_origin_prove_little() -> None:
    """Forty values of few origins are few observations."""
    found = detect_drift(told(noisy(9.0, LEAST_ORIGINS - 1, horizon=40), WIDTH), GATE)
    assert (found.status, found.measures) == ("unknown", {})
    assert f"{LEAST_ORIGINS - 1} forecast origins" in found.detail
    assert detect_drift(told(noisy(9.0, LEAST_ORIGINS, horizon=40), WIDTH), GATE).status == "drifting"


def test_origins_that_have_not_come_true_do_not_count() -> None:
    rows = noisy(9.0, LEAST_ORIGINS) + [[NAN] * 6] * 20
    rows[0] = [NAN] * 6
    assert detect_drift(told(rows, WIDTH), GATE).status == "unknown"


@pytest.mark.parametrize("gate", [None, {}, {"mae": 3.0, "coverage_80": 0.8}])
def test_without_a_gate_nothing_is_known(gate: dict[str, float] | None) -> None:
    found: Drift = detect_drift(told(noisy(9.0), WIDTH), gate)
    assert found.status == "unknown"
    assert "gate" in found.detail


def test_several_series_of_an_origin_are_one_observation() -> None:
    one = told(noisy(4.0, 40), 2 * WIDTH)
    same = replace(one, origins=one.origins // 100)  # ten of each: four origins
    assert detect_drift(same, GATE).status == "unknown"


def test_a_scale_that_is_rounding_measures_nothing() -> None:
    """Releases before this one archived the last digits of exact repetition as a scale."""
    one = told([[1.0], [3.0]], scale=2e-14)
    assert one.measure()["model"]["mae"] == 2
    assert "mase" not in one.measure()["model"]
    assert "mase" not in detect_drift(one, {"mase": 0.5}).measures
