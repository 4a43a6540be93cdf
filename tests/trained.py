"""A small trained version, made once a session, and put into any test's database and store."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.config import Settings
from app.storage import jobs, keys, models
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from models.defaults import choose
from models.export import export
from models.fit import Fitted, fit
from models.windows import Panel

HORIZON = 12
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Trained:
    """A version's files, and what made them."""

    folder: Path
    fitted: Fitted
    panel: Panel

    @property
    def digest(self) -> str:
        return hashlib.sha256((self.folder / "manifest.json").read_bytes()).hexdigest()


def values(n: int = 400, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return hourly values with a daily season and noise."""
    t = np.arange(n)
    return 20 + 6 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(seed).normal(0, 0.5, n)


def train(folder: Path) -> Trained:
    """Fit and export a small version."""
    panel = Panel.from_arrays({"a": values()}, freq="h", start="2024-01-01")
    config = choose("h", HORIZON, LEVELS, [400], {"hidden": 16}, {"epochs": 2, "steps_per_epoch": 20})
    fitted = fit(panel, config)
    export(fitted, folder)
    return Trained(folder, fitted, panel)


def publish(database: Database, settings: Settings, trained: Trained, name: str = "m", *, promoted: bool = True) -> int:
    """Publish a version as a training job would; return its number."""
    store = ArtifactStore(settings.artifacts)
    with database.write() as session:
        scope = keys.default_scope(session)
        model = models.get(session, scope, name) or models.add(session, scope, name, "h", HORIZON, list(LEVELS))
        job_id = f"{name}{model.last_version}"
        jobs.add(session, scope, id=job_id, kind="train", model_pk=model.pk, model=name, request={})
        artifact = f"{scope.project_id}/models/{model.pk}/{job_id}"
        fields: dict[str, Any] = {
            "job_id": job_id,
            "promoted": promoted,
            "reason": "test",
            "config": trained.fitted.config.to_dict(),
            "metrics": {},
            "loss_curve": {"train": [], "val": []},
            "data_span": {"start": "", "end": "", "series": ["a"]},
            "warnings": [],
            "artifact": artifact,
            "digest": trained.digest,
        }
        number = models.publish(session, model, fields).number
    for file in trained.folder.iterdir():
        store.put(f"{artifact}/{file.name}", file.read_bytes())
    return number
