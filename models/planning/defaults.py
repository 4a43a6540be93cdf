"""Defaults: every field of a Config from the frequency and the amount of data, never from the name of a data set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import log2
from typing import Any

import numpy as np

from models.calendar.features import active_calendar_fields
from models.calendar.frequency import Frequency, parse_frequency, season_lengths
from models.config.blocks import find_blocks
from models.config.cleaning import CleaningConfig, parse_cleaning_options
from models.config.model import Config
from models.config.network import NetworkConfig, require_seasons
from models.config.training import TrainingConfig
from models.config.validation import coerce_options, require
from models.data.aggregation import aggregate_panel
from models.data.covariates import build_covariate_config
from models.data.off_clock import find_off_clock
from models.data.series import Panel
from models.errors import ConfigError, FrequencyError
from models.planning.data_size import LARGE_DATA, MEDIUM_DATA, SMALL_DATA, DataSize, by_amount
from models.planning.shape import LONGEST_DEFAULT_CONTEXT, LONGEST_ETS_CONTEXT, choose_shape
from models.planning.values import find_signs, is_intermittent, is_repeating, is_whole

DEFAULT_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

FEW_SERIES = 2_000
"""series below which smoothing models keep their share, ANCHOR"""
SECONDS_A_MEMBER = 60.0
"""seconds of a time budget for each member: members that train for less are worse together than one that trains for
all of it (docs/networks.md)"""
LONG_CONTEXT = 400
"""steps of a context above which a third member, and more epochs, cost too much"""
LONGEST_ETS_SEASON = 24
"""steps of a season with which exponential smoothing models are fitted to a sample"""
ANCHOR = 0.4
"""share of the point forecast that stays with the smoothing models. The M3 competition's hundreds of series teach a
network hardly more than its best smoothing models have: half and half is best there. Of M4's thousands of yearly series
it learns more"""
ANCHOR_OF_FEW = 0.9
"""The same where a few short series are all there is, and where no window is left to choose it by: on held-out ends of
such series, each more of it was better"""
CANDIDATES = frozenset({"basis", "ets", "linear", "prophet", "smoothing", "statistical"})
"""fields of a network that say which candidates there are"""
SHAPING = CANDIDATES | {"context_length", "lookbacks", "season_lengths", "segment"}
"""those, and the ones that lengths depend on: where one is set by hand the others are as for any data"""
LEAST_CALIBRATED_DAYS = 182
"""days of history from which on a calibrated forecast is tried: a share of them chooses its share, and the shortest of
its windows are eight weeks; a judgement"""
STEPS_A_BATCH = 16_384
"""steps of all contexts in a batch of much data"""


def default_config(
    panel: Panel,
    horizon: int,
    quantiles: Sequence[float] = DEFAULT_QUANTILES,
    *,
    known_future: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
    country: str | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
    network: Mapping[str, object] | None = None,
    training: Mapping[str, object] | None = None,
    cleaning: Mapping[str, object] | None = None,
) -> Config:
    """Choose the configuration of a model for a panel by its frequency and its amount of data.

    Args:
        horizon: H, steps to predict.
        quantiles: levels; 0.5, the point forecast, joins them.
        known_future, past, static: names of covariates by role.
        country: country of public holidays, such as `DE` or `US-NY`.
        bounds: least and greatest value of a forecast.
        network, training: fields of `NetworkConfig` and `TrainingConfig` to set by hand.
        cleaning: fields of `CleaningConfig`; with `aggregate` horizon and season are those of the coarser steps.

    Where no observed value of a series is negative, neither is a forecast of a context without negative values. Raises
    ConfigError, which names the field.
    """
    cleaned = complete_cleaning(parse_cleaning_options(cleaning), panel.frequency)
    panel = aggregate_panel(panel, cleaned)[0]
    lengths = [len(series.y) for series in panel.series]
    if is_repeating(panel):  # smoothing models would keep a share of what a season forecasts exactly
        network = {"anchor": 0.0, **(network or {})}
    if (known_future or past) and "anchor" not in (network or {}):  # the smoothing models know nothing of them
        network = {"anchor_chosen": True, **(network or {})}
    if is_intermittent(panel):
        network = {**_plan_intermittent(lengths, network or {}), **(network or {})}
    config = default_config_for_lengths(panel.frequency, horizon, quantiles, lengths, network, training, country)
    return replace(
        config,
        covariates=build_covariate_config(panel, known_future, past, static),
        bounds=bounds,
        cleaning=cleaned,
        off_clock=find_off_clock(panel, config.network.season_lengths),
        exact=True,
        mean=True,
        whole=is_whole(panel),
        # of a long context only the network says what is past
        level_shifts=config.network.ets and config.network.ets_models == "wide",
        **find_signs(panel),
    )


def complete_cleaning(cleaning: CleaningConfig, source: Frequency) -> CleaningConfig:
    """Return a cleaning that knows the frequency of the series that are aggregated. Raises ConfigError where those make
    no whole steps of the coarser one."""
    aggregate = cleaning.aggregate
    if aggregate is None or aggregate.source is not None:
        return cleaning
    canonical = _parse_frequency(aggregate.freq).alias
    return replace(cleaning, aggregate=replace(aggregate, freq=canonical, source=source.alias))


def _plan_intermittent(lengths: Sequence[int], given: Collection[str]) -> dict[str, object]:
    """Choose what is particular in a network of demand that is mostly zero, beside the fields that are `given`.

    Its median is often zero, and no mean of smoothing models is. In a few hundred values of it seasons and trends are
    chance, and what tells most is how often there was any demand in a long context: on single monthly series of Poisson
    counts the pinball loss falls by half.
    """
    if sum(lengths) >= SMALL_DATA or not SHAPING.isdisjoint(given):
        return {"anchor": 0.0}
    context = min(max(4, int(np.median(lengths)) // 2), LONGEST_DEFAULT_CONTEXT)
    return {"basis": False, "scaler": "standard", "season_lengths": [], "context_length": context}


def default_config_for_lengths(
    frequency: Frequency | str,
    horizon: int,
    quantiles: Sequence[float],
    lengths: Sequence[int],
    network: Mapping[str, object] | None = None,
    training: Mapping[str, object] | None = None,
    country: str | None = None,
) -> Config:
    """Choose a Config without covariates from the frequency and the amount of data.

    `lengths` are the series' numbers of steps; `network` and `training` override single fields. The level
    0.5, the point forecast, joins `quantiles` if it is not there. Raises ConfigError naming the field.
    """
    parsed = _parse_frequency(frequency)
    require(horizon >= 1, "horizon", "must be a whole number from 1 on")
    network_overrides = coerce_options(NetworkConfig, network or {}, "network")
    training_overrides = coerce_options(TrainingConfig, training or {}, "training")
    data = DataSize.of(lengths, horizon)
    seasons = network_overrides.get("season_lengths", season_lengths(parsed))
    require_seasons(seasons)
    shape = choose_shape(data, horizon, seasons, network_overrides)
    context = shape["context_length"]
    chosen: dict[str, Any] = {
        "hidden": by_amount(data.total, 32, 64, 128, (SMALL_DATA, LARGE_DATA)),
        "scaler": "recent" if data.short or not seasons else "standard",
        "season_lengths": seasons,
        "calendar": active_calendar_fields(parsed, country),
    }
    if network_overrides.get("basis", True):
        budget_s = training_overrides.get("time_budget_s")
        chosen |= _choose_candidates(data, seasons, context, network_overrides, budget_s)
    fields = NetworkConfig(**{**chosen, **network_overrides, **shape})
    if "calibrated" not in network_overrides:
        fields = replace(fields, calibrated=_is_calibrated(parsed, horizon, fields, data))
    return Config(
        frequency=parsed.alias,
        horizon=horizon,
        quantiles=_parse_levels(quantiles),
        network=fields,
        training=TrainingConfig(**_choose_training(data, seasons, context, training_overrides)),
        country=country,
    )


def _is_calibrated(frequency: Frequency, horizon: int, network: NetworkConfig, data: DataSize) -> bool:
    """Choose whether a calibrated forecast stands beside the network: where it fits, and there are days enough."""
    blocks = find_blocks(frequency.alias, horizon, network)
    return network.basis and blocks is not None and data.typical >= LEAST_CALIBRATED_DAYS * blocks.day


def _parse_frequency(frequency: Frequency | str) -> Frequency:
    try:
        return frequency if isinstance(frequency, Frequency) else parse_frequency(frequency)
    except FrequencyError as e:
        raise ConfigError("frequency", str(e)) from e


def _parse_levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    try:
        levels = [float(q) for q in quantiles]
    except (TypeError, ValueError) as e:
        raise ConfigError("quantiles", "must be numbers between 0 and 1") from e
    require(len(set(levels)) == len(levels), "quantiles", "must be distinct")
    return tuple(sorted({*levels, 0.5}))


def _choose_candidates(
    data: DataSize, seasons: Sequence[int], context: int, overrides: Mapping[str, Any], budget_s: float | None
) -> dict[str, Any]:
    """Choose the candidates and the number of members, as far as data and time suffice."""
    members = _count_members(data, context, budget_s)
    modest = not seasons or seasons[0] <= LONGEST_ETS_SEASON
    ets = overrides.get("ets", context <= LONGEST_ETS_CONTEXT and (data.short or not data.many))
    return {
        "ets": ets,
        "ets_models": "basic" if data.many else "wide",
        "anchor": _choose_anchor(data) if ets else 0.0,
        "anchor_chosen": not data.many and "anchor" not in overrides,
        "linear": data.total >= SMALL_DATA and not (data.short and seasons),
        "smoothing": 2,
        "statistical": 2 if data.many and modest else 0,
        "lookbacks": (context,) * members if members > 1 else (),
    }


def _choose_anchor(data: DataSize) -> float:
    """Choose the share of the point forecast that stays with the smoothing models."""
    if data.series >= FEW_SERIES:
        return 0.0
    return ANCHOR if data.many or data.total >= SMALL_DATA else ANCHOR_OF_FEW


def _count_members(data: DataSize, context: int, budget_s: float | None) -> int:
    """Choose the number of members of the ensemble."""
    if data.total < MEDIUM_DATA:
        return 1
    members = 3 if context <= LONG_CONTEXT else 2
    return members if budget_s is None else max(1, min(members, int(budget_s // SECONDS_A_MEMBER)))


def _choose_training(
    data: DataSize, seasons: Sequence[int], context: int, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Choose the number of steps by the amount of data; epochs set by hand are run to their end."""
    chosen = {
        "epochs": _count_epochs(data, context),
        "steps_per_epoch": by_amount(data.total, 12, 25, 40, (SMALL_DATA, MEDIUM_DATA)),
        "batch_size": _choose_batch_size(data, context),
        "patience": None if "epochs" in overrides else 7,
        "learning_rate": 1e-3 if data.short and data.total < LARGE_DATA else 3e-3,
        "weighting": "relative" if data.short and seasons else "context",
    }
    return {**chosen, **overrides}


def _count_epochs(data: DataSize, context: int) -> int:
    """Choose the most epochs: few where no selection span ends the training early."""
    if data.alone:
        return 5
    return 30 if data.total >= MEDIUM_DATA and context <= LONG_CONTEXT else 20


def _choose_batch_size(data: DataSize, context: int) -> int:
    """Choose the windows of a batch: of much data about STEPS_A_BATCH steps, a power of two."""
    if data.total < MEDIUM_DATA:
        return 64
    least = 64 if data.total < LARGE_DATA else 128
    windows = int(2 ** round(log2(STEPS_A_BATCH / context)))
    return min(512, max(least, windows))
