"""Answers that were made lately: the same again while version, series and arguments are the same."""

import hashlib
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from app.etags import unchanged
from app.services.forecasting.inputs.context_cache import Known
from app.services.forecasting.inputs.request import Steps
from app.services.forecasting.pending import Answer, Ask
from app.serving.lru import Lru
from models.data.series import Series

OVERHEAD_BYTES = 1000
Recent = tuple[float, float, Answer]
"""when it was made, until when (seconds of the epoch) no observation is due, and what it was"""


@dataclass(eq=False, slots=True)
class Made:
    """An answer, and its ETag once somebody has asked for that."""

    content: bytes
    etag: str | None


class Rendered:
    """Answers by their ETag, and the latest ones by what was asked for."""

    def __init__(self, max_bytes: int) -> None:
        self._on = max_bytes > 0
        self._answers: Lru[Made] = Lru(max_bytes // 2)
        self._recent: Lru[Recent] = Lru(max_bytes // 2)

    def recent(self, ask: Ask) -> Answer | None:
        """Return an answer that is as young as the request wants it to be."""
        held = self._recent.get(_question(ask))
        now = time.time()
        if held is None or ask.request.max_age is None:
            return None
        made, due, answer = held
        age = now - made
        if not 0 <= age <= ask.request.max_age or now >= due:
            return None
        fresh = age + min(ask.request.max_age - age, due - now)  # Age counts against it
        return replace(answer, max_age=int(fresh), age=int(age), timing={})

    def answer_recent(self, ask: Ask) -> None:
        """Answer a request by what was found to be young enough."""
        assert ask.recent is not None, "there is such an answer"
        answer = ask.recent
        ask.answer(replace(answer, content=None) if unchanged(ask.match, answer.etag) else answer)

    def answer(self, ask: Ask, known: Known, steps: Steps) -> bool:
        """Answer a request without forecasting anything, where that is possible; give it its ETag in any case."""
        request = ask.request
        if known.stale or request.history or request.future or request.explain:
            return False
        if not (self._on or ask.tagged):
            return False
        ask.key = _key(ask, known, steps)
        made = self._answers.get(ask.key)
        if ask.tagged:
            ask.etag = (made.etag if made is not None else None) or _etag(ask.key)
        content = None
        if not unchanged(ask.match, ask.etag):
            if made is None:
                return False
            content, made.etag = made.content, ask.etag or made.etag
        answer = Answer(content, known.served, ask.etag)
        ask.answer(answer)
        if content is not None:
            self._keep_recent(ask, known, answer)
        return True

    def keep(self, ask: Ask, known: Known, answer: Answer) -> None:
        """Remember an answer that was just made."""
        answer.etag = ask.etag
        if ask.key is None or not isinstance(answer.content, bytes):
            return
        self._answers.put(ask.key, Made(answer.content, ask.etag), len(answer.content) + OVERHEAD_BYTES)
        self._keep_recent(ask, known, answer)

    def _keep_recent(self, ask: Ask, known: Known, answer: Answer) -> None:
        """Remember the latest answer to a question for those who do not mind its age."""
        if ask.request.max_age is None or known.errors:
            return
        now = time.time()
        due = min((_due(one.series, now) for one in known.contexts.values()), default=now)
        answer.max_age = int(min(ask.request.max_age, due - now))
        size = OVERHEAD_BYTES + (len(answer.content) if isinstance(answer.content, bytes) else 0)
        self._recent.put(_question(ask), (now, due, answer), size)


def _question(ask: Ask) -> Hashable:
    return ask.caller.scope.project_id, ask.request.arguments, ask.request.series, ask.form


def _key(ask: Ask, known: Known, steps: Steps) -> Hashable:
    """Return what stands for version, series and arguments."""
    request, ids = ask.request, ask.ids
    state = tuple([known.identities.get(i) for i in ids])
    arguments = (steps.horizon, steps.levels, request.origin, request.covariate_fill, request.on_missing)
    return ask.caller.scope.project_id, known.served.identity, ids, state, arguments, ask.form


def _etag(key: Hashable) -> str:
    text = repr(key).encode("utf-8", "replace")
    return f'"{hashlib.blake2b(text, digest_size=16).hexdigest()}"'


def _due(one: Series, now: float) -> float:
    """Return when the next observation of a series is due: at its first step after now, seconds of the epoch."""
    at = np.array([int(now * 1e6)], np.int64)
    index = one.grid.locate(at)[0]
    ahead = one.grid.stamps(index + np.arange(3, dtype=np.int64))
    later = ahead[ahead > at[0]]
    return float(later[0]) / 1e6 if len(later) else now
