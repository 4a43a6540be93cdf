"""Which files are removed: those of ended jobs that no version points to, and nothing else."""

import pytest
from sqlalchemy import select

from app.config import Settings
from app.scope import Scope
from app.services.jobs.garbage import collect_garbage, sweep_archive
from app.storage import archive, jobs, keys, registry, revisions, series
from app.storage.artifacts import ArtifactStore, job_folder, result_folder, version_folder
from app.storage.clock import now
from app.storage.engine import Database
from app.storage.tables import ArchivedForecast
from tests.services.stored import claimed


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.artifacts)


@pytest.fixture
def scope(database: Database) -> Scope:
    with database.read() as session:
        return keys.get_default_scope(session)


def job(database: Database, scope: Scope, name: str, status: str) -> None:
    """Make a job with this status."""
    with database.write() as session:
        jobs.add(session, scope, id=name, kind="train", request={})
    if status == "queued":
        return
    fence = claimed(database, name)
    with database.write() as session:
        if status == "cancelled":
            assert jobs.cancel(session, scope, name)
        elif status != "running":
            jobs.finish(session, fence, status)


def left(store: ArtifactStore, scope: Scope, name: str) -> list[str]:
    """Write what a job leaves for its next attempt, and the version files of two attempts; return the folders."""
    folders = [job_folder(scope.project_id, name), *(version_folder(scope.project_id, 7, name, n) for n in (1, 2))]
    for folder in folders:
        store.put(f"{folder}/graph.onnx", b"x")
    return folders


def there(store: ArtifactStore, folder: str) -> bool:
    return store.list_names(folder) == ["graph.onnx"]


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_files_of_ended_jobs_are_removed(database: Database, store: ArtifactStore, scope: Scope, status: str) -> None:
    job(database, scope, "ended", status)
    folders = left(store, scope, "ended")
    assert sorted(collect_garbage(database, store)) == sorted(folders)
    assert not any(there(store, folder) for folder in folders)
    assert collect_garbage(database, store) == []


@pytest.mark.parametrize(("status", "stays"), [("running", True), ("succeeded", True), ("failed", False)])
@pytest.mark.one_database
def test_the_results_of_jobs_stay_unless_they_failed(
    database: Database, store: ArtifactStore, scope: Scope, status: str, stays: bool
) -> None:
    job(database, scope, "judged", status)
    folder = result_folder(scope.project_id, "judged")
    store.put(f"{folder}/graph.onnx", b"x")
    assert collect_garbage(database, store) == ([] if stays else [folder])
    assert there(store, folder) == stays


@pytest.mark.parametrize("status", ["queued", "running"])
def test_files_of_jobs_under_way_stay(database: Database, store: ArtifactStore, scope: Scope, status: str) -> None:
    job(database, scope, "active", status)
    folders = left(store, scope, "active")
    assert collect_garbage(database, store) == []
    assert all(there(store, folder) for folder in folders)


def test_files_of_unknown_jobs_stay(database: Database, store: ArtifactStore, scope: Scope) -> None:
    """The store may be shared with another database, and hold what is not ours at all."""
    folders = left(store, scope, "elsewhere")
    job(database, scope, "ended", "failed")
    for path in ("1/models/7/readme", "1/jobs/notes", "backup/graph.onnx", "1/models/7/ended", "1/other/ended-1/x"):
        store.put(f"{path}/graph.onnx", b"x")
        folders.append(path)
    assert collect_garbage(database, store) == []
    assert all(there(store, folder) for folder in folders)


def test_the_files_of_a_version_stay_and_those_of_its_jobs_other_attempts_go(
    database: Database, store: ArtifactStore, scope: Scope
) -> None:
    job(database, scope, "j", "succeeded")
    resumed, first, second = left(store, scope, "j")
    with database.write() as session:
        model = registry.add(session, scope, "m", "h", 12, [0.5])
        row = registry.publish(session, model, FIELDS | {"job_id": "j", "artifact": second})
    assert sorted(collect_garbage(database, store)) == sorted([resumed, first])
    assert there(store, second)
    with database.write() as session:
        session.delete(session.merge(row))
    assert collect_garbage(database, store) == [second]


def test_the_files_of_revisions_stay_until_they_are_let_go(
    database: Database, store: ArtifactStore, scope: Scope
) -> None:
    job(database, scope, "j", "succeeded")
    resumed, first, second = left(store, scope, "j")
    fields = {"promoted": True, "reason": "", "metrics": {}, "data_end": None, "digest": ""}
    with database.write() as session:
        model = registry.add(session, scope, "m", "h", 12, [0.5])
        version = registry.publish(session, model, FIELDS | {"job_id": "j", "artifact": first})
        revisions.add(session, version, {**fields, "artifact": second})
        revisions.add(session, version, {**fields, "artifact": "1/models/7/other-1"})
    assert collect_garbage(database, store) == [resumed], "the version as it was trained is a revision, too"
    with database.write() as session:
        assert revisions.forget_old(session, session.merge(version), 0) == [second]
    assert collect_garbage(database, store) == [second], "whoever let it go may have died before it was removed"
    assert there(store, first)


FIELDS = {
    "promoted": False,
    "reason": "",
    "config": {},
    "metrics": {},
    "loss_curve": {},
    "data_span": {},
    "warnings": [],
    "digest": "",
}


def test_many_folders_are_asked_for_in_parts(database: Database, store: ArtifactStore, scope: Scope) -> None:
    with database.write() as session:
        for number in range(jobs.CHUNK + 2):
            row = jobs.add(session, scope, id=f"j{number}", kind="train", request={})
            row.status = "failed" if number % 2 else "running"
    for number in range(jobs.CHUNK + 2):
        store.put(f"{job_folder(scope.project_id, f'j{number}')}/x", b"")
    assert len(collect_garbage(database, store)) == (jobs.CHUNK + 2) // 2


def test_archived_forecasts_are_kept_for_days(database: Database, scope: Scope) -> None:
    with database.write() as session:
        model = registry.add(session, scope, "m", "h", 12, [0.5])
        series.add(session, scope, [{"id": "a", "freq": "h", "timezone": "UTC", "labels": {}, "static": {}}])
        one = series.get(session, scope, "a")
        assert one is not None
        moment = now(session)
        told = {"version": 1, "series_version": 1, "scale": None, "forecast": {}, "model_pk": model.pk}
        ages = {0: 1.0, 1: 29.9, 2: 30.1, 3: 400.0}
        rows = [
            {**told, "series_pk": one.pk, "origin": origin, "made_at": moment - int(days * 86_400_000_000)}
            for origin, days in ages.items()
        ]
        assert archive.add(session, rows) == 4
    sweep_archive(database, 30.0)
    with database.read() as session:
        left_over = session.execute(select(ArchivedForecast.origin)).scalars().all()
        assert sorted(left_over) == [0, 1]
