"""Serving by torch, on the CPU here: only the device differs on a GPU."""

import numpy as np
import pytest
from safetensors.numpy import load

from app.serving.runtime import load_version
from app.serving.torch_session import TorchSession
from models.data.windows import inputs_of
from models.errors import BrokenVersion
from models.export.export import TOLERANCE
from models.inference.golden import golden_batch
from tests.trained import Trained


def test_answers_as_the_graph_does(trained: Trained) -> None:
    config = trained.fitted.config
    batch = golden_batch(config)
    inputs = inputs_of(batch, config)
    scale = load((trained.folder / "golden.safetensors").read_bytes())["scale"][:, None, None]

    def read(name: str) -> bytes:
        return (trained.folder / name).read_bytes()

    by_torch = TorchSession(trained.digest, read, "cpu").run(None, inputs)[0]
    by_graph = load_version(trained.digest, read).run_arrays(inputs)
    assert by_torch.shape == by_graph.shape == (12, config.horizon, 3)
    assert float((np.abs(by_torch - by_graph) / scale).max()) <= TOLERANCE


def test_without_a_gpu_it_says_what_to_do(trained: Trained) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(BrokenVersion, match="GATECAST_SERVING_DEVICE=cpu"):
        load_version(trained.digest, lambda name: (trained.folder / name).read_bytes(), "cuda")


def test_other_weights_are_refused(trained: Trained) -> None:
    def read(name: str) -> bytes:
        data = (trained.folder / name).read_bytes()
        return data[:-1] + b"x" if name == "weights.safetensors" else data

    with pytest.raises(BrokenVersion, match="not the file that was published"):
        TorchSession(trained.digest, read, "cpu")
