"""Covariates: how they are read and encoded, what is refused, and that the network makes use of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.covariates import build_covariate_config, encode, encode_static
from models.data.series import Panel, Series
from models.errors import ConfigError
from models.training.fit import fit
from tests.models.examples import PLAIN, ROLES, covariate_panel, hourly_panel, rich, small

pytestmark = pytest.mark.training

NAN = np.nan
WORDS = CovariateConfig(known_future=("k", "w"), past=("p",), static=("s", "c"), levels={"w": ("a", "b"), "c": ("x",)})


def panel_of(*columns: Mapping[str, NDArray[Any]], length: int = 30, static: Mapping[str, Any] | None = None) -> Panel:
    """Return a series for each mapping of covariates."""
    panel = hourly_panel(length, len(columns))
    pairs = zip(panel.series, columns, strict=True)
    return replace(panel, series=tuple(replace(s, covariates=c, static=static or {}) for s, c in pairs))


def series_of(static: Mapping[str, Any] | None = None, **columns: list[Any]) -> Series:
    found = {k: np.array(v, object if any(isinstance(x, str) for x in v) else None) for k, v in columns.items()}
    return panel_of(found, length=3, static=static).series[0]


def test_columns_stand_in_order_and_codes_are_places_in_the_vocabulary() -> None:
    one = series_of(k=[1, 2, 3, 4, 5], w=["b", "a", None, "new", "b"], p=[7.0, 8.0, 9.0, 10.0, 11.0])
    found = encode(one, WORDS, -1, 6, seen=3)
    expected = [[NAN] * 3, [1, 1, 7], [2, 0, 8], [3, NAN, 9], [4, 2, NAN], [5, 1, NAN], [NAN] * 3]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("first", "last"), [(-9, -2), (9, 12), (-1, 1), (2, 2)])
def test_positions_without_values_are_missing(first: int, last: int) -> None:
    found = encode(series_of(k=[1.0, 2.0]), WORDS, first, last, seen=last)
    inside = [position in (0, 1) for position in range(first, last)]
    np.testing.assert_array_equal(np.isfinite(found), np.outer(inside, [True, False, False]))


@pytest.mark.parametrize(
    ("static", "expected"),
    [({"s": 4, "c": "x"}, [4, 0]), ({"s": 2.5, "c": "y"}, [2.5, 1]), ({}, [NAN, NAN]), ({"c": None}, [NAN, NAN])],
)
def test_statics_are_encoded_alike(static: dict[str, Any], expected: list[float]) -> None:
    np.testing.assert_array_equal(encode_static(series_of(static), WORDS), expected)


@pytest.mark.parametrize(
    "encoded",
    [
        lambda: encode(series_of(k=["warm", "cold", "warm"]), WORDS, 0, 3, seen=3),
        lambda: encode_static(series_of({"s": "large"}), WORDS),
        lambda: encode(series_of(k=[1.0, np.inf, 2.0]), WORDS, 0, 3, seen=3),
        lambda: encode_static(series_of({"s": -np.inf}), WORDS),
    ],
    ids=["text", "static text", "infinite", "static infinite"],
)
def test_what_is_no_number_is_refused(encoded: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        encoded()
    assert caught.value.field.startswith("covariates")


def test_vocabularies_are_sorted_and_joined_over_the_series() -> None:
    panel = panel_of({"w": np.array(["b", None, "a"], object)}, {"w": np.array(["c", "a"])}, {"k": np.arange(3)})
    panel = replace(panel, series=(replace(panel.series[0], static={"c": "x", "s": 1}), *panel.series[1:]))
    assert build_covariate_config(panel, ("k", "w"), (), ("s", "c")) == CovariateConfig(
        known_future=("k", "w"), static=("s", "c"), levels={"w": ("a", "b", "c"), "c": ("x",)}
    )


NUMBERS, TEXT = {"k": np.arange(30.0)}, {"k": np.full(30, "a", object)}


@pytest.mark.parametrize(
    ("panel", "roles", "field"),
    [
        (panel_of(NUMBERS), {"known_future": ["z"]}, "covariates.z"),
        (panel_of(NUMBERS), {"static": ["k"]}, "covariates.k"),
        (panel_of(NUMBERS, TEXT), {"past": ["k"]}, "covariates.k"),
        (panel_of({"k": np.arange(1001).astype(str)}, length=1001), {"past": ["k"]}, "covariates.k"),
        (panel_of(NUMBERS), {"past": ["k"], "known_future": ["k"]}, "covariates"),
        (panel_of({f"k{n}": np.ones(1) for n in range(201)}), {"past": [f"k{n}" for n in range(201)]}, "covariates"),
    ],
    ids=["unknown", "not static", "numbers and text", "levels", "twice", "many"],
)
def test_refused_covariates_are_named(panel: Panel, roles: dict[str, list[str]], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_covariate_config(panel, **roles)
    assert caught.value.field == field


HARD: dict[str, dict[str, NDArray[Any]]] = {
    "missing": {"k": np.full(140, np.nan), "w": np.full(140, None, object)},
    "none": {},
    "constant": {"k": np.full(140, 3e15), "w": np.full(140, "a", object)},
    "tiny": {"k": 1e-30 * np.random.default_rng(0).standard_normal(140)},
    "huge": {"k": 1e30 * np.random.default_rng(0).standard_normal(140)},
    "one value": {"k": np.where(np.arange(140) == 100, 1e12, np.nan)},
    "short": {"k": np.arange(20.0), "w": np.array(["a", "b"])},
    "integers": {"k": np.arange(140)},
    "flags": {"k": np.arange(140) % 7 == 0},
}


@pytest.mark.parametrize("name", HARD)
def test_hard_covariates_give_sound_forecasts(name: str) -> None:
    usual = {"k": np.arange(140.0), "w": np.resize(np.array(["a", "b"], object), 140), "p": np.ones(140)}
    panel = panel_of({"p": usual["p"], **HARD[name]}, usual, length=128, static={"s": 1e9, "c": "x"})
    covariates = build_covariate_config(panel, ("k", "w"), ("p",), ("s", "c"))
    training: dict[str, object] = {"epochs": 1, "batch_size": 8}
    config = small(12, 128, training, hidden=8, context_length=24, segment=12, linear=True)
    fitted = fit(panel, replace(config, covariates=covariates))
    apart = panel_of(HARD[name], length=128, static={"c": "other"})
    for forecast in (*fitted.predict(panel), *fitted.predict(apart)):
        assert np.isfinite(forecast.quantiles).all()


def error(panel: Panel, config: Config, **roles: tuple[str, ...]) -> float:
    """Return the mean absolute error on the gate of a network that reads some covariates."""
    covariates = build_covariate_config(panel, **roles)
    return fit(panel, replace(config, covariates=covariates)).report.metrics["gate"]["mae"]


@cache
def driven() -> Panel:
    """Return a series that is two known-future covariates, a number and a category, and a little noise."""
    rng = np.random.default_rng(0)
    wind, mode = rng.standard_normal(500), rng.choice(np.array(["up", "down", "flat"], object), 500)
    effect = 3 * wind + np.select([mode == "up", mode == "down"], [3.0, -3.0], 0.0)
    panel = Panel.from_arrays({"a": 10 + effect[:488] + 0.3 * rng.standard_normal(488)}, "h")
    return replace(panel, series=(replace(panel.series[0], covariates={"wind": wind, "mode": mode}),))


def hourly_config(**network: object) -> Config:
    training = {"epochs": 8, "steps_per_epoch": 25, "batch_size": 32, "learning_rate": 0.01}
    return small(12, 500, training, context_length=48, **network)


@cache
def error_without_covariates() -> float:
    return error(driven(), hourly_config())


@pytest.mark.parametrize("network", [{}, {"linear": True}, {"decoder": "last_step"}], ids=lambda n: "-".join(n))
def test_covariates_that_drive_the_target_are_used(network: dict[str, object]) -> None:
    found = error(driven(), hourly_config(**network), known_future=("wind", "mode"))
    # either of them alone leaves more than half of the error
    assert found < 0.45 * error_without_covariates()


@cache
def two_kinds() -> Panel:
    """Return series whose Saturdays are high or low, as their statics `number` and `name` tell."""
    rng, days = np.random.default_rng(0), np.arange(60)
    values = {str(k): 3.0 * (-1) ** k * (days % 7 == 5) + 0.3 * rng.standard_normal(60) for k in range(20)}
    panel = Panel.from_arrays(values, "D", "2024-01-01")
    kinds: Sequence[dict[str, Any]] = [{"number": 0.0, "name": "dock"}, {"number": 1.0, "name": "hall"}]
    return replace(panel, series=tuple(replace(one, static=kinds[k % 2]) for k, one in enumerate(panel.series)))


def daily_config() -> Config:
    training = {"epochs": 10, "steps_per_epoch": 25, "batch_size": 64, "learning_rate": 0.01}
    options = {"context_length": 3, "segment": 1, "basis": False, "scaler": "none", "calendar": [1], **PLAIN}
    return replace(small(3, 60, training, **options), frequency="D")


@cache
def error_without_statics() -> float:
    return error(two_kinds(), daily_config())


@pytest.mark.parametrize("static", ["number", "name"])
def test_a_static_covariate_separates_series(static: str) -> None:
    assert error(two_kinds(), daily_config(), static=(static,)) < 0.6 * error_without_statics()


def test_levels_that_are_new_when_forecasting_count_as_missing() -> None:
    panel = covariate_panel(120)
    config = rich(panel, training={"epochs": 1})
    fitted = fit(panel, config)

    def forecast(level: Any) -> NDArray[np.float64]:
        one = panel.series[0]
        columns = {**one.covariates, "day": np.full(220, level, object)}
        return fitted.predict(replace(panel, series=(replace(one, covariates=columns),)))[0].quantiles

    assert set(config.covariates.levels["day"]) == {"free", "half", "work"}
    np.testing.assert_array_equal(forecast("new"), forecast("newer"))
    np.testing.assert_array_equal(forecast("new"), forecast(None))
    assert (forecast("free") != forecast("work")).any()
    assert fitted.config.covariates == build_covariate_config(panel, **ROLES)
