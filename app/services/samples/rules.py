"""Ingest rules: which samples become a series, and how; setting, reading and deleting them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, NotFound, Unreadable, invalid
from app.scope import Scope
from app.services.audit import record
from app.services.durations import parse_duration
from app.services.label_matching import LabelMatcher
from app.services.paging import convert_cursor_errors
from app.services.series.ids import check_frequency, check_timezone
from app.storage import ingest_rules
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import IngestRule
from models.calendar.frequency import parse_frequency
from models.calendar.nesting import COARSE_KINDS
from models.calendar.timestamps import format_stamp

MOST_RULES = 500
"""of a project"""
REGEX = "~"
"""what a value in `match` begins with that is an expression"""
_PLACE = re.compile(r"\{([^{}]+)\}")
_NO_PLACE = re.compile(r"[{}]")


@dataclass(frozen=True)
class RuleRequest:
    """A rule as it was sent."""

    match: Mapping[str, str]
    freq: str
    aggregate: str
    timezone: str
    template: str
    labels: Sequence[str] | None
    create: bool
    most_series: int
    late: str


class RuleService:
    """The operations behind /ingest/rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, scope: Scope, name: str, request: RuleRequest) -> tuple[bool, dict[str, Any]]:
        """Set a rule; return whether it is new, and its description.

        Raises Invalid, and Conflict for too many rules.
        """
        fields = _check(request)

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            row = ingest_rules.get(session, scope, name, lock=True)
            if row is None:
                if ingest_rules.count(session, scope) >= MOST_RULES:
                    detail = f"the project has {MOST_RULES} rules, the most; DELETE /ingest/rules/{{name}} ends one"
                    raise Conflict(ErrorCode.too_many_rules, detail)
                row = ingest_rules.add(session, scope, name=name, samples=0, dropped=0, **fields)
                record(session, scope, "rule.set", name, after=(view := _describe(session, [row])[0]))
                return True, view
            before = _describe(session, [row])[0]
            for field, value in fields.items():
                setattr(row, field, value)
            row.revision += 1
            row.problem = None
            session.flush()
            record(session, scope, "rule.set", name, before=before, after=(view := _describe(session, [row])[0]))
            return False, view

        return self._database.write_with_retry(make)

    def get(self, scope: Scope, name: str) -> dict[str, Any]:
        """Return a rule with what it has taken in. Raises NotFound."""
        with self._database.read() as session:
            row = ingest_rules.get(session, scope, name)
            if row is None:
                raise _not_found(name)
            return _describe(session, [row])[0]

    def list(self, scope: Scope, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of rules by name, the order in which they are tried. Raises Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            page = ingest_rules.list_page(session, scope, cursor, limit)
            return Page(_describe(session, page.items), page.next_cursor)

    def delete(self, scope: Scope, name: str) -> None:
        """Delete a rule; the series that it fed stay. Raises NotFound."""
        with self._database.write() as session:
            row = ingest_rules.get(session, scope, name, lock=True)
            if row is None:
                raise _not_found(name)
            record(session, scope, "rule.delete", name, before=_describe(session, [row])[0])
            ingest_rules.remove(session, scope, name)


def build_matchers(match: Mapping[str, str]) -> tuple[LabelMatcher, ...]:
    """Return the conditions of a rule: values, or expressions behind `~`, which match from end to end."""
    return tuple(
        LabelMatcher(name, text.removeprefix(REGEX), is_regex=text.startswith(REGEX)) for name, text in match.items()
    )


def list_places(template: str) -> list[str]:
    """Return the labels that a template of ids names."""
    return _PLACE.findall(template)


def fill_template(template: str, labels: Mapping[str, str], most: int) -> str:
    """Return the id that a template makes of labels, cut off behind the first part beyond `most` characters.

    Raises KeyError for a label that is missing or empty.
    """

    def find(match: re.Match[str]) -> str:
        value = labels.get(match[1])
        if not value:
            raise KeyError(match[1])
        return value[: most + 1]

    return _PLACE.sub(find, template)


def _check(request: RuleRequest) -> dict[str, Any]:
    """Return the columns of a rule. Raises Invalid."""
    freq = check_frequency(request.freq)
    if parse_frequency(freq).kind not in COARSE_KINDS:
        detail = f"{freq!r} leaves times out, whose samples would be lost; send one such as 5min, h, D, W-MON or MS"
        raise invalid("body.freq", ErrorCode.invalid_frequency, detail)
    if not request.template.strip():
        raise invalid("body.id", ErrorCode.invalid_input, 'it is empty; send one such as "{__name__}/{instance}"')
    if _NO_PLACE.search(_PLACE.sub("", request.template)):
        detail = f"{request.template[:100]!r} has a brace without its other; send one such as {{__name__}}/{{instance}}"
        raise invalid("body.id", ErrorCode.invalid_input, detail)
    parse_duration(request.late, "body.late")
    _check_matchers(request.match)
    return {
        "match": dict(request.match),
        "freq": freq,
        "aggregate": request.aggregate,
        "timezone": check_timezone(request.timezone, "body.timezone"),
        "template": request.template.strip(),
        "labels": None if request.labels is None else list(dict.fromkeys(request.labels)),
        "create": request.create,
        "most_series": request.most_series,
        "late": request.late,
    }


def _check_matchers(match: Mapping[str, str]) -> None:
    for matcher in build_matchers(match):
        try:
            matcher.matches("")
        except Unreadable as e:
            raise invalid(f"body.match.{matcher.name[:100]}", ErrorCode.invalid_input, e.detail) from e


def _describe(session: Session, rows: Sequence[IngestRule]) -> list[dict[str, Any]]:
    counts = ingest_rules.count_series(session, [row.pk for row in rows])
    return [
        {
            "name": row.name,
            "match": row.match,
            "freq": row.freq,
            "aggregate": row.aggregate,
            "timezone": row.timezone,
            "id": row.template,
            "labels": row.labels,
            "create": row.create,
            "limit": row.most_series,
            "late": row.late,
            "samples": row.samples,
            "dropped": row.dropped,
            "series": counts[row.pk],
            "last_at": format_stamp(row.last_at, "UTC"),
            "problem": row.problem,
        }
        for row in rows
    ]


def _not_found(name: str) -> NotFound:
    detail = (
        f"there is no ingest rule {name[:100]!r}; GET /ingest/rules lists them, PUT /ingest/rules/{{name}} sets one"
    )
    return NotFound(ErrorCode.rule_not_found, detail)
