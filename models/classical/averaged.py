"""Exponential smoothing families that are averaged by how likely they make each history: histories -> point forecasts.

The families, their grids and their weights are those of `models.network.ets` (Akaike weights, Kolassa 2011), computed
by recursions for histories of any length. Nothing here loads torch.

Shapes: B histories, T steps, H horizon, m season, N seasons of a history, P models, F families.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.arrays import Floats
from models.classical.families import (
    CYCLE,
    DECAY,
    EVIDENCE_SEASON_STEPS,
    EVIDENCE_STEPS,
    GROWTH,
    LEAST_LOGGED,
    NO_CYCLE,
    TRIMMED,
    WIDEST_ERROR,
    Family,
    list_families,
)
from models.classical.grid import GridRun, Histories, SmoothingGrid

LONGEST = 240
"""last steps of a history that are read"""
LEAST_VALUES = 4
"""observed values; fewer are continued by the last"""
LEAST_VARIANCE = 1e-9
"""least variance of the errors, as a share of the variance of the history"""
TINY = 1e-12
"""least variance, and least range of logarithms"""
AT_ONCE = 64
"""histories of a pass: the errors of their models are a hundred megabytes"""


@dataclass(frozen=True, eq=False)
class Averages:
    """The families' averages, F of them."""

    forecasts: Floats
    """(B, H, F)"""
    log_errors: Floats
    """(B, F) log of the standard error one step ahead"""


def forecast_averaged(contexts: Floats, season: int, horizon: int) -> Floats:
    """Continue contexts (B, T), NaN where missing, each with one value at least, by H steps: (B, H).

    `season` in steps, 1 for none; one that a context does not hold twice is none to it. Of less than four values the
    last one goes on.
    """
    contexts = contexts[:, -LONGEST:]
    found = np.empty((len(contexts), horizon))
    known = ~np.isnan(contexts)
    count = known.sum(1)
    last = contexts.shape[1] - 1 - known[:, ::-1].argmax(1)
    found[:] = contexts[np.arange(len(contexts)), last, None]
    span = contexts.shape[1] - known.argmax(1)
    seasonal = (season > 1) & (span >= 2 * season)
    for rows, steps in ((seasonal, season), (~seasonal, 1)):
        chosen = np.flatnonzero(rows & (count >= LEAST_VALUES))
        for start in range(0, len(chosen), AT_ONCE):
            part = chosen[start : start + AT_ONCE]
            found[part] = _forecast(contexts[part], steps, horizon)
    return found


def _forecast(contexts: Floats, season: int, horizon: int) -> Floats:
    """Average all families in both spaces, the values and their logarithms where all are well above zero."""
    contexts = contexts[:, (~np.isnan(contexts)).any(0).argmax() :]
    observed = (~np.isnan(contexts)).astype(np.float64)
    count = observed.sum(1)
    values = np.where(observed > 0, contexts, 0.0)
    loc = values.sum(1) / count
    scale = np.sqrt((((values - loc[:, None]) * observed) ** 2).sum(1) / count)
    scale = np.where(scale > 0, scale, 1.0)
    z = (values - loc[:, None]) / scale[:, None] * observed
    families = list_families("wide", season)
    handicaps = np.array([family.handicap for family in families])
    evidence = np.maximum(count / (EVIDENCE_SEASON_STEPS if season > 1 else EVIDENCE_STEPS), 1.0)[:, None]
    additive = _average_families(z, observed, families, season, horizon)
    forecasts, sizes = additive.forecasts, additive.log_errors + handicaps
    above = (values > LEAST_LOGGED * scale[:, None]) | (observed == 0)
    positive = np.flatnonzero(above.all(1))
    if len(positive):
        logs, sized = _average_logarithms(
            values[positive], observed[positive], scale[positive], families, season, horizon
        )
        logs = (logs - loc[positive, None, None]) / scale[positive, None, None]
        doubled = np.concatenate([forecasts, forecasts], -1)
        doubled[positive, :, len(families) :] = logs
        both = np.concatenate([sizes, np.full_like(sizes, np.inf)], -1)
        both[positive, len(families) :] = sized + handicaps
        forecasts, sizes = doubled, both
    weights = -sizes * evidence
    weights = np.exp(weights - weights.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    point: Floats = (forecasts * weights[:, None]).sum(-1) * scale[:, None] + loc[:, None]
    return point


def _average_logarithms(
    values: Floats, observed: Floats, scale: Floats, families: tuple[Family, ...], season: int, horizon: int
) -> tuple[Floats, Floats]:
    """Average the families of logarithms: forecasts in original units (B, H, F), and log errors in scales (B, F)."""
    count = observed.sum(1)
    logs = np.log(np.where(observed > 0, values, 1.0))
    middle = (logs * observed).sum(1) / count
    centred = (logs - middle[:, None]) * observed
    high, low = centred.max(1), centred.min(1)
    unit = np.maximum(high - low, TINY)
    found = _average_families(centred / unit[:, None], observed, families, season, horizon)
    reach = (high - low + GROWTH)[:, None, None]
    bounded = np.clip(found.forecasts * unit[:, None, None], low[:, None, None] - reach, high[:, None, None] + reach)
    # a logarithm's error is one of the value by the size of the values: Jacobian of the likelihood
    size = unit * np.exp(middle) / scale
    return np.exp(bounded + middle[:, None, None]), found.log_errors + np.log(np.maximum(size, TINY))[:, None]


def _average_families(x: Floats, observed: Floats, families: tuple[Family, ...], season: int, horizon: int) -> Averages:
    """Average each family over values x (B, T), 0 where missing."""
    past, future = _fit_profile(x, observed, season, horizon)
    rest = x - past
    rest = np.where(observed > 0, rest, _fit_line(rest, observed))  # gaps lie on the history's line
    count = observed.sum(1, keepdims=True)
    mean = (rest * observed).sum(1, keepdims=True) / count
    spread = (((rest - mean) ** 2) * observed).sum(1, keepdims=True) / count
    least = LEAST_VARIANCE * spread  # (B, 1)
    first = (observed > 0).argmax(1)
    plain = [family for family in families if not family.seasonal and family != CYCLE]
    run = SmoothingGrid([model for family in plain for model in family.models]).run(
        Histories(rest, observed, first), horizon, 1
    )
    parts = [
        _average(run, plain, observed, least),
        _continue_cycle((rest - mean) * observed, mean, observed, least, horizon),
    ]
    parts = [Averages(part.forecasts + future[..., None], part.log_errors) for part in parts]
    seasonal = [family for family in families if family.seasonal]
    if seasonal:
        grid = SmoothingGrid([model for family in seasonal for model in family.models])
        whole = Histories(rest + past, observed, first)
        parts.append(_average(grid.run(whole, horizon, season), seasonal, observed, least))
    return Averages(
        np.concatenate([part.forecasts for part in parts], -1), np.concatenate([part.log_errors for part in parts], -1)
    )


def _average(run: GridRun, families: list[Family], observed: Floats, least: Floats) -> Averages:
    """Average the models of each family by their likelihood, whose largest errors are bounded."""
    count = observed.sum(1, keepdims=True)
    firsts = np.cumsum([0, *(len(family.models) for family in families)]).tolist()
    places = [slice(begin, end) for begin, end in pairwise(firsts)]
    squares = run.errors**2 * observed[..., None]
    weights = _weigh(np.log(np.maximum(squares.sum(1) / count + least, TINY)), count, places)
    usual = _measure(_join(run.errors, weights, places), observed).min(1, keepdims=True) + least  # (B, 1)
    bounded = np.minimum(squares, (WIDEST_ERROR**2 * usual)[..., None]).sum(1) / count
    weights = _weigh(np.log(np.maximum(bounded + least, TINY)), count, places)
    missed = _measure(_join(run.errors, weights, places), observed) + least
    return Averages(_join(run.forecasts, weights, places), 0.5 * np.log(np.maximum(missed, TINY)))


def _weigh(size: Floats, count: Floats, places: list[slice]) -> Floats:
    """Return the weights (B, P) of the models in their families, from the logarithms (B, P) of their variances."""
    weights = np.empty_like(size)
    for place in places:
        likelihood = -0.5 * count * size[:, place]
        part = np.exp(likelihood - likelihood.max(1, keepdims=True))
        weights[:, place] = part / part.sum(1, keepdims=True)
    return weights


def _join(values: Floats, weights: Floats, places: list[slice]) -> Floats:
    """Average the models (B, steps, P) of each family: (B, steps, F)."""
    return np.stack([np.einsum("btp,bp->bt", values[..., place], weights[:, place]) for place in places], axis=-1)


def _measure(errors: Floats, observed: Floats) -> Floats:
    """Return the mean square of all errors (B, T, F) but the largest, over the observed steps: (B, F)."""
    length = errors.shape[1]
    count = observed.sum(1)[:, None, None]
    ordered = np.sort(errors**2 * observed[..., None], axis=1)  # gaps miss nothing and come first
    rank = np.arange(length)[:, None] - (length - count)
    kept = (rank >= 0) & (rank < np.ceil(count * (1 - TRIMMED)))
    mean: Floats = (ordered * kept).sum(1) / np.maximum(kept.sum(1), 1)
    return mean


def _continue_cycle(rest: Floats, mean: Floats, observed: Floats, least: Floats, horizon: int) -> Averages:
    """Continue values (B, T), 0 where missing, around their mean (B, 1) by an autoregression of two steps."""
    own = np.maximum((rest**2).sum(1), TINY)
    first = (rest[:, 1:] * rest[:, :-1]).sum(1) / own
    second = (rest[:, 2:] * rest[:, :-2]).sum(1) / own
    b = (second - first**2) / np.maximum(1 - first**2, TINY)
    a = first * (1 - b)
    errors = np.zeros_like(rest)
    errors[:, 2:] = rest[:, 2:] - a[:, None] * rest[:, 1:-1] - b[:, None] * rest[:, :-2]
    seen = np.zeros_like(observed)
    seen[:, 2:] = observed[:, 2:] * observed[:, 1:-1] * observed[:, :-2]
    ahead = np.empty((len(rest), horizon))
    near, far = rest[:, -1], rest[:, -2]
    for step in range(horizon):
        near, far = a * near + b * far, near
        ahead[:, step] = near
    log_errors = 0.5 * np.log(np.maximum(_measure(errors[..., None], seen) + least, TINY))
    swings = a**2 + 4 * b < 0  # real roots: no cycle
    return Averages((ahead + mean)[..., None], log_errors + NO_CYCLE * ~swings[:, None])


def _fit_profile(x: Floats, observed: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """Return the seasonal profile of each step of a history (B, T) and of the horizon (B, H).

    It is shrunk by the share of its variance that chance explains (James and Stein 1961).
    """
    count, length = x.shape
    if season == 1:
        return np.zeros_like(x), np.zeros((count, horizon))
    rest = (x - _fit_line(x, observed)) * observed
    missing = -length % season
    blocks, seen = (
        np.pad(part, ((0, 0), (missing, 0))).reshape(count, -1, season) for part in (rest, observed)
    )  # (B, N, m)
    weight = DECAY ** np.arange(blocks.shape[1])[::-1, None] * seen
    total = np.maximum(weight.sum(1), TINY)  # (B, m)
    profile = (weight * blocks).sum(1) / total
    profile = profile - profile.mean(1, keepdims=True)
    known = seen.sum((1, 2))
    chance = (((blocks - profile[:, None]) * seen) ** 2).sum((1, 2)) / np.maximum(known - season - 1, 1)
    seasons = (total**2 / np.maximum((weight**2).sum(1), TINY)).mean(1)  # how many count in effect
    share = 1 - chance / np.maximum(seasons, TINY) / np.maximum((profile**2).sum(1) / (season - 1), TINY)
    profile *= (np.clip(share, 0.0, 1.0) * (known >= 2 * season))[:, None]
    repeats = np.arange(-length, horizon) % season
    every = profile[:, repeats]
    return every[:, :length], every[:, length:]


def _fit_line(x: Floats, observed: Floats) -> Floats:
    """Return the least-squares line of the observed steps: (B, T)."""
    count = observed.sum(1, keepdims=True)
    steps = np.arange(x.shape[1]) - (np.arange(x.shape[1]) * observed).sum(1, keepdims=True) / count
    mean = (x * observed).sum(1, keepdims=True) / count
    square = np.maximum((steps**2 * observed).sum(1, keepdims=True), TINY)
    line: Floats = mean + (steps * observed * (x - mean)).sum(1, keepdims=True) / square * steps
    return line
