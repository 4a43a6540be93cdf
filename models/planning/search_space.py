"""The space of a hyperparameter search: lists of values around a configuration. It imports no optuna.

Settings that depend on each other are drawn together, from the pairs that fit: context length and segment, whose
multiple it must be, and the averaged smoothing models with their anchor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import ceil, lcm
from typing import Any

from models.config.model import Config
from models.config.network import MAX_CONTEXT, MAX_ETS_CONTEXT, NetworkConfig
from models.config.training import TrainingConfig
from models.config.validation import coerce_options, require
from models.errors import ConfigError

SHAPE = ("context_length", "segment")
AVERAGES = ("ets", "anchor")
RECURRENCE = ("cell", "hidden", "layers", "dropout", "bidirectional", "convolution", "attention", "decoder")
NETWORK = (*SHAPE, *RECURRENCE, "smoothing", "linear", "statistical", "prophet", *AVERAGES)
TRAINING = ("learning_rate", "batch_size", "weight_decay", "loss", "weighting")
FIELD = "search.space"
"""prefix of the fields in errors"""

CONTEXTS = (0.5, 1.0, 1.5, 2.0, 3.0)
"""context lengths to try, as multiples of the configuration's"""
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""learning rates to try, as multiples of the configuration's"""
SEGMENT_FACTOR = 4
"""times that a segment may be longer or shorter than the configuration's"""
DEPENDED_ON = (*SHAPE, *AVERAGES, "hidden", "attention", "decoder", "bidirectional", "convolution")
"""names whose values other values may depend on: each value of another name must go with some of their values or
combinations, of which MOST_TRIED are tried"""
MOST_TRIED = 2000
HEADS = 4
"""heads of attention to try"""
LEAST_STEPS = 4
"""steps of the recurrence that a segment leaves of one of the contexts at least"""


@dataclass(frozen=True)
class Axis:
    """Hyperparameters that are drawn together, and their options in ascending order: neighbours are alike."""

    names: tuple[str, ...]
    options: tuple[tuple[Any, ...], ...]
    """combinations of values, each in the order of `names`"""

    def to_params(self, option: tuple[Any, ...]) -> dict[str, Any]:
        """Return an option as name -> value."""
        return dict(zip(self.names, option, strict=True))


def default_space(config: Config, history: int) -> dict[str, list[Any]]:
    """Return the values that a search tries by default: name -> plain JSON values.

    `history` is the number of steps of the longest series before its selection span, and the longest context to try
    beside the configuration's.
    """
    network, training = config.network, config.training
    contexts = _contexts(config, history)
    shapes = [(c, s) for c in contexts for s in _segments(config, contexts) if c % s == 0]
    shapes = [pair for pair in shapes if accepts(config, dict(zip(SHAPE, pair, strict=True)))]
    contexts = sorted({network.context_length, *(c for c, _ in shapes)})
    hidden = [max(4, network.hidden // 2), network.hidden, 2 * network.hidden]
    space: dict[str, list[Any]] = {
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
    single = (name for name in space if name not in (*SHAPE, "ets"))
    space |= {name: [v for v in space[name] if accepts(config, {name: v})] for name in single}
    space["ets"] = [v for v in space["ets"] if accepts(config, {"ets": v, "anchor": v * network.anchor})]
    return space


def build_axes(config: Config, space: Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Build the axes to draw from; the configuration's values join each list.

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
            _require_possible(config, axis.to_params(option), [other for other in axes if other != axis])
    return tuple(axis for axis in axes if len(axis.options) > 1)


def apply_params(config: Config, params: Mapping[str, Any]) -> Config:
    """Return the configuration with other hyperparameters; an ensemble's lookbacks follow the context length.

    Raises ConfigError for values that do not go together.
    """
    current = config.network
    network = {name: params[name] for name in NETWORK if name in params}
    training = {name: params[name] for name in TRAINING if name in params}
    context, segment = (network.get(name, getattr(current, name)) for name in SHAPE)
    least = ceil(2 / segment) * segment
    scaled = (round(n * context / current.context_length / segment) * segment for n in current.lookbacks)
    network["lookbacks"] = tuple(min(context, max(least, n)) for n in scaled)
    if network.get("anchor", current.anchor) not in (0, current.anchor):  # a share that is tried is kept
        network["anchor_chosen"] = False
    return replace(config, network=replace(current, **network), training=replace(config.training, **training))


def _contexts(config: Config, history: int) -> list[int]:
    """Return context lengths to try: multiples of whole seasons and segments, ascending."""
    network = config.network
    unit = lcm(network.segment, network.season)
    if network.context_length % unit:
        unit = network.segment
    longest = max(network.context_length, min(MAX_CONTEXT, history))
    lengths = {max(1, round(network.context_length * factor / unit)) * unit for factor in CONTEXTS}
    return sorted(n for n in lengths if 2 <= n <= longest)


def _segments(config: Config, contexts: Sequence[int]) -> list[int]:
    """Return parts or multiples of the season that divide one of the contexts into enough steps."""
    current = config.network.segment
    season = config.network.season
    near = range(ceil(current / SEGMENT_FACTOR), current * SEGMENT_FACTOR + 1)
    aligned = [n for n in near if n == current or season % n == 0 or n % season == 0]
    return [n for n in aligned if n == current or any(c % n == 0 and c >= n * LEAST_STEPS for c in contexts)]


def _options(config: Config, name: str, given: Sequence[Any]) -> list[Any]:
    """Return the given values of one name and the configuration's, each once, ascending. Raises ConfigError."""
    searched = name in NETWORK or name in TRAINING
    require(searched, f"{FIELD}.{name}", f"is not searched; choose among {', '.join(NETWORK + TRAINING)}")
    listed = isinstance(given, list | tuple) and len(given) > 0
    require(listed, f"{FIELD}.{name}", "must be a list of values to try")
    part: NetworkConfig | TrainingConfig = config.network if name in NETWORK else config.training
    values = (coerce_options(type(part), {name: value}, FIELD)[name] for value in given)
    return sorted({getattr(part, name), *values})


def _pairs(contexts: Sequence[int], segments: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of a context length and a segment that divides it. Raises ConfigError for an unpaired value."""
    pairs = [(c, s) for c in contexts for s in segments if s >= 1 and c % s == 0]
    single = sorted(set(contexts) - {c for c, _ in pairs})
    require(not single, f"{FIELD}.context_length", f"{single} are multiples of no segment among {list(segments)}")
    single = sorted(set(segments) - {s for _, s in pairs})
    require(not single, f"{FIELD}.segment", f"{single} divide no context_length among {list(contexts)}")
    return tuple(pairs)


def _averages(ets: Sequence[bool], anchors: Sequence[float]) -> tuple[tuple[bool, float], ...]:
    """Return the pairs of `ets` and `anchor`, which is 0 without smoothing models. Raises ConfigError."""
    pairs = sorted({(use, share if use else 0.0) for use in ets for share in anchors})
    unused = sorted(set(anchors) - {share for _, share in pairs} - {0.0})
    require(not unused, f"{FIELD}.anchor", f"{unused} are shares of smoothing models: try ets true with them")
    return tuple(pairs)


def accepts(config: Config, params: Mapping[str, Any]) -> bool:
    """Say whether a configuration with these hyperparameters is possible."""
    try:
        apply_params(config, params)
    except ConfigError:
        return False
    return True


def _require_possible(config: Config, params: Mapping[str, Any], others: Sequence[Axis]) -> None:
    """Raise ConfigError unless the values go with some values of the other axes."""
    try:
        apply_params(config, params)
    except ConfigError as e:
        related = [axis for axis in others if set(axis.names) & set(DEPENDED_ON)]
        if not any(accepts(config, {**more, **params}) for more in islice(_combine(related), MOST_TRIED)):
            raise ConfigError(f"{FIELD}.{e.field.rpartition('.')[2]}", f"{dict(params)}: {e.detail}") from e


def _combine(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    """Yield every option by itself, then every combination of them, as name -> value."""
    for axis in axes:
        yield from map(axis.to_params, axis.options)
    for chosen in product(*(axis.options for axis in axes)):
        yield {k: v for axis, option in zip(axes, chosen, strict=True) for k, v in axis.to_params(option).items()}
