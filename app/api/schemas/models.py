"""Models and versions on the wire, and whether the service is ready."""

from typing import Any

from pydantic import ConfigDict, Field

from app.api.schemas.base import Input, Output

Metrics = dict[str, float]


class ModelOut(Output):
    """A model. `champion` is the version that serves, null where none does."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "bikes",
                "freq": "h",
                "horizon": 24,
                "quantiles": [0.1, 0.5, 0.9],
                "champion": 1,
                "versions": [1],
                "schedule": None,
                "created_at": "2024-03-01T12:00:00+00:00",
            }
        }
    )

    name: str
    freq: str
    horizon: int
    quantiles: list[float]
    champion: int | None
    versions: list[int]
    schedule: None
    created_at: str


class ChampionIn(Input):
    """The version that is to serve."""

    model_config = ConfigDict(json_schema_extra={"example": {"version": 1}})

    version: int = Field(ge=1, lt=2**31)


class DataSpan(Output):
    """The data that a version was trained on."""

    start: str
    end: str
    series: list[str]


class VersionOut(Output):
    """One immutable result of training. `metrics` were measured before the network had seen the measured span."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "version": 1,
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
                "job": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
                "created_at": "2024-04-01T00:01:00+00:00",
            }
        }
    )

    model: str
    version: int
    promoted: bool
    reason: str
    warnings: list[str]
    config: dict[str, Any]
    metrics: dict[str, Metrics | None] = Field(
        description="`gate` beside `season_naive` on the same windows; `selection` where history is too short for it"
    )
    loss_curve: dict[str, list[float]]
    data_span: DataSpan
    job: str
    created_at: str


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
                "checks": [{"name": "database", "ok": True, "detail": "migrations are at 0001"}],
            }
        }
    )

    ready: bool
    checks: list[CheckOut]
