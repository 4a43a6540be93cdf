"""Wall times that exist twice: which of the two is meant, told by the order of rows."""

import numpy as np

from models.arrays import Ints

_APART = 12 * 3600 * 1_000_000
"""microseconds between the ambiguous times of two nights, at least"""
UNDECIDED = np.iinfo(np.int64).min


def order_ambiguous(stamps: Ints, positions: Ints, first: Ints, second: Ints) -> Ints:
    """Return the stamp (M,) that each ambiguous row means, UNDECIDED where the order of the rows does not tell.

    Rows are taken to ascend, or to descend where most of the others do. In one night all rows of the first pass
    stand before those of the second, so that one step back of the clock tells them apart; without such a step the
    rows around them must leave one possibility.

    Args:
        stamps: (N,) of all rows that can be read, in their order, anything where ambiguous
        positions: (M,) of the ambiguous rows among them, ascending
        first: (M,) stamps of their first occurrence
        second: (M,) stamps of their second
    """
    known = np.delete(stamps, positions)
    if (np.diff(known) < 0).sum() > (np.diff(known) > 0).sum():
        flipped = len(stamps) - 1 - positions[::-1]
        return _order_ascending(stamps[::-1], flipped, first[::-1], second[::-1])[::-1]
    return _order_ascending(stamps, positions, first, second)


def _order_ascending(stamps: Ints, positions: Ints, first: Ints, second: Ints) -> Ints:
    """Do as `order_ambiguous`, for rows that ascend."""
    chosen = np.full(len(positions), UNDECIDED)
    order = np.argsort(first, kind="stable")
    nights = np.split(order, np.flatnonzero(np.diff(first[order]) > _APART) + 1)
    for night in map(np.sort, nights):
        begin = max(0, int(positions[night[0]]) - 1)
        around = stamps[begin : int(positions[night[-1]]) + 2].copy()
        split = _find_split(around, positions[night] - begin, first[night], second[night])
        if split is not None:
            chosen[night] = np.concatenate([first[night[:split]], second[night[split:]]])
    return chosen


def _find_split(around: Ints, inside: Ints, first: Ints, second: Ints) -> int | None:
    """Return how many of a night's ambiguous rows (K,) belong to its first pass; None where that cannot be told.

    Args:
        around: (L,) stamps of the rows from the one before the first to the one after the last, where there are such
        inside: (K,) positions of the ambiguous rows in it
    """
    steps_back = np.flatnonzero(np.diff(first) <= 0) + 1
    if len(steps_back) > 1:
        return None
    count = len(first)
    # without a step back the change may lie between any two rows, unless all but one end is ruled out
    splits = steps_back.tolist() if len(steps_back) else range(count + 1)
    possible: list[int] = []
    for split in splits:
        trial = around.copy()
        trial[inside] = np.concatenate([first[:split], second[split:]])
        if (np.diff(trial) > 0).all():
            possible.append(split)
            if len(possible) > 1:
                return None
    return possible[0] if possible else None
