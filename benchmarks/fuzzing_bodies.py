"""Parsers of JSON: bodies of all calls, and the options of networks, trainings and searches that they hold."""

import json
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache
from importlib import import_module
from random import Random
from typing import Any
from zlib import crc32

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

import app.api.schemas
from app.api.http.fast_route import _parse_body
from app.api.http.problems import refuse_fields
from app.api.schemas.base import Input
from app.api.schemas.training import NetworkOptions, SearchIn, TrainingOptions
from app.errors import ServiceError
from benchmarks.fuzzing_inputs import change_value, make_any_value, make_value, write_json
from benchmarks.fuzzing_run import Target, always, parse_each
from models.config.network import NetworkConfig
from models.config.training import TrainingConfig
from models.errors import ConfigError
from models.planning.defaults import default_config_for_lengths
from models.planning.search_space import build_axes, default_space

JSON = {b"content-type": b"application/json"}
FREQUENCIES = ("h", "D", "W-SUN", "MS", "15min", "s", "YS")


@lru_cache(maxsize=1)
def list_bodies() -> tuple[type[BaseModel], ...]:
    """Return the schemas of everything that is sent as JSON."""
    found: dict[str, type[BaseModel]] = {}
    for module in pkgutil.iter_modules(app.api.schemas.__path__):
        for value in vars(import_module(f"app.api.schemas.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Input) and value is not Input:
                found[value.__name__] = value
    return tuple(found[name] for name in sorted(found))


@lru_cache(maxsize=200)
def get_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a body."""
    return model.model_json_schema()


def choose_body(data: bytes) -> tuple[type[BaseModel], bytes]:
    """Return the schema that the first line of an input names, or else one by its digest, and the body."""
    name, _, body = data.partition(b"\n")
    bodies = list_bodies()
    named = next((body for body in bodies if body.__name__.encode() == name), None)
    return named or bodies[crc32(name) % len(bodies)], body


def read_body(data: bytes) -> None:
    """Read the body of a call; what is wrong with it is described to the caller."""
    model, body = choose_body(data)
    try:
        _parse_body(model, body, JSON)
    except RequestValidationError as e:
        raise refuse_fields(e.errors(), e.body, model) from e


def build_body(random: Random) -> bytes:
    """Return a body by its schema, or its example with another part."""
    model = random.choice(list_bodies())
    schema = get_schema(model)
    example = schema.get("example")
    value = (
        make_value(random, schema, schema)
        if example is None or random.random() < 0.6
        else change_value(random, example)
    )
    return model.__name__.encode() + b"\n" + write_json(value)


def make_body_seeds() -> Sequence[bytes]:
    """Return the examples of all bodies that have one."""
    schemas = {model.__name__: get_schema(model) for model in list_bodies()}
    return [
        name.encode() + b"\n" + write_json(schema["example"]) for name, schema in schemas.items() if "example" in schema
    ]


def read_options(data: bytes) -> None:
    """Choose a configuration by options, which are checked as in a request and as the engine does, alone."""
    try:
        asked = json.loads(data)
        network, training, space = (dict(asked.get(name) or {}) for name in ("network", "training", "space"))
        horizon = int(asked["horizon"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as e:
        raise ConfigError("body", "is no object of options") from e
    frequency = FREQUENCIES[horizon % len(FREQUENCIES)]
    lengths = [abs(horizon) % 5000 + 10] * 3

    def choose() -> None:
        config = default_config_for_lengths(frequency, horizon % 1000, (0.1, 0.5, 0.9), lengths, network, training)
        assert config.horizon == horizon % 1000
        build_axes(config, space or default_space(config, max(lengths)))

    parts = (NetworkOptions, network), (TrainingOptions, training), (SearchIn, {"space": space} if space else {})
    parse_each((ConfigError, ServiceError), choose, *(_check(model, options) for model, options in parts))


def _check(model: type[BaseModel], options: dict[str, Any]) -> Callable[[], None]:
    def check() -> None:
        try:
            _parse_body(model, write_json(options), JSON)
        except RequestValidationError as e:
            raise refuse_fields(e.errors(), e.body, model) from e

    return check


def make_searched(random: Random) -> list[Any]:
    """Return values to try."""
    choices = (1, 2, 8, 24, 0.1, True, "lstm", None, make_any_value(random))
    return [random.choice(choices) for _ in range(random.randrange(4))]


def build_options(random: Random) -> bytes:
    """Return options that fit their types, and some that do not."""
    asked: dict[str, Any] = {"horizon": random.choice((1, 7, 24, 48, 100, 999))}
    for name, model in (("network", NetworkOptions), ("training", TrainingOptions)):
        schema = get_schema(model)
        names = random.sample(sorted(schema["properties"]), random.choice((0, 1, 1, 2, 4)))
        asked[name] = {field: make_value(random, schema["properties"][field], schema) for field in names}
    if random.random() < 0.3:
        searched = [field.name for kind in (NetworkConfig, TrainingConfig) for field in fields(kind)]
        asked["space"] = {random.choice(searched): make_searched(random) for _ in range(2)}
    return write_json(asked)


def make_option_seeds() -> Sequence[bytes]:
    """Return options."""
    network = {"context_length": 48, "segment": 6, "hidden": 16, "cell": "gru", "season_lengths": [24]}
    space = {"cell": ["lstm", "gru"], "hidden": [32, 64], "learning_rate": [0.001, 0.01]}
    return [
        write_json({"horizon": 24, "network": network, "training": {"epochs": 3, "loss": "student_t"}, "space": space}),
        write_json({"horizon": 12, "network": {}, "training": {}}),
    ]


TARGETS = (
    Target("request bodies", always(read_body), make_body_seeds, (ServiceError,), build_body),
    Target("network options", always(read_options), make_option_seeds, (ConfigError, ServiceError), build_options),
)
"""parsers of JSON"""
