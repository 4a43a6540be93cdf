"""Messages as receivers get them: the body of a webhook with its signature, and an alert of Alertmanager."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import orjson

from app.services.durations import SECOND_US
from app.storage.tables import AlertEvent, AlertRow
from models.calendar.timestamps import format_stamp

SIGNATURE = "X-Gatecast-Signature"
DELIVERY = "X-Gatecast-Delivery"
"""header with the id of a message, the same each time that it is sent"""
ALERTS_PATH = "/api/v2/alerts"
TEST_US = 60 * SECOND_US
"""microseconds after which a test ends in Alertmanager"""


def describe_event(event: AlertEvent, alert: AlertRow) -> dict[str, Any]:
    """Return what a message says."""
    return {
        "id": event.id,
        "alert": alert.name,
        "on": alert.subject,
        "state": event.state,
        "at": format_stamp(event.at, "UTC"),
        "since": format_stamp(event.since, "UTC"),
        "model": event.model,
        "series": event.series,
        "value": event.value,
        "threshold": event.threshold,
        "ds": event.ds,
        "url": build_link(alert),
    }


def build_link(alert: AlertRow) -> str:
    """Return the address of an alert on the page."""
    return f"{alert.page.rstrip('/')}/#/alerts/one?{urlencode({'name': alert.name})}"


def write_webhook(event: AlertEvent, alert: AlertRow) -> bytes:
    """Return the body that a webhook is sent, the same bytes each time."""
    return orjson.dumps(describe_event(event, alert))


def sign(body: bytes, secret: str, unix: int) -> str:
    """Return the signature of a body that is sent at a time: HMAC-SHA256 of `unix.body` with the secret."""
    digest = hmac.new(secret.encode(), f"{unix}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix},v1={digest}"


def write_alertmanager(event: AlertEvent, alert: AlertRow, until: int) -> bytes:
    """Return the alert that Alertmanager is sent.

    What fires ends at `until`, microseconds UTC, unless it is sent again before; what is resolved ended at its time.
    """
    ends = {"firing": until, "test": event.at + TEST_US}.get(event.state, event.at)
    own = {name: str(value) for name, value in event.labels.items() if name not in _RESERVED}
    labels = {**own, "alertname": alert.name, "gatecast_on": alert.subject}
    labels |= {"model": event.model or "", "series": event.series or ""}
    if event.state == "test":
        labels["gatecast_test"] = "true"
    numbers = {"value": event.value, "threshold": event.threshold}
    annotations = {name: repr(value) for name, value in numbers.items() if value is not None}
    annotations |= {"summary": summarise(event, alert)} | ({"ds": event.ds} if event.ds else {})
    document = {
        "labels": {_legalise(name): value for name, value in labels.items() if value},
        "annotations": annotations,
        "startsAt": format_stamp(event.since, "UTC"),
        "endsAt": format_stamp(ends, "UTC"),
        "generatorURL": build_link(alert),
    }
    return orjson.dumps([document])


_RESERVED = ("alertname", "gatecast_on", "gatecast_test", "model", "series")


def _legalise(name: str) -> str:
    """Return the name of a label as Prometheus allows it."""
    legal = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return f"_{legal}" if legal[:1].isdigit() else legal


def summarise(event: AlertEvent, alert: AlertRow) -> str:
    """Return a message as one line for people."""
    about = event.series or event.model or event.key
    if event.state == "test":
        return f"{alert.name}: a test, nothing is wrong"
    parts = [f"{alert.name}: {alert.subject} of {about} {event.state}"]
    if event.value is not None:
        parts.append(f"{event.value:.6g}")
    if event.threshold is not None:
        parts.append(f"threshold {event.threshold:.6g}")
    if event.ds is not None:
        parts.append(f"at {event.ds}")
    return ", ".join(parts)
