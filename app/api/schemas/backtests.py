"""Backtests on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.base import Documented, Output
from app.api.schemas.jobs import JobError, JobOptionsIn, JobStatus, ProgressOut
from app.api.schemas.training import SeriesChoice
from app.services.registry.lookup import BUILTIN_NAME, MODEL_NAME

VERSION = Documented(rf"^({MODEL_NAME}|{BUILTIN_NAME})(@[0-9]{{1,9}}(\.[0-9]{{1,9}})?)?$")
"""a model's name, `name@version`, or `name@version.revision`"""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=120), VERSION]
Baseline = Literal["season_naive", "naive", "drift", "season_mean", "theta", "ets"]
Measures = dict[str, dict[str, float]]
MEASURES: dict[str, Any] = {
    "model": {"mae": 42.1, "mase": 0.61, "coverage_80": 0.79},
    "season_naive": {"mae": 65.3, "mase": 0.95},
}


class BacktestIn(JobOptionsIn):
    """Rolling origins on stored series: the model is trained on what comes before them, and judged on what follows."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "bikes", "series": {"ids": ["bikes/station 7"]}, "n_windows": 10}}
    )

    model: Reference = Field(
        description="`name`, or `name@version`, or with `.revision` after it: whose configuration is judged"
    )
    series: SeriesChoice
    n_windows: int = Field(ge=1, le=10_000, description="windows of each series, the last one ending with it")
    horizon: int | None = Field(None, ge=1, description="steps that are judged; the model's where it is left out")
    step_size: int | None = Field(None, ge=1, le=1_000_000, description="steps between two origins; the horizon")
    refit: bool = Field(False, description="train anew before each window, not once before the first")
    baselines: Annotated[list[Baseline], Field(max_length=6)] | None = Field(
        None, description="forecasts to judge beside; all where left out, theta and ets where that takes seconds"
    )


class BacktestOut(Output):
    """A backtest. Its measures are null until it has succeeded; each is of `model` and of the baselines."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
                "status": "succeeded",
                "progress": {
                    "phase": "refit",
                    "fraction": 1.0,
                    "epoch": 20,
                    "epochs": 20,
                    "train_loss": 0.2,
                    "val_loss": 0.2,
                    "eta_s": 0.0,
                    "trial": None,
                    "trials": None,
                },
                "model": "bikes",
                "version": 1,
                "horizon": 24,
                "n_windows": 10,
                "step_size": 24,
                "refit": False,
                "baselines": ["season_naive", "naive", "drift", "season_mean", "theta", "ets"],
                "error": None,
                "created_at": "2024-03-01T12:00:00+00:00",
                "finished_at": "2024-03-01T12:01:00+00:00",
                "windows": 10,
                "series": 1,
                "overall": MEASURES,
                "by_step": [{"step": 1, **MEASURES}],
                "by_series": [{"series_id": "bikes/station 7", **MEASURES}],
                "by_window": [
                    {
                        "window": 1,
                        "first_origin": "2024-02-20T00:00:00+00:00",
                        "last_origin": "2024-02-20T00:00:00+00:00",
                        **MEASURES,
                    }
                ],
            }
        }
    )

    id: str
    status: JobStatus
    progress: ProgressOut
    model: str | None
    version: int
    horizon: int
    n_windows: int
    step_size: int
    refit: bool
    baselines: list[str] | None
    error: JobError | None
    created_at: str
    finished_at: str | None
    windows: int | None = Field(description="that were judged, over all series")
    series: int | None = Field(description="that were long enough for a window")
    overall: Measures | None
    by_step: list[dict[str, Any]] | None
    by_series: list[dict[str, Any]] | None
    by_window: list[dict[str, Any]] | None


class BacktestForecast(Output):
    """One forecast of a backtest: what was made at an origin, to be held against what happened."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series_id": "bikes/station 7",
                "window": 1,
                "origin": "2024-03-01T12:00:00+01:00",
                "ds": ["2024-03-01T13:00:00+01:00"],
                "yhat": [96.5],
                "quantiles": {"0.1": [40.1], "0.5": [96.5], "0.9": [161.9]},
            }
        }
    )

    series_id: str
    window: int = Field(description="number within its series, from 1; the highest ends with the series")
    origin: str
    ds: list[str]
    yhat: list[float]
    quantiles: dict[str, list[float]]
