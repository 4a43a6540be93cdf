"""Training windows: which origins may be drawn, how they are drawn, how batches are gathered.

Shapes: B windows, T context, H horizon, C temporal and S static covariates, N packed values, V origins, G rows of the
calendar.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.arrays import Floats, Ints
from models.calendar.features import calendar_features
from models.calendar.grid import Grid
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.cleaning import clean_for
from models.data.covariates import encode, encode_static
from models.data.level_shifts import count_shifts, find_crossed
from models.data.series import Series, observed_span
from models.data.splits import shortest_context
from models.data.wall_clock import read_clocks, read_history
from models.data.windows import assemble, cut, cut_actuals, pack
from models.errors import OffGridError

BALANCE = 0.5
"""Weight of a series is its number of windows to this power: between one vote a series and one a window."""
RECENT_LATTICES = 8
"""lattices, the last ones, that a grid is looked up in before it becomes a new one"""


class TensorBatch(TypedDict):
    """Windows on the device."""

    y: Tensor
    """(B, T) float64, NaN where missing"""
    calendar: Tensor
    """(B, T + H, 5) int64"""
    covariates: Tensor
    """(B, T + H, C) float64, NaN where missing"""
    static: Tensor
    """(B, S) float64"""
    target: Tensor
    """(B, H) float64, NaN where missing or past the end of the span"""


@dataclass(frozen=True, eq=False)
class WindowPool:
    """All training windows of a span, drawn at random and cut by index."""

    values: Tensor
    """(N,) packed values, NaN between series and after the span"""
    covariates: Tensor
    """(N, C) of the same steps as the values"""
    past: Tensor
    """(C,) whether a covariate is unknown after the origin"""
    static: Tensor
    """(series, S)"""
    calendar: Tensor
    """(G, 5) calendar integers of every step that a window may touch"""
    shift: Tensor
    """(series,) what turns a packed position of a series into a row of `calendar`"""
    origins: Tensor
    """(V,) packed positions that may be origins, series after series"""
    first: Tensor
    """(series,) where the origins of each begin"""
    count: Tensor
    """(series,) how many origins each has"""
    cumulative: Tensor
    """(series,) cumulative weight"""
    context_length: int
    """T"""
    horizon: int
    """H"""
    config: Config
    """by which contexts are cleaned"""
    shifts: Tensor | None = None
    """(N,) how often the level has shifted up to each packed value, where that is looked at"""

    def draw(self, batch_size: int, generator: torch.Generator) -> TensorBatch:
        """Draw a batch; `generator` lives on the CPU, so that every device draws the same windows."""
        uniform = torch.rand(2, batch_size, generator=generator, dtype=torch.float64).to(self.values.device)  # (2, B)
        series = torch.searchsorted(self.cumulative, uniform[0] * self.cumulative[-1], right=True)
        series = series.clamp(max=len(self.count) - 1)
        number = (uniform[1] * self.count[series]).long().clamp(max=self.count[series] - 1)  # of the series' origins
        return self.cut(self.origins[self.first[series] + number], series)

    def cut(self, ends: Tensor, series: Tensor) -> TensorBatch:
        """Cut the windows that end at packed positions (B,) of series (B,)."""
        offsets = torch.arange(1 - self.context_length, self.horizon + 1, device=ends.device)
        window = cut(self.values, ends, offsets)  # (B, T + H)
        covariates = cut(self.covariates, ends, offsets)  # (B, T + H, C)
        unknown = (offsets > 0)[:, None] & self.past  # (T + H, C)
        target = window[:, self.context_length :]
        if self.shifts is not None:
            shifts = cut(self.shifts, ends, offsets[self.context_length - 1 :])  # (B, 1 + H)
            target = torch.where(shifts[:, 1:] == shifts[:, :1], target, torch.nan)
        return TensorBatch(
            y=self._clean(window[:, : self.context_length]),
            calendar=cut(self.calendar, ends + self.shift[series], offsets),
            covariates=torch.where(unknown, torch.nan, covariates),
            static=self.static[series],
            target=target,
        )

    def _clean(self, y: Tensor) -> Tensor:
        """Clean contexts (B, T) by the function that serving cleans them by."""
        if not self.config.cleaning.changes_contexts:
            return y
        return torch.from_numpy(clean_for(y.cpu().numpy(), self.config)).to(y.device)


def window_pool(
    series: Sequence[Series], ends: Sequence[int], config: Config, device: torch.device
) -> WindowPool | None:
    """Build the pool of windows that see nothing of y[end:]; None where no window has an observed target."""
    network = config.network
    covariates = config.covariates
    padding = max(network.context_length, config.horizon)
    series = [read_history(item, end, config, padding) for item, end in zip(series, ends, strict=True)]
    origins = [_find_origins(item.y[:end], config.horizon) for item, end in zip(series, ends, strict=True)]
    kept = [row for row, positions in enumerate(origins) if len(positions)]
    if not kept:
        return None
    series = [series[row] for row in kept]
    ends = [ends[row] for row in kept]
    origins = [origins[row] for row in kept]
    packed = pack(series, ends, padding)
    table, rows = _calendar_table(series, ends, padding, config.country)
    count = np.array([len(positions) for positions in origins], np.int64)
    packed_origins = np.concatenate([first + positions for first, positions in zip(packed.first, origins, strict=True)])

    def tensor(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(device)

    return WindowPool(
        values=tensor(packed.values),
        covariates=tensor(_pack_covariates(series, ends, padding, covariates)),
        past=tensor(np.array([name in covariates.past for name in covariates.temporal], np.bool_)),
        static=tensor(np.stack([encode_static(item, covariates) for item in series])),
        calendar=tensor(table),
        shift=tensor(rows - packed.first),
        origins=tensor(packed_origins),
        first=tensor(np.cumsum(count) - count),
        count=tensor(count),
        cumulative=tensor(np.cumsum(count.astype(np.float64) ** BALANCE)),
        context_length=network.context_length,
        horizon=config.horizon,
        config=config,
        shifts=tensor(_pack_shifts(series, ends, padding, config)) if config.level_shifts else None,
    )


def fixed_batch(series: Sequence[Series], origins: Ints, config: Config, device: torch.device) -> TensorBatch:
    """Return the windows at `origins` (B,) of series (B,), cut by the serving path's own cutter."""
    windows = read_clocks(series, origins, config)
    batch = assemble(windows.series, windows.origins, config)
    actual = cut_actuals(series, origins, config.horizon)
    if config.level_shifts:
        _hide_shifted(actual, series, origins, config)
    target = windows.gather(actual)
    return TensorBatch(
        y=torch.from_numpy(batch["y"]).to(device),
        calendar=torch.from_numpy(batch["calendar"]).to(device),
        covariates=torch.from_numpy(batch["covariates"]).to(device),
        static=torch.from_numpy(batch["static"]).to(device),
        target=torch.from_numpy(target).to(device),
    )


def split_batch(batch: TensorBatch, size: int) -> Iterator[TensorBatch]:
    """Return a batch in pieces of `size` windows at most: states of thousands of windows at once are gigabytes."""
    for first in range(0, len(batch["y"]), size):
        yield select_windows(batch, slice(first, first + size))


def select_windows(batch: TensorBatch, rows: slice) -> TensorBatch:
    """Return some windows of a batch."""
    return TensorBatch(
        y=batch["y"][rows],
        calendar=batch["calendar"][rows],
        covariates=batch["covariates"][rows],
        static=batch["static"][rows],
        target=batch["target"][rows],
    )


def _pack_covariates(series: Sequence[Series], ends: Sequence[int], padding: int, config: CovariateConfig) -> Floats:
    """Return the covariates (N, C) of the packed values' steps, known-future ones past the end as well."""
    parts = [encode(item, config, -padding, end + padding, seen=end) for item, end in zip(series, ends, strict=True)]
    return np.concatenate(parts)


def _pack_shifts(series: Sequence[Series], ends: Sequence[int], padding: int, config: Config) -> Ints:
    """Return how often the level has shifted up to each packed value (N,)."""
    counts = [count_shifts(item.y[:end], config) for item, end in zip(series, ends, strict=True)]
    return np.concatenate([np.pad(count, padding, mode="edge") for count in counts])


def _hide_shifted(actual: Floats, series: Sequence[Series], origins: Ints, config: Config) -> None:
    """Hide what came true (B, H) beyond a shift of level, as the newest window of each series shows it."""
    rows: dict[int, list[int]] = {}
    for row, item in enumerate(series):
        rows.setdefault(id(item), []).append(row)
    ahead = np.arange(1, config.horizon + 1)
    for some in rows.values():
        own = origins[some]
        known = series[some[0]].y[: int(own.max()) + 1 + config.horizon]
        crossed = find_crossed(known, own, own[:, None] + ahead, config)
        actual[some] = np.where(crossed, np.nan, actual[some])


def _find_origins(y: Floats, horizon: int) -> Ints:
    """Return the positions with enough history before and an observed value within the horizon after."""
    first, end = observed_span(y)
    start = first + shortest_context(horizon, end - first) - 1
    seen = np.concatenate([[0], np.cumsum(~np.isnan(y[:end]))])  # how many values lie before a position
    positions: Ints = np.arange(start, end - 1)
    if not len(positions):
        return positions
    observed: Ints = seen[np.minimum(positions + 1 + horizon, end)] - seen[positions + 1]  # within the horizon
    return positions[observed > 0]


def _calendar_table(
    series: Sequence[Series], ends: Sequence[int], padding: int, country: str | None
) -> tuple[Ints, Ints]:
    """Return calendar rows (G, 5) and each series' row of position 0; grids of one lattice share rows."""
    lattices: list[Grid] = []
    starts: list[tuple[int, int]] = []  # lattice and index on it of each series' position 0
    cache: dict[Grid, tuple[int, int]] = {}
    for item in series:
        if item.grid not in cache:
            cache[item.grid] = _find_lattice(item.grid, lattices)
        lattice, index = cache[item.grid]
        starts.append((lattice, index + item.start))
    tables: list[Ints] = []
    rows = np.empty(len(starts), np.int64)
    offset = 0
    for number, grid in enumerate(lattices):
        members = [row for row, (lattice, _) in enumerate(starts) if lattice == number]
        low = min(starts[row][1] for row in members) - padding
        high = max(starts[row][1] + ends[row] for row in members) + padding
        stamps = grid.stamps(np.arange(low, high, dtype=np.int64))
        tables.append(calendar_features(stamps, grid.timezone, country))
        for row in members:
            rows[row] = offset + starts[row][1] - low
        offset += high - low
    return np.concatenate(tables), rows


def _find_lattice(grid: Grid, lattices: list[Grid]) -> tuple[int, int]:
    """Return (lattice, index on it) of the grid's anchor, adding a lattice where the last ones lack it."""
    for number in range(max(0, len(lattices) - RECENT_LATTICES), len(lattices)):
        if lattices[number].timezone == grid.timezone:
            try:
                return number, int(lattices[number].index(np.array([grid.anchor], np.int64))[0])
            except OffGridError:
                continue
    lattices.append(grid)
    return len(lattices) - 1, 0
