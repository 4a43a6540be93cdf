"""The built-in model as a network that can be explained: its pretrained member alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from models.config.model import Config
from models.explain.explain import Explanation, explain
from models.network.network import Network


def explain_builtin(
    config: Config, periods: Sequence[Sequence[int]], batch: Mapping[str, Any], horizon: int
) -> list[Explanation]:
    """Explain windows as the built-in model forecasts them by its network.

    Args:
        config: of the version that forecasts.
        periods: the two season lengths of each window, 0 for none.
        batch: arrays (B, ...), as `models.explain.explain.explain` takes them.
        horizon: steps to explain.
    """
    network = _build(config)
    member = network.pretrained
    assert member is not None
    found = []
    for row, lengths in enumerate(periods):
        member.periods.copy_(torch.tensor([list(lengths)]))
        found += explain(network, {name: values[row : row + 1] for name, values in batch.items()}, horizon)
    return found


def _build(config: Config) -> Network:
    """Return a network whose forecast is that of its pretrained member."""
    alone = replace(config.network, pretrained=True, basis=False, hidden=1)
    network = Network(replace(config, network=alone))
    assert network.pretrained is not None
    network.pretrained.begin_with_published()
    network.pretrained_share.fill_(1.0)
    return network.eval()
