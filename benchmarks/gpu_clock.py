"""What benchmarks.gpu measures with: seconds of a step, the share of them that a GPU computes, and copies."""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

Step = Callable[[], object]

WARM_STEPS = 3
SHORTEST = 0.05
"""seconds of the steps that are timed together: waiting for a GPU after each would slow it"""
PROFILED_STEPS = 20
LONGEST_REASON = 160
ENOUGH = 5
"""readings, however long they take"""


class Clock:
    """How much of the whole run's time is left."""

    def __init__(self, seconds: float) -> None:
        self.began = time.monotonic()
        self.limit = seconds

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.limit - self.passed


@dataclass(frozen=True)
class Attempt:
    """What came of a measurement: its value, or the reason why there is none."""

    value: float | None
    reason: str


def attempt(measure: Callable[[], float], seconds: float) -> Attempt:
    """Measure within a number of seconds; whatever fails costs this one figure alone."""
    if seconds < 1:
        return Attempt(None, "no time was left")
    try:
        with _limited(seconds):
            return Attempt(measure(), "")
    except Exception as e:  # compilers and drivers raise dozens of kinds, and all of them mean the same here
        traceback.print_exc(file=sys.stderr)
        return Attempt(None, describe_error(e))


def describe_error(error: Exception) -> str:
    """Return an error in one short line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:LONGEST_REASON]


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block once the seconds have passed."""

    def ring(_number: int, _frame: object) -> None:
        raise TimeoutError(f"it took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def finish(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def step_seconds(step: Step, seconds: float, device: torch.device) -> float:
    """Return the median seconds of a step, read for a number of seconds after steps that warm up."""
    once = min(_seconds(step, 1, device) for _ in range(WARM_STEPS))
    together = max(1, round(SHORTEST / max(once, 1e-6)))
    taken: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or not taken:
        taken.append(_seconds(step, together, device))
    return median(taken)


def call_seconds(call: Step, seconds: float) -> list[float]:
    """Return the seconds of each of many calls, which end by themselves; a few of them however long one takes."""
    for _ in range(WARM_STEPS):
        call()
    taken: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(taken) < ENOUGH:
        at = time.perf_counter()
        call()
        taken.append(time.perf_counter() - at)
    return taken


def _seconds(step: Step, steps: int, device: torch.device) -> float:
    finish(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    finish(device)
    return (time.perf_counter() - began) / steps


def gpu_share(step: Step, device: torch.device) -> float | None:
    """Return the share of a step's time in which the GPU runs a kernel or a copy; None on the CPU.

    The profiler gives the time of the kernels, those that overlap counted once; the step's time is taken without it,
    because it slows the program. Raises RuntimeError where the profiler sees no kernel.
    """
    if device.type != "cuda":
        return None
    wall = _seconds(step, PROFILED_STEPS, device)
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        for _ in range(PROFILED_STEPS):
            step()
        finish(device)
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in found.events() or ()
        if event.device_type == DeviceType.CUDA and not getattr(event, "is_user_annotation", False)
    ]
    if not spans:
        raise RuntimeError("the profiler saw no kernel")
    return covered(spans) / 1e6 / PROFILED_STEPS / wall  # the profiler counts microseconds


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of spans (start, end)."""
    total, end = 0.0, float("-inf")
    for first, last in sorted(spans):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


def copy_rate(source: torch.Tensor, target: torch.Tensor, seconds: float) -> float:
    """Return the bytes a second that are copied from one tensor to another of the same size, each counted once."""
    device = target.device
    once = step_seconds(lambda: target.copy_(source, non_blocking=True), seconds, device)
    return source.numel() * source.element_size() / once
