"""Queries of ingest rules, and of which series they feed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.dialects import insert_for
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import FedSeries, IngestRule, SeriesRow

CHUNK = 10_000
"""bound parameters of one statement; both databases take over 30 000"""


@dataclass
class LockedSeries:
    """What a write of samples needs of a series, which is locked."""

    pk: int
    id: str
    freq: str
    timezone: str
    anchor: int | None


@dataclass(frozen=True)
class Tally:
    """What a write did with the samples that a rule took."""

    samples: int
    dropped: int
    problem: str | None
    """why the last one was dropped; None where none was"""


def get(session: Session, scope: Scope, name: str, *, lock: bool = False) -> IngestRule | None:
    """Return one rule; `lock` keeps other writers of it out until the transaction ends."""
    query = select(IngestRule).where(IngestRule.project_id == scope.project_id, IngestRule.name == name)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def list_page(session: Session, scope: Scope, cursor: str | None, limit: int) -> Page[IngestRule]:
    """Return rules in the order of their names. Raises CursorError."""
    query = select(IngestRule).where(IngestRule.project_id == scope.project_id).order_by(IngestRule.name)
    if cursor is not None:
        query = query.where(IngestRule.name > decode_cursor(cursor, str)[0])
    rows = list(session.execute(query.limit(limit + 1)).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].name) if len(rows) > limit else None)


def list_revisions(session: Session, scope: Scope) -> list[tuple[int, int]]:
    """Return (key, revision) of a project's rules by name, none of which is deleted before the transaction ends."""
    query = (
        select(IngestRule.pk, IngestRule.revision)
        .where(IngestRule.project_id == scope.project_id)
        .order_by(IngestRule.name)
        .with_for_update(read=True, key_share=True)
    )
    return [(pk, revision) for pk, revision in session.execute(query)]


def list_all(session: Session, scope: Scope) -> list[IngestRule]:
    """Return a project's rules in the order of their names."""
    query = select(IngestRule).where(IngestRule.project_id == scope.project_id).order_by(IngestRule.name)
    return list(session.execute(query).scalars())


def count(session: Session, scope: Scope) -> int:
    """Return how many rules a project has."""
    query = select(func.count()).select_from(IngestRule).where(IngestRule.project_id == scope.project_id)
    return session.execute(query).scalar_one()


def add(session: Session, scope: Scope, **fields: Any) -> IngestRule:
    """Insert a rule. Raises sqlalchemy.exc.IntegrityError where the name exists."""
    row = IngestRule(project_id=scope.project_id, **fields)
    session.add(row)
    session.flush()
    return row


def remove(session: Session, scope: Scope, name: str) -> bool:
    """Delete a rule; the series that it fed stay. False where there is none."""
    deleted = session.execute(
        delete(IngestRule)
        .where(IngestRule.project_id == scope.project_id, IngestRule.name == name)
        .returning(IngestRule.pk)
    )
    return deleted.scalar_one_or_none() is not None


def count_series(session: Session, rules: Collection[int]) -> dict[int, int]:
    """Return {rule_pk: series that it feeds}."""
    query = (
        select(FedSeries.rule_pk, func.count()).where(FedSeries.rule_pk.in_(list(rules))).group_by(FedSeries.rule_pk)
    )
    found = {pk: number for pk, number in session.execute(query) if pk is not None}
    return {pk: found.get(pk, 0) for pk in rules}


def add_tallies(session: Session, tallies: Mapping[int, Tally], moment: int) -> None:
    """Add what a write did to the counts of rules: {rule_pk: …}; rows are locked in the order of their keys."""
    for pk, tally in sorted(tallies.items()):
        changed: dict[str, Any] = {
            "samples": IngestRule.samples + tally.samples,
            "dropped": IngestRule.dropped + tally.dropped,
            "last_at": moment,
        }
        if tally.problem is not None:
            changed["problem"] = tally.problem
        statement = update(IngestRule).where(IngestRule.pk == pk).values(changed)
        session.execute(statement, execution_options={"synchronize_session": False})


def lock_series(session: Session, scope: Scope, ids: Collection[str]) -> dict[str, LockedSeries]:
    """Return {id: …} of the series that exist, locked in the order of their ids, so that writers cannot deadlock."""
    ordered = sorted(ids)
    found: dict[str, LockedSeries] = {}
    columns = (SeriesRow.pk, SeriesRow.id, SeriesRow.freq, SeriesRow.timezone, SeriesRow.anchor)
    for start in range(0, len(ordered), CHUNK):
        query = (
            select(*columns)
            .where(SeriesRow.project_id == scope.project_id, SeriesRow.id.in_(ordered[start : start + CHUNK]))
            .order_by(SeriesRow.id)
            .with_for_update()
        )
        found.update((row[1], LockedSeries(*row)) for row in session.execute(query))
    return found


def set_anchor(session: Session, pk: int, anchor: int) -> None:
    """Store the anchor of a locked series without observations: the steps that are filled lie on its grid."""
    statement = update(SeriesRow).where(SeriesRow.pk == pk).values(anchor=anchor)
    session.execute(statement, execution_options={"synchronize_session": False})


def lock_by_key(session: Session, pks: Sequence[int]) -> None:
    """Lock a few series in the order of their ids."""
    query = select(SeriesRow.pk).where(SeriesRow.pk.in_(pks)).order_by(SeriesRow.project_id, SeriesRow.id)
    session.execute(query.with_for_update()).all()


def load_rows(session: Session, pks: Sequence[int]) -> list[SeriesRow]:
    """Return series that are locked already, in the order of their keys."""
    rows: list[SeriesRow] = []
    for start in range(0, len(pks), CHUNK):
        query = select(SeriesRow).where(SeriesRow.pk.in_(pks[start : start + CHUNK]))
        rows += session.execute(query).scalars()
    return sorted(rows, key=lambda row: row.pk)


def load_fed(session: Session, pks: Sequence[int]) -> dict[int, tuple[int | None, int | None]]:
    """Return {series_pk: (rule_pk, final_before)} of the series that were fed before."""
    found: dict[int, tuple[int | None, int | None]] = {}
    for start in range(0, len(pks), CHUNK):
        query = select(FedSeries.series_pk, FedSeries.rule_pk, FedSeries.final_before).where(
            FedSeries.series_pk.in_(pks[start : start + CHUNK])
        )
        found.update((pk, (rule, before)) for pk, rule, before in session.execute(query))
    return found


def store_fed(session: Session, rows: Sequence[tuple[int, int | None, int | None]]) -> None:
    """Upsert (series_pk, rule_pk, final_before)."""
    if not rows:
        return
    statement = insert_for(session, FedSeries)
    replaced = {name: statement.excluded[name] for name in ("rule_pk", "final_before")}
    statement = statement.on_conflict_do_update(index_elements=["series_pk"], set_=replaced)
    values = [{"series_pk": pk, "rule_pk": rule, "final_before": before} for pk, rule, before in rows]
    session.execute(statement, values)
