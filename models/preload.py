"""Imports what a training would import on its way, for a process that trainings are forked from."""

import contextlib
from importlib import import_module

from models.quiet import quiet

LATE = (
    "statsforecast.models",  # the reference forecasts
    "torch._dynamo",  # every optimiser of torch
    "torch.onnx._internal.exporter._core",  # tracing graphs
    "torch.onnx._internal.exporter._torchlib.ops",
    "onnxscript.rewriter.onnx_fusions",
)

with quiet((), 0):
    for name in LATE:
        with contextlib.suppress(ImportError):  # then a training imports what it needs by itself
            import_module(name)
