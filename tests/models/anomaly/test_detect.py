"""Anomalies: what is flagged, what is learned from, and that nothing is told of a step by later values."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from models.anomaly.detect import HISTORY, Anomalies, detect_anomalies
from models.anomaly.residuals import LEAST_SEEN, REGIME
from models.data.series import Panel, Series
from models.data.windows import Batch
from models.errors import ConfigError
from models.inference.predict import Runner
from models.planning.defaults import default_config_for_lengths
from models.training.fit import fit
from tests.models.data.test_wall_clock import build
from tests.models.examples import LEVELS, beside, hourly, rich, small

pytestmark = pytest.mark.training

Floats = NDArray[np.float64]
CONFIG = default_config_for_lengths("h", 3, LEVELS, [3000], {"context_length": 48})


def around(point: Callable[[Floats], Floats], below: float = 1.0, above: float = 1.0) -> Runner:
    """Return a runner that forecasts a point (B,) of contexts (B, T), with normal spreads."""

    def run(batch: Batch) -> Floats:
        normal = ndtri(np.array(CONFIG.quantiles))
        first = point(batch["y"])[:, None] + normal * np.where(normal < 0, below, above)  # (B, Q)
        return np.repeat(first[:, None], CONFIG.horizon, axis=1)

    return run


def latest_mean(y: Floats) -> Floats:
    observed = ~np.isnan(y[:, -12:])
    found: Floats = np.nan_to_num(y[:, -12:]).sum(1) / np.maximum(observed.sum(1), 1)
    return found


def last(y: Floats) -> Floats:
    return y[:, -1]


def never(y: Floats) -> Floats:
    return np.full(len(y), 10.0)


def series_of(y: Floats, name: str = "a") -> Series:
    return Panel.from_arrays({name: y}, "h").series[0]


def noise(n: int = 3000, seed: int = 0) -> Floats:
    return 10 + np.random.default_rng(seed).normal(size=n)


def found(y: Floats, runner: Runner, start: int = 0, level: float = 0.99) -> Anomalies:
    return detect_anomalies([series_of(y)], [(start, len(y))], runner, CONFIG, level)[0]


def same(one: Anomalies, other: Anomalies, steps: slice = slice(None)) -> None:
    for name in ("expected", "lower", "upper", "score", "anomaly", "alarm"):
        np.testing.assert_array_equal(getattr(one, name)[steps], getattr(other, name)[steps])


def test_office_hours_after_a_change_of_the_clocks_are_no_anomaly() -> None:
    series = build("Europe/Berlin", "2025-03-30T03:00:00", "h")
    noisy = replace(series, y=series.y + noise(len(series.y)))
    config = default_config_for_lengths("h", 3, LEVELS, [3000], {"context_length": 168})
    begin = 60 * 24 - 24
    (judged,) = detect_anomalies([noisy], [(begin, begin + 240)], around(lambda y: y[:, 0]), config, 0.999)
    assert judged.anomaly.mean() < 0.02
    noisy.y[begin + 100] = 5000
    (judged,) = detect_anomalies([noisy], [(begin, begin + 240)], around(lambda y: y[:, 0]), config, 0.999)
    assert judged.anomaly[100]


@pytest.mark.parametrize("level", [0.9, 0.99])
@pytest.mark.parametrize("wrong", [0.3, 1.0, 5.0])
def test_false_alarms_are_as_frequent_as_the_level_says(level: float, wrong: float) -> None:
    """However wrong the forecast's own spread is."""
    flags = np.concatenate(
        [found(noise(seed=k), around(latest_mean, wrong, wrong), 500, level).anomaly for k in range(4)]
    )
    assert flags.mean() == pytest.approx(1 - level, rel=0.35)


def test_each_side_has_a_spread_of_its_own() -> None:
    y = 10 + np.random.default_rng(1).exponential(size=3000)
    one = found(y, around(lambda c: np.nanmedian(c, axis=1), 0.4, 1.5), 500)
    assert np.nanmean(one.upper - one.expected) > 2 * np.nanmean(one.expected - one.lower)


def test_the_interval_lies_around_what_is_expected_and_tells_the_flags() -> None:
    y = noise(800)
    one = found(y, around(latest_mean), LEAST_SEEN)
    assert ((one.lower < one.expected) & (one.expected < one.upper)).all()
    np.testing.assert_array_equal(one.anomaly, (y[LEAST_SEEN:] < one.lower) | (y[LEAST_SEEN:] > one.upper))


def test_a_spike_is_flagged_and_scores_highest() -> None:
    y = noise(1000)
    y[700] += 12
    y[800] -= 9
    one = found(y, around(latest_mean), 500)
    assert one.anomaly[200]
    assert one.anomaly[300]
    assert np.argsort(-one.score)[:2].tolist() == [200, 300]


def test_alarms_are_as_rare_as_was_asked_for() -> None:
    """A week has 168 steps; one in a hundred of them lies outside of its interval."""
    counts = []
    for weekly in (0.5, 3.0):
        spans = [(500, 3000)] * 4
        series = [series_of(noise(seed=k), str(k)) for k in range(4)]
        judged = detect_anomalies(series, spans, around(latest_mean), CONFIG, alarms_per_week=weekly)
        counts.append(sum(int(one.alarm.sum()) for one in judged) / (4 * 2500 / 168))
    assert counts == pytest.approx([0.5, 3.0], rel=0.6)
    with pytest.raises(ConfigError, match="alarms_per_week"):
        detect_anomalies(series, spans, around(latest_mean), CONFIG, alarms_per_week=0)


def test_a_spike_is_an_alarm_once_though_others_have_come_before() -> None:
    y = noise(2000)
    y[[600, 1200, 1800]] += 15
    one = found(y, around(latest_mean), 500)
    assert one.alarm[[100, 700, 1300]].all()
    assert one.alarm.sum() <= 12


def test_scores_know_no_level() -> None:
    y = noise(900)
    narrow, wide = found(y, around(latest_mean), 400, 0.8), found(y, around(latest_mean), 400, 0.999)
    np.testing.assert_array_equal(narrow.score, wide.score)
    np.testing.assert_array_equal(narrow.expected, wide.expected)
    assert (narrow.upper < wide.upper).all()
    assert (narrow.anomaly | ~wide.anomaly).all()


@pytest.mark.parametrize("point", [latest_mean, last])
def test_a_huge_spike_flags_nothing_after_it(point: Callable[[Floats], Floats]) -> None:
    y = noise(1500, seed=3) if point is latest_mean else np.cumsum(noise(1500, seed=3) - 10)
    clean = found(y, around(point), 500)
    y[700] = 1e6
    one = found(y, around(point), 500)
    assert one.anomaly[200]
    assert one.anomaly[201:].sum() <= clean.anomaly[201:].sum() + 2
    np.testing.assert_allclose((one.upper - one.lower)[201:], (clean.upper - clean.lower)[201:], rtol=0.3)


@pytest.mark.parametrize("point", [latest_mean, last, never])
def test_a_shift_of_level_is_flagged_and_then_adapted_to(point: Callable[[Floats], Floats]) -> None:
    """Even where the forecast never adapts."""
    y = noise(1500)
    y[800:] += 40
    one = found(y, around(point), 500)
    assert one.anomaly[300 : 300 + REGIME - 1].all()
    assert one.anomaly[340:].mean() < 0.03
    if point is not never:
        assert np.abs(one.expected[340:] - 50).max() < 6


def test_nothing_is_told_by_later_values() -> None:
    y = noise(900)
    y[[420, 600, 601]] = 200.0
    changed = y.copy()
    changed[650:] = np.random.default_rng(9).normal(0, 1e5, 250)
    before = slice(0, 650 - 400)
    same(found(y, around(latest_mean), 400), found(changed, around(latest_mean), 400), before)
    one, other = found(y, around(latest_mean), 400), found(changed, around(latest_mean), 400)
    assert (one.expected[250], one.lower[250], one.upper[250]) == (
        other.expected[250],
        other.lower[250],
        other.upper[250],
    )
    cut = detect_anomalies([series_of(y)], [(400, 650)], around(latest_mean), CONFIG)[0]
    same(cut, found(y, around(latest_mean), 400), before)


def test_nothing_is_told_by_the_steps_own_past_covariates() -> None:
    """Over the forecast step what is past is not known, what is known ahead is."""
    panel = Panel.from_arrays({"a": hourly(200)}, "h")
    one = replace(panel.series[0], covariates=beside(300), static={"size": 3.0, "kind": "dock"})
    config = rich(Panel(panel.frequency, (one,)))
    batches: list[Batch] = []

    def run(batch: Batch) -> Floats:
        batches.append(batch)
        return np.tile(np.array([9.0, 10.0, 11.0]), (len(batch["y"]), config.horizon, 1))

    detect_anomalies([one], [(150, 160)], run, config)
    context, ahead = config.network.context_length, len(config.covariates.known_future)
    covariates = np.concatenate([batch["covariates"][:, context:] for batch in batches])
    assert np.isnan(covariates[:, :, ahead:]).all()
    assert not np.isnan(covariates[:, :, :ahead]).all()


def test_missing_values_are_expected_but_not_scored() -> None:
    y = noise(900)
    gone = np.random.default_rng(2).random(900) < 0.3
    y[gone] = np.nan
    y[700] = 60.0
    one = found(y, around(latest_mean), 400)
    missing = np.isnan(y[400:])
    assert np.isnan(one.score[missing]).all()
    assert not one.anomaly[missing].any()
    assert np.isfinite(one.expected).all()
    assert np.isfinite(one.upper).all()
    assert np.nanargmax(one.score) == 300
    assert one.anomaly.sum() < 15


def test_a_long_gap_leaves_nothing_to_tell() -> None:
    y = noise(600)
    y[300:400] = np.nan
    one = found(y, around(latest_mean), 200)
    blind = slice(300 + 48 - 200, 400 - 200)
    assert np.isnan(one.expected[blind]).all()
    assert not one.anomaly[100:200].any()
    assert np.isfinite(one.score[-100:]).all()


def test_a_short_history_is_told_once_a_few_values_are_seen() -> None:
    one = found(noise(30), around(latest_mean))
    assert np.isnan(one.expected[:LEAST_SEEN]).all()
    assert np.isnan(one.score[:LEAST_SEEN]).all()
    assert np.isfinite(one.score[LEAST_SEEN:]).all()
    assert one.anomaly.sum() <= 1
    assert found(noise(5), around(latest_mean)).anomaly.tolist() == [False] * 5
    assert found(np.full(20, np.nan), around(latest_mean)).anomaly.sum() == 0


def test_the_history_before_the_span_is_learned_from() -> None:
    y = 3 * noise(1500)
    one = found(y, around(latest_mean), 1400, 0.9)
    assert np.mean(one.upper - one.lower) == pytest.approx(3 * 2 * 1.71, rel=0.2)
    steps: list[int] = []

    def counted(batch: Batch) -> Floats:
        steps.append(len(batch["y"]))
        return around(last, 100, 100)(batch)

    found(y, counted, 1400)
    assert sum(steps) == HISTORY + 100


def test_a_constant_series_flags_only_what_differs() -> None:
    y = np.full(600, 5.0)
    y[550] = 5.01
    one = found(y, around(latest_mean, 0.0, 0.0), 300)
    assert np.flatnonzero(one.anomaly).tolist() == [250]
    assert found(np.zeros(600), around(latest_mean, 0.0, 0.0), 300).anomaly.sum() == 0


def test_quantiles_without_width_take_that_of_the_series() -> None:
    y = noise(3000)
    y[2000] = 30.0
    one = found(y, around(latest_mean, 0.0, 0.0), 600)
    assert one.anomaly.mean() == pytest.approx(0.01, rel=0.4)
    assert np.argmax(one.score) == 1400


def test_several_series_at_once_equal_one_at_a_time() -> None:
    series = [series_of(noise(300 + 100 * k, k), str(k)) for k in range(4)]
    spans = [(100 * k, 200 + 100 * k) for k in range(4)]
    together = detect_anomalies(series, spans, around(latest_mean), CONFIG)
    assert [one.series_id for one in together] == ["0", "1", "2", "3"]
    assert [one.start for one in together] == [0, 100, 200, 300]
    for one, single, span in zip(together, series, spans, strict=True):
        same(one, detect_anomalies([single], [span], around(latest_mean), CONFIG)[0])


@pytest.mark.parametrize(
    ("level", "span"), [(0.0, (0, 9)), (1.0, (0, 9)), (0.9, (5, 3)), (0.9, (-1, 3)), (0.9, (0, 99))]
)
def test_what_cannot_be_asked_is_refused(level: float, span: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        detect_anomalies([series_of(noise(50))], [span], around(latest_mean), CONFIG, level)


def test_an_infinite_value_is_refused_and_an_empty_span_is_empty() -> None:
    y = noise(100)
    assert detect_anomalies([series_of(y)], [(50, 50)], around(latest_mean), CONFIG)[0].score.shape == (0,)
    y[60] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        found(y, around(latest_mean))


def test_a_forecast_that_fails_tells_nothing_and_harms_nothing() -> None:
    y = noise(1200)

    def failing(batch: Batch) -> Floats:
        quantiles = around(latest_mean)(batch)
        return np.where((batch["y"][:, -1] > 11)[:, None, None], np.nan, quantiles)

    one, whole = found(y, failing, 600), found(y, around(latest_mean), 600)
    blind = y[599:-1] > 11
    assert np.isnan(one.score[blind]).all()
    assert not one.anomaly[blind].any()
    np.testing.assert_allclose(one.upper[~blind], whole.upper[~blind], rtol=0.1)


@pytest.mark.parametrize("levels", [(0.5,), (0.5, 0.9), (0.2, 0.5)])
def test_levels_of_one_side_or_none_do(levels: tuple[float, ...]) -> None:
    config = replace(CONFIG, quantiles=levels)

    def run(batch: Batch) -> Floats:
        first = latest_mean(batch["y"])[:, None] + ndtri(np.array(levels))
        return np.repeat(first[:, None], config.horizon, axis=1)

    y = noise(2000)
    y[1500] = 20.0
    one = detect_anomalies([series_of(y)], [(800, 2000)], run, config)[0]
    assert one.anomaly.mean() == pytest.approx(0.01, abs=0.006)
    assert np.argmax(one.score) == 700


def test_forecasts_from_farther_before_do_not_know_how_it_began() -> None:
    y = noise(1500)
    y[1200:1206] += 6
    spans = [(1000, 1500)]
    near, far = (detect_anomalies([series_of(y)], spans, around(last), CONFIG, ahead=ahead)[0] for ahead in (1, 3))
    np.testing.assert_array_equal(near.expected[:200], y[999:1199])
    np.testing.assert_array_equal(far.expected[:200], y[997:1197])
    assert far.anomaly[200:203].sum() >= near.anomaly[200:203].sum()
    changed = y.copy()
    changed[1204:] = 500.0
    other = detect_anomalies([series_of(changed)], spans, around(last), CONFIG, ahead=3)[0]
    same(far, other, slice(0, 204))
    assert (far.expected[204:207] == other.expected[204:207]).all()
    with pytest.raises(ConfigError, match="horizon"):
        detect_anomalies([series_of(y)], spans, around(last), CONFIG, ahead=4)


def test_a_trained_network_finds_what_was_planted() -> None:
    y = hourly(600, noise=0.3)
    config = small(horizon=6)
    fitted = fit(Panel.from_arrays({"a": y[:400]}, "h", start="2024-01-01"), config)
    planted = y.copy()
    planted[[450, 520]] += [8.0, -8.0]
    one = detect_anomalies([series_of(planted)], [(400, 600)], fitted.runner, fitted.config)[0]
    assert sorted(np.argsort(-one.score)[:2].tolist()) == [50, 120]
    assert one.anomaly[[50, 120]].all()
    assert one.anomaly.mean() < 0.05


def test_the_floor_holds_until_a_value_is_below_it() -> None:
    config = replace(CONFIG, nonnegative=True)
    y = np.abs(noise(600) - 10)
    y[300:] -= 50.0
    (told,) = detect_anomalies([series_of(y)], [(0, 600)], around(latest_mean), config)
    assert np.nanmin(told.lower[:301]) == 0.0
    assert told.anomaly[300]
    assert told.lower[320:].max() < -40
    assert told.anomaly[320:].mean() < 0.05


def test_an_alarm_knows_the_anomalies_before_the_span() -> None:
    y = noise(1000)
    y[800:806] = 60.0
    whole = found(y, around(never))
    later = found(y, around(never), start=802)
    assert whole.alarm[800:806].tolist() == [True, *([False] * 5)]
    assert not later.alarm[:4].any()
    same(later, replace(whole, start=802), slice(0, 0))
