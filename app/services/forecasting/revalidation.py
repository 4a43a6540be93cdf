"""Revalidation: one query whether what is cached for many requests is still committed; and what holds in an outage."""

from collections.abc import Sequence

from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ErrorCode, Unavailable
from app.logs import get_logger
from app.services.access.keys import unknown_key
from app.services.forecasting.inputs.context_cache import ContextCache, ResolvedSeries
from app.services.forecasting.pending import PendingRequest
from app.storage.engine import OUTAGE
from app.storage.freshness import CommittedState, Freshness, FreshnessKeys

log = get_logger(__name__)


class Revalidator:
    """Confirms that requests start from what is committed. Any thread may call it."""

    def __init__(self, contexts: ContextCache, freshness: Freshness, stale_seconds: float) -> None:
        self._contexts = contexts
        self._freshness = freshness
        self._stale_seconds = stale_seconds

    def confirm(self, requests: Sequence[PendingRequest]) -> tuple[list[PendingRequest], list[PendingRequest]]:
        """Return the requests that start from what is committed, and those that have to be loaded; the others have
        failed."""
        ready = [pending for pending in requests if pending.resolved is not None]
        unresolved = [pending for pending in requests if pending.resolved is None]
        to_recall = [pending for pending in unresolved if pending.recent is None]
        to_load: list[PendingRequest] = []
        cached: list[tuple[PendingRequest, ResolvedSeries | None]] = [
            (pending, None) for pending in unresolved if pending.recent is not None
        ]
        recalled = self._contexts.recall([(pending.caller.scope, pending.request) for pending in to_recall])
        for pending, resolved in zip(to_recall, recalled, strict=True):
            if resolved is None:
                to_load.append(pending)
            else:
                cached.append((pending, resolved))
        keys = FreshnessKeys()
        for pending, resolved in cached:
            _add_keys(keys, pending, resolved)
        state = self._query(keys) if cached else None
        for pending, resolved in cached:
            if _is_outdated(pending, resolved, state):
                to_load.append(pending)
                continue
            try:
                self._start(pending, resolved, state)
            except Exception as e:
                pending.fail(e)
            else:
                ready.append(pending)
        return ready, to_load

    def _start(self, pending: PendingRequest, resolved: ResolvedSeries | None, state: CommittedState | None) -> None:
        """Let a request start from what is cached. Raises Unauthorized, Unavailable."""
        if state is None:
            self.recall_stale(pending)
        elif not pending.is_allowed(state):
            raise unknown_key()
        else:
            pending.resolved = resolved

    def _query(self, keys: FreshnessKeys) -> CommittedState | None:
        """Return what is committed; None while the database is away."""
        if self._contexts.is_database_away:
            return None
        try:
            return self._freshness.query(keys)
        except OUTAGE as e:
            log.warning("database_away", detail=str(e).splitlines()[0])
            self.note_outage(e)
            return None

    def note_outage(self, error: Exception) -> None:
        """Note that the database is away, unless it is only busy."""
        if not isinstance(error, PoolTimeout):
            self._contexts.note_outage()

    def recall_stale(self, pending: PendingRequest) -> None:
        """Let a request start from what is cached, while the database is away. Raises Unavailable."""
        caller = pending.caller
        is_readable = caller.scope.key is None or caller.offline_scope(self._stale_seconds) is not None
        if not is_readable:
            pending.recent = None
        pending.resolved = self._contexts.recall_stale(caller.scope, pending.request) if is_readable else None
        if pending.resolved is None and pending.recent is None:
            detail = "the database does not answer; try again in a few seconds"
            raise Unavailable(ErrorCode.database_unavailable, detail, headers={"Retry-After": "2"})


def _add_keys(keys: FreshnessKeys, pending: PendingRequest, resolved: ResolvedSeries | None) -> None:
    """Add the keys of the rows that confirm a request's caller, and what it starts from."""
    key = pending.caller.scope.key
    if key is not None:
        keys.keys.add(key)
    if resolved is not None:
        resolved.add_keys(keys)


def _is_outdated(pending: PendingRequest, resolved: ResolvedSeries | None, state: CommittedState | None) -> bool:
    """Whether what is cached of a request is no longer committed, and its caller may have it loaded."""
    if state is None or resolved is None:
        return False
    return pending.is_allowed(state) and not resolved.confirm(state)
