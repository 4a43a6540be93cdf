"""Forecasts on the wire."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, Tag, model_validator

from app.api.schemas.backtests import VERSION
from app.api.schemas.base import MOMENT, CovariateValue, Encodable, Input, QueryTime, Text, choose_branch
from app.api.schemas.questions import (
    EXTRAPOLATE,
    MOST_PATHS,
    MOST_SCENARIOS,
    PATHS,
    SCENARIOS,
    SEED,
    AggregateQuestion,
    ReconcileIn,
    ScenarioName,
)
from app.api.schemas.series import ColumnsIn, CovariateColumn, Label, LabelValue, NumberColumn
from app.api.schemas.training import Quantiles
from app.errors import ErrorCode, FieldError, Invalid
from app.formats.forms import FormName
from app.services.forecasting.inputs.questions import Questions
from app.services.forecasting.inputs.request import ForecastRequest

Fill = Literal["last", "season"]
OnMissing = Literal["season_naive", "floor", "auto"]
Point = Literal["median", "mean"]
ON_MISSING = (
    "who answers for a series that the network cannot forecast, and for all of them while no version of the model is "
    "live; `floor` is the best of season-naive, naive and drift on the data that the model was judged on, `auto` the "
    "built-in model"
)
POINT = (
    "what `yhat` is of the forecast distribution: the `mean` is what planners add up; of skewed data it lies far from "
    "the median. A floor's point is itself"
)


class HistoryIn(ColumnsIn):
    """A series that is not stored, in columns: of the model's frequency, on a grid that its rows show."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ds": ["2024-03-01T00:00:00+01:00", "2024-03-01T01:00:00+01:00"],
                "y": [41.0, 38.0],
                "timezone": "Europe/Berlin",
            }
        }
    )

    y: NumberColumn = Field(description="null is a missing value")
    timezone: Annotated[Text, StringConstraints(min_length=1, max_length=64)] = "UTC"
    static: Annotated[dict[Label, CovariateValue | None], Field(max_length=200)] = Field(default_factory=dict)


class LabelsIn(Input):
    """All stored series that carry these labels."""

    labels: Annotated[dict[Label, LabelValue], Field(min_length=1, max_length=50)]


SeriesChoice = Annotated[
    Annotated[list[Encodable], Field(fail_fast=True), Tag("ids")] | Annotated[LabelsIn, Tag("labels")],
    choose_branch({list: "ids", dict: "labels"}, 'send a list of ids, or {"labels": {…}}'),
]


class ForecastFormat(BaseModel):
    """What a query says of a forecast whose request is a body."""

    model_config = ConfigDict(extra="forbid")

    format: FormName | None = Field(None, description="wins over `Accept`")


class ForecastQuery(BaseModel):
    """A forecast of stored series, as a query says it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    model: Annotated[str, StringConstraints(min_length=1, max_length=120), VERSION] = Field(
        description="a model's name, name@version, or name@version.revision", examples=["bikes"]
    )
    series: Annotated[list[Encodable], Field(fail_fast=True)] = Field(
        min_length=1, description="repeat it for more", examples=[["bikes/station 7"]]
    )
    horizon: int | None = Field(None, ge=1)
    quantiles: Annotated[str, StringConstraints(max_length=4000)] | None = Field(None, examples=["0.1,0.9"])
    origin: QueryTime | None = Field(None, description="later observations are not seen")
    covariate_fill: Fill | None = None
    on_missing: OnMissing | None = Field(None, description=ON_MISSING)
    point: Point = Field("median", description=POINT)
    max_age: float | None = Field(
        None,
        ge=0,
        le=86_400,
        description="seconds that the answer may be old; never older than the series' current step",
    )
    format: FormName | None = Field(None, description="wins over `Accept`")

    @cached_property
    def request(self) -> ForecastRequest:
        """What is asked for. Raises Invalid."""
        return ForecastRequest(
            model=self.model,
            series=tuple(self.series),
            horizon=self.horizon,
            quantiles=self._parse_levels(),
            origin=self.origin,
            covariate_fill=self.covariate_fill,
            on_missing=self.on_missing,
            point=self.point,
            max_age=self.max_age,
        )

    def _parse_levels(self) -> tuple[float, ...] | None:
        try:
            return parse_levels(self.quantiles)
        except ValueError as e:
            errors = [FieldError("query.quantiles", "invalid", str(e))]
            raise Invalid(ErrorCode.invalid_input, str(e), errors=errors) from e


def parse_levels(text: str | None) -> tuple[float, ...] | None:
    """Read `0.1,0.9`; None stays None. Raises ValueError."""
    if text is None:
        return None
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError:
        levels = ()
    if not 1 <= len(levels) <= 99 or not all(0 < level < 1 for level in levels):
        raise ValueError("quantiles are 1 to 99 numbers between 0 and 1, separated by commas")
    return levels


class ForecastIn(Input):
    """A forecast of stored series, and of those whose history is sent along."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "series": ["bikes/station 7"],
                "horizon": 3,
                "quantiles": [0.1, 0.5, 0.9],
                "future": {"bikes/station 7": {"temp": [7.5, 7.9, 8.4]}},
                "covariate_fill": "last",
            },
            "anyOf": [
                {"required": ["series"], "properties": {"series": {"minItems": 1}}},
                {"required": ["history"], "properties": {"history": {"minProperties": 1}}},
            ],
        }
    )

    model: Annotated[str, StringConstraints(min_length=1, max_length=120), VERSION] = Field(
        description="a model's name, name@version, or name@version.revision"
    )
    series: SeriesChoice = Field(
        default_factory=list[str], description="ids of stored series, or the labels that they carry"
    )
    horizon: int | None = Field(None, ge=1, description="at most what the model was trained for, which is the default")
    quantiles: Quantiles | None = Field(None, description="within the trained range; the trained ones by default")
    origin: Annotated[str, StringConstraints(max_length=64), MOMENT] | None = Field(
        None, description="ISO 8601; later observations are not seen, so that the newest before it is the origin"
    )
    future: dict[Label, dict[Label, CovariateColumn]] = Field(
        default_factory=dict,
        description="by series id, known-future covariates from the first step of the horizon on, over the stored ones",
    )
    history: dict[Label, HistoryIn] = Field(default_factory=dict, description="series that are not stored, by id")
    covariate_fill: Fill | None = Field(
        None, description="what is not known of the horizon is the `last` value, or that of a `season` before"
    )
    on_missing: OnMissing | None = Field(None, description=ON_MISSING)
    point: Point = Field("median", description=POINT)
    explain: bool = Field(
        False, description="tell what moved each forecast; takes about a second, in a process of its own"
    )
    aggregate: AggregateQuestion | None = None
    paths: int | None = Field(None, ge=1, le=MOST_PATHS, description=PATHS)
    seed: int = Field(0, ge=0, lt=2**32, description=SEED)
    scenarios: (
        Annotated[
            dict[ScenarioName, dict[Label, dict[Label, CovariateColumn]]],
            Field(min_length=1, max_length=MOST_SCENARIOS),
        ]
        | None
    ) = Field(None, description=SCENARIOS)
    reconcile: ReconcileIn | None = None
    extrapolate: bool = Field(False, description=EXTRAPOLATE)

    @property
    def questions(self) -> Questions | None:
        """What is asked about whole futures."""
        if not (self.aggregate or self.paths or self.scenarios or self.reconcile or self.extrapolate):
            return None
        return Questions(
            aggregate=None if self.aggregate is None else self.aggregate.to_asked(),
            paths=self.paths,
            seed=self.seed,
            scenarios=self.scenarios,
            reconcile=None if self.reconcile is None else self.reconcile.to_asked(),
            extrapolate=self.extrapolate,
        )

    @model_validator(mode="after")
    def _check_series(self) -> "ForecastIn":
        if not self.series and not self.history:
            raise ValueError("name a series, or send the history of one")
        return self
