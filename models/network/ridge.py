"""A forecast that is linear in context, calendar and known-future covariates, and how it has lately done.

Shapes: B batch, T context, H horizon, C calendar features, P inputs, R recent windows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.inputs import dampen

WIDEST_LINEAR = 1200
"""Most inputs beside a long context; covariates before the origin are left out first"""


class LinearForecast(nn.Module):
    """Linear in the last steps of the context (dampened) and what is known ahead; models.training.closed_form fits it.

    It reads less than the whole context where that leaves room for `tried` horizons after it, each of them as if it
    lay ahead. What it missed there moves it: by the mean error of each step, and by that of all of them.
    """

    def __init__(self, model: Config, config: NetworkConfig, calendar_width: int, tried: int) -> None:
        super().__init__()
        covariates = model.covariates
        self.horizon = model.horizon
        self.tried = tried
        # how far before the end of the context each try begins; the forecast itself is the last, at 0
        self.backs = [number * model.horizon for number in range(tried, -1, -1)]
        self.length = config.context_length - tried * model.horizon
        numeric = [name for name in covariates.temporal if name not in covariates.levels]
        most = max(0, (WIDEST_LINEAR - self.length) // model.horizon)
        future = [i for i, name in enumerate(numeric) if name in covariates.known_future][:most]
        # of models.network.inputs.CovariateNumbers: the z-scores in the window
        self.columns = [len(numeric) + i for i in future]
        room = WIDEST_LINEAR - self.length - model.horizon * len(future)
        whole_seasons = max(0, min(self.length, room // max(len(future), 1))) // config.season_in_context
        self.before = whole_seasons * config.season_in_context  # steps of a covariate that are read before the origin
        self.width = self.length + calendar_width + (self.before + model.horizon) * len(future) + 1
        self.labels = ["linear", "linear_moved_by_step", "linear_moved"] if tried else ["linear"]
        self.count = len(self.labels)
        self.weight: Tensor
        self.register_buffer("weight", torch.zeros(self.width, model.horizon, dtype=torch.float32))  # (P, H)

    def build_inputs(self, z: Tensor, start: Tensor, numbers: Tensor | None, back: int = 0) -> Tensor:
        """Return what the forecast `back` steps before the end of the context reads: (B, P).

        z (B, T), start (B, C) the calendar of its first step, numbers (B, T + H, 3 * numeric).
        """
        return self._build_all_inputs(z, start[:, None], numbers, [back])[:, 0]

    def _build_all_inputs(self, z: Tensor, starts: Tensor, numbers: Tensor | None, backs: Sequence[int]) -> Tensor:
        """Return what the forecasts of several `backs` read, starts (B, len(backs), C): (B, len(backs), P)."""
        ends = [z.shape[1] - back for back in backs]
        # spikes would outweigh all else
        values = dampen(z)[:, None]  # (B, 1, T)
        before = torch.cat([values[..., end - self.length : end] for end in ends], dim=1)  # (B, len(backs), length)
        parts = [before, nn.functional.pad(starts, (0, 1), value=1.0)]
        if numbers is not None and self.columns:
            columns = numbers[:, None, :, self.columns]  # (B, 1, T + H, future)
            stretches = [columns[:, :, end - self.before : end + self.horizon].flatten(2) for end in ends]
            parts.append(torch.cat(stretches, dim=1))  # (B, len(backs), (before + H) * future)
        return torch.cat(parts, dim=-1)  # (B, len(backs), P)

    def forward(self, z: Tensor, observed: Tensor, starts: Tensor, numbers: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return forecasts (B, H, 3 or 1) and the mean absolute error on the tried horizons, (B, 1 or 0).

        starts (B, R + 1, C): the calendar where each of `backs` begins.
        """
        outputs = self._build_all_inputs(z, starts, numbers, self.backs) @ self.weight  # (B, R + 1, H)
        forecast = outputs[:, self.tried]  # (B, H)
        if not self.tried:
            return forecast[..., None], z[:, :0]
        first = z.shape[1] - self.tried * self.horizon
        target = z[:, first:].reshape(-1, self.tried, self.horizon)  # (B, R, H)
        seen = observed[:, first:].reshape(-1, self.tried, self.horizon)  # (B, R, H)
        errors = (target - outputs[:, : self.tried]) * seen
        count = seen.flatten(1).sum(-1, keepdim=True).clip(1.0)  # (B, 1)
        by_step = errors.sum(1) / seen.sum(1).clip(1.0)  # (B, H)
        level = errors.flatten(1).sum(-1, keepdim=True) / count  # (B, 1)
        moved = torch.stack([forecast, forecast + by_step, forecast + level], dim=-1)  # (B, H, 3)
        return moved, errors.abs().flatten(1).sum(-1, keepdim=True) / count
