"""The pretrained network as a further member of an ensemble, which is trained on with the others.

Shapes: B batch, T context, H horizon, Q quantiles, P positions.
"""

from math import ceil

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.inputs import ScaledContext
from models.network.pretrained.network import Positions, PretrainedConfig, PretrainedNetwork, Scaled
from models.pretrained.contexts import LONGEST, REACH, SEGMENT
from models.pretrained.forecaster import map_levels
from models.pretrained.periods import COUNT, LEAST_CYCLES
from models.pretrained.published import DATA, WEIGHTS

LEAST_SPREAD = 1e-6
"""least standard deviation of a context, in scales of its reader"""


class PretrainedMember(nn.Module):
    """Reads a context as the built-in model does, with the season lengths of its frequency."""

    def __init__(self, model: Config, config: NetworkConfig) -> None:
        super().__init__()
        self.horizon = model.horizon
        self.length = min(config.context_length, LONGEST)
        self.before = -self.length % SEGMENT
        self.network = PretrainedNetwork(PretrainedConfig())
        pieces = ceil(model.horizon / REACH)
        self.blank = (pieces - 1) * REACH
        self.known = self.before + self.length
        usable = [m for m in config.season_lengths if m * LEAST_CYCLES <= self.length][:COUNT]
        periods = [*usable, *[0] * (COUNT - len(usable))]
        self.periods: Tensor
        self.segments: Tensor
        self.levels: Tensor
        self.register_buffer("periods", torch.tensor([periods]), persistent=False)  # (1, 2)
        last = self.known // SEGMENT - 1
        segments = torch.tensor([last + piece * REACH // SEGMENT for piece in range(pieces)])
        self.register_buffer("segments", segments, persistent=False)  # (P,)
        levels = torch.from_numpy(map_levels(model.quantiles)).float()
        self.register_buffer("levels", levels, persistent=False)  # (9, Q)

    def forward(self, context: ScaledContext) -> Tensor:
        """Return quantiles (B, H, Q) in units of the context."""
        z, observed = context.z[:, -self.length :], context.observed[:, -self.length :]
        count = observed.sum(-1, keepdim=True).clip(1.0)
        mean = (z * observed).sum(-1, keepdim=True) / count  # (B, 1)
        centred = (z - mean) * observed
        spread = ((centred * centred).sum(-1, keepdim=True) / count).sqrt().clip(LEAST_SPREAD)
        gaps = (self.before, self.blank)
        scaled = Scaled(
            z=nn.functional.pad(centred / spread, gaps),
            observed=nn.functional.pad(observed, gaps),
            loc=mean.double(),
            scale=spread.double(),
        )
        positions = Positions(self.segments, torch.full_like(self.segments, self.known))
        periods = self.periods.expand(z.shape[0], COUNT)
        quantiles, _ = self.network(scaled, self.known, periods, positions)  # (B, P, reach, 9)
        levels = quantiles.flatten(1, 2)[:, : self.horizon] @ self.levels  # (B, H, Q)
        forecast: Tensor = levels * spread[..., None] + mean[..., None]
        return forecast

    def begin_with_published(self) -> None:
        """Take the weights that the package carries."""
        weights = load_file(DATA / WEIGHTS)
        self.network.load_state_dict({name: value.float() for name, value in weights.items()})
