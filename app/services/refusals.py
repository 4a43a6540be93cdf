"""Why one series of a request is refused, while the others are answered."""

from app.errors import ErrorCode

Refusal = dict[str, str]
"""`code` and `detail`: why one series has no forecast"""


def refusal(code: ErrorCode, detail: str) -> Refusal:
    """Return why a series has no forecast."""
    return {"code": code.value, "detail": detail}
