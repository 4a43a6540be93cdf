"""The request of POST /train, and the document of it that is stored with the job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.services.jobs.documents import Bounds
from app.services.series.selection import Selector

Promote = Literal["if_better", "always", "never"]


@dataclass(frozen=True)
class TrainingRequest:
    """The options of a training. Those that are left out are chosen."""

    model: str
    series: Selector
    horizon: int
    quantiles: tuple[float, ...] | None
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    promote: Promote
    covariates: Mapping[str, Sequence[str]]
    """names by role: `known_future`, `past`, `static`"""
    country: str | None
    bounds: Bounds
    warm_start: tuple[str, int] | None = None
    """model and version to start from"""
    search: Mapping[str, Any] | None = None
    """`trials`, `time_budget_s` and `space` of a hyperparameter search"""
    cleaning: Mapping[str, Any] | None = None
    """`gaps`, `outliers`, `aggregate` and `max_filled`; None: nothing is cleaned, or as the version that it starts from
    does"""

    def document(self) -> dict[str, Any]:
        """Return plain JSON, which `app.services.jobs.documents` parses."""
        return {
            "series": self.series.document(),
            "network": dict(self.network),
            "training": dict(self.training),
            "promote": self.promote,
            "covariates": {role: list(names) for role, names in self.covariates.items()},
            "country": self.country,
            "bounds": list(self.bounds),
            "warm_start": list(self.warm_start) if self.warm_start is not None else None,
            "search": dict(self.search) if self.search is not None else None,
            "cleaning": dict(self.cleaning) if self.cleaning is not None else None,
        }
