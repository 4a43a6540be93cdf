"""How fast a device trains: the default network's windows a second, beside a bare recurrence and beside copying."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

import torch
from torch import nn

from benchmarks.gpu_clock import Attempt, Clock, Step, attempt, copy_rate, gpu_share, step_seconds
from benchmarks.gpu_learner import PreciseLearner, Sizes, default_config, example, pool_of, stepwise_config
from models.config.model import Config
from models.data.series import Panel
from models.network.network import Member, Network
from models.training.sampling import TensorBatch

RATE = 1e-3
COMPILING_SECONDS = 80.0
"""that a compiled row may take, most of it the compiler's"""
MEASURING_SECONDS = 60.0
"""that any other row may take: far more than it does"""
KEPT_BATCHES = 8


@dataclass(frozen=True)
class Shape:
    """One kind of training that is timed."""

    network: str
    config: Config
    mixed: bool
    compiled: bool = False

    @property
    def windows(self) -> int:
        """Windows in a step, those of all members."""
        return self.config.training.batch_size * max(1, len(self.config.network.lookbacks))


@dataclass(frozen=True)
class TrainingRow:
    """The speed of one kind of training."""

    network: str
    """`default`: one member of what the project chooses; `ensemble`: all of it; `stepwise`: the articles'"""
    batch: int
    """windows in a step"""
    mixed: bool
    compiled: bool
    windows_per_second: float | None
    ms_a_step: float | None
    gpu_share: float | None
    """share of a step's time in which the GPU computes; None on the CPU"""
    bare_windows_per_second: float | None
    """of the same recurrence alone, in the same precision"""
    reason: str
    """why something is None, empty where nothing failed"""

    @property
    def of_bare(self) -> float | None:
        """Share of the bare recurrence's speed."""
        if self.windows_per_second is None or self.bare_windows_per_second is None:
            return None
        return self.windows_per_second / self.bare_windows_per_second

    def document(self) -> dict[str, Any]:
        """Return the row for the line of JSON."""
        return {**asdict(self), "of_bare": self.of_bare}

    def line(self) -> str:
        """Return the row of the table."""
        name = f"{self.network} {self.batch}, {'mixed' if self.mixed else 'float32'}"
        name += ", compiled" if self.compiled else ""
        if self.windows_per_second is None:
            return f"{name:34} not available: {self.reason}"
        share = "-" if self.gpu_share is None else f"{self.gpu_share:.0%}"
        bare = "-" if self.bare_windows_per_second is None else f"{self.bare_windows_per_second:.0f}"
        ratio = "-" if self.of_bare is None else f"{self.of_bare:.2f}"
        speed = f"{self.windows_per_second:12.0f} {self.ms_a_step:9.2f}"
        return f"{name:34} {speed} {bare:>12} {ratio:>6} {share:>6}  {self.reason}".rstrip()


@dataclass(frozen=True)
class CopyRow:
    """How many windows a second could be copied, if nothing were computed."""

    path: str
    bytes_per_second: float
    """each byte counted once"""
    bytes_a_window: int

    @property
    def windows_per_second(self) -> float:
        """What copies of this speed could feed."""
        return self.bytes_per_second / self.bytes_a_window

    def document(self) -> dict[str, Any]:
        """Return the row for the line of JSON."""
        return {**asdict(self), "windows_per_second": self.windows_per_second}

    def line(self) -> str:
        """Return the row of the table."""
        said = f"{self.bytes_per_second / 1e9:.4g} GB/s, {self.bytes_a_window} bytes a window: "
        return f"{self.path:34} {said}{self.windows_per_second:.3g} windows/s"


def head() -> str:
    """Return the head of the table."""
    columns = f"{'windows/s':>12} {'ms a step':>9} {'bare LSTM':>12} {'ratio':>6} {'GPU':>6}"
    return f"{'training (windows a step)':34} {columns}"


def measure_training(
    sizes: Sizes, device: torch.device, seconds: float, clock: Clock, *, compiles: bool
) -> Iterator[TrainingRow]:
    """Time each kind of training beside the bare recurrence of its shape and precision."""
    panel = example(sizes)
    bare: dict[tuple[str, int, bool], Attempt] = {}
    for shape in _shapes(sizes):
        key = shape.network, shape.windows, shape.mixed
        if key not in bare:
            bare[key] = _timed(lambda shape=shape: _bare(shape, panel, device), device, seconds, clock)
        if shape.compiled and not compiles:
            yield _row(shape, Attempt(None, "a small run compiles nothing"), bare[key], Attempt(None, ""))
            continue
        yield _measured(shape, panel, device, seconds, clock, bare[key])


def measure_copies(sizes: Sizes, device: torch.device, seconds: float) -> Iterator[CopyRow]:
    """Time copies within the device's memory, which windows are cut in, and from the host; count a window's bytes."""
    pool = pool_of(example(sizes), default_config(sizes), device)
    window = bytes_of(pool.draw(1, torch.Generator().manual_seed(0)))
    target = torch.empty(sizes.copied, dtype=torch.uint8, device=device)
    yield CopyRow(f"within {device.type}", copy_rate(torch.ones_like(target), target, seconds), window)
    if device.type == "cuda":
        host = torch.ones(sizes.copied, dtype=torch.uint8, pin_memory=True)
        yield CopyRow("from pinned memory of the host", copy_rate(host, target, seconds), window)


def bytes_of(batch: TensorBatch) -> int:
    """Return the bytes of a batch on the device."""
    parts = (batch["y"], batch["calendar"], batch["covariates"], batch["static"], batch["target"])
    return sum(part.numel() * part.element_size() for part in parts)


def _shapes(sizes: Sizes) -> Iterator[Shape]:
    """Return what is timed; what is compiled comes last, because the compiler may take all the time that is left."""
    configs = [default_config(sizes, {"lookbacks": []}, batch_size=batch) for batch in sizes.batches]
    yield from (Shape("default", config, mixed) for config in configs for mixed in (False, True))
    ensemble = default_config(sizes, batch_size=sizes.batches[0])
    yield from (Shape("ensemble", ensemble, mixed) for mixed in (False, True))
    stepwise = stepwise_config(sizes, batch_size=sizes.batches[0])
    yield from (Shape("stepwise", stepwise, mixed) for mixed in (False, True))
    yield from (Shape("default", config, mixed, compiled=True) for config in configs for mixed in (False, True))


def _measured(
    shape: Shape, panel: Panel, device: torch.device, seconds: float, clock: Clock, bare: Attempt
) -> TrainingRow:
    """Time the project's own step, and how much of it the GPU computes."""
    made: list[Step] = []

    def measure() -> float:
        made.append(_ours(shape, panel, device))
        return step_seconds(made[0], seconds, device)

    limit = COMPILING_SECONDS if shape.compiled else MEASURING_SECONDS
    found = attempt(measure, min(limit, clock.left))
    share = Attempt(None, "")
    if device.type == "cuda" and found.value is not None:
        share = attempt(lambda: gpu_share(made[0], device) or 0.0, min(MEASURING_SECONDS, clock.left))
    if shape.compiled:
        torch.compiler.reset()  # what failed once must not stand in the way of the next row
    return _row(shape, found, bare, share)


def _ours(shape: Shape, panel: Panel, device: torch.device) -> Step:
    """Return a step of the project's own training."""
    learner = PreciseLearner(shape.config, device, mixed=shape.mixed)
    pool = pool_of(panel, shape.config, device)
    if shape.compiled:
        compile_parts(learner.network)
    return lambda: learner.step(pool, RATE)


def _row(shape: Shape, found: Attempt, bare: Attempt, share: Attempt) -> TrainingRow:
    seconds = found.value
    return TrainingRow(
        network=shape.network,
        batch=shape.windows,
        mixed=shape.mixed,
        compiled=shape.compiled,
        windows_per_second=None if seconds is None else shape.windows / seconds,
        ms_a_step=None if seconds is None else 1000 * seconds,
        gpu_share=share.value,
        bare_windows_per_second=None if bare.value is None else shape.windows / bare.value,
        reason=found.reason or share.reason or bare.reason,
    )


def compile_parts(network: Network) -> None:
    """Let torch compile what a step of training calls, each part by itself; it does so on the first call."""
    for part in (*network.readers, *network.members):
        part.compile(dynamic=False)


def _timed(make: Callable[[], Step], device: torch.device, seconds: float, clock: Clock) -> Attempt:
    return attempt(lambda: step_seconds(make(), seconds, device), min(MEASURING_SECONDS, clock.left))


def _bare(shape: Shape, panel: Panel, device: torch.device) -> Step:
    """Return a step of the encoder's recurrence alone: the same steps, widths and windows, and nothing else.

    Its batches are on the device already, it reads no loss, and its optimiser is torch's fastest.
    """
    network = PreciseLearner(shape.config, device, mixed=False).network
    member = network.members[0]
    assert isinstance(member, Member)
    like = member.encoder.cell
    cell = nn.LSTM(like.input_size, like.hidden_size, like.num_layers, batch_first=True).to(device)
    linear = nn.Linear(like.hidden_size, shape.config.horizon).to(device)
    parameters = [*cell.parameters(), *linear.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=device.type == "cuda")
    read = torch.randn(KEPT_BATCHES, shape.windows, member.encoder.steps, like.input_size, device=device)
    target = torch.randn(KEPT_BATCHES, shape.windows, shape.config.horizon, device=device)
    batches = cycle(range(KEPT_BATCHES))

    def step() -> None:
        number = next(batches)
        with torch.autocast(device.type, torch.bfloat16, enabled=shape.mixed):
            _, (last, _) = cell(read[number])
            forecast = linear(last[-1])
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(forecast.float(), target[number]).backward()
        optimizer.step()

    return step
