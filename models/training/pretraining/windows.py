"""Batches of windows, made in a process of their own while the network trains on those before.

Each batch depends on the seed and its number alone, so that a pretraining that was interrupted goes on with what it
would have seen.

Shapes: B windows, T steps.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.pretrained.periods import find_periods
from models.training.pretraining.plan import (
    BLANK,
    CONTEXT_SHARES,
    CONTEXTS,
    LONGEST_BLANK,
    MOST_POSITIONS,
    PretrainingPlan,
    measure_span,
    measure_window,
)
from models.training.synthetic.mixture import TRAINED, draw_batch

POOL = 2048
"""series drawn at a time: generators are slow for few"""
SHORTEN = 0.3
"""share of windows whose context begins later, after a gap: contexts of any length are padded in front"""
SHORTEST = 16
"""steps that are left of such a context at least, and a sixteenth of it"""
FORGET = 0.04
"""share of windows that are told of no season"""
AHEAD = 3
"""pools that are made before they are needed"""


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows of one length, and where forecasts are trained in them."""

    y: NDArray[np.float32]
    """(B, T) values, NaN where missing; the steps of the last horizon are never read"""
    known: int
    """steps of the context that scales, units and seasons come from"""
    periods: Ints
    """(B, 2) season lengths, 0 for none"""
    segments: Ints
    """(P,) last segment read at each position"""
    origins: Ints
    """(P,) steps known at each position"""
    blank: tuple[int, int]
    """first and last segment, the latter excluded, that the network does not see"""


@dataclass(frozen=True, eq=False)
class _Pool:
    """Windows that several batches are cut from."""

    known: int
    y: NDArray[np.float32]
    periods: Ints


def make_batches(plan: PretrainingPlan, first: int) -> Iterator[WindowBatch]:
    """Make the batches of steps `first` to the plan's last."""
    schedule = _schedule(plan)
    wanted = [pool for pool in range(len(schedule)) if schedule[pool][1][-1] >= first]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        made: dict[int, Future[_Pool]] = {}
        batches: dict[int, WindowBatch] = {}
        started = 0
        for step in range(first, plan.steps):
            while step not in batches:
                while started < len(wanted) and len(made) < AHEAD:
                    number = wanted[started]
                    made[number] = executor.submit(
                        _make_pool, plan, number, schedule[number][0], schedule[number][1][0]
                    )
                    started += 1
                number = min(made)
                pool = made.pop(number).result()
                for place, owner in enumerate(schedule[number][1]):
                    if owner >= first:
                        batches[owner] = _cut_batch(plan, pool, place, owner)
            yield batches.pop(step)


def _schedule(plan: PretrainingPlan) -> list[tuple[int, list[int]]]:
    """Return the pools in the order of their first use: known steps, and the batches that are cut from each."""
    rng = np.random.default_rng(plan.seed)
    chosen = rng.choice(len(CONTEXTS), plan.steps, p=np.array(CONTEXT_SHARES) / sum(CONTEXT_SHARES))
    pools: list[tuple[int, list[int]]] = []
    latest: dict[int, int] = {}
    for step, index in enumerate(chosen.tolist()):
        known = CONTEXTS[index]
        number = latest.get(known)
        if number is None or (len(pools[number][1]) + 1) * plan.count_windows(known) > POOL:
            latest[known] = number = len(pools)
            pools.append((known, []))
        pools[number][1].append(step)
    return pools


def _make_pool(plan: PretrainingPlan, number: int, known: int, step: int) -> _Pool:
    """Draw the windows of a pool."""
    rng = np.random.default_rng((plan.seed, 1, number))
    length = measure_window(known, plan.network.horizon)
    count = max(POOL, plan.count_windows(known))
    families = [family for family in TRAINED if family.name not in plan.left_out]
    y = draw_batch(rng, count, length, step / plan.steps, families)
    missing = _draw_gaps(rng, count, known, plan.network.segment)
    y[np.arange(length)[None] < missing[:, None]] = np.nan
    periods = find_periods(y[:, :known])
    periods[rng.random(count) < FORGET] = 0
    return _Pool(known, _standardise(y).astype(np.float32), periods)


def _draw_gaps(rng: np.random.Generator, count: int, known: int, segment: int) -> Ints:
    """Draw how many steps are missing in front of each window: (count,)."""
    least = min(known, max(SHORTEST, known // SHORTEST))
    kept = least * (known / least) ** rng.random(count)
    gap = np.where(rng.random(count) < SHORTEN, known - kept, rng.integers(segment, size=count))
    return np.minimum(gap.astype(np.int64), known - segment)


def _standardise(y: Floats) -> Floats:
    """Bring series (B, T) near unit scale, in which float32 keeps them."""
    centred = y - np.nanmean(y, axis=1, keepdims=True)
    spread = np.nanstd(y, axis=1, keepdims=True)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))


def _cut_batch(plan: PretrainingPlan, pool: _Pool, place: int, step: int) -> WindowBatch:
    """Cut a batch from its pool, and draw where forecasts are trained and which segments are blank."""
    rng = np.random.default_rng((plan.seed, 2, step))
    size = plan.count_windows(pool.known)
    rows = slice(place * size, (place + 1) * size)
    segment = plan.network.segment
    first = pool.known // segment - 1
    last = first + measure_span(pool.known) // segment
    blank = (last + 1, last + 1)
    if rng.random() < BLANK:
        longest = min(LONGEST_BLANK, last - first)
        length = min(longest, int(2 ** rng.uniform(0, np.log2(longest + 1))))
        begin = int(rng.integers(first + 1, last - length + 2))
        blank = (begin, begin + length)
    choice = np.arange(first, last + 1)
    segments = np.sort(rng.choice(choice, min(MOST_POSITIONS, len(choice)), replace=False))
    is_blank = (segments >= blank[0]) & (segments < blank[1])
    origins = np.where(is_blank, blank[0] * segment, (segments + 1) * segment)
    return WindowBatch(pool.y[rows], pool.known, pool.periods[rows], segments, origins, blank)
