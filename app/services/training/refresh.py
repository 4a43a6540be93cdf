"""Refreshing a model: the champion takes new observations into the parts that need no training."""

from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.jobs.submission import JobOptions, Submission, respond_accepted
from app.services.registry.builtin import parse_builtin_name, refuse_reserved
from app.services.registry.lookup import require_champion, require_model
from app.storage import jobs
from app.storage.engine import Database
from app.storage.tables import JobRow


class RefreshService:
    """The operation behind POST /models/{name}/refresh."""

    def __init__(self, database: Database, submission: Submission) -> None:
        self._database = database
        self._submission = submission

    def create(self, scope: Scope, name: str, options: JobOptions, key: Idempotency | None) -> ServiceResponse:
        """Queue a refresh of the champion. One that waits already is answered again: it will read whatever is there
        when it begins. Raises NotFound, and Conflict `no_champion`.
        """

        def make(session: Session) -> ServiceResponse:
            if parse_builtin_name(name):
                raise refuse_reserved()
            model = require_model(session, scope, name, lock=True)
            require_champion(session, model)
            waiting = jobs.find_queued(session, model.pk, "refresh")
            if waiting is not None and _has_options(waiting, options):
                return respond_accepted(session, waiting)
            job = self._submission.add(session, scope, "refresh", model, {}, options)
            return respond_accepted(session, job)

        return respond_once(self._database, scope, key, make)


def _has_options(job: JobRow, options: JobOptions) -> bool:
    asked = (dict(options.labels), options.priority, options.timeout_s, options.queue or "cpu")
    return (job.labels, job.priority, job.timeout_s, job.queue) == asked
