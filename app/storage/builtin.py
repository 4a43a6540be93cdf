"""The rows of the built-in model for one frequency, as of any model: they are made when they are first needed."""

import uuid
from typing import Any

from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage import registry
from app.storage.clock import now
from app.storage.dialects import insert_for
from app.storage.jobs import UNLISTED_KIND
from app.storage.tables import JobRow, ModelRow, VersionRow


def add(session: Session, scope: Scope, model: dict[str, Any], version: dict[str, Any]) -> ModelRow:
    """Return the model, locked, made if it is not there; its version is that of the package.

    Args:
        model: columns of the model.
        version: columns of its only version.
    """
    columns = {
        "project_id": scope.project_id,
        "champion": version["number"],
        "last_version": version["number"],
        **model,
    }
    insert = insert_for(session, ModelRow).values(**columns)
    session.execute(insert.on_conflict_do_nothing(index_elements=["project_id", "name"]))
    row = registry.get(session, scope, model["name"], lock=True)
    assert row is not None, "it was inserted, or had been"
    existing = registry.get_version(session, row, version["number"])
    if existing is None:
        job = _add_job(session, scope, row)
        session.add(VersionRow(model_pk=row.pk, job_id=job.id, **version))
    elif existing.digest != version["digest"]:  # another release carries another network
        for name in ("config", "artifact", "digest", "provenance"):
            setattr(existing, name, version[name])
    session.flush()
    return row


def _add_job(session: Session, scope: Scope, model: ModelRow) -> JobRow:
    """Add the job that stands for the making of the version: its request says that all series are the model's."""
    moment = now(session)
    job = JobRow(
        id=uuid.uuid4().hex,
        project_id=scope.project_id,
        kind=UNLISTED_KIND,
        model_pk=model.pk,
        model=model.name,
        status="succeeded",
        request={"series": "all"},
        version=1,
        started_at=moment,
        finished_at=moment,
    )
    session.add(job)
    session.flush()
    return job
