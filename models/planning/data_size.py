"""The amount of data to learn from, which most defaults depend on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.data.splits import shortest_context

# Amounts of data, in steps of all series together, from which on a default changes. Where no source is named, they are
# round numbers that were chosen by judgement.
SMALL_DATA = 2_000
"""steps below which a network is narrow and has few steps between two looks at the selection span"""
MEDIUM_DATA = 10_000
"""steps from which on batches and epochs grow, and members are averaged: docs/networks.md has the gain of them"""
LARGE_DATA = 50_000
"""steps from which on a network is wide"""
MANY_SERIES = 30
"""series from which on each may be read almost whole"""
SHORT_HISTORY = 200
"""steps below which the typical one of many series is short"""


@dataclass(frozen=True)
class DataSize:
    """The amount of data to learn from."""

    series: int
    """number of series"""
    total: int
    """steps of all series"""
    typical: int
    """length of a long series in steps: the third quartile"""
    many: bool
    """whether the series differ enough for each to be read almost whole; of a few series the windows must differ"""
    short: bool
    """whether there are many series of short histories, whose level and trend say more than details"""
    alone: bool
    """whether no series is long enough for a selection span"""

    @staticmethod
    def of(lengths: Sequence[int], horizon: int) -> "DataSize":
        """Measure series of these lengths in steps."""
        typical = int(np.quantile(lengths, 0.75)) if len(lengths) else 0
        many = len(lengths) >= MANY_SERIES
        alone = not any(length >= shortest_context(horizon, length) + 2 * horizon for length in lengths)
        return DataSize(
            series=len(lengths),
            total=sum(lengths),
            typical=typical,
            many=many,
            short=many and typical < SHORT_HISTORY,
            alone=alone,
        )


def by_amount(total: int, little: int, more: int, most: int, limits: tuple[int, int]) -> int:
    """Return the value for an amount of data: below both limits, between them, or above."""
    if total < limits[0]:
        return little
    return more if total < limits[1] else most
