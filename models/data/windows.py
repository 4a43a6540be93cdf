"""The window cutter that training, prediction and backtest share.

A window is an origin (the position of the last value in the context), the T values up to it and the H values after it.
For training, windows are cut by index from one packed array with NaN on both sides of every series, so that a short
history is a padded one. Shapes: B windows, T context, H horizon, C temporal and S static covariates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, Protocol, TypedDict

import numpy as np

from models.arrays import Floats, Ints
from models.calendar.features import CALENDAR_FIELDS, calendar_features
from models.calendar.grid import Grid
from models.calendar.timestamps import Stamps
from models.config.model import Config
from models.data.cleaning import clean_for
from models.data.covariates import encode, encode_static
from models.data.series import Series


class Batch(TypedDict):
    """The inputs of a network, which reads those in `Config.inputs`."""

    y: Floats
    """(B, T) cleaned values, NaN where missing or before the first of the series"""
    calendar: Ints
    """(B, T + H, 5) calendar integers of context and horizon"""
    covariates: Floats
    """(B, T + H, C) encoded (models.data.covariates), known-future first; past ones are NaN over the horizon"""
    static: Floats
    """(B, S) encoded"""
    signed: NotRequired[Floats]
    """(B, 1) 1 where zero is no bound whatever the context holds; read where `Config.signed` names any series"""


def inputs_of(batch: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return the inputs of the network among those of a batch, by name: arrays or tensors (B, ...)."""
    return {name: batch[name] for name in config.inputs}


def graph_inputs_of(batch: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return the inputs of the whole graph, bounds and all, among those of a batch."""
    return {name: batch[name] for name in config.graph_inputs}


def mark_signed(series: Sequence[Series], config: Config) -> Floats:
    """Mark the series (B,) that may be forecast below zero whatever their contexts hold: (B, 1)."""
    return np.array([[float(config.is_signed(item.id))] for item in series]).reshape(len(series), 1)


class Indexable(Protocol):
    """An object that takes an index array, such as a NumPy array or a torch tensor."""

    def __getitem__(self, index: Any, /) -> Any: ...


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
    """Pack y[:end] of each series, `padding` steps of NaN before and after it."""
    sizes = np.array([2 * padding + end for end in ends], np.int64)
    first = np.cumsum(sizes) - sizes + padding
    values = np.full(int(sizes.sum()), np.nan)
    for item, begin, end in zip(series, first.tolist(), ends, strict=True):
        values[begin : begin + end] = item.y[:end]
    return Packed(values, first)


def assemble(series: Sequence[Series], origins: Ints, config: Config) -> Batch:
    """Cut the windows at `origins`.

    Args:
        series: (B,) the series of each window; one may occur more than once.
        origins: (B,) positions in the series' `y` of the last value in the context.

    Raises ConfigError for covariates that are no numbers where the model was trained on numbers.
    """
    covariates, static = cut_covariates(series, origins, config)
    return Batch(
        y=cut_contexts(series, origins, config),
        calendar=cut_calendars(series, origins, config),
        covariates=covariates,
        static=static,
        signed=mark_signed(series, config),
    )


def cut_contexts(series: Sequence[Series], origins: Ints, config: Config) -> Floats:
    """Cut the values up to each origin: (B, T), cleaned as the model reads them, NaN where missing or outside of the
    series."""
    length = config.network.context_length
    y = np.empty((len(series), length))
    for row, (item, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        y[row] = slice_padded(item.y, origin + 1 - length, origin + 1)
    return clean_for(y, config)


def cut_covariates(series: Sequence[Series], origins: Ints, config: Config) -> tuple[Floats, Floats]:
    """Encode the covariates (B, T + H, C) and static covariates (B, S) of each window. Raises ConfigError."""
    context, horizon = config.network.context_length, config.horizon
    covariates = np.empty((len(series), context + horizon, len(config.covariates.temporal)))
    static = np.empty((len(series), len(config.covariates.static)))
    for row, (item, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        if config.covariates.temporal:
            span = (origin + 1 - context, origin + 1 + horizon)
            covariates[row] = encode(item, config.covariates, *span, seen=origin + 1)
        if config.covariates.static:
            static[row] = encode_static(item, config.covariates)
    return covariates, static


def calendar_key(series: Series, origin: int) -> tuple[str, Grid | str, int]:
    """Build a key that is equal for windows of one frequency that cover the same time, and so have equal calendars."""
    grid = series.grid
    index = series.start + origin
    if grid.frequency.kind == "tick":
        return grid.timezone, grid.frequency.alias, grid.anchor + index * grid.frequency.step
    return grid.timezone, grid, index


def cut_calendars(series: Sequence[Series], origins: Ints, config: Config) -> Ints:
    """Compute the calendar integers (B, T + H, 5), once for all windows that cover the same time."""
    offsets = np.arange(1 - config.network.context_length, config.horizon + 1, dtype=np.int64)
    rows: dict[object, int] = {}
    stamps: dict[str, list[tuple[int, Stamps]]] = {}
    inverse = np.empty(len(series), np.int64)
    for window, (item, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        key = calendar_key(item, origin)
        if key not in rows:
            rows[key] = len(rows)
            covered = item.grid.stamps(item.start + origin + offsets)
            stamps.setdefault(item.grid.timezone, []).append((rows[key], covered))
        inverse[window] = rows[key]
    table = np.empty((len(rows), len(offsets), len(CALENDAR_FIELDS)), np.int64)
    for timezone, members in stamps.items():
        local = np.stack([covered for _, covered in members])  # (rows of this timezone, T + H)
        table[[row for row, _ in members]] = calendar_features(local, timezone, config.country)
    return table[inverse]


def cut_actuals(series: Sequence[Series], origins: Ints, horizon: int) -> Floats:
    """Cut the values after each origin: (B, H), NaN where missing or outside of the series."""
    y = np.empty((len(series), horizon))
    for row, (item, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        y[row] = slice_padded(item.y, origin + 1, origin + 1 + horizon)
    return y


def slice_padded(y: Floats, first: int, last: int) -> Floats:
    """Return the positions first..last-1 of `y`, NaN outside of it."""
    values = np.full(last - first, np.nan)
    begin, end = max(0, first), min(len(y), last)
    if end > begin:
        values[begin - first : end - first] = y[begin:end]
    return values
