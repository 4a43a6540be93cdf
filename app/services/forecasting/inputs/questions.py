"""What a request asks about whole futures, besides the forecast of each step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.formats.table import Column

AggregateFunction = Literal["sum", "mean"]
ReconcileMethod = Literal["bottom_up", "mint"]
LONGEST_EXTRAPOLATION = 4
"""horizons that a version is taken to at most"""


@dataclass(frozen=True)
class Aggregate:
    """Sums or means over steps, or over series."""

    over: str
    """`horizon`, `series`, or a duration such as `24h`"""
    function: AggregateFunction = "sum"
    quantiles: tuple[float, ...] | None = None
    """None: those of the forecasts"""


@dataclass(frozen=True)
class Reconcile:
    """Totals over labels, which the forecasts add up to."""

    by: tuple[str, ...]
    """labels, each of which makes a group of the series of each of its values"""
    method: ReconcileMethod = "mint"


@dataclass(frozen=True)
class Questions:
    """All that is asked for; each part may be left out."""

    aggregate: Aggregate | None = None
    paths: int | None = None
    """sample paths of each forecast"""
    seed: int = 0
    """of the paths"""
    scenarios: Mapping[str, Mapping[str, Mapping[str, Column]]] | None = None
    """name → series id → known-future covariate → its values, over those of the request's `future`"""
    reconcile: Reconcile | None = None
    extrapolate: bool = False
    """go on beyond the trained horizon"""

    @property
    def needs_paths(self) -> bool:
        """Whether paths are drawn."""
        return bool(self.aggregate or self.paths or self.reconcile)
