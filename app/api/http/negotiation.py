"""Which of the formats that a call writes the client wants: by `format=`, or by Accept (RFC 9110, 12.5.1)."""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from app.errors import ErrorCode, NotAcceptable

F = TypeVar("F", bound=StrEnum)

ALIASES: Mapping[str, str] = {
    "application/csv": "text/csv",
    "application/jsonl": "application/x-ndjson",
    "application/jsonlines": "application/x-ndjson",
    "application/ndjson": "application/x-ndjson",
    "application/parquet": "application/vnd.apache.parquet",
    "application/x-jsonlines": "application/x-ndjson",
    "application/x-parquet": "application/vnd.apache.parquet",
    "text/x-csv": "text/csv",
}
"""other names of media types that clients send, and ours"""


def chosen(forms: type[F], accept: str | None, name: str | None = None) -> F:
    """Return the format, whose values are media types and the first of which is the default.

    `name` is that of `format=`, which the schema of the query has checked, and wins over Accept. Raises NotAcceptable.
    """
    if name is not None:
        return forms[name]
    if accept is None or accept == "*/*":
        return next(iter(forms))
    chosen = _choose(tuple(forms), accept[:1000])
    if chosen is None:
        names = ", ".join(form.name for form in forms)
        detail = f"this call answers in {', '.join(forms)}; Accept one of them, or say it by format= ({names})"
        raise NotAcceptable(ErrorCode.not_acceptable, detail)
    return forms(chosen)


@lru_cache(maxsize=1000)
def _choose(forms: tuple[str, ...], accept: str) -> str | None:
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    best = max(forms, key=lambda form: _weight(form, ranges))  # the first of equals
    return best if _weight(best, ranges) > 0 else None


def _range(part: str) -> tuple[str, float]:
    """Return a media range and its weight."""
    kind, *parameters = [field.strip().lower() for field in part.split(";")]
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = min(1.0, max(0.0, float(value)))
            except ValueError:
                weight = 0.0
    return ALIASES.get(kind, kind), weight


def _weight(form: str, ranges: list[tuple[str, float]]) -> float:
    """Return the weight of the most specific range that a format is in."""
    family = form.split("/")[0]
    for wanted in (form, f"{family}/*", "*/*"):
        weights = [weight for kind, weight in ranges if kind == wanted]
        if weights:
            return weights[0]
    return 0.0
