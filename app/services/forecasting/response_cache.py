"""The response cache: a response is given again while version, series and arguments are the same."""

import hashlib
import time
from collections.abc import Hashable
from dataclasses import replace

import numpy as np

from app.etags import unchanged
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.pending import ForecastResponse, PendingRequest
from app.serving.lru import LruCache
from models.calendar.grid import Grid

ENTRY_BYTES = 1000
"""bytes of a cached response besides its content"""


class ResponseCache:
    """Responses by the state that determines them, and the latest ones by the request alone."""

    def __init__(self, max_bytes: int) -> None:
        self._is_enabled = max_bytes > 0
        self._by_state: LruCache[ForecastResponse] = LruCache(max_bytes // 2)
        self._by_request: LruCache[ForecastResponse] = LruCache(max_bytes // 2)

    def find_recent(self, pending: PendingRequest) -> ForecastResponse | None:
        """Return a response that is as young as the request wants it to be."""
        cached = self._by_request.get(_build_request_key(pending))
        max_age = pending.request.max_age
        now = time.time()
        if cached is None or max_age is None:
            return None
        age = now - cached.created_at
        if not 0 <= age <= max_age or now >= cached.due_at:
            return None
        lifetime = age + min(max_age - age, cached.due_at - now)  # the Age header counts against it
        return replace(cached, max_age=int(lifetime), age=int(age), timing={})

    def finish_recent(self, pending: PendingRequest) -> None:
        """Finish a request with the response that `find_recent` returned."""
        recent = pending.recent
        assert recent is not None, "there is such a response"
        is_unchanged = unchanged(pending.if_none_match, recent.etag)
        pending.finish(replace(recent, content=None) if is_unchanged else recent)

    def finish(self, pending: PendingRequest, resolved: ResolvedSeries, shape: ForecastShape) -> bool:
        """Finish a request from the cache, and say whether that was possible; set its ETag in any case."""
        request = pending.request
        if resolved.stale or resolved.awaiting or request.history or request.future or request.explain:
            return False
        if not (self._is_enabled or pending.wants_etag):
            return False
        pending.cache_key = _build_state_key(pending, resolved, shape)
        cached = self._by_state.get(pending.cache_key)
        if pending.wants_etag:
            cached_etag = cached.etag if cached is not None else None
            pending.etag = cached_etag or _build_etag(pending.cache_key)
        if unchanged(pending.if_none_match, pending.etag):
            pending.finish(ForecastResponse(None, resolved.version, pending.etag))
            return True
        if cached is None:
            return False
        cached.etag = pending.etag or cached.etag
        response = ForecastResponse(cached.content, resolved.version, pending.etag)
        pending.finish(response)
        self._keep_recent(pending, resolved, response)
        return True

    def keep(self, pending: PendingRequest, resolved: ResolvedSeries, response: ForecastResponse) -> None:
        """Give a new response its ETag, and keep it where it may be given again."""
        response.etag = pending.etag
        if pending.cache_key is None or not isinstance(response.content, bytes):
            return
        copy = ForecastResponse(response.content, response.version, pending.etag)
        self._by_state.put(pending.cache_key, copy, len(response.content) + ENTRY_BYTES)
        self._keep_recent(pending, resolved, response)

    def _keep_recent(self, pending: PendingRequest, resolved: ResolvedSeries, response: ForecastResponse) -> None:
        """Keep the latest response to a request for clients that accept its age."""
        max_age = pending.request.max_age
        if max_age is None or resolved.refusals:
            return
        now = time.time()
        response.created_at = now
        response.due_at = min(
            (_next_due(context.observed_on or context.series.grid, now) for context in resolved.contexts.values()),
            default=now,
        )
        response.max_age = int(min(max_age, response.due_at - now))
        size = ENTRY_BYTES + (len(response.content) if isinstance(response.content, bytes) else 0)
        self._by_request.put(_build_request_key(pending), response, size)


def _build_request_key(pending: PendingRequest) -> Hashable:
    request = pending.request
    scope = pending.caller.scope
    return scope.project_id, scope.labels, request.arguments, request.series, pending.form


def _build_state_key(pending: PendingRequest, resolved: ResolvedSeries, shape: ForecastShape) -> Hashable:
    """Return the version, the states of the series and the arguments, which determine a response."""
    request = pending.request
    ids = pending.ids
    states = tuple([resolved.identities.get(i) for i in ids])
    choices = (request.origin, request.covariate_fill, request.on_missing, request.point)
    arguments = (shape.horizon, shape.levels, *choices)
    return pending.caller.scope.project_id, resolved.version.identity, ids, states, arguments, pending.form


def _build_etag(key: Hashable) -> str:
    text = repr(key).encode("utf-8", "replace")
    return f'"{hashlib.blake2b(text, digest_size=16).hexdigest()}"'


def _next_due(grid: Grid, now: float) -> float:
    """Return when the next observation on a grid is due, seconds of the epoch: at its first step after now."""
    stamp = np.array([int(now * 1e6)], np.int64)
    step = grid.locate(stamp)[0]
    upcoming = grid.stamps(step + np.arange(3, dtype=np.int64))
    later = upcoming[upcoming > stamp[0]]
    return float(later[0]) / 1e6 if len(later) else now
