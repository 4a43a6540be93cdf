"""Contexts as the pretrained network reads them: whole segments, and empty ones for horizons beyond its own.

Shapes: N contexts, T steps, P positions.
"""

from math import ceil

import numpy as np

from models.arrays import Floats, Ints

SEGMENT = 8
"""steps of a segment, whatever the frequency"""
REACH = 64
"""steps ahead that each position forecasts"""
LONGEST = 1024
"""steps of a context that count"""


def lay_out(contexts: Floats, horizon: int) -> tuple[Floats, Ints]:
    """Return contexts (N, T) with a gap before and after, and the segments (P,) after which forecasts are read."""
    known = contexts[:, -LONGEST:]
    before = -known.shape[1] % SEGMENT
    pieces = ceil(horizon / REACH)
    after = (pieces - 1) * REACH
    y = np.pad(known.astype(np.float64), ((0, 0), (before, after)), constant_values=np.nan)
    last = (known.shape[1] + before) // SEGMENT - 1
    return y, last + np.arange(pieces, dtype=np.int64) * (REACH // SEGMENT)
