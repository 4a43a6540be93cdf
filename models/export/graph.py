"""A network as an ONNX graph: traced once for each configuration, and given its weights each time.

Tracing takes seconds and depends on the configuration alone. What it leaves is a *template*: the graph in which every
trained tensor is an input, and all that depends on the configuration alone is computed already. Putting weights in
turns those inputs into constants and computes what depends on them; that takes a tenth of a second.
onnx, onnx_ir and onnxscript are used here alone.
"""

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
)
from onnxscript import optimizer
from torch import Tensor, nn

from models.config.model import Config
from models.data.windows import Batch, graph_inputs_of
from models.errors import GraphError
from models.export.low_rank import factorise
from models.network.network import Network
from models.quiet import quiet

LARGEST_BATCH = 1 << 20
"""windows that a graph is declared for"""
LARGEST_FOLDED = 1 << 28
"""bytes of a constant that is folded or compared with others: all of them"""
LOGGERS = ("torch.onnx", "torch.__trace", "onnxscript", "onnx_ir")
"""which warn of what is no fault here"""
PACKAGES = ("torch", "onnx", "onnx-ir", "onnxscript", "numpy")
"""whose versions decide what a traced graph looks like"""
READ_OF_TRAINING = ("loss",)
"""the fields of `TrainingConfig` that a network reads"""


class Outputs(nn.Module):
    """A network with the outputs of its graph, by the names in `Config.graph_outputs`."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.count = len(network.config.graph_outputs)

    def forward(
        self,
        y: Tensor,
        calendar: Tensor,
        covariates: Tensor | None = None,
        static: Tensor | None = None,
        signed: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Return the outputs, (B, H, ...) each, of `Network.forecast`."""
        return self.network.forecast(y, calendar, covariates, static, signed)[: self.count]


WITHIN = "network."
"""before the names of a network's weights within `Outputs`"""


class Templates(Protocol):
    """A store of templates."""

    def get(self, key: str) -> bytes | None:
        """Return a template, or None where there is none."""

    def put(self, key: str, data: bytes) -> None:
        """Keep a template."""

    def remove(self, key: str) -> None:
        """Forget a template that is of no use."""


def template_key(config: Config) -> str:
    """Return a digest of everything that a template depends on: configuration, source code and packages."""
    plain = config.to_dict()
    plain["signed"] = bool(config.signed)  # which series those are is an input
    del plain["cleaning"], plain["off_clock"]  # both are done before the graph
    plain["training"] = {name: plain["training"][name] for name in READ_OF_TRAINING}
    parts = {
        "config": plain,
        "sources": _source_digests(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _source_digests() -> dict[str, str]:
    """Return the digest of each module of `models`, read once: the code does not change while it runs."""
    folder = Path(__file__).parents[1]
    sources = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}
    return {name: hashlib.sha256(source).hexdigest() for name, source in sources.items()}


def trace(network: Network, example: Batch) -> bytes:
    """Return the template of a network in evaluation mode on the CPU. Raises GraphError.

    Args:
        example: a batch of any size above one; its values do not matter.
    """
    with quiet(LOGGERS, logging.ERROR):
        model = _export(network, example)
        trained = set(network.state_dict())
        for name in [name for name in model.graph.initializers if name.removeprefix(WITHIN) in trained]:
            value = model.graph.initializers.pop(name)
            value.name = name.removeprefix(WITHIN)
            value.const_value = None  # what may change must not be folded
            model.graph.inputs.append(value)
        optimizer.optimize_ir(model)
        _simplify(model)
    for node in model.graph:
        node.metadata_props.clear()  # paths and stack traces of the machine that trained
        node.doc_string = ""
    return _to_bytes(model)


def put_weights(template: bytes, weights: Mapping[str, Tensor]) -> bytes:
    """Return the ONNX graph of a template with these weights, by the names of the network's state.

    Raises GraphError for bytes that are no template, or one of another network.
    """
    try:
        model = ir.from_proto(onnx.load_model_from_string(template))
        for value in list(model.graph.inputs):
            if value.name is not None and value.name in weights:
                model.graph.inputs.remove(value)
                _set_constant(model.graph, value, weights[value.name].numpy())
        with quiet(LOGGERS, logging.ERROR):
            _simplify(model)
        return _to_bytes(model)
    except Exception as e:  # protobuf, onnx and onnx_ir raise a dozen kinds, and all of them mean the same here
        raise GraphError(f"the network's graph cannot be made from its template ({type(e).__name__}: {e})") from e


def _to_bytes(model: ir.Model) -> bytes:
    """Return the checked graph as an ONNX file."""
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString()
    return data


def _export(network: Network, example: Batch) -> ir.Model:
    """Return the graph as torch's exporter leaves it.

    Parameters that want no gradients keep a recurrence one operation while it is traced; else it would be unrolled.
    """
    free = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    inputs = {name: torch.from_numpy(values) for name, values in graph_inputs_of(example, network.config).items()}
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    # the exporter prints its progress
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        try:
            program = torch.onnx.export(
                Outputs(network),
                (),
                kwargs=inputs,
                dynamo=True,
                verbose=False,
                optimize=False,
                dynamic_shapes={name: {0: free} for name in inputs},
                input_names=list(inputs),
                output_names=list(network.config.graph_outputs),
            )
        except Exception as e:  # as above
            raise GraphError(f"the network cannot be written as an ONNX graph ({type(e).__name__}: {e})") from e
        finally:
            for parameter in learned:
                parameter.requires_grad_(True)
    if program is None:
        raise GraphError("the exporter returned no graph")
    return program.model


def _set_constant(graph: ir.Graph, value: ir.Value, content: NDArray[Any]) -> None:
    """Turn an input into a constant. Raises GraphError where shape or type differ."""
    value.const_value = ir.tensor(content, name=value.name)
    if value.const_value.dtype != value.dtype or list(value.const_value.shape) != list(value.shape or ()):
        raise GraphError(f"{value.name} has another shape or type")
    graph.register_initializer(value)


def _simplify(model: ir.Model) -> None:
    """Compute once what depends on constants alone, or is the same for several members, whatever its size."""
    optimizer.fold_constants(model, input_size_limit=LARGEST_FOLDED, output_size_limit=LARGEST_FOLDED)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    DeduplicateInitializersPass(size_limit=LARGEST_FOLDED)(model)
    CommonSubexpressionEliminationPass()(model)
    for node in list(model.graph):
        second = node.inputs[1] if node.op_type == "MatMul" else None
        weight = second.const_value if second is not None else None
        if weight is not None and weight.dtype == ir.DataType.FLOAT and len(weight.shape) == 2:
            _factorise(model.graph, node, weight.numpy())
    RemoveUnusedNodesPass()(model)


def _factorise(graph: ir.Graph, node: ir.Node, weight: NDArray[np.float32]) -> None:
    """Multiply by two small matrices in the place of a large one: many of the fixed candidates differ by little."""
    factors = factorise(weight.astype(np.float64))  # (M, R), (R, N)
    if factors is None:
        return
    left, right = (ir.Value(name=f"{node.name}_factor_{n}") for n in range(2))
    for value, factor in zip((left, right), factors, strict=True):
        value.const_value = ir.tensor(factor.astype(np.float32), name=value.name)
        value.shape = ir.Shape(factor.shape)
        value.dtype = ir.DataType.FLOAT
        graph.register_initializer(value)
    inner = ir.node("MatMul", [node.inputs[0], left], name=f"{node.name}_inner")
    inner.outputs[0].name = inner.name
    graph.insert_before(node, inner)
    node.replace_input_with(0, inner.outputs[0])
    node.replace_input_with(1, right)
