"""Deliveries to a real receiver: at least once, in order, signed, with growing pauses, whoever sends them."""

import hashlib
import hmac
from collections.abc import Sequence

import pytest

from app.services.alerts.delivery import GIVEN_UP_AFTER, LEASE_SECONDS, Deliverer, compute_pause
from app.storage import deliveries
from tests.services.alerts.conftest import SECRET, Alerting

ONE = pytest.mark.one_database
CALM = [5.0] * 12
HIGH = [20.0] * 12


def fire(alerting: Alerting) -> None:
    alerting.put()
    alerting.archive("a", HIGH)
    alerting.evaluate()


def resolve(alerting: Alerting) -> None:
    alerting.archive("a", CALM, origin=1)
    alerting.evaluate()


def delivery(alerting: Alerting, number: int = 0) -> dict[str, object]:
    (sent,) = alerting.get("/alerts/busy/events")["items"][number]["deliveries"]
    return dict(sent)


def test_a_message_is_signed_and_sent_once(alerting: Alerting) -> None:
    fire(alerting)
    assert alerting.send() == 1
    assert alerting.send() == 0
    (message,) = alerting.receiver.messages
    assert (message.path, message.body["state"], message.body["series"]) == ("/hook", "firing", "a")
    assert message.headers["Host"] == f"127.0.0.1:{alerting.receiver.port}"
    assert message.headers["X-Gatecast-Delivery"] == message.body["id"]
    unix, signature = (part.split("=")[1] for part in message.headers["X-Gatecast-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{unix}.".encode() + message.raw, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, expected)
    (event,) = alerting.get("/alerts/busy/events")["items"]
    assert (event["delivered"], event["attempts"]) == (True, 1)
    assert delivery(alerting)["next_attempt"] is None


def test_a_receiver_that_fails_is_told_again_and_in_order(alerting: Alerting) -> None:
    alerting.receiver.statuses = [500, 302, 204]
    fire(alerting)
    resolve(alerting)
    assert alerting.send() == 1, "what is resolved waits for what fires"
    assert delivery(alerting, 1)["error"] == "the receiver answered 500"
    assert alerting.send() == 0, "not before its pause is over"
    alerting.let_pass(1.1)
    assert alerting.send() == 1
    assert "302; redirects are not followed" in str(delivery(alerting, 1)["error"])
    alerting.let_pass(2.1)
    assert alerting.send() == 2
    assert [message.body["state"] for message in alerting.receiver.messages] == ["firing"] * 3 + ["resolved"]
    assert len({message.raw for message in alerting.receiver.messages}) == 2, "the same bytes each time"
    assert len({message.headers["X-Gatecast-Delivery"] for message in alerting.receiver.messages}) == 2
    assert [body["state"] for body in alerting.receiver.taken] == ["firing", "resolved"]
    (last, first) = alerting.get("/alerts/busy/events")["items"]
    assert (first["delivered"], first["attempts"], last["attempts"]) == (True, 3, 1)


def test_a_message_of_a_worker_that_died_is_sent_by_another_one(alerting: Alerting) -> None:
    fire(alerting)
    with alerting.database.write() as session:  # it is claimed, and nothing comes of it
        assert len(deliveries.claim(session, 10, int(LEASE_SECONDS * 1_000_000))) == 1
    assert alerting.send() == 0
    alerting.let_pass(LEASE_SECONDS + 1)
    assert alerting.send() == 1
    assert alerting.get("/alerts/busy/events")["items"][0]["attempts"] == 2


def test_a_claim_that_was_lost_writes_nothing(alerting: Alerting) -> None:
    fire(alerting)
    with alerting.database.write() as session:
        (late,) = deliveries.claim(session, 10, 0)
    assert alerting.send() == 1
    with alerting.database.write() as session:
        deliveries.note_failure(session, late, "late", 0)
    assert (delivery(alerting)["error"], delivery(alerting)["next_attempt"]) == (None, None)


def test_one_slow_receiver_does_not_take_all_turns(alerting: Alerting) -> None:
    for number in range(6):
        alerting.client.post("/series", json={"id": f"s{number}", "freq": "h"})
    alerting.put()
    alerting.put("other", series=["a"])
    for name in ("a", *(f"s{number}" for number in range(6))):
        alerting.archive(name, HIGH)
    alerting.evaluate()
    with alerting.database.write() as session:
        claimed = deliveries.claim(session, 32, 60_000_000)
    assert sorted(one.alert.name for one in claimed) == ["busy"] * 4 + ["other"]


def test_alertmanager_is_told_again_while_it_fires(alerting: Alerting) -> None:
    base = f"http://127.0.0.1:{alerting.receiver.port}/prefix"
    alerting.put(send=[{"alertmanager": base}])
    alerting.archive("a", HIGH)
    alerting.evaluate()
    assert alerting.send() == 1
    assert alerting.send() == 0
    alerting.let_pass(61)
    assert alerting.send() == 1
    alerting.receiver.statuses = [500]
    alerting.let_pass(61)
    assert alerting.send() == 1
    assert alerting.get("/alerts/busy/events")["items"][0]["attempts"] == 1, "a repetition is no attempt"
    resolve(alerting)
    assert alerting.send() == 1
    alerting.let_pass(600)
    assert alerting.send() == 0
    paths = {message.path for message in alerting.receiver.messages}
    assert paths == {"/prefix/api/v2/alerts"}
    sent = [message.body[0] for message in alerting.receiver.messages]
    assert len({tuple(sorted(one["labels"].items())) for one in sent}) == 1
    assert len({one["startsAt"] for one in sent}) == 1
    assert [one["endsAt"] > one["startsAt"] for one in sent] == [True] * 4
    assert "X-Gatecast-Signature" not in alerting.receiver.messages[0].headers


@ONE
def test_the_connection_goes_to_the_address_that_was_checked(alerting: Alerting) -> None:
    """The name has no address but the one that the resolver of the test says, once."""
    port = alerting.receiver.port
    asked: list[tuple[str, int]] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    alerting.put(send=[{"webhook": f"http://hooks.example.org:{port}/x?y=%2F", "secret": "s"}])
    alerting.client.post("/alerts/busy/test")
    assert Deliverer(alerting.database, allow_private=True, resolver=resolver).send_due() == 1
    (message,) = alerting.receiver.messages
    assert (message.path, message.headers["Host"]) == ("/x?y=%2F", f"hooks.example.org:{port}")
    assert asked == [("hooks.example.org", port)]


@ONE
def test_a_receiver_on_a_private_address_is_refused_at_delivery_too(alerting: Alerting) -> None:
    fire(alerting)
    assert Deliverer(alerting.database).send_due() == 1
    assert alerting.receiver.messages == []
    assert "GATECAST_WEBHOOK_PRIVATE" in str(delivery(alerting)["error"])


@ONE
def test_a_receiver_that_the_alert_names_no_more_is_left_alone(alerting: Alerting) -> None:
    fire(alerting)
    alerting.put(expected=200, send=[{"webhook": alerting.receiver.url + "2", "secret": "x"}])
    assert alerting.send() == 1
    assert (alerting.receiver.messages, delivery(alerting)["next_attempt"]) == ([], None)
    assert alerting.events() == [("firing", "a")]


@pytest.mark.parametrize(
    ("attempts", "age", "pause"),
    [(1, 0, 1), (2, 1, 2), (3, 3, 4), (10, 600, 512), (11, 1200, 600), (500, 86_300, None), (5, 80_000, 16)],
)
def test_pauses_grow_and_end(attempts: int, age: float, pause: float | None) -> None:
    assert compute_pause(attempts, age, "firing") == pause


def test_a_test_is_given_up_soon() -> None:
    assert compute_pause(1, GIVEN_UP_AFTER["test"], "test") is None
