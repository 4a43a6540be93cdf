"""Background jobs as the service describes them."""

from typing import Any, Literal, TypedDict

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""statuses of a job that has ended"""


class JobProgress(TypedDict):
    """The progress of a job; None where a value is not known yet."""

    fraction: float | None
    epoch: int | None
    epochs: int | None
    train_loss: float | None
    val_loss: float | None
    eta_s: float | None
    trial: int | None
    trials: int | None


class JobFailure(TypedDict):
    """The reason why a job failed."""

    code: str
    detail: str


class Job(TypedDict):
    """A background job as the service describes it."""

    id: str
    kind: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: JobProgress | None
    model: str | None
    version: int | None
    result: dict[str, Any] | None
    error: JobFailure | None
