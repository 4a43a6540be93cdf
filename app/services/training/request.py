"""What POST /train asks for, and how it is kept with the job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.series.service import is_series_id
from app.storage import series
from app.storage.tables import SeriesRow
from models.config.model import CovariateConfig

Promote = Literal["if_better", "always", "never"]
Bounds = tuple[float | None, float | None]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Selector:
    """Which series: these ids, or those with all of these labels; all where neither is set."""

    ids: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None

    def document(self) -> Any:
        """Return plain JSON, which `selector_of` reads."""
        if self.ids is not None:
            return {"ids": list(self.ids)}
        return {"labels": dict(self.labels)} if self.labels else "all"


@dataclass(frozen=True)
class TrainingRequest:
    """A training. What is left out is chosen."""

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
    """model and version to begin from"""
    search: Mapping[str, Any] | None = None
    """`trials`, `time_budget_s` and `space` of a hyperparameter search"""

    def document(self) -> dict[str, Any]:
        """Return plain JSON, which the other functions of this module read."""
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
        }


def selector_of(document: Document) -> Selector:
    """Return the selector of a job's stored request."""
    asked = document["series"]
    if asked == "all":
        return Selector()
    return Selector(tuple(asked["ids"]) if "ids" in asked else None, asked.get("labels"))


def roles_of(document: Document) -> CovariateConfig:
    """Return the covariates of a stored request, without vocabularies. Raises ConfigError for a name with two roles."""
    asked = document.get("covariates", {})
    known_future, past, static = (tuple(asked.get(role, ())) for role in ("known_future", "past", "static"))
    return CovariateConfig(known_future=known_future, past=past, static=static)


def start_of(document: Document) -> tuple[str, int] | None:
    """Return model and version that a stored request begins from."""
    start = document.get("warm_start")
    return (start[0], start[1]) if start is not None else None


def search_of(document: Document) -> Mapping[str, Any] | None:
    """Return what a stored request searches."""
    found: Mapping[str, Any] | None = document.get("search")
    return found


def bounds_of(document: Document) -> Bounds:
    """Return the least and greatest value of a stored request."""
    low, high = document.get("bounds", (None, None))
    return low, high


def selected(session: Session, scope: Scope, selector: Selector) -> list[SeriesRow]:
    """Return the series that a selector names now, in the order of their ids; ids that are gone are left out."""
    ids: Sequence[str]
    if selector.ids is not None:
        ids = [i for i in selector.ids if is_series_id(i)]
    else:
        ids = series.select_ids(session, scope, list((selector.labels or {}).items()))
    found = series.get_many(session, scope, ids)
    return [found[i] for i in sorted(found)]
