"""Closed forms, fitted before a network's first step: scales of covariates, pooled candidates, ridge regression.

Everything here sees the pool's windows alone, none of which reaches past the span that is trained on.

Shapes: B windows, T context, H horizon, C covariates, L steps of a series, P inputs of the linear forecast.
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
from models.network.inputs import ScaledContext
from models.network.network import Network
from models.network.reader import Reader
from models.training.exact import lead_with_exact, measure_holds
from models.training.sampling import TensorBatch, WindowPool, split_batch

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridge penalties that the selection span chooses from, in units of an input's mean square"""
STARTED_PENALTIES = (10.0, 100.0)
"""Further ones, where the regression shrinks towards the weights of another network"""
FIRST_PENALTY = 1e-2
"""Penalty where there is no selection span: the middle one"""
RIDGE_WINDOWS = 16_384
"""windows that the regression is fitted on, at most"""
WINDOWS_AT_ONCE = 1024
"""windows in memory together"""
LONG = 1440
"""contexts longer than this are fitted on fewer windows, and fewer at once: the cost is that of their steps"""
LARGEST = 5.0
"""Targets of the regression are clipped to this many scales: squares give jumps too much say"""

Group = tuple[int, Sequence[PooledModel]]
"""how many models of a kind are kept, and those to choose from"""


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
    """Fit what a network does not learn by gradients, and set it; return the ridge penalty of each reader.

    Args:
        ends: the positions (len(series),) that the span ends before.
        selection: windows that choose the penalties; none: `penalties`, or the default.
        started: the network comes from another one, whose scales it keeps.
    """
    if not started:
        learn_scales(network, series, ends)
    config = network.config
    groups = _find_models(config, series, ends)
    if groups:
        first = next(_draw_windows(pool, config))
        for reader in network.readers:
            context, target = _scale(reader, first)
            set_models(reader, groups, context.z, target)
    if config.exact:
        measure_holds(network, pool)
    if not started:
        lead_with_exact(network, next(_draw_windows(pool, config)))
    if not config.network.linear:
        return []
    given: Sequence[float | None] = penalties or [None] * len(network.readers)
    return [
        _fit_linear(reader, config, _draw_windows(pool, config), selection, penalty)
        for reader, penalty in zip(network.readers, given, strict=True)
    ]


def _find_models(config: Config, series: Sequence[Series], ends: Sequence[int]) -> list[Group]:
    """Return the smoothing models and Prophet's, fitted to a sample of the series, where they are wanted."""
    network = config.network
    seed = config.training.seed
    groups: list[Group] = []
    if network.statistical:
        groups.append((network.statistical, fit_pooled_models(series, ends, network.season_in_context, seed)))
    if network.prophet:
        groups.append((network.prophet, fit_prophet_models(series, ends, seed)))
    return groups


def _draw_windows(pool: WindowPool, config: Config) -> Iterator[TensorBatch]:
    """Draw the regression's windows, the same for every reader, one batch after another: all at once are gigabytes."""
    generator = torch.Generator().manual_seed(config.training.seed)
    length = config.network.context_length
    # fewer of long contexts, but at least twice as many windows as steps are read
    windows = min(RIDGE_WINDOWS, max(2 * config.network.near.context_length, RIDGE_WINDOWS * LONG // length))
    at_once = max(1, WINDOWS_AT_ONCE * LONG // max(length, LONG))
    for _ in range(max(1, windows // at_once)):
        yield pool.draw(at_once, generator)


def learn_scales(network: Network, series: Sequence[Series], ends: Sequence[int]) -> None:
    """Set the covariates' means and standard deviations from the values before `ends`."""
    config = network.config.covariates
    encoded = [encode(item, config, 0, end, seen=end) for item, end in zip(series, ends, strict=True)]  # (L, C) each
    encoded_static = [encode_static(item, config)[None] for item in series]  # (1, S) each
    temporal = _moments(encoded, config)
    static = _moments(encoded_static, config, static=True)
    for reader in network.readers:
        reader.set_scales(temporal, static)


def _moments(parts: Sequence[Floats], config: CovariateConfig, *, static: bool = False) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column of arrays (L, C), ignoring NaN; 0 and 1 without a value."""
    width = len(config.static if static else config.temporal)
    count = np.zeros(width)
    total = np.zeros(width)
    for part in parts:
        count += (~np.isnan(part)).sum(0)
        total += np.nansum(part, axis=0)
    mean = total / np.maximum(count, 1)
    squares = np.zeros(width)
    for part in parts:
        squares += np.nansum((part - mean) ** 2, axis=0)
    spread = np.sqrt(squares / np.maximum(count, 1))
    floor = np.maximum(np.abs(mean) * 1e-9, 1e-30)  # what rounding leaves of a constant column
    return torch.from_numpy(mean), torch.from_numpy(np.where(spread > floor, spread, 1.0))


def _fit_linear(
    reader: Reader,
    config: Config,
    drawn: Iterable[TensorBatch],
    selection: TensorBatch | None,
    penalty: float | None,
) -> float:
    """Fit one reader's linear forecast by ridge regression on the drawn windows; return the penalty used."""
    gram, moment = _normal_equations(reader, config, drawn)
    unit = gram.diagonal().mean().clip(1e-12)
    before = reader.linear.weight.double()  # (P, H), zero or another network's: few windows move it little
    started = bool((before != 0).any())
    if penalty is None and selection is not None:
        penalties = (*PENALTIES, *STARTED_PENALTIES) if started else PENALTIES
        inputs, target = _build_regression(reader, config, selection)
        errors = [_error(inputs @ _solve(gram, moment, unit * p, before), target) for p in penalties]
        penalty = penalties[int(np.argmin(errors))]
    if penalty is None:
        penalty = STARTED_PENALTIES[0] if started else FIRST_PENALTY
    reader.set_ridge(_solve(gram, moment, unit * penalty, before))
    return penalty


def _normal_equations(reader: Reader, config: Config, drawn: Iterable[TensorBatch]) -> tuple[Tensor, Tensor]:
    """Return the sums x'x (P, P) and x'y (P, H), float64, over the windows whose targets are complete."""
    linear = reader.linear
    device = linear.weight.device
    gram = torch.zeros(linear.width, linear.width, dtype=torch.float64, device=device)
    moment = torch.zeros(linear.width, config.horizon, dtype=torch.float64, device=device)
    for batch in drawn:
        inputs, target = _build_regression(reader, config, batch)
        complete = ~torch.isnan(target).any(-1)  # (B,)
        x = inputs[complete]
        y = target[complete].clip(-LARGEST, LARGEST)
        gram += (x.T @ x).double()
        moment += (x.T @ y).double()
    return gram, moment


def _solve(gram: Tensor, moment: Tensor, penalty: Tensor, before: Tensor) -> Tensor:
    """Solve the ridge regression that shrinks towards the weights `before`: (P, H) float32."""
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    weight: Tensor = torch.linalg.solve(gram + penalty * eye, moment + penalty * before)
    return weight.float()


def _error(forecast: Tensor, target: Tensor) -> float:
    """Return the mean absolute error in scaled units, 0 where the target is missing, jumps clipped."""
    return float((forecast - target).abs().nan_to_num(nan=0.0, posinf=0.0).clip(max=LARGEST).mean())


def _scale(reader: Reader, batch: TensorBatch) -> tuple[ScaledContext, Tensor]:
    """Return a reader's contexts, and the targets (B, H) in units of their scales, NaN where missing."""
    context: ScaledContext = reader.normalise(batch["y"][:, -reader.config.context_length :])
    return context, (batch["target"] - context.loc) / context.scale


def _build_regression(reader: Reader, config: Config, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """Return inputs (B, P) and targets (B, H) in scaled units, NaN where missing."""
    inputs: list[Tensor] = []
    targets: list[Tensor] = []
    with torch.no_grad():
        for piece in split_batch(batch, WINDOWS_AT_ONCE):
            steps = piece["y"].shape[1]
            skipped = steps - reader.config.context_length
            context, target = _scale(reader, piece)
            start = reader.calendar(piece["calendar"][:, steps])  # (B, calendar features)
            numbers = reader.covariates(piece["covariates"][:, skipped:]) if "covariates" in config.inputs else None
            context, numbers = reader.gated.crop(context, numbers)
            inputs.append(reader.linear.build_inputs(context.z, start, numbers))
            targets.append(target.float())
    return torch.cat(inputs), torch.cat(targets)


def set_models(reader: Reader, groups: Sequence[Group], z: Tensor, target: Tensor) -> None:
    """Give a reader the models that together forecast windows best: z (B, T), target (B, H) in scaled units.

    Fewer models than are kept are repeated; without any the room holds the last value.
    """
    candidates = reader.gated
    identity = np.eye(candidates.length)
    context = z[:, -candidates.length :].double().cpu().numpy()
    actual = target.double().cpu().numpy()
    chosen: list[Floats] = []
    for count, models in groups:
        choices = list(models) or [SmoothingModel(1.0)]
        forecasts = [item.forecast(identity, candidates.horizon, reader.config.season_in_context) for item in choices]
        maps = np.stack(forecasts, axis=-1)  # (T, H, models)
        chosen.append(maps[..., _choose_greedily(context, actual, maps, count)])
    reader.set_pooled(np.concatenate(chosen, axis=-1))


def _choose_greedily(z: Floats, target: Floats, maps: Floats, count: int) -> list[int]:
    """Return the maps that lower the error of the best of them in each window most, one after another."""
    errors = np.stack([np.nanmean(np.abs(z @ maps[..., k] - target), axis=-1) for k in range(maps.shape[-1])], axis=-1)
    errors = np.nan_to_num(errors, nan=0.0)  # (B, number of models); a window without targets weighs nothing
    chosen: list[int] = []
    best = np.full(len(errors), np.inf)  # (B,)
    for _ in range(count):
        gains = np.minimum(best[:, None], errors).mean(0)  # (number of models,)
        chosen.append(int(np.argmin(gains)))
        best = np.minimum(best, errors[:, chosen[-1]])
    return chosen
