"""What benchmarks.serving serves: hourly series made of the carried bike sharing counts, a model, and copies of it."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray

from app.config import Settings
from app.storage import jobs, keys, registry
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.tables import ModelRow, VersionRow
from benchmarks.serving_servers import ROOT, NotMeasured, Place, Server, cores, running, until

MODEL, LSTM, HORIZON, LEVELS = "bench", "one-lstm", 24, (0.1, 0.5, 0.9)
NETWORKS: Mapping[str, Mapping[str, Any]] = {
    MODEL: {},
    LSTM: {
        "context_length": 168,
        "segment": 24,
        "hidden": 64,
        "layers": 2,
        "lookbacks": [168],
        "basis": False,
        "linear": False,
        "smoothing": 0,
    },
}
"""what is said of each model's network: nothing, so that the service chooses; and one LSTM that reads a week by days"""
STEPS, TRAINED, FEW, MANY = 400, 200, 500, 10_000
"""hours of a series, series that the model is trained on, stored for most rows and for the others"""
AT_ONCE = 500
FIRST = np.datetime64("2026-01-01T00", "h")
COPIED = ("config", "metrics", "loss_curve", "data_span", "warnings", "provenance")
GRAPH, MANIFEST = "graph.onnx", "manifest.json"


def name_of(number: int) -> str:
    """Return the id of a series."""
    return f"station/{number:05d}"


def values(number: int) -> NDArray[np.float64]:
    """Return (STEPS,) hourly values: a stretch of the bike sharing counts, scaled, shifted and with noise."""
    random = np.random.default_rng(number)
    counts = _counts()
    start = int(random.integers(0, len(counts) - STEPS))
    stretch = counts[start : start + STEPS] * random.uniform(0.2, 5) + random.uniform(0, 100)
    return np.round(np.maximum(stretch + random.normal(0, 0.03 * stretch.std(), STEPS), 0), 2)


def stamps(n: int = STEPS) -> list[str]:
    """Return n hourly timestamps."""
    return [f"{t}:00:00Z" for t in np.datetime_as_string(FIRST + np.arange(n))]


def body(*numbers: int, model: str = MODEL) -> dict[str, Any]:
    """Return the request of a forecast of some series."""
    return {"model": model, "series": [name_of(i) for i in numbers], "horizon": HORIZON, "quantiles": list(LEVELS)}


def prepare(place: Place, series: int) -> None:
    """Store so many series and train the models, unless the folder holds them from an earlier run."""
    migrated(place)
    state = place.folder / "prepared.json"
    stored = json.loads(state.read_text())["series"] if state.exists() else 0
    untrained = [model for model in NETWORKS if not has(place, model)]
    if stored >= series and not untrained:
        return
    command = [sys.executable, "-m", "app", "up", "--port"]
    with running("up", command, ",".join(cores()), place.folder, place.environment) as server:
        until(lambda: place.ask(server, "GET", "/readyz").status == 200, 120, "Gatecast is ready")
        for at in range(stored, series, AT_ONCE):
            _say(f"series {at} of {series}")
            store(place, server, range(at, min(series, at + AT_ONCE)))
        for model in untrained:
            train(place, server, model)
    state.write_text(json.dumps({"series": max(stored, series)}))
    _say("")


@lru_cache
def migrated(place: Place) -> None:
    """Bring the database up to this release: the folder may be an older one's. Raises NotMeasured."""
    command = [sys.executable, "-m", "app", "migrate"]
    done = subprocess.run(
        command, env={**os.environ, **place.environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotMeasured(f"the migration failed: {done.stderr.strip()[-300:]}")


def store(place: Place, server: Server, numbers: range) -> None:
    """Import series."""
    at = stamps()
    frames = [pd.DataFrame({"unique_id": name_of(i), "ds": at, "y": values(i)}) for i in numbers]
    table = pd.concat(frames).to_csv(index=False).encode()
    answer = place.ask(server, "POST", "/series/import?freq=h", table, **{"Content-Type": "text/csv"})
    if answer.status != 200:
        raise NotMeasured(f"the import failed: {answer.body[:300].decode(errors='replace')}")


def train(place: Place, server: Server, model: str) -> None:
    """Train a model for two epochs."""
    request = {
        "model": model,
        "network": NETWORKS[model],
        "series": {"ids": [name_of(i) for i in range(TRAINED)]},
        "horizon": HORIZON,
        "quantiles": list(LEVELS),
        "training": {"epochs": 2},
        "promote": "always",
    }
    path = f"/jobs/{place.call(server, 'POST', '/train', request)['id']}"
    while (job := place.call(server, "GET", path))["status"] in {"queued", "running"}:
        _say(f"training {job['progress']['fraction'] or 0:4.0%}")
        time.sleep(0.5)
    if job["status"] != "succeeded":
        raise NotMeasured(f"the training failed: {job['error']}")


def original(place: Place, name: str = MODEL) -> tuple[VersionRow, dict[str, bytes]]:
    """Return a trained version's row and its files by name."""
    settings = Settings(data_dir=place.folder)
    database, artifacts = Database(settings.database), ArtifactStore(settings.artifacts)
    with database.read() as session:
        model = registry.get(session, keys.get_default_scope(session), name)
        row = registry.get_version(session, model, 1) if model is not None else None
    database.dispose()
    if row is None:
        raise NotMeasured(f"the folder holds no trained model {name!r}")
    return row, {file: artifacts.get(f"{row.artifact}/{file}") for file in artifacts.list_names(row.artifact)}


def copy(row: VersionRow, found: dict[str, bytes], settings: Settings, *names: str, versions: int = 1) -> None:
    """Publish copies of a version as the newest ones of models; every one has files, digests and a graph of its own."""
    database, artifacts = Database(settings.database), ArtifactStore(settings.artifacts)
    graph = onnx.load_model_from_string(found[GRAPH])
    try:
        for name in names:
            for _ in range(versions):
                _publish(database, artifacts, row, found | _marked(graph, found[MANIFEST]), name)
    finally:
        database.dispose()


def _marked(graph: onnx.ModelProto, manifest: bytes) -> dict[str, bytes]:
    """Return the graph with a mark that changes nothing but its bytes, and the manifest that names them."""
    graph.doc_string = uuid.uuid4().hex
    written = graph.SerializeToString()
    told = json.loads(manifest)
    told["sha256"][GRAPH] = hashlib.sha256(written).hexdigest()
    return {GRAPH: written, MANIFEST: json.dumps(told, indent=2).encode()}


def _publish(database: Database, artifacts: ArtifactStore, row: VersionRow, found: dict[str, bytes], name: str) -> None:
    with database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, name) or registry.add(session, scope, name, "h", HORIZON, list(LEVELS))
        job_id = uuid.uuid4().hex
        jobs.add(session, scope, id=job_id, kind="train", model_pk=model.pk, model=name, request={})
        artifact = f"{scope.project_id}/models/{model.pk}/{job_id}"
        for file, content in found.items():
            artifacts.put(f"{artifact}/{file}", content)
        fields = {column: getattr(row, column) for column in COPIED}
        digest = hashlib.sha256(found[MANIFEST]).hexdigest()
        more = {"job_id": job_id, "promoted": True, "reason": "copied", "artifact": artifact, "digest": digest}
        registry.publish(session, model, fields | more)


def has(place: Place, name: str) -> bool:
    """Say whether the registry holds a model."""
    database = Database(Settings(data_dir=place.folder).database)
    with database.read() as session:
        found: ModelRow | None = registry.get(session, keys.get_default_scope(session), name)
    database.dispose()
    return found is not None


@lru_cache
def _counts() -> NDArray[np.float64]:
    raw = gzip.decompress((files("app") / "data" / "bike_sharing.csv.gz").read_bytes())
    return pd.read_csv(io.BytesIO(raw))["y"].to_numpy(np.float64)


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{what:40}", end="", file=sys.stderr, flush=True)
