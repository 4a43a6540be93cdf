"""A version ready to serve: its graph in ONNX Runtime, checked against its golden vectors when it is loaded."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors

GRAPH, GOLDEN, MANIFEST = "graph.onnx", "golden.safetensors", "manifest.json"


class BrokenVersion(Exception):
    """A version's files are damaged, or this machine computes something else than the one that trained it."""


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version in memory."""

    session: Any
    context_length: int
    horizon: int
    levels: tuple[float, ...]
    """(Q,) trained quantiles, ascending"""
    size: int
    """bytes that it is taken to occupy"""

    def run(self, y: NDArray[np.float64], calendar: NDArray[np.int64]) -> NDArray[np.float64]:
        """Forecast: y (B, T), calendar (B, T + H, 4) -> quantiles (B, H, Q) in original units."""
        quantiles: NDArray[np.float64] = self.session.run(None, {"y": y, "calendar": calendar})[0]
        return quantiles


def load_version(digest: str, read: Callable[[str], bytes]) -> LoadedVersion:
    """Load a version whose manifest has the sha256 `digest`; `read` returns a file's bytes by name.

    Raises BrokenVersion where a digest or a golden vector differs.
    """
    manifest_bytes = read(MANIFEST)
    _same_digest(MANIFEST, manifest_bytes, digest)
    manifest = json.loads(manifest_bytes)
    graph, golden = read(GRAPH), read(GOLDEN)
    _same_digest(GRAPH, graph, manifest["sha256"][GRAPH])
    _same_digest(GOLDEN, golden, manifest["sha256"][GOLDEN])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # requests run side by side; one forecast is too small to be split
    options.inter_op_num_threads = 1
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # the runtime's exceptions share no other base
        raise BrokenVersion(f"the graph cannot be loaded: {e}") from e
    config = manifest["config"]
    version = LoadedVersion(
        session=session,
        context_length=config["network"]["context_length"],
        horizon=config["horizon"],
        levels=tuple(config["quantiles"]),
        size=3 * len(graph),  # the graph, its initialisers unpacked, and the arena of a small batch
    )
    _check_golden(version, golden, manifest["tolerance"])
    return version


def _same_digest(name: str, data: bytes, digest: str) -> None:
    if hashlib.sha256(data).hexdigest() != digest:
        raise BrokenVersion(f"{name} is not the file that was published")


def _check_golden(version: LoadedVersion, golden: bytes, tolerance: float) -> None:
    vectors = load_tensors(golden)
    found = version.run(vectors["y"], vectors["calendar"])
    worst = float(np.max(np.abs(found - vectors["quantiles"]) / vectors["scale"][:, None, None]))
    if not worst <= tolerance:
        raise BrokenVersion(f"its golden vectors differ by {worst:.2g} scales, {tolerance:.2g} is allowed")
