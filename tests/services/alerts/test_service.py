"""/alerts over HTTP: what is set is what is read, but for secrets; what cannot be is refused."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.services.alerts import service
from app.services.alerts.evaluation import sweep_events
from tests.services.alerts.conftest import SECRET, Alerting

ONE = pytest.mark.one_database
WHEN = {"quantile": 0.9, "above": 10.0, "within": "6h"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "body.model"),
    ({"on": "data", "when": {"silent_for": "6h"}}, "body.model"),
    ({"on": "data", "model": None, "when": {}}, "body.when.silent_for"),
    ({"on": "data", "model": None, "when": {"silent_for": "soon"}}, "body.when.silent_for"),
    ({"on": "drift", "series": ["a"], "when": {}}, "body.series"),
    ({"on": "drift", "when": {"score": 3.0}}, "body.when.score"),
    ({"on": "job", "when": {}}, "body.when.status"),
    ({"on": "job", "when": {"status": "queued"}}, "body.when.status"),
    ({"on": "anomaly", "when": {}}, "body.when"),
    ({"on": "anomaly", "when": {"score": 3.0, "alarm": True}}, "body.when"),
    ({"when": {"quantile": 0.9, "within": "6h"}}, "body.when.above"),
    ({"when": {**WHEN, "below": 3.0}}, "body.when.above"),
    ({"when": {"quantile": 0.9, "above": 1.0}}, "body.when.within"),
    ({"when": {**WHEN, "quantile": 0.95}}, "body.when.quantile"),
    ({"when": {**WHEN, "within": "6 hours"}}, "body.when.within"),
    ({"when": {**WHEN, "score": 3.0}}, "body.when.score"),
    ({"for": "1.5h"}, "body.for"),
    ({"send": []}, "body.send"),
    (
        {"send": [{"webhook": "http://a.example.org/", "alertmanager": "http://b.example.org/", "secret": "s"}]},
        "body.send.0",
    ),
    ({"send": [{"webhook": "ftp://a.example.org/", "secret": "s"}]}, "body.send.0.webhook"),
    ({"send": [{"alertmanager": "http://u:p@a.example.org/"}]}, "body.send.0.alertmanager"),
    ({"send": [{"alertmanager": "http://a.example.org/"}] * 2}, "body.send"),
    ({"unknown": 1}, "body.unknown"),
]
"""what differs from a good alert, and the field that is wrong"""


def test_an_alert_is_set_read_changed_listed_and_deleted(alerting: Alerting) -> None:
    made = alerting.put(**{"for": "90min"})
    assert made == alerting.get()
    assert {name: made[name] for name in ("name", "on", "model", "series", "when", "for", "state", "firing")} == {
        "name": "busy",
        "on": "forecast",
        "model": "m",
        "series": None,
        "when": WHEN,
        "for": "90min",
        "state": "ok",
        "firing": 0,
    }
    assert made["send"] == [{"webhook": alerting.receiver.url}]
    assert made["evaluated_at"] is None
    assert alerting.put(expected=200)["for"] is None
    alerting.put("another")
    assert [item["name"] for item in alerting.get("/alerts")["items"]] == ["another", "busy"]
    head, row, _ = alerting.client.get("/alerts?format=csv").text.splitlines()
    assert head.split(",")[:7] == ["name", "on", "model", "series", "when", "for", "keep_firing_for"]
    assert row.startswith('"another","forecast","m",,')
    page = alerting.get("/alerts?limit=1")
    assert [i["name"] for i in alerting.get(f"/alerts?limit=1&cursor={page['next_cursor']}")["items"]] == ["busy"]
    assert alerting.client.delete("/alerts/busy").status_code == 204
    missing = alerting.client.get("/alerts/busy")
    assert (missing.status_code, missing.json()["code"]) == (404, "alert_not_found")
    assert alerting.client.delete("/alerts/busy").status_code == 404


def test_secrets_are_never_answered_and_need_not_be_sent_again(alerting: Alerting, capfd: Any) -> None:
    alerting.put()
    alerting.put(expected=200, send=[{"webhook": alerting.receiver.url}])
    alerting.client.post("/alerts/busy/test")
    alerting.send()
    assert "X-Gatecast-Signature" in alerting.receiver.messages[0].headers
    for path in ("/alerts", "/alerts/busy", "/alerts/busy/events"):
        assert SECRET not in alerting.client.get(path).text
    output = capfd.readouterr()
    assert SECRET not in output.out + output.err
    refused = alerting.client.put(
        "/alerts/busy",
        json={"on": "forecast", "model": "m", "when": WHEN, "send": [{"webhook": alerting.receiver.url + "/other"}]},
    )
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.send.0.secret")


def test_a_test_is_sent_to_each_receiver(alerting: Alerting) -> None:
    base = f"http://127.0.0.1:{alerting.receiver.port}"
    alerting.put(send=[{"webhook": f"{base}/x", "secret": "s"}, {"alertmanager": base}])
    first, again = (
        alerting.client.post("/alerts/busy/test", headers={"Idempotency-Key": "k"}).json() for _ in range(2)
    )
    assert first == again
    assert (first["state"], first["delivered"]) == ("test", False)
    assert alerting.send() == 2
    assert {message.path for message in alerting.receiver.messages} == {"/x", "/api/v2/alerts"}
    (event,) = alerting.get("/alerts/busy/events")["items"]
    assert (event["id"], event["delivered"]) == (first["id"], True)
    assert alerting.client.get("/alerts/busy/events?format=csv").text.count("\n") == 2
    assert alerting.get()["state"] == "ok"
    assert alerting.client.post("/alerts/none/test").status_code == 404


@ONE
def test_what_makes_no_alert_is_refused(alerting: Alerting) -> None:
    send = [{"webhook": "http://a.example.org/", "secret": "s"}]
    for fields, field in REFUSED:
        body = {"on": "forecast", "model": "m", "when": WHEN, "send": send, **fields}
        body = {name: value for name, value in body.items() if value is not None}
        response = alerting.client.put("/alerts/x", json=body)
        assert response.status_code == 422, (fields, response.text)
        assert response.json()["errors"][0]["field"] == field, fields
    assert alerting.get("/alerts")["items"] == []


@ONE
def test_private_addresses_are_refused_unless_the_operator_allows_them(alerting: Alerting, settings: Settings) -> None:
    strict = create_app(settings.model_copy(update={"webhook_private": "refuse"}))
    with TestClient(strict) as client:
        for host in ["127.0.0.1", "localhost", "2130706433", "[::1]", "10.0.0.7", "169.254.169.254"]:
            send = [{"webhook": f"http://{host}:9/", "secret": "s"}]
            alerting.put(f"allowed{len(alerting.get('/alerts')['items'])}", send=send)
            refused = client.put("/alerts/x", json={"on": "forecast", "model": "m", "when": WHEN, "send": send})
            assert (refused.status_code, refused.json()["code"]) == (422, "address_refused")
            assert "GATECAST_WEBHOOK_PRIVATE=allow" in refused.json()["detail"]


@ONE
def test_a_project_has_so_many_alerts_at_most(alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_ALERTS", 2)
    alerting.put("one")
    alerting.put("two")
    alerting.put("three", expected=409)
    alerting.put("two", expected=200)


def test_old_messages_are_swept(alerting: Alerting, client: TestClient) -> None:
    alerting.put()
    client.post("/alerts/busy/test")
    sweep_events(alerting.database, 0.0)
    assert len(alerting.events()) == 1, "it is not delivered yet"
    alerting.send()
    sweep_events(alerting.database, 1.0)
    assert len(alerting.events()) == 1
    sweep_events(alerting.database, 0.0)
    assert alerting.events() == []
