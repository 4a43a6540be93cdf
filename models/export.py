"""Exporting a model: an ONNX graph, weights, golden vectors and a manifest. onnx is used here alone."""

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
)
from onnxscript import optimizer
from safetensors import SafetensorError
from safetensors.numpy import save_file
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file as save_tensors

from models.calendar import CALENDAR_FIELDS
from models.checkpoint import CheckpointError, read_header
from models.config import Config, ConfigError
from models.factors import factors
from models.fitted import Fitted, runner_of
from models.golden import golden_batch
from models.network import Network
from models.quiet import quiet
from models.reading import Reader
from models.windows import Batch, inputs_of

FORMAT = "gatecast.model.1"
WEIGHTS, GRAPH, GOLDEN, MANIFEST = "weights.safetensors", "graph.onnx", "golden.safetensors", "manifest.json"
TOLERANCE = 1e-4
"""Largest difference between graph and torch, in units of a window's scale"""
LARGEST_BATCH = 1 << 20
LARGEST_FOLDED = 1 << 28
"""Bytes of a constant that is folded or compared with others: all of them"""
LOGGERS = ("torch.onnx", "torch.__trace", "onnxscript", "onnx_ir")


class ExportError(RuntimeError):
    """The network could not be written as a graph that gives its own answers."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What lies in a model's folder."""

    format: str
    config: dict[str, Any]
    """`Config.to_dict()`"""
    inputs: dict[str, list[str | int]]
    """name -> shape; `batch` is free"""
    outputs: dict[str, list[str | int]]
    dtypes: dict[str, str]
    """NumPy's name of the type of each input and output"""
    calendar_fields: list[str]
    """columns of the input `calendar`, in order: zero-based integers on the local wall clock"""
    tolerance: float
    """largest difference from the golden vectors, in units of `golden/scale`"""
    sha256: dict[str, str]
    """file -> digest"""
    versions: dict[str, str]
    """package -> version that wrote the folder"""


def export(fitted: Fitted, folder: Path) -> Manifest:
    """Write weights, graph, golden vectors and manifest into `folder`, the manifest last.

    Raises ExportError where ONNX Runtime and torch differ by more than `TOLERANCE`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network, config = fitted.network.cpu().eval(), fitted.config
    header = {"format": FORMAT, "config": json.dumps(config.to_dict())}
    save_tensors({name: t.contiguous() for name, t in network.state_dict().items()}, folder / WEIGHTS, header)
    batch = golden_batch(config)
    _write_graph(network, batch, folder / GRAPH)
    expected, scale = _expected(network, batch)
    verify(folder / GRAPH, inputs_of(batch, config), expected, scale)
    golden = {**inputs_of(batch, config), "quantiles": expected, "scale": scale}
    save_file(golden, folder / GOLDEN, metadata={"format": FORMAT})
    manifest = _manifest(config, folder)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def load_published(digest: str, read: Callable[[str], bytes]) -> Network:
    """Return the network of a folder whose manifest has the sha256 `digest`; `read` returns a file's bytes by name.

    Raises CheckpointError for files that are not those that were published.
    """
    manifest = read(MANIFEST)
    if _sha256(manifest) != digest:
        raise CheckpointError(f"{MANIFEST} is not the file that was published")
    weights = read(WEIGHTS)
    if _sha256(weights) != json.loads(manifest)["sha256"][WEIGHTS]:
        raise CheckpointError(f"{WEIGHTS} is not the file that was published")
    return load_weights(weights)


def load_weights(weights: bytes) -> Network:
    """Return the network of an exported folder's weights, in evaluation mode. Raises CheckpointError."""
    header = read_header(weights)
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{WEIGHTS} is not of the format {FORMAT}")
    try:
        network = Network(Config.from_dict(json.loads(header["config"])))
        network.load_state_dict(load_tensors(weights))
    except (ConfigError, KeyError, ValueError, RuntimeError, SafetensorError) as e:
        raise CheckpointError(f"{WEIGHTS} does not fit its own configuration ({e})") from e
    return network.eval()


def verify(
    graph: Path,
    inputs: Mapping[str, NDArray[Any]],
    expected: NDArray[np.float64],
    scale: NDArray[np.float64],
    tolerance: float = TOLERANCE,
) -> float:
    """Run the graph on all windows at once, in pairs and one by one; return the largest difference.

    Args:
        inputs: what the graph reads, by name, (B, ...) each.
        expected: (B, H, Q) quantiles; scale: (B,) units of each window.

    Raises ExportError above `tolerance`.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for size in (len(scale), 2, 1):
        for at in range(0, len(scale), size):
            part = slice(at, at + size)
            (found,) = session.run(None, {name: values[part] for name, values in inputs.items()})
            difference = np.abs(found - expected[part]) / scale[part, None, None]
            worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max()))
    if worst > tolerance:
        raise ExportError(f"the graph differs from the network by {worst:.2g} scales; {tolerance:g} is allowed")
    return worst


def _expected(network: Network, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with torch.inference_mode():
        first = network.readers[0]
        assert isinstance(first, Reader)
        context = first.normalise(torch.from_numpy(batch["y"][:, -first.own.context_length :]))
    scale = context.scale[:, 0].numpy()
    largest = np.abs(np.nan_to_num(batch["y"])).max(-1)  # unscaled, float32 is exact to a share of the size alone
    return runner_of(network)(batch), np.maximum(scale, largest) if first.own.scaler == "none" else scale


def _write_graph(network: Network, batch: Batch, path: Path) -> None:
    free = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    inputs = {name: torch.from_numpy(values) for name, values in inputs_of(batch, network.config).items()}
    # the exporter warns of its own deprecations and prints its progress
    with quiet(LOGGERS, logging.ERROR), contextlib.redirect_stdout(io.StringIO()):
        try:
            program = torch.onnx.export(
                network,
                (),
                kwargs=inputs,
                dynamo=True,
                verbose=False,
                dynamic_shapes={name: {0: free} for name in inputs},
                input_names=list(inputs),
                output_names=["quantiles"],
            )
        except Exception as e:  # the exporter raises a dozen kinds, and all of them mean the same here
            raise ExportError(f"the network cannot be written as an ONNX graph ({type(e).__name__}: {e})") from e
        if program is None:
            raise ExportError("the exporter returned no graph")
        _simplify(program.model)
        model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # paths and stack traces of the machine that trained
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save_model(model, path)


def _simplify(model: ir.Model) -> None:
    """Compute once what depends on weights alone, or is the same for several members, whatever its size."""
    optimizer.fold_constants(model, input_size_limit=LARGEST_FOLDED, output_size_limit=LARGEST_FOLDED)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    DeduplicateInitializersPass(size_limit=LARGEST_FOLDED)(model)
    CommonSubexpressionEliminationPass()(model)
    for node in list(model.graph):
        weight = node.inputs[1].const_value if node.op_type == "MatMul" and node.inputs[1] is not None else None
        if weight is not None and weight.dtype == ir.DataType.FLOAT and len(weight.shape) == 2:
            _factorise(model.graph, node, weight.numpy())
    RemoveUnusedNodesPass()(model)


def _factorise(graph: ir.Graph, node: ir.Node, weight: NDArray[np.float32]) -> None:
    """Multiply by two small matrices in the place of a large one: many of the fixed candidates differ by little."""
    found = factors(weight.astype(np.float64))
    if found is None:
        return
    left, right = (ir.Value(name=f"{node.name}_factor_{n}") for n in range(2))
    for value, factor in zip((left, right), found, strict=True):
        value.const_value = ir.tensor(factor.astype(np.float32), name=value.name)
        value.shape, value.dtype = ir.Shape(factor.shape), ir.DataType.FLOAT
        graph.register_initializer(value)
    inner = ir.node("MatMul", [node.inputs[0], left], name=f"{node.name}_inner")
    inner.outputs[0].name = inner.name
    graph.insert_before(node, inner)
    node.replace_input_with(0, inner.outputs[0])
    node.replace_input_with(1, right)


def _manifest(config: Config, folder: Path) -> Manifest:
    total = config.network.context_length + config.horizon
    shapes: dict[str, list[str | int]] = {
        "y": ["batch", config.network.context_length],
        "calendar": ["batch", total, len(CALENDAR_FIELDS)],
        "covariates": ["batch", total, len(config.covariates.temporal)],
        "static": ["batch", len(config.covariates.static)],
    }
    return Manifest(
        format=FORMAT,
        config=config.to_dict(),
        inputs={name: shapes[name] for name in config.inputs},
        outputs={"quantiles": ["batch", config.horizon, len(config.quantiles)]},
        dtypes={name: "int64" if name == "calendar" else "float64" for name in (*config.inputs, "quantiles")},
        calendar_fields=list(CALENDAR_FIELDS),
        tolerance=TOLERANCE,
        sha256={name: _sha256((folder / name).read_bytes()) for name in (WEIGHTS, GRAPH, GOLDEN)},
        versions={name: version(name) for name in ("torch", "onnx", "onnxruntime", "numpy")},
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
