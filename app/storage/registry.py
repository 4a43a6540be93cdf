"""Queries of models and their versions."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.scope import Scope
from app.storage import revisions
from app.storage.dialects import holds_text
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import JobRow, ModelRow, VersionRow

CHUNK = 500
"""folders or models of one statement"""


class ServingVersion(NamedTuple):
    """What a model's champion, or its newest version where there is none, was trained as."""

    number: int
    config: dict[str, Any]
    data_span: dict[str, Any]
    request: dict[str, Any]
    """of the job that made it"""


def get(session: Session, scope: Scope, name: str, *, lock: bool = False) -> ModelRow | None:
    """Return one model; `lock` keeps other writers of it out until the transaction ends."""
    query = select(ModelRow).where(ModelRow.project_id == scope.project_id, ModelRow.name == name)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def get_by_pk(session: Session, scope: Scope, pk: int | None, *, lock: bool = False) -> ModelRow | None:
    """Return the project's model of this key."""
    query = select(ModelRow).where(ModelRow.project_id == scope.project_id, ModelRow.pk == pk)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def add(session: Session, scope: Scope, name: str, freq: str, horizon: int, quantiles: list[float]) -> ModelRow:
    """Insert a model. Raises sqlalchemy.exc.IntegrityError where the name exists."""
    row = ModelRow(project_id=scope.project_id, name=name, freq=freq, horizon=horizon, quantiles=quantiles)
    session.add(row)
    session.flush()
    return row


def list_page(
    session: Session,
    scope: Scope,
    series_id: str | None,
    freqs: Sequence[str] | None,
    cursor: str | None,
    limit: int,
) -> Page[ModelRow]:
    """Return models in the order of their names. Raises CursorError.

    Args:
        series_id: of a series that the champion, or the newest version where there is none, was trained on
        freqs: spellings of the frequency
    """
    query = select(ModelRow).where(ModelRow.project_id == scope.project_id).order_by(ModelRow.name).limit(limit + 1)
    if series_id is not None:
        query = query.where(_is_trained_on(session, series_id))
    if freqs is not None:
        query = query.where(ModelRow.freq.in_(freqs))
    if cursor is not None:
        query = query.where(ModelRow.name > decode_cursor(cursor, str)[0])
    rows = list(session.execute(query).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].name) if len(rows) > limit else None)


def _is_trained_on(session: Session, series_id: str) -> ColumnElement[bool]:
    any_version = aliased(VersionRow)
    newest = select(func.max(any_version.number)).where(any_version.model_pk == ModelRow.pk).correlate(ModelRow)
    number = func.coalesce(ModelRow.champion, newest.scalar_subquery())
    serving = exists().where(VersionRow.model_pk == ModelRow.pk, VersionRow.number == number)
    return serving.where(holds_text(session, VersionRow.data_span, "series", series_id))


def list_frequencies(session: Session, scope: Scope) -> list[str]:
    """Return the frequencies of all models, as they are spelled."""
    return list(
        session.execute(select(ModelRow.freq).where(ModelRow.project_id == scope.project_id).distinct()).scalars()
    )


def get_version(session: Session, model: ModelRow, number: int) -> VersionRow | None:
    """Return one version of a model."""
    query = select(VersionRow).where(VersionRow.model_pk == model.pk, VersionRow.number == number)
    return session.execute(query).scalar_one_or_none()


def get_serving_version(session: Session, model: ModelRow) -> VersionRow | None:
    """Return the champion, or the newest version where there is none."""
    if model.champion is not None:
        return get_version(session, model, model.champion)
    query = select(VersionRow).where(VersionRow.model_pk == model.pk).order_by(VersionRow.number.desc()).limit(1)
    return session.execute(query).scalar_one_or_none()


def list_all(session: Session, scope: Scope, names: Collection[str] | None = None) -> list[ModelRow]:
    """Return the project's models, or those of `names`, in the order of their names."""
    query = select(ModelRow).where(ModelRow.project_id == scope.project_id).order_by(ModelRow.name)
    if names is not None:
        query = query.where(ModelRow.name.in_(names))
    return list(session.execute(query).scalars())


def list_serving_versions(session: Session, models: Sequence[ModelRow]) -> dict[int, ServingVersion]:
    """Return {model_pk: what serves}, without the models that have no version."""
    other = aliased(VersionRow)
    newest = select(func.max(other.number)).where(other.model_pk == ModelRow.pk).correlate(ModelRow).scalar_subquery()
    serving: dict[int, ServingVersion] = {}
    for start in range(0, len(models), CHUNK):
        query = (
            select(ModelRow.pk, VersionRow.number, VersionRow.config, VersionRow.data_span, JobRow.request)
            .join(VersionRow, VersionRow.model_pk == ModelRow.pk)
            .join(JobRow, JobRow.id == VersionRow.job_id)
            .where(ModelRow.pk.in_([model.pk for model in models[start : start + CHUNK]]))
            .where(VersionRow.number == func.coalesce(ModelRow.champion, newest))
        )
        serving.update((pk, ServingVersion(*fields)) for pk, *fields in session.execute(query))
    return serving


def list_champions(session: Session, limit: int) -> list[tuple[int, ModelRow, VersionRow]]:
    """Return (project, model, champion) of every project's models, the newest champions first."""
    query = (
        select(ModelRow.project_id, ModelRow, VersionRow)
        .join(VersionRow, (VersionRow.model_pk == ModelRow.pk) & (VersionRow.number == ModelRow.champion))
        .order_by(VersionRow.created_at.desc())
        .limit(limit)
    )
    return [(project_id, model, row) for project_id, model, row in session.execute(query)]


def list_version_numbers(session: Session, models: list[ModelRow]) -> dict[int, list[int]]:
    """Return {model_pk: numbers of its versions, ascending}."""
    query = (
        select(VersionRow.model_pk, VersionRow.number)
        .where(VersionRow.model_pk.in_([m.pk for m in models]))
        .order_by(VersionRow.number)
    )
    numbers: dict[int, list[int]] = {m.pk: [] for m in models}
    for pk, number in session.execute(query):
        numbers[pk].append(number)
    return numbers


def list_serving_revisions(session: Session, models: Sequence[ModelRow]) -> dict[int, int]:
    """Return {model_pk: the revision of its champion that serves}, without the models that have no champion."""
    query = (
        select(ModelRow.pk, VersionRow.revision)
        .join(VersionRow, (VersionRow.model_pk == ModelRow.pk) & (VersionRow.number == ModelRow.champion))
        .where(ModelRow.pk.in_([m.pk for m in models]))
    )
    return dict(session.execute(query).all())


def list_versions(session: Session, model: ModelRow, cursor: str | None, limit: int) -> Page[VersionRow]:
    """Return a model's versions, newest first. Raises CursorError."""
    query = select(VersionRow).where(VersionRow.model_pk == model.pk).order_by(VersionRow.number.desc())
    if cursor is not None:
        query = query.where(VersionRow.number < decode_cursor(cursor, int)[0])
    rows = list(session.execute(query.limit(limit + 1)).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].number) if len(rows) > limit else None)


def list_artifacts(session: Session, model: ModelRow) -> list[str]:
    """Return the folders of all of a model's versions and their revisions."""
    rows = session.execute(select(VersionRow.pk, VersionRow.artifact).where(VersionRow.model_pk == model.pk)).all()
    of_revisions = revisions.list_artifacts(session, [pk for pk, _ in rows])
    return sorted({*of_revisions, *(folder for _, folder in rows)})


def find_referenced(session: Session, folders: Collection[str]) -> set[str]:
    """Return which of these folders a version or a revision points to."""
    names = list(folders)
    referenced = set[str]()
    for start in range(0, len(names), CHUNK):
        query = select(VersionRow.artifact).where(VersionRow.artifact.in_(names[start : start + CHUNK]))
        referenced.update(session.execute(query).scalars())
    return referenced | revisions.find_referenced(session, names)


def publish(session: Session, model: ModelRow, fields: dict[str, Any]) -> VersionRow:
    """Insert the next version of a locked model, and make it the champion if it is promoted."""
    model.last_version += 1
    row = VersionRow(model_pk=model.pk, number=model.last_version, **fields)
    session.add(row)
    if row.promoted:
        model.champion = row.number
    session.flush()
    return row
