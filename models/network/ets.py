"""Exponential smoothing models of each context's own, weighted by how likely they make it.

A grid of models runs over the context, all at once as constant linear maps; those of one family are averaged with
the weights that their likelihood gives them (Akaike weights, Kolassa 2011). What AutoETS and AutoTheta find by an
optimiser for each series is found here in a few matrix products, in training and in the graph that serves.

Shapes: B batch, T context, H horizon, m season, N seasons of the context, P models, F families.
"""

from math import ceil

import numpy as np
import torch
from torch import Tensor, nn

from models.classical.exponential_smoothing import SmoothingModel
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.inputs import ScaledContext

LEVEL_RATES = (0.1, 0.3, 0.6, 1.0)
FAMILIES: dict[str, tuple[SmoothingModel, ...]] = {
    "level": tuple(SmoothingModel(a) for a in LEVEL_RATES),
    "theta": tuple(SmoothingModel(a, drift=0.5) for a in LEVEL_RATES),
    "trend": tuple(SmoothingModel(a, b, damping=d) for a in (0.2, 0.6, 1.0) for b in (0.0, 0.15) for d in (0.85, 0.97)),
}
"""The grids. A finer one forecasts no better."""
SPACES = ("additive", "multiplicative")
"""spaces of the models: the values as they are, and their logarithms where none is near zero or below"""
LEAST_LOGGED = 1e-3
"""scales; a value must be above this for its logarithm to be read; float32 keeps zero to a millionth of a scale"""
ANCHORS = ("theta", "trend")
"""families whose mean is the forecast without anything learned"""
DECAY = 0.85
"""weight of a season beside that of the next one, in the seasonal profile"""
LEAST_VARIANCE = 1e-6
"""least variance of the errors, as a share of the variance of the context"""
GROWTH = 0.5
"""a logarithm is forecast this much and the context's range beyond its extremes at most"""
LEAST_SLOPE_SUM = 1e-9
"""floor of the squared steps that a slope is divided by: a single observed step has no slope"""
TINY = 1e-12
"""variance of a constant context; clipped, because the exporter drops the addition of so little"""


class ETS(nn.Module):
    """The families' forecasts in both spaces."""

    def __init__(self, model: Config, config: NetworkConfig) -> None:
        super().__init__()
        length = config.context_length
        grid = [smoothed for family in FAMILIES.values() for smoothed in family]
        identity = np.eye(length)
        errors = np.stack([smoothed.errors(identity, 1) for smoothed in grid], axis=-1)  # (T, T, P)
        forecasts = np.stack([smoothed.forecast(identity, model.horizon, 1) for smoothed in grid], axis=-1)  # (T, H, P)
        self.length = length
        self.models = len(grid)
        self.horizon = model.horizon
        self.sizes = [len(family) for family in FAMILIES.values()]
        self.count = len(SPACES) * len(FAMILIES)
        names = [(space, family) for space in SPACES for family in FAMILIES]
        self.labels = [f"ets_{space}_{family}" for space, family in names]
        self.anchors = [k for k, (_, family) in enumerate(names) if family in ANCHORS]
        self.season = config.season_in_context
        self.seasons = ceil(length / self.season)
        steps = np.arange(length) - (length - 1) / 2
        self.error_maps: Tensor
        self.forecast_maps: Tensor
        self.steps: Tensor
        self.season_weights: Tensor
        for name, values in {
            "error_maps": errors.reshape(length, -1),  # (T, T * P)
            "forecast_maps": forecasts.reshape(length, -1),  # (T, H * P)
            "steps": steps / max(steps[-1], 1.0),  # (T,)
            "season_weights": DECAY ** np.arange(self.seasons)[::-1, None],  # (N, 1)
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)).float(), persistent=False)

    def forward(self, context: ScaledContext) -> tuple[Tensor, Tensor]:
        """Return forecasts (B, H, 2 * F) in scaled units and the log of each one's error over the mean, (B, 2 * F).

        The multiplicative half is the additive one where a value of the context is near zero or below.
        """
        observed = context.observed
        additive, additive_errors = self.average_families(context.z, observed)  # (B, H, F), (B, F)
        values = context.z * context.scale + context.loc  # (B, T) float64
        above = values > LEAST_LOGGED * context.scale
        positive = (above | (observed == 0)).all(-1)[:, None]  # (B, 1)
        logs = torch.log(torch.where(above, values, torch.ones_like(values)))
        count = observed.sum(-1, keepdim=True).clip(1.0)
        middle = (logs * observed).sum(-1, keepdim=True) / count  # (B, 1)
        centred = ((logs - middle) * observed).float()
        high = centred.amax(-1)[:, None, None]  # (B, 1, 1)
        low = centred.amin(-1)[:, None, None]  # (B, 1, 1)
        unit = (high - low).clip(TINY)
        logarithmic, log_space_errors = self.average_families(centred / unit[..., 0], observed)
        reach = high - low + GROWTH
        bounded = torch.minimum(torch.maximum(logarithmic * unit, low - reach), high + reach)
        grown = torch.exp(bounded + middle[..., None])  # (B, H, F) in original units
        scaled = ((grown - context.loc[..., None]) / context.scale[..., None]).float()
        multiplicative = torch.where(positive[..., None], scaled, additive)
        multiplicative_errors = torch.where(positive, log_space_errors, additive_errors)
        forecasts = torch.cat([additive, multiplicative], dim=-1)  # (B, H, 2 * F)
        return forecasts, torch.cat([additive_errors, multiplicative_errors], dim=-1)

    def average_families(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Average each family over values x (B, T) of any unit: forecasts (B, H, F) and log errors (B, F)."""
        count = observed.sum(-1, keepdim=True).clip(1.0)
        past, future = self.fit_profile(x, observed)
        rest = x - past
        rest = torch.where(observed > 0, rest, self.fit_line(rest, observed))  # gaps lie on the context's line
        mean = (rest * observed).sum(-1, keepdim=True) / count
        spread = (((rest - mean) ** 2) * observed).sum(-1, keepdim=True) / count
        errors = (rest @ self.error_maps).reshape(-1, self.length, self.models)  # (B, T, P)
        variance = ((errors**2) * observed[..., None]).sum(1) / count  # (B, P)
        size = torch.log((variance + LEAST_VARIANCE * spread).clip(TINY))
        forecasts = (rest @ self.forecast_maps).reshape(-1, self.horizon, self.models)  # (B, H, P)
        averages: list[Tensor] = []
        log_errors: list[Tensor] = []
        first = 0
        for width in self.sizes:
            family = slice(first, first + width)
            weight = (-0.5 * count * size[:, family]).softmax(-1)  # (B, models of the family)
            averages.append((forecasts[..., family] * weight[:, None]).sum(-1) + future)
            log_errors.append(0.5 * (size[:, family] * weight).sum(-1))
            first += width
        joined = torch.stack(log_errors, dim=-1)  # (B, F)
        return torch.stack(averages, dim=-1), joined - joined.mean(-1, keepdim=True)

    def fit_profile(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the seasonal profile of each step of the context (B, T) and of the horizon (B, H).

        It is shrunk by the share of its variance that chance explains (James and Stein 1961), so that a series
        without a season gets none. Without two seasons of values it is 0.
        """
        if self.season == 1 or self.seasons < 2:
            return torch.zeros_like(x), torch.zeros_like(x[:, :1])
        rest = (x - self.fit_line(x, observed)) * observed
        missing = self.seasons * self.season - self.length
        pair = nn.functional.pad(torch.stack([rest, observed], dim=1), (missing, 0))  # (B, 2, N * m)
        blocks, seen = pair.reshape(-1, 2, self.seasons, self.season).unbind(1)  # (B, N, m) each
        weight = self.season_weights * seen
        total = weight.sum(1).clip(TINY)  # (B, m)
        profile = (weight * blocks).sum(1) / total
        profile = profile - profile.mean(-1, keepdim=True)
        count = seen.sum((1, 2))  # (B,)
        freedom = (count - self.season - 1).clip(1.0)
        chance = (((blocks - profile[:, None]) * seen) ** 2).sum((1, 2)) / freedom
        seasons = (total**2 / (weight**2).sum(1).clip(TINY)).mean(-1)  # (B,), how many count in effect
        share = 1 - chance / seasons.clip(1e-9) / ((profile**2).sum(-1) / (self.season - 1)).clip(TINY)
        kept = torch.where(count >= 2 * self.season, share.clip(0.0, 1.0), torch.zeros_like(share))
        profile = profile * kept[:, None]
        past = profile.repeat(1, self.seasons)[:, -self.length :]  # (B, T)
        return past, profile.repeat(1, ceil(self.horizon / self.season))[:, : self.horizon]  # (B, H)

    def fit_line(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the least-squares line of the observed steps: (B, T)."""
        count = observed.sum(-1, keepdim=True).clip(1.0)
        steps = self.steps - (self.steps * observed).sum(-1, keepdim=True) / count  # (B, T)
        mean = (x * observed).sum(-1, keepdim=True) / count
        square = (steps**2 * observed).sum(-1, keepdim=True).clip(LEAST_SLOPE_SUM)
        slope = (steps * observed * (x - mean)).sum(-1, keepdim=True) / square  # (B, 1)
        return mean + slope * steps
