"""The space of a search: every combination is a configuration."""

import random
from typing import Any

import pytest

from models.config.model import Config
from models.errors import ConfigError
from models.planning.defaults import default_config_for_lengths
from models.planning.search_space import SHAPE, apply_params, build_axes, default_space
from tests.models.examples import small

CONFIG = small(12, context_length=48, segment=12)


@pytest.mark.parametrize(
    ("frequency", "horizon", "length", "network"),
    [
        ("h", 24, 900, {}),
        ("h", 24, 900, {"context_length": 240, "segment": 24, "lookbacks": [48, 120, 240]}),
        ("YS", 6, 30, {}),
        ("MS", 18, 120, {"linear": True, "smoothing": 3}),
        ("15min", 96, 5000, {}),
        ("D", 30, 60, {"basis": False}),
        ("min", 10_000, 100_000, {"context_length": 10_000, "segment": 50}),
        ("h", 12, 2000, {"ets": True}),
        ("h", 12, 2000, {"context_length": 512, "segment": 16, "ets": True}),
        ("h", 12, 2000, {"context_length": 500, "segment": 50}),
        ("h", 12, 2000, {"context_length": 1000, "segment": 100}),
        ("h", 12, 2000, {"context_length": 13, "segment": 13}),
        ("h", 12, 2000, {"decoder": "recursive", "segment": 1}),
        ("h", 12, 2000, {"hidden": 30}),
    ],
)
def test_every_default_combination_is_a_configuration(
    frequency: str, horizon: int, length: int, network: dict[str, Any]
) -> None:
    config = default_config_for_lengths(frequency, horizon, (0.1, 0.5, 0.9), [length], network)
    axes = build_axes(config, default_space(config, length))
    assert len(axes) >= 6
    rng = random.Random(0)
    for _ in range(200):
        params: dict[str, Any] = {}
        for axis in axes:
            params |= axis.to_params(rng.choice(axis.options))
        found = apply_params(config, params)
        assert all(getattr(found.network, name, getattr(found.training, name, None)) == v for name, v in params.items())
        assert len(found.network.lookbacks) == len(config.network.lookbacks)


def test_the_configurations_own_values_join_and_give_it_back() -> None:
    axes = build_axes(CONFIG, {"hidden": [64, 8], "dropout": [0.25], "learning_rate": [1]})
    assert [(axis.names, [v for (v,) in axis.options]) for axis in axes] == [
        (("dropout",), [0.1, 0.25]),
        (("hidden",), [8, 16, 64]),
        (("learning_rate",), [3e-3, 1.0]),
    ]
    assert apply_params(CONFIG, {"hidden": 16, "dropout": 0.1, "learning_rate": 3e-3}) == CONFIG


def test_a_space_of_one_value_varies_nothing() -> None:
    assert build_axes(CONFIG, {"hidden": [16]}) == ()


def test_segments_meet_only_contexts_that_they_divide() -> None:
    (axis,) = build_axes(CONFIG, {"context_length": [36, 60], "segment": [10, 18]})
    assert axis.names == SHAPE
    assert axis.options == ((36, 12), (36, 18), (48, 12), (60, 10), (60, 12))


def test_contexts_are_whole_seasons_within_the_history() -> None:
    space = default_space(CONFIG, 100)
    assert space["context_length"] == [24, 48, 72, 96]
    assert all(24 % n == 0 or n % 24 == 0 for n in space["segment"])
    assert default_space(CONFIG, 10)["context_length"] == [24, 48]


def test_an_ensemble_keeps_its_proportions() -> None:
    config = default_config_for_lengths(
        "h", 24, (0.5,), [900], {"context_length": 96, "segment": 24, "lookbacks": [48, 72, 96]}
    )
    assert apply_params(config, {"context_length": 192}).network.lookbacks == (96, 144, 192)
    assert apply_params(config, {"context_length": 24, "segment": 12}).network.lookbacks == (12, 24, 24)
    assert apply_params(config, {"context_length": 96}) == config


def test_without_the_basis_nothing_that_needs_it_is_tried() -> None:
    space = default_space(small(12, basis=False), 200)
    assert space["linear"] == [False]
    assert space["smoothing"] == [0]


@pytest.mark.parametrize(
    ("field", "space"),
    [
        ("search.space", {}),
        ("search.space.basis", {"basis": [True]}),
        ("search.space.hidden", {"hidden": []}),
        ("search.space.hidden", {"hidden": 32}),
        ("search.space.hidden", {"hidden": [1.5]}),
        ("search.space.hidden", {"hidden": [8, 4096]}),
        ("search.space.cell", {"cell": ["rnn"]}),
        ("search.space.dropout", {"dropout": [1.0]}),
        ("search.space.batch_size", {"batch_size": [0]}),
        ("search.space.segment", {"segment": [0]}),
        ("search.space.segment", {"segment": [10]}),
        ("search.space.context_length", {"context_length": [50]}),
        ("search.space.context_length", {"context_length": [0]}),
        ("search.space.context_length", {"context_length": [12_000]}),
    ],
)
def test_impossible_values_are_named(field: str, space: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as e:
        build_axes(CONFIG, space)
    assert e.value.field == field


def test_linear_needs_the_basis() -> None:
    config: Config = small(12, basis=False)
    with pytest.raises(ConfigError, match="linear"):
        build_axes(config, {"linear": [True]})


def test_smoothing_models_are_drawn_with_their_anchor() -> None:
    config = small(12, context_length=48, segment=12, ets=True, anchor=0.4)
    (axis,) = build_axes(config, {"ets": [False], "anchor": [0.2]})
    assert axis.names == ("ets", "anchor")
    assert axis.options == ((False, 0.0), (True, 0.2), (True, 0.4))
    with pytest.raises(ConfigError, match="try ets true") as e:
        build_axes(CONFIG, {"anchor": [0.2]})
    assert e.value.field == "search.space.anchor"


def test_the_networks_that_articles_name_are_in_the_default_space() -> None:
    space = default_space(CONFIG, 300)
    assert space["bidirectional"] == [False, True]
    assert (space["convolution"], space["attention"], space["ets"]) == ([0, 3], [0, 4], [False, True])
    given = {"decoder": ["recursive"], "segment": [1], "hidden": [32], "attention": [4]}
    names = [axis.names for axis in build_axes(small(12, context_length=48, segment=12, hidden=30), given)]
    assert names == [SHAPE, ("attention",), ("decoder",), ("hidden",)]  # each goes with some of the others
    heads = small(12, context_length=48, segment=12, hidden=32, attention=4)
    (attention, hidden) = build_axes(heads, {"hidden": [30, 60], "attention": [0, 2]})
    assert (attention.options, hidden.options) == (((0,), (2,), (4,)), ((30,), (32,), (60,)))
    wide = [16 * k for k in range(1, 100)]
    assert len(build_axes(CONFIG, {"attention": [5], "hidden": [*wide, 1680]})) == 2
    recursive = default_space(small(12, decoder="recursive", segment=1), 300)
    assert (recursive["bidirectional"], recursive["convolution"]) == ([False], [0])
