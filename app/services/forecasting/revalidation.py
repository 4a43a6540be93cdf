"""Whether what is remembered is still what is committed, asked once for many requests; and what holds in an outage."""

from collections.abc import Sequence

from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ErrorCode, Unavailable
from app.logs import get_logger
from app.services.access.keys import unknown_key
from app.services.forecasting.inputs.context_cache import Known, Memory, Ready, ask_for, confirmed
from app.services.forecasting.pending import Ask, guarded
from app.storage.engine import OUTAGE
from app.storage.freshness import Asked, Found, Freshness

log = get_logger(__name__)


class Confirmer:
    """Confirms requests. Any thread may ask."""

    def __init__(self, memory: Memory, freshness: Freshness, stale_seconds: float) -> None:
        self._memory, self._freshness, self._stale_seconds = memory, freshness, stale_seconds

    def confirm(self, asks: Sequence[Ask]) -> tuple[list[Ask], list[Ask]]:
        """Return the requests of which all is known to be what is committed, and those that have to be read; what is
        in neither has ended."""
        known, unknown = [ask for ask in asks if ask.known is not None], list[Ask]()
        hot: list[tuple[Ask, Known | None]] = []
        question, ready = Asked(), Ready()
        for ask in asks:
            if ask.known is not None:
                continue
            held = None if ask.recent is not None else self._memory.recall(ask.caller.scope, ask.request, ready)
            if held is None and ask.recent is None:
                unknown.append(ask)
            else:
                hot.append((ask, held))
                ask_for(ask.caller.scope, held, question)
        found = self._found(question) if hot else None
        for ask, held in hot:
            if found is not None and ask.is_allowed(found) and held is not None and not confirmed(held, found):
                unknown.append(ask)
                continue
            guarded(ask, self._start, held, found)
            if not ask.ended:
                known.append(ask)
        return known, unknown

    def _start(self, ask: Ask, held: Known | None, found: Found | None) -> None:
        """Let a request start from what is held. Raises Unauthorized, Unavailable."""
        if found is None:
            self.recall(ask)
        elif not ask.is_allowed(found):
            raise unknown_key()
        else:
            ask.known = held

    def _found(self, question: Asked) -> Found | None:
        """Return what is committed; None while the database is away."""
        if self._memory.away:
            return None
        try:
            return self._freshness.ask(question)
        except OUTAGE as e:
            log.warning("database_away", detail=str(e).splitlines()[0])
            self.note_outage(e)
            return None

    def note_outage(self, error: Exception) -> None:
        """Note that the database is away, unless it is only busy."""
        if not isinstance(error, PoolTimeout):
            self._memory.note_outage()

    def recall(self, ask: Ask) -> None:
        """Let a request start from what is remembered, while the database is away. Raises Unavailable."""
        readable = ask.caller.scope.key is None or ask.caller.offline_scope(self._stale_seconds) is not None
        ask.known = self._memory.stale(ask.caller.scope, ask.request) if readable else None
        ask.recent = ask.recent if readable else None
        if ask.known is None and ask.recent is None:
            detail = "the database does not answer; try again in a few seconds"
            raise Unavailable(ErrorCode.database_unavailable, detail, headers={"Retry-After": "2"})
