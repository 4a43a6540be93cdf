"""How much a project has, and how much it may have."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.clock import now_us
from app.storage.jobs import ACTIVE
from app.storage.tables import JobRow, ModelRow, Project, SeriesRow

DAY_US = 86_400_000_000


def get_quotas(session: Session, scope: Scope, *, lock: bool = False) -> dict[str, Any]:
    """Return a project's limits by name; `lock` lets no other transaction that asks for it go on before this ends."""
    query = select(Project.quotas).where(Project.pk == scope.project_id)
    # rows that refer to the project share its key meanwhile: to wait for them would be a deadlock
    quotas = session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()
    return dict(quotas or {})


def count_series(session: Session, scope: Scope) -> int:
    """Return how many series a project has."""
    query = select(func.count()).select_from(SeriesRow).where(SeriesRow.project_id == scope.project_id)
    return session.execute(query).scalar_one()


def count_observations(session: Session, scope: Scope) -> int:
    """Return how many rows of observations a project has."""
    query = select(func.coalesce(func.sum(SeriesRow.count), 0)).where(SeriesRow.project_id == scope.project_id)
    return int(session.execute(query).scalar_one())


def count_models(session: Session, scope: Scope) -> int:
    """Return how many models a project has."""
    query = select(func.count()).select_from(ModelRow).where(ModelRow.project_id == scope.project_id)
    return session.execute(query).scalar_one()


def count_jobs(session: Session, scope: Scope) -> int:
    """Return how many jobs of a project are queued or running."""
    query = select(func.count()).select_from(JobRow)
    return session.execute(query.where(JobRow.project_id == scope.project_id, JobRow.status.in_(ACTIVE))).scalar_one()


def count_trainings(session: Session, scope: Scope) -> int:
    """Return how many trainings were asked for in a project within the last 24 hours."""
    query = select(func.count()).select_from(JobRow).where(JobRow.project_id == scope.project_id)
    return session.execute(query.where(JobRow.kind == "train", JobRow.created_at > now_us() - DAY_US)).scalar_one()


def get_requests(session: Session, scope: Scope, month: int) -> int:
    """Return how many requests of a project are counted in a month such as 202603."""
    query = select(Project.requests).where(Project.pk == scope.project_id, Project.requests_month == month)
    return session.execute(query).scalar_one_or_none() or 0


def add_requests(session: Session, counts: Mapping[int, int], month: int) -> None:
    """Add requests to what projects have asked for in a month; those of an earlier one are forgotten."""
    for project_id, count in sorted(counts.items()):
        before = case((Project.requests_month == month, Project.requests), else_=0)
        values = {"requests": before + count, "requests_month": month}
        session.execute(update(Project).where(Project.pk == project_id).values(values))


COUNTS: dict[str, Callable[[Session, Scope], int]] = {
    "observations": count_observations,
    "series": count_series,
    "models": count_models,
    "jobs": count_jobs,
    "trainings_per_day": count_trainings,
}
"""what a project is counted by, and may be limited in"""
