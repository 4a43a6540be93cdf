"""Anomalies on the wire."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.backtests import Reference
from app.api.schemas.base import MOMENT, Input, Output, Text
from app.api.schemas.jobs import JobError, JobLabels, JobStatus, ProgressOut, RunOptionsIn
from app.services.anomalies.plan import USUAL_ALARMS

MOST_ALARMS = 1_000_000
"""a week"""
Time = Annotated[str, StringConstraints(min_length=1, max_length=64), MOMENT]
SERIES: dict[str, Any] = {
    "series_id": "bikes/station 7",
    "status": "ok",
    "ds": ["2024-03-01T12:00:00+01:00"],
    "y": [412.0],
    "expected": [96.5],
    "lower": [40.1],
    "upper": [161.9],
    "score": [7.2],
    "anomaly": [True],
    "alarm": [True],
}


class LabelWindow(Input):
    """A span that is known to be anomalous, both ends included."""

    start: Time
    end: Time


LabelWindows = Annotated[list[LabelWindow], Field(max_length=1000)]


class AnomaliesIn(RunOptionsIn):
    """Which values of stored series were improbable, as each was seen from the step before it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"model": "bikes", "series": ["bikes/station 7"], "start": "2024-03-01", "level": 0.99}
        }
    )

    model: Reference
    series: Annotated[list[Text], Field(fail_fast=True, min_length=1, max_length=100_000)]
    start: Time | None = Field(None, description="the first value where it is left out")
    end: Time | None = Field(None, description="exclusive")
    level: float = Field(0.99, gt=0, lt=1, description="share of ordinary values that the bounds should hold")
    ahead: int = Field(
        1,
        ge=1,
        description="steps before a value that it is forecast from, the model's horizon at most: from one step before, "
        "what is sudden stands out, from many also what goes on",
    )
    alarms_per_week: float = Field(
        USUAL_ALARMS,
        gt=0,
        le=MOST_ALARMS,
        description="how many alarms of each series a person can read: their threshold follows its own past scores",
    )
    labels: Annotated[dict[Text, LabelWindows], Field(max_length=100_000)] = Field(
        default_factory=dict, description="known anomalies by series: then precision, recall and F1 are told"
    )
    job_labels: JobLabels = Field(default_factory=dict)


class AnomaliesOut(Output):
    """What is told of each series, in columns; a series that cannot be scored says why, beside the good results."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "version": 1,
                "revision": 0,
                "level": 0.99,
                "ahead": 1,
                "alarms_per_week": 1.0,
                "series": [SERIES],
                "metrics": None,
            }
        }
    )

    model: str
    version: int
    revision: int
    level: float
    ahead: int
    alarms_per_week: float
    series: list[dict[str, Any]] = Field(
        description="`ds`, `y`, `expected`, `lower`, `upper`; `score`: how improbable it is what the series does, as "
        "the standard deviations at which a normal law is as improbable, whatever the level; `anomaly`: the value lies "
        "outside the bounds; `alarm`: one of the rarest scores, as many as `alarms_per_week` says, above all of a "
        "horizon's length before it, so that what goes on alarms once"
    )
    metrics: dict[str, Any] | None = Field(
        description="with labels: precision, recall and F1 by `points` and by `windows`, and the score of the Numenta "
        "Anomaly Benchmark in its three profiles"
    )


class ScanOut(Output):
    """A scan that is made by a job; `series` and `metrics` are null until it has succeeded."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
                "status": "succeeded",
                "progress": {
                    "phase": "scan",
                    "fraction": 1.0,
                    "epoch": None,
                    "epochs": None,
                    "train_loss": None,
                    "val_loss": None,
                    "eta_s": 0.0,
                    "trial": None,
                    "trials": None,
                },
                "model": "bikes",
                "version": 1,
                "revision": 0,
                "level": 0.99,
                "ahead": 1,
                "alarms_per_week": 1.0,
                "error": None,
                "series": [SERIES],
                "metrics": None,
            }
        }
    )

    id: str
    status: JobStatus
    progress: ProgressOut
    model: str | None
    version: int
    revision: int
    level: float
    ahead: int
    alarms_per_week: float
    error: JobError | None
    series: list[dict[str, Any]] | None
    metrics: dict[str, Any] | None
