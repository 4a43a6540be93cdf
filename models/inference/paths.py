"""Sample paths: whole futures of a series, whose steps err together as those of earlier forecasts did.

A path takes each step's value from the served quantiles, so that paths say the same of a step as the forecast does;
what they add is how the steps hang together, and several series with them. That is learned from earlier forecasts over
whole horizons, the templates: where each outcome lay among its quantiles. As in the Schaake shuffle (Clark et al.
2004), n values of each step at evenly spaced levels are put in the order of n drawn templates. A draw is in equal parts
a template, and a mixture of all of them with normal weights, which has their correlations (a Gaussian copula): a few
dozen templates alone would repeat themselves. Series that are drawn together share templates of the same time, so that
their sums are as uncertain as they were. Shapes: n paths, K templates, H horizon, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.calendar.timestamps import Stamps
from models.config.model import median_position

Scores = NDArray[np.float32]
"""whose order alone matters"""

LEAST_TEMPLATES = 8
"""templates below which nothing is learned from them"""
PRIOR_TEMPLATES = 4.0
"""templates at which half is believed of what they say; the rest is `PRIOR_CORRELATION`"""
PRIOR_CORRELATION = 0.8
"""of the errors of a step and the next one where nothing is known: forecasts that err go on erring"""
MIXED = 0.5
"""share of a draw's variance that is a mixture of all templates"""

FARTHEST = 50.0
"""units of a tail beyond which all outcomes are equally unlikely"""


@dataclass(frozen=True, eq=False)
class ErrorTemplates:
    """How a model has erred over whole horizons of a series."""

    stamps: Stamps
    """(K,) of the origins, ascending"""
    scores: Scores
    """(K, H) normal scores of where the outcomes lay among their quantiles; of a step, those of an even spread"""

    def __len__(self) -> int:
        return len(self.stamps)


def build_templates(stamps: Stamps, quantiles: Floats, actuals: Floats, levels: Sequence[float]) -> ErrorTemplates:
    """Build the templates of earlier forecasts.

    Args:
        stamps: (K,) of the origins.
        quantiles: (K, H, Q) that were forecast.
        actuals: (K, H) what came true, NaN where nothing did; forecasts of which less than half did are left out.
    """
    known = ~np.isnan(actuals)
    usable = known.mean(axis=1) > 0.5 if len(actuals) else np.zeros(0, bool)
    ranks = find_ranks(quantiles[usable], actuals[usable], levels)  # (K, H)
    scores = find_normal_scores(ranks)
    missing = np.isnan(scores)
    if missing.any():
        typical = np.nanmean(scores, axis=1, keepdims=True)
        scores = np.where(missing, typical, scores)
    return ErrorTemplates(stamps[usable], scores)


def find_ranks(quantiles: Floats, actuals: Floats, levels: Sequence[float]) -> Floats:
    """Return the level (...) at which each outcome (...) lies among its quantiles (..., Q), NaN where it is NaN.

    Beyond the outermost levels the tails are those of `models.inference.means`. An outcome at which several levels lie,
    as at a zero of counts, is in the middle of them.
    """
    if len(levels) == 1:
        return np.where(np.isnan(actuals), np.nan, 0.5 + 0.5 * np.sign(actuals - quantiles[..., 0]) * 0.5)
    grid = np.asarray(levels)
    count = len(grid)
    y = actuals[..., None]
    below = (quantiles < y).sum(-1)  # (...)
    upto = (quantiles <= y).sum(-1)
    several = upto - below > 1
    floor = np.where(several & (below == 0), 0.0, grid[np.minimum(below, count - 1)])
    ceiling = np.where(several & (upto == count), 1.0, grid[np.maximum(upto - 1, 0)])
    tied = (floor + ceiling) / 2
    left, right = np.clip(below - 1, 0, count - 2), np.clip(below, 1, count - 1)
    lower = np.take_along_axis(quantiles, left[..., None], -1)[..., 0]
    upper = np.take_along_axis(quantiles, right[..., None], -1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = grid[left] + (actuals - lower) / (upper - lower) * (grid[right] - grid[left])
        first = (quantiles[..., 0] - actuals) / (quantiles[..., 1] - quantiles[..., 0])  # tail scales below and above
        last = (actuals - quantiles[..., -1]) / (quantiles[..., -1] - quantiles[..., -2])
    low = grid[0] * np.exp(-_limit(first) * log(grid[1] / grid[0]))
    above = 1 - grid[-1]
    high = 1 - above * np.exp(-_limit(last) * log((1 - grid[-2]) / above))
    ranks = np.where(below < upto, tied, np.where(below == 0, low, np.where(below == count, high, inner)))
    return np.where(np.isnan(actuals), np.nan, ranks)


def _limit(distances: Floats) -> Floats:
    """Return distances in units that may be 0, or unused, as what an exponential takes."""
    return np.clip(np.nan_to_num(distances, nan=0.0, posinf=FARTHEST), 0.0, FARTHEST)


def find_normal_scores(ranks: Floats) -> Scores:
    """Return values (K, H) as normal scores that each step's order alone decides; equal ones share theirs."""
    smaller = (ranks[:, None] > ranks[None]).sum(1)  # (K, H)
    equal = (ranks[:, None] == ranks[None]).sum(1)
    counts = np.maximum((~np.isnan(ranks)).sum(0), 1)  # (H,)
    doubled = np.where(np.isnan(ranks), 1, 2 * smaller + equal)  # twice the position, of K
    scores = _look_up_scores(doubled / (2 * counts))
    return np.where(np.isnan(ranks), np.nan, scores)


def _look_up_scores(levels: Floats) -> Scores:
    unique, inverse = np.unique(levels, return_inverse=True)
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(level) for level in unique.tolist()], np.float32)
    return scores[inverse].reshape(levels.shape)


class PathSampler:
    """Draws paths of several series together."""

    def __init__(self, templates: Mapping[str, ErrorTemplates], count: int, horizon: int, seed: int) -> None:
        """Prepare `count` paths of `horizon` steps; equal arguments give equal paths."""
        self._count = count
        self._horizon = horizon
        self._seed = seed
        self._templates = {i: one for i, one in templates.items() if len(one) >= LEAST_TEMPLATES}
        stamps = [one.stamps for one in self._templates.values()]
        self._stamps = np.unique(np.concatenate(stamps)) if stamps else np.empty(0, np.int64)
        rng = np.random.default_rng([seed, 0])
        size = max(1, len(self._stamps))
        self._choice = rng.permutation(np.arange(count) % size)  # (n,) of the stamps
        self._weights = rng.standard_normal((count, size), np.float32)
        self._drawn = 0

    def draw(self, series_id: str, quantiles: Floats, levels: tuple[float, ...]) -> Floats:
        """Draw the paths (n, H) of a series, from its quantiles (Q, H) that ascend along Q."""
        order = np.argsort(self._draw_scores(series_id), axis=1)  # (H, n)
        values = quantiles.T @ build_quantile_weights(levels, self._count).T  # (H, n), ascending
        paths = np.empty_like(values)
        np.put_along_axis(paths, order, values, axis=1)
        return paths.T

    def draw_order(self, series_id: str) -> Ints:
        """Draw the position of each path's value among those of all paths at a step, (n, H)."""
        order = np.argsort(self._draw_scores(series_id), axis=1)
        positions = np.empty_like(order)
        np.put_along_axis(positions, order, np.arange(self._count)[None], axis=1)
        return positions.T

    def _draw_scores(self, series_id: str) -> Scores:
        """Return scores (H, n), of which the order alone matters."""
        self._drawn += 1
        rng = np.random.default_rng([self._seed, self._drawn])
        prior = draw_persistent(rng, self._horizon, self._count)
        templates = self._templates.get(series_id)
        if templates is None:
            return prior
        scores = templates.scores[:, : self._horizon]  # (K, H)
        rows = np.searchsorted(self._stamps, templates.stamps)
        position = np.arange(len(self._stamps)) % len(templates)  # another one where it lacks the time
        position[rows] = np.arange(len(templates))
        chosen = scores[position[self._choice]]  # (n, H)
        mixture = self._weights[:, rows] @ scores / sqrt(len(templates))
        share = PRIOR_TEMPLATES / (PRIOR_TEMPLATES + len(templates))
        known = sqrt(1 - MIXED) * chosen + sqrt(MIXED) * mixture
        drawn: Scores = sqrt(1 - share) * known.T + sqrt(share) * prior
        return drawn


def draw_persistent(rng: np.random.Generator, horizon: int, count: int) -> Scores:
    """Draw normal scores (H, n) of which each step goes on from the one before by `PRIOR_CORRELATION`."""
    fresh = rng.standard_normal((horizon, count), np.float32)
    fresh[1:] *= sqrt(1 - PRIOR_CORRELATION**2)
    for step in range(1, horizon):
        fresh[step] += PRIOR_CORRELATION * fresh[step - 1]
    return fresh


@lru_cache(maxsize=100)
def build_quantile_weights(levels: tuple[float, ...], count: int) -> Floats:
    """Build the weights (n, Q) by which quantiles at some levels give those in the middle of n equal parts of 0 to 1.

    Between levels the quantile function is straight, beyond the outermost ones exponential, as in
    `models.inference.means`. Levels on one side of the median alone are mirrored.
    """
    wanted = (np.arange(count) + 0.5) / count
    if not levels[0] < 0.5 < levels[-1]:
        return _mirror(levels, wanted)
    return np.array([_weigh_level(levels, level) for level in wanted.tolist()])


def _weigh_level(levels: Sequence[float], level: float) -> Floats:
    weights = np.zeros(len(levels))
    if level < levels[0]:
        excess = log(levels[0] / level) / log(levels[1] / levels[0])
        weights[0], weights[1] = 1 + excess, -excess
    elif level > levels[-1]:
        excess = log((1 - levels[-1]) / (1 - level)) / log((1 - levels[-2]) / (1 - levels[-1]))
        weights[-1], weights[-2] = 1 + excess, -excess
    else:
        right = max(1, int(np.searchsorted(levels, level)))
        share = (level - levels[right - 1]) / (levels[right] - levels[right - 1])
        weights[right - 1], weights[right] = 1 - share, share
    return weights


def _mirror(levels: tuple[float, ...], wanted: Floats) -> Floats:
    """Return the weights of levels of which all but the median lie on one side of it: Q(1 - p) = 2 Q(0.5) - Q(p)."""
    own = np.eye(len(levels))
    reflected = 2 * own[median_position(levels)] - own
    mirrored = tuple(1 - level for level in reversed(levels))
    if len(levels) == 1:
        return np.ones((len(wanted), 1))
    if levels[0] < 0.5:
        both, parts = levels + mirrored[1:], [own, reflected[-2::-1]]
    else:
        both, parts = mirrored[:-1] + levels, [reflected[:0:-1], own]
    weights: Floats = np.array([_weigh_level(both, level) for level in wanted.tolist()]) @ np.concatenate(parts)
    return weights
