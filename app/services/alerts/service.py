"""Alerts as clients see them: setting, reading, deleting, their messages, and a test of their receivers."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, NotFound, invalid
from app.scope import Scope
from app.services.alerts.addresses import AddressRefused, check_host, parse_url
from app.services.alerts.request import AlertRequest, Target, check_request
from app.services.audit import record
from app.services.durations import SECOND_US, UNITS, parse_duration
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.paging import convert_cursor_errors
from app.services.registry.builtin import parse_builtin_name
from app.services.registry.lookup import require_model
from app.storage import alerts
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import AlertDelivery, AlertEvent, AlertRow
from models.calendar.timestamps import format_stamp

MOST_ALERTS = 500
"""of a project"""
TEST_KEY = ""
"""of messages that are tests: no series has it"""


class AlertService:
    """The operations behind /alerts."""

    def __init__(self, database: Database, allow_private: bool) -> None:
        self._database = database
        self._allow_private = allow_private

    def put(self, scope: Scope, name: str, request: AlertRequest) -> tuple[bool, dict[str, Any]]:
        """Set an alert; return whether it is new. Raises Invalid, NotFound for a model, Conflict for too many."""
        check_request(request)
        self._check_targets(request.targets)
        fields = {
            "subject": request.subject,
            "model": request.model,
            "series": dict(request.series) if request.series is not None else None,
            "condition": dict(request.when),
            "hold_us": parse_duration(request.hold, "body.for") if request.hold is not None else 0,
            "keep_us": parse_duration(request.keep, "body.keep_firing_for") if request.keep is not None else 0,
            "page": request.page,
        }

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            _check_model(session, scope, request)
            row = alerts.get(session, scope, name, lock=True)
            targets = _complete_targets(request.targets, row)
            if row is None:
                if alerts.count(session, scope) >= MOST_ALERTS:
                    detail = f"the project has {MOST_ALERTS} alerts, the most; DELETE /alerts/{{name}} ends one"
                    raise Conflict(ErrorCode.too_many_alerts, detail)
                row = alerts.add(session, scope, name=name, targets=targets, **fields)
                record(session, scope, "alert.set", name, after=(view := _describe(session, [row])[0]))
                return True, view
            before = _describe(session, [row])[0]
            _change(session, row, {**fields, "targets": targets})
            record(session, scope, "alert.set", name, before=before, after=(view := _describe(session, [row])[0]))
            return False, view

        return self._database.write_with_retry(make)

    def get(self, scope: Scope, name: str) -> dict[str, Any]:
        """Return an alert, without its secrets. Raises NotFound."""
        with self._database.read() as session:
            return _describe(session, [require_alert(session, scope, name)])[0]

    def list(self, scope: Scope, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of alerts by name. Raises Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            page = alerts.list_page(session, scope, cursor, limit)
            return Page(_describe(session, page.items), page.next_cursor)

    def delete(self, scope: Scope, name: str) -> None:
        """Delete an alert with its messages; nothing more is sent. Raises NotFound."""
        with self._database.write() as session:
            before = _describe(session, [require_alert(session, scope, name)])[0]
            if not alerts.remove(session, scope, name):
                raise _not_found(name)
            record(session, scope, "alert.delete", name, before=before)

    def list_events(self, scope: Scope, name: str, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of an alert's messages, newest first. Raises NotFound, and Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            row = require_alert(session, scope, name)
            page = alerts.list_events(session, row, cursor, limit)
            sent = alerts.list_deliveries(session, page.items)
            return Page([describe_sent(event, sent[event.pk]) for event in page.items], page.next_cursor)

    def test(self, scope: Scope, name: str, key: Idempotency | None) -> ServiceResponse:
        """Make a message that is a test, which workers send to each receiver. Raises NotFound."""

        def make(session: Session) -> ServiceResponse:
            row = require_alert(session, scope, name)
            moment = now(session)
            event = alerts.add_event(
                session, row, key=TEST_KEY, at=moment, state="test", since=moment, model=row.model, labels={}
            )
            return ServiceResponse(202, describe_sent(event, alerts.list_deliveries(session, [event])[event.pk]))

        return respond_once(self._database, scope, key, make)

    def _check_targets(self, targets: Sequence[Target]) -> None:
        for number, target in enumerate(targets):
            try:
                check_host(parse_url(target.url), self._allow_private)
            except AddressRefused as e:
                raise invalid(f"body.send.{number}.{target.kind}", ErrorCode.address_refused, str(e)) from e
        if len({(target.kind, target.url) for target in targets}) < len(targets):
            raise invalid("body.send", ErrorCode.invalid_input, "an address is named twice; once is enough")


def require_alert(session: Session, scope: Scope, name: str) -> AlertRow:
    """Return an alert that must exist. Raises NotFound."""
    row = alerts.get(session, scope, name)
    if row is None:
        raise _not_found(name)
    return row


def _not_found(name: str) -> NotFound:
    return NotFound(
        ErrorCode.alert_not_found,
        f"there is no alert {name[:100]!r}; GET /alerts lists them, PUT /alerts/{{name}} sets one",
    )


def _check_model(session: Session, scope: Scope, request: AlertRequest) -> None:
    if request.model is None or request.subject == "job":  # a job may fail before there is a model
        return
    model = require_model(session, scope, request.model, lock=parse_builtin_name(request.model) is not None)
    quantile = request.when.get("quantile")
    if quantile is not None and not model.quantiles[0] <= quantile <= model.quantiles[-1]:
        detail = f"{model.name} forecasts the quantiles {model.quantiles[0]} to {model.quantiles[-1]}, not {quantile}"
        raise invalid("body.when.quantile", ErrorCode.quantile_out_of_range, detail)


def _complete_targets(targets: Sequence[Target], row: AlertRow | None) -> list[dict[str, Any]]:
    """Return the receivers, with secrets that the alert already has. Raises Invalid where one is missing."""
    kept = {one["url"]: one["secret"] for one in row.targets if one["kind"] == "webhook"} if row is not None else {}
    complete: list[dict[str, Any]] = []
    for number, target in enumerate(targets):
        if target.kind == "alertmanager":
            complete.append({"kind": target.kind, "url": target.url})
            continue
        secret = target.secret if target.secret is not None else kept.get(target.url)
        if secret is None:
            detail = "send a secret, which messages are signed with; one that was sent before need not be sent again"
            raise invalid(f"body.send.{number}.secret", ErrorCode.invalid_input, detail)
        complete.append({"kind": target.kind, "url": target.url, "secret": secret})
    return complete


def _change(session: Session, row: AlertRow, fields: Mapping[str, Any]) -> None:
    """Replace an alert. Where its rule is another one, all is judged again; what fires is resolved if it does not."""
    rule = ("subject", "model", "series", "condition", "hold_us", "keep_us")
    if any(getattr(row, name) != fields[name] for name in rule):
        row.revision += 1
        row.seen = None
        row.due_at = now(session)
    for name, value in fields.items():
        setattr(row, name, value)
    session.flush()


def _describe(session: Session, rows: Sequence[AlertRow]) -> list[dict[str, Any]]:
    """Return alerts as clients see them."""
    firing = alerts.count_firing(session, rows)
    changed = alerts.find_last_change(session, rows)
    views = []
    for row in rows:
        number, first = firing.get(row.pk, (0, None))
        since = first if number else changed.get(row.pk, row.created_at)
        views.append(
            {
                "name": row.name,
                "on": row.subject,
                "model": row.model,
                "series": row.series["ids"] if row.series is not None and "ids" in row.series else row.series,
                "when": row.condition,
                "for": format_duration(row.hold_us),
                "keep_firing_for": format_duration(row.keep_us),
                "send": [{target["kind"]: target["url"]} for target in row.targets],
                "state": "firing" if number else "ok",
                "since": format_stamp(since if since is not None else row.created_at, "UTC"),
                "firing": number,
                "evaluated_at": _format_moment(row.evaluated_at),
                "problem": row.problem,
                "created_at": format_stamp(row.created_at, "UTC"),
            }
        )
    return views


def format_duration(microseconds: int) -> str | None:
    """Return a duration in its largest whole unit; None for none."""
    if not microseconds:
        return None
    seconds = microseconds // SECOND_US
    unit = next(u for u in ("W", "D", "h", "min", "s") if seconds % UNITS[u] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def describe_sent(event: AlertEvent, sent: Sequence[AlertDelivery]) -> dict[str, Any]:
    """Return a message as clients see it, with what became of it."""
    return {
        "id": event.id,
        "at": format_stamp(event.at, "UTC"),
        "state": event.state,
        "model": event.model,
        "series": event.series,
        "value": event.value,
        "threshold": event.threshold,
        "ds": event.ds,
        "delivered": all(delivery.delivered_at is not None for delivery in sent),
        "attempts": max((delivery.attempts for delivery in sent), default=0),
        "deliveries": [
            {
                "kind": delivery.kind,
                "url": delivery.url,
                "delivered_at": _format_moment(delivery.delivered_at),
                "attempts": delivery.attempts,
                "next_attempt": _format_moment(delivery.due_at),
                "error": delivery.error,
            }
            for delivery in sent
        ],
    }


def _format_moment(moment: int | None) -> str | None:
    return format_stamp(moment, "UTC") if moment is not None else None
