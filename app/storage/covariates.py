"""Queries of covariates: their kinds, how many values they have, and writing values."""

from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.dialects import insert_for
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import Covariate, CovariateValue, SeriesRow


def get_covariates(session: Session, scope: Scope, names: Sequence[str], *, lock: bool = False) -> dict[str, Covariate]:
    """Return the project's covariates of these names; `lock` keeps their kinds until the transaction ends."""
    query = select(Covariate).where(Covariate.project_id == scope.project_id, Covariate.name.in_(names))
    if lock:  # in the order of the names, so that writers cannot deadlock; others may write values meanwhile
        query = query.order_by(Covariate.name).with_for_update(read=True, key_share=True)
    return {c.name: c for c in session.execute(query).scalars()}


def get_for_change(session: Session, scope: Scope, name: str) -> Covariate | None:
    """Return one covariate whose kind is to change; nobody writes values of it until the transaction ends."""
    query = select(Covariate).where(Covariate.project_id == scope.project_id, Covariate.name == name)
    return session.execute(query.with_for_update()).scalar_one_or_none()


def list_page(session: Session, scope: Scope, cursor: str | None, limit: int) -> Page[Covariate]:
    """Return covariates in the order of their names. Raises CursorError."""
    query = select(Covariate).where(Covariate.project_id == scope.project_id).order_by(Covariate.name).limit(limit + 1)
    if cursor is not None:
        query = query.where(Covariate.name > decode_cursor(cursor, str)[0])
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].name) if len(rows) > limit else None)


def count_values(session: Session, rows: Sequence[Covariate]) -> dict[int, int]:
    """Return {covariate_pk: number of its values that are not missing}."""
    counts = {row.pk: 0 for row in rows}
    query = (
        select(CovariateValue.covariate_pk, func.count(CovariateValue.value) + func.count(CovariateValue.level))
        .where(CovariateValue.covariate_pk.in_(list(counts)))
        .group_by(CovariateValue.covariate_pk)
    )
    counts.update((pk, count) for pk, count in session.execute(query))
    return counts


def list_series(session: Session, row: Covariate, limit: int) -> list[str]:
    """Return the ids of the first series that have values of a covariate."""
    observed = or_(CovariateValue.value.is_not(None), CovariateValue.level.is_not(None))
    holders = select(CovariateValue.series_pk).where(CovariateValue.covariate_pk == row.pk, observed)
    query = select(SeriesRow.id).where(SeriesRow.pk.in_(holders)).order_by(SeriesRow.id).limit(limit)
    return list(session.execute(query).scalars())


def add_covariate(session: Session, scope: Scope, name: str, kind: str) -> Covariate:
    """Insert a covariate and return it; where another transaction was faster, return that one."""
    insert = insert_for(session, Covariate).values(project_id=scope.project_id, name=name, kind=kind)
    session.execute(insert.on_conflict_do_nothing(index_elements=["project_id", "name"]))
    return get_covariates(session, scope, [name], lock=True)[name]


def change_kind(session: Session, row: Covariate, kind: str) -> None:
    """Give a covariate without values another kind; rows of missing values, which older releases wrote, go."""
    session.execute(delete(CovariateValue).where(CovariateValue.covariate_pk == row.pk))
    row.kind = kind


def remove(session: Session, row: Covariate) -> None:
    """Delete a covariate with its values."""
    session.execute(delete(Covariate).where(Covariate.pk == row.pk))


def remove_between(
    session: Session, row: SeriesRow, rows: Sequence[Covariate], start: int | None, end: int | None
) -> None:
    """Delete the values of some covariates of a locked series in [start, end); the observations stay."""
    table = CovariateValue
    query = delete(table).where(table.series_pk == row.pk, table.covariate_pk.in_([c.pk for c in rows]))
    if start is not None:
        query = query.where(table.ts >= start)
    if end is not None:
        query = query.where(table.ts < end)
    session.execute(query)
