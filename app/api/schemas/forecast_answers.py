"""What is answered to a forecast."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.api.schemas.base import Output
from app.api.schemas.questions import AggregateAnswer, GroupOut
from app.errors import ErrorCode

ForecastWarning = Literal[
    "short_history",
    "outlier_at_origin",
    "unknown_category",
    "covariates_filled",
    "static_interval",
    "assumed_dependence",
    "covariate_kind_conflict",
    "forecast_not_finite",
    "missing_future_covariates",
    "deadline_exceeded",
    "no_champion",
]
"""warnings of a forecast; those that are error codes too say what kept the network from it"""


class SeriesError(Output):
    """Why a series has no forecast."""

    code: ErrorCode
    detail: str


class LagsOut(Output):
    """What each observed value of the context did to each step: `contribution[step][lag]`."""

    ds: list[str]
    y: list[float]
    contribution: list[list[float]]


class CandidateOut(Output):
    """A classical forecast that the network's gates chose from, a value a step."""

    weight: list[float]
    forecast: list[float]


class ExplanationOut(Output):
    """What made the median, before it was ordered, corrected and bounded, a value a step: `forecast` is `baseline`
    (a context that is flat at its own level, no covariates), plus what lags and covariates did, plus `remainder`
    (of the numerical integration). It is also the candidates by their weights, plus `correction`."""

    forecast: list[float]
    baseline: list[float]
    lags: LagsOut
    covariates: dict[str, list[float]]
    remainder: list[float]
    candidates: dict[str, CandidateOut]
    correction: list[float]


class SeriesForecast(Output):
    """One series' forecast: a value for each of `ds`. `fallback` says that `fallback_by` made it, not the
    network; `zero_shot` that the built-in model did, which was never trained on it."""

    series_id: str
    status: Literal["ok"]
    origin: str
    ds: list[str]
    yhat: list[float]
    quantiles: dict[str, list[float]]
    warnings: list[ForecastWarning]
    stale: bool
    fallback: bool
    fallback_by: Literal["season_naive", "naive", "drift", "auto"] | None
    zero_shot: bool


class ExplainedForecast(SeriesForecast):
    """A forecast with what moved it, where `explain` asked for that and the network made the forecast."""

    explanation: ExplanationOut


class SampledForecast(SeriesForecast):
    """A forecast of whose whole future something was asked."""

    extrapolated: bool = Field(description="whether it goes on beyond the trained horizon")
    paths: list[list[float]] | None = Field(None, description="a value a step of each path")


class SeriesFailure(Output):
    """Why one series has no forecast."""

    series_id: str
    status: Literal["error"]
    error: SeriesError


class ForecastOut(Output):
    """Forecasts in the order in which the series were asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "version": 1,
                "revision": 0,
                "forecasts": [
                    {
                        "series_id": "bikes/station 7",
                        "status": "ok",
                        "origin": "2024-03-01T12:00:00+01:00",
                        "ds": ["2024-03-01T13:00:00+01:00"],
                        "yhat": [42.0],
                        "quantiles": {"0.1": [30.5], "0.9": [55.0]},
                        "warnings": [],
                        "stale": False,
                        "fallback": False,
                        "fallback_by": None,
                        "zero_shot": False,
                    },
                    {
                        "series_id": "bikes/none",
                        "status": "error",
                        "error": {"code": "series_not_found", "detail": "there is no series 'bikes/none'"},
                    },
                ],
            }
        }
    )

    model: str
    version: int | None = Field(description="null where no version is live, and `on_missing` let a floor answer")
    revision: int | None = Field(description="of the version; 0: as it was trained")
    forecasts: list[ExplainedForecast | SampledForecast | SeriesForecast | SeriesFailure]
    aggregates: list[AggregateAnswer] | None = Field(None, description="where `aggregate` asked for them")
    groups: list[GroupOut] | None = Field(None, description="where `reconcile` asked for them; the total first")
    scenarios: dict[str, list[SampledForecast | SeriesFailure]] | None = Field(
        None, description="the forecasts of each scenario, in the same order"
    )
