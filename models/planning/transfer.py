"""The configuration of a training that begins from another trained network."""

import dataclasses
from collections.abc import Mapping, Sequence

from models.calendar.frequency import Frequency, parse_frequency, share_dates
from models.config.blocks import find_blocks
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.config.network import NetworkConfig
from models.config.validation import coerce_options, require
from models.data.aggregation import aggregate_panel
from models.data.off_clock import find_off_clock
from models.data.series import Panel
from models.planning.defaults import default_config_for_lengths
from models.planning.values import find_signs, is_whole

LEARNING_RATE_SHARE = 0.3
"""share of a fresh network's learning rate; a judgement"""


def transfer_config(
    source: Config,
    panel: Panel,
    horizon: int | None = None,
    *,
    bounds: tuple[float | None, float | None] = (None, None),
    training: Mapping[str, object] | None = None,
    cleaning: CleaningConfig | None = None,
) -> Config:
    """Choose the configuration for a panel: `transfer_config_for_lengths`, with the signs that its values have.

    `cleaning` is that of the source by default, which aggregates the panel.
    """
    cleaned = source.cleaning if cleaning is None else cleaning
    panel = aggregate_panel(panel, cleaned)[0]
    lengths = [len(series.y) for series in panel.series]
    config = transfer_config_for_lengths(source, panel.frequency, lengths, horizon, bounds=bounds, training=training)
    off_clock = find_off_clock(panel, config.network.season_lengths)
    return dataclasses.replace(
        config,
        cleaning=cleaned,
        off_clock=off_clock,
        exact=True,
        mean=True,
        whole=is_whole(panel),
        **find_signs(panel),
    )


def transfer_config_for_lengths(
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
    rate. Raises ConfigError for data of another frequency, and for overrides that do not fit the network.
    """
    overrides = dict(training or {})
    loss = coerce_options(type(source.training), overrides, "training").get("loss", source.training.loss)
    require(
        loss == source.training.loss,
        "training.loss",
        f"must stay {source.training.loss}: the network's outputs are made for it",
    )
    require(
        share_dates(frequency, parse_frequency(source.frequency)),
        "warm_start",
        f"must be of the series' frequency {frequency.alias}; it forecasts {source.frequency}",
    )
    wanted = source.horizon if horizon is None else horizon
    network = source.network
    if network.calibrated and find_blocks(frequency.alias, wanted, network) is None:
        network = dataclasses.replace(network, calibrated=False)  # the new horizon is longer than a week
    fresh = default_config_for_lengths(
        frequency,
        wanted,
        source.quantiles,
        lengths,
        network=_to_options(network),
        training={**overrides, "loss": loss},
        country=source.country,
    )
    share = 1.0 if "learning_rate" in overrides else LEARNING_RATE_SHARE
    slower = dataclasses.replace(fresh.training, learning_rate=fresh.training.learning_rate * share)
    return dataclasses.replace(fresh, training=slower, covariates=source.covariates, bounds=bounds)


def _to_options(network: NetworkConfig) -> dict[str, object]:
    """Return the fields of a network as plain JSON values, which override every default."""
    fields = dataclasses.asdict(network)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
