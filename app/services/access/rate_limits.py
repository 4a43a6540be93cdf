"""Rate limits: how many requests, and values of forecasts, a caller may ask for in a time.

Counts are those of this process. The window slides: what was asked for in the window before counts less and less.
"""

import math
import time
from collections.abc import Iterator, Sequence

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from app.errors import ErrorCode, TooManyRequests, invalid
from app.scope import Scope

REQUESTS = "requests"
VALUES = "values"
"""numbers of forecasts: horizon x series x quantiles"""
_UNITS = {REQUESTS: "", VALUES: ';qu="values"'}
"""of quotas, where they are not what headers count by default"""


class RateLimiter:
    """Counts what callers ask for, and refuses what is over their limits."""

    def __init__(self, requests: Sequence[RateLimitItem], values: Sequence[RateLimitItem]) -> None:
        self._items = {REQUESTS: tuple(requests), VALUES: tuple(values)}
        self.is_on = bool(requests or values)
        if self.is_on:  # the storage begins a thread
            self._storage = MemoryStorage()
            self._window = SlidingWindowCounterRateLimiter(self._storage)
        self._policies = ", ".join(
            f'"{name_policy(unit, item)}";q={item.amount}{_UNITS[unit]};w={item.get_expiry()}'
            for unit, item in self._list_items()
        )

    def admit(self, scope: Scope) -> None:
        """Count a request. Raises TooManyRequests."""
        self._spend(scope, REQUESTS, 1)

    def charge(self, scope: Scope, values: int) -> None:
        """Count the values of a forecast before it is made.

        Raises TooManyRequests, and Invalid for more values than the caller may ever ask for at once.
        """
        least = min(self._items[VALUES], key=lambda item: item.amount, default=None)
        if least is not None and values > least.amount:
            detail = f"this would be {values} values, and the key may ask for {least}; ask for fewer at once"
            raise invalid("series", ErrorCode.too_many_values, detail)
        self._spend(scope, VALUES, values)

    def describe(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the headers that tell a caller of their limits (draft-ietf-httpapi-ratelimit-headers-11)."""
        identity = scope.identity
        left = []
        for unit, item in self._list_items():
            reset_time, remaining = self._window.get_window_stats(item, unit, identity)
            left.append(f'"{name_policy(unit, item)}";r={remaining};t={_count_seconds(reset_time)}')
        return [(b"ratelimit-policy", self._policies.encode()), (b"ratelimit", ", ".join(left).encode())]

    def find_limit(self, seconds: int) -> int | None:
        """Return how many requests a caller may make in so many seconds; None: as many as they like."""
        counts = (item.amount * math.ceil(seconds / item.get_expiry()) for item in self._items[REQUESTS])
        return min(counts, default=None)

    def _list_items(self) -> Iterator[tuple[str, RateLimitItem]]:
        return ((unit, item) for unit, items in self._items.items() for item in items)

    def _spend(self, scope: Scope, unit: str, cost: int) -> None:
        items = self._items[unit]
        if not items:
            return
        identity = scope.identity
        for item in items:
            if not self._window.test(item, unit, identity, cost=cost):
                raise self._refuse(item, unit, identity, cost)
        for item in items:
            if not self._window.hit(item, unit, identity, cost=cost):  # others were faster
                raise self._refuse(item, unit, identity, cost)

    def _refuse(self, item: RateLimitItem, unit: str, identity: str, cost: int) -> TooManyRequests:
        seconds = max(1, math.ceil(self._find_wait(item, unit, identity, cost)))
        what = "requests" if unit == REQUESTS else "values of forecasts"
        asked = f"{item.amount} {what} per {_describe_window(item)}"
        detail = f"the key may ask for {asked}; go on in {seconds} s, and ask more slowly"
        return TooManyRequests(ErrorCode.rate_limited, detail, headers={"Retry-After": str(seconds)})

    def _find_wait(self, item: RateLimitItem, unit: str, identity: str, cost: int) -> float:
        """Return the seconds until a cost fits, if nothing else is asked for: what was asked for in the window before
        counts by the share of it that the sliding one still covers."""
        length = item.get_expiry()
        counts = self._storage.get_sliding_window(item.key_for(unit, identity), length)
        before, before_left, now, now_left = counts
        most = item.amount - cost + 1  # the weighted count is rounded down, and has to be below this
        if most > now:
            return before_left - (most - now) * length / before if before else 0.0
        return (now_left - length) + max(0.0, length - most * length / now)


def name_policy(unit: str, item: RateLimitItem) -> str:
    """Return what headers call a limit, such as `requests per second`."""
    return f"{unit} per {_describe_window(item)}"


def _describe_window(item: RateLimitItem) -> str:
    name = item.GRANULARITY.name
    return name if item.multiples == 1 else f"{item.multiples} {name}s"


def _count_seconds(moment: float) -> int:
    """Return the whole seconds until a moment of time.time()."""
    return max(0, math.ceil(moment - time.time()))
