"""Configuration: defaults, overrides, complaints that name the field, and the JSON round trip."""

import json
from dataclasses import replace
from typing import Any

import pytest

from models.config.model import Config
from models.errors import ConfigError
from models.planning.defaults import default_config_for_lengths
from models.planning.presets import ARTICLES_NETWORK, ARTICLES_TRAINING
from tests.models.examples import covariate_panel, rich, small


@pytest.mark.parametrize("freq", ["s", "15min", "h", "4h", "D", "B", "W", "MS", "QS", "YS", "2D", "SMS"])
@pytest.mark.parametrize("length", [0, 5, 60, 1000, 100_000])
def test_defaults_fit_every_frequency_and_length(freq: str, length: int) -> None:
    config = default_config_for_lengths(freq, 12, (0.1, 0.9), [length])
    assert config.quantiles == (0.1, 0.5, 0.9)
    assert config.network.context_length % config.network.segment == 0
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_hourly_defaults_read_two_weeks_by_the_day() -> None:
    network = default_config_for_lengths("h", 24, (0.5,), [17_000]).network
    assert (network.context_length, network.segment, network.seasons) == (336, 24, (24, 168))


@pytest.mark.parametrize(
    ("options", "context", "segment"),
    [
        ({"context_length": 100}, 100, 4),
        ({"segment": 100}, 400, 100),
        ({"context_length": 90, "segment": 30}, 90, 30),
    ],
)
def test_context_and_segment_follow_each_other(options: dict[str, object], context: int, segment: int) -> None:
    network = default_config_for_lengths("h", 24, (0.5,), [17_000], options).network
    assert (network.context_length, network.segment) == (context, segment)


@pytest.mark.parametrize(
    ("freq", "lengths", "ets", "anchor"),
    [
        ("YS", [30] * 600, True, 0.4),  # as many series as a table has
        ("YS", [30] * 5000, True, 0.0),  # enough for the network to know better
        ("MS", [140], True, 0.9),  # a few short ones teach a network nothing
        ("h", [900] * 400, False, 0.0),  # a long context
        ("D", [450] * 3000, False, 0.0),  # long histories of many
    ],
)
def test_short_histories_are_smoothed(freq: str, lengths: list[int], ets: bool, anchor: float) -> None:
    network = default_config_for_lengths(freq, 12, (0.5,), lengths).network
    assert (network.ets, network.anchor) == (ets, anchor)
    assert default_config_for_lengths(freq, 12, (0.5,), lengths, {"ets": False}).network.anchor == 0


@pytest.mark.parametrize(
    ("length", "budget", "members"),
    [(900, None, 1), (20_000, None, 3), (20_000, 40.0, 1), (20_000, 130.0, 2), (20_000, 900.0, 3), (900, 900.0, 1)],
)
def test_data_and_time_pay_for_members(length: int, budget: float | None, members: int) -> None:
    config = default_config_for_lengths("h", 24, (0.5,), [length], {}, {"time_budget_s": budget})
    assert len(config.network.members) == members


def test_overrides_are_kept_literally() -> None:
    training = default_config_for_lengths("h", 24, (0.5,), [17_000], training={"epochs": 100_000}).training
    assert (training.epochs, training.patience) == (100_000, None)
    training = default_config_for_lengths("h", 24, (0.5,), [17_000], training={"epochs": 3, "patience": 2}).training
    assert (training.epochs, training.patience) == (3, 2)
    network = default_config_for_lengths("h", 24, (0.5,), [17_000], ARTICLES_NETWORK, ARTICLES_TRAINING).network
    assert (network.segment, network.decoder, network.basis, network.calendar) == (1, "last_step", False, ())


@pytest.mark.parametrize(
    ("section", "options", "field"),
    [
        ("network", {"hiden": 3}, "network.hiden"),
        ("network", {"hidden": "big"}, "network.hidden"),
        ("network", {"hidden": True}, "network.hidden"),
        ("network", {"hidden": 0}, "network.hidden"),
        ("network", {"cell": "rnn"}, "network.cell"),
        ("network", {"basis": 1}, "network.basis"),
        ("network", {"dropout": 1.0}, "network.dropout"),
        ("network", {"context_length": 100, "segment": 24}, "network.segment"),
        ("network", {"context_length": 0}, "network.context_length"),
        ("network", {"context_length": 10**9}, "network.context_length"),
        ("network", {"segment": 0}, "network.segment"),
        ("network", {"season_lengths": [24, 12]}, "network.season_lengths"),
        ("network", {"season_lengths": "24"}, "network.season_lengths"),
        ("network", {"season_lengths": [0]}, "network.season_lengths"),
        ("network", {"calendar": [9]}, "network.calendar"),
        ("training", {"epochs": 0}, "training.epochs"),
        ("training", {"epochs": 2.5}, "training.epochs"),
        ("training", {"epochs": None}, "training.epochs"),
        ("training", {"learning_rate": float("nan")}, "training.learning_rate"),
        ("training", {"learning_rate": 0}, "training.learning_rate"),
        ("training", {"batch_size": -1}, "training.batch_size"),
        ("training", {"loss": "hinge"}, "training.loss"),
        ("network", {"attention": 3, "hidden": 16}, "network.attention"),
        ("network", {"convolution": -1}, "network.convolution"),
        ("network", {"decoder": "recursive", "segment": 24, "context_length": 48}, "network.segment"),
        ("network", {"decoder": "recursive", "segment": 1, "bidirectional": True}, "network.bidirectional"),
        ("network", {"decoder": "recursive", "segment": 1, "convolution": 3}, "network.convolution"),
        ("training", {"patience": 0}, "training.patience"),
        ("training", {"time_budget_s": -1}, "training.time_budget_s"),
        ("training", {"weighting": "none"}, "training.weighting"),
        ("training", {"averaging": 1.0}, "training.averaging"),
        ("network", {"lookbacks": [7], "context_length": 48, "segment": 24}, "network.lookbacks"),
        ("network", {"smoothing": 99}, "network.smoothing"),
        ("network", {"statistical": -1}, "network.statistical"),
        ("network", {"ets": True, "context_length": 768, "segment": 24}, "network.ets"),
        ("network", {"ets": False, "anchor": 0.5}, "network.anchor"),
        ("network", {"anchor": 1.5}, "network.anchor"),
        ("network", {"basis": False, "linear": True}, "network.basis"),
    ],
)
def test_complaints_name_the_field(section: str, options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        default_config_for_lengths("h", 24, (0.5,), [1000], **{section: options})
    assert caught.value.field == field


def test_a_long_recursion_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        default_config_for_lengths("h", 169, (0.5,), [9000], {"decoder": "recursive", "segment": 1})
    assert caught.value.field == "network.decoder"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("hourly", 24, (0.5,)), "frequency"),
        (("h", 0, (0.5,)), "horizon"),
        (("h", 24, (0.0, 0.5)), "quantiles"),
        (("h", 24, (0.5, 0.5)), "quantiles"),
        (("h", 24, ("high",)), "quantiles"),
    ],
)
def test_complaints_about_the_task(arguments: tuple[str, int, tuple[float, ...]], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        default_config_for_lengths(*arguments, [1000])
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"country": "XX"}, "country"),
        ({"country": "de"}, "country"),
        ({"bounds": (3.0, 3.0)}, "bounds"),
        ({"horizon": 0}, "horizon"),
        ({"quantiles": (0.1, 0.9)}, "quantiles"),
    ],
)
def test_complaints_about_the_whole(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(default_config_for_lengths("h", 24, (0.5,), [1000]), **changes)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("covariates", "field"),
    [
        ({"past": ["a"], "static": ["a"]}, "covariates"),
        ({"past": ["a"], "levels": {"b": ["x"]}}, "covariates.levels"),
        ({"past": "a"}, "covariates.past"),
        ({"past": ["a"], "levels": {"a": [1]}}, "covariates.levels.a"),
        ({"future": ["a"]}, "covariates.future"),
    ],
)
def test_complaints_about_covariates(covariates: dict[str, Any], field: str) -> None:
    stored = {**default_config_for_lengths("h", 24, (0.5,), [1000]).to_dict(), "covariates": covariates}
    with pytest.raises(ConfigError) as caught:
        Config.from_dict(stored)
    assert caught.value.field == field


def test_everything_is_stored() -> None:
    panel = covariate_panel()
    config = replace(rich(panel, lookbacks=[48, 24]), bounds=(None, 9.5), nonnegative=True)
    stored = json.loads(json.dumps(config.to_dict()))
    assert Config.from_dict(stored) == config
    assert stored["covariates"]["levels"]["kind"] == ["dock", "hall"]
    assert config.inputs == ("y", "calendar", "covariates", "static")


def test_a_config_without_the_newer_fields_is_read() -> None:
    config = small()
    stored = config.to_dict()
    for name in ("covariates", "country", "bounds", "nonnegative"):
        del stored[name]
    assert Config.from_dict(stored) == config
    assert config.inputs == ("y", "calendar")


@pytest.mark.parametrize("lost", ["horizon", "network", ("network", "segment"), ("training", "epochs")])
def test_a_stored_config_must_be_whole(lost: str | tuple[str, str]) -> None:
    stored = default_config_for_lengths("h", 24, (0.5,), [1000]).to_dict()
    if isinstance(lost, tuple):
        del stored[lost[0]][lost[1]]
    else:
        del stored[lost]
    with pytest.raises(ConfigError):
        Config.from_dict(stored)


def test_a_stored_config_has_nothing_else() -> None:
    stored = default_config_for_lengths("h", 24, (0.5,), [1000]).to_dict()
    with pytest.raises(ConfigError):
        Config.from_dict({**stored, "extra": 1})
