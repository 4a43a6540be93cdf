"""Models and versions on the wire, and whether the service is ready."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.base import Input, Output

Metrics = dict[str, float]
Cron = Annotated[str, StringConstraints(min_length=1, max_length=100)]
SCHEDULE: dict[str, Any] = {
    "train": "0 3 * * 1",
    "refresh": "30 0 * * *",
    "forecast": "5 * * * *",
    "timezone": "Europe/Berlin",
    "train_on_drift": False,
    "next_train": "2024-03-04T03:00:00+01:00",
    "next_refresh": "2024-03-02T00:30:00+01:00",
    "next_forecast": "2024-03-01T13:05:00+01:00",
}
REVISION: dict[str, Any] = {
    "revision": 1,
    "created_at": "2024-04-02T00:30:01+00:00",
    "data_end": "2024-04-01T22:00:00+00:00",
    "promoted": True,
    "reason": "ahead of the one before on the newest values",
    "metrics": {"refreshed": {"mae": 44.1}, "before": {"mae": 45.3}},
    "can_serve": True,
    "job": "0f8c7d1d0c5b4c56a2ff30f1f0a3c002",
}
LIVE: dict[str, Any] = {
    "n": 240,
    "model": {"mae": 45.3, "mase": 0.61, "coverage_80": 0.8},
    "season_naive": {"mae": 65.3, "mase": 0.88},
}


class ScheduleIn(Input):
    """When a model is trained again, when its champion is refreshed, and when its forecasts are archived: five cron
    fields each."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {name: SCHEDULE[name] for name in ("train", "refresh", "forecast", "timezone")},
        }
    )

    train: Cron | None = Field(None, description="repeats the champion's training; what comes of it must be better")
    refresh: Cron | None = Field(None, description="takes new observations into the parts that need no training")
    forecast: Cron | None = Field(None, description="archives what the champion forecasts of the training's series")
    timezone: str = Field("UTC", max_length=64, description="in which the fields are read")
    train_on_drift: bool = Field(False, description="train also when live forecasts have become worse than the gate's")


class ScheduleOut(Output):
    """A model's schedule, and when its parts are due next."""

    model_config = ConfigDict(json_schema_extra={"example": SCHEDULE})

    train: str | None
    refresh: str | None
    forecast: str | None
    timezone: str
    train_on_drift: bool
    next_train: str | None
    next_refresh: str | None
    next_forecast: str | None


class ModelOut(Output):
    """A model. `champion` is the version that serves, null where none does, and `revision` the one of it that does."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "bikes",
                "builtin": False,
                "freq": "h",
                "horizon": 24,
                "quantiles": [0.1, 0.5, 0.9],
                "champion": 1,
                "revision": 0,
                "versions": [1],
                "schedule": None,
                "created_at": "2024-03-01T12:00:00+00:00",
            }
        }
    )

    name: str
    builtin: bool = Field(description="whether it needs no training: the pretrained network, for any frequency")
    freq: str | None
    horizon: int
    quantiles: list[float]
    champion: int | None
    revision: int | None
    versions: list[int]
    schedule: ScheduleOut | None
    created_at: str


class ChampionIn(Input):
    """The version that is to serve."""

    model_config = ConfigDict(json_schema_extra={"example": {"version": 1}})

    version: int = Field(ge=1, lt=2**31)
    revision: int | None = Field(
        None, ge=0, lt=2**31, description="0 as it was trained; the one that the version serves as where it is left out"
    )


class DataSpan(Output):
    """The data that a version was trained on."""

    start: str
    end: str
    series: list[str]


class CountOut(Output):
    """How often something was done: in all series together, to the series that had most of it, and in how many."""

    total: int
    most: int
    series: int


class AggregateOut(Output):
    """The coarser frequency of a model, and what becomes of the values of one step."""

    freq: str
    by: str


class RefusedSeriesOut(Output):
    """A series that was not trained on."""

    series_id: str
    detail: str


class CleaningOut(Output):
    """What was asked of `cleaning`, and what it did to the series that were trained on."""

    gaps: str
    outliers: str
    aggregate: AggregateOut | None
    max_filled: float | None = Field(description="null: the built-in model fills whatever is missing")
    filled: CountOut = Field(description="missing steps that are read with a value")
    clipped: CountOut = Field(description="values that are read moved to a limit")
    refused: list[RefusedSeriesOut] = Field(description="at most 100 series with too many gaps, or no full step")


class RevisionOut(Output):
    """A version whose closed-form parts were fitted again on what was known then; the trained weights are the same."""

    model_config = ConfigDict(json_schema_extra={"example": REVISION})

    revision: int
    created_at: str
    data_end: str | None = Field(description="newest value that it was fitted on")
    promoted: bool = Field(description="whether it went live when it was made")
    reason: str
    metrics: dict[str, Metrics] = Field(description="of it and of the one before, on newest values that neither saw")
    can_serve: bool = Field(description="whether its files are kept, so that it can be pinned and promoted")
    job: str | None


class VersionOut(Output):
    """One result of training. `metrics` were measured before the network had seen the measured span."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "version": 1,
                "revision": 1,
                "revisions": [REVISION],
                "promoted": True,
                "reason": "ahead of season-naive",
                "warnings": [],
                "config": {"frequency": "h", "horizon": 24, "network": {"cell": "lstm", "hidden": 64}},
                "metrics": {"gate": {"mae": 45.3, "mase": 0.61}, "season_naive": {"mae": 65.3, "mase": 0.88}},
                "loss_curve": {"train": [0.31, 0.22], "val": [0.29, 0.24]},
                "data_span": {
                    "start": "2024-03-01T00:00:00+01:00",
                    "end": "2024-03-31T23:00:00+02:00",
                    "series": ["bikes/station 7"],
                },
                "cleaning": {
                    "gaps": "linear",
                    "outliers": "leave",
                    "aggregate": None,
                    "max_filled": 0.2,
                    "filled": {"total": 12, "most": 12, "series": 1},
                    "clipped": {"total": 0, "most": 0, "series": 0},
                    "refused": [],
                },
                "job": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
                "provenance": {
                    "packages": {"gatecast": "0.1.0", "torch": "2.13.0"},
                    "seed": 0,
                    "data_digest": "9b2f…",
                    "started_by": "key dashboard",
                },
                "created_at": "2024-04-01T00:01:00+00:00",
            }
        }
    )

    model: str
    version: int
    revision: int = Field(description="the one that serves; 0: as it was trained")
    revisions: list[RevisionOut] = Field(description="the newest 100, the oldest of them first")
    promoted: bool
    reason: str
    warnings: list[str]
    config: dict[str, Any]
    metrics: dict[str, Metrics | None] = Field(
        description="`gate` beside `season_naive`, `naive`, `drift`, `season_mean` and `theta` on the same windows; "
        "`selection` in its place where history is too short; `champion`: the champion's of the time on the same "
        "windows"
    )
    loss_curve: dict[str, list[float]]
    data_span: DataSpan
    cleaning: CleaningOut
    job: str | None = Field(description="that made it; null: the built-in model was made by none")
    provenance: dict[str, Any] = Field(
        description="what made it: versions of packages, seed, digest of the data, device, who or what asked"
    )
    created_at: str


class ArchivedOut(Output):
    """A forecast as it was told."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series_id": "bikes/station 7",
                "version": 1,
                "revision": 0,
                "made_at": "2024-03-01T12:05:00+00:00",
                "origin": "2024-03-01T12:00:00+01:00",
                "ds": ["2024-03-01T13:00:00+01:00"],
                "yhat": [96.5],
                "quantiles": {"0.1": [40.1], "0.5": [96.5], "0.9": [161.9]},
            }
        }
    )

    series_id: str
    version: int
    revision: int
    made_at: str
    origin: str
    ds: list[str]
    yhat: list[float]
    quantiles: dict[str, list[float]]


class SkillOut(Output):
    """How archived forecasts have come true. `n` counts values; measures are of `model` and `season_naive`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "forecasts": 10,
                "overall": LIVE,
                "by_step": [{"step": 1, **LIVE}],
                "rolling": [
                    {
                        "first_origin": "2024-03-01T12:00:00+00:00",
                        "last_origin": "2024-03-02T12:00:00+00:00",
                        **LIVE,
                    }
                ],
                "drift": {"version": 1, "status": "steady", "detail": "error and coverage are about those of the gate"},
            }
        }
    )

    model: str
    forecasts: int = Field(description="of the span that have begun to come true; of very many the newest origins")
    overall: dict[str, Any]
    by_step: list[dict[str, Any]] = Field(description="for each step of the horizon that has come true")
    rolling: list[dict[str, Any]] = Field(description="for runs of origins, the oldest first")
    drift: dict[str, Any] | None = Field(
        description="`unknown`, `steady` or `drifting`: the champion's live error and coverage against its gate's"
    )


class CheckOut(Output):
    """One thing that serving needs."""

    name: str
    ok: bool
    detail: str


class ReadyOut(Output):
    """Whether this process can serve."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ready": True,
                "checks": [{"name": "database", "ok": True, "detail": "migrations are at 0002"}],
            }
        }
    )

    ready: bool
    checks: list[CheckOut]
