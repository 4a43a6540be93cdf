"""What every member of an ensemble that reads the same stretch of the context shares: all that no gradient moves.

Shapes: B batch, T context, N segments, H horizon, C calendar features, K candidates, S static covariates.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.candidates import Candidates
from models.network.inputs import CalendarFeatures, Context, CovariateNumbers, Normalise


class Reading(NamedTuple):
    """A stretch of the context, and what is known beside and after it."""

    context: Context
    past: Tensor
    """(B, N, C), the calendar at the start of each segment"""
    ahead: Tensor
    """(B, H, C), the calendar of the horizon"""
    covariates: Tensor | None
    """(B, T + H, columns) as encoded"""
    numbers: Tensor | None
    """(B, T + H, 3 * numeric) of the covariates"""
    static: Tensor | None
    """(B, 1, S) as encoded"""
    static_numbers: Tensor | None
    """(B, 1, 3 * numeric) of the static ones"""
    candidates: Tensor | None
    """(B, H, K) forecasts in scaled units"""
    record: Tensor | None
    """(B, K), how each has done in the context"""


class Reader(nn.Module):
    """Reads the last `context_length` steps of a batch."""

    def __init__(self, config: Config, own: NetworkConfig) -> None:
        super().__init__()
        self.own = own
        self.normalise = Normalise(own.context_length, own.seasons[0] if own.seasons else 1, own.scaler)
        self.calendar = CalendarFeatures(own.calendar)
        self.covariates = CovariateNumbers(config.covariates.temporal, config.covariates)
        self.static = CovariateNumbers(config.covariates.static, config.covariates)
        self.candidates = Candidates(config, own, self.calendar.width) if own.basis else None
        past = list(range(0, own.context_length, own.segment))
        ahead = list(range(own.context_length, own.context_length + config.horizon))
        starts = self.candidates.starts if self.candidates is not None else []
        steps = list(dict.fromkeys([*past, *ahead, *starts]))
        self.past, self.ahead = len(past), len(past) + config.horizon
        self.steps: Tensor
        self.starts: Tensor
        self.register_buffer("steps", torch.tensor(steps), persistent=False)  # those whose calendar is read
        self.register_buffer(
            "starts", torch.tensor([steps.index(s) for s in starts], dtype=torch.int64), persistent=False
        )

    def forward(self, y: Tensor, calendar: Tensor, covariates: Tensor | None, static: Tensor | None) -> Reading:
        """Read y (B, T'), calendar (B, T' + H, 5), covariates (B, T' + H, columns), static (B, S)."""
        length = self.own.context_length
        skipped = y.shape[1] - length
        context = self.normalise(y[:, skipped:])
        moments = self.calendar(calendar.index_select(1, self.steps + skipped))
        beside = covariates[:, skipped:] if covariates is not None else None
        numbers = self.covariates(beside) if beside is not None else None
        fixed = static[:, None] if static is not None else None
        found = record = None
        if self.candidates is not None:
            found, record = self.candidates(context, moments.index_select(1, self.starts), numbers)
        return Reading(
            context=context,
            past=moments[:, : self.past],
            ahead=moments[:, self.past : self.ahead],
            covariates=beside,
            numbers=numbers,
            static=fixed,
            static_numbers=self.static(fixed) if fixed is not None else None,
            candidates=found,
            record=record,
        )
