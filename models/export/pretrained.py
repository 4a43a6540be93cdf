"""The pretrained network as an ONNX graph, and publishing it: `python -m models.export.pretrained FOLDER`.

FOLDER is that of `models.training.pretrain`. What is published lies in `models/pretrained/data`, and is all that
serving needs; its weights are float16.

Shapes: B windows, T steps, P positions.
"""

import argparse
import contextlib
import hashlib
import io
import json
import logging
import shutil
from copy import deepcopy
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxscript import optimizer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.errors import ExportError
from models.export.graph import LOGGERS
from models.network.pretrained.forecast import forecast_laid_out
from models.network.pretrained.network import PretrainedConfig, PretrainedNetwork
from models.pretrained.contexts import lay_out
from models.pretrained.forecaster import LEVELS
from models.pretrained.published import CARD, CONFIG, DATA, GRAPH, HISTORY, WEIGHTS
from models.quiet import quiet
from models.training.pretraining.loop import CHECKPOINT, LOG, read_record

TOLERANCE = 1e-4
"""largest difference between graph and torch, in units of a context's deviation"""
INPUTS = ("y", "periods", "segments")
LEAST_HALVED = 64
"""elements of a constant that is kept in half the bytes"""


class PretrainedGraph(nn.Module):
    """The network with the inputs and outputs of its graph."""

    def __init__(self, network: PretrainedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, y: Tensor, periods: Tensor, segments: Tensor) -> Tensor:
        """Do what `forecast_laid_out` does."""
        return forecast_laid_out(self.network, y, periods, segments)


class GraphRecurrence(nn.Module):
    """An LSTM as the graph's own operation: torch's would be written for one number of segments."""

    def __init__(self, cell: nn.LSTM) -> None:
        super().__init__()
        self.width = cell.hidden_size
        # torch has input, forget, cell, output; ONNX input, output, forget, cell
        order = torch.arange(4 * self.width).reshape(4, -1)[[0, 3, 1, 2]].flatten()
        learned = dict(cell.named_parameters())
        bias = torch.cat([learned["bias_ih_l0"][order], learned["bias_hh_l0"][order]])
        self.weight: Tensor
        self.recurrent: Tensor
        self.bias: Tensor
        self.register_buffer("weight", learned["weight_ih_l0"].detach()[order][None])
        self.register_buffer("recurrent", learned["weight_hh_l0"].detach()[order][None])
        self.register_buffer("bias", bias.detach()[None])

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Return the states (B, N, W) of x (B, N, W)."""
        steps = x.transpose(0, 1)
        states: Tensor = torch.onnx.ops.symbolic(
            "LSTM",
            (steps, self.weight, self.recurrent, self.bias),
            {"hidden_size": self.width},
            dtype=x.dtype,
            shape=(steps.shape[0], 1, steps.shape[1], self.width),
        )
        return states[:, 0].transpose(0, 1), None


def _replace_recurrences(network: PretrainedNetwork) -> PretrainedNetwork:
    """Return a copy of a network that can be traced for any number of segments."""
    traceable = deepcopy(network)
    for block in traceable.blocks:
        block.cell = GraphRecurrence(block.cell)  # type: ignore[assignment]
    return traceable


def build_graph(network: PretrainedNetwork) -> bytes:
    """Return the graph of a network in evaluation mode on the CPU. Raises ExportError where it differs from torch."""
    segment = network.config.segment
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    segments = torch.export.Dim("segments", min=2, max=1 << 10)
    pieces = torch.export.Dim("pieces", min=1, max=64)
    example = _make_example(segment)
    network.requires_grad_(False)
    with quiet(LOGGERS, logging.ERROR), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        traced = torch.export.export(
            PretrainedGraph(_replace_recurrences(network)),
            tuple(map(torch.from_numpy, example)),
            dynamic_shapes=({0: batch, 1: segment * segments}, {0: batch}, {0: pieces}),
            strict=False,
        )
        program = torch.onnx.export(
            traced,
            dynamo=True,
            verbose=False,
            optimize=False,
            input_names=list(INPUTS),
            output_names=["quantiles"],
        )
        if program is None:
            raise ExportError("the exporter returned no graph")
        optimizer.optimize_ir(program.model)
    for node in program.model.graph:
        node.metadata_props.clear()
        node.doc_string = ""
    graph = _halve(ir.to_proto(program.model))
    _verify(network, graph)
    return graph


def _make_example(segment: int, windows: int = 3, length: int = 24, horizon: int = 100) -> tuple[NDArray[Any], ...]:
    """Return what a graph reads, by the order of `INPUTS`."""
    rng = np.random.default_rng(0)
    y = 5 + np.sin(np.arange(length * segment) / 3) + rng.normal(0, 0.1, (windows, length * segment))
    y[1:, : segment + 3] = np.nan
    periods = np.array([[19, 0], [24, 7], [0, 0]] * windows, np.int64)[:windows]
    laid_out, segments = lay_out(y, horizon)
    return laid_out, periods, segments


def _halve(proto: Any) -> bytes:
    """Keep large constants as float16, and turn them into float32 where they are read."""
    casts = []
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LEAST_HALVED:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString()
    return data


def _verify(network: PretrainedNetwork, graph: bytes) -> None:
    """Compare graph and torch on other shapes than the graph was traced with. Raises ExportError."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for windows, length, horizon in ((1, 2, 1), (5, 128, 64), (2, 40, 200)):
        example = _make_example(network.config.segment, windows, length, horizon)
        found = session.run(None, dict(zip(INPUTS, example, strict=True)))[0]
        with torch.inference_mode():
            wanted = PretrainedGraph(network)(*map(torch.from_numpy, example)).numpy()
        y = example[0]
        worst = float((np.abs(found - wanted) / np.nanstd(y, axis=1)[:, None, None]).max())
        if not worst <= TOLERANCE:
            raise ExportError(f"the graph differs from the network by {worst:.2g} deviations")


def halve_weights(network: PretrainedNetwork) -> PretrainedNetwork:
    """Return a network whose weights float16 holds."""
    halved = PretrainedNetwork(network.config)
    halved.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    return halved.eval()


def load_checkpoint(folder: Path) -> PretrainedNetwork:
    """Return the averaged weights of a pretraining, as float16 holds them."""
    record = read_record(folder / CHECKPOINT)
    network = PretrainedNetwork(PretrainedConfig(**record["plan"]["network"]))
    tensors = load_file(folder / CHECKPOINT)
    averaged = {
        name.removeprefix("averaged."): value for name, value in tensors.items() if name.startswith("averaged.")
    }
    network.load_state_dict(averaged)
    return halve_weights(network)


def load_published() -> PretrainedNetwork:
    """Return the network that the package carries."""
    config = PretrainedConfig(**json.loads((DATA / CONFIG).read_text())["network"])
    network = PretrainedNetwork(config)
    network.load_state_dict({name: value.float() for name, value in load_file(DATA / WEIGHTS).items()})
    return network.eval()


def publish(folder: Path, data: Path = DATA) -> None:
    """Write the newest weights of a pretraining, their graph and how they were made."""
    data.mkdir(exist_ok=True)
    record = read_record(folder / CHECKPOINT)
    network = load_checkpoint(folder)
    graph = build_graph(network)
    (data / GRAPH).write_bytes(graph)
    save_file({name: value.half() for name, value in network.state_dict().items()}, data / WEIGHTS)
    shutil.copyfile(folder / LOG, data / HISTORY)
    made = {
        **record["plan"],
        "network": asdict(network.config),
        "levels": LEVELS,
        "done": record["step"],
        "windows": record["windows"],
        "hours": round(record["seconds"] / 3600, 2),
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(graph).hexdigest(),
    }
    (data / CONFIG).write_text(json.dumps(made, indent=2) + "\n")
    print(f"{data / GRAPH}: {len(graph) / 1e6:.2f} MB after {record['step']} steps; {CARD} says what it has seen")


def main() -> None:
    """Publish the network of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the pretraining")
    publish(parser.parse_args().folder)


if __name__ == "__main__":
    main()
