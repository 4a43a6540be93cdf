"""Small trained versions, made once a session, and put into any test's database and store."""

import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from safetensors.numpy import load_file, save_file

from app.config import Settings
from app.storage import jobs, keys, registry, revisions
from app.storage.artifacts import ArtifactStore, version_folder
from app.storage.engine import Database
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.data.series import Panel, Series
from models.export.export import export
from models.inference.published import FORMAT, GOLDEN, GRAPH, MANIFEST
from models.planning.defaults import default_config, default_config_for_lengths
from models.training.fit import fit
from models.training.fitted import Fitted
from tests.kept import GRAPHS, alone

HORIZON = 12
LEVELS = (0.1, 0.5, 0.9)
REFRESHED_UNTIL = 1_705_503_600_000_000
"""2024-01-17T15:00:00Z, when the series of `values` end"""


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
    config = default_config_for_lengths(
        "h", HORIZON, LEVELS, [400], {"hidden": 16}, {"epochs": 2, "steps_per_epoch": 20}
    )
    fitted = fit(panel, config)
    with alone():
        export(fitted, folder, GRAPHS)
    return Trained(folder, fitted, panel)


def altered(trained: Trained, folder: Path, factor: float = 1.1) -> Trained:
    """Return a version whose forecasts are those of another one times a factor; training one would take longer."""
    graph = onnx.load(trained.folder / GRAPH)
    golden = load_file(trained.folder / GOLDEN)
    for output in graph.graph.output:
        before, multiplier = f"{output.name}_before", f"{output.name}_factor"
        for node in graph.graph.node:
            node.input[:] = [before if name == output.name else name for name in node.input]
            node.output[:] = [before if name == output.name else name for name in node.output]
        kind = onnx.helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
        graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(factor, kind), multiplier))
        graph.graph.node.append(onnx.helper.make_node("Mul", [before, multiplier], [output.name]))
        golden[output.name] = golden[output.name] * factor
    shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
    onnx.save(graph, folder / GRAPH)
    save_file(golden, folder / GOLDEN, metadata={"format": FORMAT})
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in (GRAPH, GOLDEN):
        manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return Trained(folder, trained.fitted, trained.panel)


def beside(n: int, seed: int = 0) -> dict[str, list[Any]]:
    """Return n hours of covariates, the same whatever comes after: `temp` and the text `day` move the target."""
    temp, day, flow = (np.random.default_rng([seed, k]) for k in range(3))
    t = np.arange(n)
    return {
        "temp": np.round(10 + 4 * np.sin(2 * np.pi * t / 100) + temp.normal(0, 2, n), 3).tolist(),
        "day": np.where(day.random(n // 24 + 1) < 0.3, "free", "work")[t // 24].tolist(),
        "flow": np.round(flow.normal(5, 1, n), 3).tolist(),
    }


def moved(n: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return n hourly values that `beside` moves."""
    columns = beside(n, seed)
    return values(n, seed) + 2 * np.array(columns["temp"]) - 5 * (np.array(columns["day"]) == "free")


STATIC: dict[str, dict[str, float | str]] = {"a": {"size": 3.0, "kind": "dock"}, "b": {"size": 7.0, "kind": "hall"}}


def train_beside(folder: Path) -> Trained:
    """Fit and export a small version that reads covariates of every role and kind, holidays and bounds."""
    frequency = parse_frequency("h")
    grid = Grid(frequency, "UTC", 1_704_067_200_000_000)  # 2024-01-01
    series = []
    for seed, (name, static) in enumerate(STATIC.items()):
        columns = beside(400 + HORIZON, seed)
        found = {k: np.array(v, object if k == "day" else np.float64) for k, v in columns.items()}
        series.append(Series(name, moved(400, seed), grid, covariates=found, static=static))
    panel = Panel(frequency, tuple(series))
    config = default_config(
        panel,
        HORIZON,
        LEVELS,
        known_future=("temp", "day"),
        past=("flow",),
        static=("size", "kind"),
        country="DE",
        bounds=(-10.0, 80.0),
        network={"hidden": 16, "linear": True, "ets": False, "anchor": 0.0},
        training={"epochs": 2, "steps_per_epoch": 20},
    )
    fitted = fit(panel, config)
    with alone():
        export(fitted, folder, GRAPHS)
    return Trained(folder, fitted, panel)


def publish(
    database: Database,
    settings: Settings,
    trained: Trained,
    name: str = "m",
    *,
    promoted: bool = True,
    ended: bool = False,
) -> int:
    """Publish a version as a training job would; return its number. A job that has ended lets the model be deleted."""
    store = ArtifactStore(settings.artifacts)
    with database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, name) or registry.add(session, scope, name, "h", HORIZON, list(LEVELS))
        job_id = uuid.uuid4().hex if ended else f"{name}{model.last_version}"
        job = jobs.add(session, scope, id=job_id, kind="train", model_pk=model.pk, model=name, request={})
        job.status = "succeeded" if ended else job.status
        artifact = f"{scope.project_id}/models/{model.pk}/{job_id}"
        fields: dict[str, Any] = {
            "job_id": job_id,
            "promoted": promoted,
            "reason": "test",
            "config": trained.fitted.config.to_dict(),
            "metrics": {},
            "loss_curve": {"train": [], "val": []},
            "data_span": {
                "start": "2024-01-01T00:00:00+00:00",
                "end": "2024-01-17T15:00:00+00:00",
                "series": [item.id for item in trained.panel.series],
            },
            "warnings": [],
            "artifact": artifact,
            "digest": trained.digest,
        }
        for file in trained.folder.iterdir():
            store.put(f"{artifact}/{file.name}", file.read_bytes())
        return registry.publish(session, model, fields).number


def publish_revision(
    database: Database,
    settings: Settings,
    trained: Trained,
    name: str = "m",
    *,
    version: int = 1,
    promoted: bool = True,
) -> int:
    """Publish a revision of a version as a refresh would; return its number."""
    store = ArtifactStore(settings.artifacts)
    with database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, name, lock=True)
        row = registry.get_version(session, model, version) if model is not None else None
        assert model is not None
        assert row is not None
        job = jobs.add(session, scope, id=uuid.uuid4().hex, kind="refresh", model_pk=model.pk, model=name, request={})
        job.status = "succeeded"
        artifact = version_folder(scope.project_id, model.pk, job.id, 1)
        for file in trained.folder.iterdir():
            store.put(f"{artifact}/{file.name}", file.read_bytes())
        fields: dict[str, Any] = {
            "job_id": job.id,
            "promoted": promoted,
            "reason": "test",
            "metrics": {"refreshed": {"mae": 1.0}, "before": {"mae": 1.1}},
            "data_end": REFRESHED_UNTIL,
            "artifact": artifact,
            "digest": trained.digest,
        }
        return revisions.add(session, row, fields).number
