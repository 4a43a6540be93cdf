"""A version ready to serve: its graph in ONNX Runtime, checked against its golden vectors when it is loaded."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors

from models.arrays import Floats
from models.calendar.features import CALENDAR_FIELDS
from models.config.model import Config
from models.data.windows import Batch, inputs_of
from models.errors import BrokenVersion, ConfigError

Device = Literal["cpu", "cuda"]
GRAPH, GOLDEN, MANIFEST = "graph.onnx", "golden.safetensors", "manifest.json"


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
        return self.run_arrays(inputs_of(batch, self.config))

    def run_arrays(self, inputs: Mapping[str, NDArray[Any]]) -> Floats:
        """Run the graph on its inputs by name, (B, ...) each."""
        quantiles: Floats = self.session.run(None, inputs)[0]
        return quantiles


def load_version(digest: str, read: Callable[[str], bytes], device: Device = "cpu") -> LoadedVersion:
    """Load a version whose manifest has the sha256 `digest`; `read` returns a file's bytes by name.

    On the CPU its ONNX graph runs, on CUDA its network in torch.

    Raises BrokenVersion where a digest or a golden vector differs, or the files are of another release.
    """
    manifest_bytes = read(MANIFEST)
    _same_digest(MANIFEST, manifest_bytes, digest)
    manifest = json.loads(manifest_bytes)
    config = _config(manifest)
    graph, golden = read(GRAPH), read(GOLDEN)
    _same_digest(GRAPH, graph, manifest["sha256"][GRAPH])
    _same_digest(GOLDEN, golden, manifest["sha256"][GOLDEN])
    session = _onnx_session(graph) if device == "cpu" else _torch_session(digest, read, device)
    version = LoadedVersion(session, config, len(graph) + NODES_BYTES)
    _check_golden(version, load_tensors(golden), manifest["tolerance"])
    return version


@lru_cache(maxsize=1)
def _share_arena() -> None:
    """Let all sessions allocate from one arena: each would keep the memory of its own largest batch otherwise."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, None)


def _onnx_session(graph: bytes) -> Any:
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
    session._model_bytes = None  # kept for another provider to begin from, which there is none of: a third of it all
    return session


def _torch_session(digest: str, read: Callable[[str], bytes], device: str) -> Any:
    from app.serving.torch_session import TorchSession

    try:
        return TorchSession(digest, read, device)
    except ValueError as e:
        raise BrokenVersion(f"its network cannot be loaded: {e}") from e


def _config(manifest: Mapping[str, Any]) -> Config:
    try:
        config = Config.from_dict(manifest["config"])
    except ConfigError as e:
        raise BrokenVersion(f"it was made by another release: {e}") from e
    inputs = manifest["inputs"]
    fields = manifest.get("calendar_fields", list(CALENDAR_FIELDS))  # older manifests do not name them
    if set(inputs) != set(config.inputs) or fields != list(CALENDAR_FIELDS) or inputs["calendar"][-1] != len(fields):
        raise BrokenVersion("it was made by another release, whose graph reads other inputs")
    return config


def _same_digest(name: str, data: bytes, digest: str) -> None:
    if hashlib.sha256(data).hexdigest() != digest:
        raise BrokenVersion(f"{name} is not the file that was published")


def _check_golden(version: LoadedVersion, vectors: Mapping[str, NDArray[Any]], tolerance: float) -> None:
    found = version.run_arrays(inputs_of(vectors, version.config))
    worst = float(np.max(np.abs(found - vectors["quantiles"]) / vectors["scale"][:, None, None]))
    if not worst <= tolerance:
        raise BrokenVersion(f"its golden vectors differ by {worst:.2g} scales, {tolerance:.2g} is allowed")
