"""Exact repetition: candidates that miss nothing are given the gates' lead before the first step.

The gates begin from how each candidate has done in the context, where many are as good as exact, and the few steps of a
short training do not part them. Data that no candidate continues exactly are left as they are.

Shapes: B windows, H horizon, K candidates.
"""

import torch

from models.data.windows import inputs_of
from models.network.network import Network
from models.network.reader import Reading
from models.training.sampling import TensorBatch, select_windows

EXACT = 1e-4
"""Scales by which an exact candidate may miss a value: what sums over a long context leave in float32"""
PROBED_WINDOWS = 32
"""windows that part other data from exact ones, at a small share of a step's cost"""


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
