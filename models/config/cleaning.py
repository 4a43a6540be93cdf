"""Which gaps and outliers of contexts are mended, and to which coarser frequency series are aggregated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.calendar.frequency import parse_frequency
from models.calendar.nesting import explain_nesting
from models.config.validation import parse_options, require
from models.errors import ConfigError, FrequencyError


@dataclass(frozen=True, kw_only=True)
class AggregateConfig:
    """The coarser frequency that a model has, and how the values of one of its steps become one."""

    freq: str
    """canonical pandas offset alias of the coarser steps"""
    by: Literal["sum", "mean"] = "sum"
    source: str | None = None
    """frequency of the series that were trained on, which histories of a request have; none: not known yet"""

    def __post_init__(self) -> None:
        try:
            parse_frequency(self.freq)
        except FrequencyError as e:
            raise ConfigError("cleaning.aggregate.freq", str(e)) from e
        if self.source is not None:
            problem = explain_nesting(parse_frequency(self.source), parse_frequency(self.freq))
            require(problem is None, "cleaning.aggregate.freq", problem or "")


@dataclass(frozen=True, kw_only=True)
class CleaningConfig:
    """What is done to the values of contexts before a network reads them. Targets are never changed by it."""

    gaps: Literal["leave", "linear", "season"] = "leave"
    """`leave` keeps missing steps missing; `linear` draws a line between the values on both sides; `season` draws it
    between the values of the same phase in the seasons around"""
    outliers: Literal["leave", "clip"] = "leave"
    """`clip` moves values outside of a context's robust limits to them"""
    aggregate: AggregateConfig | None = None
    """none: the model has the frequency of its series"""
    max_filled: float = 0.2
    """share of a series' steps that may be filled; with more the series is not trained on. Also the share of the values
    of one aggregated step that may be filled; with more the step is missing"""

    def __post_init__(self) -> None:
        require(0 <= self.max_filled <= 1, "cleaning.max_filled", "must be from 0 to 1, a share of the steps")

    @property
    def changes_contexts(self) -> bool:
        """Whether contexts are read otherwise than they were observed."""
        return self.gaps != "leave" or self.outliers != "leave"


def parse_cleaning_options(options: Mapping[str, Any] | None) -> CleaningConfig:
    """Build a CleaningConfig from plain JSON values. Raises ConfigError."""
    fields = dict(options or {})
    aggregate = fields.pop("aggregate", None)
    parts: dict[str, Any] = {}
    if aggregate is not None:
        require(isinstance(aggregate, Mapping) and "freq" in aggregate, "cleaning.aggregate", "must have a freq")
        parts["aggregate"] = parse_options(AggregateConfig, aggregate, "cleaning.aggregate")
    plain = parse_options(_Plain, fields, "cleaning")
    return CleaningConfig(gaps=plain.gaps, outliers=plain.outliers, max_filled=plain.max_filled, **parts)


@dataclass(frozen=True)
class _Plain:
    """The fields of a CleaningConfig that are no objects."""

    gaps: Literal["leave", "linear", "season"] = "leave"
    outliers: Literal["leave", "clip"] = "leave"
    max_filled: float = 0.2
