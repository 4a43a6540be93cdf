"""Exporting a model: an ONNX graph, weights, golden vectors and a manifest; models.export.load reads them again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from models.arrays import Floats
from models.calendar.features import CALENDAR_FIELDS
from models.config.model import Config
from models.data.windows import Batch, graph_inputs_of
from models.errors import ExportError, GraphError
from models.export.graph import Templates, put_weights, template_key, trace
from models.inference.golden import golden_batch
from models.inference.published import FORMAT, GOLDEN, GRAPH, MANIFEST, WEIGHTS, Manifest, sha256_of
from models.network.network import Network
from models.training.fitted import Fitted

TOLERANCE = 1e-4
"""Largest difference between graph and torch, in units of a window's scale"""


def export(fitted: Fitted, folder: Path, templates: Templates | None = None) -> Manifest:
    """Write weights, graph, golden vectors and manifest into `folder`, the manifest last.

    Args:
        templates: where graphs of configurations that were exported before are kept; tracing one takes seconds.

    Raises ExportError where the network cannot be written as a graph, or ONNX Runtime and torch differ by more than
    `TOLERANCE`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = fitted.network.cpu().eval()
    config = fitted.config
    header = {"format": FORMAT, "config": json.dumps(config.to_dict())}
    save_tensors({name: t.contiguous() for name, t in network.state_dict().items()}, folder / WEIGHTS, header)
    part = network.calibrated
    batch = golden_batch(config, int(part.time) if part is not None and part.share > 0 else None)
    inputs = graph_inputs_of(batch, config)
    expected, scale = _expected(network, batch)
    try:
        graph = _graph(network, batch, templates, lambda graph: verify(graph, inputs, expected, scale))
    except GraphError as e:
        raise ExportError(str(e)) from e
    (folder / GRAPH).write_bytes(graph)
    golden = {**inputs, **expected, "scale": scale}
    save_file(golden, folder / GOLDEN, metadata={"format": FORMAT})
    manifest = _manifest(config, folder)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def verify(
    graph: Path | bytes,
    inputs: Mapping[str, NDArray[Any]],
    expected: Mapping[str, Floats],
    scale: Floats,
    tolerance: float = TOLERANCE,
) -> float:
    """Run the graph on all windows at once, in pairs and one by one; return the largest difference.

    Args:
        graph: the file or its content.
        inputs: what the graph reads, by name, (B, ...) each.
        expected: the outputs by name, quantiles (B, H, Q) and perhaps the mean (B, H).
        scale: (B,) units of each window.

    Raises ExportError above `tolerance`.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for size in (len(scale), 2, 1):
        for first in range(0, len(scale), size):
            rows = slice(first, first + size)
            outputs = session.run(list(expected), {name: values[rows] for name, values in inputs.items()})
            for values, wanted in zip(outputs, expected.values(), strict=True):
                units = scale[rows].reshape(-1, *[1] * (wanted.ndim - 1))
                difference = np.abs(values - wanted[rows]) / units  # (size, H, Q) or (size, H)
                worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max()))
    if worst > tolerance:
        raise ExportError(f"the graph differs from the network by {worst:.2g} scales; {tolerance:g} is allowed")
    return worst


def _expected(network: Network, batch: Batch) -> tuple[dict[str, Floats], Floats]:
    """Return the network's own outputs by name, and the unit (B,) that a difference of each window counts in."""
    first = network.readers[0]
    inputs = {name: torch.from_numpy(values) for name, values in graph_inputs_of(batch, network.config).items()}
    with torch.inference_mode():
        context = first.normalise(torch.from_numpy(batch["y"][:, -first.config.context_length :]))
        forecast = network.forecast(**inputs)
    outputs = {name: getattr(forecast, name).numpy() for name in network.config.graph_outputs}
    scale = context.scale[:, 0].numpy()
    if first.config.scaler == "none":  # float32 of unscaled values is exact to a share of their size alone
        scale = np.maximum(scale, np.abs(np.nan_to_num(batch["y"])).max(-1))
    return outputs, scale


def _graph(network: Network, batch: Batch, templates: Templates | None, check: Callable[[bytes], float]) -> bytes:
    """Return the graph, checked; it is traced where no template is stored that gives the network's own answers."""
    key = template_key(network.config)
    stored = templates.get(key) if templates is not None else None
    if templates is not None and stored is not None:
        try:
            graph = put_weights(stored, network.state_dict())
            check(graph)
        except (GraphError, ExportError):
            templates.remove(key)
        else:
            return graph
    template = trace(network, batch)
    graph = put_weights(template, network.state_dict())
    check(graph)
    if templates is not None:
        templates.put(key, template)
    return graph


def _manifest(config: Config, folder: Path) -> Manifest:
    """Return the manifest of the files that lie in the folder."""
    total = config.network.context_length + config.horizon
    shapes: dict[str, list[str | int]] = {
        "y": ["batch", config.network.context_length],
        "calendar": ["batch", total, len(CALENDAR_FIELDS)],
        "covariates": ["batch", total, len(config.covariates.temporal)],
        "static": ["batch", len(config.covariates.static)],
        "signed": ["batch", 1],
    }
    outputs: dict[str, list[str | int]] = {
        "quantiles": ["batch", config.horizon, len(config.quantiles)],
        "mean": ["batch", config.horizon],
    }
    return Manifest(
        format=FORMAT,
        config=config.to_dict(),
        inputs={name: shapes[name] for name in config.graph_inputs},
        outputs={name: outputs[name] for name in config.graph_outputs},
        dtypes={
            name: "int64" if name == "calendar" else "float64" for name in (*config.graph_inputs, *config.graph_outputs)
        },
        calendar_fields=list(CALENDAR_FIELDS),
        tolerance=TOLERANCE,
        sha256={name: sha256_of((folder / name).read_bytes()) for name in (WEIGHTS, GRAPH, GOLDEN)},
        versions={name: version(name) for name in ("torch", "onnx", "onnxruntime", "numpy")},
    )
