"""Evaluation of the alerts that are due: evidence becomes states, and what has changed becomes messages.

Evidence is read in a snapshot, without a lock. The result is written in one transaction with its messages and their
deliveries, only where neither the rule nor what it has seen was changed meanwhile: so each change is said once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.logs import get_logger
from app.scope import Scope
from app.services.alerts.evidence import Evidence, read_evidence
from app.services.alerts.rules import AlertFinding, State, Transition, advance
from app.services.durations import SECOND_US
from app.storage import alerts, series
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.keys import ALL_RIGHTS
from app.storage.tables import AlertRow, AlertState

log = get_logger(__name__)

AT_ONCE = 100
"""due alerts that one run reads"""
ARRIVAL_SECONDS = 10.0
"""between two looks at whether data have arrived"""
PRESENCE_SECONDS = 60.0
"""between two looks for whether series that fire are still there and selected"""
FAILED_SECONDS = 60.0
"""until an alert is evaluated again whose evaluation failed"""
OF_SERIES = ("forecast", "anomaly", "data")
"""subjects whose keys are ids of series"""
SWEPT_AT_ONCE = 5000
"""messages that one transaction deletes"""


def evaluate_due(database: Database) -> int:
    """Evaluate the alerts of all projects that are due, each once however many workers do so; return how many."""
    with database.read() as session:
        due = alerts.list_due(session, AT_ONCE)
    for row in due:
        try:
            with database.read() as session:
                evidence = read_evidence(session, row)
            database.write_with_retry(partial(write_result, read=row, evidence=evidence))
        except Exception as e:  # an alert that cannot be evaluated must not hold up the others
            log.warning("alert_not_evaluated", alert=row.name, detail=str(e)[:200])
            with database.write() as session:
                alerts.postpone(session, row, FAILED_SECONDS)
    return len(due)


def sweep_events(database: Database, days: float) -> None:
    """Delete messages that are older than so many days."""
    while True:  # a transaction each, so that others can write in between
        with database.write() as session:
            deleted = alerts.delete_old_events(session, days, SWEPT_AT_ONCE)
        if deleted < SWEPT_AT_ONCE:
            return


def write_result(session: Session, read: AlertRow, evidence: Evidence) -> None:
    """Write the states and messages that follow from evidence, unless another evaluation has done so."""
    row = alerts.lock_unchanged(session, read)
    if row is None:
        return
    ledger = _Ledger(row, alerts.list_states(session, row), now(session))
    for finding in [*evidence.findings, *_end_missing(session, row, ledger, evidence)]:
        ledger.enter(finding)
    ledger.pass_time()
    living = {key: entry.describe() for key, entry in ledger.entries.items() if entry.lives}
    ended = [key for key, entry in ledger.entries.items() if not entry.lives]
    alerts.write_states(session, row, living, ended)
    for change in ledger.changes:
        _say(session, row, change, ledger.moment)
    if row.due_at == read.due_at:  # else there is newer evidence
        row.due_at = ledger.find_due()
    row.seen = evidence.seen
    row.evaluated_at = ledger.moment
    row.problem = evidence.problem


@dataclass
class _Entry:
    """What is known about a key."""

    finding: AlertFinding
    """the latest"""
    state: State
    since: int | None
    """since when it fires"""
    labels: Mapping[str, Any]
    """of the series as it began to fire"""

    @property
    def lives(self) -> bool:
        """Whether it has to be remembered."""
        return self.state.active or self.state.firing

    def describe(self) -> dict[str, Any]:
        """Return the fields of its row."""
        finding = self.finding
        return {
            "active": self.state.active,
            "firing": self.state.firing,
            "changed_at": self.state.changed_at,
            "since": self.since,
            "model": finding.model,
            "value": finding.value,
            "threshold": finding.threshold,
            "ds": finding.ds,
            "labels": dict(self.labels),
        }


@dataclass(frozen=True)
class _Change:
    """What is to be said about a key."""

    finding: AlertFinding
    transition: Transition
    since: int
    labels: Mapping[str, Any]


@dataclass
class _Ledger:
    """The states of one alert, while the findings of an evaluation are entered."""

    row: AlertRow
    states: Mapping[str, AlertState]
    moment: int
    entries: dict[str, _Entry] = field(init=False)
    changes: list[_Change] = field(default_factory=list)
    judged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.entries = {key: _recall(state) for key, state in self.states.items()}

    def enter(self, finding: AlertFinding) -> None:
        """Take a finding into the state of its key."""
        self.judged.add(finding.key)
        entry = self.entries.get(finding.key)
        if entry is None:
            if not finding.active:
                return
            entry = _Entry(finding, State(False, False, self.moment), None, finding.labels)
            self.entries[finding.key] = entry
        entry.finding = finding
        self._advance(entry, finding.active)

    def pass_time(self) -> None:
        """Let time pass for the keys without a finding: what was held back may be due."""
        for key, entry in self.entries.items():
            if key not in self.judged:
                self._advance(entry, None)

    def find_due(self) -> int | None:
        """Return when the alert is to be evaluated next; None: once there is evidence."""
        moments = [entry.state.due_at(self.row.hold_us, self.row.keep_us) for entry in self.entries.values()]
        due = [moment for moment in moments if moment is not None]
        if self.row.subject == "data":
            due.append(self.moment + int(ARRIVAL_SECONDS * SECOND_US))
        elif self.row.subject in OF_SERIES and any(entry.lives for entry in self.entries.values()):
            due.append(self.moment + int(PRESENCE_SECONDS * SECOND_US))
        return min(due, default=None)

    def _advance(self, entry: _Entry, active: bool | None) -> None:
        state, transition = advance(entry.state, active, self.moment, self.row.hold_us, self.row.keep_us)
        entry.state = state
        if transition is None:
            return
        if transition == "firing":
            entry.since = self.moment
            entry.labels = entry.finding.labels
        since = entry.since if entry.since is not None else self.moment
        self.changes.append(_Change(entry.finding, transition, since, entry.labels))


def _recall(state: AlertState) -> _Entry:
    finding = AlertFinding(
        key=state.key,
        active=state.active,
        value=state.value,
        threshold=state.threshold,
        ds=state.ds,
        model=state.model,
        labels=state.labels,
    )
    return _Entry(finding, State(state.active, state.firing, state.changed_at), state.since, state.labels)


def _end_missing(session: Session, row: AlertRow, ledger: _Ledger, evidence: Evidence) -> Sequence[AlertFinding]:
    """Return the end of each state whose series is deleted or no longer selected, or that evidence would have."""
    found = {finding.key for finding in evidence.findings}
    missing = [key for key in ledger.entries if key not in found]
    present: set[str] = set(missing)
    if row.subject in OF_SERIES and missing:
        present = set(series.get_many(session, Scope(row.project_id, ALL_RIGHTS), missing))
    ended = [
        key
        for key in missing
        if evidence.complete or key not in present or (evidence.selected is not None and key not in evidence.selected)
    ]
    return [AlertFinding(key=key, active=False, model=ledger.entries[key].finding.model) for key in ended]


def _say(session: Session, row: AlertRow, change: _Change, moment: int) -> None:
    """Make the message of a change."""
    finding = change.finding
    event = alerts.add_event(
        session,
        row,
        key=finding.key,
        at=moment,
        state=change.transition,
        since=change.since,
        model=finding.model,
        series=finding.key if row.subject in OF_SERIES else None,
        value=finding.value,
        threshold=finding.threshold,
        ds=finding.ds,
        labels=dict(change.labels),
    )
    log.info("alert_changed", alert=row.name, state=change.transition, series=event.series, id=event.id)
