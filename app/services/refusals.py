"""Refusals of one series of a request, while the others get their forecasts."""

from app.errors import ErrorCode

Refusal = dict[str, str]
"""`code` and `detail`: the reason why one series has no forecast"""


def refusal(code: ErrorCode, detail: str) -> Refusal:
    """Return the reason why a series has no forecast."""
    return {"code": code.value, "detail": detail}
