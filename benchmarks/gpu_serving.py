"""How fast and how exactly a device serves: the service's session in torch, beside ONNX Runtime on the CPU."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays

from app.serving.torch_session import TorchSession
from benchmarks.gpu_clock import Clock, attempt, call_seconds
from benchmarks.gpu_parity import tensor_floats

LONGEST = 60.0
"""seconds that one row may take: far more than it does"""
MANIFEST, GOLDEN = "manifest.json", "golden.safetensors"
TOLERANCE = 1e-4
"""scales that a version's golden vectors may differ by when it is loaded, or it is not served"""

Inputs = Mapping[str, NDArray[Any]]


class Session(Protocol):
    """What answers a batch of inputs by name."""

    def run(self, _outputs: None, inputs: Inputs) -> list[NDArray[Any]]:
        """Return the quantiles (B, H, Q)."""


@dataclass(frozen=True)
class Version:
    """An exported folder."""

    digest: str
    read: Callable[[str], bytes]
    inputs: Inputs
    """golden inputs by name, (B, ...) each"""
    quantiles: NDArray[np.float64]
    """(B, H, Q) that torch on the CPU made of them in float32 when the version was written"""
    scale: NDArray[np.float64]
    """(B,)"""


@dataclass(frozen=True)
class ServingParity:
    """The largest difference of golden forecasts from those of the CPU's network."""

    runtime: str
    difference: float | None
    """in scales"""
    allowed: float
    reason: str

    @property
    def met(self) -> bool:
        """Whether the version would be served."""
        return self.difference is not None and self.difference <= self.allowed

    def document(self) -> dict[str, Any]:
        """Return the row for the line of JSON."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """Return the row of the table."""
        if self.difference is None:
            return f"{self.runtime:30} not available: {self.reason}"
        return f"{self.runtime:30} {self.difference:10.1e} (<= {self.allowed:.0e})  {'met' if self.met else 'MISSED'}"


@dataclass(frozen=True)
class ServingRow:
    """The speed of one runtime at one batch."""

    runtime: str
    batch: int
    forecasts_per_second: float | None
    p50_ms: float | None
    p99_ms: float | None
    calls: int
    reason: str

    def document(self) -> dict[str, Any]:
        """Return the row for the line of JSON."""
        return asdict(self)

    def line(self) -> str:
        """Return the row of the table."""
        name = f"{self.runtime:30} {self.batch:6}"
        if self.forecasts_per_second is None:
            return f"{name} not available: {self.reason}"
        return f"{name} {self.forecasts_per_second:14.0f} {self.p50_ms:9.2f} {self.p99_ms:9.2f}"


def parity_head() -> str:
    """Return the head of the table of differences."""
    return f"{'serving against the CPU':30} {'scales':>10}"


def head() -> str:
    """Return the head of the table of speeds."""
    return f"{'serving':30} {'batch':>6} {'forecasts/s':>14} {'p50 ms':>9} {'p99 ms':>9}"


def open_version(folder: Path) -> Version:
    """Read an exported folder. Raises OSError where it is none."""
    golden = load_arrays((folder / GOLDEN).read_bytes())
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    quantiles, scale = golden.pop("quantiles"), golden.pop("scale")
    return Version(digest, lambda name: (folder / name).read_bytes(), golden, quantiles, scale)


def compare_serving(version: Version, device: torch.device, clock: Clock) -> Iterator[ServingParity]:
    """Forecast the golden inputs by every runtime."""
    yield _parity("ONNX Runtime, cpu", version, lambda: _onnx_session(version), clock)
    yield _parity(f"torch, {device.type}", version, lambda: _torch_session(version, device), clock)
    if device.type == "cuda":
        with tensor_floats(False):
            yield _parity("torch, cuda, tf32 off", version, lambda: _torch_session(version, device), clock)


def measure_serving(
    version: Version, batches: tuple[int, ...], device: torch.device, seconds: float, clock: Clock
) -> Iterator[ServingRow]:
    """Time each runtime at each batch: arrays in, arrays out, copies to the device and back included."""
    makers: dict[str, Callable[[], Session]] = {
        f"torch, {device.type}": lambda: _torch_session(version, device),
        "ONNX Runtime, cpu, one core": lambda: _onnx_session(version),
    }
    for runtime, make in makers.items():
        for batch in batches:
            yield _row(runtime, version, batch, make, seconds, clock)


def _row(
    runtime: str, version: Version, batch: int, make: Callable[[], Session], seconds: float, clock: Clock
) -> ServingRow:
    taken: list[float] = []
    inputs = {name: _repeated(values, batch) for name, values in version.inputs.items()}

    def measure() -> float:
        session = make()
        taken.extend(call_seconds(lambda: session.run(None, inputs), seconds))
        return float(np.median(taken))

    found = attempt(measure, min(LONGEST, clock.left))
    if found.value is None:
        return ServingRow(runtime, batch, None, None, None, 0, found.reason)
    p50, p99 = (1000 * float(np.quantile(taken, level)) for level in (0.5, 0.99))
    return ServingRow(runtime, batch, batch / float(np.mean(taken)), p50, p99, len(taken), "")


def _repeated(values: NDArray[Any], batch: int) -> NDArray[Any]:
    """Return an input of `batch` windows, the golden ones again and again: values have no part in the speed."""
    return np.ascontiguousarray(values[np.arange(batch) % len(values)])


def _parity(runtime: str, version: Version, make: Callable[[], Session], clock: Clock) -> ServingParity:
    def measure() -> float:
        (found,) = make().run(None, version.inputs)
        difference = np.abs(found - version.quantiles) / version.scale[:, None, None]
        return float(np.nan_to_num(difference, nan=np.inf).max())

    found = attempt(measure, min(LONGEST, clock.left))
    return ServingParity(runtime, found.value, TOLERANCE, found.reason)


def _torch_session(version: Version, device: torch.device) -> Session:
    return TorchSession(version.digest, version.read, device.type)


def _onnx_session(version: Version) -> Session:
    """Return the session that serves on the CPU. Raises ImportError where ONNX Runtime is not installed."""
    from app.serving.runtime import load_version

    session: Session = load_version(version.digest, version.read).session
    return session
