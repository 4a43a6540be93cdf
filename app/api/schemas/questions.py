"""Questions about whole futures on the wire."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.api.schemas.base import DURATION, Documented, Input, Output, Text
from app.api.schemas.series import Label
from app.api.schemas.training import Quantiles
from app.services.forecasting.inputs.questions import Aggregate, Reconcile

MOST_PATHS = 10_000
MOST_SCENARIOS = 20
ScenarioName = Annotated[Text, StringConstraints(min_length=1, max_length=64)]
OVER = Documented(f"^(horizon|series|{DURATION.pattern[1:-1]})$")
PATHS = (
    "sample paths of each forecast: whole futures whose steps, and those of the other series with them, err together "
    "as earlier forecasts did"
)
SEED = "of the paths, and of what is made of them: the same seed gives the same ones"
SCENARIOS = "by name, futures that are forecast beside this one: by series id, known-future covariates over `future`"
EXTRAPOLATE = (
    "go on beyond the trained horizon, up to four times as far: paths of it are taken for what comes true, and "
    "forecast from. Such a forecast is flagged `extrapolated` where it does"
)


class AggregateQuestion(Input):
    """Sums or means with quantiles of their own: not those of the steps added up, since steps do not all err alike."""

    over: Annotated[str, StringConstraints(min_length=1, max_length=20), OVER] = Field(
        description="`horizon` (each series), `series` (each step), or a duration such as `24h` from the first step on",
        examples=["24h"],
    )
    function: Literal["sum", "mean"] = "sum"
    quantiles: Quantiles | None = Field(None, description="those of the forecasts by default")

    def to_asked(self) -> Aggregate:
        """Return what is asked for."""
        levels = None if self.quantiles is None else tuple(sorted(self.quantiles))
        return Aggregate(self.over, self.function, levels)


class ReconcileIn(Input):
    """Totals over labels that the forecasts add up to. `yhat` is then the mean, since medians do not add up."""

    by: Annotated[list[Label], Field(min_length=1, max_length=10)] = Field(
        description="labels: the series of each value of each are a group, all of them the total"
    )
    method: Literal["bottom_up", "mint"] = Field(
        "mint",
        description="`mint` also forecasts the groups' summed histories, and moves the forecasts by what is more "
        "reliable of both; `bottom_up` only adds them up",
    )

    def to_asked(self) -> Reconcile:
        """Return what is asked for."""
        return Reconcile(tuple(dict.fromkeys(self.by)), self.method)


class AggregateAnswer(Output):
    """One sum or mean, from `start` (inclusive) to `end` (exclusive)."""

    scenario: str | None = Field(description="null: that of the request's own covariates")
    series_id: str | None = Field(description="null: over series")
    start: str
    end: str
    steps: int
    series: int = Field(description="series that are in it")
    missing: list[str] | None = Field(None, description="over series: those that could not be forecast, and are not")
    yhat: float
    quantiles: dict[str, float]


class GroupOut(Output):
    """The total of some series, a value for each of `ds`. Its `yhat` is the sum of theirs."""

    scenario: str | None = Field(description="null: that of the request's own covariates")
    group: dict[str, str] = Field(description="a label and its value; empty: all series")
    method: Literal["bottom_up", "mint"] = Field(
        description="what was done: short histories, series that do not end together, and steps beyond the trained "
        "horizon are only added up"
    )
    series: int
    ds: list[str]
    yhat: list[float]
    quantiles: dict[str, list[float]]
