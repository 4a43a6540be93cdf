"""Training: a request is checked, completed and queued in one transaction, or shown without being queued."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.config import Settings
from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.jobs.submission import JobOptions, Submission, respond_accepted
from app.services.quotas import reserve_quota
from app.services.series.health import describe_health
from app.services.training.plan import TrainingPlan, plan_training
from app.services.training.request import TrainingRequest
from app.storage import jobs, registry
from app.storage.engine import Database
from app.storage.tables import ModelRow, SeriesRow

MOST_CHECKED = 100
"""series whose checks a preview shows, the first by their ids"""
MOST_CHECKED_ROWS = 500_000
"""rows of those series together: 0.7 s of checks, measured with hourly values"""


class TrainingService:
    """The operations behind POST /train."""

    def __init__(self, database: Database, submission: Submission, settings: Settings) -> None:
        self._database = database
        self._submission = submission
        self._settings = settings

    def create(
        self, scope: Scope, request: TrainingRequest, options: JobOptions, key: Idempotency | None
    ) -> ServiceResponse:
        """Queue a training. The job and its entry in the queue commit together.

        Raises NotFound, Conflict and Invalid as `plan_training`, and Invalid `job_too_large`.
        """

        def make(session: Session) -> ServiceResponse:
            plan = plan_training(session, scope, request, self._settings, lock=True)
            model = _specify_model(session, scope, plan)
            document = plan.request.document()
            cost = plan.cost.to_dict()
            job = self._submission.add(session, scope, "train", model, document, options, cost)
            return respond_accepted(session, job)

        return respond_once(self._database, scope, key, make)

    def preview(self, scope: Scope, request: TrainingRequest) -> dict[str, Any]:
        """Return what a training would take, and the checks of its series. Nothing is written. Raises as `create`."""
        with self._database.read() as session:
            plan = plan_training(session, scope, request, self._settings, lock=False)
            self._submission.check_size(plan.cost.to_dict())
            checked = _choose_checked(plan.rows)
            health = describe_health(session, scope, checked, request.horizon)
            return {
                "estimate": plan.cost.to_dict() | {"seconds": _estimate_seconds(session, plan)},
                "checks": {**health, "checked": len(checked), "series": len(plan.rows)},
            }


def _specify_model(session: Session, scope: Scope, plan: TrainingPlan) -> ModelRow:
    """Return the model to train with its new specification; a new one is added."""
    new = plan.specification
    model = plan.model
    if model is None:
        reserve_quota(session, scope, "models")
        return registry.add(session, scope, plan.request.model, new.freq, new.horizon, new.quantiles)
    model.freq = new.freq
    model.horizon = new.horizon
    model.quantiles = new.quantiles
    return model


def _choose_checked(rows: list[SeriesRow]) -> list[SeriesRow]:
    """Return the first series, as many as are checked while a caller waits; at least one."""
    total = 0
    for n, row in enumerate(rows[:MOST_CHECKED]):
        total += row.count
        if n and total > MOST_CHECKED_ROWS:
            return rows[:n]
    return rows[:MOST_CHECKED]


def _estimate_seconds(session: Session, plan: TrainingPlan) -> float | None:
    """Return about how long the training takes at most; None where nothing is known that tells it.

    That is its time budget, or else the pace of the model's last training.
    """
    budget = plan.config.training.time_budget_s
    if budget is not None:
        return budget + _bound_search(plan.request.search, budget)
    last = jobs.find_newest(session, plan.model.pk, "train", "succeeded") if plan.model is not None else None
    if last is None or last.started_at is None or last.finished_at is None:
        return None
    steps: int | None = (last.estimate or {}).get("steps")
    return (last.finished_at - last.started_at) / 1e6 * plan.cost.steps / steps if steps else None


def _bound_search(search: Mapping[str, Any] | None, budget: float) -> float:
    """Return the most seconds of a search whose trials have a time budget."""
    if search is None:
        return 0.0
    trials = budget * int(search["trials"])
    limit = search["time_budget_s"]
    return trials if limit is None else min(trials, limit + budget)
