"""Worker leases, by the database's clock."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.storage.clock import now_us
from app.storage.dialects import insert_for
from app.storage.tables import WorkerLease

_KEPT_US = 3600 * 1_000_000
"""microseconds for which expired leases stay"""


def renew(session: Session, executor_id: str, host: str, queues: Sequence[str], seconds: float) -> None:
    """Extend a worker's lease to `seconds` from now, and delete leases that expired long ago."""
    expires = now_us() + int(seconds * 1_000_000)
    insert = insert_for(session, WorkerLease)
    statement = insert.values(executor_id=executor_id, host=host, queues=list(queues), expires_at=expires)
    session.execute(statement.on_conflict_do_update(index_elements=["executor_id"], set_={"expires_at": expires}))
    session.execute(delete(WorkerLease).where(WorkerLease.expires_at < now_us() - _KEPT_US))


def list_living(session: Session) -> set[str]:
    """Return the executor ids of the workers whose leases have not expired."""
    return set(session.execute(select(WorkerLease.executor_id).where(WorkerLease.expires_at > now_us())).scalars())


def list_served_queues(session: Session) -> set[str]:
    """Return the queues that workers with a valid lease take jobs from."""
    query = select(WorkerLease.queues).where(WorkerLease.expires_at > now_us())
    return {name for queues in session.execute(query).scalars() for name in queues}


def release(session: Session, executor_id: str) -> None:
    """Delete a worker's lease, so that its jobs are taken over at once."""
    session.execute(delete(WorkerLease).where(WorkerLease.executor_id == executor_id))
