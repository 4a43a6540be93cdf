"""A forecast that is linear in context, calendar and known-future covariates, and how it has lately done.

Shapes: B batch, T context, H horizon, C calendar features, P inputs, R recent windows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.inputs import dampened

WIDEST_LINEAR = 1200
"""Most inputs beside a long context; covariates before the origin are left out first"""


class LinearForecast(nn.Module):
    """Linear in the last steps of the context (dampened) and what is known ahead; models.training.closed_form fits it.

    It reads less than the whole context where that leaves room for `tried` horizons after it, each of them as if it
    lay ahead. What it missed there moves it: by the mean error of each step, and by that of all of them.
    """

    def __init__(self, config: Config, own: NetworkConfig, calendar: int, tried: int) -> None:
        super().__init__()
        self.horizon = config.horizon
        self.tried = tried
        self.backs = [number * config.horizon for number in range(tried, -1, -1)]  # the steps tried come in order
        self.length = own.context_length - tried * config.horizon
        numeric = [n for n in config.covariates.temporal if n not in config.covariates.levels]
        most = max(0, (WIDEST_LINEAR - self.length) // config.horizon)
        future = [i for i, n in enumerate(numeric) if n in config.covariates.known_future][:most]
        # of models.network.inputs.CovariateNumbers: the z-scores in the window
        self.columns = [len(numeric) + i for i in future]
        room = WIDEST_LINEAR - self.length - config.horizon * len(future)
        season = own.seasons[0] if own.seasons else 1
        self.before = max(0, min(self.length, room // max(len(future), 1))) // season * season
        self.width = self.length + calendar + (self.before + config.horizon) * len(future) + 1
        self.labels = ["linear", "linear_moved_by_step", "linear_moved"] if tried else ["linear"]
        self.count = len(self.labels)
        self.weight: Tensor
        self.register_buffer("weight", torch.zeros(self.width, config.horizon, dtype=torch.float32))

    def inputs(self, z: Tensor, start: Tensor, known: Tensor | None, back: int = 0) -> Tensor:
        """Return what the forecast `back` steps before the end of the context reads: (B, P).

        z (B, T), start (B, C) the calendar of its first step, known (B, T + H, 3 * numeric).
        """
        return self._inputs(z, start[:, None], known, [back])[:, 0]

    def _inputs(self, z: Tensor, starts: Tensor, known: Tensor | None, backs: Sequence[int]) -> Tensor:
        """Return what the forecasts of several `backs` read, starts (B, len(backs), C): (B, len(backs), P)."""
        ends = [z.shape[1] - back for back in backs]
        # spikes would outweigh all else
        values = dampened(z)[:, None]
        before = torch.cat([values[..., end - self.length : end] for end in ends], dim=1)
        parts = [before, nn.functional.pad(starts, (0, 1), value=1.0)]
        if known is not None and self.columns:
            beside = known[:, None, :, self.columns]
            stretches = [beside[:, :, end - self.before : end + self.horizon].flatten(2) for end in ends]
            parts.append(torch.cat(stretches, dim=1))
        return torch.cat(parts, dim=-1)

    def forward(self, z: Tensor, observed: Tensor, starts: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return forecasts (B, H, 3 or 1) and the mean absolute error on the tried horizons, (B, 1 or 0).

        starts (B, R + 1, C): the calendar where each of `backs` begins.
        """
        told = self._inputs(z, starts, known, self.backs) @ self.weight  # (B, R + 1, H)
        ahead = told[:, self.tried]
        if not self.tried:
            return ahead[..., None], z[:, :0]
        first = z.shape[1] - self.tried * self.horizon
        target, seen = (part[:, first:].reshape(-1, self.tried, self.horizon) for part in (z, observed))
        errors = (target - told[:, : self.tried]) * seen
        count = seen.flatten(1).sum(-1, keepdim=True).clip(1.0)  # (B, 1)
        by_step = errors.sum(1) / seen.sum(1).clip(1.0)
        level = errors.flatten(1).sum(-1, keepdim=True) / count
        found = torch.stack([ahead, ahead + by_step, ahead + level], dim=-1)
        return found, errors.abs().flatten(1).sum(-1, keepdim=True) / count
