"""Revisions: which one serves, whose files are kept, and what goes with a version."""

from typing import Any

import pytest

from app.scope import Scope
from app.storage import jobs, keys, registry, revisions
from app.storage.engine import Database
from app.storage.tables import RevisionRow, VersionRow


@pytest.fixture
def scope(database: Database) -> Scope:
    with database.read() as session:
        return keys.get_default_scope(session)


@pytest.fixture
def version(database: Database, scope: Scope) -> int:
    """The key of a version."""
    with database.write() as session:
        model = registry.add(session, scope, "m", "h", 1, [0.5])
        jobs.add(session, scope, id="m0", kind="train", model_pk=model.pk, model="m", request={})
        fields: dict[str, Any] = {"promoted": True, "reason": "", "config": {}, "metrics": {}, "warnings": []}
        fields |= {"loss_curve": {}, "data_span": {}, "job_id": "m0", "artifact": "folder0", "digest": "digest0"}
        return registry.publish(session, model, fields).pk


def add(database: Database, version: int, *, promoted: bool = True, empty: bool = False) -> int:
    """Add the next revision, in the folder of its number."""
    with database.write() as session:
        row = session.get_one(VersionRow, version)
        number = row.revision + 1 if promoted else 99
        files = {} if empty else {"artifact": f"folder{number}", "digest": f"digest{number}"}
        fields: dict[str, Any] = {"promoted": promoted, "reason": "r", "metrics": {}, "data_end": 1, **files}
        return revisions.add(session, row, fields).number


def read(database: Database, version: int, number: int) -> tuple[int, str, str] | None:
    """Return the files of a revision."""
    with database.read() as session:
        files = revisions.get_files(session, session.get_one(VersionRow, version), number)
        return (files.revision, files.artifact, files.digest) if files is not None else None


def test_before_a_refresh_there_is_the_version_as_it_was_trained(database: Database, version: int) -> None:
    assert read(database, version, 0) == (0, "folder0", "digest0")
    assert read(database, version, 1) is None
    with database.read() as session:
        row = session.get_one(VersionRow, version)
        assert revisions.list_newest(session, [row], 9) == {version: []}
        assert revisions.get(session, row, 0) is None


def test_a_promoted_revision_serves_and_the_one_before_is_kept(database: Database, version: int) -> None:
    assert add(database, version) == 1
    with database.read() as session:
        row = session.get_one(VersionRow, version)
        assert (row.revision, row.artifact, row.digest) == (1, "folder1", "digest1")
    assert read(database, version, 0) == (0, "folder0", "digest0")
    assert add(database, version, promoted=False) == 2
    assert add(database, version, promoted=True, empty=True) == 3
    with database.read() as session:
        row = session.get_one(VersionRow, version)
        assert (row.revision, row.artifact) == (1, "folder1"), "neither one that lost nor one without files serves"
        (made,) = revisions.list_newest(session, [row], 2).values()
        assert [one.number for one in made] == [2, 3], "the newest two, without the one as it was trained"
    assert read(database, version, 3) is None


def test_an_undone_revision_is_counted_on(database: Database, version: int) -> None:
    add(database, version)
    with database.write() as session:
        row = session.get_one(VersionRow, version)
        trained = revisions.get_files(session, row, 0)
        assert trained is not None
        revisions.serve(row, trained)
    with database.read() as session:
        row = session.get_one(VersionRow, version)
        assert (row.revision, row.artifact, row.digest) == (0, "folder0", "digest0")
    assert add(database, version, promoted=False) == 2
    assert read(database, version, 1) == (1, "folder1", "digest1")


def test_old_files_are_let_go_but_for_those_that_may_be_needed(database: Database, version: int) -> None:
    for _ in range(5):
        add(database, version)
    with database.write() as session:
        row = session.get_one(VersionRow, version)
        second = revisions.get_files(session, row, 2)
        assert second is not None
        revisions.serve(row, second)
    with database.write() as session:
        assert revisions.forget_old(session, session.get_one(VersionRow, version), 1) == [
            "folder4",
            "folder3",
            "folder1",
        ]
    kept = [number for number in range(6) if read(database, version, number) is not None]
    assert kept == [0, 2, 5], "the trained one, the one that serves, and the newest"
    with database.read() as session:
        row = session.get_one(VersionRow, version)
        assert [one.number for one in revisions.list_newest(session, [row], 9)[version]] == [1, 2, 3, 4, 5]
        folders = [f"folder{n}" for n in range(6)]
        assert registry.find_referenced(session, folders) == {"folder0", "folder2", "folder5"}


def test_revisions_go_with_their_version(database: Database, version: int, scope: Scope) -> None:
    add(database, version)
    add(database, version)
    with database.write() as session:
        model = registry.get(session, scope, "m")
        assert model is not None
        assert registry.list_artifacts(session, model) == ["folder0", "folder1", "folder2"]
        session.delete(session.get_one(VersionRow, version))
    with database.read() as session:
        assert session.query(RevisionRow).count() == 0
