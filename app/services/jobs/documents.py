"""The request of a job, as it is stored with the job."""

from collections.abc import Mapping
from typing import Any

from app.services.series.selection import Selector
from models.config.cleaning import CleaningConfig, parse_cleaning_options
from models.config.covariates import CovariateConfig

Bounds = tuple[float | None, float | None]
"""least and greatest value that a forecast may have; None: no bound"""

Document = Mapping[str, Any]
"""plain JSON"""


def parse_selector(document: Document) -> Selector:
    """Return the selector of a job's stored request."""
    series = document["series"]
    if series == "all":
        return Selector()
    return Selector(tuple(series["ids"]) if "ids" in series else None, series.get("labels"))


def parse_roles(document: Document) -> CovariateConfig:
    """Return the covariates of a stored request, without vocabularies. Raises ConfigError for a name with two roles."""
    covariates = document.get("covariates", {})
    known_future, past, static = (tuple(covariates.get(role, ())) for role in ("known_future", "past", "static"))
    return CovariateConfig(known_future=known_future, past=past, static=static)


def parse_warm_start(document: Document) -> tuple[str, int] | None:
    """Return the model and version that a stored request starts from."""
    start = document.get("warm_start")
    return (start[0], start[1]) if start is not None else None


def parse_search(document: Document) -> Mapping[str, Any] | None:
    """Return the hyperparameter search of a stored request."""
    search: Mapping[str, Any] | None = document.get("search")
    return search


def parse_bounds(document: Document) -> Bounds:
    """Return the least and greatest value of a stored request."""
    low, high = document.get("bounds", (None, None))
    return low, high


def parse_cleaning(document: Document) -> CleaningConfig:
    """Return the cleaning of a stored request; those of earlier releases have none. Raises ConfigError."""
    return parse_cleaning_options(document.get("cleaning"))
