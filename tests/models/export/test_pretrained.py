"""The pretrained network as files: the graph is what torch computes, and the published one is that of its weights."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from app.serving.pretrained import run_network
from models.export.pretrained import load_published, publish
from models.network.pretrained.forecast import forecast_windows
from models.network.pretrained.network import PretrainedConfig
from models.pretrained.contexts import lay_out
from models.pretrained.published import CONFIG, DATA, GRAPH, HISTORY, WEIGHTS
from models.training.pretraining.loop import LOG, Pretraining
from models.training.pretraining.plan import PretrainingPlan

SMALL = PretrainedConfig(width=16, inner=16, blocks=1)


@pytest.mark.parametrize(("length", "horizon"), [(3, 1), (200, 30), (1024, 64), (600, 300)])
def test_the_published_graph_is_the_published_network(length: int, horizon: int) -> None:
    rng = np.random.default_rng(0)
    contexts = 50 + rng.normal(0, 1, (4, length)).cumsum(1)
    contexts[1] *= 1e6
    contexts[2, : length // 2] = np.nan
    periods = np.array([[24, 168], [0, 0], [7, 0], [12, 3]], np.int64)
    wanted = forecast_windows(load_published(), contexts, periods, horizon)
    y, segments = lay_out(contexts, horizon)
    found = run_network(y, periods, segments)[:, :horizon]
    spread = np.nanstd(contexts, axis=1)[:, None, None] + 1e-9
    assert (np.abs(found - wanted) / spread).max() < 1e-3


@pytest.mark.slow
def test_a_pretraining_becomes_files(tmp_path: Path) -> None:
    pretraining = Pretraining(PretrainingPlan(steps=5, network=SMALL), torch.device("cpu"))
    with torch.no_grad():
        for parameter in pretraining.network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    pretraining.averaged = {name: value.clone() for name, value in pretraining.network.state_dict().items()}
    folder, data = tmp_path / "run", tmp_path / "data"
    folder.mkdir()
    pretraining.save(folder)
    (folder / LOG).write_text("{}\n")
    publish(folder, data)
    assert {path.name for path in data.iterdir()} == {GRAPH, WEIGHTS, CONFIG, HISTORY}
    session = ort.InferenceSession((data / GRAPH).read_bytes(), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["y", "periods", "segments"]
    assert (data / GRAPH).stat().st_size < (DATA / GRAPH).stat().st_size
