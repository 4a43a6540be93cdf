"""Hard and bad data: a clear error, or finite forecasts within the bounds; never NaN."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import ArrayLike

from models.config.model import Config
from models.data.series import Panel
from models.data.windows import Batch
from models.errors import ConfigError, OffGridError, TrainingDataError
from models.inference.predict import predict, run_windows
from models.planning.defaults import default_config
from models.training.fit import fit
from models.training.fitted import Fitted, runner_of
from tests.models.examples import GATED, LEVELS, PLAIN, START, hourly, random_network, small

pytestmark = pytest.mark.training

NAN = np.nan
RNG = np.random.default_rng(0)
Y = hourly(200)
JUMP = np.where(np.arange(200) < 150, Y, Y + 1e9)
TAIL = np.r_[Y, np.full(200, NAN)]

HARD: dict[str, tuple[Mapping[str, ArrayLike], int]] = {
    "counts": ({"a": RNG.poisson(0.4, 200)}, 6),
    "intermittent": ({"a": np.where(RNG.random(200) < 0.05, RNG.integers(1, 9, 200), 0)}, 6),
    "negative": ({"a": Y - 100}, 6),
    "around zero": ({"a": Y - 20}, 6),
    "constant": ({"a": np.full(200, 7.0), "b": np.zeros(200)}, 6),
    "tiny": ({"a": Y * 1e-9}, 6),
    "huge": ({"a": Y * 1e12}, 6),
    "of all sizes": ({"a": Y * 1e-9, "b": Y * 1e12, "c": Y}, 6),
    "a jump": ({"a": JUMP}, 6),
    "alternating": ({"a": 1e12 * (-1.0) ** np.arange(200)}, 6),
    "a last spike": ({"a": np.r_[np.full(199, 5.0), 1e6]}, 6),
    "gaps": ({"a": np.where(RNG.random(200) < 0.7, NAN, Y)}, 6),
    "one gap": ({"a": np.r_[Y[:20], np.full(160, NAN), Y[180:]]}, 6),
    "missing tail": ({"a": TAIL}, 6),
    "late beginning": ({"a": np.r_[np.full(197, NAN), 1.0, 2.0, 3.0]}, 6),
    "short beside long": ({"a": Y, "b": Y[:5], "c": Y[:2], "d": Y[:1], "e": [NAN] * 9, "f": []}, 6),
    "shorter than the horizon": ({"a": Y[:20]}, 50),
    "three values": ({"a": [1.0, 2.0, 3.0]}, 9),
    "three values with gaps": ({"a": [1.0, NAN, NAN, NAN, 2.0, NAN, 3.0]}, 1),
}


def trained(panel: Panel, horizon: int, **options: object) -> Fitted:
    training = {"epochs": 1, "steps_per_epoch": 4, "batch_size": 16}
    network = {"hidden": 8, **PLAIN, **GATED}
    config = default_config(panel, horizon, LEVELS, network=network, training=training, **options)  # type: ignore[arg-type]
    return fit(panel, config)


@pytest.mark.parametrize("name", HARD)
def test_hard_series_give_sound_forecasts(name: str) -> None:
    values, horizon = HARD[name]
    panel = Panel.from_arrays(values, "h", "2024-01-01")
    fitted = trained(panel, horizon)
    lowest = min(float(np.nanmin(one.y)) for one in panel.series if np.isfinite(one.y).any())
    for forecast in fitted.predict(panel):
        assert forecast.quantiles.shape == (horizon, 3)
        assert np.isfinite(forecast.quantiles).all()
        assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
        assert lowest < 0 or (forecast.quantiles >= 0).all()
    for measures in fitted.report.metrics.values():
        assert np.isfinite(list(measures.values())).all()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "no_series"),
        ({"a": []}, "no_observations"),
        ({"a": [NAN] * 50, "b": [NAN]}, "no_observations"),
        ({"a": [1.0]}, "too_short"),
        ({"a": [1.0, 2.0], "b": [NAN] * 50}, "too_short"),
        ({"a": [1.0, np.inf, 2.0, 3.0]}, "not_finite"),
        ({"a": [1.0, 2.0, 3.0], "b": [-np.inf]}, "not_finite"),
    ],
)
def test_untrainable_data(values: dict[str, list[float]], code: str) -> None:
    with pytest.raises(TrainingDataError) as caught:
        fit(Panel.from_arrays(values, "h", "2024-01-01"), small())
    assert caught.value.code == code


@pytest.mark.parametrize(
    "values", [[], [NAN] * 5, [4.0], [NAN, 4.0, NAN], [1e-9] * 3, [-1e12, 1e12]], ids=lambda v: str(v)
)
def test_a_series_that_could_not_be_trained_on_is_forecast(values: list[float]) -> None:
    config = small(12, context_length=48, segment=12, **GATED)
    (found,) = predict(Panel.from_arrays({"a": values}, "h").series, runner_of(random_network(config)), config)
    assert np.isfinite(found.quantiles).all()


def test_an_infinite_value_is_no_forecast() -> None:
    config = small(12, context_length=48, segment=12)
    panel = Panel.from_arrays({"a": np.r_[Y[:90], np.inf, Y[:9]]}, "h")
    with pytest.raises(ValueError, match="'a' holds an infinite value"):
        predict(panel.series, runner_of(random_network(config)), config)


@pytest.mark.parametrize("bounds", [(19.0, 20.0), (None, 15.0), (30.0, None), (-1e-9, 1e-9)])
def test_forecasts_keep_within_the_bounds(bounds: tuple[float | None, float | None]) -> None:
    panel = Panel.from_arrays({"a": Y, "b": 1e6 * Y, "c": -Y}, "h", "2024-01-01")
    low, high = (bound if bound is not None else default for bound, default in zip(bounds, (-9e9, 9e9), strict=True))
    for forecast in trained(panel, 6, bounds=bounds).predict(panel):
        assert ((forecast.quantiles >= low) & (forecast.quantiles <= high)).all()


def test_a_context_without_negative_values_is_not_forecast_below_zero() -> None:
    config = replace(small(24, context_length=48, segment=12), nonnegative=True)
    falling = np.linspace(50, 0, 48)
    y = np.stack([falling, falling - 1, np.where(falling < 25, NAN, falling), np.full(48, NAN)])
    calendar = np.zeros((4, 72, 5), np.int64)
    batch = Batch(y=y, calendar=calendar, covariates=np.empty((4, 72, 0)), static=np.empty((4, 0)))
    network = random_network(config)
    free = runner_of(random_network(replace(config, nonnegative=False)))(batch)
    found = runner_of(network)(batch)
    assert (free[[0, 1, 3]] < 0).any((1, 2)).all()
    np.testing.assert_array_equal(found[[0, 2, 3]], free[[0, 2, 3]].clip(0))
    np.testing.assert_array_equal(found[1], free[1])


@pytest.mark.parametrize(("values", "floored"), [([0.0, 1.0, NAN], True), ([0.0, -1e-9], False), ([NAN], True)])
def test_the_values_suggest_whether_zero_is_a_floor(values: list[float], floored: bool) -> None:
    assert default_config(Panel.from_arrays({"a": values}, "h"), 3).nonnegative is floored
    beside = default_config(Panel.from_arrays({"a": values, "b": [1.0]}, "h"), 3)
    assert beside.is_signed("a") is not floored
    assert not beside.is_signed("b")


HOURS = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00"])


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"ds": HOURS[[0, 1, 1]], "y": [1.0, 2.0, 2.0]}, ValueError),
        ({"ds": HOURS + pd.to_timedelta([0, 7, 0], "s"), "y": [1.0, 2.0, 3.0]}, OffGridError),
        ({"ds": HOURS, "y": ["a", "b", "c"]}, ValueError),
    ],
    ids=["duplicates", "off the grid", "text"],
)
def test_tables_that_cannot_be_right_are_refused(table: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Panel.from_frame(pd.DataFrame({"unique_id": "a", **table}), "h")


def test_an_empty_table_is_an_empty_panel() -> None:
    panel = Panel.from_frame(pd.DataFrame({"unique_id": [], "ds": [], "y": []}), "h")
    assert panel.series == ()
    assert small().horizon == 24
    with pytest.raises(TrainingDataError):
        fit(panel, small())


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (1.0,), (None, None, 1.0)])
def test_bounds_must_be_a_range(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(small(), bounds=bounds)
    assert caught.value.field == "bounds"


def test_a_forecast_begins_after_the_last_value() -> None:
    panel = Panel.from_arrays({"a": TAIL}, "h", "2024-01-01")
    config = small(6, context_length=48, segment=12)
    (found,) = predict(panel.series, runner_of(random_network(config)), config)
    assert found.origin == START + 199 * 3_600_000_000


def test_each_series_of_a_mixed_panel_has_its_own_floor() -> None:
    """Sales stop at zero beside temperatures, and a temperature does not, though its summer has nothing below it."""
    steps = np.arange(240)
    winter = 15 * np.sin(2 * np.pi * steps / 240)
    panel = Panel.from_arrays({"sales": np.abs(winter), "temperature": winter, "stock": steps * 1.0}, "h")
    config = default_config(panel, 6, LEVELS, network={"hidden": 4})
    assert (config.nonnegative, config.signed) == (True, ("temperature",))
    summer = panel.series[1]
    network = random_network(config)
    with torch.no_grad():
        for member in network.members:
            member.decoder.output.bias[member.head.count :: member.head.width] -= 1e5  # every forecast far below zero
    rows = [panel.series[0], summer, replace(summer, id="unseen"), replace(summer, id="unseen")]
    origins = np.array([110, 110, 110, 230], np.int64)  # the last one's context is below zero
    lowest = run_windows(rows, origins, runner_of(network), config).min((1, 2))
    np.testing.assert_array_equal(lowest < -10, [False, True, False, True])
    assert lowest[0] == lowest[2] == 0.0


@pytest.mark.parametrize(
    ("values", "nonnegative", "signed"),
    [({"a": 1.0, "b": 0.0}, True, ()), ({"a": -1.0, "b": -2.0}, False, ()), ({"a": 1.0, "b": -2.0}, True, ("b",))],
)
def test_only_mixed_panels_name_their_signed_series(
    values: dict[str, float], nonnegative: bool, signed: tuple[str, ...]
) -> None:
    config = default_config(Panel.from_arrays({name: np.full(60, value) for name, value in values.items()}, "h"), 3)
    assert (config.nonnegative, config.signed) == (nonnegative, signed)
    assert ("signed" in config.graph_inputs) is bool(signed)
    assert "signed" not in config.inputs
    assert Config.from_dict(config.to_dict()) == config
