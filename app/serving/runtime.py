"""A version ready to serve: its graph in ONNX Runtime, checked against its golden vectors when it is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors

from models.arrays import Floats
from models.config.model import Config
from models.data.windows import Batch, graph_inputs_of
from models.errors import BrokenVersion
from models.inference.published import GOLDEN, GRAPH, Published

Device = Literal["cpu", "cuda"]


NODES_BYTES = 1_500_000
"""of a session besides its weights: measured, 0.9 MB with the 150 nodes of one LSTM, 1.7 MB with 310 of an ensemble"""


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version in memory."""

    session: Any
    config: Config
    size: int
    """bytes that it is taken to occupy"""

    def run(self, batch: Batch) -> Floats:
        """Forecast a batch; return quantiles (B, H, Q) in original units."""
        return self.run_arrays(graph_inputs_of(batch, self.config))

    def run_arrays(self, inputs: Mapping[str, NDArray[Any]]) -> Floats:
        """Run the graph on its inputs by name, (B, ...) each; return quantiles (B, H, Q)."""
        return self.run_outputs(inputs)[0]

    def run_outputs(self, inputs: Mapping[str, NDArray[Any]]) -> list[Floats]:
        """Run the graph; return its outputs: quantiles (B, H, Q), and of newer versions the mean (B, H)."""
        outputs: list[Floats] = self.session.run(None, inputs)
        return outputs


def load_version(digest: str, read: Callable[[str], bytes], device: Device = "cpu") -> LoadedVersion:
    """Load a version whose manifest has the sha256 `digest`; `read` returns a file's bytes by name.

    On the CPU its ONNX graph runs, on CUDA its network in torch.

    Raises BrokenVersion where a digest or a golden vector differs, or the files are of another release.
    """
    published = Published(digest, read)
    config = published.config()
    graph = published.read(GRAPH)
    golden = published.read(GOLDEN)
    session = open_session(graph) if device == "cpu" else _torch_session(digest, read, device)
    version = LoadedVersion(session, config, len(graph) + NODES_BYTES)
    _check_golden(version, load_tensors(golden), published.tolerance)
    return version


@lru_cache(maxsize=1)
def _share_arena() -> None:
    """Let all sessions allocate from one arena: each would keep the memory of its own largest batch otherwise."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, None)


def open_session(graph: bytes) -> Any:
    """Open a graph on the CPU. Raises BrokenVersion."""
    _share_arena()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # requests run side by side; one forecast is too small to be split
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # the runtime's exceptions share no other base
        raise BrokenVersion(f"the graph cannot be loaded: {e}") from e
    session.disable_fallback()
    # onnxruntime keeps the graph's bytes for a second provider; there is none, and they are a third of the memory
    session._model_bytes = None
    return session


def _torch_session(digest: str, read: Callable[[str], bytes], device: str) -> Any:
    from app.serving.torch_session import TorchSession  # torch is loaded only where a GPU serves

    return TorchSession(digest, read, device)


def _check_golden(version: LoadedVersion, vectors: Mapping[str, NDArray[Any]], tolerance: float) -> None:
    outputs = version.run_outputs(graph_inputs_of(vectors, version.config))
    for name, values in zip(version.config.graph_outputs, outputs, strict=True):
        scale = vectors["scale"].reshape(-1, *[1] * (values.ndim - 1))
        worst = float(np.max(np.abs(values - vectors[name]) / scale))
        if not worst <= tolerance:
            raise BrokenVersion(f"its golden vectors differ by {worst:.2g} scales, {tolerance:.2g} is allowed")
