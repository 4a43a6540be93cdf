"""A service whose messages may go to this machine, and a receiver of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.config import Settings
from app.services.alerts.delivery import Deliverer
from app.services.alerts.evaluation import evaluate_due
from app.storage import alerts, keys, registry, series
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import AlertDelivery, AlertRow, AlertState, ArchivedForecast
from tests.services.alerts.receiver import Receiver, receiving

HOUR = 3_600_000_000
START = 1_704_067_200_000_000
"""2024-01-01"""
LEVELS = [0.1, 0.5, 0.9]
SECRET = "a secret of the receiver"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_private": "allow"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Alerting:
    """The service with the model m of two quantiles around a median, and what a worker does about alerts."""

    def __init__(self, client: TestClient, database: Database, receiver: Receiver) -> None:
        self.client, self.database, self.receiver = client, database, receiver
        with database.write() as session:
            registry.add(session, keys.get_default_scope(session), "m", "h", 12, LEVELS)

    def put(self, name: str = "busy", expected: int = 201, **fields: Any) -> Any:
        body: dict[str, Any] = {
            "on": "forecast",
            "model": "m",
            "when": {"quantile": 0.9, "above": 10.0, "within": "6h"},
            "send": [{"webhook": self.receiver.url, "secret": SECRET}],
        }
        body |= fields
        response = self.client.put(f"/alerts/{name}", json={k: v for k, v in body.items() if v is not None})
        assert response.status_code == expected, response.text
        return response.json()

    def archive(self, name: str, values: list[float], origin: int = 0, scale: float | None = None) -> None:
        """Archive a forecast of a series at an hour of 2024, as the job of a schedule does."""
        with self.database.write() as session:
            scope = keys.get_default_scope(session)
            row, model = series.get(session, scope, name), registry.get(session, scope, "m")
            assert row is not None
            assert model is not None
            quantiles = [[value - 1, value, value + 1] for value in values]
            session.add(
                ArchivedForecast(
                    model_pk=model.pk,
                    version=1,
                    series_pk=row.pk,
                    series_version=now(session) % 2**40,
                    origin=START + HOUR * origin,
                    scale=scale,
                    forecast={"levels": LEVELS, "quantiles": quantiles, "season_naive": values},
                )
            )
            session.flush()
            alerts.wake(session, scope, ("forecast", "drift"), "m")

    def evaluate(self) -> None:
        """Evaluate whatever is due."""
        evaluate_due(self.database)

    def send(self) -> int:
        """Send whatever is due; return the number of attempts."""
        return Deliverer(self.database, allow_private=True).send_due()

    def let_pass(self, seconds: float) -> None:
        """Move everything that was noted into the past, as if so much time had passed."""
        passed = int(seconds * 1_000_000)
        with self.database.write() as session:
            session.execute(update(AlertRow).values(due_at=AlertRow.due_at - passed))
            session.execute(update(AlertState).values(changed_at=AlertState.changed_at - passed))
            session.execute(update(AlertDelivery).values(due_at=AlertDelivery.due_at - passed))

    def get(self, path: str = "/alerts/busy") -> Any:
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def events(self, name: str = "busy") -> list[tuple[str, str | None]]:
        """Return the messages of an alert, the oldest first."""
        items = self.get(f"/alerts/{name}/events")["items"]
        return [(item["state"], item["series"]) for item in reversed(items)]


@pytest.fixture
def alerting(client: TestClient, database: Database, receiver: Receiver) -> Alerting:
    for name, labels in (("a", {"kind": "hot"}), ("b/c d", {"kind": "cold"})):
        client.post("/series", json={"id": name, "freq": "h", "labels": labels})
    return Alerting(client, database, receiver)
