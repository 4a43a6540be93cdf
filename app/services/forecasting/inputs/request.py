"""A forecast request, as the schemas parse it. `checks` says whether it can be answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from app.formats.table import Column
from app.services.forecasting.inputs.questions import LONGEST_EXTRAPOLATION, Questions
from app.services.registry.builtin import BUILTIN
from app.services.registry.lookup import VersionPin, parse_reference
from app.services.series.checks import Upload

Fill = Literal["last", "season"]
OnMissing = Literal["season_naive", "floor", "auto"]
Point = Literal["median", "mean"]
Future = Mapping[str, Mapping[str, Column]]
"""series id → known-future covariate → its values from the first step of the horizon on, None where unknown"""

EMPTY: Mapping[str, Any] = MappingProxyType({})
_parse_reference = lru_cache(maxsize=1000)(parse_reference)


@dataclass(frozen=True)
class History(Upload):
    """A series that is not stored, but comes with the request."""

    timezone: str
    static: Mapping[str, float | str | None]


class ForecastRequest(NamedTuple):
    """A forecast of stored series, and of series that come with the request."""

    model: str
    """`name`, `name@version` or `name@version.revision`"""
    series: tuple[str, ...]
    """ids of stored series"""
    labels: tuple[tuple[str, str], ...] | None = None
    """selects the stored series that carry all of these, instead of `series`"""
    horizon: int | None = None
    quantiles: tuple[float, ...] | None = None
    origin: str | None = None
    """a timestamp; later values are ignored"""
    future: Future = EMPTY
    history: Mapping[str, History] = EMPTY
    """series that are not stored, by id"""
    covariate_fill: Fill | None = None
    """how missing known-future values are imputed"""
    on_missing: OnMissing | None = None
    """what answers where no network can: a floor, `floor` is the best of them on the gate, or the built-in model"""
    point: Point = "median"
    """what `yhat` is, of the forecast distribution"""
    explain: bool = False
    """explain each forecast that the network makes"""
    max_age: float | None = None
    """seconds that the response may be old, where the client gave a limit"""
    questions: Questions | None = None
    """about whole futures"""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series that is named, in the order of the response."""
        return (*self.series, *self.history) if self.history else self.series

    @property
    def reference(self) -> tuple[str, VersionPin | None]:
        """The model's name, and what is pinned. Raises Invalid."""
        return _parse_reference(self.model)

    @property
    def version_key(self) -> tuple[str, VersionPin | None]:
        """The reference that its version is kept by: that of the built-in model is one for each series and horizon."""
        name, pin = self.reference
        return (f"{name} {self.horizon} {next(iter(self.series), '')}" if name == BUILTIN else name), pin

    @property
    def is_cacheable(self) -> bool:
        """Whether the contexts of its stored series are those that the context cache keeps."""
        return self.labels is None and self.origin is None and (bool(self.series) or self.reference[0] != BUILTIN)

    def find_longest(self, trained: int) -> int:
        """Return the longest horizon that it may have of a version trained for so many steps."""
        is_extended = self.questions is not None and self.questions.extrapolate
        return trained * LONGEST_EXTRAPOLATION if is_extended else trained

    @property
    def arguments(self) -> str:
        """All arguments but the series that a response of stored series alone depends on, as a cache's key."""
        choices = (self.covariate_fill, self.on_missing, self.point)
        return repr((self.model, self.horizon, self.quantiles, self.origin, *choices))


@dataclass(frozen=True)
class ForecastShape:
    """The horizon and the levels of each series' forecast."""

    horizon: int
    """H, in steps"""
    levels: tuple[float, ...]
    """(R,)"""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(R,) the levels as text."""
        return tuple(repr(level) for level in self.levels)

    def count_values(self, series_count: int) -> int:
        """Return how many values the forecasts of so many series have, their points aside."""
        return series_count * self.horizon * max(1, len(self.levels))
