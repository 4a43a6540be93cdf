"""Queries of ingest rules, and of which series they feed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from app.scope import Scope, storable
from app.storage.dialects import insert_for, is_any_of
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import FedSeries, IngestRule, SeriesRow


@dataclass
class LockedSeries:
    """What a write of samples needs of a series, which is locked."""

    pk: int
    id: str
    freq: str
    timezone: str
    anchor: int | None
    count: int
    first_ts: int | None
    last_ts: int | None
    version: int


@dataclass(frozen=True)
class Tally:
    """What a write did with the samples that a rule took."""

    samples: int
    dropped: int
    problem: str | None
    """why the last one was dropped; None where none was"""


def get(session: Session, scope: Scope, name: str, *, lock: bool = False) -> IngestRule | None:
    """Return one rule; `lock` keeps other writers of it out until the transaction ends."""
    if not storable(name):
        return None
    query = select(IngestRule).where(IngestRule.project_id == scope.project_id, IngestRule.name == name)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def list_page(session: Session, scope: Scope, cursor: str | None, limit: int) -> Page[IngestRule]:
    """Return rules in the order of their names. Raises CursorError."""
    query = select(IngestRule).where(IngestRule.project_id == scope.project_id).order_by(IngestRule.name)
    if cursor is not None:
        query = query.where(IngestRule.name > decode_cursor(cursor, str)[0])
    rows = list(session.execute(query.limit(limit + 1)).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].name) if len(rows) > limit else None)


def lock_revisions(session: Session, scope: Scope) -> list[tuple[int, int]]:
    """Return (key, revision) of a project's rules by name, none of which is deleted before the transaction ends."""
    columns = (IngestRule.pk, IngestRule.revision)
    query = select(*columns).where(IngestRule.project_id == scope.project_id).order_by(IngestRule.name)
    rows = session.execute(query.with_for_update(read=True, key_share=True))
    return [(pk, revision) for pk, revision in rows]


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
    query = _select_locked().where(
        SeriesRow.project_id == scope.project_id, is_any_of(session, SeriesRow.id, list(ids))
    )
    return {row[1]: LockedSeries(*row) for row in session.execute(query.order_by(SeriesRow.id))}


def lock_by_key(session: Session, pks: Sequence[int]) -> dict[int, LockedSeries]:
    """Return {series_pk: …} of the series that exist, locked as `lock_series` does."""
    query = _select_locked().where(is_any_of(session, SeriesRow.pk, pks))
    rows = session.execute(query.order_by(SeriesRow.project_id, SeriesRow.id))
    return {row[0]: LockedSeries(*row) for row in rows}


def _select_locked() -> Select[Any]:
    return select(*(getattr(SeriesRow, field.name) for field in fields(LockedSeries))).with_for_update()


def set_anchor(session: Session, pk: int, anchor: int) -> None:
    """Store the anchor of a locked series without observations: the steps that are filled lie on its grid."""
    statement = update(SeriesRow).where(SeriesRow.pk == pk).values(anchor=anchor)
    session.execute(statement, execution_options={"synchronize_session": False})


def load_fed(session: Session, pks: Sequence[int]) -> dict[int, int | None]:
    """Return {series_pk: rule_pk} of the series that were fed before."""
    query = select(FedSeries.series_pk, FedSeries.rule_pk).where(is_any_of(session, FedSeries.series_pk, pks))
    found: dict[int, int | None] = {}
    found.update((pk, rule) for pk, rule in session.execute(query))
    return found


def store_fed(session: Session, rules: Mapping[int, int]) -> None:
    """Store {series_pk: rule_pk}."""
    if not rules:
        return
    statement = insert_for(session, FedSeries)
    statement = statement.on_conflict_do_update(
        index_elements=["series_pk"], set_={"rule_pk": statement.excluded.rule_pk}
    )
    session.execute(statement, [{"series_pk": pk, "rule_pk": rule} for pk, rule in rules.items()])
