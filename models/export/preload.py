"""Imports what a training would import on its way, for a process that trainings are forked from."""

import contextlib
from importlib import import_module

from models.quiet import quiet

LATE = (
    "statsforecast.models",  # the reference forecasts
    "torch._dynamo",  # every optimiser of torch
    "torch.export._trace",  # tracing graphs, from here on
    "torch.onnx._internal.exporter._core",
    "torch.onnx._internal.exporter._torchlib.ops",
    "torch._dynamo.repro.after_aot",
    "onnxscript._framework_apis.torch_2_11",
    "onnxscript.rewriter.onnx_fusions",
    "sympy.combinatorics",
    "sympy.tensor.tensor",
)

with quiet((), 0):
    for name in LATE:
        with contextlib.suppress(ImportError):  # then a training imports what it needs by itself
            import_module(name)
