"""Exponential smoothing models of each context's own, weighted by how likely they make it.

A grid of models runs over the context, all at once as constant linear maps; those of one family are averaged with
the weights that their likelihood gives them (Akaike weights, Kolassa 2011). What AutoETS and AutoTheta find by an
optimiser for each series is found here in a few matrix products, in training and in the graph that serves.

Shapes: B batch, T context, H horizon, m season, N seasons of the context, P models, F families.
"""

from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

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
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.inputs import ScaledContext

SPACES = ("additive", "multiplicative")
"""spaces of the models: the values as they are, and their logarithms where none is near zero or below"""
LEAST_VARIANCE = {"basic": 1e-6, "wide": 1e-9}
"""least variance of the errors, as a share of the variance of the context, by kind of the families"""
ANCHORS = ("theta", "trend")
"""families that are the forecast without anything learned, in equal shares, where they are not weighed"""
LEAST_UNIT = 1e-6
"""least unit in scales"""
LEAST_SLOPE_SUM = 1e-9
"""floor of the squared steps that a slope is divided by: a single observed step has no slope"""
TINY = 1e-12
"""variance of a constant context; clipped, because the exporter drops the addition of so little"""


class EtsForecast(NamedTuple):
    """Forecasts of the families in both spaces, K of them."""

    forecasts: Tensor
    """(B, H, K) in scaled units"""
    log_errors: Tensor
    """(B, K), the log of each one's error over the mean"""
    shares: Tensor
    """(B or 1, K), what each has of the forecast without anything learned; their sum is 1"""
    unit: Tensor
    """(B, 1) in scales: by how much that forecast, one step ahead, has missed the context"""


class FamilyAverages(NamedTuple):
    """The families' averages in one space, F of them, in its units."""

    forecasts: Tensor
    """(B, H, F)"""
    log_errors: Tensor
    """(B, F), log of the standard error one step ahead"""
    errors: Tensor
    """(B, T, F) one step ahead"""


class ETS(nn.Module):
    """The families' forecasts in both spaces."""

    def __init__(self, model: Config, config: NetworkConfig) -> None:
        super().__init__()
        length = config.context_length
        self.kind = config.ets_models
        self.season = config.season_in_context
        self.families = list_families(self.kind, self.season)
        self.length = length
        self.horizon = model.horizon
        self.count = len(SPACES) * len(self.families)
        names = [(space, family) for space in SPACES for family in self.families]
        self.labels = [f"ets_{space}_{family.name}" for space, family in names]
        wide = self.kind == "wide"
        self.anchors = [k for k, (_, family) in enumerate(names) if wide or family.name in ANCHORS]
        self.seasons = ceil(length / self.season)
        self.least_variance = LEAST_VARIANCE[self.kind]
        self.evidence = EVIDENCE_SEASON_STEPS if self.season > 1 else EVIDENCE_STEPS
        steps = np.arange(length) - (length - 1) / 2
        self.steps: Tensor
        self.season_weights: Tensor
        self.handicaps: Tensor
        self.equal_shares: Tensor
        anchored = np.array([float(k in self.anchors) for k in range(self.count)])
        for name, values in {
            "steps": steps / max(steps[-1], 1.0),  # (T,)
            "season_weights": DECAY ** np.arange(self.seasons)[::-1, None],  # (N, 1)
            "handicaps": np.array([family.handicap for _, family in names]),  # (K,)
            "equal_shares": anchored[None] / anchored.sum(),  # (1, K)
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)).float(), persistent=False)
        self._register_maps()

    def _register_maps(self) -> None:
        """Keep the maps of the plain and the seasonal families apart: they read other values."""
        identity = np.eye(self.length)
        for name, seasonal in (("plain", False), ("seasonal", True)):
            grid = [m for family in self.families if family.seasonal == seasonal for m in family.models]
            if not grid:
                continue
            season = self.season if seasonal else 1
            errors = np.stack([m.errors(identity, season) for m in grid], axis=-1)  # (T, T, P)
            forecasts = np.stack([m.forecast(identity, self.horizon, season) for m in grid], axis=-1)  # (T, H, P)
            for kind, maps in (("errors", errors), ("forecasts", forecasts)):
                flat = torch.from_numpy(np.ascontiguousarray(maps.reshape(self.length, -1))).float()
                self.register_buffer(f"{name}_{kind}", flat, persistent=False)  # (T, T * P), (T, H * P)

    def forward(self, context: ScaledContext) -> EtsForecast:
        """Return the forecasts of a context.

        The multiplicative half is the additive one where a value of the context is near zero or below.
        """
        observed = context.observed
        additive = self.average_families(context.z, observed)
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
        logarithmic = self.average_families(centred / unit[..., 0], observed)
        reach = high - low + GROWTH
        bounded = torch.minimum(torch.maximum(logarithmic.forecasts * unit, low - reach), high + reach)
        grown = torch.exp(bounded + middle[..., None])  # (B, H, F) in original units
        scaled = ((grown - context.loc[..., None]) / context.scale[..., None]).float()
        forecasts = torch.cat([additive.forecasts, torch.where(positive[..., None], scaled, additive.forecasts)], -1)
        if self.kind == "basic":
            shared = [part - part.mean(-1, keepdim=True) for part in (additive.log_errors, logarithmic.log_errors)]
            errors = torch.cat([shared[0], torch.where(positive, shared[1], shared[0])], dim=-1)
            return EtsForecast(forecasts, errors, self.equal_shares, torch.ones_like(count))
        # a logarithm's error is one of the value by the size of the values: Jacobian of the likelihood
        size = unit[..., 0] * (torch.exp(middle) / context.scale).float()  # (B, 1) scales
        sized = logarithmic.log_errors + torch.log(size.clip(TINY))
        sizes = torch.cat([additive.log_errors, torch.where(positive, sized, additive.log_errors)], dim=-1)
        missed = torch.where(positive[..., None], logarithmic.errors * size[..., None], additive.errors)
        return self._weigh(forecasts, sizes, torch.cat([additive.errors, missed], dim=-1), observed)

    def _weigh(self, forecasts: Tensor, sizes: Tensor, errors: Tensor, observed: Tensor) -> EtsForecast:
        """Weigh the anchors by how likely they make the context: sizes (B, K) log errors, errors (B, T, K)."""
        count = observed.sum(-1, keepdim=True)
        shares = (-(sizes + self.handicaps) * (count / self.evidence).clip(1.0)).softmax(-1)  # (B, K)
        missed = (errors * shares[:, None]).sum(-1, keepdim=True)  # (B, T, 1)
        unit = self.measure(missed, observed).sqrt()  # (B, 1)
        return EtsForecast(forecasts, sizes - sizes.mean(-1, keepdim=True), shares, unit.clip(LEAST_UNIT))

    def measure(self, errors: Tensor, observed: Tensor) -> Tensor:
        """Return the mean square of all errors (B, T, F) but the largest, over the observed steps: (B, F)."""
        count = observed.sum(-1, keepdim=True)[..., None]  # (B, 1, 1)
        ordered = torch.sort(errors**2 * observed[..., None], dim=1).values
        # gaps miss nothing and come first
        rank = torch.arange(self.length, device=errors.device)[:, None] - (self.length - count)  # (B, T, 1)
        kept = ((rank >= 0) & (rank < (count * (1 - TRIMMED)).ceil())).float()
        return (ordered * kept).sum(1) / kept.sum(1).clip(1.0)

    def average_families(self, x: Tensor, observed: Tensor) -> FamilyAverages:
        """Average each family over values x (B, T) of any unit."""
        count = observed.sum(-1, keepdim=True).clip(1.0)
        past, future = self.fit_profile(x, observed)
        rest = x - past
        rest = torch.where(observed > 0, rest, self.fit_line(rest, observed))  # gaps lie on the context's line
        mean = (rest * observed).sum(-1, keepdim=True) / count
        spread = (((rest - mean) ** 2) * observed).sum(-1, keepdim=True) / count
        plain = [family for family in self.families if not family.seasonal and family != CYCLE]
        parts = [self._average(rest, plain, "plain", observed, spread)]
        if CYCLE in self.families:
            parts.append(self.continue_cycle((rest - mean) * observed, mean, observed, self.least_variance * spread))
        parts = [part._replace(forecasts=part.forecasts + future[..., None]) for part in parts]
        seasonal = [family for family in self.families if family.seasonal]
        if seasonal:
            parts.append(self._average(rest + past, seasonal, "seasonal", observed, spread))
        return FamilyAverages(*(torch.cat(part, dim=-1) for part in zip(*parts, strict=True)))

    def _average(
        self, values: Tensor, families: list[Family], maps: str, observed: Tensor, spread: Tensor
    ) -> FamilyAverages:
        """Average families whose maps read the values (B, T) without gaps."""
        count = observed.sum(-1, keepdim=True).clip(1.0)
        sizes = [len(family.models) for family in families]
        least = self.least_variance * spread  # (B, 1)
        errors = (values @ getattr(self, f"{maps}_errors")).reshape(-1, self.length, sum(sizes))  # (B, T, P)
        squares = (errors**2) * observed[..., None]
        forecasts = (values @ getattr(self, f"{maps}_forecasts")).reshape(-1, self.horizon, sum(sizes))  # (B, H, P)
        size = torch.log((squares.sum(1) / count + least).clip(TINY))  # (B, P)
        weights = self._weigh_models(size, count, sizes)
        if self.kind == "wide":
            usual = self.measure(_join(errors, weights), observed).amin(-1, keepdim=True) + least  # (B, 1)
            bounded = torch.minimum(squares, (WIDEST_ERROR**2 * usual)[..., None]).sum(1) / count
            weights = self._weigh_models(torch.log((bounded + least).clip(TINY)), count, sizes)
            missed = _join(errors, weights)
            log_errors = 0.5 * torch.log((self.measure(missed, observed) + least).clip(TINY))
            return FamilyAverages(_join(forecasts, weights), log_errors, missed)
        log_errors = torch.stack([0.5 * (size[:, part] * w).sum(-1) for part, w in weights], dim=-1)
        return FamilyAverages(_join(forecasts, weights), log_errors, errors[..., : len(sizes)])

    def continue_cycle(self, rest: Tensor, mean: Tensor, observed: Tensor, least: Tensor) -> FamilyAverages:
        """Continue values (B, T), 0 where missing, around their mean (B, 1) by an autoregression of two steps.

        Its coefficients are the context's own, by the equations of Yule (1927, on sunspots) and Walker, and so are
        always stationary: a cycle goes on, and dies away. `least` (B, 1) is the variance of rounding.
        """
        own = (rest**2).sum(-1, keepdim=True).clip(TINY)
        first = (rest[:, 1:] * rest[:, :-1]).sum(-1, keepdim=True) / own
        second = (rest[:, 2:] * rest[:, :-2]).sum(-1, keepdim=True) / own
        near = (1 - first**2).clip(LEAST_SLOPE_SUM)
        b = (second - first**2) / near  # (B, 1)
        a = first * (1 - b)
        missed = rest[:, 2:] - a * rest[:, 1:-1] - b * rest[:, :-2]
        errors = nn.functional.pad(missed, (2, 0))[..., None]  # (B, T, 1)
        step = torch.stack([torch.cat([a, b], -1), torch.cat([torch.ones_like(a), torch.zeros_like(a)], -1)], 1)
        powers = step[:, None]  # (B, k, 2, 2) the first powers
        while powers.shape[1] < self.horizon:
            powers = torch.cat([powers, powers[:, -1:] @ powers], dim=1)
        last = torch.cat([rest[:, -1:], rest[:, -2:-1]], -1)  # (B, 2)
        ahead = (powers[:, : self.horizon, 0] * last[:, None]).sum(-1, keepdim=True)  # (B, H, 1)
        seen = nn.functional.pad(observed[:, 2:] * observed[:, 1:-1] * observed[:, :-2], (2, 0))
        log_errors = 0.5 * torch.log((self.measure(errors, seen) + least).clip(TINY))
        log_errors = log_errors + NO_CYCLE * (a**2 + 4 * b >= 0).float()  # real roots: no cycle
        return FamilyAverages(ahead + mean[..., None], log_errors, errors)

    def _weigh_models(self, size: Tensor, count: Tensor, sizes: list[int]) -> list[tuple[slice, Tensor]]:
        """Return each family's models and their weights (B, models), from the log variances (B, P) of all."""
        firsts = np.cumsum([0, *sizes]).tolist()
        parts = [slice(first, last) for first, last in pairwise(firsts)]
        return [(part, (-0.5 * count * size[:, part]).softmax(-1)) for part in parts]

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


def _join(values: Tensor, weights: list[tuple[slice, Tensor]]) -> Tensor:
    """Average the models (B, steps, P) of each family: (B, steps, F)."""
    return torch.stack([(values[..., part] * weight[:, None]).sum(-1) for part, weight in weights], dim=-1)
