"""Exact repetition: candidates that miss nothing are given the gates' lead before the first step, and whether constant
contexts stay as they are is measured.

The gates begin from how each candidate has done in the context, where many are as good as exact, and the few steps of a
short training do not part them. Data that no candidate continues exactly are left as they are.

Shapes: B windows, H horizon, K candidates.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from models.arrays import ROUNDING
from models.data.windows import cut, inputs_of
from models.network.network import Network
from models.network.outputs import find_constants
from models.network.reader import Reading
from models.training.sampling import TensorBatch, WindowPool, select_windows

EXACT = 1e-4
"""Scales by which an exact candidate may miss a value: what sums over a long context leave in float32"""
PROBED_WINDOWS = 32
"""windows that part other data from exact ones, at a small share of a step's cost"""
MOST_CHANGED = 0.01
"""Share of the values after constant contexts that may be others, for such contexts to be forecast as themselves: a
tenth of what lies beyond the outermost of the default levels"""
LEAST_WINDOWS = 8
"""Windows with a constant context from which on they say what follows one"""
UNKNOWN = (0.0, 1.0)
"""Whether contexts of zeros, and of other constants, stay as they are where no windows say so"""
MOST_WINDOWS = 4096
"""windows that are looked at"""
WINDOWS_AT_ONCE = 1024
"""windows in memory together"""


def measure_holds(network: Network, pool: WindowPool) -> None:
    """Set which constant contexts stay as they are, zeros and others, by what follows them in the windows of a pool.

    Where the windows say nothing, zeros do not: they may be the quiet of a series that goes on, and their context has
    no size by which a forecast could be near them. Others do: the scale of such a context is a millionth of its size.
    """
    windows = torch.zeros(2)
    changed = torch.zeros(2)
    seen = torch.zeros(2)
    for y, target in _list_values(pool):
        constants = find_constants(y)
        is_zero = constants.value == 0
        observed = ~torch.isnan(target)
        differs = observed & ((target - constants.value).abs() > ROUNDING * constants.value.abs())
        for number, kind in enumerate((is_zero, ~is_zero)):
            rows = (constants.found & kind)[:, 0]
            windows[number] += rows.sum().cpu()
            changed[number] += differs[rows].sum().cpu()
            seen[number] += observed[rows].sum().cpu()
    holds = (changed <= MOST_CHANGED * seen).float()
    network.holds.copy_(torch.where(windows >= LEAST_WINDOWS, holds, torch.tensor(UNKNOWN)))


def _list_values(pool: WindowPool) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield contexts (B, T) and targets (B, H) of a pool's windows: all, or of many the same sample each time."""
    count = len(pool.origins)
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:MOST_WINDOWS]
    offsets = torch.arange(1 - pool.context_length, pool.horizon + 1, device=pool.values.device)
    for first in range(0, len(chosen), WINDOWS_AT_ONCE):
        rows = chosen[first : first + WINDOWS_AT_ONCE].to(pool.origins.device)
        window = cut(pool.values, pool.origins[rows], offsets)  # (B, T + H)
        yield window[:, : pool.context_length], window[:, pool.context_length :]


def lead_with_exact(network: Network, batch: TensorBatch) -> None:
    """Give the gates' lead to the candidates that are exact in every window of the batch that has no gap, if any is."""
    if not network.config.network.basis:
        return
    columns = _find_exact(network, select_windows(batch, slice(PROBED_WINDOWS)))
    if any(columns):
        columns = _find_exact(network, batch)
    for member, reader in zip(network.members, network.reader_indices, strict=True):
        member.head.lead(member.decoder.output, columns[reader])


def _find_exact(network: Network, batch: TensorBatch) -> list[list[int]]:
    """Return the exact candidates of each reader, by position."""
    with torch.no_grad():
        readings = network.read(**inputs_of(batch, network.config))
        return [_list_exact(reading, batch) for reading in readings]


def _list_exact(reading: Reading, batch: TensorBatch) -> list[int]:
    assert reading.candidates is not None, "the network has candidates"
    context = reading.context
    target = (batch["target"] - context.loc) / context.scale  # (B, H), NaN where missing
    whole = (context.observed > 0).all(-1) & ~torch.isnan(target).any(-1)  # (B,)
    if not whole.any():
        return []
    missed = (reading.candidates.forecasts - target[..., None])[whole].abs().amax((0, 1))  # (K,)
    exact: list[int] = (missed <= EXACT).nonzero()[:, 0].tolist()
    return exact
