"""What a hyperparameter search varies: lists of values around a configuration. Knows neither torch nor optuna.

Settings that need each other are drawn together from the pairs that fit: context length and segment, of which the
one must be a multiple of the other, and the averaged smoothing models with their anchor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import ceil, lcm
from typing import Any

from models.config.model import Config
from models.config.network import MAX_CONTEXT, MAX_ETS_CONTEXT, NetworkConfig
from models.config.training import TrainingConfig
from models.config.validation import checked, require
from models.errors import ConfigError

SHAPE = ("context_length", "segment")
AVERAGES = ("ets", "anchor")
RECURRENCE = ("cell", "hidden", "layers", "dropout", "bidirectional", "convolution", "attention", "decoder")
NETWORK = (*SHAPE, *RECURRENCE, "smoothing", "linear", "statistical", "prophet", *AVERAGES)
TRAINING = ("learning_rate", "batch_size", "weight_decay", "loss", "weighting")
FIELD = "search.space"

CONTEXTS = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Context lengths to try, in units of the configuration's own"""
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Learning rates to try, likewise"""
SEGMENT_FACTOR = 4
"""A segment is at most this many times longer or shorter than the configuration's own"""
DEPENDED_ON = (*SHAPE, *AVERAGES, "hidden", "attention", "decoder", "bidirectional", "convolution")
"""What other values may need: some of their values or combinations, MOST_TRIED at most, must go with each value"""
MOST_TRIED = 2000
HEADS = 4
"""Heads of attention to try"""
LEAST_STEPS = 4
"""Recurrence steps that a segment leaves of one of the contexts at least"""


@dataclass(frozen=True)
class Axis:
    """Hyperparameters that are drawn together, and their options in ascending order, neighbours being alike."""

    names: tuple[str, ...]
    options: tuple[tuple[Any, ...], ...]
    """values of the names"""

    def named(self, option: tuple[Any, ...]) -> dict[str, Any]:
        """Return name -> value of an option."""
        return dict(zip(self.names, option, strict=True))


def default_space(config: Config, history: int) -> dict[str, list[Any]]:
    """Return the values that a search tries by default: name -> plain JSON values.

    `history` is the number of steps of the longest series before its selection span; no longer context is tried
    than that, but for the configuration's own.
    """
    network, training = config.network, config.training
    contexts = _contexts(config, history)
    shapes = [(c, s) for c in contexts for s in _segments(config, contexts) if c % s == 0]
    shapes = [pair for pair in shapes if accepts(config, dict(zip(SHAPE, pair, strict=True)))]
    contexts = sorted({network.context_length, *(c for c, _ in shapes)})
    hidden = [max(4, network.hidden // 2), network.hidden, 2 * network.hidden]
    found: dict[str, list[Any]] = {
        "context_length": contexts,
        "segment": sorted({network.segment, *(s for _, s in shapes)}),
        "cell": ["lstm", "gru"],
        "hidden": hidden,
        "layers": [1, 2, 3],
        "dropout": [0.0, 0.1, 0.2, 0.3, 0.4],
        "bidirectional": [False, True],
        "convolution": [0, 3],
        "attention": [0, HEADS] if all(width % HEADS == 0 for width in hidden) else [0],
        "smoothing": [0, 2, 4],
        "linear": [False, True],
        "ets": [False, True] if max(contexts) <= MAX_ETS_CONTEXT else [network.ets],
        "learning_rate": [training.learning_rate * factor for factor in RATES],
        "batch_size": [max(8, training.batch_size // 2), training.batch_size, 2 * training.batch_size],
        "weight_decay": [0.0, 1e-4, 1e-3, 1e-2, 1e-1],
    }
    alone = (name for name in found if name not in (*SHAPE, "ets"))  # which are tried beside what they go with
    found |= {name: [v for v in found[name] if accepts(config, {name: v})] for name in alone}
    found["ets"] = [v for v in found["ets"] if accepts(config, {"ets": v, "anchor": v * network.anchor})]
    return found


def axes_of(config: Config, space: Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Return what there is to draw; the configuration's own values join each list.

    Raises ConfigError, its field below `search.space`, for a name that is not searched, an ill-typed value, one
    that no combination can have, and an empty space.
    """
    require(len(space) > 0, FIELD, "must name at least one hyperparameter")
    options = {name: _options(config, name, space[name]) for name in sorted(space)}
    shapes = [options.pop(name, [getattr(config.network, name)]) for name in SHAPE]
    averages = [options.pop(name, [getattr(config.network, name)]) for name in AVERAGES]
    axes = [Axis((name,), tuple((value,) for value in values)) for name, values in options.items()]
    axes.insert(0, Axis(SHAPE, _pairs(*shapes)))
    axes.append(Axis(AVERAGES, _averages(*averages)))
    for axis in axes:
        for option in axis.options:
            _require_possible(config, axis.named(option), [one for one in axes if one != axis])
    return tuple(axis for axis in axes if len(axis.options) > 1)


def configured(config: Config, params: Mapping[str, Any]) -> Config:
    """Return the configuration with other hyperparameters; an ensemble's lookbacks follow the context length.

    Raises ConfigError for values that do not go together.
    """
    own = config.network
    network = {name: params[name] for name in NETWORK if name in params}
    training = {name: params[name] for name in TRAINING if name in params}
    context, segment = (network.get(name, getattr(own, name)) for name in SHAPE)
    least = ceil(2 / segment) * segment
    scaled = (round(n * context / own.context_length / segment) * segment for n in own.lookbacks)
    network["lookbacks"] = tuple(min(context, max(least, n)) for n in scaled)
    return replace(config, network=replace(own, **network), training=replace(config.training, **training))


def _contexts(config: Config, history: int) -> list[int]:
    """Return multiples of whole seasons and segments."""
    own = config.network
    unit = lcm(own.segment, _season(config))
    unit = unit if own.context_length % unit == 0 else own.segment
    longest = max(own.context_length, min(MAX_CONTEXT, history))
    found = {max(1, round(own.context_length * factor / unit)) * unit for factor in CONTEXTS}
    return sorted(n for n in found if 2 <= n <= longest)


def _segments(config: Config, contexts: Sequence[int]) -> list[int]:
    """Return parts or multiples of the season that divide one of the contexts into enough steps."""
    own, season = config.network.segment, _season(config)
    near = range(ceil(own / SEGMENT_FACTOR), own * SEGMENT_FACTOR + 1)
    aligned = [n for n in near if n == own or season % n == 0 or n % season == 0]
    return [n for n in aligned if n == own or any(c % n == 0 and c >= n * LEAST_STEPS for c in contexts)]


def _season(config: Config) -> int:
    return config.network.season_lengths[0] if config.network.season_lengths else 1


def _options(config: Config, name: str, given: Sequence[Any]) -> list[Any]:
    """Return the given values of one name and the configuration's own, each once, ascending."""
    known = name in NETWORK or name in TRAINING
    require(known, f"{FIELD}.{name}", f"is not searched; choose among {', '.join(NETWORK + TRAINING)}")
    listed = isinstance(given, list | tuple) and len(given) > 0
    require(listed, f"{FIELD}.{name}", "must be a list of values to try")
    kind, own = (NetworkConfig, config.network) if name in NETWORK else (TrainingConfig, config.training)
    return sorted({getattr(own, name), *(checked(kind, {name: value}, FIELD)[name] for value in given)})


def _pairs(contexts: Sequence[int], segments: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of a context length and a segment that divides it."""
    found = [(c, s) for c in contexts for s in segments if s >= 1 and c % s == 0]
    lost = sorted(set(contexts) - {c for c, _ in found})
    require(not lost, f"{FIELD}.context_length", f"{lost} are multiples of no segment among {list(segments)}")
    lost = sorted(set(segments) - {s for _, s in found})
    require(not lost, f"{FIELD}.segment", f"{lost} divide no context_length among {list(contexts)}")
    return tuple(found)


def _averages(ets: Sequence[bool], anchors: Sequence[float]) -> tuple[tuple[bool, float], ...]:
    """Return the pairs of the smoothing models and the share that they keep, which is none without them."""
    found = sorted({(use, share if use else 0.0) for use in ets for share in anchors})
    lost = sorted(set(anchors) - {share for _, share in found} - {0.0})
    require(not lost, f"{FIELD}.anchor", f"{lost} are shares of smoothing models: try ets true beside them")
    return tuple(found)


def accepts(config: Config, params: Mapping[str, Any]) -> bool:
    """Return whether the hyperparameters make a configuration."""
    try:
        configured(config, params)
    except ConfigError:
        return False
    return True


def _require_possible(config: Config, params: Mapping[str, Any], others: Sequence[Axis]) -> None:
    """Raise ConfigError unless the values go together with some of what else is tried."""
    try:
        configured(config, params)
    except ConfigError as e:
        beside = [one for one in others if set(one.names) & set(DEPENDED_ON)]
        if not any(accepts(config, {**more, **params}) for more in islice(_combined(beside), MOST_TRIED)):
            raise ConfigError(f"{FIELD}.{e.field.rpartition('.')[2]}", f"{dict(params)}: {e.detail}") from e


def _combined(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    """Return every option alone, then every combination of them, as name -> value."""
    for axis in axes:
        yield from map(axis.named, axis.options)
    for chosen in product(*(axis.options for axis in axes)):
        yield {k: v for axis, option in zip(axes, chosen, strict=True) for k, v in axis.named(option).items()}
