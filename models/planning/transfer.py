"""The configuration of a training that begins from another trained network. Knows no torch."""

import dataclasses
from collections.abc import Mapping, Sequence

from models.calendar.frequency import Frequency
from models.config.model import Config
from models.config.validation import checked, require
from models.data.series import Panel
from models.planning.defaults import choose, never_negative

RATE = 0.3
"""Learning rate, as a share of what a fresh network gets"""


def transferred_for(
    source: Config,
    panel: Panel,
    horizon: int | None = None,
    *,
    bounds: tuple[float | None, float | None] = (None, None),
    training: Mapping[str, object] | None = None,
) -> Config:
    """Choose the whole configuration for a panel: `transferred`, with floors that the values suggest."""
    lengths = [len(one.y) for one in panel.series]
    config = transferred(source, panel.frequency, lengths, horizon, bounds=bounds, training=training)
    return dataclasses.replace(config, nonnegative=never_negative(panel))


def transferred(
    source: Config,
    frequency: Frequency,
    lengths: Sequence[int],
    horizon: int | None = None,
    *,
    bounds: tuple[float | None, float | None] = (None, None),
    training: Mapping[str, object] | None = None,
) -> Config:
    """Choose the configuration of a training that begins from a network of `source`.

    Network, levels, covariates, loss and country stay; the rest is chosen from the amount of new data, at a lower
    rate. Raises ConfigError for data of another frequency, and for overrides that the network could not follow.
    """
    given = dict(training or {})
    loss = checked(type(source.training), given, "training").get("loss", source.training.loss)
    require(
        loss == source.training.loss,
        "training.loss",
        f"must stay {source.training.loss}: the network's outputs are made for it",
    )
    require(
        frequency.alias == source.frequency,
        "warm_start",
        f"must be of the series' frequency {frequency.alias}; it forecasts {source.frequency}",
    )
    network = {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(source.network).items()}
    steps = source.horizon if horizon is None else horizon
    fresh = choose(frequency, steps, source.quantiles, lengths, network, {**given, "loss": loss}, source.country)
    rate = fresh.training.learning_rate * (1.0 if "learning_rate" in given else RATE)
    slower = dataclasses.replace(fresh.training, learning_rate=rate)
    return dataclasses.replace(fresh, training=slower, covariates=source.covariates, bounds=bounds)
