"""Readers: scaling, calendar, covariates and candidates of one stretch of the context, which no gradient moves.

Members of an ensemble that read the same stretch share a reader.

Shapes: B batch, T context, N segments, H horizon, C calendar features, K candidates, S static covariates.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.arrays import Floats
from models.config.model import Config
from models.config.network import NetworkConfig
from models.network.candidates import CandidateForecasts, Candidates
from models.network.inputs import CalendarFeatures, CovariateNumbers, InputMask, Normalise, ScaledContext
from models.network.ridge import LinearForecast


class Reading(NamedTuple):
    """A stretch of the context, and what is known of its steps and of the horizon."""

    context: ScaledContext
    past_calendar: Tensor
    """(B, N, C), at the start of each segment"""
    future_calendar: Tensor
    """(B, H, C), of the horizon"""
    covariates: Tensor | None
    """(B, T + H, columns) as encoded"""
    numbers: Tensor | None
    """(B, T + H, 3 * numeric) of the covariates"""
    static: Tensor | None
    """(B, 1, S) as encoded"""
    static_numbers: Tensor | None
    """(B, 1, 3 * numeric) of the static ones"""
    candidates: CandidateForecasts | None
    """what the gates choose from"""
    mask: InputMask | None
    """how present each input of this stretch is; None: as it was observed"""


class Reader(nn.Module):
    """Reads the last `context_length` steps of a batch."""

    def __init__(self, model: Config, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.normalise = Normalise(config.context_length, config.season_in_context, config.scaler)
        self.calendar = CalendarFeatures(config.calendar)
        self.covariates = CovariateNumbers(model.covariates.temporal, model.covariates)
        self.static = CovariateNumbers(model.covariates.static, model.covariates)
        self.candidates = Candidates(model, config, self.calendar.width) if config.basis else None
        past = list(range(0, config.context_length, config.segment))
        future = list(range(config.context_length, config.context_length + model.horizon))
        starts = self.candidates.starts if self.candidates is not None else []
        steps = list(dict.fromkeys([*past, *future, *starts]))
        self.past_steps = len(past)
        self.future_steps = len(future)
        self.steps: Tensor
        self.starts: Tensor
        start_rows = torch.tensor([steps.index(s) for s in starts], dtype=torch.int64)
        self.register_buffer("steps", torch.tensor(steps), persistent=False)  # those whose calendar is read
        self.register_buffer("starts", start_rows, persistent=False)  # rows of `steps` where candidates begin

    def forward(
        self,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None,
        static: Tensor | None,
        mask: InputMask | None = None,
    ) -> Reading:
        """Read y (B, T'), calendar (B, T' + H, 5), covariates (B, T' + H, columns), static (B, S)."""
        skipped = y.shape[1] - self.config.context_length
        context = self.normalise(y[:, skipped:])
        stamps = self.calendar(calendar.index_select(1, self.steps + skipped))  # (B, len(steps), C)
        cropped = covariates[:, skipped:] if covariates is not None else None  # (B, T + H, columns)
        numbers = self.covariates(cropped) if cropped is not None else None
        fixed = static[:, None] if static is not None else None  # (B, 1, S)
        static_numbers = self.static(fixed) if fixed is not None else None
        if mask is not None:
            mask = mask.crop(skipped)
            context = self.normalise.mask(context, mask.lags)
            numbers = self.covariates.mask(numbers, mask.covariates)
            static_numbers = self.static.mask(static_numbers, mask.static)
        candidates = None
        if self.candidates is not None:
            candidates = self.candidates(context, stamps.index_select(1, self.starts), numbers)
        return Reading(
            context=context,
            past_calendar=stamps[:, : self.past_steps],
            future_calendar=stamps[:, self.past_steps : self.past_steps + self.future_steps],
            covariates=cropped,
            numbers=numbers,
            static=fixed,
            static_numbers=static_numbers,
            candidates=candidates,
            mask=mask,
        )

    @property
    def gated(self) -> Candidates:
        """The candidates. Raises ValueError where the configuration gates none."""
        if self.candidates is None:
            raise ValueError("network.basis is false: there are no candidates")
        return self.candidates

    @property
    def linear(self) -> LinearForecast:
        """The linear forecast among the candidates. Raises ValueError where the configuration has none."""
        if self.candidates is None or self.candidates.linear is None:
            raise ValueError("network.linear is false: there is no linear forecast")
        return self.candidates.linear

    def set_pooled(self, maps: Floats) -> None:
        """Set the pooled candidates: linear maps (T, H, K) of the steps that candidates read."""
        candidates = self.gated
        candidates.pooled.copy_(torch.from_numpy(maps.reshape(candidates.length, -1)).float())

    def set_ridge(self, weight: Tensor) -> None:
        """Set the weights (P, H) of the linear forecast."""
        self.linear.weight.copy_(weight)

    def set_scales(self, temporal: tuple[Tensor, Tensor], static: tuple[Tensor, Tensor]) -> None:
        """Set mean and standard deviation, (C,) and (S,) each, of the covariates in the training data."""
        self.covariates.set_scale(*temporal)
        self.static.set_scale(*static)
