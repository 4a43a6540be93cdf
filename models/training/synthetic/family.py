"""What a family of synthetic series is: a generator, and its share of a batch.

Shapes: N series, L steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats


@dataclass(frozen=True)
class SeriesFamily:
    """Series of one kind. All of them are finite, none is constant, and their scale says nothing."""

    name: str
    start: float
    """share of a batch when pretraining begins"""
    target: float
    """share at its end"""
    generate: Callable[[np.random.Generator, int, int], Floats]
    """from a generator of random numbers, N and L to series (N, L)"""

    def __post_init__(self) -> None:
        if not (0 <= self.start <= 1 and 0 <= self.target <= 1):
            raise ValueError(f"shares of {self.name} are {self.start} and {self.target}: both must lie in 0..1")
