"""The bundle of the built-in model: its graph, and the modules that say what it is told of a context."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import models
from app.services.registry.builtin import BUILTIN, NUMBER
from app.services.registry.zips import IN_MEMORY, build_entry, read_blocks
from models.pretrained.published import CARD, CONFIG, DATA, GRAPH

MODULES = (
    "__init__.py",
    "arrays.py",
    "classical/__init__.py",
    "classical/averaged.py",
    "classical/exponential_smoothing.py",
    "classical/families.py",
    "classical/grid.py",
    "pretrained/__init__.py",
    "pretrained/contexts.py",
    "pretrained/forecaster.py",
    "pretrained/periods.py",
)
"""that run without Gatecast: they import NumPy alone"""
README = """The built-in model of Gatecast: forecasts of any series without training

forecast.py    forecasts one series: python forecast.py < request.json; needs NumPy and ONNX Runtime
network.onnx   the pretrained network
models/        what it is told of a context, and the smoothing models beside it: modules of Gatecast
made.json      how it was made
card.md        what it has seen, and what it has not

request.json: {"y": [312.0, null, ...], "horizon": 24, "seasons": [24, 168], "coarse": false}
y          newest values last, null where missing; up to 1024 count
seasons    lengths in steps that the frequency suggests: hours 24 and 168, days 7 and 365, months 12, years none
coarse     whether a step is a week or longer, where smoothing models have a share

The answer is {"0.1": [...], ..., "0.9": [...]}: nine quantiles of each step ahead. Gatecast itself also widens
intervals by what they have missed, bounds them, and has the levels 0.01 to 0.99.
"""
PROGRAM = '''"""Forecasts the series of a request on standard input."""

import json
import sys

import numpy as np
import onnxruntime

from models.pretrained.forecaster import LEVELS, forecast_any

session = onnxruntime.InferenceSession("network.onnx", providers=["CPUExecutionProvider"])


def run_network(y, periods, segments):
    return session.run(None, {"y": y, "periods": periods, "segments": segments})[0]


request = json.load(sys.stdin)
context = np.array([[np.nan if value is None else value for value in request["y"]]], np.float64)[:, -1024:]
coarse = request.get("coarse", False)
quantiles = forecast_any(run_network, context, request.get("seasons", []), request["horizon"], is_coarse=coarse)[0]
print(json.dumps({str(level): quantiles[:, k].tolist() for k, level in enumerate(LEVELS)}))
'''


@dataclass(frozen=True)
class BuiltinBundle:
    """The built-in model, which can be packed."""

    @property
    def filename(self) -> str:
        return f"{BUILTIN}-{NUMBER}.zip"

    @property
    def tag(self) -> str:
        """A strong entity tag: the same files are packed to the same bytes."""
        digest = hashlib.sha256(b"".join(content for _, content in _list_files()))
        return f'"{digest.hexdigest()[:32]}"'

    def pack(self) -> tuple[int, Iterator[bytes]]:
        """Return the size of the zip in bytes, and its blocks."""
        packed = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  its blocks outlive this call
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for name, content in _list_files():
                archive.writestr(build_entry(name), content)
        return packed.tell(), read_blocks(packed)


def _list_files() -> list[tuple[str, bytes]]:
    root = Path(models.__file__).parent
    files = [("README.txt", README.encode()), ("forecast.py", PROGRAM.encode())]
    files += [(name, (DATA / name).read_bytes()) for name in (GRAPH, CONFIG, CARD)]
    return files + [(f"models/{name}", (root / name).read_bytes()) for name in MODULES]
