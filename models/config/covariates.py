"""Which covariates a model reads, in which role."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from models.config.validation import require

MAX_COVARIATES = 200
"""names over all roles"""


@dataclass(frozen=True, kw_only=True)
class CovariateConfig:
    """The covariates of a model by role. Names are unique over the roles."""

    known_future: tuple[str, ...] = ()
    """known for the whole horizon when the forecast is made"""
    past: tuple[str, ...] = ()
    """known up to the origin"""
    static: tuple[str, ...] = ()
    """constant: one value a series"""
    levels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """name -> frozen vocabulary of a categorical covariate; names that are not here are numeric"""

    def __post_init__(self) -> None:
        names = [*self.known_future, *self.past, *self.static]
        require(len(names) <= MAX_COVARIATES, "covariates", f"must be {MAX_COVARIATES} at most, not {len(names)}")
        twice = next((n for n in names if names.count(n) > 1), None)
        require(twice is None, "covariates", f"{twice!r} is named twice; a covariate has one role")
        require(set(self.levels) <= set(names), "covariates.levels", "must belong to named covariates")

    @property
    def temporal(self) -> tuple[str, ...]:
        """Names with a value a step, known-future ones first: the columns (C,) of every encoded array."""
        return self.known_future + self.past
