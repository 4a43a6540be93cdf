"""Bodies that are held in memory at a time, of all requests together: many large ones, sent slowly, would fill it."""

from starlette.types import Message, Receive

from app.api.http.bodies import SMALL
from app.api.http.problems import BodyRefused
from app.errors import ErrorCode, Unavailable


class BodyBudget:
    """Counts what bodies have beyond SMALL bytes, which each may have."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    def hold(self, receive: Receive) -> "HeldBody":
        """Return what receives a body, and counts it until it is released."""
        return HeldBody(self, receive)

    def take(self, count: int) -> None:
        """Count bytes. Raises Unavailable where there are too many."""
        if self._held + count > self._most:
            detail = f"bodies of {self._most} bytes are being received and read; send it again in a second"
            raise Unavailable(ErrorCode.overloaded, detail, headers={"Retry-After": "1"})
        self._held += count

    def give_back(self, count: int) -> None:
        """Count bytes no longer."""
        self._held -= count


class HeldBody:
    """Receives a body. Raises BodyRefused where others hold too much."""

    def __init__(self, budget: BodyBudget, receive: Receive) -> None:
        self._budget = budget
        self._receive = receive
        self._size = 0
        self._counted = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        more = max(0, self._size - SMALL) - self._counted
        if more:
            try:
                self._budget.take(more)
            except Unavailable as e:
                raise BodyRefused(e) from e
            self._counted += more
        return message

    def release(self) -> None:
        """Count the body no longer."""
        self._budget.give_back(self._counted)
        self._counted = 0
