"""Configuration: defaults, overrides, complaints that name the field, and the JSON round trip."""

import json
import subprocess
import sys

import pytest

from models.config import Config, ConfigError
from models.defaults import ARTICLES_NETWORK, ARTICLES_TRAINING, choose


@pytest.mark.parametrize("freq", ["s", "15min", "h", "4h", "D", "B", "W", "MS", "QS", "YS", "2D", "SMS"])
@pytest.mark.parametrize("length", [0, 5, 60, 1000, 100_000])
def test_defaults_fit_every_frequency_and_length(freq: str, length: int) -> None:
    config = choose(freq, 12, (0.1, 0.9), [length])
    assert config.quantiles == (0.1, 0.5, 0.9)
    assert config.network.context_length % config.network.segment == 0
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_hourly_defaults_read_two_weeks_by_the_day() -> None:
    network = choose("h", 24, (0.5,), [17_000]).network
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
    network = choose("h", 24, (0.5,), [17_000], options).network
    assert (network.context_length, network.segment) == (context, segment)


def test_overrides_are_kept_literally() -> None:
    training = choose("h", 24, (0.5,), [17_000], training={"epochs": 100_000}).training
    assert (training.epochs, training.patience) == (100_000, None)
    training = choose("h", 24, (0.5,), [17_000], training={"epochs": 3, "patience": 2}).training
    assert (training.epochs, training.patience) == (3, 2)
    network = choose("h", 24, (0.5,), [17_000], ARTICLES_NETWORK, ARTICLES_TRAINING).network
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
        ("training", {"loss": "huber"}, "training.loss"),
        ("training", {"patience": 0}, "training.patience"),
        ("training", {"time_budget_s": -1}, "training.time_budget_s"),
    ],
)
def test_complaints_name_the_field(section: str, options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose("h", 24, (0.5,), [1000], **{section: options})
    assert caught.value.field == field


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
        choose(*arguments, [1000])
    assert caught.value.field == field


@pytest.mark.parametrize("lost", ["horizon", "network", ("network", "segment"), ("training", "epochs")])
def test_a_stored_config_must_be_whole(lost: str | tuple[str, str]) -> None:
    stored = choose("h", 24, (0.5,), [1000]).to_dict()
    if isinstance(lost, tuple):
        del stored[lost[0]][lost[1]]
    else:
        del stored[lost]
    with pytest.raises(ConfigError):
        Config.from_dict(stored)


def test_a_stored_config_has_nothing_else() -> None:
    stored = choose("h", 24, (0.5,), [1000]).to_dict()
    with pytest.raises(ConfigError):
        Config.from_dict({**stored, "extra": 1})


TORCH_FREE = (
    *("config", "defaults", "windows", "predict", "baselines", "backtest", "metrics", "report", "preflight"),
    *("phase", "checkpoint", "golden", "spans"),
)


def test_what_serving_imports_knows_no_torch() -> None:
    imports = "; ".join(f"import models.{name}" for name in TORCH_FREE)
    code = f"import sys; {imports}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
