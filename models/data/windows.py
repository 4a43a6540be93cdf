"""The one window cutter that training, prediction and backtest share.

A window is an origin (the position of the last value that the network sees), the T values up to it and the
H values after it. Windows are cut by index from one packed array in which NaN stands to the left of every
series, so that a short history is a padded one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, TypeVar

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.features import CALENDAR_FIELDS, calendar_features
from models.calendar.grid import Grid
from models.calendar.timestamps import Stamps
from models.config.model import Config
from models.data.covariates import encode, encode_static
from models.data.series import Series


class Batch(TypedDict):
    """What a network reads; it uses those that `Config.inputs` names."""

    y: Floats
    """(B, T) values, NaN where missing or before the series began"""
    calendar: Ints
    """(B, T + H, 5) calendar integers of context and horizon"""
    covariates: Floats
    """(B, T + H, C) encoded (models.data.covariates), known-future first; past ones are NaN over the horizon"""
    static: Floats
    """(B, S) encoded"""


def inputs_of(batch: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return what the network reads of a batch, by name: arrays or tensors (B, ...) each."""
    return {name: batch[name] for name in config.inputs}


class Indexable(Protocol):
    """A NumPy array or a torch tensor: anything that takes an index array."""

    def __getitem__(self, index: Any, /) -> Any: ...


A = TypeVar("A")


def cut(packed: Indexable, ends: Any, offsets: Any) -> Any:
    """Cut windows by index: packed (N, ...), ends (B,), offsets (W,) -> (B, W, ...), NumPy or torch alike."""
    return packed[ends[:, None] + offsets]


@dataclass(frozen=True, eq=False)
class Packed:
    """Values of many series in one array, NaN between them."""

    values: Floats
    """(N,)"""
    first: Ints
    """(S,) index in `values` of each series' y[0]"""


def pack(series: Sequence[Series], ends: Sequence[int], padding: int) -> Packed:
    """Pack y[:end] of each series, with `padding` NaN before and after each."""
    sizes = np.array([2 * padding + end for end in ends], np.int64)
    first = np.cumsum(sizes) - sizes + padding
    values = np.full(int(sizes.sum()), np.nan)
    for one, at, end in zip(series, first.tolist(), ends, strict=True):
        values[at : at + end] = one.y[:end]
    return Packed(values, first)


def assemble(series: Sequence[Series], origins: Ints, config: Config) -> Batch:
    """Cut the windows at `origins`.

    Args:
        series: of each window, (B,); a series may stand there more than once.
        origins: (B,) positions in the series' `y` of the last value that may be seen.
    """
    covariates, static = beside(series, origins, config)
    y, calendar = contexts(series, origins, config), calendars(series, origins, config)
    return Batch(y=y, calendar=calendar, covariates=covariates, static=static)


def contexts(series: Sequence[Series], origins: Ints, config: Config) -> Floats:
    """Return the values up to each origin, (B, T)."""
    length = config.network.context_length
    y = np.empty((len(series), length))
    for row, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        y[row] = stretch(one.y, origin + 1 - length, origin + 1)
    return y


def beside(series: Sequence[Series], origins: Ints, config: Config) -> tuple[Floats, Floats]:
    """Return the encoded covariates (B, T + H, C) and static covariates (B, S) of each window."""
    context, horizon = config.network.context_length, config.horizon
    covariates = np.empty((len(series), context + horizon, len(config.covariates.temporal)))
    static = np.empty((len(series), len(config.covariates.static)))
    for row, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        if config.covariates.temporal:
            span = (origin + 1 - context, origin + 1 + horizon)
            covariates[row] = encode(one, config.covariates, *span, seen=origin + 1)
        if config.covariates.static:
            static[row] = encode_static(one, config.covariates)
    return covariates, static


def moment_of(one: Series, origin: int) -> tuple[str, Grid | str, int]:
    """Return what windows of one frequency share that cover the same time: equal moments have equal calendars."""
    grid, index = one.grid, one.start + origin
    if grid.frequency.kind == "tick":
        return grid.timezone, grid.frequency.alias, grid.anchor + index * grid.frequency.step
    return grid.timezone, grid, index


def calendars(series: Sequence[Series], origins: Ints, config: Config) -> Ints:
    """Return the calendar integers (B, T + H, 5); windows that cover the same time share one computation."""
    offsets = np.arange(1 - config.network.context_length, config.horizon + 1, dtype=np.int64)
    rows: dict[object, int] = {}
    stamps: dict[str, list[tuple[int, Stamps]]] = {}
    inverse = np.empty(len(series), np.int64)
    for window, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        key = moment_of(one, origin)
        if key not in rows:
            rows[key] = len(rows)
            stamps.setdefault(one.grid.timezone, []).append((rows[key], one.grid.stamps(one.start + origin + offsets)))
        inverse[window] = rows[key]
    table = np.empty((len(rows), len(offsets), len(CALENDAR_FIELDS)), np.int64)
    for timezone, members in stamps.items():
        known = np.stack([found for _, found in members])
        table[[row for row, _ in members]] = calendar_features(known, timezone, config.country)
    return table[inverse]


def actuals(series: Sequence[Series], origins: Ints, horizon: int) -> Floats:
    """Return what came after each origin: (B, H), NaN where missing or outside of the series."""
    y = np.empty((len(series), horizon))
    for row, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        y[row] = stretch(one.y, origin + 1, origin + 1 + horizon)
    return y


def stretch(y: Floats, first: int, last: int) -> Floats:
    """Return the positions first..last-1 of `y`, NaN outside of it."""
    found = np.full(last - first, np.nan)
    begin, end = max(0, first), min(len(y), last)
    if end > begin:
        found[begin - first : end - first] = y[begin:end]
    return found
