"""Inputs of the network: contexts of unit scale without gaps, calendars on circles, covariates of unit scale.

B batch, T context, H horizon, N seasons of the context, m steps of a season, L steps, C covariates, F features.
"""

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.calendar.features import CALENDAR_PERIODS
from models.classical.linear_maps import fill_kernel
from models.config.covariates import CovariateConfig
from models.network.scalers import SCALERS

HARMONICS = (4, 3, 2, 3, 2)
"""Sine and cosine pairs of each calendar field; three describe the days of a week completely, two the holidays."""
WIDEST_KERNEL = 513
"""Most seasons whose values fill a gap"""
RECENCY_POWER = -4.0
"""Power of a step's age in seasons that it weighs with in the scaler `recent`"""
LEVEL_SHARE = 1e-4
"""Weight of a season's mean beside each of its phases, so small that it counts where a phase was never observed"""
WIDEST_STEP = 16
"""Most features that the covariates of one step are condensed to"""
LARGEST_FEATURE = 10.0
"""Largest number that a covariate becomes: a jump must not outweigh all else"""
LARGEST_SCORE = 1e6
"""z-scores beyond this would overflow when squared and say no more"""
LEAST_SPREAD = 0.1
"""A window's spread of a covariate counts as this share of the whole spread at least: flags are often constant"""


class ScaledContext(NamedTuple):
    """A context brought to unit scale."""

    z: Tensor
    """(B, T) float32, gaps filled"""
    observed: Tensor
    """(B, T) float32, 1 where a value exists"""
    loc: Tensor
    """(B, 1) float64"""
    scale: Tensor
    """(B, 1) float64"""


class InputMask(NamedTuple):
    """Presence of each input: 1 as it was observed, 0 at the baseline of models.explain."""

    lags: Tensor
    """(B, T)"""
    covariates: Tensor | None
    """(B, T + H, C)"""
    static: Tensor | None
    """(B, S); after `crop` (B, 1, S)"""

    def crop(self, skipped: int) -> "InputMask":
        """Return the mask of a stretch that begins after so many steps."""
        return InputMask(
            lags=self.lags[:, skipped:],
            covariates=self.covariates[:, skipped:] if self.covariates is not None else None,
            static=self.static[:, None] if self.static is not None else None,
        )


def dampen(z: Tensor) -> Tensor:
    """Return the inverse hyperbolic sine, in operations that every runtime has."""
    return z.sign() * torch.log(z.abs() + torch.sqrt(z * z + 1.0))


class Normalise(nn.Module):
    """Scales a context and fills its gaps.

    A gap takes the weighted mean of the same phase in the context's other seasons, near ones weighing most;
    a phase that was never observed takes the season's level. Both are constant matrix products.
    """

    def __init__(self, context_length: int, season: int, scaler: str) -> None:
        super().__init__()
        self.scaler = SCALERS[scaler]
        self.season = season
        self.padding = -context_length % season
        self.seasons = (context_length + self.padding) // season
        self.banded = self.seasons > WIDEST_KERNEL
        # far seasons weigh nothing, and a full matrix grows with the square of their number
        kernel = fill_kernel(WIDEST_KERNEL)[WIDEST_KERNEL // 2][None] if self.banded else fill_kernel(self.seasons)
        age = np.arange(context_length)[::-1] / season
        self.kernel: Tensor
        self.recency: Tensor
        self.register_buffer("kernel", torch.from_numpy(kernel).float(), persistent=False)  # (N, N), banded (1, width)
        self.register_buffer("recency", torch.from_numpy((1.0 + age) ** RECENCY_POWER), persistent=False)  # (T,)

    def forward(self, y: Tensor) -> ScaledContext:
        """Scale y (B, T), NaN where missing."""
        seen = ~torch.isnan(y)
        observed = seen.double()
        data = torch.where(seen, y, 0.0)
        loc, scale = self.scaler(data, observed, self.recency)  # (B, 1) each
        z = ((data - loc) / scale * observed).float()
        return ScaledContext(self.fill(z, observed.float()), observed.float(), loc, scale)

    def mask(self, context: ScaledContext, present: Tensor) -> ScaledContext:
        """Return a context whose observed values are as present (B, T) as wanted, its gaps filled from those."""
        filled = self.fill(context.z * context.observed * present, context.observed)
        return context._replace(z=filled)

    def fill(self, z: Tensor, observed: Tensor) -> Tensor:
        """Fill z (B, T), which holds 0 where observed is 0."""
        pair = torch.stack([z, observed], dim=1)  # (B, 2, T)
        if self.padding:
            pair = nn.functional.pad(pair, (self.padding, 0))
        pair = pair.reshape(-1, 2, self.seasons, self.season)  # (B, 2, N, m)
        pair = pair + LEVEL_SHARE * pair.mean(-1, keepdim=True)
        numerator, denominator = self.sum_seasons(pair).flatten(2).unbind(1)  # (B, N * m) each
        fill = (numerator / denominator.clip(1e-30))[:, self.padding :]  # (B, T)
        return z + (1 - observed) * fill

    def sum_seasons(self, pair: Tensor) -> Tensor:
        """Return the weighted sums over the seasons of (B, 2, N, m), of the same shape."""
        if not self.banded:
            return self.kernel @ pair
        rows = pair.reshape(-1, 1, self.seasons, self.season)  # (B * 2, 1, N, m)
        half = WIDEST_KERNEL // 2
        padded = nn.functional.pad(rows, (0, 0, half, half))  # (B * 2, 1, half + N + half, m)
        return nn.functional.conv2d(padded, self.kernel[None, :, :, None]).reshape(pair.shape)


class CalendarFeatures(nn.Module):
    """Puts calendar integers on circles: (B, L, 5) -> (B, L, F)."""

    def __init__(self, fields: tuple[int, ...]) -> None:
        super().__init__()
        pairs = [(f, 2 * np.pi * k / CALENDAR_PERIODS[f]) for f in fields for k in range(1, HARMONICS[f] + 1)]
        self.width = 2 * len(pairs)
        rates = torch.zeros(len(CALENDAR_PERIODS), len(pairs), dtype=torch.float64)
        for column, (f, rate) in enumerate(pairs):
            rates[f, column] = rate
        self.rates: Tensor
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, calendar: Tensor) -> Tensor:
        # one number and zeros are summed; float64, which no mixed precision of training makes coarser
        angles = (calendar.double() @ self.rates).float()  # (B, L, pairs)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class CovariateNumbers(nn.Module):
    """Turns the numeric ones of encoded covariates (B, L, C), NaN where missing, into numbers of unit scale."""

    def __init__(self, names: tuple[str, ...], config: CovariateConfig) -> None:
        super().__init__()
        self.columns = [i for i, name in enumerate(names) if name not in config.levels]
        self.loc: Tensor
        self.scale: Tensor
        self.register_buffer("loc", torch.zeros(len(names), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(len(names), dtype=torch.float64))

    def set_scale(self, loc: Tensor, scale: Tensor) -> None:
        """Set the means and standard deviations (C,) of the training data."""
        self.loc.copy_(loc)
        self.scale.copy_(scale)

    def forward(self, covariates: Tensor) -> Tensor:
        """Return (B, L, 3 * numeric) float32: z-scores of the training data, those of the window, observed."""
        x = covariates[..., self.columns]  # (B, L, numeric)
        seen = ~torch.isnan(x)
        observed = seen.double()
        spread = self.scale[self.columns]
        scores = torch.where(seen, (x - self.loc[self.columns]) / spread, torch.zeros_like(x))
        z = scores.clip(-LARGEST_SCORE, LARGEST_SCORE)
        count = observed.sum(-2, keepdim=True).clip(1.0)
        mean = z.sum(-2, keepdim=True) / count
        deviation = (z - mean) * observed
        local = deviation / ((deviation * deviation).sum(-2, keepdim=True) / count + LEAST_SPREAD**2).sqrt()
        both = torch.cat([z, local], dim=-1).clip(-LARGEST_FEATURE, LARGEST_FEATURE)
        return torch.cat([both, observed], dim=-1).float()  # (B, L, 3 * numeric)

    def mask(self, numbers: Tensor | None, present: Tensor | None) -> Tensor | None:
        """Return numbers (B, L, 3 * numeric) of columns that are as present (B, L, C) as wanted."""
        if numbers is None or present is None:
            return numbers
        shares = present[..., self.columns]  # (B, L, numeric)
        return numbers * torch.cat([shares, shares, torch.ones_like(shares)], dim=-1)


class CovariateFeatures(nn.Module):
    """Condenses encoded covariates (B, L, C), NaN where missing, to a few features (B, L, F).

    Numbers come as `CovariateNumbers` gives them. A category becomes a learned vector, zero where it is missing or
    was unknown when the model was trained.
    """

    def __init__(self, names: tuple[str, ...], config: CovariateConfig) -> None:
        super().__init__()
        self.categorical = [(i, len(config.levels[name])) for i, name in enumerate(names) if name in config.levels]
        self.numeric = len(names) > len(self.categorical)
        widths = [min(8, 1 + ceil(sqrt(levels))) for _, levels in self.categorical]
        pairs = zip(self.categorical, widths, strict=True)
        # code 0 is padding: missing or unknown
        self.vectors = nn.ModuleList(nn.Embedding(levels + 2, w, padding_idx=0) for (_, levels), w in pairs)
        inputs = 3 * (len(names) - len(self.categorical)) + sum(widths)
        self.width = min(inputs, WIDEST_STEP)
        self.condense = nn.Linear(inputs, self.width) if names else None

    def forward(self, covariates: Tensor, numbers: Tensor, present: Tensor | None = None) -> Tensor:
        """covariates (B, L, C), their numbers (B, L, 3 * numeric), how present each is (B, L, C) -> (B, L, F)."""
        assert self.condense is not None
        parts = [numbers] if self.numeric else []
        for (column, levels), vectors in zip(self.categorical, self.vectors, strict=True):
            code = covariates[..., column]
            in_vocabulary = (code >= 0) & (code < levels)  # neither NaN nor a level that is new
            vector = vectors(
                torch.where(in_vocabulary, code + 1, torch.zeros_like(code)).long()
            )  # (B, L, vector's width)
            parts.append(vector if present is None else vector * present[..., column, None])
        condensed: Tensor = self.condense(torch.cat(parts, dim=-1))
        return condensed
