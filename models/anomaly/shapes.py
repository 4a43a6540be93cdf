"""Distances of the latest steps, as a shape, from the shapes before them: to the nearest, and to what they span.

Patch distance as in matrix profiles and PaAno (2602.01359), reconstruction as in Sub-PCA (Paparrizos et al. 2022,
"TSB-UAD"). Patches keep their level: on the Numenta Anomaly Benchmark those that are normalised say less. Shapes: N
steps, L steps of a patch, M patches in memory.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.anomaly.stages import list_stages
from models.arrays import Floats

LENGTH = 16
"""L"""
MOST_REMEMBERED = 512
"""M at most, spread evenly over the past"""
NEAREST = 3
"""patches whose mean distance counts"""
MOST_COMPONENTS = 10
"""directions that a patch is rebuilt from, at most"""
VARIANCE = 0.9
"""share of the variance that they have"""


def measure_shapes(y: Floats) -> tuple[Floats, Floats]:
    """Return (N,) distance of the patch that ends at each step from its nearest ones in memory, and (N,) its distance
    from what their main directions can rebuild, in the units of y (N,) without gaps; NaN for the first steps."""
    distance, rebuilt = np.full((2, len(y)), np.nan)
    if len(y) < LENGTH:
        return distance, rebuilt
    patches = sliding_window_view(y, LENGTH)  # the one at 0 ends at step LENGTH - 1
    for stage in list_stages(len(y)):
        known = stage.learned - LENGTH // 2 - LENGTH + 1  # those that lie well before what is judged
        chosen = np.unique(np.linspace(0, known - 1, min(MOST_REMEMBERED, known)).astype(np.int64))
        memory = patches[chosen]
        judged = patches[stage.learned - LENGTH + 1 : stage.end - LENGTH + 1]
        distance[stage.learned : stage.end] = _measure_distance(judged, memory)
        rebuilt[stage.learned : stage.end] = _measure_reconstruction(judged, memory)
    return distance, rebuilt


def _measure_distance(judged: Floats, memory: Floats) -> Floats:
    """Return the mean distance of patches from the NEAREST ones in memory."""
    centre = memory.mean()  # squares of large levels would round the differences away
    judged, memory = judged - centre, memory - centre
    squares = (judged**2).sum(1)[:, None] + (memory**2).sum(1) - 2 * judged @ memory.T
    nearest = np.partition(squares, NEAREST, axis=1)[:, :NEAREST]
    found: Floats = np.sqrt(np.maximum(nearest, 0.0)).mean(1)
    return found


def _measure_reconstruction(judged: Floats, memory: Floats) -> Floats:
    """Return the root mean square of what the main directions of the memory leave of patches."""
    middle = memory.mean(0)
    _, sizes, directions = np.linalg.svd(memory - middle, full_matrices=False)
    shares = np.cumsum(sizes**2) / max(float((sizes**2).sum()), np.finfo(np.float64).tiny)
    count = min(MOST_COMPONENTS, int(np.searchsorted(shares, VARIANCE)) + 1)
    main = directions[:count]
    centred = judged - middle
    left = centred - centred @ main.T @ main
    found: Floats = np.sqrt((left**2).mean(1))
    return found
