"""What a query is refused with."""

from app.errors import ErrorCode, Invalid, Unreadable


def refuse(detail: str, code: ErrorCode = ErrorCode.invalid_input) -> Invalid:
    """Return the error of a query that can be read and is not answered."""
    return Invalid(code, detail)


def misread(detail: str) -> Unreadable:
    """Return the error of a query, or a parameter of one, that cannot be read."""
    return Unreadable(ErrorCode.bad_request, detail)
