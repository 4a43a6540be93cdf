"""Several generators of series in one array.

Shapes: N series, L steps, K generators.
"""

from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import Floats, Ints

Generate = Callable[[np.random.Generator, int, int], Floats]
"""(rng, count, length) -> (count, length), as a family's"""


def divide_count(rng: np.random.Generator, shares: Sequence[float], count: int) -> Ints:
    """Divide `count` series among shares (K,) that need not sum to one: (K,), each within one of its share.

    The points of division lie on a lattice that is shifted by chance: each share is met on average, however small a
    batch.
    """
    ends = np.minimum(np.cumsum(shares) / np.sum(shares) * count, count)
    ends[-1] = count
    counts: Ints = np.diff(np.floor(ends + rng.random()), prepend=0.0).astype(np.int64)
    return counts


def interleave(
    rng: np.random.Generator, count: int, length: int, generators: Sequence[Generate], shares: Sequence[float]
) -> Floats:
    """Draw series (N, L) of several generators, mixed by chance."""
    counts = divide_count(rng, shares, count)
    drawn = [generate(rng, int(n), length) for generate, n in zip(generators, counts, strict=True) if n]
    return np.concatenate([np.empty((0, length)), *drawn])[rng.permutation(count)]
