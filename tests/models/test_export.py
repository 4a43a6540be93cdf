"""Export: the graph gives the network's answers, alone and in company; damaged folders are refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.numpy import load_file

from models.checkpoint import CheckpointError
from models.config import Config
from models.defaults import ARTICLES_NETWORK, ARTICLES_TRAINING
from models.export import GOLDEN, GRAPH, MANIFEST, WEIGHTS, ExportError, export, load_weights, verify
from models.fitted import Fitted, runner_of
from models.golden import golden_batch
from models.report import Report
from models.windows import Panel
from tests.models.examples import hourly, random_network, small

REPORT = Report(
    loss_curve={},
    metrics={},
    selected_steps=1,
    epochs_trained=1,
    gate=None,
    seconds=1.0,
    windows_per_second=1.0,
)


def fitted(config: Config) -> Fitted:
    return Fitted(config, random_network(config), REPORT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    export(fitted(small(31, segment=24, context_length=336)), path)
    return path


def test_graph_serves_series_like_the_network(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    config = Config.from_dict(manifest["config"])
    session = ort.InferenceSession(folder / GRAPH, providers=["CPUExecutionProvider"])
    panel = Panel.from_arrays({str(k): hourly(200 + 50 * k, seed=k) * 10.0**k for k in range(9)}, "h", "2024-01-01")
    model = Fitted(config, load_weights(folder), REPORT)
    batch = golden_batch(config)
    expected = model.runner(batch["y"], batch["calendar"])
    (found,) = session.run(["quantiles"], {"y": batch["y"], "calendar": batch["calendar"]})
    scale = load_file(folder / GOLDEN)["scale"]
    assert np.abs((found - expected) / scale[:, None, None]).max() < 1e-5
    assert manifest["inputs"] == {"y": ["batch", 336], "calendar": ["batch", 367, 4]}
    assert len(model.predict(panel)) == 9


def test_company_changes_no_answer_of_the_graph(folder: Path) -> None:
    session = ort.InferenceSession(folder / GRAPH, providers=["CPUExecutionProvider"])
    golden = load_file(folder / GOLDEN)
    scale = golden["scale"][:, None, None]
    (together,) = session.run(None, {"y": golden["y"], "calendar": golden["calendar"]})
    for row in range(len(together)):
        inputs = {name: golden[name][row : row + 1] for name in ("y", "calendar")}
        (alone,) = session.run(None, inputs)
        assert np.abs((alone - together[row]) / scale[row]).max() <= 2e-6


def test_manifest_names_the_files_by_digest(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    assert {p.name for p in folder.iterdir()} == {WEIGHTS, GRAPH, GOLDEN, MANIFEST}
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert manifest["versions"]["torch"] == torch.__version__


def test_the_graph_tells_nothing_of_the_machine(folder: Path) -> None:
    assert str(Path(__file__).parents[2]).encode() not in (folder / GRAPH).read_bytes()


def test_weights_round_trip(folder: Path) -> None:
    network = load_weights(folder)
    for name, value in random_network(network.config).state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    assert not network.training


def test_another_answer_is_refused(folder: Path) -> None:
    golden = load_file(folder / GOLDEN)
    config = load_weights(folder).config
    wrong = golden["quantiles"] + 1e-3 * golden["scale"][:, None, None]
    assert verify(folder / GRAPH, golden_batch(config), golden["quantiles"], golden["scale"]) < 1e-5
    with pytest.raises(ExportError, match="differs"):
        verify(folder / GRAPH, golden_batch(config), wrong, golden["scale"])


@pytest.mark.parametrize(
    "config",
    [
        small(26, cell="gru", basis=False, segment=24, context_length=48, scaler="mean_abs"),
        small(7, training=ARTICLES_TRAINING, **{**ARTICLES_NETWORK, "hidden": 16, "context_length": 36}),
        small(9, cell="gru", decoder="last_step", segment=1, context_length=12, scaler="recent", layers=2),
    ],
    ids=["gru-parallel", "articles", "gru-last_step"],
)
def test_every_kind_of_network_exports(config: Config, tmp_path: Path) -> None:
    manifest = export(fitted(config), tmp_path)
    golden = load_file(tmp_path / GOLDEN)
    found = runner_of(load_weights(tmp_path))(golden["y"], golden["calendar"])
    np.testing.assert_allclose(found, golden["quantiles"], atol=1e-6 * golden["scale"].max())
    assert manifest.outputs == {"quantiles": ["batch", config.horizon, 3]}


@pytest.mark.parametrize("damage", ["truncated", "foreign", "missing"])
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    data = (folder / WEIGHTS).read_bytes()
    if damage != "missing":
        (tmp_path / WEIGHTS).write_bytes(data[:-9] if damage == "truncated" else (folder / GOLDEN).read_bytes())
    with pytest.raises(CheckpointError):
        load_weights(tmp_path)
