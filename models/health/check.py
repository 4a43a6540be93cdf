"""What a preflight finds: one check of one series."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints

Severity = Literal["ok", "info", "warning", "error"]
Span = tuple[int, int]
"""first and last position in `y`"""

SHOWN = 20
"""spans that a check lists at most"""
AUDIT = {
    "duplicates": "D001",
    "gaps": "D002",
    "categorical": "F001",
    "negative": "V001",
    "leading_zeros": "V002",
}
"""check -> its number in Nixtla's local audit, so that a user who comes from there finds the five checks again"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    code: str
    """such as `gaps`"""
    severity: Severity
    detail: str
    where: tuple[Span, ...] = ()
    """at most SHOWN spans, in order"""
    training: str | None = None
    """what a training does about it"""
    option: str | None = None
    """which option, or call, changes that"""


def find_runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (R, 2): the first and last position of each run of True in a mask (T,)."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1], axis=1)


def list_spans(runs: NDArray[np.int64]) -> tuple[Span, ...]:
    """Return the first SHOWN of runs (R, 2)."""
    return tuple((int(first), int(last)) for first, last in runs[:SHOWN])


def list_points(positions: Ints) -> tuple[Span, ...]:
    """Return the first SHOWN of positions (M,), each as a span of one step."""
    return tuple((int(position), int(position)) for position in positions[:SHOWN])
