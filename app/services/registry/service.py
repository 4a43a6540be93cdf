"""Models and their versions: listing, promoting and deleting them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode
from app.scope import Scope
from app.services.audit import record
from app.services.jobs.documents import parse_cleaning, parse_warm_start
from app.services.paging import convert_cursor_errors
from app.services.registry.builtin import (
    BUILTIN,
    NUMBER,
    describe_builtin,
    describe_builtin_version,
    find_config,
    parse_builtin_name,
)
from app.services.registry.loader import VersionLoader
from app.services.registry.lookup import is_builtin, require_model, require_revision, require_version
from app.services.series.ids import check_frequency
from app.services.series.service import require_series
from app.storage import alerts, jobs, registry, revisions, schedules
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import ModelRow, RevisionRow, Schedule, VersionRow
from models.calendar.frequency import Frequency, parse_frequency, share_dates
from models.calendar.timestamps import format_stamp

LISTED_REVISIONS = 100
"""newest revisions that a version names"""


def describe_model(
    row: ModelRow, versions: list[int], revision: int | None, schedule: Schedule | None
) -> dict[str, Any]:
    """Return a model as clients see it. `revision` is that of the champion."""
    return {
        "name": row.name,
        "builtin": parse_builtin_name(row.name) is not None,
        "freq": row.freq,
        "horizon": row.horizon,
        "quantiles": row.quantiles,
        "champion": row.champion,
        "revision": revision,
        "versions": versions,
        "schedule": describe_schedule(schedule),
        "created_at": format_stamp(row.created_at, "UTC"),
    }


def describe_schedule(row: Schedule | None) -> dict[str, Any] | None:
    """Return a schedule as clients see it."""
    if row is None:
        return None
    return {
        "train": row.train,
        "refresh": row.refresh,
        "forecast": row.forecast,
        "timezone": row.timezone,
        "train_on_drift": row.train_on_drift,
        "next_train": format_stamp(row.train_at, row.timezone),
        "next_refresh": format_stamp(row.refresh_at, row.timezone),
        "next_forecast": format_stamp(row.forecast_at, row.timezone),
    }


def describe_versions(session: Session, model: ModelRow, rows: Sequence[VersionRow]) -> list[dict[str, Any]]:
    """Return versions of a model as clients see them."""
    newest = revisions.list_newest(session, rows, LISTED_REVISIONS)
    return [_describe_version(model, row, newest[row.pk]) for row in rows]


def _describe_version(model: ModelRow, row: VersionRow, made: Sequence[RevisionRow]) -> dict[str, Any]:
    return {
        "model": model.name,
        "version": row.number,
        "revision": row.revision,
        "revisions": [_describe_revision(revision) for revision in made],
        "promoted": row.promoted,
        "reason": row.reason,
        "warnings": row.warnings,
        "config": row.config,
        "metrics": row.metrics,
        "loss_curve": row.loss_curve,
        "data_span": row.data_span,
        "cleaning": describe_cleaning(row),
        "job": row.job_id if find_config(row.artifact) is None else None,
        "provenance": {name: value for name, value in row.provenance.items() if name != "cleaning"},
        "created_at": format_stamp(row.created_at, "UTC"),
    }


def _describe_revision(row: RevisionRow) -> dict[str, Any]:
    return {
        "revision": row.number,
        "created_at": format_stamp(row.created_at, "UTC"),
        "data_end": format_stamp(row.data_end, "UTC"),
        "promoted": row.promoted,
        "reason": row.reason,
        "metrics": row.metrics,
        "can_serve": row.artifact is not None,
        "job": row.job_id,
    }


def describe_cleaning(row: VersionRow) -> dict[str, Any]:
    """Return the cleaning that was asked for, and what it did; a version of an earlier release was not cleaned."""
    cleaning = parse_cleaning(row.config)
    aggregate = cleaning.aggregate
    nothing = {"total": 0, "most": 0, "series": 0}
    done = row.provenance.get("cleaning") or {"filled": nothing, "clipped": nothing, "refused": []}
    return {
        "gaps": cleaning.gaps,
        "outliers": cleaning.outliers,
        "aggregate": {"freq": aggregate.freq, "by": aggregate.by} if aggregate is not None else None,
        "max_filled": cleaning.max_filled,
        **done,
    }


def _check_unused(session: Session, scope: Scope, name: str, number: int | None = None) -> None:
    """Raise Conflict where an active training starts from the version, or from any version of the model."""
    for job in jobs.list_active(session, scope):
        start = parse_warm_start(job.request)
        if start is not None and start[0] == name and number in (None, start[1]):
            detail = f"the job {job.id} starts from {name}@{start[1]}; wait for it, or POST /jobs/{job.id}/cancel"
            raise Conflict(ErrorCode.model_in_use, detail)


def _spell(session: Session, scope: Scope, wanted: Frequency) -> list[str]:
    """Return the frequencies of models that have the dates of one."""
    return [freq for freq in registry.list_frequencies(session, scope) if share_dates(parse_frequency(freq), wanted)]


def _insert_builtin(page: Page[dict[str, Any]], cursor: str | None, limit: int) -> Page[dict[str, Any]]:
    """Return a page of models with the built-in one, if that is its place in the order of their names."""
    after = str(decode_cursor(cursor, str)[0]) if cursor is not None else ""
    items = page.items
    if after >= BUILTIN or (page.next_cursor is not None and items[-1]["name"] < BUILTIN):
        return page
    items = sorted([*items, describe_builtin()], key=lambda model: model["name"])
    has_more = page.next_cursor is not None or len(items) > limit
    return Page(items[:limit], encode_cursor(items[limit - 1]["name"]) if has_more else None)


class ModelService:
    """The operations behind the model routes."""

    def __init__(self, database: Database, store: ArtifactStore, versions: VersionLoader) -> None:
        self._database = database
        self._store = store
        self._versions = versions

    def list(
        self, scope: Scope, series_id: str | None, freq: str | None, cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return a page of models in the order of their names: all, or those trained on a series, or of a frequency.

        Raises NotFound for an unknown series, and Invalid for an unknown frequency or cursor.
        """
        wanted = None if freq is None else parse_frequency(check_frequency(freq))
        with self._database.read() as session, convert_cursor_errors():
            trained_on = None if series_id is None else require_series(session, scope, series_id).id
            freqs = None if wanted is None else _spell(session, scope, wanted)
            rows = registry.list_page(session, scope, trained_on, freqs, cursor, limit)
            numbers = registry.list_version_numbers(session, rows.items)
            schedule_of = schedules.get_many(session, rows.items)
            serving = registry.list_serving_revisions(session, rows.items)
            models = [
                describe_model(row, numbers[row.pk], serving.get(row.pk), schedule_of.get(row.pk)) for row in rows.items
            ]
            page = Page(models, rows.next_cursor)
            is_whole = series_id is None and freq is None
            if not is_whole or not is_builtin(session, scope, BUILTIN):
                return page
            return _insert_builtin(page, cursor, limit)

    def get(self, scope: Scope, name: str) -> dict[str, Any]:
        """Return one model. Raises NotFound."""
        with self._database.read() as session:
            if is_builtin(session, scope, name):
                return describe_builtin()
            row = require_model(session, scope, name)
            numbers = registry.list_version_numbers(session, [row])[row.pk] if row.pk else [NUMBER]
            revision = registry.list_serving_revisions(session, [row]).get(row.pk)
            return describe_model(row, numbers, revision, schedules.get(session, row.pk))

    def list_versions(self, scope: Scope, name: str, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """Return a page of a model's versions, newest first. Raises NotFound, and Invalid for an unknown cursor."""
        with self._database.read() as session, convert_cursor_errors():
            if is_builtin(session, scope, name):
                return Page([describe_builtin_version()], None)
            model = require_model(session, scope, name)
            if not model.pk:
                return Page(describe_versions(session, model, [require_version(session, model, NUMBER)]), None)
            rows = registry.list_versions(session, model, cursor, limit)
            return Page(describe_versions(session, model, rows.items), rows.next_cursor)

    def get_version(self, scope: Scope, name: str, number: int) -> dict[str, Any]:
        """Return one version. Raises NotFound."""
        with self._database.read() as session:
            if number == NUMBER and is_builtin(session, scope, name):
                return describe_builtin_version()
            model = require_model(session, scope, name)
            return describe_versions(session, model, [require_version(session, model, number)])[0]

    def promote(self, scope: Scope, name: str, number: int, revision: int | None) -> dict[str, Any]:
        """Make a version the champion, as one of its revisions or as the one that serves, and return the model.

        The version is loaded first, so no forecast waits for the switch. Raises NotFound, and Unavailable for a
        version that cannot be loaded.
        """
        with self._database.read() as session:
            model = require_model(session, scope, name)
            chosen = require_revision(session, model, require_version(session, model, number), revision)
        self._versions.get(scope, chosen)
        with self._database.write() as session:
            model = require_model(session, scope, name, lock=True)
            row = require_version(session, model, number)
            before = {"version": model.champion}
            revisions.serve(row, require_revision(session, model, row, revision))
            model.champion = row.number
            record(session, scope, "champion.set", name, before=before, after={"version": number, "revision": revision})
        return self.get(scope, name)

    def delete_version(self, scope: Scope, name: str, number: int) -> None:
        """Delete a version, then its files. Raises NotFound, and Conflict for one that is in use."""
        with self._database.write() as session:
            model = require_model(session, scope, name, lock=True)
            row = require_version(session, model, number)
            if model.champion == number:
                detail = f"version {number} is live; PUT /models/{name}/champion with another one first"
                raise Conflict(ErrorCode.version_is_champion, detail)
            _check_unused(session, scope, name, number)
            artifacts = {row.artifact, *revisions.list_artifacts(session, [row.pk])}
            record(session, scope, "version.delete", f"{name}@{number}", before={"model": name, "version": number})
            session.delete(row)
        for artifact in artifacts:
            self._store.remove(artifact)

    def delete(self, scope: Scope, name: str) -> None:
        """Delete a model with its versions, then their files. Raises NotFound, and Conflict while it is in use."""
        with self._database.write() as session:
            model = require_model(session, scope, name, lock=True)
            active = jobs.count_active(session, model.pk)
            if active:
                detail = f"{active} of its jobs are queued or running; wait for them, or POST /jobs/{{id}}/cancel"
                raise Conflict(ErrorCode.model_in_use, detail)
            _check_unused(session, scope, name)
            artifacts = registry.list_artifacts(session, model)
            numbers = registry.list_version_numbers(session, [model])[model.pk]
            record(session, scope, "model.delete", name, before={"model": name, "versions": numbers})
            session.delete(model)
            alerts.wake(session, scope, alerts.OF_MODELS, name)
        for artifact in artifacts:  # not their common folder: another model may get the same key
            self._store.remove(artifact)
