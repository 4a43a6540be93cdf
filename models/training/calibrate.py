"""Fitting the calibrated forecast of a network: its rows, its matrix as of any day, and its share in the answer.

Shapes: B windows, H horizon, P inputs, N rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.arrays import Floats, Ints
from models.calendar.features import SECOND_OF_DAY, calendar_features
from models.calendar.frequency import SECOND
from models.calendar.timestamps import DAY, to_local
from models.config.blocks import Blocks, find_blocks
from models.config.model import Config
from models.data.series import Series, observed_span
from models.data.windows import inputs_of
from models.network.calibrated import LARGEST, CalibratedForecast
from models.network.inputs import dampen
from models.network.network import Network
from models.training.sampling import TensorBatch, fixed_batch
from models.training.warm_start import CALIBRATED
from models.training.windowed_ridge import STEP, Rows, WindowedRidge

SHARE_NAME = f"{CALIBRATED}share"
"""name among a network's weights"""
SHARES = tuple(step / 8 for step in range(9))
"""of the answer, to choose from"""
LEAST_GAIN = 0.01
"""share of the mean absolute error that the calibrated forecast must save, or it has no share"""
NEARLY_BEST = 1.005
"""share of the least error up to which a larger share of the answer is taken: what is forecast later lies further from
the training than the days that choose, and the network ages while the matrix is fitted anew. In the year after such
days, on three electricity markets, shares of a half were best where the days themselves had said three eighths"""
LEAST_DAYS = 14
"""days that a share is chosen on, at least"""
MOST_ROWS = 16_384
"""rows; of many series some are left out evenly"""
MOST_COMPARED = 1024
"""rows on which shares are compared, at most"""
ROWS_AT_ONCE = 512
"""windows in memory together"""


def calibrate(
    network: Network, series: Sequence[Series], ends: Sequence[int], time: int, share: float | Sequence[int]
) -> None:
    """Fit a network's calibrated forecast on values before `ends`, a position a series.

    Args:
        time: second of the day on which its horizons begin.
        share: of the answer; or positions, one a series, from which on the network has seen nothing, to choose it by.
    """
    calibration = Calibration(network, series, ends, time)
    if calibration.set_as_of(network, calibration.end):
        _require_part(network).share.fill_(share if isinstance(share, float) else calibration.choose_share(share))


def get_calibrated(network: Network) -> dict[str, NDArray[Any]]:
    """Return the weights of a network's calibrated forecast, by their names among the network's."""
    state = network.state_dict()
    return {name: state[name].cpu().numpy().copy() for name in state if name.startswith(CALIBRATED)}


class Calibration:
    """What the calibrated forecast of a network is fitted on: past origins at one time of the day."""

    def __init__(self, network: Network, series: Sequence[Series], ends: Sequence[int], time: int) -> None:
        """Build the rows of all series, of values before `ends`, a position a series.

        time: second of the day on which horizons begin.
        """
        self.network = network
        self.series = series
        self.time = time
        self.rows = _build_rows(network, series, ends, self.time)
        self.ridge = WindowedRidge(self.rows)

    @property
    def end(self) -> int:
        """The first day whose fit sees all rows."""
        return int(self.rows.closed.max(initial=0))

    def find_day_after(self, stamp: int) -> int:
        """Return the first day from which on every horizon begins after a stamp."""
        latest = -1
        for number, item in enumerate(self.series):
            mine = self.rows.series == number
            begins = item.grid.stamps(item.start + self.rows.origin[mine] + 1)
            latest = max(latest, int(self.rows.day[mine][begins <= stamp].max(initial=-1)))
        return latest + 1

    def set_as_of(self, network: Network, day: int) -> bool:
        """Give a network the matrix as of a day, and say whether there is history enough; its share stays."""
        weight = self.ridge.fit(day)
        if weight is None:
            return False
        part = _require_part(network)
        part.weight.copy_(torch.from_numpy(weight))
        part.time.fill_(self.time)
        part.until.fill_(self._find_until(day))
        return True

    def choose_share(self, unseen: Sequence[int]) -> float:
        """Return the share of the answer with the least error on what the network has not seen, 0 where none helps.

        `unseen` are positions, one a series, from which on it has seen nothing. Each horizon after them is forecast by
        a matrix that was fitted before it.
        """
        compared = np.flatnonzero(self.rows.origin + 1 >= np.asarray(unseen)[self.rows.series])
        compared = compared[:: -(-len(compared) // MOST_COMPARED) or 1]
        days = self.rows.day[compared]
        if len(set(days.tolist())) < LEAST_DAYS:
            return 0.0
        linear = np.full((len(compared), self.network.config.horizon), np.nan)
        for begin in range(int(days[0]), int(days[-1]) + 1, STEP):
            inside = (days >= begin) & (days < begin + STEP)
            weight = self.ridge.fit(begin) if inside.any() else None
            if weight is not None:
                linear[inside] = np.sinh((self.rows.inputs[compared[inside]] @ weight).clip(-LARGEST, LARGEST))
        known = ~np.isnan(linear[:, 0])  # where there was history enough
        if len(set(days[known].tolist())) < LEAST_DAYS:
            return 0.0
        median = self._forecast_median(compared[known])
        return choose_share(median, linear[known], np.sinh(self.rows.target[compared[known]]))

    def _forecast_median(self, chosen: Ints) -> Floats:
        """Return the members' median (B, H) at some rows, in units of the last week."""
        network = self.network.eval()
        parts: list[Floats] = []
        for batch in _cut_batches(network, self.series, self.rows.series[chosen], self.rows.origin[chosen]):
            with torch.no_grad():
                readings = network.read(**inputs_of(batch, network.config))
                level, spread = _require_part(network).measure(readings[0].context.z)
                median = network.forecast_members(readings)[..., network.median]  # (B, H)
                parts.append(((median - level) / spread).cpu().numpy())
        return np.concatenate(parts)

    def _find_until(self, day: int) -> int:
        """Return the stamp of the last value that the fit as of a day sees, 0 without one."""
        known = np.flatnonzero(self.rows.closed <= day)
        if not known.size:
            return 0
        newest = known[-1]
        item = self.series[self.rows.series[newest]]
        last = int(self.rows.origin[newest]) + self.network.config.horizon
        return int(item.stamps(last, last + 1)[0])


def choose_share(median: Floats, linear: Floats, actual: Floats) -> float:
    """Return the largest of SHARES that is nearly the best for forecasts and actual values (B, H)."""
    errors = [float(np.abs(median + share * (linear - median) - actual).mean()) for share in SHARES]
    least = min(errors)
    if least >= (1 - LEAST_GAIN) * errors[0]:
        return 0.0
    return max(share for share, error in zip(SHARES, errors, strict=True) if error <= NEARLY_BEST * least)


def find_time(series: Sequence[Series], ends: Sequence[int]) -> int:
    """Return the second of the day on which most of the series go on after their end."""
    times = [
        int(calendar_features(item.stamps(end, end + 1), item.grid.timezone)[0, SECOND_OF_DAY])
        for item, end in zip(series, ends, strict=True)
    ]
    return max(sorted(set(times)), key=times.count, default=0)


def _build_rows(network: Network, series: Sequence[Series], ends: Sequence[int], time: int) -> Rows:
    """Return a row for each past origin at that time of the day whose target is complete, the oldest first."""
    config = network.config
    blocks = _find_blocks(config)
    listed = [_list_origins(item, end, config, blocks, time) for item, end in zip(series, ends, strict=True)]
    stride = -(-sum(len(origins) for origins, _ in listed) // MOST_ROWS) or 1
    kept = range(0, len(series), stride)
    number = np.concatenate([np.full(len(listed[k][0]), k, np.int64) for k in kept])
    origin = np.concatenate([listed[k][0] for k in kept])
    day = np.concatenate([listed[k][1] for k in kept])
    order = np.argsort(day, kind="stable")
    number, origin, day = number[order], origin[order], day[order]
    part = _require_part(network)
    inputs: list[Floats] = [np.empty((0, part.width))]
    target: list[Floats] = [np.empty((0, config.horizon))]
    for batch in _cut_batches(network, series, number, origin):
        x, y = _build_regression(network, batch)
        inputs.append(x.double().cpu().numpy())
        target.append(y.double().cpu().numpy())
    return Rows(np.concatenate(inputs), np.concatenate(target), day, day + blocks.days, number, origin)


def _list_origins(item: Series, end: int, config: Config, blocks: Blocks, time: int) -> tuple[Ints, Ints]:
    """Return the origins of a series at a time of the day, and the days on which their horizons begin."""
    first, last = observed_span(item.y[:end])
    positions = np.arange(first + blocks.week, last - config.horizon + 1, dtype=np.int64)  # where horizons begin
    local = to_local(item.grid.stamps(item.start + positions), item.grid.timezone)
    positions = positions[local % DAY == time * SECOND]
    missing = np.concatenate([[0], np.cumsum(np.isnan(item.y[:end]))])
    positions = positions[missing[positions + config.horizon] == missing[positions]]
    days = to_local(item.grid.stamps(item.start + positions), item.grid.timezone) // DAY
    return positions - 1, days


def _cut_batches(network: Network, series: Sequence[Series], number: Ints, origin: Ints) -> Iterator[TensorBatch]:
    """Cut windows at origins (B,) of series (B,), some at a time."""
    device = _require_part(network).weight.device
    for first in range(0, len(number), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        chosen = [series[k] for k in number[rows].tolist()]
        yield fixed_batch(chosen, origin[rows], network.config, device)


def _build_regression(network: Network, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """Return inputs (B, P), and targets (B, H) dampened in units of the last week."""
    reader = network.readers[0]
    steps = batch["y"].shape[1]
    skipped = steps - reader.config.context_length
    with torch.no_grad():
        context = reader.normalise(batch["y"][:, skipped:])
        has_covariates = "covariates" in network.config.inputs
        numbers = reader.covariates(batch["covariates"][:, skipped:]) if has_covariates else None
        part = _require_part(network)
        inputs = part.build_inputs(context.z, batch["calendar"][:, steps], numbers)
        level, spread = part.measure(context.z)
        target = ((batch["target"] - context.loc) / context.scale - level) / spread  # (B, H)
    return inputs, dampen(target).clip(-LARGEST, LARGEST)


def _find_blocks(config: Config) -> Blocks:
    blocks = find_blocks(config.frequency, config.horizon, config.network)
    assert blocks is not None, "the configuration was checked"
    return blocks


def _require_part(network: Network) -> CalibratedForecast:
    """Return a network's calibrated forecast. Raises ValueError where it has none."""
    if network.calibrated is None:
        raise ValueError("network.calibrated is false: there is no calibrated forecast")
    return network.calibrated
