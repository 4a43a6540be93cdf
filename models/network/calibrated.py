"""A forecast that is linear in the same steps of earlier days, which a refresh fits anew, and its share in the answer.

It stands beside the network, as linear models of electricity prices stand beside networks (Lago et al. 2021, LEAR and
its average with a network). It serves forecasts whose horizon begins at one time of the day, the one that it was
fitted for; elsewhere its share is 0.

Shapes: B batch, T context, H horizon, Q quantiles, P inputs.
"""

import torch
from torch import Tensor, nn

from models.config.blocks import DAYS_A_WEEK, find_blocks
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.inputs import dampen

WIDEST = 800
"""Most inputs; covariates are left out first. The regression's cost grows with their square"""
LARGEST = 4.0
"""Targets and forecasts are clipped to this, dampened: 27 spreads of the last week"""
LEAST_SPREAD = 0.1
"""Scales of the context that the spread of the last week is at least"""
NORMAL = 1.4826
"""standard deviation of a normal law in units of its median absolute deviation"""
NO_TIME = -1
"""second of the day of a forecast that was never fitted"""


class CalibratedForecast(nn.Module):
    """Linear in dampened values and covariates; `models.training.calibrate` fits it.

    Values are in units of the last week's spread around its median: on the three markets of Lago et al. that was 1 to
    7 % better than mean and deviation of the context, and 2 to 21 % better than one unit for all of the history.
    Covariates are z-scores in the window, 1 to 3 % better than those in the training data.
    """

    def __init__(self, model: Config, config: NetworkConfig) -> None:
        super().__init__()
        blocks = find_blocks(model.frequency, model.horizon, model.network)
        assert blocks is not None, "the configuration was checked"
        length = config.context_length
        horizon = model.horizon
        recent = range(length - blocks.recent, length)
        week_before = range(length - blocks.week, length - blocks.week + horizon)
        steps = sorted({*recent, *week_before})
        numeric = [name for name in model.covariates.temporal if name not in model.covariates.levels]
        shifts = sorted({0, blocks.days * blocks.day, blocks.week})
        room = (WIDEST - len(steps)) // (len(shifts) * horizon)
        future = [i for i, name in enumerate(numeric) if name in model.covariates.known_future][: max(0, room)]
        # of models.network.inputs.CovariateNumbers: the z-scores in the window
        columns = [len(numeric) + i for i in future]
        rows = [length - shift + step for shift in shifts for step in range(horizon)]
        self.columns = columns
        self.unit_steps = blocks.week
        self.width = len(steps) + len(rows) * len(columns) + DAYS_A_WEEK + 1
        self.steps: Tensor
        self.rows: Tensor
        self.week: Tensor
        self.register_buffer("steps", torch.tensor(steps), persistent=False)  # of the context
        self.register_buffer("rows", torch.tensor(rows), persistent=False)  # of context and horizon
        self.register_buffer("week", torch.arange(DAYS_A_WEEK), persistent=False)
        self.weight: Tensor
        self.share: Tensor
        self.time: Tensor
        self.until: Tensor
        self.register_buffer("weight", torch.zeros(self.width, horizon, dtype=torch.float32))  # (P, H)
        self.register_buffer("share", torch.zeros(1, dtype=torch.float64))  # of the answer, 0 to 1
        self.register_buffer("time", torch.full((1,), NO_TIME))  # second of the day of the horizon's first step
        self.register_buffer("until", torch.zeros(1, dtype=torch.int64))  # stamp of the last value it was fitted on

    def measure(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return median and spread, (B, 1) each, of the last week of contexts z (B, T)."""
        week = z[:, -self.unit_steps :]
        level = _find_median(week)
        spread = NORMAL * _find_median((week - level).abs())
        return level, spread.clip(LEAST_SPREAD)

    def build_inputs(self, z: Tensor, first: Tensor, numbers: Tensor | None) -> Tensor:
        """Return what is read, (B, P).

        z (B, T) the context in scaled units, first (B, 5) the calendar of the horizon's first step, numbers
        (B, T + H, 3 * numeric) of the covariates.
        """
        level, spread = self.measure(z)
        parts = [dampen((z.index_select(1, self.steps) - level) / spread)]
        if numbers is not None and self.columns:
            known = numbers.index_select(1, self.rows)[..., self.columns]  # (B, rows, columns)
            parts.append(dampen(known).flatten(1))
        parts.append((first[:, 1:2] == self.week).float())  # (B, 7)
        return nn.functional.pad(torch.cat(parts, dim=-1), (0, 1), value=1.0)

    def forward(self, z: Tensor, first: Tensor, numbers: Tensor | None) -> Tensor:
        """Return the forecast (B, H) float64 in scaled units."""
        # float64: what rounding leaves of a sum of large terms, the exponential would make larger
        outputs = self.build_inputs(z, first, numbers).double() @ self.weight.double()  # (B, H)
        grown = torch.exp(outputs.clip(-LARGEST, LARGEST))
        level, spread = self.measure(z)
        # the hyperbolic sine, which not every runtime has in float64
        return level + spread * (grown - 1 / grown) / 2

    def find_share(self, first: Tensor) -> Tensor:
        """Return its share in the answer of each window, (B, 1) float64; first as above."""
        return self.share * (first[:, :1] == self.time).double()


def _find_median(values: Tensor) -> Tensor:
    """Return the median (B, 1) of values (B, L), the mean of the middle two."""
    ordered = torch.sort(values, dim=-1).values
    last = values.shape[1] - 1
    middle: Tensor = (ordered[:, last // 2] + ordered[:, (last + 1) // 2]) / 2
    return middle[:, None]
