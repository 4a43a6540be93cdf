"""The files of what a job publishes, in the artifact store. Every attempt has a folder of its own."""

from pathlib import Path

from app.services.runs.attempt import Attempt
from app.storage.artifacts import version_folder
from app.storage.tables import ModelRow
from models.inference.published import MANIFEST, sha256_of


def upload(attempt: Attempt, model: ModelRow, folder: Path) -> dict[str, str]:
    """Store the files of an exported version; return their `artifact` folder and the manifest's `digest`.

    Raises ArtifactError.
    """
    target = _find_folder(attempt, model, attempt.fence.attempt)
    for file in sorted(folder.iterdir()):
        attempt.store.put(f"{target}/{file.name}", file.read_bytes())
    return {"artifact": target, "digest": sha256_of((folder / MANIFEST).read_bytes())}


def clean(attempt: Attempt, model: ModelRow) -> None:
    """Remove what a job has left for a next attempt, and what earlier attempts have stored but did not publish."""
    attempt.store.remove(attempt.folder)
    for number in range(1, attempt.fence.attempt):
        attempt.store.remove(_find_folder(attempt, model, number))


def _find_folder(attempt: Attempt, model: ModelRow, number: int) -> str:
    return version_folder(attempt.job.project_id, model.pk, attempt.job.id, number)
