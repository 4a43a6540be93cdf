"""Defaults: every field of a Config from frequency and amount of data, never from a data set's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, gcd, log2
from typing import Any

import numpy as np

from models.calendar.features import active_calendar_fields
from models.calendar.frequency import Frequency, parse_frequency, season_lengths
from models.config.model import Config
from models.config.network import NetworkConfig, require_seasons
from models.config.training import TrainingConfig
from models.config.validation import checked, require
from models.data.covariates import covariate_config
from models.data.series import Panel
from models.data.splits import shortest_context
from models.errors import ConfigError, FrequencyError

DEFAULT_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
MANY_SERIES = 30
SHORT_HISTORY = 200
LINEAR_FROM = 2_000
ENSEMBLE_FROM = 10_000
SECONDS_A_MEMBER = 60.0
"""of a time budget: members that train for less are worse together than one that trains for all of it"""
LONG_CONTEXT = 400
LONGEST_ETS_SEASON = 24
LONGEST_ETS_CONTEXT = 128
FEW_SERIES = 2_000
ANCHOR = 0.4
"""the M3 competition's hundreds of series hardly teach more than its best smoothing models know: half and half is
best there; of M4's thousands of yearly ones a network learns more"""
STEPS_A_BATCH = 16_384
LONGEST_SEGMENT = 96
LONGEST_DEFAULT_CONTEXT = 1440

ARTICLES_NETWORK: dict[str, object] = {
    "segment": 1,
    "cell": "lstm",
    "hidden": 64,
    "layers": 2,
    "dropout": 0.0,
    "decoder": "last_step",
    "basis": False,
    "mask": False,
    "dampen": False,
    "calendar": [],
}
"""The articles' network as overrides: `nn.LSTM(1, hidden, layers)` on values, linear on its last step."""
ARTICLES_TRAINING: dict[str, object] = {"loss": "mse", "optimizer": "adam", "weight_decay": 0.0}
"""The articles' training as overrides."""


def choose_for(
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
) -> Config:
    """Choose a whole Config for a panel: `choose`, with covariates by role, and floors that the values suggest.

    Where no observed value is negative, neither is a forecast of a series without negative values.
    """
    lengths = [len(one.y) for one in panel.series]
    config = choose(panel.frequency, horizon, quantiles, lengths, network, training, country)
    return replace(
        config,
        covariates=covariate_config(panel, known_future, past, static),
        bounds=bounds,
        nonnegative=never_negative(panel),
    )


def never_negative(panel: Panel) -> bool:
    """Return whether no observed value is below zero."""
    return not any(bool((one.y < 0).any()) for one in panel.series)


def choose(
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
    network, training = network or {}, training or {}
    parsed = _frequency(frequency)
    require(horizon >= 1, "horizon", "must be a whole number from 1 on")
    given_network = checked(NetworkConfig, network, "network")
    given_training = checked(TrainingConfig, training, "training")
    data = _Amount.of(lengths, horizon)
    seasons = given_network.get("season_lengths", season_lengths(parsed))
    require_seasons(seasons)
    shape = _shape(data, horizon, seasons, given_network)
    basis, budget = given_network.get("basis", True), given_training.get("time_budget_s")
    chosen_network: dict[str, Any] = {
        "hidden": 32 if data.total < 2_000 else 64 if data.total < 50_000 else 128,
        "scaler": "recent" if data.short or not seasons else "standard",
        "season_lengths": seasons,
        "calendar": active_calendar_fields(parsed, country),
        **(_gated(data, seasons, shape["context_length"], given_network, budget) if basis else {}),
        **given_network,
        **shape,
    }
    return Config(
        frequency=parsed.alias,
        horizon=horizon,
        quantiles=_levels(quantiles),
        network=NetworkConfig(**chosen_network),
        training=TrainingConfig(**_training(data, seasons, shape["context_length"], given_training)),
        country=country,
    )


def _frequency(frequency: Frequency | str) -> Frequency:
    try:
        return frequency if isinstance(frequency, Frequency) else parse_frequency(frequency)
    except FrequencyError as e:
        raise ConfigError("frequency", str(e)) from e


def _levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    try:
        levels = [float(q) for q in quantiles]
    except (TypeError, ValueError) as e:
        raise ConfigError("quantiles", "must be numbers between 0 and 1") from e
    require(len(set(levels)) == len(levels), "quantiles", "must be distinct")
    return tuple(sorted({*levels, 0.5}))


@dataclass(frozen=True)
class _Amount:
    """How much there is to learn from."""

    series: int
    total: int
    """steps of all series"""
    typical: int
    """length of a long series: the third quartile"""
    many: bool
    """series differ from each other, so that each may be read almost whole; windows of a few must differ"""
    short: bool
    """many series of short histories: level and trend tell more than details"""
    alone: bool
    """no series is long enough for a selection span"""

    @staticmethod
    def of(lengths: Sequence[int], horizon: int) -> "_Amount":
        typical = int(np.quantile(lengths, 0.75)) if len(lengths) else 0
        many = len(lengths) >= MANY_SERIES
        alone = not any(length >= shortest_context(horizon, length) + 2 * horizon for length in lengths)
        return _Amount(len(lengths), sum(lengths), typical, many, many and typical < SHORT_HISTORY, alone)


def _gated(
    data: _Amount, seasons: Sequence[int], context: int, given: Mapping[str, Any], budget: float | None
) -> dict[str, Any]:
    """Choose the candidates and the number of members, by what data and time can pay for."""
    members = 1 if data.total < ENSEMBLE_FROM else 3 if context <= LONG_CONTEXT else 2
    if budget is not None:
        members = max(1, min(members, int(budget // SECONDS_A_MEMBER)))
    modest = not seasons or seasons[0] <= LONGEST_ETS_SEASON
    ets = given.get("ets", context <= LONGEST_ETS_CONTEXT and (data.short or not data.many))
    return {
        "ets": ets,
        "anchor": ANCHOR if ets and data.series < FEW_SERIES else 0.0,
        "linear": data.total >= LINEAR_FROM and not (data.short and seasons),
        "smoothing": 2,
        "statistical": 2 if data.many and modest else 0,
        "lookbacks": (context,) * members if members > 1 else (),
    }


def _shape(data: _Amount, horizon: int, seasons: Sequence[int], given: Mapping[str, Any]) -> dict[str, int]:
    """Choose context length and segment together, because the one must be a multiple of the other."""
    if "context_length" in given:
        context = given["context_length"]
        segment = given.get("segment", _divisor(gcd(context, seasons[0] if seasons else context), context))
        return {"context_length": context, "segment": segment}
    # a season that the history or the default context cannot hold shapes nothing
    usable = [m for m in seasons if m <= min(data.typical, LONGEST_DEFAULT_CONTEXT)]
    wanted = min(_wanted_context(horizon, usable), LONGEST_DEFAULT_CONTEXT)
    free = data.typical - horizon if data.many else (data.typical - 2 * horizon) // 3
    room = min(wanted, max(free, 4))
    season = next((m for m in reversed(usable) if 2 * m <= room), usable[0] if usable else 1)
    least = min(2, LONGEST_DEFAULT_CONTEXT // season) if usable else 4
    context = max(room // season, least) * season
    segment = given.get("segment", _divisor(seasons[0] if seasons else context, context))
    return {
        "context_length": ceil(context / segment) * segment if segment >= 1 else context,
        "segment": segment,
    }


def _wanted_context(horizon: int, seasons: Sequence[int]) -> int:
    if not seasons:
        return max(12, min(3 * horizon, 96))
    short, long = seasons[0], seasons[-1]
    ahead = (7 if short >= 24 else 2) * ceil(horizon / short) * short
    return max(2 * long, (8 if short < 12 else 4) * short, ahead)


def _divisor(season: int, context: int) -> int:
    """Return the largest divisor of the season that leaves the recurrence six steps or more."""
    highest = max(1, min(LONGEST_SEGMENT, context // 6))
    return max(d for d in range(1, highest + 1) if season % d == 0 and context % d == 0)


def _training(data: _Amount, seasons: Sequence[int], context: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the number of steps from the amount of data; epochs set by hand are run to their end."""
    paid = data.total >= ENSEMBLE_FROM and context <= LONG_CONTEXT
    least = 64 if data.total < 50_000 else 128
    wide = 2 ** round(log2(STEPS_A_BATCH / context))
    chosen = {
        "epochs": 5 if data.alone else 30 if paid else 20,
        "steps_per_epoch": 12 if data.total < 2_000 else 25 if data.total < 10_000 else 40,
        "batch_size": 64 if data.total < 10_000 else min(512, max(least, wide)),
        "patience": None if "epochs" in given else 7,
        "learning_rate": 1e-3 if data.short and data.total < 50_000 else 3e-3,
        "weighting": "relative" if data.short and seasons else "context",
    }
    return {**chosen, **given}
