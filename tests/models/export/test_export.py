"""Export: the graph gives the network's answers, alone and in company; damaged folders are refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from models.config.model import Config
from models.data.covariates import build_covariate_config
from models.data.windows import Batch, assemble, graph_inputs_of, inputs_of
from models.errors import BrokenVersion, ExportError
from models.export.export import TOLERANCE, export, verify
from models.export.load import load_published, load_weights
from models.inference.golden import golden_batch
from models.inference.predict import Runner
from models.inference.published import GOLDEN, GRAPH, MANIFEST, WEIGHTS
from models.network.network import Network
from models.planning.presets import ARTICLES_NETWORK, ARTICLES_TRAINING
from models.training.fitted import Fitted, runner_of
from models.training.report import TrainingReport
from tests.kept import GRAPHS
from tests.models.examples import GATED, covariate_panel, random_network, rich, small

pytestmark = pytest.mark.training

REPORT = TrainingReport(
    loss_curve={},
    metrics={},
    selected_steps=1,
    epochs_trained=1,
    gate=None,
    seconds=1.0,
    windows_per_second=1.0,
)
PANEL = covariate_panel()
CONFIGS = {
    # stepwise, decoded from the last step, no basis, no mask, no calendar, no season, squared error
    "articles": small(
        7,
        training=ARTICLES_TRAINING,
        **{**ARTICLES_NETWORK, "hidden": 16, "context_length": 24, "season_lengths": []},
    ),
    # decoded from the last step, absolute error, one season, numbers beside the target, both bounds
    "gru": replace(
        small(
            *(26, 200, {"loss": "mae"}),
            cell="gru",
            decoder="last_step",
            scaler="mean_abs",
            linear=True,
            context_length=48,
            segment=24,
        ),
        covariates=build_covariate_config(PANEL, ("temp",), ("flow",)),
        bounds=(5.0, 30.0),
    ),
    # all quantiles, two seasons, statistical candidates, the mean, counts and constants
    "seasons": replace(
        small(31, context_length=336, segment=24, smoothing=2, statistical=2),
        nonnegative=True,
        whole=True,
        exact=True,
        mean=True,
    ),
    # every input and every candidate at once, in an ensemble
    "rich": replace(
        rich(PANEL, cell="gru", scaler="recent", mask=False, lookbacks=[24, 48]),
        bounds=(None, 30.0),
    ),
    # both directions, attention, a convolution, a law, two layers, and covariates
    "variants": replace(
        rich(
            PANEL,
            12,
            {"loss": "student_t"},
            bidirectional=True,
            attention=2,
            convolution=3,
            layers=2,
            ets=False,
            anchor=0,
        ),
        bounds=(None, 60.0),
    ),
    # one step after another, with candidates and covariates beside its own forecasts
    "recursive": rich(PANEL, 4, {"loss": "huber"}, decoder="recursive", segment=1, context_length=24, attention=2),
    # raw values, no season, levels and statics alone beside them
    "unscaled": replace(
        small(9, context_length=12, segment=6, season_lengths=[], scaler="none", layers=2, **GATED),
        covariates=build_covariate_config(PANEL, ("day",), (), ("size", "kind")),
        bounds=(0.0, None),
    ),
}


LONG = ("rich", "unscaled", "variants")
"""configurations whose graphs take twenty seconds and more to trace"""


@dataclass(frozen=True)
class Exported:
    """A model's folder, its network in both forms, and windows of 64 series."""

    folder: Path
    network: Network
    torch: Runner
    graph: Runner
    windows: Batch

    @property
    def scale(self) -> NDArray[np.float64]:
        """(64, 1, 1) the scale of each window; raw float32 values are known to a share of their size alone."""
        first = self.network.readers[0]
        y = self.windows["y"][:, -first.config.context_length :]
        scale = first.normalise(torch.from_numpy(y)).scale.numpy()[:, None]
        return np.nanmax(np.abs(y), -1)[:, None, None] if first.config.scaler == "none" else scale


def fitted(config: Config, seed: int = 1) -> Fitted:
    return Fitted(config, random_network(config, seed), REPORT)


def runner_of_graph(folder: Path, config: Config) -> Runner:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(folder / GRAPH, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(["quantiles"], inputs_of(batch, config))[0]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Export each configuration once."""

    @cache
    def make(name: str) -> Exported:
        config, folder = CONFIGS[name], tmp_path_factory.mktemp(name)
        export(fitted(config), folder, GRAPHS)
        network = load_weights((folder / WEIGHTS).read_bytes())
        panel = covariate_panel(config.network.context_length + 9, 64)
        windows = assemble(panel.series, np.array([len(one.y) - 1 for one in panel.series]), config)
        if config.network.scaler != "none":
            windows["y"] *= 10.0 ** (np.arange(64) % 16 - 7)[:, None]
        windows["y"][5, :9] = np.nan
        return Exported(folder, network, runner_of(network), runner_of_graph(folder, config), windows)

    return make


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in CONFIGS])
def exported(request: pytest.FixtureRequest, exports: Callable[[str], Exported]) -> Exported:
    return exports(request.param)


@pytest.fixture
def folder(exports: Callable[[str], Exported]) -> Path:
    return exports("articles").folder


def test_the_graph_gives_the_networks_answers(exported: Exported) -> None:
    golden = load_file(exported.folder / GOLDEN)
    config = exported.network.config
    assert np.isfinite(golden["quantiles"]).all()
    difference = exported.graph(golden_batch(config)) - golden["quantiles"]
    assert np.abs(difference / golden["scale"][:, None, None]).max() < TOLERANCE
    difference = exported.graph(exported.windows) - exported.torch(exported.windows)
    assert np.abs(difference / exported.scale).max() < TOLERANCE / 10


@pytest.mark.parametrize("kind", ["torch", "graph"])
def test_order_and_padding_change_no_answer(exported: Exported, kind: str) -> None:
    run: Runner = getattr(exported, kind)
    expected, order = run(exported.windows), np.random.default_rng(0).permutation(64)
    padded = part(exported.windows, np.concatenate([order, order, order[:3]]))
    padded["y"][64:] = np.nan
    for batch in (part(exported.windows, order), padded):
        assert np.abs((run(batch)[:64] - expected[order]) / exported.scale[order]).max() <= 1e-6


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", ["torch", "graph"])
def test_company_changes_no_answer(exported: Exported, kind: str, size: int) -> None:
    run: Runner = getattr(exported, kind)
    rows = np.arange(64).reshape(-1, size)
    apart = np.concatenate([run(part(exported.windows, some)) for some in rows])
    # a float32 sum over all covariates of the horizon depends on how its terms are grouped
    wide = exported.network.config.network.decoder == "last_step" and "covariates" in exported.network.config.inputs
    assert np.abs((apart - run(exported.windows)) / exported.scale).max() <= (3e-6 if wide else 1e-6)


def part(batch: Batch, rows: NDArray[np.int64]) -> Batch:
    return Batch(**{name: values[rows] for name, values in batch.items()})  # type: ignore[typeddict-item]


def test_weights_round_trip(exported: Exported) -> None:
    for name, value in random_network(exported.network.config).state_dict().items():
        assert torch.equal(exported.network.state_dict()[name], value)
    assert not exported.network.training


def test_the_manifest_names_what_the_graph_reads(exported: Exported) -> None:
    manifest = json.loads((exported.folder / MANIFEST).read_text())
    config = exported.network.config
    assert Config.from_dict(manifest["config"]) == config
    session = ort.InferenceSession(exported.folder / GRAPH, providers=["CPUExecutionProvider"])
    assert {put.name: put.shape[1:] for put in session.get_inputs()} == {
        name: shape[1:] for name, shape in manifest["inputs"].items()
    }
    assert list(manifest["inputs"]) == list(config.inputs)
    kinds = {"tensor(double)": "float64", "tensor(int64)": "int64"}
    puts = [*session.get_inputs(), *session.get_outputs()]
    assert {put.name: kinds[put.type] for put in puts} == manifest["dtypes"]
    assert manifest["inputs"]["calendar"] == ["batch", config.network.context_length + config.horizon, 5]
    mean = {"mean": ["batch", config.horizon]} if config.mean else {}
    assert manifest["outputs"] == {"quantiles": ["batch", config.horizon, 3], **mean}


def test_manifest_names_the_files_by_digest(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    assert {p.name for p in folder.iterdir()} == {WEIGHTS, GRAPH, GOLDEN, MANIFEST}
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert manifest["versions"]["torch"] == torch.__version__


def test_the_graph_tells_nothing_of_the_machine(folder: Path) -> None:
    assert str(Path(__file__).parents[3]).encode() not in (folder / GRAPH).read_bytes()


def test_the_graph_computes_nothing_twice_and_no_constant(exported: Exported) -> None:
    graph = onnx.load(exported.folder / GRAPH).graph
    constant = {one.name for one in graph.initializer} | {""}
    seen = set()
    for node in graph.node:
        assert not set(node.input) <= constant, node.name
        what = (node.op_type, *node.input, *sorted(one.SerializeToString() for one in node.attribute))
        assert what not in seen, node.name
        seen.add(what)


def test_another_answer_is_refused(folder: Path) -> None:
    golden = load_file(folder / GOLDEN)
    config = load_weights((folder / WEIGHTS).read_bytes()).config
    inputs = inputs_of(golden_batch(config), config)
    right = {"quantiles": golden["quantiles"]}
    wrong = {"quantiles": golden["quantiles"] + 1e-3 * golden["scale"][:, None, None]}
    assert verify(folder / GRAPH, inputs, right, golden["scale"]) < 1e-5
    with pytest.raises(ExportError, match="differs"):
        verify(folder / GRAPH, inputs, wrong, golden["scale"])


@pytest.mark.parametrize("damage", ["truncated", "foreign", "empty"])
def test_damaged_weights_are_refused(folder: Path, damage: str) -> None:
    data = (folder / WEIGHTS).read_bytes()
    found = {"truncated": data[:-9], "foreign": (folder / GOLDEN).read_bytes(), "empty": b""}
    with pytest.raises(BrokenVersion):
        load_weights(found[damage])


@pytest.mark.parametrize("spoiled", [MANIFEST, WEIGHTS])
def test_other_files_than_those_published_are_refused(folder: Path, spoiled: str) -> None:
    files = {name: (folder / name).read_bytes() for name in (MANIFEST, WEIGHTS)}
    digest = hashlib.sha256(files[MANIFEST]).hexdigest()
    expected = load_weights(files[WEIGHTS]).state_dict()
    torch.testing.assert_close(load_published(digest, files.__getitem__).state_dict(), expected, rtol=0, atol=0)
    files[spoiled] = files[spoiled][:-1] + bytes([files[spoiled][-1] ^ 1])
    with pytest.raises(BrokenVersion, match=f"{spoiled} is not the file that was published"):
        load_published(digest, files.__getitem__)


def test_the_graph_of_a_mixed_panel_reads_which_series_are_signed(tmp_path: Path) -> None:
    config = replace(small(6, context_length=48, segment=12), nonnegative=True, signed=("cold",))
    export(fitted(config), tmp_path, GRAPHS)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["inputs"]["signed"], manifest["dtypes"]["signed"]) == (["batch", 1], "float64")
    session = ort.InferenceSession(tmp_path / "graph.onnx")
    batch = graph_inputs_of(golden_batch(config), config)
    lowest = {}
    for mark in (0.0, 1.0, np.nan):
        marks = np.full_like(batch["signed"], mark)
        (quantiles,) = session.run(None, {**batch, "signed": marks})
        lowest[mark] = quantiles[(batch["y"] >= 0).any(1) & ~(batch["y"] < 0).any(1)].min()
    assert lowest[0.0] == 0
    assert lowest[1.0] < 0
    assert [value for mark, value in lowest.items() if np.isnan(mark)] == [0], "what is not known goes by its context"
