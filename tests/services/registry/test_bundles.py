"""Bundles: what is downloaded, what is refused, and that it forecasts without Gatecast."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import load

from app.config import Settings
from app.main import create_app
from app.services.access.keys import KeyService
from app.storage.engine import Database
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.data.series import Panel
from models.export.export import export
from models.network.network import Network
from tests.kept import GRAPHS
from tests.services.stored import hours, numbers, store
from tests.trained import HORIZON, LEVELS, Trained, publish, values

SCRIPT = Path(__file__).parents[3] / "docs" / "bundle.py"
PATH = "/models/m/versions/1/bundle"
FILES = ["README.txt", "manifest.json", "weights.safetensors", "graph.onnx", "golden.safetensors"]

pytestmark = pytest.mark.one_database


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    return client


@pytest.fixture
def folder(settings: Settings) -> Path:
    """Where the version's files are."""
    (manifest,) = (settings.data_dir / "artifacts").rglob("manifest.json")
    return manifest.parent


def copy_with(network: Network, config: Config) -> Network:
    """Return a network of the same weights that knows another configuration."""
    copied = Network(config)
    copied.load_state_dict(network.state_dict())
    return copied.eval()


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def with_manifest(trained: Trained, folder: Path, **changes: Any) -> Trained:
    """Return the same version with other keys in its manifest; None takes one out."""
    shutil.copytree(trained.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    (folder / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}))
    return replace(trained, folder=folder)


def test_holds_the_published_files(served: TestClient, trained: Trained) -> None:
    response = served.get(PATH)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/zip")
    assert response.headers["content-disposition"] == 'attachment; filename="m-1.zip"'
    assert response.headers["content-length"] == str(len(response.content))
    assert "content-encoding" not in response.headers
    bundle = opened(response.content)
    assert bundle.testzip() is None
    assert bundle.namelist() == FILES
    for name in FILES[1:]:
        assert bundle.read(name) == (trained.folder / name).read_bytes()
    assert "Version 1 of the Gatecast model m" in bundle.read("README.txt").decode()


def test_a_caller_who_has_it_is_told_so(served: TestClient) -> None:
    first, again = served.get(PATH), served.get(PATH)
    assert first.content == again.content
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        response = served.get(PATH, headers={"if-none-match": known})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert served.get(PATH, headers={"if-none-match": '"other"'}).status_code == 200


def test_versions_differ(served: TestClient, database: Database, settings: Settings, trained: Trained) -> None:
    publish(database, settings, trained)
    second = served.get("/models/m/versions/2/bundle")
    assert second.headers["etag"] != served.get(PATH).headers["etag"]
    assert second.headers["content-disposition"] == 'attachment; filename="m-2.zip"'


@pytest.mark.parametrize(
    ("path", "code"),
    [("/models/x/versions/1/bundle", "model_not_found"), ("/models/m/versions/9/bundle", "version_not_found")],
)
def test_what_does_not_exist(served: TestClient, path: str, code: str) -> None:
    response = served.get(path)
    assert (response.status_code, response.json()["code"]) == (404, code)


@pytest.mark.parametrize("name", FILES[1:])
@pytest.mark.parametrize("broken", [True, False])
def test_broken_files_are_not_handed_out(served: TestClient, folder: Path, name: str, broken: bool) -> None:
    file = folder / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()
    if broken:
        file.write_bytes(content)
    response = served.get(PATH)
    assert (response.status_code, response.json()["code"]) == (503, "artifact_unavailable")
    assert name in response.json()["detail"]
    assert response.headers["retry-after"] == "5"


@pytest.fixture
def closed(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
        yield client


def test_the_right_to_read_is_enough(
    closed: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained)
    key = KeyService(database, auth=True).create("ci", read_only=True).secret
    assert closed.get(PATH).status_code == 401
    assert closed.get(PATH, headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_the_manifest_says_what_a_caller_has_to_know(served: TestClient) -> None:
    manifest = json.loads(opened(served.get(PATH).content).read("manifest.json"))
    assert manifest["calendar_fields"] == ["second_of_day", "day_of_week", "day_of_month", "day_of_year", "holiday"]
    assert manifest["dtypes"] == {"y": "float64", "calendar": "int64", "quantiles": "float64"}
    config = manifest["config"]
    assert (config["frequency"], config["horizon"], config["quantiles"]) == ("h", HORIZON, list(LEVELS))
    assert manifest["inputs"]["y"] == ["batch", config["network"]["context_length"]]


def test_versions_of_before_still_serve(
    client: TestClient, database: Database, settings: Settings, trained: Trained, tmp_path: Path
) -> None:
    old = with_manifest(trained, tmp_path / "old", calendar_fields=None, dtypes=None)
    publish(database, settings, old)
    store(client, "a", values())
    (answer,) = client.post("/forecast", json={"model": "m", "series": ["a"]}).json()["forecasts"]
    np.testing.assert_allclose(answer["yhat"], trained.fitted.predict(trained.panel)[0].yhat, rtol=1e-4)
    assert opened(client.get(PATH).content).testzip() is None


def test_a_graph_that_reads_other_fields_does_not_serve(
    client: TestClient, database: Database, settings: Settings, trained: Trained, tmp_path: Path
) -> None:
    fields = ["second_of_day", "day_of_week", "day_of_month", "week_of_year", "holiday"]
    publish(database, settings, with_manifest(trained, tmp_path / "other", calendar_fields=fields))
    store(client, "a", values())
    response = client.post("/forecast", json={"model": "m", "series": ["a"]})
    assert (response.status_code, response.json()["code"]) == (503, "artifact_unavailable")


class TestWithoutGatecast:
    """The script of the documentation, as a user runs it."""

    def run(self, folder: Path, bundle: bytes, y: Any) -> subprocess.CompletedProcess[str]:
        """Run the script on hourly values from the beginning of 2024 on, in a process that does not find Gatecast."""
        folder.mkdir()
        (folder / "bundle.zip").write_bytes(bundle)
        shutil.copy(SCRIPT, folder / "bundle.py")
        pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=len(y), freq="h"), "y": y}).to_csv(folder / "h.csv")
        command = [sys.executable, "bundle.py", "bundle.zip", "h.csv"]
        environment = {**os.environ, "PYTHONPATH": ""}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("gaps", ["linear", "season"])
    def test_cleans_what_the_service_does(self, trained: Trained, tmp_path: Path, gaps: Any) -> None:
        y = values()
        y[7::9] = np.nan
        y[380] = 5000.0
        y[390] = -5000.0
        self.compare(trained, tmp_path, y, cleaning=CleaningConfig(gaps=gaps, outliers="clip"))

    @pytest.mark.slow
    def test_reads_nothing_of_before_a_shift_as_the_service_does(self, trained: Trained, tmp_path: Path) -> None:
        y = values()
        y[-60:] += 300
        y[-40] = np.nan
        self.compare(trained, tmp_path, y, level_shifts=True)

    def compare(self, trained: Trained, folder: Path, y: Any, **changes: Any) -> None:
        """Compare the script with a model of another configuration, whose forecasts are not those of before."""
        config = replace(trained.fitted.config, **changes)
        fitted = replace(trained.fitted, config=config, network=copy_with(trained.fitted.network, config))
        export(fitted, folder / "changed", GRAPHS)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as bundle:
            for file in (folder / "changed").iterdir():
                bundle.write(file, file.name)
        done = self.run(folder / "alone", packed.getvalue(), y)
        assert (done.returncode, done.stderr) == (0, "")
        found = pd.read_csv(io.StringIO(done.stdout))
        (ours,) = fitted.predict(Panel.from_arrays({"a": y}, "h", "2024-01-01"))
        np.testing.assert_allclose(found["q0.5"], ours.yhat, rtol=1e-4)
        (plain,) = trained.fitted.predict(Panel.from_arrays({"a": y}, "h", "2024-01-01"))
        assert not np.allclose(plain.yhat, ours.yhat, rtol=1e-2)

    @pytest.mark.parametrize("gaps", [False, True])
    def test_forecasts_what_the_service_does(self, served: TestClient, tmp_path: Path, gaps: bool) -> None:
        y = values()
        if gaps:
            y[7::9] = np.nan
            y[-3:] = np.nan
        done = self.run(tmp_path / "alone", served.get(PATH).content, y)
        assert (done.returncode, done.stderr) == (0, "")
        found = pd.read_csv(io.StringIO(done.stdout))
        history = {"a": {"ds": hours(0, len(y)), "y": numbers(y)}}  # was trained on: there is nothing to replay
        request = {"model": "m", "history": history, "quantiles": LEVELS}
        (expected,) = served.post("/forecast", json=request).json()["forecasts"]
        assert pd.to_datetime(found["ds"], utc=True).tolist() == pd.to_datetime(expected["ds"], utc=True).tolist()
        for level in LEVELS:
            difference = np.abs(found[f"q{level}"] - expected["quantiles"][str(level)])
            assert difference.max() <= 1e-5 * np.nanstd(y)

    def test_reproduces_the_golden_vectors(self, served: TestClient) -> None:
        bundle = opened(served.get(PATH).content)
        manifest, golden = json.loads(bundle.read("manifest.json")), load(bundle.read("golden.safetensors"))
        (found,) = ort.InferenceSession(bundle.read("graph.onnx")).run(None, {n: golden[n] for n in manifest["inputs"]})
        difference = np.abs(found - golden["quantiles"]) / golden["scale"][:, None, None]
        assert difference.max() <= manifest["tolerance"] == 1e-4

    def test_tells_of_golden_vectors_that_are_not_reproduced(self, served: TestClient, tmp_path: Path) -> None:
        bundle, stricter = opened(served.get(PATH).content), io.BytesIO()
        with zipfile.ZipFile(stricter, "w") as archive:
            for name in FILES:
                content = bundle.read(name)
                if name == "manifest.json":
                    content = json.dumps(json.loads(content) | {"tolerance": -1}).encode()
                archive.writestr(name, content)
        done = self.run(tmp_path / "alone", stricter.getvalue(), values())
        assert done.returncode == 1
        assert "the golden vectors differ" in done.stderr

    def test_covariates_may_be_left_out(
        self, client: TestClient, database: Database, settings: Settings, trained_beside: Trained, tmp_path: Path
    ) -> None:
        publish(database, settings, trained_beside)
        done = self.run(tmp_path / "alone", client.get(PATH).content, values())
        assert (done.returncode, done.stderr) == (0, "")
        assert np.isfinite(pd.read_csv(io.StringIO(done.stdout))["q0.5"]).sum() == HORIZON
