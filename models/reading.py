"""What every member of an ensemble that reads the same stretch of the context shares: all that no gradient moves.

Shapes: B batch, T context, N segments, H horizon, C calendar features, K candidates, S static covariates.
"""

from typing import NamedTuple

from torch import Tensor, nn

from models.candidates import Candidates
from models.config import Config, NetworkConfig
from models.inputs import CalendarFeatures, Context, CovariateNumbers, Normalise


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

    def forward(self, y: Tensor, calendar: Tensor, covariates: Tensor | None, static: Tensor | None) -> Reading:
        """Read y (B, T'), calendar (B, T' + H, 5), covariates (B, T' + H, columns), static (B, S)."""
        length = self.own.context_length
        skipped = y.shape[1] - length
        context = self.normalise(y[:, skipped:])
        moments = calendar[:, skipped:]
        beside = covariates[:, skipped:] if covariates is not None else None
        numbers = self.covariates(beside) if beside is not None else None
        fixed = static[:, None] if static is not None else None
        found = record = None
        if self.candidates is not None:
            starts = self.calendar(moments[:, self.candidates.starts])
            found, record = self.candidates(context, starts, numbers)
        return Reading(
            context=context,
            past=self.calendar(moments[:, : length : self.own.segment]),
            ahead=self.calendar(moments[:, length:]),
            covariates=beside,
            numbers=numbers,
            static=fixed,
            static_numbers=self.static(fixed) if fixed is not None else None,
            candidates=found,
            record=record,
        )
