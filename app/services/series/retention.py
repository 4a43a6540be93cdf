"""Retention: how far back series reach, by policies of labels, and the deletion of what lies before."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.errors import ErrorCode, NotFound, invalid
from app.logs import get_logger
from app.scope import Scope
from app.services.audit import record
from app.services.paging import convert_cursor_errors
from app.storage import retention, series
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.keys import ALL_RIGHTS
from app.storage.pages import Page
from app.storage.tables import RetentionPolicy, SeriesRow
from models.calendar.frequency import parse_frequency

log = get_logger(__name__)

SERIES_AT_ONCE = 500
"""series that one statement looks at"""
ROWS_AT_ONCE = 2000
"""rows that one transaction deletes: with five covariates they take SQLite's writer for 30 ms"""
SPARE_CONTEXT = 1.5
"""share of a champion's context that is kept: steps of a calendar are not of one length"""
HOUR_US = 3_600_000_000
UNITS = {"h": HOUR_US, "D": 24 * HOUR_US, "W": 7 * 24 * HOUR_US}
LONGEST_US = 8000 * 366 * UNITS["D"]
_KEEP = re.compile(r"([1-9][0-9]{0,9})(h|D|W)")


def parse_keep(text: str) -> int:
    """Return the microseconds of a duration such as `730D`. Raises Invalid."""
    match = _KEEP.fullmatch(text)
    if match is None:
        detail = (
            f"{text[:40]!r} is no duration here: send a whole number of hours, days or weeks, such as 36h, 730D or 104W"
        )
        raise invalid("body.keep", ErrorCode.invalid_duration, detail)
    duration = int(match[1]) * UNITS[match[2]]
    if duration > LONGEST_US:
        detail = f"{text} is longer than time is counted here, 8000 years; DELETE /retention keeps everything"
        raise invalid("body.keep", ErrorCode.invalid_duration, detail)
    return duration


@dataclass(frozen=True)
class Policy:
    """How long rows of the series are kept that have every one of some labels."""

    labels: Mapping[str, str]
    keep: str

    def matches(self, row: SeriesRow) -> bool:
        """Say whether it holds for a series."""
        return all(row.labels.get(name) == value for name, value in self.labels.items())

    @property
    def rank(self) -> tuple[int, int]:
        """The greater one wins: more labels, then the longer time, since what is deleted does not come back."""
        return len(self.labels), parse_keep(self.keep)


@dataclass(frozen=True)
class Retention:
    """What holds in a project at a moment."""

    policies: Sequence[Policy]
    contexts: Mapping[int, int]
    """{step of a frequency: microseconds that champions of it read}"""
    moment: int
    """now, microseconds UTC"""

    @staticmethod
    def load(session: Session, scope: Scope) -> "Retention":
        """Read what holds now."""
        policies = [Policy(row.labels, row.keep) for row in retention.list_all(session, scope)]
        contexts: dict[int, int] = {}
        for freq, steps in retention.list_contexts(session, scope):
            step = parse_frequency(freq).approximate_us
            contexts[step] = max(contexts.get(step, 0), int(SPARE_CONTEXT * steps * step))
        return Retention(policies, contexts, now(session))

    def choose(self, row: SeriesRow) -> Policy | None:
        """Return the policy of a series: the one with the most labels."""
        return max((one for one in self.policies if one.matches(row)), key=lambda one: one.rank, default=None)

    def find_start(self, row: SeriesRow) -> int | None:
        """Return the first stamp that a series keeps, None where it keeps all.

        It is counted from the newest value, or from now where that lies in the future.
        """
        policy = self.choose(row)
        if policy is None or row.last_ts is None:
            return None
        context = self.contexts.get(parse_frequency(row.freq).approximate_us, 0)
        return min(row.last_ts, self.moment) - max(parse_keep(policy.keep), context)


class RetentionService:
    """The operations behind /retention."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, scope: Scope, labels: Mapping[str, str], keep: str) -> tuple[bool, dict[str, Any]]:
        """Set the policy of some labels, or of the project without; return whether it is new. Raises Invalid."""
        parse_keep(keep)

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            row = retention.get(session, scope, labels)
            if row is None:
                view = _describe(retention.add(session, scope, labels, keep))
                record(session, scope, "retention.set", _name_labels(labels), after=view)
                return True, view
            before = _describe(row)
            row.keep = keep
            session.flush()
            record(session, scope, "retention.set", _name_labels(labels), before=before, after=(view := _describe(row)))
            return False, view

        return self._database.write_with_retry(make)

    def preview(self, scope: Scope, labels: Mapping[str, str], keep: str) -> dict[str, Any]:
        """Return what a policy would delete now, without setting it. Raises Invalid."""
        parse_keep(keep)
        proposed = Policy(dict(labels), keep)
        with self._database.read() as session:
            present = Retention.load(session, scope)
            others = [one for one in present.policies if one.labels != proposed.labels]
            planned = Retention([*others, proposed], present.contexts, present.moment)
            counts = [
                retention.count_before(session, row.pk, start)
                for row, start in _list_expired(session, scope, planned)
                if planned.choose(row) == proposed
            ]
        expired = [count for count in counts if count]
        view = {"series": _describe_selector(labels), "keep": keep}
        return view | {"expired": {"series": len(expired), "rows": sum(expired)}}

    def list(self, scope: Scope, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of policies. Raises Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            page = retention.list_page(session, scope, cursor, limit)
            return Page([_describe(row) for row in page.items], page.next_cursor)

    def delete(self, scope: Scope, labels: Mapping[str, str]) -> None:
        """Delete the policy of exactly these labels. Raises NotFound."""
        with self._database.write() as session:
            row = retention.get(session, scope, labels)
            if row is None or not retention.remove(session, scope, labels):
                named = f"of the labels {dict(labels)}" if labels else "of the whole project"
                detail = f"there is no policy {named}; GET /retention lists those that there are"
                raise NotFound(ErrorCode.retention_not_found, detail)
            record(session, scope, "retention.delete", _name_labels(labels), before=_describe(row))


def _name_labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}:{value}" for name, value in sorted(labels.items())) or "all"


def expire_observations(database: Database) -> int:
    """Delete what lies before the policies of all projects, a part a transaction; return how many series had any.

    A transaction reads the policies and the series again, so that one that was changed meanwhile counts.
    """
    with database.read() as session:
        projects = retention.list_projects(session)
    total = sum(_expire_project(database, Scope(one, ALL_RIGHTS, by="retention")) for one in projects)
    if total:
        log.info("observations_expired", series=total)
    return total


def _expire_project(database: Database, scope: Scope) -> int:
    with database.read() as session:
        expired = [row.id for row, _ in _list_expired(session, scope, Retention.load(session, scope))]
    for series_id in expired:
        while database.write_with_retry(partial(_expire_part, scope=scope, series_id=series_id)):
            pass  # others write in between
    return len(expired)


def _list_expired(session: Session, scope: Scope, held: Retention) -> "list[tuple[SeriesRow, int]]":
    """Return the series that have anything before the first stamp that they keep, with that stamp."""
    expired: list[tuple[SeriesRow, int]] = []
    after = 0
    while rows := retention.list_series(session, scope, after, SERIES_AT_ONCE):
        after = rows[-1].pk
        starts = {row.pk: start for row in rows if (start := held.find_start(row)) is not None}
        oldest = retention.find_oldest(session, scope, list(starts))
        expired += [(row, starts[row.pk]) for row in rows if row.pk in oldest and oldest[row.pk] < starts[row.pk]]
    return expired


def _expire_part(session: Session, scope: Scope, series_id: str) -> bool:
    """Delete a part of what a series does not keep; return whether there is more."""
    row = series.get(session, scope, series_id, lock=True)
    start = Retention.load(session, scope).find_start(row) if row is not None else None
    if row is None or start is None:
        return False
    more = retention.remove_before(session, row, start, ROWS_AT_ONCE)
    series.bump_version(session, row)
    return more


def _describe_selector(labels: Mapping[str, str]) -> Any:
    return {"labels": dict(labels)} if labels else "all"


def _describe(row: RetentionPolicy) -> dict[str, Any]:
    return {"series": _describe_selector(row.labels), "keep": row.keep, "expired": None}
