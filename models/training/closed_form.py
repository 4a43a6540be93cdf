"""What a network learns in closed form before its first step: scales of covariates, statistical models, ridge.

Everything here sees the pool's windows alone, none of which reaches past the span that is trained on.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from models.arrays import Floats
from models.classical.exponential_smoothing import SmoothingModel
from models.classical.pooled import PooledModel, fit_pooled_models
from models.classical.prophet import fit_prophet_models
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.data.covariates import encode, encode_static
from models.data.series import Series
from models.network.inputs import Context
from models.network.network import Network
from models.network.reader import Reader
from models.network.ridge import LinearForecast
from models.training.sampling import TensorBatch, WindowPool, pieces_of

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridge penalties that the selection span chooses from, in units of an input's mean square"""
STARTED_PENALTIES = (10.0, 100.0)
"""Further ones, where the regression shrinks towards the weights of another network"""
FIRST_PENALTY = 1e-2
"""Penalty where there is no selection span"""
RIDGE_WINDOWS = 16_384
AT_ONCE = 1024
LONG = 1440
"""contexts longer than this are fitted on fewer windows, and fewer at once: the cost is that of their steps"""
LARGEST = 5.0
"""Targets of the regression are clipped to this many scales: squares give jumps too much say"""


def prepare(
    network: Network,
    series: Sequence[Series],
    ends: Sequence[int],
    pool: WindowPool,
    selection: TensorBatch | None,
    penalties: Sequence[float] | None = None,
    *,
    started: bool = False,
) -> list[float]:
    """Set what a fresh network does not learn by gradients; return the ridge penalty of each reader.

    Args:
        ends: the positions (len(series),) that the span ends before.
        selection: windows that choose the penalties; none: `penalties`, or the default.
        started: the network comes from another one, whose scales it keeps.
    """
    if not started:
        learn_scales(network, series, ends)
    config, readers = network.config, [reader for reader in network.readers if isinstance(reader, Reader)]
    groups = _pooled(config, series, ends)
    if groups:
        first = next(_drawn(pool, config))
        for reader in readers:
            context, target = _scaled(reader, first)
            set_models(reader, groups, context.z, target)
    if not config.network.linear:
        return []
    given: Sequence[float | None] = penalties or [None] * len(readers)
    pairs = zip(readers, given, strict=True)
    return [_fit_linear(reader, config, _drawn(pool, config), selection, penalty) for reader, penalty in pairs]


def _pooled(config: Config, series: Sequence[Series], ends: Sequence[int]) -> list[tuple[int, Sequence[PooledModel]]]:
    """Return how many models of each kind are kept, and what was found on a sample of the series."""
    own, seed = config.network, config.training.seed
    groups: list[tuple[int, Sequence[PooledModel]]] = []
    if own.statistical:
        season = own.seasons[0] if own.seasons else 1
        groups.append((own.statistical, fit_pooled_models(series, ends, season, seed)))
    if own.prophet:
        groups.append((own.prophet, fit_prophet_models(series, ends, seed)))
    return groups


def _drawn(pool: WindowPool, config: Config) -> Iterator[TensorBatch]:
    """Draw the regression's windows, the same for every reader, one batch after another: all at once are gigabytes."""
    generator = torch.Generator().manual_seed(config.training.seed)
    length = config.network.context_length
    windows = min(RIDGE_WINDOWS, max(2 * config.network.near.context_length, RIDGE_WINDOWS * LONG // length))
    at_once = max(1, AT_ONCE * LONG // max(length, LONG))
    for _ in range(max(1, windows // at_once)):
        yield pool.draw(at_once, generator)


def learn_scales(network: Network, series: Sequence[Series], ends: Sequence[int]) -> None:
    """Set the covariates' means and standard deviations from the values before `ends`."""
    config = network.config.covariates
    temporal = _moments([encode(one, config, 0, end, seen=end) for one, end in zip(series, ends, strict=True)], config)
    static = _moments([encode_static(one, config)[None] for one in series], config, static=True)
    for reader in network.readers:
        assert isinstance(reader, Reader)
        reader.covariates.learn_scale(*temporal)
        reader.static.learn_scale(*static)


def _moments(parts: Sequence[Floats], config: CovariateConfig, *, static: bool = False) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column of arrays (L, C), ignoring NaN; 0 and 1 without a value."""
    width = len(config.static if static else config.temporal)
    count, total = np.zeros(width), np.zeros(width)
    for part in parts:
        count += (~np.isnan(part)).sum(0)
        total += np.nansum(part, axis=0)
    mean = total / np.maximum(count, 1)
    squares = np.zeros(width)
    for part in parts:
        squares += np.nansum((part - mean) ** 2, axis=0)
    spread = np.sqrt(squares / np.maximum(count, 1))
    floor = np.maximum(np.abs(mean) * 1e-9, 1e-30)
    return torch.from_numpy(mean), torch.from_numpy(np.where(spread > floor, spread, 1.0))


def _fit_linear(
    reader: Reader,
    config: Config,
    drawn: Iterable[TensorBatch],
    selection: TensorBatch | None,
    penalty: float | None,
) -> float:
    """Fit one reader's linear forecast by ridge regression on the drawn windows; return the penalty used."""
    linear = _linear(reader)
    gram = torch.zeros(linear.width, linear.width, dtype=torch.float64, device=linear.weight.device)
    moment = torch.zeros(linear.width, config.horizon, dtype=torch.float64, device=linear.weight.device)
    for batch in drawn:
        inputs, target = _regression(reader, config, batch)
        complete = ~torch.isnan(target).any(-1)
        x, y = inputs[complete], target[complete].clip(-LARGEST, LARGEST)
        gram += (x.T @ x).double()
        moment += (x.T @ y).double()
    unit = gram.diagonal().mean().clip(1e-12)
    before = linear.weight.double()  # zero, or another network's: few windows move it little
    started = bool((before != 0).any())
    penalties = (*PENALTIES, *STARTED_PENALTIES) if started else PENALTIES
    if penalty is None and selection is not None:
        inputs, target = _regression(reader, config, selection)
        errors = [_error(inputs @ _solve(gram, moment, unit * p, before), target) for p in penalties]
        penalty = penalties[int(np.argmin(errors))]
    first = STARTED_PENALTIES[0] if started else FIRST_PENALTY
    chosen = first if penalty is None else penalty
    linear.weight.copy_(_solve(gram, moment, unit * chosen, before))
    return chosen


def _solve(gram: Tensor, moment: Tensor, penalty: Tensor, before: Tensor) -> Tensor:
    """Solve the ridge regression that shrinks towards the weights `before`."""
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    weight: Tensor = torch.linalg.solve(gram + penalty * eye, moment + penalty * before)
    return weight.float()


def _error(found: Tensor, target: Tensor) -> float:
    return float((found - target).abs().nan_to_num(nan=0.0, posinf=0.0).clip(max=LARGEST).mean())


def _linear(reader: Reader) -> LinearForecast:
    assert reader.candidates is not None
    assert reader.candidates.linear is not None
    return reader.candidates.linear


def _scaled(reader: Reader, batch: TensorBatch) -> tuple[Context, Tensor]:
    """Return a reader's contexts, and the targets (B, H) in units of their scales, NaN where missing."""
    context: Context = reader.normalise(batch["y"][:, -reader.own.context_length :])
    return context, (batch["target"] - context.loc) / context.scale


def _regression(reader: Reader, config: Config, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """Return inputs (B, P) and targets (B, H) in scaled units, NaN where missing."""
    linear = _linear(reader)
    with torch.no_grad():
        parts = []
        for piece in pieces_of(batch, AT_ONCE):
            skipped = piece["y"].shape[1] - reader.own.context_length
            context, target = _scaled(reader, piece)
            start = reader.calendar(piece["calendar"][:, piece["y"].shape[1]])
            known = reader.covariates(piece["covariates"][:, skipped:]) if "covariates" in config.inputs else None
            assert reader.candidates is not None
            context, known = reader.candidates.last(context, known)
            parts.append((linear.inputs(context.z, start, known), target.float()))
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def set_models(reader: Reader, groups: Sequence[tuple[int, Sequence[PooledModel]]], z: Tensor, target: Tensor) -> None:
    """Give a reader the models that together forecast windows best: z (B, T), target (B, H) in scaled units.

    `groups` are pairs of how many are kept and what there is to choose from. Fewer models than are kept are repeated;
    without any the room holds the last value.
    """
    candidates, own = reader.candidates, reader.own
    assert candidates is not None
    season = own.seasons[0] if own.seasons else 1
    identity = np.eye(candidates.length)
    context, ahead = z[:, -candidates.length :].double().cpu().numpy(), target.double().cpu().numpy()
    picked: list[Floats] = []
    for count, models in groups:
        found = list(models) or [SmoothingModel(1.0)]
        maps = np.stack(
            [one.forecast(identity, candidates.horizon, season) for one in found], axis=-1
        )  # (T, H, models)
        picked.append(maps[..., _greedy(context, ahead, maps, count)])
    pooled = np.concatenate(picked, axis=-1).reshape(candidates.length, -1)
    candidates.pooled.copy_(torch.from_numpy(pooled).float())


def _greedy(z: Floats, target: Floats, maps: Floats, count: int) -> list[int]:
    """Return the maps that lower the error of the best of them in each window most, one after another."""
    errors = np.stack([np.nanmean(np.abs(z @ maps[..., k] - target), axis=-1) for k in range(maps.shape[-1])], axis=-1)
    errors = np.nan_to_num(errors, nan=0.0)  # (B, number of models); a window without targets weighs nothing
    chosen: list[int] = []
    best = np.full(len(errors), np.inf)
    for _ in range(count):
        gains = np.minimum(best[:, None], errors).mean(0)
        chosen.append(int(np.argmin(gains)))
        best = np.minimum(best, errors[:, chosen[-1]])
    return chosen
