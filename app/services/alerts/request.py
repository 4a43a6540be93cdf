"""The request of an alert, and whether its fields are those of its subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import ErrorCode, invalid
from app.services.alerts.rules import Subject
from app.services.durations import parse_duration

FIELDS: Mapping[Subject, tuple[bool | None, bool, frozenset[str]]] = {
    "forecast": (True, True, frozenset({"quantile", "above", "below", "within"})),
    "anomaly": (True, True, frozenset({"score", "alarm"})),
    "drift": (True, False, frozenset()),
    "job": (None, False, frozenset({"status"})),
    "data": (False, True, frozenset({"silent_for"})),
}
"""subject -> whether it needs a model (None: may have one), whether it takes series, fields of `when`"""


@dataclass(frozen=True)
class Target:
    """A receiver of messages."""

    kind: str
    """`webhook` or `alertmanager`"""
    url: str
    secret: str | None
    """of a webhook; None: the one that the alert has for this address"""


@dataclass(frozen=True)
class AlertRequest:
    """An alert as it is set."""

    subject: Subject
    model: str | None
    series: Mapping[str, Any] | None
    """`ids` or `labels`"""
    when: Mapping[str, Any]
    targets: Sequence[Target]
    hold: str | None
    """duration for which the condition must hold"""
    keep: str | None
    """duration for which it must not hold any more"""
    page: str
    """address of the service as the caller names it"""


def check_request(request: AlertRequest) -> None:
    """Check that the fields of an alert are those of its subject. Raises Invalid."""
    takes_model, takes_series, names = FIELDS[request.subject]
    if takes_model and request.model is None:
        raise invalid("body.model", ErrorCode.invalid_input, f"an alert on {request.subject} needs a model")
    if takes_model is False and request.model is not None:
        detail = f"an alert on {request.subject} has no model: it is about the series themselves"
        raise invalid("body.model", ErrorCode.invalid_input, detail)
    if not takes_series and request.series is not None:
        detail = f"an alert on {request.subject} takes no series: it is about the model as a whole"
        raise invalid("body.series", ErrorCode.invalid_input, detail)
    unknown = sorted(set(request.when) - names)
    if unknown:
        known = ", ".join(sorted(names)) or "nothing"
        detail = f"when of an alert on {request.subject} takes {known}, not {unknown[0]}"
        raise invalid(f"body.when.{unknown[0]}", ErrorCode.invalid_input, detail)
    _check_when(request)


def _check_when(request: AlertRequest) -> None:
    when = request.when
    match request.subject:
        case "forecast":
            missing = [name for name in ("quantile", "within") if name not in when]
            if missing:
                detail = "when of an alert on forecasts takes quantile, within, and above or below"
                raise invalid(f"body.when.{missing[0]}", ErrorCode.invalid_input, detail)
            if ("above" in when) == ("below" in when):
                raise invalid("body.when.above", ErrorCode.invalid_input, "send either above or below")
            parse_duration(when["within"], "body.when.within")
        case "anomaly":
            if len(when) != 1 or when.get("alarm") is False:
                raise invalid("body.when", ErrorCode.invalid_input, 'send either {"score": x} or {"alarm": true}')
        case "job":
            if "status" not in when:
                raise invalid("body.when.status", ErrorCode.invalid_input, "send the status that jobs end with")
        case "data":
            if "silent_for" not in when:
                raise invalid("body.when.silent_for", ErrorCode.invalid_input, "send a duration, such as 6h")
            parse_duration(when["silent_for"], "body.when.silent_for")
