"""Jobs of every kind on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.base import Input, Output
from app.api.schemas.series import Label, LabelValue
from app.errors import ErrorCode

JobLabels = Annotated[
    dict[Label, LabelValue],
    Field(max_length=100, description="to find the job by: GET /jobs?label=key:value", examples=[{"team": "bikes"}]),
]


class RunOptionsIn(Input):
    """How a job of any kind is to be run."""

    priority: int = Field(5, ge=0, le=9, description="the highest of the project runs first")
    timeout_s: float | None = Field(
        None, gt=0, le=31_536_000, description="seconds from the job's first start, after which it fails"
    )
    queue: Literal["cpu", "gpu"] | None = Field(
        None, description="whose workers may take it; left out, what the service is set to"
    )


class JobOptionsIn(RunOptionsIn):
    """What may be said of a job."""

    labels: JobLabels = Field(default_factory=dict)


class CancelIn(Input):
    """How a job is to be cancelled."""

    model_config = ConfigDict(json_schema_extra={"example": {"keep_best": True}})

    keep_best: bool = Field(False, description="a training publishes its best network so far, which is not promoted")


class ProgressOut(Output):
    """How far a job is. Losses are in scaled units."""

    phase: str | None = Field(
        description="`search` if that was asked for, `select` (choosing the number of steps), `refit` (on everything); "
        "`scan`, `forecast` and `refresh` of the other kinds"
    )
    fraction: float
    epoch: int | None
    epochs: int | None
    train_loss: float | None
    val_loss: float | None
    eta_s: float | None
    trial: int | None = Field(description="of a search, counted from 1; GET /jobs/{id}/trials has all of them")
    trials: int | None


class LossesOut(Output):
    """A training's losses after each epoch, in columns and in scaled units."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "epochs": [1, 2, 3],
                "phases": ["select", "select", "refit"],
                "train": [0.31, 0.22, 0.3],
                "val": [0.29, 0.24, None],
                "best": 2,
            }
        }
    )

    epochs: list[int] = Field(description="counted from 1, both phases together")
    phases: list[Literal["select", "refit"]]
    train: list[float]
    val: list[float | None] = Field(description="on the selection span; null in the refit, which trains on it")
    best: int | None = Field(description="the epoch with the least `val`")


class TrialOut(Output):
    """One combination of hyperparameters. Losses are in units of the series, of the weights kept so far."""

    number: int = Field(description="counted from 0, which is the choice that the search began from")
    state: Literal["running", "complete", "pruned", "failed", "stopped"]
    params: dict[str, Any]
    reason: str | None = Field(description="why it is not complete")
    loss: float | None
    epochs: int
    curve: list[float] = Field(description="loss after each epoch")
    seconds: float


class TrialsOut(Output):
    """The trials of a search by number, and the number of the best one so far."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "trials": [
                    {
                        "number": 0,
                        "state": "complete",
                        "params": {"cell": "lstm", "hidden": 64},
                        "reason": None,
                        "loss": 0.46,
                        "epochs": 2,
                        "curve": [0.52, 0.46],
                        "seconds": 3.1,
                    }
                ],
                "best": 0,
            }
        }
    )

    trials: list[TrialOut]
    best: int | None


class JobError(Output):
    """Why a job failed."""

    code: ErrorCode
    detail: str
    hint: str = Field(description="what to do about it")


class EstimateOut(Output):
    """What a job was estimated to take when it was asked for."""

    rows: int = Field(description="steps of all series")
    windows: int | None = Field(None, description="that may be trained on")
    steps: int | None = Field(None, description="of the optimiser at most")
    memory_bytes: int | None = None


JobKind = Literal["train", "backtest", "anomaly_scan", "forecast", "refresh", "builtin"]
JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class JobOut(Output):
    """A job. `version` is what it published, what it refreshed, or what made a scheduled forecast; `attempt` counts the
    workers that have taken it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
                "kind": "train",
                "status": "running",
                "progress": {
                    "phase": "select",
                    "fraction": 0.4,
                    "epoch": 8,
                    "epochs": 20,
                    "train_loss": 0.21,
                    "val_loss": 0.24,
                    "eta_s": 12.5,
                    "trial": None,
                    "trials": None,
                },
                "attempt": 1,
                "model": "bikes",
                "version": None,
                "result": None,
                "error": None,
                "labels": {"team": "bikes"},
                "priority": 5,
                "queue": "cpu",
                "position": None,
                "waiting_for": None,
                "stopping": False,
                "timeout_s": None,
                "estimate": {"rows": 17379, "windows": 17300, "steps": 2400, "memory_bytes": 830000000},
                "started_by": "key dashboard",
                "created_at": "2024-03-01T12:00:00+00:00",
                "started_at": "2024-03-01T12:00:01+00:00",
                "finished_at": None,
            }
        }
    )

    id: str
    kind: JobKind
    status: JobStatus
    progress: ProgressOut
    attempt: int
    model: str | None
    version: int | None
    result: dict[str, Any] | None = Field(
        description="of a scheduled forecast: how many series were archived, why others were not, and the drift "
        "signal; of a refresh: the revision, whether it serves, and why"
    )
    error: JobError | None
    labels: dict[str, str]
    priority: int
    queue: str
    position: int | None = Field(description="place among the project's jobs in the queue while it waits, from 1")
    waiting_for: str | None = Field(description="what keeps it in the queue, but for the jobs before it")
    stopping: bool = Field(description="it was cancelled with `keep_best`, and publishes what it has")
    timeout_s: float | None
    estimate: EstimateOut | None
    started_by: str | None = Field(description="`key NAME`, `anyone` with auth off, `schedule` or `drift`")
    created_at: str
    started_at: str | None
    finished_at: str | None
