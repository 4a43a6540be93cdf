"""Messages as receivers get them, and how they verify a signature."""

import hashlib
import hmac
import json

from app.services.alerts.messages import describe_event, sign, write_alertmanager, write_webhook
from app.storage.tables import AlertEvent, AlertRow

AT = 1_709_294_400_000_000
"""2024-03-01T12:00:00Z"""
ALERT = AlertRow(name="busy", subject="forecast", page="https://gatecast.example.org/")


def make_event(state: str = "firing", **fields: object) -> AlertEvent:
    known = {"series": "a/b c", "model": "m", "value": 7.5, "threshold": 7.0, "ds": "2024-03-01T18:00:00+01:00"}
    labels = {"team": "north", "host-name": "x", "2nd": "y", "model": "mine"}
    return AlertEvent(id="e1", key="a/b c", at=AT, since=AT - 60_000_000, state=state, labels=labels, **known | fields)


def test_a_webhook_says_what_was_seen() -> None:
    assert (
        json.loads(write_webhook(make_event(), ALERT))
        == describe_event(make_event(), ALERT)
        == {
            "id": "e1",
            "alert": "busy",
            "on": "forecast",
            "state": "firing",
            "at": "2024-03-01T12:00:00+00:00",
            "since": "2024-03-01T11:59:00+00:00",
            "model": "m",
            "series": "a/b c",
            "value": 7.5,
            "threshold": 7.0,
            "ds": "2024-03-01T18:00:00+01:00",
            "url": "https://gatecast.example.org/#/alerts/one?name=busy",
        }
    )


def test_a_receiver_verifies_a_signature_in_constant_time() -> None:
    body = write_webhook(make_event(), ALERT)
    header = sign(body, "secret", 1_709_294_401)
    assert header.startswith("t=1709294401,v1=")

    def verify(header: str, body: bytes, secret: str, now: float) -> bool:
        parts = dict(part.split("=", 1) for part in header.split(","))
        expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(parts["v1"], expected) and abs(now - int(parts["t"])) < 300

    assert verify(header, body, "secret", 1_709_294_500)
    assert not verify(header, body, "other", 1_709_294_500)
    assert not verify(header, body + b" ", "secret", 1_709_294_500)
    assert not verify(header, body, "secret", 1_709_300_000), "an old message that somebody sends again"
    assert not verify(header.replace("t=1709294401", "t=1709300000"), body, "secret", 1_709_300_000)


def test_a_known_signature() -> None:
    expected = hmac.new(b"k", b"12.{}", hashlib.sha256).hexdigest()
    assert sign(b"{}", "k", 12) == f"t=12,v1={expected}"


def test_alertmanager_is_told_labels_that_stay_and_times_that_end() -> None:
    (alert,) = json.loads(write_alertmanager(make_event(), ALERT, AT + 300_000_000))
    assert alert["labels"] == {
        "alertname": "busy",
        "gatecast_on": "forecast",
        "model": "m",
        "series": "a/b c",
        "team": "north",
        "host_name": "x",
        "_2nd": "y",
    }
    assert (alert["startsAt"], alert["endsAt"]) == ("2024-03-01T11:59:00+00:00", "2024-03-01T12:05:00+00:00")
    assert alert["generatorURL"] == "https://gatecast.example.org/#/alerts/one?name=busy"
    assert alert["annotations"]["value"] == "7.5"
    assert "7.5" in alert["annotations"]["summary"]
    (resolved,) = json.loads(write_alertmanager(make_event("resolved", value=None), ALERT, AT + 300_000_000))
    assert resolved["labels"] == alert["labels"]
    assert resolved["startsAt"] == alert["startsAt"]
    assert resolved["endsAt"] == "2024-03-01T12:00:00+00:00"
