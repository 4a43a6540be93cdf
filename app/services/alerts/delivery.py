"""Sending messages of alerts: claimed in the database, sent at least once, tried again with growing pauses."""

import asyncio
import time
from dataclasses import dataclass

import httpx2

from app.logs import get_logger
from app.services.alerts.addresses import AddressRefused, Endpoint, Resolver, parse_url, resolve, resolve_by_system
from app.services.alerts.messages import (
    ALERTS_PATH,
    DELIVERY,
    SIGNATURE,
    sign,
    write_alertmanager,
    write_webhook,
)
from app.services.durations import SECOND_US
from app.storage import deliveries
from app.storage.deliveries import Claim
from app.storage.engine import Database

log = get_logger(__name__)

AT_ONCE = 32
"""deliveries under way in one worker"""
SECONDS = 10.0
"""longest time that one attempt may take, from the resolver to the status of the answer"""
LEASE_SECONDS = 30.0
"""time after which a claimed delivery is taken up by another worker; longer than an attempt"""
LONGEST_PAUSE = 600.0
"""seconds between two attempts at most; the first pause is one second, each further one twice as long"""
GIVEN_UP_AFTER = {"firing": 86_400.0, "resolved": 86_400.0, "test": 600.0}
"""seconds after its message when a delivery is not tried again"""
REPEAT_SECONDS = 60.0
"""between two times that Alertmanager is told of what fires: it forgets what is not repeated"""
REPEATS_LOST = 4
"""repetitions that may fail before Alertmanager takes an alert for resolved"""
USER_AGENT = "gatecast-alerts"
UNSHARED = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
"""a connection serves one message: on one that is kept, another name at the same address would not be checked"""


class DeliveryFailed(Exception):
    """A receiver did not take a message; the text says why."""


class ReceiverRemoved(DeliveryFailed):
    """The alert names the receiver no more."""


@dataclass(frozen=True)
class Outgoing:
    """A message as bytes, and where it goes."""

    url: str
    body: bytes
    headers: dict[str, str]


def compute_pause(attempts: int, age: float, state: str) -> float | None:
    """Return the seconds until the next attempt at a message; None: it is given up.

    Args:
        attempts: that have failed
        age: seconds since the message was made
        state: of the message
    """
    pause = min(LONGEST_PAUSE, 2.0 ** min(attempts - 1, 30))
    return pause if age + pause < GIVEN_UP_AFTER[state] else None


class Deliverer:
    """The duty that sends what is due."""

    def __init__(
        self, database: Database, *, allow_private: bool = False, resolver: Resolver = resolve_by_system
    ) -> None:
        self._database = database
        self._allow_private = allow_private
        self._resolver = resolver

    def send_due(self) -> int:
        """Send what is due, until nothing is; return how many attempts were made."""
        attempts = 0
        while claimed := self._claim():
            asyncio.run(self._send_all(claimed))
            attempts += len(claimed)
        return attempts

    def _claim(self) -> list[Claim]:
        with self._database.read() as session:  # most often nothing is due, and SQLite has one writer
            if not deliveries.has_due(session):
                return []
        with self._database.write() as session:
            return deliveries.claim(session, AT_ONCE, int(LEASE_SECONDS * SECOND_US))

    async def _send_all(self, claimed: list[Claim]) -> None:
        context = httpx2.create_ssl_context()
        async with httpx2.AsyncClient(  # nothing of the environment: a proxy would resolve the name again
            verify=context, trust_env=False, follow_redirects=False, timeout=SECONDS, limits=UNSHARED
        ) as client:
            await asyncio.gather(*(self._send(client, one) for one in claimed))

    async def _send(self, client: httpx2.AsyncClient, claimed: Claim) -> None:
        """Make one attempt, and note how it ended."""
        try:
            outgoing = write_outgoing(claimed, int(time.time()))
            async with asyncio.timeout(SECONDS):
                endpoint = await resolve(parse_url(outgoing.url), self._allow_private, self._resolver)
                await post(client, endpoint, outgoing)
        except ReceiverRemoved as e:
            with self._database.write() as session:
                deliveries.note_failure(session, claimed, str(e), None)
        except TimeoutError:
            self._note_failure(claimed, f"no answer within {SECONDS:g} seconds")
        except (DeliveryFailed, AddressRefused) as e:
            self._note_failure(claimed, str(e))
        except (httpx2.HTTPError, OSError) as e:
            self._note_failure(claimed, f"{type(e).__name__}: {e}"[:300])
        else:
            self._note_success(claimed)

    def _note_success(self, claimed: Claim) -> None:
        repeated = claimed.delivery.kind == "alertmanager" and claimed.event.state == "firing"
        with self._database.write() as session:
            deliveries.note_success(session, claimed, int(REPEAT_SECONDS * SECOND_US) if repeated else None)
        if claimed.delivery.delivered_at is None:
            log.info("alert_delivered", alert=claimed.alert.name, state=claimed.event.state, id=claimed.event.id)

    def _note_failure(self, claimed: Claim, error: str) -> None:
        delivery, event = claimed.delivery, claimed.event
        age = max(0.0, time.time() - event.at / SECOND_US)
        pause = compute_pause(delivery.attempts, age, event.state)
        if delivery.delivered_at is not None:  # a repetition: it goes on as long as the alert fires
            pause = REPEAT_SECONDS
        with self._database.write() as session:
            deliveries.note_failure(session, claimed, error, None if pause is None else int(pause * SECOND_US))
        log.warning("alert_not_delivered", alert=claimed.alert.name, id=event.id, detail=error, retry_s=pause)


def write_outgoing(claimed: Claim, unix: int) -> Outgoing:
    """Return what is sent at a time. Raises ReceiverRemoved."""
    delivery, event, alert = claimed.delivery, claimed.event, claimed.alert
    target = next((t for t in alert.targets if t["kind"] == delivery.kind and t["url"] == delivery.url), None)
    if target is None:
        raise ReceiverRemoved("the alert names this receiver no more")
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, DELIVERY: event.id}
    if delivery.kind == "alertmanager":
        until = unix * SECOND_US + int((REPEATS_LOST + 1) * REPEAT_SECONDS * SECOND_US)
        address = delivery.url.rstrip("/").removesuffix(ALERTS_PATH) + ALERTS_PATH
        return Outgoing(address, write_alertmanager(event, alert, until), headers)
    body = write_webhook(event, alert)
    return Outgoing(delivery.url, body, headers | {SIGNATURE: sign(body, target["secret"], unix)})


async def post(client: httpx2.AsyncClient, endpoint: Endpoint, outgoing: Outgoing) -> None:
    """Send a message to the address that was checked, under the name of its host; the body of the answer is not read.

    Raises DeliveryFailed for a status that is no success, and httpx2.HTTPError.
    """
    request = client.build_request(
        "POST",
        endpoint.pinned,
        content=outgoing.body,
        headers=outgoing.headers | {"Host": endpoint.url.netloc.decode("ascii")},
        extensions={"sni_hostname": endpoint.url.raw_host.decode("ascii")},
    )
    response = await client.send(request, stream=True)
    await response.aclose()
    if not response.is_success:
        hint = "; redirects are not followed" if response.is_redirect else ""
        raise DeliveryFailed(f"the receiver answered {response.status_code}{hint}")
