"""How much a project has and asks for, beside how much it may."""

from typing import Any

from app.scope import Scope
from app.services.access.rate_limits import RateLimiter
from app.services.access.request_counts import MINUTE, RequestCounter
from app.storage import usage
from app.storage.engine import Database

MONTH = 30 * 86_400
"""seconds of a month, as limits count it"""


class UsageService:
    """The operation behind /usage."""

    def __init__(self, database: Database, requests: RequestCounter, limits: RateLimiter) -> None:
        self._database = database
        self._requests = requests
        self._limits = limits

    def get(self, scope: Scope) -> dict[str, Any]:
        """Return what a project has, and how much it may have: {name: {limit, used}}.

        `minute` and `month` are requests, and their limits those of a key.
        """
        used = {"minute": self._requests.count_minute(scope), "month": self._requests.count_month(scope)}
        limits = {"minute": self._limits.find_limit(MINUTE), "month": self._limits.find_limit(MONTH)}
        with self._database.read() as session:
            used |= {name: count(session, scope) for name, count in usage.COUNTS.items()}
            limits |= usage.get_quotas(session, scope)
        return {name: {"limit": limits.get(name), "used": count} for name, count in used.items()}
